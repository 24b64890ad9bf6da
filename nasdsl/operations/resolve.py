"""From the values written at a use of an operation to all of its settings."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from nasdsl.diagnostics import suggestion
from nasdsl.operations.operation import REQUIRED, Operation, Parameter

LARGEST = 2**31 - 1
"""The largest whole number a setting may have: what a tensor dimension can hold anywhere."""


class SettingError(Exception):
    """Values that an operation cannot take, said in one sentence.

    Attributes:
        message: the sentence.
        parameter: the name of the parameter it is about, as written where it was named, or
            ``None`` where it is about the use as a whole.
    """

    def __init__(self, message: str, parameter: str | None = None):
        super().__init__(message)
        self.message = message
        self.parameter = parameter

    def __reduce__(self) -> tuple[Any, ...]:
        return (SettingError, (self.message, self.parameter))


def resolve(
    operation: Operation, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """All settings of an operation, in its order, from positional and named values.

    Defaults are filled in, derived settings computed, whole floats turned into integers where
    an integer is wanted and integers into floats where a float is. Raises
    :class:`SettingError` for the first value that does not fit.
    """
    parameters = {p.name: p for p in operation.parameters}
    if len(args) > len(parameters):
        takes = f"at most {_count(len(parameters))} ({', '.join(parameters)})"
        raise SettingError(
            f"{operation.name} takes {takes if parameters else 'no values'}, found {len(args)}"
        )
    given = dict(zip(parameters, args, strict=False))
    for name, value in (kwargs or {}).items():
        if name not in parameters:
            takes = f"it takes {', '.join(parameters)}" if parameters else "it takes none"
            near = suggestion(name, parameters)
            raise SettingError(
                f"{operation.name} has no parameter '{name}'{near or '; ' + takes}", name
            )
        if name in given:
            raise SettingError(f"'{name}' of {operation.name} is given twice", name)
        given[name] = value
    settings: dict[str, Any] = {}
    for name, parameter in parameters.items():
        if name in given:
            settings[name] = _take(operation, parameter, given[name])
        elif parameter.default is REQUIRED:
            raise SettingError(f"{operation.name} needs a value for '{name}'", name)
        else:
            settings[name] = parameter.default
    completed = operation.complete(dict(settings))
    return {name: completed[name] for name in parameters}


def _count(n: int) -> str:
    return f"{n} value{'' if n == 1 else 's'}"


_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "name": "a word",
}


def _take(operation: Operation, parameter: Parameter, value: Any) -> Any:
    taken = _convert(parameter, value)
    wanted = _KINDS[parameter.kind]
    if parameter.values:
        wanted = f"one of {', '.join(parameter.values)}"
    about = f"'{parameter.name}' of {operation.name}"
    if taken is None:
        raise SettingError(f"{about} must be {wanted}, found {shown(value)}", parameter.name)
    if parameter.values and taken not in parameter.values:
        near = suggestion(str(taken), parameter.values)
        raise SettingError(f"{about} must be {wanted}, found {shown(value)}{near}", parameter.name)
    if parameter.minimum is not None and taken < parameter.minimum:
        raise SettingError(
            f"{about} must be at least {parameter.minimum:g}, found {shown(value)}", parameter.name
        )
    if parameter.kind == "int" and taken > LARGEST:
        raise SettingError(
            f"{about} must be at most {LARGEST}, found {shown(value)}", parameter.name
        )
    return taken


def _convert(parameter: Parameter, value: Any) -> Any:
    """The value as the parameter's kind, or ``None`` where it is of another kind."""
    if parameter.kind == "bool":
        return value if isinstance(value, bool) else None
    if parameter.kind == "name":
        return str(value) if isinstance(value, str) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if parameter.kind == "int":
        if isinstance(value, int):
            return value
        return int(value) if value.is_integer() else None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


_NOUNS: dict[type, str] = {tuple: "a set", range: "a set", type(None): "nothing"}


def shown(value: Any) -> str:
    """A value as a person would write it, short."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and abs(value) > 10**30:
        return "a number of more than thirty digits"
    if isinstance(value, str):
        text = f"'{value}'"
    elif isinstance(value, int | float):
        text = repr(value)
    else:
        text = _NOUNS.get(type(value), f"a {type(value).__name__.lower().lstrip('_')}")
    return text if len(text) <= 60 else text[:59] + "…"
