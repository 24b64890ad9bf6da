"""What is said of what is under the cursor."""

from __future__ import annotations

import random

import pytest

from nasdsl.api import analyze
from nasdsl.diagnostics import Source
from nasdsl.editor import words
from nasdsl.editor.describe import hover
from nasdsl.editor.document import Document
from nasdsl.language.grammar import build_parser
from nasdsl.language.parser import STATEMENTS
from nasdsl.space.functions import FUNCTIONS
from nasdsl.space.resolve import QUANTITIES
from tests.editor.marked import SHIPPED, TINY, marked, reported


def said(text: str, facts: bool = False) -> str:
    document, offset = marked(text)
    known = None
    if facts:
        found = [r for r in reported(document.text) if r["kind"] == "facts"]
        known = found[-1]
    answer = hover(document, offset, known)
    return answer[0] if answer else ""


def at(mark: str, text: str = TINY) -> str:
    """The text with the cursor where the mark has it."""
    plain = mark.replace("‸", "")
    assert plain in text
    return text.replace(plain, mark, 1)


def test_the_name_of_the_space_tells_its_size() -> None:
    space = analyze(Source("<text>", TINY)).space
    assert space is not None
    answer = said(at("space ‸digits_tiny"), facts=True)
    assert f"**{space.size:,}** architectures, {space.feasible:,} feasible" in answer
    info = space.info()
    assert f"params: {info['params']['min']:,} to {info['params']['max']:,}" in answer


def test_a_choice_tells_its_alternatives() -> None:
    answer = said(at(">> ‸Op(width) * 2"))
    assert "choice Op(c)" in answer and "| skip = identity" in answer and "4 alternatives" in answer


def test_a_chosen_value_tells_how_many_and_how_it_is_tied() -> None:
    assert "A choice of 3 values, decided once for the whole space." in said(
        at("Op(‸width) * 2"), facts=True
    )
    inner = "block A(c) = conv(c, ‸k)\n  where k in {3, 5}\n"
    assert "decided where the text is used" in said(inner)


def test_a_template_tells_its_parameters_and_the_comment_above() -> None:
    text = "let a = 1\n\n# One step\n# of two lines.\nblock A(c, k = 3) = conv(c, k)\nnetwork = ‸A(3)\n"
    answer = said(text)
    assert "block A(c, k = 3) = conv(c, k)" in answer
    assert "One step of two lines." in answer


def test_a_let_tells_the_comment_behind_it() -> None:
    assert "channels" in said("let ‸C = 16   # channels\n")


def test_the_head_of_a_file_is_not_about_its_first_statement() -> None:
    assert "about the file" not in said("# about the file\nlet ‸C = 16\n")


def test_an_operation_tells_its_doc_and_parameters() -> None:
    answer = said(at("= ‸avgpool(3"))
    assert "avgpool(kernel, stride=…)" in answer and "- `kernel`: int" in answer


def test_an_operation_tells_the_shapes_it_gives() -> None:
    answer = said(at(">> ‸linear(10)"), facts=True)
    assert "`linear` gives [10]" in answer
    pooled = said(at(">> ‸maxpool(2)"), facts=True)
    assert "`maxpool` gives" in pooled and "4, 4]" in pooled


@pytest.mark.parametrize(
    ("mark", "expected"),
    [
        ("‸bias=false", "`bias`: bool, by default true"),
        ("search    ‸na_random", "neighbors"),
        ("{ ‸samples 24", "`samples`: int"),
        ("flatness.‸neighborhood(samples", "flatness.neighborhood("),
        ("minimize ‸params", "params"),
        ("‸sam(rho", "sam(rho=0.05)"),
        ("‸momentum=0.9", "`momentum`: float"),
        ("  epochs ‸12", ""),
        ("‸epochs 12", "epochs int"),
        ("data      ‸digits", "digits("),
        ("<= ‸60k", "`60k` is 60,000"),
        ("‸edit shrink", "one way to change"),
        ("  ‸where width", "values chosen"),
        ("‸skip    =", "choice Op"),
    ],
)
def test_words_of_the_language_and_settings(mark: str, expected: str) -> None:
    answer = said(at(mark))
    assert expected in answer if expected else not answer


def test_nothing_is_said_of_comments_texts_and_blanks() -> None:
    assert said("# ‸conv\nlet a = 1\n") == ""
    assert said('space a "‸conv"\n') == ""
    assert said("let a = 1\n\n‸\n") == ""


def test_every_word_of_the_language_is_explained() -> None:
    parser = build_parser(None)
    patterns = {t.pattern.value.removesuffix("\\b") for t in parser.terminals}
    keywords = {p for p in patterns if p.isalpha() and p.islower()}
    assert keywords <= set(words.KEYWORDS)
    assert set(STATEMENTS) <= set(words.KEYWORDS)
    named = {*QUANTITIES, "sum", "all", "any", "size"}
    assert named <= set(words.BUILT_IN)
    assert set(FUNCTIONS) - set(words.BUILT_IN) <= {"min", "max", "abs", "round", "floor", "ceil",
                                                    "sqrt", "log", "log2", "exp"}  # fmt: skip


def test_any_offset_of_any_shipped_file_can_be_hovered() -> None:
    rng = random.Random(4)
    for path in SHIPPED:
        document = Document(str(path), path.read_text(encoding="utf-8"))
        for _ in range(25):
            offset = rng.randrange(len(document.text))
            answer = hover(document, offset)
            if answer is not None:
                span = answer[1]
                assert span.start <= offset <= span.end
