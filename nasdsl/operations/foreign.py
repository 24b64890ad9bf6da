"""Operations whose facts stand in a text and whose code is named there: ``python "module:Name"``.

A text alone never runs code: the named class is imported only when a network is compiled, and
only where that was allowed (``--allow-python``, or ``NASDSL_ALLOW_PYTHON=1`` in the environment)
or an installed package offers the very class by an entry point of the group
``nasdsl.operations``.
"""

from __future__ import annotations

import importlib
import inspect
import os
from collections.abc import Mapping
from typing import Any

from nasdsl.diagnostics import problem
from nasdsl.operations.operation import TensorType
from nasdsl.operations.plugins import GROUP

PYTHON = "python"
"""The setting that names the code."""
ALLOW = "NASDSL_ALLOW_PYTHON"


def allow() -> None:
    """Allow texts to name Python code, here and in the processes started from here."""
    os.environ[ALLOW] = "1"


def is_allowed(target: str) -> bool:
    """Whether the code that a text names may be imported."""
    if os.environ.get(ALLOW) == "1":
        return True
    from importlib.metadata import entry_points

    return any(point.value == target for point in entry_points(group=GROUP))


def build(settings: Mapping[str, Any], types: tuple[TensorType, ...], output: TensorType) -> Any:
    """The module of an operation: the named class called with the declared parameters by name.

    A class that takes ``inputs`` or ``output`` is given the input shapes (a tuple of tuples,
    without the batch) and the output shape. Raises a diagnostic where the code is not allowed,
    not found, or cannot be called so.
    """
    target = str(settings[PYTHON])
    if not is_allowed(target):
        raise problem(
            "NAS805",
            f"this space names the Python code '{target}'; if you trust it, allow it by "
            "--allow-python",
        )
    module_name, _, name = target.partition(":")
    try:
        made = getattr(importlib.import_module(module_name), name)
    except Exception as error:  # whatever the user's own code raises
        raise problem(
            "NAS806", f"the Python code '{target}' cannot be imported: {error}"
        ) from error
    given = {k: v for k, v in settings.items() if k != PYTHON}
    try:
        takes = set(inspect.signature(made).parameters)
    except (TypeError, ValueError):
        takes = set()
    if "inputs" in takes and "inputs" not in given:
        given["inputs"] = tuple(t.shape for t in types)
    if "output" in takes and "output" not in given:
        given["output"] = output.shape
    try:
        return made(**given)
    except TypeError as error:
        raise problem("NAS806", f"'{target}' cannot be called with {given}: {error}") from error
