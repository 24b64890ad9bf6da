"""The four corruptions that change each value by itself."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from nasdsl.robustness import counter


def gaussian_noise(x: Tensor, keys: Tensor, c: Mapping[str, float]) -> Tensor:
    """Normal noise on every value."""
    noise = counter.normal(keys, x[0].numel()).view(x.shape)
    return x.float().add_(noise * (255 * c["sigma"]))


def shot_noise(x: Tensor, keys: Tensor, c: Mapping[str, float]) -> Tensor:
    """A Poisson number of photons in place of each value, ``photons`` on average at white.

    Drawn by the alias method (Walker 1977; Vose 1991), exact to 2^-22: each number of 32 bits
    takes a column of the value's table and, by what is left of it, the column or its alias.
    """
    first, share, alias, width = _photons(c["photons"], x.device)
    numbers = counter.bits(keys, x[0].numel()).view(-1)
    level = x.reshape(-1).int()
    column = numbers & (width - 1)
    at = level * width + column
    own = (numbers >> 10).bitwise_and_((1 << 22) - 1) < share.index_select(0, at)
    # As torch.where would choose, which is slow on whole numbers.
    other = alias.index_select(0, at)
    count = column.sub_(other).mul_(own).add_(other).add_(first.index_select(0, level))
    return count.float().mul_(255).div_(c["photons"]).view(x.shape)


@lru_cache(maxsize=16)
def _photons(rate: float, device: torch.device) -> tuple[Tensor, Tensor, Tensor, int]:
    """Alias tables of the Poisson distributions of the 256 values.

    Returns:
        For each value the least number in its table [256]; the share of each column [256 K] in
        units of 2^-22; its alias [256 K]; and K, a power of two.
    """
    from math import lgamma

    means = np.arange(256) / 255 * rate
    spread = 8 * np.sqrt(means) + 12
    low = np.maximum(0, np.floor(means - spread)).astype(np.int64)
    width = 1 << int(np.ceil(np.log2(np.max(np.ceil(means + spread) - low))))
    counts = low[:, None] + np.arange(width)
    log_factorial = np.array([lgamma(k + 1) for k in range(int(counts.max()) + 1)])
    with np.errstate(divide="ignore"):
        log_mean = np.log(np.maximum(means, 1e-300))[:, None]
    p = np.exp(counts * log_mean - means[:, None] - log_factorial[counts])
    p[0] = counts[0] == 0
    share, alias = _aliases(p / p.sum(1, keepdims=True))
    table = np.round(share * (1 << 22)).astype(np.int32)
    return (
        torch.from_numpy(low.astype(np.int32)).to(device),
        torch.from_numpy(table).view(-1).to(device),
        torch.from_numpy(alias.astype(np.int32)).view(-1).to(device),
        width,
    )


def _aliases(
    p: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
) -> tuple[
    np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    np.ndarray[tuple[int, ...], np.dtype[np.int64]],
]:
    """Shares and aliases of the rows of ``p`` [R, K], each a distribution; all rows at once.

    In the order of their probability, each column below the mean is filled up by the largest
    that has some left; one that falls below the mean by it waits to be filled up next.
    """
    rows, width = p.shape
    order = np.argsort(p, axis=1, kind="stable")
    left = np.take_along_axis(p * width, order, 1)
    share = np.ones((rows, width))
    alias = np.tile(np.arange(width), (rows, 1))
    every = np.arange(rows)
    small = np.zeros(rows, np.int64)  # the next column from below
    giver = np.full(rows, width - 1)  # the column that fills up others
    poor = np.zeros(rows, np.int64)
    waiting = np.zeros(rows, bool)
    for _ in range(width - 1):
        # The next to be filled: a giver that ran low, else the next from below.
        taken = np.where(waiting, poor, np.minimum(small, width - 1))
        active = taken < giver
        active |= waiting & (taken > giver)
        has = left[every, taken]
        column, filler = order[every, taken], order[every, giver]
        share[every[active], column[active]] = has[active]
        alias[every[active], column[active]] = filler[active]
        small = np.where(active & ~waiting, small + 1, small)
        rest = left[every, giver] - np.where(active, 1 - has, 0)
        left[every, giver] = rest
        ran_low = active & (rest < 1)
        poor = np.where(ran_low, giver, poor)
        waiting = np.where(active, ran_low, waiting)
        giver = np.where(ran_low, np.maximum(giver - 1, 0), giver)
    return np.clip(share, 0, 1), alias


def impulse_noise(x: Tensor, keys: Tensor, c: Mapping[str, float]) -> Tensor:
    """A share ``amount`` of the values becomes black or white, as likely the one as the other."""
    drawn = counter.uniform(keys, x[0].numel()).view(x.shape)
    found = x.float().masked_fill_(drawn < c["amount"], 255.0)
    return found.masked_fill_(drawn < c["amount"] / 2, 0.0)


def speckle_noise(x: Tensor, keys: Tensor, c: Mapping[str, float]) -> Tensor:
    """Normal noise on every value, in proportion to it."""
    noise = counter.normal(keys, x[0].numel()).view(x.shape)
    clean = x.float()
    return clean + clean * (noise * c["sigma"])
