"""The standard form: what it looks like, and that it keeps words, comments and meaning."""

from __future__ import annotations

import random
import re
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.fuzz_language import derive_statement, derive_text, hold_format, mutate, shipped
from nasdsl.diagnostics import DiagnosticError
from nasdsl.language.format import format_text

ROOT = Path(__file__).resolve().parents[2]
CASES = sorted((ROOT / "tests" / "cases" / "format").glob("*.nas"))
SHIPPED = sorted([*ROOT.glob("spaces/*.nas"), *ROOT.glob("examples/*.nas")])


@pytest.mark.parametrize("case", CASES, ids=lambda p: p.stem)
def test_case_is_formatted_as_the_file_beside_it(case: Path) -> None:
    expected = case.with_suffix(".formatted").read_text(encoding="utf-8")
    assert format_text(case.read_text(encoding="utf-8")) == expected
    assert format_text(expected) == expected


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.name)
def test_shipped_files_are_in_the_standard_form(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert format_text(text) == text


def test_cases_exist() -> None:
    assert len(CASES) >= 6


# ---- properties

TEXT_OR_COMMENT = re.compile(r'"(?:[^"\\\n]|\\.)*"|#[^\n]*')

seeds = st.integers(0, 2**32)


@settings(max_examples=60, deadline=None)
@given(seeds, st.integers(1, 5))
def test_any_program_keeps_its_tree_and_is_done_once(seed: int, statements: int) -> None:
    hold_format(derive_text(random.Random(seed), statements))


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_a_mutated_program_is_formatted_or_refused(seed: int) -> None:
    rng = random.Random(seed)
    text = derive_text(rng, 2) if rng.random() < 0.5 else rng.choice(shipped())
    hold_format(mutate(rng, text))


@settings(max_examples=40, deadline=None)
@given(seeds, seeds)
def test_blanks_within_lines_do_not_matter(seed: int, other: int) -> None:
    """Tokens on one line, however they are spaced, become one text."""
    one_blank = derive_statement(random.Random(seed), gaps=(" ",))
    assert format_text(one_blank) == format_text(_respaced(one_blank, random.Random(other)))


def _respaced(text: str, rng: random.Random) -> str:
    pieces = text.split('"')
    for at in range(0, len(pieces), 2):  # outside of texts in quotes
        pieces[at] = "".join(
            rng.choice((" ", "  ", "\t", " \t \r")) if c == " " else c for c in pieces[at]
        )
    return '"'.join(pieces)


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_line_ends_of_any_system_give_one_text(seed: int) -> None:
    text = derive_text(random.Random(seed), 3)
    result = format_text(text)
    assert format_text(text.replace("\n", "\r\n")) == result
    assert "\r" not in result and result.endswith("\n") and not result.endswith("\n\n")


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_lines_are_clean(seed: int) -> None:
    """No blank ends a line, no line is indented by a tab, no two empty lines meet."""
    result = format_text(derive_text(random.Random(seed), 4))
    assert "\n\n\n" not in result
    for line in result.splitlines():
        assert line == line.rstrip(" \t")
        assert "\t" not in line[: len(line) - len(line.lstrip())]


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_comments_stay_in_their_order(seed: int) -> None:
    numbers = count()
    text = TEXT_OR_COMMENT.sub(
        lambda m: m.group() if m.group()[0] == '"' else f"#{next(numbers)}",
        derive_text(random.Random(seed), 3),
    )
    kept = [m.group() for m in TEXT_OR_COMMENT.finditer(format_text(text)) if m.group()[0] == "#"]
    assert kept == [f"#{number}" for number in range(next(numbers))]


# ---- single rules


def formatted(*lines: str) -> str:
    return format_text("\n".join(lines))


def test_a_text_that_does_not_parse_is_refused_with_its_name() -> None:
    with pytest.raises(DiagnosticError) as caught:
        format_text("block A(c = conv(c, 3)\n", "a.nas")
    (found,) = caught.value.diagnostics
    assert found.span is not None and found.span.source.name == "a.nas"


@pytest.mark.parametrize("text", ["", "\n\n", " \t\r\n"])
def test_nothing_stays_nothing(text: str) -> None:
    assert format_text(text) == ""


def test_comments_alone_stay() -> None:
    assert formatted("", "  # a", "", "", "# b  ") == "# a\n\n# b\n"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("let a=1+2", "let a = 1+2"),
        ("let a = b +c", "let a = b + c"),
        ("let a = 2*C", "let a = 2*C"),
        ("let a = 2* C", "let a = 2 * C"),
        ("let a = f( c )*2", "let a = f(c) * 2"),
        ("let a = n[ i - 1 ]", "let a = n[i-1]"),
        ("let a = 0 .. j - 1", "let a = 0..j-1"),
        ("let a = 1..2*n-1 step  - 1", "let a = 1..2*n-1 step -1"),
        ("let a = 2 ^ i", "let a = 2^i"),
        ("let a = -  x", "let a = -x"),
        ("let a = x . y [ 0 ] .1", "let a = x.y[0].1"),
        ("let a = x.1 .2", "let a = x.1 .2"),
        ("let a in{3,5 , 7}", "let a in {3, 5, 7}"),
        ("block A(c,k = 3,s=1)=conv(c,k=k , stride = s)>>bn",
         "block A(c, k = 3, s = 1) = conv(c, k=k, stride=s) >> bn"),
        ("input x[time = 3,feature=4]", "input x[time=3, feature=4]"),
        ("let a = if a<b then c else d", "let a = if a < b then c else d"),
        ("let a = a==b and not c in d", "let a = a == b and not c in d"),
        ("let P[j in 1..3]=some of 0..j-1", "let P[j in 1..3] = some of 0..j-1"),
        ("train{epochs 12,sgd( lr = 0.1 ),}", "train { epochs 12, sgd(lr=0.1), }"),
        ("search random{}", "search random {}"),
        ("neighborhood { edit a:x|y->z at p.q , r weight 2 }",
         "neighborhood { edit a: x | y -> z at p.q, r weight 2 }"),
        ("op A(d):[T,_]->[T,d]params 4*d*d=python \"m:A\"",
         'op A(d): [T, _] -> [T, d] params 4*d*d = python "m:A"'),
        ("key   \"a  b\"", 'key "a  b"'),
    ],
)  # fmt: skip
def test_spacing(written: str, expected: str) -> None:
    assert format_text(written) == expected + "\n"


def test_a_list_on_one_line_stays_and_a_long_one_breaks() -> None:
    short = "train { epochs 12, batch 64 }\n"
    assert format_text(short) == short
    long = "train { " + ", ".join(f"setting_number_{i} {i}" for i in range(6)) + " }"
    lines = format_text(long).splitlines()
    assert lines[0] == "train {" and lines[-1] == "}" and len(lines) == 8


def test_an_alternative_that_was_switched_off_stays_in_its_choice() -> None:
    text = "choice A =\n  | a = conv\n  # | b = bn\n\nblock B = bn\n"
    assert format_text(text) == text


def test_a_name_that_begins_statements_never_begins_a_line() -> None:
    """Such a word, first on a line, would end the statement before it."""
    name = "data"
    chain = " >> ".join([name] + ["convolution_of_some_length(c, 3)"] * 5)
    result = format_text(f"block Long(data) = {chain}")
    assert result.startswith("block Long(data) = data\n")
    where = f"block B = x where a in {{{', '.join(map(str, range(40)))}}} {name} in {{1}}"
    assert "} data in {1}" in format_text(where)


@pytest.mark.parametrize("path", [*CASES, *SHIPPED], ids=lambda p: p.name)
def test_no_line_of_a_sensible_text_is_too_long(path: Path) -> None:
    for line in format_text(path.read_text(encoding="utf-8")).splitlines():
        assert len(line) <= 100
