"""How far a mixture has collapsed to skip connections.

DARTS is known to favor alternatives without weights, skips above all, the longer it is trained
(Zela and others, "Understanding and Robustifying Differentiable Architecture Search", 2020).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nasdsl.compiler.supernet.merge import merged
from nasdsl.space import Space


@dataclass(frozen=True, slots=True)
class Skips:
    """The decisions of a space that can be a skip.

    ``alternatives`` maps each to the indices of its alternatives that give their input on
    unchanged.
    """

    alternatives: Mapping[str, tuple[int, ...]]

    def taken(self, weights: Mapping[str, Sequence[float]]) -> int:
        """Of how many of these decisions a skip has the largest weight."""
        return sum(
            max(range(len(weights[name])), key=weights[name].__getitem__) in places
            for name, places in self.alternatives.items()
        )

    def mass(self, weights: Mapping[str, Sequence[float]]) -> float:
        """The mean weight of skips over these decisions, 0 where there are none."""
        if not self.alternatives:
            return 0.0
        parts = [sum(weights[n][i] for i in p) for n, p in self.alternatives.items()]
        return sum(parts) / len(parts)


def skips_of(space: Space) -> Skips:
    """Where the mixed supernet of a space may skip.

    A pick of members decides what comes in, not what is done with it, and is none of them.
    """
    found = merged(space)
    places: dict[str, tuple[int, ...]] = {}
    for mixture in found.mixtures():
        name = mixture.decision
        if name in found.picked:
            continue
        alternatives = found.decisions[name]
        passed: list[int] = []
        for operand, index in zip(mixture.operands, mixture.indices, strict=True):
            mark: tuple[str, Any] = (name, alternatives[index])
            # Nothing was done on the way to it under this alternative.
            if operand < found.inputs or mark not in found.steps[operand].place[1]:
                passed.append(index)
        if passed:
            places[name] = tuple(passed)
    return Skips(places)
