"""``cin`` in guards and in the values of choices: what comes in decides what there is to decide."""

from __future__ import annotations

import itertools

import nasdsl

HEAD = "input image[1, 16, 16]\noutput logits[3]\n"
END = " >> global_avgpool >> linear(3)\n"


def test_a_path_through_a_trellis_turns_where_its_guards_allow() -> None:
    """As Auto-DeepLab has it: four scales, one up or down at most, each as wide as it is small."""
    text = (
        f"{HEAD}let layers = 12\n"
        "choice Move =\n"
        "  | up = upsample(2) >> conv(cin // 2, 1) when cin > 2\n"
        "  | stay = relu\n"
        "  | down = conv(2 * cin, 3, stride=2) when cin < 16\n"
        f"network = conv(2, 3) >> Move * layers >> upsample(cin // 2) >> conv(1, 1){END}"
    )
    ends = [1, 0, 0, 0]
    for _ in range(12):
        ends = [sum(ends[max(0, scale - 1) : scale + 2]) for scale in range(4)]
    assert nasdsl.load(text).size == sum(ends)
    few = nasdsl.load(text.replace("layers = 12", "layers = 3"))
    moves = {"up": -1, "stay": 0, "down": 1}
    paths = [
        path
        for path in itertools.product(moves, repeat=3)
        if all(0 <= s <= 3 for s in itertools.accumulate(moves[m] for m in path))
    ]
    assert [tuple(a.decisions.values()) for a in few] == paths


def test_values_after_where_may_be_multiples_of_what_comes_in() -> None:
    space = nasdsl.load(
        f"{HEAD}block Grow = conv(w, 1) where w in {{cin, 2 * cin, cin + 1}}\n"
        f"network = conv(3, 3) >> Grow * 2{END}"
    )
    widths = [(one, two) for one in sorted({3, 6, 4}) for two in sorted({one, 2 * one, one + 1})]
    assert [tuple(a.decisions.values()) for a in space] == widths


def test_an_alternative_that_was_chosen_as_a_value_is_held_to_its_guard() -> None:
    found = nasdsl.check(
        f"{HEAD}let o in Op\nchoice Op(c) = | skip = identity when cin == c | conv = conv(c, 3)\n"
        f"network = conv(4, 3) >> o(4) >> o(8){END}"
    )
    (error,) = [d for d in found if d.severity == "error"]
    assert error.code == "NAS225"
    assert "o = skip" in " ".join(note.message for note in error.notes)


def test_a_mistake_before_a_guard_is_told_once() -> None:
    found = nasdsl.check(
        f"{HEAD}choice Op(c) = | skip = identity when cin == c | conv = conv(c, 3)\n"
        f"network = conv(wide, 3) >> Op(8){END}"
    )
    assert [d.code for d in found] == ["NAS101"]
