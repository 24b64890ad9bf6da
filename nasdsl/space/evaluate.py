"""Values of expressions: numbers, sets, truth, labels, modules. No decision is taken here."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from nasdsl.diagnostics import Note, suggestion
from nasdsl.language import syntax as s
from nasdsl.operations.table import OPERATIONS
from nasdsl.space.functions import FUNCTIONS, computed
from nasdsl.space.program import SPECIAL, Program
from nasdsl.space.values import (
    MAX_MEMBERS,
    Closure,
    EvaluationError,
    Family,
    Label,
    Pending,
    Scope,
    arithmetic,
    distinct,
    kind_of,
    members,
    number,
    related,
    subscript,
    truth,
    whole,
)

MAX_CALLS = 60
"""A function may be so deep in itself."""
MAX_WORK = 500_000
"""So many items of comprehensions and calls of functions are worked out."""


class Evaluator:
    """Evaluates expressions of one program."""

    def __init__(self, program: Program):
        self.program = program
        self._calls = 0
        self.work = 0
        self._running: list[str] = []

    # ---- values

    def value(self, expr: s.Expr, scope: Scope) -> Any:
        """The value of an expression; raises :class:`EvaluationError`."""
        method = getattr(self, f"_{type(expr).__name__.lower()}", None)
        if method is None:
            raise EvaluationError("NAS209", "expected a value, as a number, set or text", expr.span)
        return method(expr, scope)

    def _number(self, e: s.Number, scope: Scope) -> Any:
        return e.value

    def _text(self, e: s.Text, scope: Scope) -> Any:
        return e.value

    def _truth(self, e: s.Truth, scope: Scope) -> Any:
        return e.value

    def _group(self, e: s.Group, scope: Scope) -> Any:
        return self.value(e.inner, scope)

    def _ref(self, e: s.Ref, scope: Scope) -> Any:
        if id(e) in self.program.bad:
            raise EvaluationError("", "", e.span)
        if e.name in scope:
            return self.settled(scope.get(e.name))
        if e.name == "cin":
            if scope.cin is None:
                raise EvaluationError(
                    "NAS210",
                    "'cin' is known only where a module is applied to an input",
                    e.span,
                )
            if scope.cin < 0:  # those of a module that could not be worked out
                raise EvaluationError("", "", e.span)
            return scope.cin
        let = self.program.lets.get(e.name)
        if let is not None:
            return self.constant(let, scope, e)
        if self.is_module(e, scope):
            return self.closure(e, scope)
        known = [*scope.local, *scope.decided, *self.program.names()]
        raise EvaluationError(
            "NAS101", f"unknown name '{e.name}'{suggestion(e.name, known)}", e.span
        )

    def settled(self, value: Any) -> Any:
        """A value in scope; late ones are known only while a space is worked out."""
        return value

    def constant(self, let: s.Let, scope: Scope, at: s.Expr) -> Any:
        """The value of a ``let`` that is no choice."""
        if let.parameters is not None:
            raise EvaluationError(
                "NAS211", f"'{let.name}' is a function; write {let.name}(…)", at.span
            )
        if let.binding.decides:
            raise EvaluationError(
                "NAS212",
                f"'{let.name}' is chosen for the whole space and is not known here",
                at.span,
            )
        if let.name.text in self._running:
            raise EvaluationError("NAS106", f"'{let.name}' is defined by itself", let.name.span)
        self._running.append(let.name.text)
        try:
            outer = Scope(scope.decided)
            if let.binding.indices:
                return self.family(let.binding, outer)
            return self.value(let.binding.source, outer)
        except RecursionError:
            message = f"'{let.name}' is nested too deep in other values"
            raise EvaluationError("NAS106", message, let.name.span) from None
        finally:
            self._running.pop()

    def family(self, binding: s.Binding, scope: Scope) -> Family:
        """The values of an indexed name that is no choice."""
        found = []
        for index, inner in self.indexed(binding.indices, scope):
            found.append((index, self.value(binding.source, inner)))
        return Family(binding.name.text, tuple(found))

    def indexed(
        self, indices: tuple[s.IndexVariable, ...], scope: Scope
    ) -> Iterator[tuple[Any, Scope]]:
        """Each index (a number, or a tuple for several variables) with its scope."""

        def go(at: int, sofar: tuple[Any, ...], inner: Scope) -> Iterator[tuple[Any, Scope]]:
            if at == len(indices):
                yield (sofar[0] if len(sofar) == 1 else sofar), inner
                return
            variable = indices[at]
            for v in members(self.value(variable.source, inner), variable.source.span):
                self.spend(variable)
                yield from go(at + 1, (*sofar, v), inner.bind(**{variable.name.text: v}))

        yield from go(0, (), scope)

    def _setof(self, e: s.SetOf, scope: Scope) -> Any:
        found: list[Any] = []
        for item in e.items:
            value = self.value(item, scope)
            spread = isinstance(item, s.Range)
            found.extend(members(value, item.span) if spread else [value])
        return distinct(found)

    def _collection(self, e: s.Collection, scope: Scope) -> Any:
        return distinct(self.value(e.item, x) for x in self.each(e.clauses, scope))

    def each(self, clauses: tuple[s.Clause, ...], scope: Scope) -> Iterator[Scope]:
        """The scopes over which a comprehension runs."""
        if not clauses:
            yield scope
            return
        head = clauses[0]
        if isinstance(head.source, s.Pick | s.Some):
            raise EvaluationError(
                "NAS213", "a choice stands here, where only values are allowed", head.source.span
            )
        for value in members(self.value(head.source, scope), head.source.span):
            self.spend(head)
            inner = scope.bind(**{head.variable.text: value})
            if head.condition is None or truth(
                self.value(head.condition, inner), head.condition.span
            ):
                yield from self.each(clauses[1:], inner)

    def spend(self, at: s.Syntax) -> None:
        """Count one item or call; raises :class:`EvaluationError` where they are too many."""
        self.work += 1
        if self.work > MAX_WORK:
            message = f"working this out takes more than {MAX_WORK:,} items and calls"
            raise EvaluationError("NAS205", message, at.span)

    def _range(self, e: s.Range, scope: Scope) -> Any:
        low = number(self.value(e.low, scope), e.low.span, "the start of a range")
        high = number(self.value(e.high, scope), e.high.span, "the end of a range")
        step = 1 if e.step is None else number(self.value(e.step, scope), e.step.span, "a step")
        if step == 0:
            assert e.step is not None
            raise EvaluationError("NAS214", "the step of a range must not be 0", e.step.span)
        if all(isinstance(x, int) or x.is_integer() for x in (low, high, step)):
            found = range(int(low), int(high) + (1 if step > 0 else -1), int(step))
            if max(abs(found.start), abs(found.stop)) > 2**62 or len(found) > MAX_MEMBERS:
                count = (int(high) - int(low)) // int(step) + 1
                message = f"this range has {count:,} members; at most {MAX_MEMBERS:,} are allowed"
                raise EvaluationError("NAS205", message, e.span)
            return found
        most = (high - low) / step + 1e-9
        many = max(0, math.floor(most) + 1) if most < MAX_MEMBERS else MAX_MEMBERS + 1
        if many > MAX_MEMBERS:
            message = f"this range has more than the {MAX_MEMBERS:,} members that are allowed"
            raise EvaluationError("NAS205", message, e.span)
        return tuple(round(low + i * step, 12) for i in range(many))

    def _unary(self, e: s.Unary, scope: Scope) -> Any:
        value = self.value(e.operand, scope)
        if e.operator == "not":
            return not truth(value, e.operand.span)
        return -number(value, e.operand.span)

    def _binary(self, e: s.Binary, scope: Scope) -> Any:
        if e.operator in ("and", "or"):
            left = truth(self.value(e.left, scope), e.left.span)
            if left == (e.operator == "or"):
                return left
            return truth(self.value(e.right, scope), e.right.span)
        if self.is_module(e, scope):
            return self.closure(e, scope)
        return arithmetic(e.operator, self.value(e.left, scope), self.value(e.right, scope), e.span)

    def _terms(self, e: s.Terms, scope: Scope) -> Any:
        if self.is_module(e, scope):
            return self.closure(e, scope)
        left = self.value(e.operands[0], scope)
        for operator, operand in zip(e.operators, e.operands[1:], strict=True):
            if operator == "++":
                raise EvaluationError(
                    "NAS215", "'++' joins modules on channels; these are values", e.span
                )
            left = arithmetic(operator, left, self.value(operand, scope), e.span)
        return left

    def _chain(self, e: s.Chain, scope: Scope) -> Any:
        return self.closure(e, scope)

    def _conditional(self, e: s.Conditional, scope: Scope) -> Any:
        return self.value(self.taken(e, scope), scope)

    def taken(self, e: s.Conditional, scope: Scope) -> s.Expr:
        """The side of an ``if`` that its condition selects."""
        condition = truth(self.value(e.condition, scope), e.condition.span, "the condition")
        return e.then if condition else e.other

    def _compare(self, e: s.Compare, scope: Scope) -> Any:
        left = self.value(e.operands[0], scope)
        for operator, operand in zip(e.operators, e.operands[1:], strict=True):
            if (
                operator in ("in", "not in")
                and isinstance(operand, s.Range)
                and operand.step is None
                and not isinstance(left, Label | str)
            ):
                # A range after 'in' is an interval: it may be wider than any set.
                low = number(
                    self.value(operand.low, scope), operand.low.span, "the start of a range"
                )
                high = number(
                    self.value(operand.high, scope), operand.high.span, "the end of a range"
                )
                inside = low <= number(left, e.operands[0].span, "the left side") <= high
                if inside != (operator == "in"):
                    return False
                continue
            right = self.value(operand, scope)
            if not related(operator, left, right, e.span):
                return False
            left = right
        return True

    def _place(self, e: s.Place, scope: Scope) -> Any:
        return tuple(self.value(part, scope) for part in e.parts)

    def _item(self, e: s.Item, scope: Scope) -> Any:
        base = self.value(e.base, scope)
        index = self.value(e.index, scope)
        if isinstance(base, Family):
            try:
                return self.settled(base.get(tuple(index) if isinstance(index, tuple) else index))
            except (KeyError, TypeError):
                known = ", ".join(f"[{subscript(k)}]" for k, _ in base.members[:8])
                more = ", …" if len(base.members) > 8 else ""
                raise EvaluationError(
                    "NAS216",
                    f"'{base.name}' has no member [{subscript(index)}]"
                    + (f"; it has {known}{more}" if known else " here"),
                    e.span,
                ) from None
        if isinstance(base, tuple | range):
            at = whole(index, e.index.span, "an index")
            if not 0 <= at < len(base):
                message = f"index {at} is outside this set of {len(base)} (counted from 0)"
                once = Note("equal members of a set count once")
                raise EvaluationError("NAS216", message, e.span, once)
            return base[at]
        raise EvaluationError("NAS217", f"{kind_of(base)} has no index", e.span)

    def _member(self, e: s.Member, scope: Scope) -> Any:
        raise EvaluationError(
            "NAS209",
            f"'{e.span.text}' names a decision or an alternative, and is no value here",
            e.span,
        )

    def _call(self, e: s.Call, scope: Scope) -> Any:
        if id(e) in self.program.bad:
            raise EvaluationError("", "", e.span)
        if isinstance(e.callee, s.Ref) and e.callee.name not in scope:
            let = self.program.lets.get(e.callee.name)
            if let is not None and let.parameters is not None:
                return self.function(let, e, scope)
            if e.callee.name in FUNCTIONS and not self.is_module(e, scope):
                return self.builtin(e.callee.name, e, scope)
        if self.is_module(e, scope):
            return self.closure(e, scope)
        what = kind_of(self.value(e.callee, scope))
        raise EvaluationError("NAS218", f"{what} takes no arguments", e.span)

    def function(self, let: s.Let, call: s.Call, scope: Scope) -> Any:
        """The value of ``let f(x) = …`` for one call."""
        assert let.parameters is not None
        arguments = self.arguments(call, let.parameters, let.name.text, scope)
        if self._calls >= MAX_CALLS:
            raise EvaluationError("NAS106", f"'{let.name}' calls itself without end", call.span)
        self.spend(call)
        self._calls += 1
        try:
            return self.value(let.binding.source, scope.fresh(arguments))
        except RecursionError:
            raise EvaluationError("NAS106", f"'{let.name}' is nested too deep", call.span) from None
        finally:
            self._calls -= 1

    def arguments(
        self,
        call: s.Call | s.Ref,
        parameters: tuple[s.Parameter, ...],
        name: str,
        scope: Scope,
    ) -> dict[str, Any]:
        """The values of a template's parameters for one use."""
        given = call.arguments if isinstance(call, s.Call) else ()
        values: dict[str, Any] = {}
        names = [p.name.text for p in parameters]
        position = 0
        for argument in given:
            if argument.clauses:
                raise EvaluationError(
                    "NAS219", f"'{name}' takes no 'for'; only sums and the like do", argument.span
                )
            if argument.name is not None:
                key = argument.name.text
                if key not in names:
                    takes = f"; it takes {', '.join(names)}" if names else ""
                    hint = suggestion(key, names) or takes
                    raise EvaluationError(
                        "NAS104", f"'{name}' has no parameter '{key}'{hint}", argument.name.span
                    )
            elif position >= len(names):
                raise EvaluationError(
                    "NAS103",
                    f"'{name}' takes {_times(len(names), 'value')}, found {len(given)}",
                    argument.span,
                )
            else:
                key = names[position]
                position += 1
            if key in values:
                raise EvaluationError(
                    "NAS104", f"'{key}' of '{name}' is given twice", argument.span
                )
            values[key] = self.value(argument.value, scope)
        for parameter in parameters:
            key = parameter.name.text
            if key not in values:
                if parameter.default is None:
                    raise EvaluationError(
                        "NAS103", f"'{name}' needs a value for '{key}'", call.span
                    )
                values[key] = self.value(parameter.default, scope.fresh(values))
        return values

    def builtin(self, name: str, call: s.Call, scope: Scope) -> Any:
        """The value of ``min``, ``sum``, ``all`` and the like."""
        values: list[Any] = []
        spread = len(call.arguments) == 1 and not call.arguments[0].clauses
        for argument in call.arguments:
            for inner in self.each(argument.clauses, scope):
                value = self.value(argument.value, inner)
                if spread and isinstance(value, tuple | range):
                    values.extend(value)
                    spread = name == "size"
                else:
                    values.append(value)
        return computed(name, values, call.span)

    # ---- modules as values

    def closure(self, e: s.Expr, scope: Scope) -> Closure:
        """A module with the names it reads."""
        deep = self.program.deep(e)
        local = {n: v for n, v in scope.local.items() if n in e.refs}
        decided = {n: v for n, v in scope.decided.items() if n in deep}
        levels = {n: v for n, v in scope.levels.items() if n in deep}
        return Closure(e, Scope(decided, local, levels))

    def is_module(self, e: s.Expr, scope: Scope) -> bool:
        """Whether an expression denotes a module rather than a value."""
        while True:
            if isinstance(e, s.Group):
                e = e.inner
            elif isinstance(e, s.Chain):
                return True
            elif isinstance(e, s.Terms):
                e = e.operands[0]
            elif isinstance(e, s.Binary) and e.operator == "*":
                e = e.left
            elif isinstance(e, s.Conditional):
                return self.is_module(e.then, scope) or self.is_module(e.other, scope)
            elif isinstance(e, s.Call):
                if isinstance(e.callee, s.Ref) and e.callee.name in ("sum", "min", "max", "any"):
                    if e.callee.name != "sum" or not e.arguments:
                        return e.callee.name == "sum"
                    return self._module_argument(e.arguments[0], scope)
                e = e.callee
            elif isinstance(e, s.Item):
                return self._is_label_family(e, scope)
            elif isinstance(e, s.Ref):
                if e.name in scope:
                    return is_modular(scope.get(e.name))
                return (
                    e.name in self.program.templates
                    or e.name in SPECIAL
                    or (e.name in OPERATIONS and e.name not in self.program.lets)
                )
            else:
                return False

    def _module_argument(self, argument: s.Argument, scope: Scope) -> bool:
        inner = scope
        for clause in argument.clauses:
            if isinstance(clause.source, s.Pick | s.Some):
                return True
            try:
                first = next(iter(self.each((clause,), inner)), None)
            except EvaluationError:
                return False
            if first is None:
                inner = inner.bind(**{clause.variable.text: 0})
            else:
                inner = first
        return self.is_module(argument.value, inner)

    def _is_label_family(self, e: s.Item, scope: Scope) -> bool:
        if isinstance(e.base, s.Ref) and e.base.name in scope:
            base = scope.get(e.base.name)
            if isinstance(base, Family):
                return any(is_modular(v) for _, v in base.members)
        return False


def is_modular(value: Any) -> bool:
    """Whether a value is a module: one handed in, or an alternative chosen as a value."""
    if isinstance(value, Pending):
        source = value.binding.source
        return isinstance(source, s.Ref) and source.name not in value.scope
    if isinstance(value, Family):
        return False
    return isinstance(value, Closure | Label)


def _times(n: int, noun: str) -> str:
    return f"{n or 'no'} {noun}{'' if n == 1 else 's'}"
