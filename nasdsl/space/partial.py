"""What is left of conditions when only some of the values that they read are decided.

The output of a NASNet cell joins the nodes that no other node reads. Which those are depends on
every node's inputs, but of the inputs chosen so far only the set of nodes that they read matters.
Two ways to decide that leave the same of everything read later are one state.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from nasdsl.language import syntax as s
from nasdsl.space.late import LATE, PAST, LateValues
from nasdsl.space.program import COMBINING
from nasdsl.space.residual import Known
from nasdsl.space.values import EvaluationError, Pending, Scope, Undecided, members, same

Read = tuple[s.Expr, Scope]


def conditional(expressions: Iterable[s.Expr]) -> bool:
    """Whether any of them decides by a condition what it reads."""
    return any(
        isinstance(part, s.Conditional) or (isinstance(part, s.Clause) and part.condition)
        for expr in expressions
        for part in expr.walk()
    )


class Left:
    """What matters, of values that are decided late, to expressions that are read later."""

    def __init__(self, late: LateValues):
        self.late = late
        self.values: set[Pending] = set()
        self.conditions: list[Any] = []

    def state(self, known: Known, later: Sequence[Read]) -> tuple[Known, tuple[Any, ...]]:
        """What is known without the values that only conditions read, and what is left of these."""
        self.values |= self.late.needed
        with self.late.at(known, self.late.needed):
            for expr, scope in later:
                self._read(expr, scope)
        kept = frozenset(
            (LATE, o[1], None)
            if o[0] == LATE and o[2] is not PAST and o[1] not in self.values
            else o
            for o in known
        )
        return kept, tuple(self.conditions)

    # ---- what is read

    def _read(self, expr: s.Syntax, scope: Scope) -> None:
        if isinstance(expr, s.Argument) and expr.clauses:
            for inner in self._each(expr, expr.clauses, scope):
                self._read(expr.value, inner)
        elif isinstance(expr, s.Conditional):
            found = self._left(expr.condition, scope)
            self.conditions.append(found)
            for value, side in ((True, expr.then), (False, expr.other)):
                if found is value or not isinstance(found, bool):
                    self._read(side, scope)
        elif isinstance(expr, s.Group | s.Terms | s.Chain | s.Argument):
            for child in expr.children():
                self._read(child, scope)
        elif isinstance(expr, s.Call) and self._applies(expr.callee, scope):
            if not isinstance(expr.callee, s.Ref):
                self.values |= self.late.reads(expr.callee, scope)
            for argument in expr.arguments:
                self._read(argument, scope)
        else:
            self.values |= self.late.reads(expr, scope)

    @staticmethod
    def _applies(callee: s.Expr, scope: Scope) -> bool:
        """Whether the arguments are tensors: of an operation that joins them, or of a module."""
        if isinstance(callee, s.Ref):
            return callee.name in COMBINING and callee.name not in scope
        return isinstance(callee, s.Group | s.Call)

    def _each(self, expr: s.Syntax, clauses: tuple[s.Clause, ...], scope: Scope) -> Iterator[Scope]:
        if not clauses:
            yield scope
            return
        head = clauses[0]
        if isinstance(head.source, s.Pick | s.Some):
            self.values |= self.late.reads(expr, scope)
            return
        try:
            run = members(self.late.elaborator.value(head.source, scope), head.source.span)
        except (EvaluationError, Undecided):
            self.values |= self.late.reads(expr, scope)
            return
        for value in run:
            inner = scope.bind(**{head.variable.text: value})
            found = True if head.condition is None else self._left(head.condition, inner)
            self.conditions.append(found)
            if found is not False:
                yield from self._each(expr, clauses[1:], inner)

    # ---- what is left

    def _left(self, expr: s.Expr, scope: Scope) -> Any:
        """The value of a condition, or what of it is still to be decided."""
        try:
            return self.late.elaborator.value(expr, scope)
        except EvaluationError:
            return self._leaf(expr, scope)
        except Undecided:
            pass
        if isinstance(expr, s.Group):
            return self._left(expr.inner, scope)
        if isinstance(expr, s.Unary) and expr.operator == "not":
            found = self._left(expr.operand, scope)
            return not found if isinstance(found, bool) else ("not", found)
        if isinstance(expr, s.Binary) and expr.operator in ("and", "or"):
            both = ((expr.left, scope), (expr.right, scope))
            return self._together(expr.operator == "or", both)
        if isinstance(expr, s.Call) and isinstance(expr.callee, s.Ref):
            every = self._all_or_any(expr, expr.callee.name, scope)
            if every is not None:
                return self._together(expr.callee.name == "any", every)
        if isinstance(expr, s.Compare) and expr.operators in (("in",), ("not in",)):
            return self._member(expr, scope)
        return self._leaf(expr, scope)

    def _all_or_any(self, call: s.Call, name: str, scope: Scope) -> list[Read] | None:
        if name not in ("all", "any") or name in scope or len(call.arguments) != 1:
            return None
        argument = call.arguments[0]
        return self._items(argument.value, argument.clauses, scope) if argument.clauses else None

    def _items(
        self, item: s.Expr, clauses: tuple[s.Clause, ...], scope: Scope
    ) -> list[Read] | None:
        try:
            return [(item, inner) for inner in self.late.elaborator.each(clauses, scope)]
        except (EvaluationError, Undecided):
            return None

    def _together(self, decisive: bool, parts: Iterable[Read]) -> Any:
        """Conditions of which one that is ``decisive`` decides."""
        found = [self._left(expr, scope) for expr, scope in parts]
        if any(one is decisive for one in found):
            return decisive
        left = tuple(one for one in found if not isinstance(one, bool))
        return (decisive, *left) if left else not decisive

    def _member(self, expr: s.Compare, scope: Scope) -> Any:
        left, right = expr.operands
        items: list[Read] | None = None
        if isinstance(right, s.SetOf):
            items = [(item, scope) for item in right.items if not isinstance(item, s.Range)]
            if len(items) < len(right.items):
                items = None
        elif isinstance(right, s.Collection):
            items = self._items(right.item, right.clauses, scope)
        if items is None:
            return self._leaf(expr, scope)
        value = self.late.elaborator.value
        waiting = []
        for item, inner in items:
            try:
                if same(value(left, scope), value(item, inner)):
                    return expr.operators == ("in",)
            except (EvaluationError, Undecided):
                waiting.append((self._leaf(left, scope), self._leaf(item, inner)))
        return (expr.operators, *waiting)

    def _leaf(self, expr: s.Expr, scope: Scope) -> Any:
        reads = self.late.reads(expr, scope)
        decided = frozenset((o[1], o[2]) for o in self.late.known if o[0] == LATE and o[1] in reads)
        return id(expr), scope, decided
