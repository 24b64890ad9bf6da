"""Names with several indices, between one pair of brackets."""

from __future__ import annotations

import itertools

import nasdsl
from nasdsl.language.format import format_text

HEAD = "input image[1, 8, 8]\noutput logits[3]\n"
END = " >> global_avgpool >> linear(3)\n"


def test_every_member_of_a_table_of_choices_is_read_by_its_indices() -> None:
    text = (
        f"{HEAD}let w[i in 1..2, j in 1..3] in {{2, 4}}\n"
        f"network = chain(conv(w[i, j], 1) for i in 1..2 for j in 3..1 step -1){END}"
        "require w[1, 1] <= w[2, 3]\n"
        'key "{w[1,1]}:{w[2,3]}"\n'
    )
    space = nasdsl.load(text)
    places = list(itertools.product((1, 2), (1, 2, 3)))
    assert space.size == 2 ** len(places) and space.feasible == 3 * 2**4
    for rank, widths in enumerate(itertools.product((2, 4), repeat=6)):
        w = dict(zip(places, widths, strict=True))
        architecture = space[rank]
        assert architecture.decisions == {f"w[{i},{j}]": v for (i, j), v in w.items()}
        passed = [w[i, j] for i in (1, 2) for j in (3, 2, 1)]
        known = sum((a + 1) * b for a, b in itertools.pairwise([1, *passed, 3]))
        assert architecture.params == known
        assert space.allows(architecture) == (w[1, 1] <= w[2, 3])
        assert architecture.key == f"{w[1, 1]}:{w[2, 3]}"
    assert format_text(format_text(text)) == format_text(text)


def test_nodes_of_a_triangle_read_their_neighbors() -> None:
    """As UNet++ has it: three scales, and a node above each two."""
    space = nasdsl.load(
        HEAD + "let on[i in 0..1, k in 0..1] in {false, true}\n"
        "network {\n  input  n[0, 0]\n"
        "  node   n[1, 0] = maxpool(2)(n[0, 0])\n  node   n[2, 0] = maxpool(2)(n[1, 0])\n"
        "  node   n[i in 0..1, j in 1..2-i] =\n"
        "    conv(2, 1)(concat(upsample(2)(n[i+1, j-1]), n[i, k] for k in 0..j-1 if on[i, k]))\n"
        "  output (global_avgpool >> linear(3))(n[0, 2])\n}\n"
    )
    assert space.size == 16
    for architecture in space:
        on = {(i, k): architecture.decisions[f"on[{i},{k}]"] for i in (0, 1) for k in (0, 1)}

        def width(i: int, j: int) -> int:
            return 1 if j == 0 else 2

        known = 2 * 3 + 3
        for i, j in ((0, 1), (1, 1), (0, 2)):
            read = width(i + 1, j - 1) + sum(width(i, k) for k in range(j) if on[i, k])
            live = (i, j) != (0, 1) or on[0, 1]
            known += (read + 1) * 2 * live
        assert architecture.params == known


def test_sets_side_by_side_are_all_pairs() -> None:
    space = nasdsl.load(
        f"{HEAD}network {{\n  input x\n  node n[i in 0..1, j in 0..2] = conv(i + j + 1, 1)(x)\n"
        "  output (global_avgpool >> linear(3))(concat(n[0..1, {0, 2}]))\n}\n"
    )
    assert space[0].params == 2 * (1 + 3 + 2 + 4) + (10 + 1) * 3


def test_a_wrong_number_of_indices_is_told() -> None:
    for written in ("w[1]", "w[1, 2, 3]", "w[3, 1]"):
        found = nasdsl.check(
            f"{HEAD}let w[i in 1..2, j in 1..2] in {{2, 4}}\nnetwork = conv({written}, 1){END}"
        )
        (error,) = [d for d in found if d.severity == "error"]
        index = written[2:-1].replace(" ", "")
        assert error.message == f"'w' has no member [{index}]; it has [1,1], [1,2], [2,1], [2,2]"
