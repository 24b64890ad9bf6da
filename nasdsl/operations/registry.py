"""Operations of users: facts and code together, by one decorator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from nasdsl.diagnostics import problem
from nasdsl.operations.operation import Operation, Settings, TensorType
from nasdsl.operations.table import OPERATIONS

Build = Callable[[Settings, tuple[TensorType, ...], TensorType], Any]
B = TypeVar("B", bound=Build)

BUILDERS: dict[str, Build] = {}
"""The code of registered operations by name: (settings, input types, output type) to a module."""


def register(operation: Operation) -> Callable[[B], B]:
    """Add an operation: a decorator for the function that builds its module.

    The function takes the settings, the input types and the output type, and gives a
    ``torch.nn.Module`` of as many inputs; or a ``nasdsl.compiler.Module``, the class and its
    arguments, which can also be written into a generated model file. It is called when a
    network is compiled, so it may import torch inside and leave checking light.

    A package offers its operations by an entry point of the group ``nasdsl.operations`` that
    names the module where they are registered. Raises a diagnostic where the name is taken;
    a function may be registered again under its own name, as a notebook does.
    """

    def decorate(build: B) -> B:
        name = operation.name
        if not name.isidentifier():
            raise problem("NAS802", f"'{name}' cannot name an operation: it must be one word")
        if name in OPERATIONS and _origin(BUILDERS.get(name)) != _origin(build):
            raise problem("NAS802", f"there is already an operation '{name}'")
        OPERATIONS[name] = operation
        BUILDERS[name] = build
        return build

    return decorate


def _origin(build: Build | None) -> tuple[str, str] | None:
    if build is None:
        return None
    return build.__module__, getattr(build, "__qualname__", repr(build))
