"""What a use is called in paths: by its name, and by its order where a name recurs.

Within one body (of a template, of a node's equation, of an item of a comprehension) the uses
of a name are numbered in the order of the text: ``Op``, or ``Op@1`` and ``Op@2`` where there
are two. A template that is alone in an item of a comprehension needs no name there, since the
items are numbered. A ``chain`` makes copies, and its text belongs to the body around it.

Where a body holds several comprehensions, the items of each stand under the name of the call
that gathers them, so that ``sum(…) + sum(…)`` has ``sum@1.0`` and ``sum@2.0``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from nasdsl.language import syntax as s
from nasdsl.space.program import Program


def program_labels(program: Program) -> dict[int, str]:
    """The labels of all names in the templates and the network of a text."""
    bodies: list[s.Expr | s.Graph] = []
    for template in program.templates.values():
        if isinstance(template, s.Block):
            bodies.append(template.body)
        elif isinstance(template, s.Choice):
            bodies += [alternative.body for alternative in template.alternatives]
        elif isinstance(template, s.Cell):
            bodies.append(template.graph)
    if program.network is not None:
        bodies.append(program.network.body)
    labels: dict[int, str] = {}
    for body in bodies:
        parts = (
            [*(n.body for n in body.nodes), *body.outputs] if isinstance(body, s.Graph) else [body]
        )
        for part in parts:
            labels.update(label_uses(part, program.templates))
    return labels


def label_uses(root: s.Expr, templates: Collection[str], alone: bool = False) -> dict[int, str]:
    """Labels of the names below an expression, by ``id`` of the :class:`~syntax.Ref`.

    Calls that gather a comprehension, where a body has several, are labeled by their own
    ``id``. ``alone``: the expression is an item of a comprehension, where a lone template is
    unnamed. Items of comprehensions further inside are bodies of their own.
    """
    labels: dict[int, str] = {}
    uses: dict[str, list[s.Ref]] = {}
    inner: list[s.Expr] = []
    gathering: list[s.Call] = []
    for ref in _uses(root, inner, gathering):
        uses.setdefault(ref.name, []).append(ref)
    deciding = [r for n, refs in uses.items() if n in templates for r in refs]
    for name, refs in uses.items():
        for number, ref in enumerate(refs, 1):
            labels[id(ref)] = name if len(refs) == 1 else f"{name}@{number}"
    if len(gathering) > 1:
        for call in gathering:
            labels[id(call)] = labels.get(id(_root(call)), "inputs")
    if alone and len(deciding) == 1:
        labels[id(deciding[0])] = ""
    for item in inner:
        labels.update(label_uses(item, templates, alone=True))
    return labels


def _uses(root: s.Syntax, inner: list[s.Expr], gathering: list[s.Call]) -> Iterator[s.Ref]:
    """The names outside comprehension items, in the order of the text."""
    if isinstance(root, s.Ref):
        yield root
        return
    if isinstance(root, s.Call) and any(a.clauses for a in root.arguments):
        if isinstance(root.callee, s.Ref) and root.callee.name == "chain":
            yield root.callee
            for argument in root.arguments:
                for part in (argument.value, *argument.clauses):
                    yield from _uses(part, inner, gathering)
            return
        gathering.append(root)
    if isinstance(root, s.Argument | s.Collection) and root.clauses:
        inner.append(root.value if isinstance(root, s.Argument) else root.item)
        for clause in root.clauses:
            yield from _uses(clause, inner, gathering)
        return
    for child in root.children():
        yield from _uses(child, inner, gathering)


def _root(call: s.Call) -> s.Expr:
    """What a call of a call, of a member, … applies in the end."""
    found: s.Expr = call
    while True:
        if isinstance(found, s.Call):
            found = found.callee
        elif isinstance(found, s.Group):
            found = found.inner
        elif isinstance(found, s.Item):
            found = found.base
        else:
            return found
