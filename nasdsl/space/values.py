"""Values known while a space is worked out, and the names in scope."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from nasdsl.diagnostics import Diagnostic, Note, Span
from nasdsl.language import syntax as s

MAX_MEMBERS = 100_000
MAX_BITS = 256


@dataclass(frozen=True, slots=True)
class Label:
    """An alternative used as a value (``o[j] in Op``)."""

    choice: str
    alternative: str

    def __str__(self) -> str:
        return self.alternative


@dataclass(frozen=True, slots=True)
class Closure:
    """A module handed to a template: an expression with the names it reads."""

    expr: s.Expr
    scope: Scope


@dataclass(frozen=True, slots=True)
class Family:
    """An indexed name: one value for each index."""

    name: str
    members: tuple[tuple[Any, Any], ...]

    def get(self, index: Any) -> Any:
        """The member at an index; raises ``KeyError``."""
        return dict(self.members)[index]


class Pending:
    """A value that is decided late: where the network first needs it.

    ``label`` is its name in paths, ``owner`` the number of its declaration; its values are
    worked out in ``scope``. Equality is identity.
    """

    __slots__ = ("binding", "label", "owner", "scope")

    def __init__(self, owner: int, label: str, binding: s.Binding, scope: Scope):
        self.owner = owner
        self.label = label
        self.binding = binding
        self.scope = scope


class Deferred:
    """A value that depends on late ones: an expression, worked out where it is needed."""

    __slots__ = ("expr", "scope")

    def __init__(self, expr: s.Expr, scope: Scope):
        self.expr = expr
        self.scope = scope


class Undecided(Exception):
    """A late value is needed that is not decided yet."""

    def __init__(self, pending: Pending):
        super().__init__(pending.label)
        self.pending = pending


class Scope:
    """Names and their values: decided at the top, and local to a template.

    ``levels`` counts how deep a recursive choice is in itself. Scopes are immutable.
    """

    __slots__ = ("_hash", "cin", "decided", "levels", "local")

    def __init__(
        self,
        decided: Mapping[str, Any] | None = None,
        local: Mapping[str, Any] | None = None,
        levels: Mapping[str, int] | None = None,
        cin: int | None = None,
    ):
        self.decided = dict(decided or {})
        self.local = dict(local or {})
        self.levels = dict(levels or {})
        self.cin = cin
        self._hash: int | None = None

    def bind(self, **values: Any) -> Scope:
        """A scope with further local names."""
        return Scope(self.decided, {**self.local, **values}, self.levels, self.cin)

    def fresh(self, values: Mapping[str, Any]) -> Scope:
        """The scope inside a template: its parameters alone."""
        return Scope(self.decided, values, self.levels)

    def entered(self, choice: str) -> Scope:
        """One level deeper in a recursive choice."""
        levels = {**self.levels, choice: self.levels.get(choice, 0) + 1}
        return Scope(self.decided, self.local, levels, self.cin)

    def with_cin(self, cin: int | None) -> Scope:
        """The scope where ``cin`` channels come in."""
        if cin == self.cin:
            return self
        return Scope(self.decided, self.local, self.levels, cin)

    def get(self, name: str) -> Any:
        """The value of a name; raises ``KeyError``."""
        if name in self.local:
            return self.local[name]
        return self.decided[name]

    def __contains__(self, name: str) -> bool:
        return name in self.local or name in self.decided

    def _fields(self) -> tuple[Any, ...]:
        # True is no 1, though Python has them equal.
        kinds = [type(v) is bool for v in (*self.local.values(), *self.decided.values())]
        return (self.decided, self.local, self.levels, self.cin, kinds)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Scope) and self._fields() == other._fields()

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash(
                (
                    tuple(sorted(self.local)),
                    tuple(v for _, v in sorted(self.local.items())),
                    tuple([(name, self.decided[name]) for name in sorted(self.decided)]),
                    tuple(sorted(self.levels.items())),
                    self.cin,
                )
            )
        return self._hash


class EvaluationError(Exception):
    """A value could not be worked out; carries the diagnostic."""

    def __init__(self, code: str, message: str, span: Span, *notes: Note):
        super().__init__(message)
        self.diagnostic = Diagnostic(code, message, span, notes=tuple(notes))


def kind_of(value: Any) -> str:
    """The kind of a value, with its article."""
    if isinstance(value, bool):
        return "a truth value"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a text"
    if isinstance(value, tuple | range):
        return "a set"
    if isinstance(value, Label):
        return "an alternative"
    if isinstance(value, Closure):
        return "a module"
    if isinstance(value, Family):
        return "an indexed name"
    return "a tensor"


def shown(value: Any) -> str:
    """A value as it would be written."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple | range):
        if isinstance(value, range) and len(value) > 6:
            return f"{value[0]}..{value[-1]}"
        return "{" + ", ".join(shown(v) for v in value) + "}"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Closure):
        return " ".join(value.expr.span.text.split())
    return str(value)


def subscript(index: Any) -> str:
    """An index as it stands between brackets."""
    return ",".join(map(shown, index)) if isinstance(index, tuple) else shown(index)


def number(value: Any, span: Span, what: str = "this") -> int | float:
    """The value as a number, or an :class:`EvaluationError`."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        message = f"{what} must be a number, found {kind_of(value)}"
        raise EvaluationError("NAS201", message, span)
    return value


def whole(value: Any, span: Span, what: str = "this") -> int:
    """The value as a whole number, or an :class:`EvaluationError`."""
    found = number(value, span, what)
    if isinstance(found, float):
        if not found.is_integer():
            message = f"{what} must be a whole number, found {shown(found)}"
            raise EvaluationError("NAS202", message, span)
        found = int(found)
    return found


def truth(value: Any, span: Span, what: str = "a condition") -> bool:
    """The value as true or false, or an :class:`EvaluationError`."""
    if not isinstance(value, bool):
        raise EvaluationError(
            "NAS203", f"{what} must be true or false, found {kind_of(value)}", span
        )
    return value


def members(value: Any, span: Span, what: str = "this") -> tuple[Any, ...]:
    """The members of a set or range in order, or an :class:`EvaluationError`."""
    if not isinstance(value, tuple | range):
        message = f"{what} must be a set or range, found {kind_of(value)}"
        raise EvaluationError("NAS204", message, span)
    if len(value) > MAX_MEMBERS:
        message = f"{what} has {len(value):,} members; at most {MAX_MEMBERS:,} are allowed"
        raise EvaluationError("NAS205", message, span)
    return tuple(value)


def arithmetic(operator: str, a: Any, b: Any, span: Span) -> int | float:
    """``a operator b`` for numbers, bounded in size."""
    x, y = number(a, span, "the left side"), number(b, span, "the right side")
    try:
        result: int | float
        if operator == "+":
            result = x + y
        elif operator == "-":
            result = x - y
        elif operator == "*":
            result = x * y
        elif operator == "/":
            result = x / y
            if isinstance(x, int) and isinstance(y, int) and x % y == 0:
                result = x // y
        elif operator == "//":
            result = x // y
        elif operator == "%":
            result = x % y
        else:
            if abs(y) > MAX_BITS or (abs(x) > 1 and y > 0 and math.log2(abs(x)) * y > MAX_BITS):
                raise OverflowError
            power = x**y
            if isinstance(power, complex):
                raise ValueError
            result = power
    except ZeroDivisionError:
        raise EvaluationError("NAS206", f"this divides {shown(x)} by zero", span) from None
    except ValueError:
        raise EvaluationError("NAS207", "this power is not a real number", span) from None
    except OverflowError:
        raise _too_large(span) from None
    if isinstance(result, int) and result.bit_length() > MAX_BITS:
        raise _too_large(span)
    if isinstance(result, float) and not math.isfinite(result):
        raise _too_large(span)
    return result


def _too_large(span: Span) -> EvaluationError:
    message = f"this number is too large; numbers stay below 2^{MAX_BITS}"
    return EvaluationError("NAS208", message, span)


def distinct(values: Iterable[Any]) -> tuple[Any, ...]:
    """Values in their order, each once; 1 and true are two."""
    return tuple({(type(v) is bool, v): v for v in values}.values())


def same(a: Any, b: Any) -> bool:
    """Equality of values: 1 and true differ, 1 and 1.0 do not."""
    if isinstance(a, bool) != isinstance(b, bool):
        return False
    if isinstance(a, tuple | range) and isinstance(b, tuple | range):
        return set(a) == set(b)
    if isinstance(a, Label) and isinstance(b, str):
        return a.alternative == b
    if isinstance(b, Label) and isinstance(a, str):
        return b.alternative == a
    return bool(a == b)


def related(operator: str, left: Any, right: Any, span: Span) -> bool:
    """Whether a comparison holds; raises :class:`EvaluationError`."""
    if operator == "==":
        return same(left, right)
    if operator == "!=":
        return not same(left, right)
    if operator in ("in", "not in"):
        found = any(same(left, m) for m in members(right, span, "what follows 'in'"))
        return found == (operator == "in")
    a, b = number(left, span, "the left side"), number(right, span, "the right side")
    return {"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[operator]
