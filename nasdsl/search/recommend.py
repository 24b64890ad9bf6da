"""Which of the measured architectures to take: the center of the best neighborhood.

The best measured value of many is in part luck, the more so the noisier the measure and the more
were measured. X. Wang and others ("Neighborhood-Aware Neural Architecture Search", BMVC 2021)
judge an architecture by an aggregate over its neighborhood instead, which they measure. Here the
neighborhood is predicted: a Gaussian process learns from everything that was measured anyhow,
and an architecture is worth

    w m(a) + (1 - w) mean over a' in N(a), a itself included, of m(a'),    w = 1/2,

m the process's mean of the normal scores of the values. No network is measured for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nasdsl.search.features import Encoding, Features
from nasdsl.search.models import GaussianProcess, normal_scores

if TYPE_CHECKING:
    from nasdsl.search.variation import Variation
    from nasdsl.space import Architecture

Array = NDArray[np.float64]

CENTER = 0.5
"""Weight of the center beside its whole neighborhood."""
CONSIDERED = 25
"""Architectures whose neighborhoods are predicted: those that the model holds to be best."""
FEWEST = 10
"""With fewer values than these there is nothing to learn; the best value is taken."""


def recommended(
    known: Sequence[Architecture],
    values: Sequence[float],
    variation: Variation,
    features: Features,
    seed: int,
) -> int:
    """The index of the architecture to take.

    Args:
        known: what was measured, at least one, each once.
        values: finite, more is better, as long as ``known``.
        variation: the neighborhoods of the space.
        features: what the model sees of an architecture.
        seed: of the rows on which the model judges its own settings.
    """
    column = np.array(values, dtype=np.float64)
    best = int(column.argmax())
    encoding = Encoding(features, known)
    if len(known) < FEWEST or encoding.width == 0 or column.min() == column.max():
        return best
    rows = encoding.rows(known)
    model = GaussianProcess(rows, normal_scores(column), seed)
    order = np.argsort(-model.mean(rows), kind="stable")[:CONSIDERED]
    balls = [[known[i], *(a for a, _ in variation.neighbors(known[i]))] for i in order]
    # All in one: a prediction costs less by the row than by the call.
    means = model.mean(encoding.rows(a for ball in balls for a in ball))
    parts = np.split(means, np.cumsum([len(ball) for ball in balls])[:-1])
    worth = [CENTER * part[0] + (1 - CENTER) * part.mean() for part in parts]
    return int(order[int(np.argmax(worth))])
