"""Proposals from weights of alternatives that a supernet has learned."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nasdsl.search.searcher import Candidate, Outcome
from nasdsl.seeding import generator

if TYPE_CHECKING:
    from nasdsl.space import Architecture, Space
    from nasdsl.space.residual import Branch

Learned = Mapping[str, Sequence[float]]
"""Weights of the alternatives by decision, as a mixed supernet names both."""

PATIENCE = 1_000
"""Draws in a row that a ``require`` may forbid before the search ends."""


class FromWeights:
    """The architecture of the largest weights first, then draws from the weights.

    Later proposals hedge: a supernet ranks networks roughly, and those that were measured decide.
    A draw is the architecture of the largest weights after independent Gumbel noise on their
    logarithms, by which a decision among alternatives is drawn in proportion to its weights
    (Maddison, Tarlow and Minka, "A* Sampling", 2014). What a ``require`` forbids is drawn again.
    """

    def __init__(self, space: Space, seed: int, weights: Learned):
        self._space = space
        self._seed = seed
        self._weights = weights
        self._next = 0

    @property
    def batch(self) -> None:
        """No proposal depends on an outcome."""
        return None

    def ask(self, n: int) -> list[Candidate]:
        """The next ``n`` proposals; fewer where what is drawn is forbidden again and again."""
        found: list[Candidate] = []
        missed = 0
        while len(found) < n and missed < PATIENCE:
            index, self._next = self._next, self._next + 1
            architecture = self._drawn(index)
            if self._space.allows(architecture):
                found.append(Candidate(index, architecture))
                missed = 0
            else:
                missed += 1
        return found

    def tell(self, candidate: Candidate, outcome: Outcome) -> None:
        """Outcomes do not change what is drawn."""

    def replay(self, history: Sequence[tuple[Candidate, Outcome | None]]) -> None:
        """Goes on behind the last draw of the history."""
        self._next = max((candidate.index + 1 for candidate, _ in history), default=0)

    def _drawn(self, index: int) -> Architecture:
        if index == 0:
            return largest(self._space, self._weights)
        draw = generator(self._seed, "ask", index)
        noisy = {
            name: [weight * math.exp(_gumbel(draw)) for weight in weights]
            for name, weights in self._weights.items()
        }
        return largest(self._space, noisy)


def _gumbel(draw: random.Random) -> float:
    """A standard Gumbel variable; the smallest uniform draw is kept above 0."""
    return -math.log(-math.log(max(draw.random(), 1e-300)))


def largest(space: Space, weights: Learned) -> Architecture:
    """The architecture of the largest weights; the first of equal ones, and of what has none.

    A pick takes the members of the largest product of the weight of the edge and the largest
    weight of the decision at its end, as DARTS does.
    """
    # Walking a space as its supernet does needs no torch, but stands beside what does.
    from nasdsl.compiler.supernet.trace import Trace, edge_segment, edges, member_order

    def decide(name: str, plain: str, branch: Branch) -> Any:
        options = list(branch.options)
        given = weights.get(name)
        if given is None:
            return options[0]
        if edges(branch) is None:
            return max(zip(options, given, strict=True), key=lambda pair: pair[1])[0]
        members = sorted({m for picked in options for m in picked}, key=member_order)
        strength = {}
        for member, weight in zip(members, given, strict=True):
            at = name[: len(name) - len(branch.name)] + edge_segment(branch, member)
            strength[member] = weight * max(weights.get(at, [1.0]))
        return max(options, key=lambda picked: sum(strength[m] for m in picked))

    trace = Trace(decide)
    trace.run(space.step)
    return space.architecture(trace.decisions)
