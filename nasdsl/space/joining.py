"""Modules put together: one after another, or side by side on the same inputs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nasdsl.language import syntax as s
from nasdsl.operations.operation import Operation
from nasdsl.operations.table import OPERATIONS
from nasdsl.space.decisions import Decider
from nasdsl.space.declared import declared_operation
from nasdsl.space.emission import Types, emitted
from nasdsl.space.labels import program_labels
from nasdsl.space.late import LateValues
from nasdsl.space.program import Program
from nasdsl.space.residual import Known, On, Ret, Step, Then
from nasdsl.space.residual import Scope as Named
from nasdsl.space.values import EvaluationError, Pending, Scope


def named(label: str | None, step: Step) -> Step:
    """A step under a name, where it has one."""
    return Named(label, step) if label else step


class Joiner(Decider, ABC):
    """Joins modules, whatever these are; what a module is comes with :meth:`apply`."""

    def __init__(self, program: Program, operations: Mapping[str, Operation] | None = None):
        super().__init__(program)
        self.operations: Mapping[str, Operation] = {
            **(operations or OPERATIONS),
            **{
                name: declared_operation(template, self)
                for name, template in program.templates.items()
                if isinstance(template, s.OperationDeclaration)
            },
        }
        self.labels = program_labels(program)
        self.late = LateValues(self)

    @abstractmethod
    def apply(self, expr: s.Expr, scope: Scope, types: Types, known: Known) -> Step:
        """A module applied to inputs of these types. The frame is the inputs."""

    def settled(self, value: Any) -> Any:
        """A value in scope, late ones as they are decided."""
        return self.late.settled(value)

    def bindings(
        self,
        bindings: Sequence[s.Binding],
        scope: Scope,
        known: Known,
        body: Callable[[Scope, Known], Step],
    ) -> Step:
        """The bindings of a ``where`` in order, then the body under each combination."""
        if bindings and self.late.many(bindings, scope):
            return self.late.declared(bindings, scope, known, body)
        return self.eager(bindings, scope, known, body)

    def sequence(
        self,
        parts: Sequence[Callable[[Types, Known], Step]],
        types: Types,
        known: Known,
        reads: Sequence[frozenset[Pending]] | None = None,
    ) -> Step:
        """Modules one after another, states that agree merged between them.

        ``reads``: the late values that each part reads, where there are any.
        """
        if not parts:
            return Ret(0, (types[0], known))
        levels: list[dict[Any, Step]] = []
        states: dict[Any, tuple[Types, Known]] = {(types, known): (types, known)}
        for index, part in enumerate(parts):
            later_reads = reads[index + 1 :] if reads else ()
            with self.late.needing(*later_reads):
                level = {at: part(t, k) for at, (t, k) in states.items()}
            levels.append(level)
            states = {}
            for step in level.values():
                for out_type, out_known in step.outcomes:
                    after = ((out_type,), out_known)
                    states[after] = after
        later: dict[Any, Step] = levels[-1]
        for level in reversed(levels[:-1]):
            here: dict[Any, Step] = {}
            for at, step in level.items():
                rest = {key: later[(key[0],), key[1]] for key in step.outcomes}
                here[at] = Then(step, rest, keep=False)
            later = here
        return later[types, known]

    def fan(
        self,
        op: str,
        branches: Sequence[Callable[[Types, Known], Step]],
        types: Types,
        known: Known,
        at: s.Expr,
        label: str,
        places: Sequence[s.Expr],
        reads: Sequence[frozenset[Pending]] | None = None,
    ) -> Step:
        """Modules on the same inputs, their results combined; ``places`` are their texts."""
        n = len(types)
        inputs = tuple(range(n))

        def go(index: int, results: Types, k: Known) -> Step:
            if index == len(branches):
                operands = tuple(range(n, n + len(results)))
                try:
                    return emitted(self.operations[op], {}, results, k, at, label, operands, places)
                except EvaluationError as error:
                    return self.fail(error, k)
            with self.late.needing(*(reads[index + 1 :] if reads else ())):
                step = branches[index](types, k)
            if results:
                step = On(inputs, step)
            rest = {key: go(index + 1, (*results, key[0]), key[1]) for key in step.outcomes}
            return Then(step, rest, keep=True)

        if not branches:
            zeros = self.operations["zero"]
            return emitted(zeros, {}, types[:1], known, at, label, (0,))
        return go(0, (), known)

    def gathered(self, call: s.Expr, step: Step) -> Step:
        """A call's step under its name, where its body holds several comprehensions."""
        return named(self.labels.get(id(call)), step)
