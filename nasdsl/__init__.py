"""nasdsl: a declarative language and compiler for neural architecture search.

>>> import nasdsl
>>> space = nasdsl.load("examples/quickstart.nas")
>>> network = nasdsl.compile(space.sample(0))

The names below are imported when they are first used, so that reading and counting a space
never imports torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nasdsl.version import __version__

if TYPE_CHECKING:
    from nasdsl.api import (
        Architecture,
        Neighbor,
        Space,
        check,
        compile,
        compile_neighborhood,
        compile_population,
        compile_supernet,
        load,
        run,
        train_networks,
    )
    from nasdsl.diagnostics import Diagnostic, DiagnosticError

__all__ = [
    "Architecture",
    "Diagnostic",
    "DiagnosticError",
    "Neighbor",
    "Space",
    "__version__",
    "check",
    "compile",
    "compile_neighborhood",
    "compile_population",
    "compile_supernet",
    "load",
    "run",
    "train_networks",
]


def __getattr__(name: str) -> Any:
    if name in ("Diagnostic", "DiagnosticError"):
        from nasdsl import diagnostics

        return getattr(diagnostics, name)
    if name in __all__:
        from nasdsl import api

        return getattr(api, name)
    raise AttributeError(f"module 'nasdsl' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
