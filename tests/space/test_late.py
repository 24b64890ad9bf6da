"""Declarations decided late: the work grows with what a use reads, not with whole families."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest

import nasdsl
from nasdsl.space import limits
from nasdsl.space.residual import steps

STAGES = """
input image[3, 32, 32]
output logits[10]
let width[s in 1..4] in {16, 24, 32, 40, 48}
let depth[s in 1..4] in 1..4
block Unit(c) = conv(c, 3, bias=false) >> bn >> relu
block Stage(s) = Unit(width[s]) * depth[s] >> maxpool(2)
network = NETWORK >> global_avgpool >> linear(10)
"""


def test_a_use_reads_the_members_that_its_arguments_pick() -> None:
    written = nasdsl.load(
        STAGES.replace("NETWORK", " >> ".join(f"Stage({s})" for s in range(1, 5)))
    )
    chained = nasdsl.load(STAGES.replace("NETWORK", "chain(Stage(s) for s in 1..4)"))
    assert written.size == chained.size == 5**4 * 4**4
    assert written.info()["params"] == chained.info()["params"]
    for rank in (0, 12_345, written.size - 1):
        assert dict(written[rank].decisions) == dict(chained[rank].decisions)
        assert written[rank].fingerprint == chained[rank].fingerprint
    # Five widths come in and five go out, in four stages of one to four units.
    assert len(steps(chained.step)) < 4_000
    assert len(steps(chained.step)) < 1.5 * len(steps(written.step))


NODES = """
input image[2, 8, 8]
output logits[3]
choice Op = | pass = identity | conv = conv(2, 3)
cell Cell {
  let from[j in 1..N] in 0..j-1
  input  n[0]
  node   n[j in 1..N] = NODE
  output n[N]
}
network = conv(2, 3) >> Cell >> global_avgpool >> linear(3)
"""


def nodes(node: str, count: int) -> nasdsl.Space:
    return nasdsl.load(NODES.replace("NODE", node).replace("N]", f"{count}]"))


def test_a_node_is_read_by_an_index_that_is_decided_late() -> None:
    # 8! ways to choose the nodes that are read: one by one they would take minutes.
    space = nodes("n[from[j]] + Op(n[from[j]])", 8)
    assert space.size == 2**8 * math.factorial(8)
    assert len(steps(space.step)) < 500
    architecture = space[space.size - 1]
    # The last value of each: every node reads the one before it, and convolves.
    assert [architecture.decisions[f"Cell.from[{j}]"] for j in range(1, 9)] == [*range(8)]
    assert architecture.params == (2 * 2 * 9 + 2) * 9 + (2 * 3 + 3)


def test_a_sum_up_to_a_late_value_reads_all_below_it() -> None:
    space = nodes("sum(Op(n[i]) for i in 0..from[j])", 6)
    ways = 1
    for j in range(1, 7):
        ways *= sum(2 ** (last + 1) for last in range(j))
    assert space.size == ways


def test_the_same_networks_whether_decided_late_or_one_by_one() -> None:
    few = nodes("n[from[j]] + Op(n[from[j]])", 4)
    for text in ("n[from[j]] + Op(n[from[j]])", "n[from[j] * 2 - from[j]] + Op(n[from[j]])"):
        many = nodes(text, 6)
        for architecture in few.samples(20, seed=1):
            # Two more nodes that pass on the one before them twice over.
            more: dict[str, Any] = {"Cell.from[5]": 4, "Cell.from[6]": 5}
            more |= {"Cell.n[5].Op": "conv", "Cell.n[6].Op": "conv"}
            twin = many.architecture({**architecture.decisions, **more})
            assert twin.params == architecture.params + 2 * (2 * 2 * 9 + 2)


def test_members_of_a_family_may_depend_on_those_before_them() -> None:
    text = """
    input image[1, 8, 8]
    output logits[3]
    let w[i in 1..N] in (if i == 1 then {2, 4} else w[i-1]..4)
    network = chain(conv(w[i], 1) for i in 1..N) >> global_avgpool >> linear(3)
    """
    for count in (3, 9):  # one by one, and late
        space = nasdsl.load(text.replace("N", str(count)))
        rising = [
            w for w in itertools.combinations_with_replacement(range(2, 5), count) if w[0] in (2, 4)
        ]
        found = [tuple(a.decisions.values()) for a in space]
        assert found == rising


def test_a_family_that_depends_on_itself_without_end_is_told() -> None:
    for later in ("w[i]", "w[i % 9 + 1]"):
        found = nasdsl.check(
            f"input image[1, 8, 8]\noutput logits[3]\nlet w[i in 1..9] in 1..{later}\n"
            "network = chain(conv(w[i], 1) for i in 1..9) >> global_avgpool >> linear(3)\n"
        )
        assert [d.code for d in found if d.severity == "error"] == ["NAS216"]
    found = nasdsl.check(
        "input image[1, 8, 8]\noutput logits[3]\n"
        "let a in 1..200\nlet w[i in 1..3] in 1..a + w[i]\n"
        "network = chain(conv(w[i], 1) for i in 1..3) >> global_avgpool >> linear(3)\n"
    )
    assert {d.code for d in found if d.severity == "error"} == {"NAS106"}


def test_what_a_cell_reads_of_the_whole_space_is_refused_with_a_way_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Every combination is a cell of its own, whose equations count as steps.
    monkeypatch.setattr(limits, "MAX_STEPS", 10_000)
    found = nasdsl.check(
        NODES.replace("  let from[j in 1..N] in 0..j-1\n", "")
        .replace("cell", "let from[j in 1..N] in 0..j-1\ncell")
        .replace("NODE", "n[from[j]] + Op(n[from[j]])")
        .replace("N]", "12]")
        .replace("1..N", "1..12")
    )
    (error,) = [d for d in found if d.severity == "error"]
    assert error.code == "NAS301"
    assert "a 'let' inside its braces" in error.notes[0].message


def test_what_an_equation_reads_again_is_not_forgotten_inside_it() -> None:
    """By what is applied to a tensor, and by a later one of several tensors."""
    for node in (
        "Unit(c)(conv(c, 1)(x))",
        "concat(conv(c, 1)(x), conv(c, 1)(x), x)",
        "(Unit(c) >> conv(c, 1))(conv(c, 1)(x) + conv(c, 3)(x))",
    ):
        space = nasdsl.load(
            "input image[1, 8, 8]\noutput logits[3]\nlet c in 1..200\n"
            "block Unit(c) = conv(c, 1)\n"
            f"network {{\n  input x\n  node y = {node}\n  output (global_avgpool >> linear(3))(y)\n}}\n"
        )
        widths = [n.type.channels for n in space[6].network.nodes if n.op == "conv"]
        assert space.size == 200 and set(widths) == {7}


def test_a_module_that_may_be_switched_off_has_one_type_under_each_width() -> None:
    """The width is decided before it is said what stands in the module's place."""
    space = nasdsl.load(
        """
input image[1, 4, 4]
output logits[3]
let w[i in 1..4] in {2, 4, 6, 8}
network = conv(2, 1) >> optional(conv(w[1], 1)) >> chain(conv(w[i], 1) for i in 2..4)
    >> global_avgpool >> linear(3)
"""
    )
    assert space.size == 2 * 4**4
    assert [space.rank(space[rank].decisions) for rank in (0, 300, 511)] == [0, 300, 511]
    off = space[next(r for r in range(512) if space[r].decisions["optional"] == "off")]
    assert off.params == 3 * (2 * 2 + 2) + (2 * 3 + 3)  # of width 2, with biases
