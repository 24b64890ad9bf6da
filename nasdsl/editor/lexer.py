"""A lexer of the language for Pygments, found by it under ``nas`` and ``*.nas``.

The words are those of the grammar; whether one is a keyword at its place only the parser knows,
so a name that is also a word is colored as the word where it stands alone.
"""

from __future__ import annotations

from typing import ClassVar

from pygments.lexer import RegexLexer, bygroups, words
from pygments.token import (
    Comment,
    Keyword,
    Name,
    Number,
    Operator,
    Punctuation,
    String,
    Token,
    Whitespace,
)

DECLARING = ("block", "choice", "cell", "op", "let", "node", "edit", "space")
STATEMENTS = ("nas", "space", "input", "output", "use", "key", "let", "block", "choice", "cell",
              "network", "op", "require", "neighborhood", "data", "train", "objective", "best",
              "search", "report")  # fmt: skip
CLAUSES = ("where", "in", "pick", "some", "of", "recursion", "when", "node", "if", "then", "else",
           "step", "for", "radius", "edit", "any", "by", "insert", "remove", "flip", "at",
           "weight", "maximize", "minimize", "python")  # fmt: skip
CHOOSING = ("maybe", "optional", "chain", "sum", "cin")


class NasLexer(RegexLexer):  # type: ignore[misc]  # Pygments has no types
    """Tokens of a ``.nas`` text."""

    name = "nasdsl"
    aliases: ClassVar = ["nas", "nasdsl"]
    filenames: ClassVar = ["*.nas"]
    mimetypes: ClassVar = ["text/x-nas"]
    version_added = ""

    tokens: ClassVar = {
        "root": [
            (r"\s+", Whitespace),
            (r"#.*?$", Comment.Single),
            (r'"', String.Double, "string"),
            (
                rf"\b({'|'.join(DECLARING)})(\s+)([A-Za-z_]\w*)",
                bygroups(Keyword.Declaration, Whitespace, Name.Class),
            ),
            (r"(\|)(\s*)([A-Za-z_]\w*)(?=\s*=(?!=))", bygroups(Operator, Whitespace, Name.Label)),
            # A name tight before "=" is that of an argument, whatever else it means.
            (r"[A-Za-z_]\w*(?==(?!=))", Name.Attribute),
            (words(STATEMENTS, prefix=r"(?m)^", suffix=r"\b"), Keyword.Declaration),
            (words(("input", "output", "let"), prefix=r"(?<!\.)\b", suffix=r"\b(?=[ \t]+[\w(])"),
             Keyword.Declaration),
            (words(CLAUSES, prefix=r"(?<!\.)\b", suffix=r"\b(?!\s*[(=.])"), Keyword),
            (words(("for", "in", "if", "then", "else", "when", "where", "of"), suffix=r"\b"),
             Keyword),
            (words(("and", "or", "not"), suffix=r"\b"), Operator.Word),
            (words(("true", "false"), suffix=r"\b"), Keyword.Constant),
            (words(CHOOSING, suffix=r"\b"), Name.Builtin),
            (r"[A-Za-z_]\w*(?=\()", Name.Function),
            (r"[A-Za-z_]\w*", Name),
            (r"[0-9]+\.[0-9]+(?:[eE][+-]?[0-9]+)?[kMGT]?", Number.Float),
            (r"[0-9]+[eE][+-]?[0-9]+[kMGT]?", Number.Float),
            (r"[0-9]+[kMGT]?", Number.Integer),
            (r"<->|->|>>|\+\+|\.\.|[=<>!]=|//|[-+*/%^<>=|]", Operator),
            (r"[()\[\]{},.:]", Punctuation),
        ],
        "string": [
            (r'\\["\\nt]', String.Escape),
            (r"\{[^}\"\n]*\}", String.Interpol),
            (r'[^"\\\n{]+', String.Double),
            (r"\{", String.Double),
            (r'"', String.Double, "#pop"),
            (r"\n", Token.Error, "#pop"),
        ],
    }  # fmt: skip
