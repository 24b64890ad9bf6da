"""Operations declared in a text: their facts are expressions, worked out without their code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nasdsl.language import syntax as s
from nasdsl.operations.foreign import PYTHON
from nasdsl.operations.operation import Cost, Operation, Settings, ShapeError, TensorType
from nasdsl.space.values import EvaluationError, Scope, whole

if TYPE_CHECKING:
    from nasdsl.space.evaluate import Evaluator

ANY = "_"


def declared_operation(declaration: s.OperationDeclaration, evaluator: Evaluator) -> Operation:
    """The operation of a declaration ``op Name(p): [T, _] -> [T, p] params 4*p*p = python "…"``.

    In the input types a name that is no parameter is bound to the size found, ``_`` fits any
    size, and anything else must be equal. The output and the costs may use what was bound.
    """
    name = declaration.name.text

    def bound(settings: Settings, types: tuple[TensorType, ...]) -> dict[str, Any]:
        if len(types) != len(declaration.inputs):
            raise ShapeError(f"'{name}' takes {len(declaration.inputs)} inputs, found {len(types)}")
        values = {k: v for k, v in settings.items() if k != PYTHON}
        given = set(values)
        for number, (pattern, type_) in enumerate(zip(declaration.inputs, types, strict=True), 1):
            wanted = ", ".join(d.span.text.strip() for d in pattern)
            if len(pattern) != len(type_.shape):
                raise ShapeError(f"'{name}' takes [{wanted}] as input {number}, found {type_}")
            for dimension, size in zip(pattern, type_.shape, strict=True):
                expr = dimension.size
                if isinstance(expr, s.Ref) and expr.name == ANY:
                    continue
                if isinstance(expr, s.Ref) and expr.name not in given:
                    if values.setdefault(expr.name, size) != size:
                        raise ShapeError(
                            f"'{name}' takes [{wanted}] as input {number}, found {type_}, "
                            f"and {expr.name} was {values[expr.name]} before"
                        )
                    continue
                if number_of(expr, values) != size:
                    raise ShapeError(f"'{name}' takes [{wanted}] as input {number}, found {type_}")
        return values

    def number_of(expr: s.Expr, values: dict[str, Any]) -> int:
        try:
            return whole(evaluator.value(expr, Scope(local=values)), expr.span, "a dimension")
        except EvaluationError as error:
            raise ShapeError(f"in '{name}': {error}") from None

    def shape(settings: Settings, types: tuple[TensorType, ...]) -> TensorType:
        values = bound(settings, types)
        sizes = tuple(number_of(d.size, values) for d in declaration.output)
        if any(size < 1 for size in sizes):
            raise ShapeError(f"'{name}' would give {TensorType(sizes)} here")
        return TensorType(sizes)

    def cost(settings: Settings, types: tuple[TensorType, ...], out: TensorType) -> Cost:
        values = bound(settings, types)
        params = number_of(declaration.params, values) if declaration.params else 0
        macs = number_of(declaration.macs, values) if declaration.macs else 0
        if min(params, macs) < 0:
            raise ShapeError(f"the cost of '{name}' is negative here")
        return Cost(params, macs)

    inputs = len(declaration.inputs)
    return Operation(name, f"Declared in the text: {name}.", (), shape, cost, (inputs, inputs))
