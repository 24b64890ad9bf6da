"""Operations at one use: their settings as given there, their type and cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nasdsl.diagnostics import Note
from nasdsl.language import syntax as s
from nasdsl.operations.operation import Cost, Operation, Settings, ShapeError, TensorType
from nasdsl.operations.resolve import SettingError, resolve
from nasdsl.space.evaluate import Evaluator
from nasdsl.space.residual import POISON, Emit, Known, Step
from nasdsl.space.values import Closure, EvaluationError, Scope, shown

Types = tuple[TensorType, ...]


def emitted(
    operation: Operation,
    settings: Mapping[str, Any],
    types: Types,
    known: Known,
    at: s.Expr,
    label: str,
    inputs: tuple[int, ...],
    places: Sequence[s.Expr] = (),
) -> Step:
    """An operation on tensors of the frame, its type and cost worked out.

    ``places`` are the texts of its operands, where it joins several.
    """
    op = operation.name
    low, high = operation.arity
    if op == "add" and len(types) == 0:
        raise EvaluationError("NAS220", "the sum of nothing has no shape here", at.span)
    if len(types) < low or (high is not None and len(types) > high):
        wanted = (
            f"{low}" if high == low else f"at least {low}" if high is None else f"{low} to {high}"
        )
        raise EvaluationError(
            "NAS223",
            f"'{op}' takes {wanted} input{'' if wanted == '1' else 's'}, found {len(types)}",
            at.span,
        )
    if POISON in types:
        return Emit(op, settings, inputs, (POISON, known), Cost(), label, at.span)
    try:
        out = operation.shape(settings, types)
    except ShapeError as error:
        notes = _disagreeing(operation, settings, types, places)
        raise EvaluationError("NAS303", str(error), at.span, *notes) from None
    try:
        cost = operation.cost(settings, types, out)
    except ShapeError as error:
        raise EvaluationError("NAS303", str(error), at.span) from None
    if max(cost.params, cost.macs, out.size) >= 2**62:
        raise EvaluationError("NAS304", f"'{op}' is too large here: {out}", at.span)
    return Emit(op, settings, inputs, (out, known), cost, label, at.span)


def _disagreeing(
    operation: Operation, settings: Settings, types: Types, places: Sequence[s.Expr]
) -> list[Note]:
    """The first operand, and the first one that does not go with it, each with its place."""
    if len(places) != len(types):
        return []
    for other in range(1, len(types)):
        try:
            operation.shape(settings, (types[0], types[other]))
        except ShapeError:
            if places[other].span == places[0].span:  # items of one comprehension
                return []
            return [Note(f"{types[i]} comes from here", places[i].span) for i in (0, other)]
    return []


def zeros(
    operation: Operation, type_: TensorType, inputs: tuple[int, ...], known: Known, at: s.Expr
) -> Step:
    """Zeros of a type, whatever comes in; an input tells the size of the batch."""
    return Emit(
        "zero",
        {},
        inputs,
        (type_, known),
        operation.cost({}, (), type_),
        "zero",
        at.span,
    )


_CHOSEN = Note(
    "a value is chosen from a set by a name: 'where k in {3, 5}' after the network or a template"
)


def settings_of(
    evaluator: Evaluator, operation: Operation, use: s.Expr, scope: Scope
) -> dict[str, Any]:
    """The settings of an operation at one use."""
    call = use if isinstance(use, s.Call) else None
    parameters = {p.name: p for p in operation.parameters}
    order = list(parameters)
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    places: dict[str, s.Argument] = {}
    for position, argument in enumerate(call.arguments if call else ()):
        if argument.clauses:
            raise EvaluationError("NAS219", f"'{operation.name}' takes no 'for'", argument.span)
        name = argument.name.text if argument.name else None
        if name is None and position < len(order):
            name = order[position]
        parameter = parameters.get(name) if name else None
        if parameter is not None and parameter.kind == "name":
            value: Any = _word(evaluator, argument.value, scope)
        else:
            value = evaluator.value(argument.value, scope)
            if isinstance(value, Closure):
                value = _Module(shown(value))
        if argument.name is None:
            args.append(value)
            if name:
                places[name] = argument
        else:
            kwargs[argument.name.text] = value
            places.setdefault(argument.name.text, argument)
    try:
        return resolve(operation, args, kwargs)
    except SettingError as error:
        place = places.get(error.parameter or "")
        span = place.value.span if place else use.span
        if place and place.name and error.parameter not in parameters:
            span = place.name.span
        code = "NAS104" if error.parameter and error.parameter not in parameters else "NAS228"
        if (not place and "needs a value" in error.message) or (
            "at most" in error.message and not place
        ):
            code = "NAS103"
        notes = (_CHOSEN,) if code == "NAS228" and error.message.endswith("found a set") else ()
        raise EvaluationError(code, error.message, span, *notes) from None


def _word(evaluator: Evaluator, expr: s.Expr, scope: Scope) -> Any:
    while isinstance(expr, s.Group):
        expr = expr.inner
    if (
        isinstance(expr, s.Ref)
        and expr.name not in scope
        and expr.name not in evaluator.program.lets
    ):
        return expr.name
    value = evaluator.value(expr, scope)
    if isinstance(value, Closure) and isinstance(value.expr, s.Ref):
        return value.expr.name
    return value


class _Module:
    """A module where a number was wanted; only its name is of use, in a message."""

    def __init__(self, name: str):
        self.name = name
