"""What people write by habit of other languages is told with the way it is written here."""

from __future__ import annotations

import time

import pytest

import nasdsl
from nasdsl.diagnostics import Diagnostic

HEAD = "space s\ninput image[3, 32, 32]\noutput logits[10]\n"
END = " >> global_avgpool >> linear(10)\n"

CASES = {
    # a line of text, what is pointed at, what the message or a note says
    "let c = 2**4": ("*", "2 ^ 3"),
    "let c = [8, 16]": ("[", "{8, 16}"),
    "let c in 8:16:4": (":", "a..b step c"),
    "let c in 8...16": (".", "a..b step c"),
    "let c := 8": (":", "'='"),
    "let c = 8 if true else 16": ("if", "if c then a else b"),
    "let f = lambda c: 2 * c": ("c", "let f(c) = 2 * c"),
    "let c = 5 M": ("M", "5M"),
    "let c = max(50%, 1)": (",", "0.5"),
    "let c in range(8)": ("range", "a..b"),
    "let c = None": ("None", "zero"),
    "let c = not True": ("True", "'true'"),
    "network: conv(8, 3)": (":", "'='"),
    "train: epochs 12": (":", "braces"),
    "train { epochs: 12 }": (":", "epochs 12"),
    "train { epochs = 12 }": ("=", "epochs 12"),
    "search random(samples=2)": ("(", "search random { samples 20 }"),
    "data = digits": ("=", "takes no '='"),
    "objective maximize accuracy": ("maximize", "objective { maximize accuracy }"),
    "require params = 5k": ("=", "<="),
    "require params <= 5k && macs <= 5M": ("&", "'and'"),
    "require params in [1k, 5k]": ("[", "1k..5k"),
    "require params between 1k and 5k": ("between", "1k..5k"),
    "require params \u2264 5k": ("\u2264", "<="),
    "require flops <= 600M": ("flops", "'macs'"),
    "require latency <= 5": ("latency", "minimize latency"),
    "neighborhood { any Op }": ("any", "edit swap: any Op"),
    "choice A = {conv(8, 3), identity}": ("{", "| skip = identity"),
    "choice A:": (":", "| skip = identity"),
    "choice A = | a = bn if true | b = relu": ("if", "when"),
    "block A(c) { conv(c, 3) }": ("{", "block Name(c, k)"),
    "block A = batchnorm": ("batchnorm", "'bn'"),
    "block A = conv(8, 3) -> bn": ("->", "'>>'"),
    "block A = conv(8, 3) | bn": ("|", "'>>'"),
    "block A = conv(8, 3) x 3": ("x", "e * 3"),
    "block A = (bn for i in 1..3)": ("for", "chain(e for i in 1..3)"),
    "block A = if true then bn >> (relu)\nspace t": (")", "else"),
    "block A = conv(8, one of {3, 5})": ("of", "where k in {3, 5}"),
    "block A = conv(w, k) where w in {8, 16}, k in {3, 5}": (",", "side by side"),
    "block A = conv(w, k) where w in {8, 16} and k in {3, 5}": ("and", "side by side"),
    "cell A { input x return x }": ("return", "'output'"),
    "cell A { input x output sum(x for i in pick of 1..2) }": ("1", "pick 2 of"),
    "use nasbench201": ("nasbench201", 'use "nasbench201.nas"'),
    "key 'a'": ("'", '"a text"'),
    "// a comment": ("//", "'#'"),
    "def A(c) = conv(c, 3)": ("def", "'block'"),
    "import nasbench201": ("import", "'use'"),
    "constraint params <= 5k": ("constraint", "'require'"),
    'key "{A"': ('"{A"', "other side"),
}  # fmt: skip


def told(text: str) -> Diagnostic:
    """The first error of a text."""
    return next(d for d in nasdsl.check(text) if d.severity == "error")


@pytest.mark.parametrize("line", CASES)
def test_a_habit_is_told_at_its_place_with_the_way_out(line: str) -> None:
    place, advice = CASES[line]
    network = "" if line.startswith("network") else f"network = conv(8, 3){END}"
    error = told(f"{HEAD}{line}\n{network}")
    assert error.span is not None
    assert (error.span.line, error.span.text) in ((4, place), (4, place.strip()))
    assert advice in " ".join([error.message, *(n.message for n in error.notes)])


def test_the_last_side_of_a_conditional_is_asked_for() -> None:
    error = told(f"{HEAD}network = conv(8, 3) >> (if true then bn){END}")
    assert error.span is not None and error.span.text == ")"
    assert "if c then a else identity" in error.notes[0].message


@pytest.mark.parametrize(
    "name", ["op", "data", "key", "search", "best", "use", "space", "cell", "train"]
)
def test_a_value_may_be_called_as_a_statement_begins(name: str) -> None:
    """Where it stands first on a line, it begins a statement only where it can."""
    space = nasdsl.load(
        f"{HEAD}block A =\n  {name}(8, 3)\n  where\n    k in {{3, 5}}\n    {name} in Unit\n"
        f"choice Unit(c, k) = | a = conv(c, k) | b = conv(c, k) >> bn\n"
        f"network = A >> conv({name}\n  * 2, 1){END}    where {name} in {{4, 8}}\n".replace(
            f"{name}(8, 3)", f"{name}(8, k)"
        )
    )
    assert space.size == 8


def test_a_name_chosen_elsewhere_is_told_with_the_place() -> None:
    error = told(f"{HEAD}block A = conv(w, 3)\nnetwork = A{END}  where w in {{8, 16}}\n")
    assert error.code == "NAS101"
    (note,) = error.notes
    assert note.span is not None and note.span.text == "w in {8, 16}"
    assert "let w in" in note.message


def test_one_mistake_is_told_once() -> None:
    """Not also by what stands after it, by what it would have used, or by what is missing."""
    for text in (
        f"{HEAD}network = conv(wide, 3) >> conv(2 * cin, 3) >> bn{END}",
        f"{HEAD}block A = bn\ncell C {{ input x return A(x) }}\nnetwork = conv(8, 3) >> C{END}",
        f"{HEAD}def A(c) = conv(c, 3)\nnetwork = A(8){END}",
        'use "not_there.nas"\nlet C = 8\n',
    ):
        assert len(nasdsl.check(text)) == 1, text


def test_advice_is_looked_for_in_bounded_time() -> None:
    line = "require " + "1 in " * 100_000 + ":"
    start = time.monotonic()
    assert any(d.code == "NAS002" for d in nasdsl.check(f"{HEAD}{line}\n"))
    assert time.monotonic() - start < 20


def test_a_value_after_where_that_nothing_reads_is_told() -> None:
    """It multiplies the count for nothing; a condition on the space or on an edit is a reader."""
    text = f"{HEAD}network = conv(8, 3){END}  where k in {{3, 5}}\n"
    block = f"{HEAD}block A = conv(8, 3) where k in {{3, 5}}\nnetwork = A{END}"
    for wrong in (text, block):
        (warning,) = nasdsl.check(wrong)
        assert warning.code == "NAS502" and warning.span is not None
        assert warning.span.text == "k"
    for more in (
        "require k >= 3 and params >= 700 or k >= 5\n",
        "neighborhood { edit a: step k where k > 3 }\n",
    ):
        assert "NAS502" not in [d.code for d in nasdsl.check(text + more)]


def test_names_in_the_condition_of_an_edit_are_known() -> None:
    error = told(
        f"{HEAD}network = conv(w, 3){END}  where w in {{8, 16}}\n"
        "neighborhood { edit wide: step w where parms < 1k }\n"
    )
    assert (error.code, error.span and error.span.text) == ("NAS101", "parms")
    assert "'params'" in error.message


def test_modules_are_named_before_they_are_chosen_and_joined_before_they_are_applied() -> None:
    error = told(f"{HEAD}network = conv(8, 3) >> a{END}  where a in {{relu, gelu}}\n")
    assert error.code == "NAS204" and "choice Act = | relu = relu" in error.notes[0].message
    error = told(f"{HEAD}network {{ input x node y = conv(8, 3) >> bn output y }}\n")
    assert error.code == "NAS231" and "(conv(8, 3) >> bn)(x)" in error.notes[0].message
