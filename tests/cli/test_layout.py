"""Text for 80 columns."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nasdsl.cli import layout


def test_numbers() -> None:
    assert layout.number(1234567) == "1,234,567"
    assert layout.number(0) == "0"
    assert layout.number(None) == "-"
    assert layout.number(87.5) == "87.5"
    assert layout.number(12.0) == "12"
    assert layout.number(1e-6) == "1e-06"
    assert layout.number(2 * 10**19) == "20,000,000,000,000,000,000 (2.00e+19)"


def test_bounds_say_what_they_are() -> None:
    assert layout.bounds({"min": 3, "max": 3}) == "3"
    assert layout.bounds({"min": 3, "max": 9, "exact": True}) == "3 to 9"
    assert layout.bounds({"min": 3, "max": 9, "exact": False}).startswith("3 to 9 (")


def test_a_table_aligns_numbers_right_and_words_left() -> None:
    assert layout.table([("#7", "conv"), ("#12", "x")], ("rank", "op"), left=(1,)) == [
        "rank  op",
        "  #7  conv",
        " #12  x",
    ]


words = st.text(st.characters(categories=("L", "N", "P")), max_size=200)


@given(st.lists(st.tuples(words, words), max_size=5))
def test_no_table_is_wider_than_the_terminal(rows: list[tuple[str, str]]) -> None:
    lines = layout.table(rows, ("a", "b"), left=(0, 1))
    assert len(lines) == len(rows) + 1
    assert all(len(line) <= layout.WIDTH for line in lines)


names = st.text("abcdefghij.[]@0123", min_size=1, max_size=24)
values = st.one_of(st.integers(), st.booleans(), names, st.tuples(st.integers(0, 9)))


@given(st.dictionaries(names, values, max_size=12))
def test_decisions_are_all_there_and_never_torn_apart(decisions: dict[str, object]) -> None:
    lines = layout.decisions(decisions)
    assert all(len(line) <= layout.WIDTH for line in lines)
    text = "\n".join(lines)
    for name, value in decisions.items():
        assert f"{name} = {layout.value_text(value)}" in text


def test_values_are_shown_as_they_would_be_written() -> None:
    assert layout.value_text(True) == "true"
    assert layout.value_text((0, 2)) == "{0, 2}"
    assert layout.value_text(16) == "16"
    assert layout.value_text("conv3x3") == "conv3x3"


def test_ranks_fit_a_column() -> None:
    assert layout.rank(7712) == "#7712"
    assert layout.rank(None) == "outside"
    assert layout.rank(123456789012) == "#123456789012"
    assert layout.rank(12345678901234567890) == "#12345…67890"
