"""What a use is called in paths: by its name, and by its order where a name recurs.

Within one body (of a template, of a node's equation, of an item of a comprehension) the uses
of a name are numbered in the order of the text: ``Op``, or ``Op@1`` and ``Op@2`` where there
are two. A template that is alone in an item of a comprehension needs no name there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from nasdsl.language import syntax as s


def label_uses(root: s.Expr, templates: Collection[str], alone: bool = False) -> dict[int, str]:
    """Labels of the names below an expression, by ``id`` of the :class:`~syntax.Ref`.

    ``alone``: the expression is an item of a comprehension, where a lone template is unnamed.
    Items of comprehensions further inside are bodies of their own.
    """
    labels: dict[int, str] = {}
    uses: dict[str, list[s.Ref]] = {}
    inner: list[s.Expr] = []
    for ref in _uses(root, inner):
        uses.setdefault(ref.name, []).append(ref)
    deciding = [r for n, refs in uses.items() if n in templates for r in refs]
    for name, refs in uses.items():
        for number, ref in enumerate(refs, 1):
            labels[id(ref)] = name if len(refs) == 1 else f"{name}@{number}"
    if alone and len(deciding) == 1:
        labels[id(deciding[0])] = ""
    for item in inner:
        labels.update(label_uses(item, templates, alone=True))
    return labels


def _uses(root: s.Syntax, inner: list[s.Expr]) -> Iterator[s.Ref]:
    """The names outside comprehension items, in the order of the text."""
    if isinstance(root, s.Ref):
        yield root
        return
    if isinstance(root, s.Argument | s.Collection) and root.clauses:
        inner.append(root.value if isinstance(root, s.Argument) else root.item)
        for clause in root.clauses:
            yield from _uses(clause, inner)
        return
    for child in root.children():
        yield from _uses(child, inner)
