"""Simulated annealing as a package of one's own; ``entry_points.txt`` beside it says its name."""

import math
from collections.abc import Sequence

from nasdsl.language.settings import Item, Option
from nasdsl.search import Kind
from nasdsl.search.archive import Batch, Planned, Record
from nasdsl.search.goals import leading
from nasdsl.search.variation import Variation
from nasdsl.seeding import generator
from nasdsl.space import Space


class Annealing(Planned):
    """search annealing { samples 100, start 8, cooling 0.97 }"""

    def __init__(self, space: Space, seed: int, start: float, cooling: float):
        super().__init__(space, seed)
        self._aim, self._variation = leading(space), Variation(space)
        self._start, self._cooling = start, cooling

    def plan(self, past: Sequence[Record], batch: Batch) -> None:
        """A neighbor of where the walk stands, which all that was measured says."""
        here, height = None, -math.inf
        for step, record in enumerate(past):
            value = self._aim.of(record.outcome)  # None of a failure; more is always better
            heat = max(self._start * self._cooling**step, 1e-300)
            luck = generator(self._seed, "accept", step).random()
            if value is not None and (value > height or luck < math.exp((value - height) / heat)):
                here, height = record.architecture, value
        if here is not None:
            batch.take_all(self._variation.shuffled(here, generator(self.key(past))))
        self.fill(past, batch)  # a uniform draw where no neighbor is new


OPTIONS = (Option("start", "float", 8.0, minimum=0), Option("cooling", "float", 0.97, maximum=1))
ITEM = Item("annealing", OPTIONS, "simulated annealing along the neighbors")
KIND = Kind(ITEM, lambda space, s: Annealing(space, s["seed"], s["start"], s["cooling"]))
