"""The whole program as one step: global choices, then the network with its cells."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

from nasdsl.diagnostics import Diagnostic, Note, order
from nasdsl.language import syntax as s
from nasdsl.operations.operation import Operation, TensorType
from nasdsl.space.bodies import graph_body
from nasdsl.space.cells import Mismatch, apart, decisions
from nasdsl.space.depth import DEEPEST, depth, make_room
from nasdsl.space.elaborate import Elaborator
from nasdsl.space.failures import failures
from nasdsl.space.limits import TooLarge, bounded
from nasdsl.space.program import Program
from nasdsl.space.residual import (
    POISON,
    CellDecisions,
    Fail,
    Known,
    Ret,
    Step,
    Then,
    Whole,
)
from nasdsl.space.values import EvaluationError, Scope, whole

DEPTH = 6_000
"""So deep may the work nest; what goes deeper is told as an error of the text."""


@dataclass(frozen=True)
class Elaborated:
    """A program worked out: its step, the types at its ends, and what is wrong."""

    step: Step | None
    inputs: tuple[TensorType, ...]
    output: TensorType | None
    problems: tuple[Diagnostic, ...]
    operations: Mapping[str, Operation]


def elaborate(program: Program, operations: Mapping[str, Operation] | None = None) -> Elaborated:
    """Work out a program. Never raises for a mistake in the text."""
    elaborator = Elaborator(program, operations)
    problems: list[Diagnostic] = []
    inputs: list[TensorType] = []
    outputs: list[TensorType] = []
    for ports, found in ((program.input_ports, inputs), (program.output_ports, outputs)):
        for port in ports:
            try:
                found.append(_type(elaborator, port))
            except EvaluationError as error:
                problems.append(error.diagnostic)
    ready = program.network is not None and inputs and outputs and not problems
    if not ready:
        named = tuple(p for p in problems if p.code)
        end = outputs[0] if outputs else None
        return Elaborated(None, tuple(inputs), end, named, elaborator.operations)
    try:
        with _deep():
            step = _Root(elaborator, tuple(inputs), outputs[0]).step()
            uneven = elaborator.templates.uneven()
            if uneven and not step.broken:
                # Whether such uses stand in one network is looked up only where there are some.
                again = Elaborator(program, operations, uneven)
                agreed = _Root(again, tuple(inputs), outputs[0]).step()
                if agreed.broken:
                    elaborator, step = again, agreed
    except TooLarge as error:
        notes = _combined(elaborator) if error.diagnostic.code == "NAS301" else ()
        told = (*problems, replace(error.diagnostic, notes=notes))
        return Elaborated(None, tuple(inputs), outputs[0], told, elaborator.operations)
    except RecursionError:
        assert program.network is not None
        message = (
            "this network is nested too deep, or depends on too many choices one inside another"
        )
        deep = Diagnostic("NAS005", message, program.network.span)
        told = (*problems, deep)
        return Elaborated(None, tuple(inputs), outputs[0], told, elaborator.operations)
    levels = depth(step)
    if levels > DEEPEST:
        assert program.network is not None
        message = (
            f"the space is undecided: {levels:,} steps follow one another here, and at most "
            f"{DEEPEST:,} are worked out"
        )
        long = Diagnostic("NAS301", message, program.network.span)
        told = (*problems, long)
        return Elaborated(None, tuple(inputs), outputs[0], told, elaborator.operations)
    make_room(levels)
    if step.broken:
        problems += failures(step)
    named = tuple(order(p for p in problems if p.code))
    return Elaborated(step, tuple(inputs), outputs[0], named, elaborator.operations)


def _combined(elaborator: Elaborator) -> tuple[Note, ...]:
    """Cells that are worked out under every combination of choices that stand outside them."""
    return tuple(
        Note(
            f"the cell '{cell}' is worked out under every combination of "
            f"{', '.join(sorted(names))}; a 'let' inside its braces is decided with the cell"
        )
        for cell, names in elaborator.late.read_by.items()
    )


@contextmanager
def _deep() -> Iterator[None]:
    """Room for choices inside choices; calls between Python functions need no C stack."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, DEPTH))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def _type(elaborator: Elaborator, port: s.Port) -> TensorType:
    sizes = []
    for dimension in port.dimensions:
        size = whole(elaborator.value(dimension.size, Scope()), dimension.span, "a dimension")
        if not 1 <= size < 2**31:
            raise EvaluationError(
                "NAS232", f"a dimension is at least 1 and below 2^31, found {size}", dimension.span
            )
        sizes.append(size)
    if len(sizes) > 3:
        raise EvaluationError(
            "NAS233", f"a tensor has one to three dimensions, found {len(sizes)}", port.span
        )
    return TensorType(tuple(sizes), _numbers(port))


def _numbers(port: s.Port) -> Literal["float", "int"]:
    """What a declared tensor holds."""
    if port.kind is None or port.kind.text == "float":
        return "float"
    if port.kind.text == "int" and port.direction == "input":
        return "int"
    wanted = (
        "an input holds 'float' or 'int'"
        if port.direction == "input"
        else "an output holds 'float'"
    )
    raise EvaluationError("NAS235", f"{wanted} numbers, found '{port.kind.text}'", port.kind.span)


class _Root:
    def __init__(self, elaborator: Elaborator, inputs: tuple[TensorType, ...], output: TensorType):
        self.elaborator = elaborator
        self.program = elaborator.program
        self.inputs = inputs
        self.output = output
        self.lets = self.program.choices_of_space()

    def step(self) -> Step:
        """The choices of the whole space in order of the text, then the network."""
        return self._global({})

    def _global(self, decided: dict[str, Any]) -> Step:
        bindings = [let.binding for let in self.lets]
        if bindings and self.elaborator.late.many(bindings, Scope()):
            late = self.elaborator.late
            step = late.declared(
                bindings, Scope(), frozenset(), lambda env, _: self._network(env, True), True
            )
            return self._whole(step)
        return self._eager(0, decided)

    def _eager(self, at: int, decided: dict[str, Any]) -> Step:
        if at == len(self.lets):
            return self._network(Scope(decided), False)
        binding = self.lets[at].binding
        name = binding.name.text

        def after(value: Any) -> Step:
            return self._eager(at + 1, {**decided, name: value})

        try:
            return self.elaborator.chosen(binding, Scope(decided), after)
        except EvaluationError as error:
            return self._broken(error.diagnostic)

    def _broken(self, diagnostic: Diagnostic) -> Step:
        return Whole(Fail(diagnostic, frozenset()), ())

    def _network(self, scope: Scope, open_end: bool) -> Step:
        """The network; with an open end, something around it still has to be decided."""
        network = self.program.network
        assert network is not None
        late = bool(network.where) and self.elaborator.late.many(network.where, scope)

        def body(env: Scope, known: Known) -> Step:
            if isinstance(network.body, s.Graph):
                graph = network.body
                made = graph_body(self.elaborator, graph, env, self.inputs, known, graph)
            else:
                made = self.elaborator.apply(network.body, env, self.inputs, known)
            checked = self._checked(made)
            return checked if open_end or late else self._whole(checked)

        known = self.elaborator.late.known
        step = self.elaborator.bindings(network.where, scope, known, body)
        return self._whole(step) if late and not open_end else step

    def _checked(self, made: Step) -> Step:
        """The network with its output held against the declared one."""
        port = self.program.output_ports[0]
        wrong = [k for k in made.outcomes if k[0] not in (POISON, self.output)]
        if not wrong:
            return made
        network = self.program.network
        assert network is not None
        end: s.Syntax = network.body
        if isinstance(end, s.Graph):
            end = end.outputs[0]
        elif isinstance(end, s.Chain):
            end = end.parts[-1]
        rest: dict[Any, Step] = {}
        for key in made.outcomes:
            if key in wrong:
                diagnostic = Diagnostic(
                    "NAS307",
                    f"the network ends in {key[0]}, and the declared output is "
                    f"{port.name}{self.output}",
                    end.span,
                    notes=(Note("the output is declared here", port.span),),
                )
                rest[key] = Fail(diagnostic, key[1])
            else:
                rest[key] = Ret(0, key)
        return Then(made, rest, keep=False)

    def _whole(self, body: Step) -> Step:
        assert self.program.network is not None
        bounded(body, self.program.network)
        cells: list[CellDecisions] = []
        for name, bodies in self.elaborator.templates.observed.items():
            sets = _used(name, body)
            met = frozenset().union(*sets)
            mine = {sig: step for sig, step in bodies.items() if sig in met}
            if not mine:
                continue
            try:
                cells += decisions(name, mine, sets)
            except Mismatch:
                if any(step.broken for step in mine.values()):
                    cells += apart(name, mine)
                    continue
                cell = self.program.templates[name]
                return self._broken(
                    Diagnostic(
                        "NAS308",
                        f"the uses of the cell '{name}' differ in what there is to decide; "
                        "a cell is one design, so its arguments must not change its places",
                        cell.name.span,
                        notes=(Note("make it a block where each use is to decide for itself"),),
                    )
                )
        declared = list(self.program.templates)
        cells.sort(key=lambda c: declared.index(c.name))
        return Whole(body, cells)


def _used(cell: str, body: Step) -> list[frozenset[Any]]:
    """The sets of signatures with which single architectures use a cell.

    An architecture that goes wrong is not followed to its end, so what it shows counts only
    where no other uses the cell so.
    """
    whole: dict[frozenset[Any], None] = {}
    broken: dict[frozenset[Any], None] = {}
    for type_, known in body.outcomes:
        used = frozenset(sig for c, sig, _ in known if c == cell)
        if used:
            (broken if type_ == POISON else whole)[used] = None
    return [*whole, *(b for b in broken if not any(b <= w for w in whole))]
