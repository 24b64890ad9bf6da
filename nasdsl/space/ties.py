"""Who shares what: where each choice of a text is decided, and what it then holds for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nasdsl.language import syntax as s
from nasdsl.space.architecture import Architecture
from nasdsl.space.residual import Branch, Emit, Key, UseCell
from nasdsl.space.space import Space
from nasdsl.space.walk import run


@dataclass(frozen=True)
class Tie:
    """One choice of the text.

    ``decided`` is how often: ``once`` for the whole space, ``once for all uses`` of its cell,
    or ``at each use``. ``decisions`` are those of an example architecture, ``uses`` how many
    places of its network each of them rules at most.
    """

    name: str
    line: int | None
    decided: str
    decisions: tuple[str, ...]
    uses: int

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "name": self.name,
            "line": self.line,
            "decided": self.decided,
            "decisions": list(self.decisions),
            "uses": self.uses,
        }


class _Counter:
    """Counts how often each decision is met while a network is built."""

    def __init__(self, architecture: Architecture):
        self.decisions = architecture.decisions
        self.paths: dict[int, str] = {}
        self.met: dict[str, int] = {}
        self.branches: dict[str, Branch] = {}

    def emit(self, step: Emit, operands: tuple[str, ...], name: str) -> str:
        return name

    def decide(self, name: str, branch: Branch) -> Any:
        self.met[name] = self.met.get(name, 0) + 1
        self.branches[name] = branch
        return self.decisions[name]

    def saw(self, cell: str, signature: Any, outcome: Key) -> None:
        """Nothing is to be learnt of cells here."""

    def recall(self, step: UseCell, frame: tuple[str, ...], place: str) -> None:
        """Every cell is walked."""


def ties(space: Space, example: Architecture | None = None) -> list[Tie]:
    """Every choice of a text in its order, told by an example architecture."""
    counter = _Counter(example or space.sample(0))
    run(space.step, tuple(p.name.text for p in space.program.input_ports), counter)
    cells = {n for n, t in space.program.templates.items() if isinstance(t, s.Cell)}
    lets = set(space.program.lets)
    if space.program.network is not None:
        lets |= {b.name.text for b in space.program.network.where}
    groups: dict[tuple[int, str, str], list[str]] = {}
    for name, branch in counter.branches.items():
        head = name.partition(".")[0]
        if head in cells and "." in name:
            decided = f"once for all uses of {head}"
        elif "." not in name and branch.of.partition(" in ")[0] in lets:
            decided = "once"
        else:
            decided = "at each use"
        at = branch.span.start if branch.span else 0
        groups.setdefault((at, branch.of, decided), []).append(name)
    found = []
    for (_, of, decided), names in sorted(groups.items()):
        span = counter.branches[names[0]].span
        found.append(
            Tie(
                of,
                span.line if span else None,
                decided,
                tuple(names),
                max(counter.met[n] for n in names),
            )
        )
    return found
