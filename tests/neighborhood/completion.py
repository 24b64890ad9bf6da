"""Neighbors by the reference: a decision is changed, and the program is run with the rest."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tests.space.reference.built import Built, Outside
from tests.space.reference.interpreter import Reference
from tests.space.reference.scope import COPY

Decisions = Mapping[str, Any]


class Completion(Reference):
    """Runs a program with decisions that may be too few or too many for it."""

    def completed(self, center: Decisions, changed: Decisions) -> dict[str, Any]:
        """The decisions of the run; what is missing is filled by the rule of the language.

        A copy that the center does not have repeats the copy before it, whatever it came to;
        any other choice that comes alive takes its first legal value.
        """
        self.center, self.changed = center, changed
        self.refused: set[tuple[str, Any]] = set()
        while True:
            self.answers, self.prefix = [], []
            built = self._run_once()
            if built is not None:
                assert built.wrong is None
                return built.decisions

    def _run_once(self) -> Built | None:
        self.marked: dict[str, str] = {}
        return self._built()

    def _answer(self, marked: str, options: tuple[Any, ...]) -> int:
        name = marked.replace(COPY, "")
        self.marked[marked] = name
        allowed = [o for o in options if (name, o) not in self.refused]
        value = self.changed[name] if name in self.changed else self._repeated(marked)
        chosen = value if value in allowed else allowed[0]
        return options.index(chosen)

    def _repeated(self, marked: str) -> Any:
        """The same decision in the last copy, where this one's copy is new."""
        for match in re.finditer(rf"{COPY}\[(\d+)\]", marked):
            copy = marked[: match.end()].replace(COPY, "")
            if any(re.match(re.escape(copy) + r"(?![^.\[])", n) for n in self.center):
                continue
            for earlier in range(int(match.group(1)) - 1, -1, -1):
                before = f"{marked[: match.start()]}{COPY}[{earlier}]{marked[match.end() :]}"
                if before in self.marked:
                    return self.decisions[self.marked[before]]
            return None
        return None

    def _decide(self, marked: str, options: tuple[Any, ...]) -> Any:
        try:
            return super()._decide(marked, options)
        except Outside:
            # A later use of a cell forbids what was taken: that is no legal value.
            name = marked.replace(COPY, "")
            self.refused.add((name, self.decisions[name]))
            raise


def changes(reference: Completion, center: Built) -> set[frozenset[tuple[str, Any]]]:
    """Every change of exactly one choice to any other of its values, made whole."""
    found = set()
    for name, value in center.decisions.items():
        for other in center.options[name]:
            if other != value:
                made = reference.completed(center.decisions, {**center.decisions, name: other})
                found.add(frozenset(made.items()))
    return found - {frozenset(center.decisions.items())}
