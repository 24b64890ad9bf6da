"""What a text declares and nothing uses: told as warnings."""

from __future__ import annotations

from collections.abc import Iterator

from nasdsl.diagnostics import Diagnostic, Span
from nasdsl.language import syntax as s
from nasdsl.space.program import Program, Template, read_names


def unused(program: Program) -> list[Diagnostic]:
    """Parameters, nodes, templates and values that nothing uses."""
    found: list[Diagnostic] = []
    for template in program.templates.values():
        if isinstance(template, s.Cell):
            found += _nodes(template.graph)
        if not isinstance(template, s.OperationDeclaration):
            found += _parameters(template)
            found += _chosen(template, template.where, ())
    network = program.network
    if network is not None:
        if isinstance(network.body, s.Graph):
            found += _nodes(network.body)
        found += _chosen(network, network.where, _conditions(program))
        found += _declarations(program, network)
    return found


def _warning(code: str, message: str, span: Span) -> Diagnostic:
    return Diagnostic(code, message, span, "warning")


def _parameters(template: Template) -> Iterator[Diagnostic]:
    read: set[str] = set()
    for part in template.children():
        if not isinstance(part, s.Parameter):
            read |= read_names(part)
        elif part.default is not None:
            read |= read_names(part.default)
    for parameter in template.parameters:
        if parameter.name.text not in read:
            message = f"the parameter '{parameter.name}' of '{template.name}' is never used"
            yield _warning("NAS503", message, parameter.name.span)


def _conditions(program: Program) -> tuple[s.Expr, ...]:
    """Conditions that may read the values after the network's ``where``."""
    edits = program.neighborhood.edits if program.neighborhood else ()
    return (*(r.condition for r in program.requires), *(e.where for e in edits if e.where))


def _chosen(
    owner: s.Syntax, where: tuple[s.Binding, ...], others: tuple[s.Expr, ...]
) -> Iterator[Diagnostic]:
    """Values after a ``where`` that nothing reads: each of them multiplies the count for nothing."""
    read: set[str] = set()
    for part in (*owner.children(), *others):
        read |= read_names(part)
    for binding in where:
        if binding.name.text not in read:
            yield _warning("NAS502", f"'{binding.name}' is never used", binding.name.span)


def _nodes(graph: s.Graph) -> Iterator[Diagnostic]:
    read: set[str] = set()
    for part in (*(node.body for node in graph.nodes), *graph.outputs):
        read |= read_names(part)
    for node in graph.nodes:
        if node.name.text not in read and graph.outputs:
            yield _warning("NAS504", f"the node '{node.name}' is never used", node.name.span)


def _declarations(program: Program, network: s.NetworkBody) -> Iterator[Diagnostic]:
    reached: set[str] = set()
    todo = list(read_names(network))
    for require in program.requires:
        todo += read_names(require.condition)
    for port in (*program.input_ports, *program.output_ports):
        for dimension in port.dimensions:
            todo += read_names(dimension.size)
    while todo:
        name = todo.pop()
        if name not in reached:
            reached.add(name)
            todo += program.reads(name)
    for name, template in program.templates.items():
        if name not in reached:
            message = f"'{name}' is never used in the network"
            yield _warning("NAS501", message, template.name.span)
    for name, let in program.lets.items():
        if name not in reached:
            yield _warning("NAS502", f"'{name}' is never used", let.name.span)
