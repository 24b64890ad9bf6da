"""What a study measures: the seed, the neighborhoods, and how a center is judged by them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from nasdsl.study.records import Measured


@dataclass(frozen=True, slots=True)
class Ball:
    """A neighborhood to be measured: ``samples`` neighbors within ``radius`` edits (0: all)."""

    samples: int
    radius: int = 1

    @property
    def name(self) -> str:
        """As it stands in the records."""
        return f"samples={self.samples or 'all'} radius={self.radius}"


@dataclass(frozen=True, slots=True)
class Aggregate:
    """An objective of a center that is made of its neighborhood.

    Attributes:
        name: the objective's name in the records.
        ball: the neighborhood it is taken over.
        source: the objective that is aggregated.
        of: (the center's value, the neighbors' values) -> (value, spread or ``None``);
            raises ``ValueError`` with a reason where there is none.
    """

    name: str
    ball: Ball
    source: str
    of: Callable[[float, Sequence[float]], tuple[float, float | None]]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure.

    Attributes:
        seed: of the study.
        limit: most trials, those that are there already included; ``None`` without limit.
        aggregates: the objectives that need neighborhoods.
    """

    seed: int
    limit: int | None = None
    aggregates: tuple[Aggregate, ...] = ()

    @property
    def balls(self) -> tuple[Ball, ...]:
        """The neighborhoods, each once."""
        return tuple(dict.fromkeys(aggregate.ball for aggregate in self.aggregates))

    def judge(self, center: Measured, neighbors: Mapping[Ball, Sequence[Measured | None]]) -> Measured:
        """What a center came to, from its own trial and those of its neighbors.

        A neighbor is ``None`` where the budget had no room for it; an aggregate over such a
        neighborhood is not given, and the reason says so. Failed neighbors are left out and
        counted in the reason; where all failed the center fails.
        """
        if center.state != "complete":
            return Measured("failed", center.reason)
        values: dict[str, float] = {}
        spreads: dict[str, float] = {}
        notes: list[str] = []
        failed = False
        for aggregate in self.aggregates:
            found = neighbors[aggregate.ball]
            there = [m for m in found if m is not None]
            sound = [m.values[aggregate.source] for m in there if m.state == "complete"]
            if len(there) < len(found):
                notes.append(
                    f"{aggregate.name}: not measured, the budget had room for {len(there)} of "
                    f"{len(found)} neighbors"
                )
                continue
            if found and not sound:
                failed = True
                notes.append(f"{aggregate.name}: all {len(found)} neighbors failed")
                continue
            try:
                value, spread = aggregate.of(center.values[aggregate.source], sound)
            except ValueError as error:
                failed = True
                notes.append(f"{aggregate.name}: {error}")
                continue
            values[aggregate.name] = value
            if spread is not None:
                spreads[aggregate.name] = spread
            if len(sound) < len(found):
                lost = len(found) - len(sound)
                notes.append(f"{aggregate.name}: {lost} of {len(found)} neighbors failed")
        reason = "; ".join(dict.fromkeys(notes)) or None
        return Measured("failed" if failed else "complete", reason, values, spreads)
