"""Architectures by what people write for them: ranks, keys, JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nasdsl.diagnostics import problem, suggestion
from nasdsl.space.architecture import Architecture
from nasdsl.space.outside import Outside, read_network
from nasdsl.space.values import shown

if TYPE_CHECKING:
    from nasdsl.space.space import Space


def find(space: Space, text: str) -> Architecture | Outside:
    """An architecture by rank (``7712`` or ``#7712``), key, or a JSON file.

    Raises :class:`~nasdsl.diagnostics.DiagnosticError` where nothing of the kind is there.
    """
    digits = re.fullmatch(r"(?:[A-Za-z_]\w*)?#?([0-9]+)", text.strip())
    if digits and (text.strip().isdigit() or "#" in text):
        rank = int(digits.group(1))
        if rank >= space.size:
            raise problem(
                "NAS314",
                f"rank {rank} is outside '{space.name}', whose ranks run from 0 to {space.size - 1}",
            )
        return space[rank]
    path = Path(text)
    if text.endswith(".json") or _is_file(path):
        return from_json(space, _read_json(path))
    if space.program.key is not None:
        return space.by_key(text)
    raise problem(
        "NAS315",
        f"'{text}' is no rank and no JSON file, and '{space.name}' declares no keys",
    )


def from_json(space: Space, data: Any) -> Architecture | Outside:
    """An architecture from what its ``to_json`` gives, or from its parts.

    Data with a ``network`` and no decisions are a network outside the space.
    """
    if isinstance(data, Mapping) and isinstance(data.get("decisions"), Mapping):
        return space.architecture(data["decisions"])
    if isinstance(data, Mapping) and isinstance(data.get("rank"), int):
        return find(space, str(data["rank"]))
    if isinstance(data, Mapping) and isinstance(data.get("network"), Mapping):
        return read_network(space, data["network"])
    if isinstance(data, Mapping) and isinstance(data.get("nodes"), list):
        return read_network(space, data)
    if isinstance(data, Mapping) and data and all(isinstance(k, str) for k in data):
        return space.architecture(data)
    raise problem("NAS316", "expected a JSON object with 'decisions' or 'rank'")


class Keys:
    """The key template of a space."""

    def __init__(self, space: Space):
        self._space = space

    @cached_property
    def template(self) -> tuple[tuple[str, str], ...]:
        """The key template in parts: (text before, decision)."""
        key = self._space.program.key
        if key is None:
            return ()
        parts = re.split(r"\{([^{}]*)\}", key.template.value)
        stray = next((m for part in parts[::2] for m in part if m in "{}"), None)
        if stray:
            raise problem(
                "NAS111", f"a '{stray}' of the key has no other side to it", key.template.span
            )
        return tuple(zip(parts[::2], [*parts[1::2], ""], strict=True))

    def key_of(self, decisions: Mapping[str, Any]) -> str | None:
        """The key of an architecture, where the space declares keys."""
        if not self.template:
            return None
        out = []
        for before, name in self.template:
            out.append(before)
            if name:
                out.append(shown(decisions[self._named(name, decisions)]))
        return "".join(out)

    def _named(self, name: str, decisions: Mapping[str, Any]) -> str:
        if name in decisions:
            return name
        found = [d for d in decisions if d.endswith("." + name)]
        if len(found) == 1:
            return found[0]
        key = self._space.program.key
        what = "names no decision" if not found else f"could be {' or '.join(found)}"
        raise problem(
            "NAS111",
            f"'{{{name}}}' in the key {what}{suggestion(name, decisions)}",
            key.span if key else None,
        )

    def by_key(self, key: str) -> Architecture:
        """The architecture of a key."""
        space = self._space
        first = space[0].decisions
        pattern, names = "", []
        for before, name in self.template:
            pattern += re.escape(before)
            if name:
                pattern += "(.+?)"
                names.append(name)
        match = re.fullmatch(pattern, key)
        if match is None:
            raise problem(
                "NAS317",
                f"'{key}' does not fit the keys of '{space.name}', as {self.key_of(first)}",
            )
        decisions = {
            self._named(n, first): _parsed(v, first[self._named(n, first)])
            for n, v in zip(names, match.groups(), strict=True)
        }
        missing = {n: v for n, v in first.items() if n not in decisions}
        return space.architecture({**missing, **decisions})


def frozen(value: Any) -> Any:
    """Lists as the tuples that decisions are."""
    return tuple(frozen(v) for v in value) if isinstance(value, list | tuple) else value


def _parsed(text: str, like: Any) -> Any:
    if isinstance(like, str):
        return text
    try:
        return frozen(json.loads(text.replace("{", "[").replace("}", "]")))
    except json.JSONDecodeError:
        return text


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # no path at all: too long, or with a NUL in it
        return False


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise problem("NAS901", f"there is no file '{path}'") from None
    except (json.JSONDecodeError, RecursionError) as error:
        raise problem("NAS903", f"'{path}' is no JSON: {error}") from None
    except (OSError, ValueError) as error:
        raise problem("NAS902", f"'{path}' cannot be read: {error}") from None
