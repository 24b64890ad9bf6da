"""What names mean: every name of the shipped files, scopes, and renaming."""

from __future__ import annotations

from pathlib import Path

import pytest

from nasdsl.api import analyze
from nasdsl.diagnostics import Source
from nasdsl.editor.document import Document
from nasdsl.editor.rename import RenameError, definitions, places, rename
from nasdsl.language import syntax as s
from nasdsl.operations.table import OPERATIONS
from nasdsl.space.functions import FUNCTIONS
from nasdsl.space.program import SPECIAL
from nasdsl.space.resolve import QUANTITIES
from tests.editor.marked import SHIPPED, TINY, marked

BUILT_IN = {*OPERATIONS, *FUNCTIONS, *SPECIAL, *QUANTITIES, "sum", "cin", "inputs"}


def named(text: str) -> tuple[str, list[str]]:
    """The kind of the symbol at the mark, and the lines of its places."""
    document, offset = marked(text)
    found = document.index.at(offset)
    assert found is not None
    return found[1][0].kind, [f"{p.line}:{p.column}" for p in places(document, offset, True)]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.name)
def test_every_name_of_a_shipped_file_means_something(path: Path) -> None:
    document = Document(str(path), path.read_text(encoding="utf-8"))
    known = {use.span.start for use in document.index.uses}
    words = {"true", "false"}
    for statement in document.tree.statements:
        if isinstance(statement, s.Settings | s.Objective):
            continue
        for part in statement.walk():
            if not isinstance(part, s.Ref) or part.span.start in known:
                continue
            # A word given to a setting of an operation, or a variable of a rewrite, is no name.
            argument = next(
                p for p in document.expressions_at(part.span.start) if not isinstance(p, s.Ref)
            )
            free = isinstance(argument, s.Argument) or isinstance(statement, s.Neighborhood)
            assert part.name in BUILT_IN | words or free, f"{part.name} at {part.span}"


@pytest.mark.parametrize(
    "name",
    ["digits_tiny.nas", "nasbench201.nas", "segmenter.nas", "hierarchical.nas"],
)
def test_any_name_of_a_space_can_be_renamed_without_changing_the_space(name: str) -> None:
    path = next(p for p in SHIPPED if p.name == name)
    text = path.read_text(encoding="utf-8")
    document = Document(str(path), text)
    before = analyze(Source("<text>", text))
    assert before.space is not None
    for symbol in document.index.symbols:
        spans = rename(document, symbol.span.start, "another_name")
        assert spans
        changed = text
        for span in reversed(spans):
            assert span.text == symbol.name
            changed = changed[: span.start] + "another_name" + changed[span.end :]
        after = analyze(Source("<text>", changed))
        assert [d.message for d in after.errors] == [], f"{symbol.kind} {symbol.name}"
        assert after.space is not None and after.space.size == before.space.size
        neighbors = len(after.space.neighbors(after.space[0]))
        assert neighbors == len(before.space.neighbors(before.space[0]))


def test_a_parameter_hides_a_let_of_the_same_name() -> None:
    text = "let c = 8\nblock A(c) = conv(‸c, 3)\nblock B = conv(c, 3)\n"
    assert named(text) == ("parameter", ["2:9", "2:19"])
    assert named(text.replace("‸", "").replace("let c", "let ‸c")) == ("let", ["1:5", "3:16"])


def test_indices_are_seen_inside_their_comprehension_only() -> None:
    text = (
        "cell C(c) {\n  input n[0]\n  node n[j in 1..2] = sum(A(c)(n[i]) for i in 0..‸j-1)\n"
        "  node m[j in 1..2] = n[j]\n  output m[2]\n}\n"
    )
    assert named(text) == ("index", ["3:10", "3:50"])
    assert named(text.replace("‸", "").replace("n[i]", "n[‸i]")) == ("index", ["3:34", "3:42"])


def test_names_of_arguments_are_those_of_the_parameters() -> None:
    text = "block A(c, k = 3) = conv(c, k)\nnetwork = A(3, ‸k=5)\n"
    assert named(text) == ("parameter", ["1:12", "1:29", "2:16"])


def test_a_node_and_its_members_are_one_name_also_in_the_key() -> None:
    text = 'key "{n[1].0}"\ncell C {\n  input n[0]\n  node n[1] = A(‸n[0])\n  output n[1]\n}\n'
    assert named(text) == ("node", ["1:7", "3:9", "4:8", "4:17", "5:10"])


def test_a_label_that_two_choices_have_means_both_until_it_is_qualified() -> None:
    text = (
        "choice A = | a = relu | b = bn\nchoice B = | a = relu | c = bn\n"
        "neighborhood {\n  edit x: ‸a -> A.b\n  edit y: A.a -> b\n}\n"
    )
    document, offset = marked(text)
    assert [d.line for d in definitions(document, offset)] == [1, 2]
    qualified = document.text.index("A.a") + 2
    assert [d.line for d in definitions(document, qualified)] == [1]


def test_an_index_of_a_constraint_is_its_own() -> None:
    text = "let w[i in 1..3] in {1, 2}\nrequire all(w[i+1] <= w[‸i] for i in 1..2)\n"
    assert named(text) == ("index", ["2:15", "2:25", "2:32"])


def test_a_definition_may_stand_in_a_file_that_is_brought_in() -> None:
    document, offset = marked('use "digits_tiny.nas"\nlet x = 3\nblock D = ‸Op(8)\n')
    (span,) = definitions(document, offset)
    assert span.source.name.endswith("digits_tiny.nas") and span.text == "Op"


@pytest.mark.parametrize(
    ("text", "name", "reason"),
    [
        ("let ‸a = 1\nlet b = a\n", "b", "already means the let of line 2"),
        ("let b = 1\nblock A(‸a) = conv(a, b)\n", "b", "already means the let of line 1"),
        ("block A(‸a, b) = conv(a, b)\n", "b", "already means the parameter of line 1"),
        ("let ‸a = 1\nblock A(c) = conv(c, a)\n", "c", "already means the parameter of line 2"),
        ("let ‸a = 1\n", "conv", "a word of the language"),
        ("let ‸a = 1\n", "where", "a word of the language"),
        ("let ‸a = 1\n", "2b", "no name"),
        ("let ‸a = 1\n", "b c", "no name"),
        ("let ‸a = (\n", "b", "no name of this text"),
        ("let ‸a = 1\nlet = 3\n", "b", "has mistakes"),
        ("let a = ‸1\n", "b", "no name of this text"),
    ],
)
def test_a_rename_that_would_change_the_meaning_is_refused(
    text: str, name: str, reason: str
) -> None:
    document, offset = marked(text)
    with pytest.raises(RenameError, match=reason):
        rename(document, offset, name)


def test_a_label_may_be_used_again_in_another_scope() -> None:
    """Parameters of different templates do not meet."""
    document, offset = marked("block A(‸a) = conv(a, 3)\nblock B(b) = conv(b, 3)\n")
    assert len(rename(document, offset, "b")) == 2


def test_names_are_found_at_both_ends_of_a_word() -> None:
    at = TINY.index("ConvBnRelu(width")
    document = Document("<text>", TINY)
    for offset in (at, at + 5, at + len("ConvBnRelu")):
        found = document.index.at(offset)
        assert found is not None and found[1][0].name == "ConvBnRelu"
