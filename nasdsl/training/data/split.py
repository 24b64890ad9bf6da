"""Which sample goes where: fixed by a seed, each class in proportion."""

from __future__ import annotations

import numpy as np

from nasdsl.seeding import derive
from nasdsl.training.data.reading import Array


def amount(wanted: float, of: int) -> int:
    """A number of samples: a fraction below 1 of all of them, or the number itself."""
    return int(wanted) if wanted >= 1 else round(wanted * of)


def draw(y: Array, indices: Array, count: int, *key: str | int) -> tuple[Array, Array]:
    """Draws ``count`` of the indices, and gives them and the rest, both ascending.

    Labels with one axis are drawn by class in proportion: shares are rounded down, and the
    samples left over go to the largest remainders. Other targets are drawn uniformly. Which
    samples are drawn depends on the key, the labels and the indices alone.

    Args:
        y: targets of all samples.
        indices: those to draw from, ascending.
        count: how many, at most ``len(indices)``.
        key: seed of the draw.
    """
    random = np.random.default_rng(derive("split", *key))
    # Ranks of uniform numbers: this stream of numpy's is fixed by its compatibility policy.
    order = random.random(len(y))[indices]
    if y.ndim == 1 and y.dtype.kind in "iu":
        labels = y[indices]
        present, sizes = np.unique(labels, return_counts=True)
        shares = sizes * count / len(indices)
        quota = np.floor(shares).astype(int)
        remainders = np.argsort(-(shares - quota), kind="stable")
        quota[remainders[: count - quota.sum()]] += 1
        chosen = [
            members[np.argsort(order[members], kind="stable")[:n]]
            for label, n in zip(present, quota, strict=True)
            for members in [np.flatnonzero(labels == label)]
        ]
        picked = np.concatenate(chosen)
    else:
        picked = np.argsort(order, kind="stable")[:count]
    taken = np.zeros(len(indices), bool)
    taken[picked] = True
    return indices[taken], indices[~taken]
