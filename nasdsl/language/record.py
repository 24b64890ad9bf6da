"""Frozen records whose equality is identity."""

from __future__ import annotations

import inspect
from typing import Any, ClassVar, dataclass_transform


@dataclass_transform(frozen_default=True, eq_default=False)
class Record:
    """Immutable fields, declared by annotations as in a dataclass; equality is identity.

    Dataclasses proper compile code for every class, which for a syntax tree took a tenth of
    the time of checking a small file.
    """

    _fields: ClassVar[tuple[str, ...]] = ()
    _defaults: ClassVar[dict[str, Any]] = {}

    def __init_subclass__(cls) -> None:
        own = [n for n in inspect.get_annotations(cls) if not n.startswith("_")]
        cls._fields = (*cls._fields, *own)
        defaults = {n: cls.__dict__[n] for n in own if n in cls.__dict__}
        cls._defaults = {**cls._defaults, **defaults}

    def __init__(self, *values: Any) -> None:
        fields = self._fields
        made = self.__dict__
        made.update(zip(fields, values, strict=False))
        if len(values) != len(fields):
            for name in fields[len(values) :]:
                if name not in self._defaults:
                    raise TypeError(f"{type(self).__name__} needs {name}")
                made[name] = self._defaults[name]
            if len(values) > len(fields):
                raise TypeError(f"{type(self).__name__} takes {len(fields)} values")

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable")

    def __repr__(self) -> str:
        shown = ", ".join(f"{n}={getattr(self, n)!r}" for n in self._fields if n != "span")
        return f"{type(self).__name__}({shown})"
