"""Square Attack (Andriushchenko et al., ECCV 2020): random search that asks for outputs only.

A square of the image gets a new perturbation of the largest size; the change is kept where the
margin of the right class falls. Squares shrink by a schedule that is written for 10,000 queries
and stretched to the number there is, without which a short attack is a weak one.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

from nasdsl.robustness import counter
from nasdsl.robustness.attacked import Norm, Outputs, length

_HALVINGS = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)
_DRAWS = 16
"""Numbers that one query may use, of which 5 are for places."""


def square(
    run: Outputs,
    x: Tensor,
    y: Tensor,
    epsilon: float,
    norm: Norm,
    keys: Tensor,
    queries: int = 5000,
    p: float = 0.8,
) -> Tensor:
    """Images in the ball that fool where one was found, else those of the least margin.

    Args:
        run: the attacked function; only its outputs are used.
        x: images in [0, 1], [N, C, H, W] with C <= 10.
        y: classes.
        epsilon: radius of the ball.
        norm: of the ball.
        keys: streams, one for each image.
        queries: evaluations of each image.
        p: share of the pixels in the first squares.
    """
    channels = x.shape[1]
    width = x.shape[-1]
    first = counter.bits(keys, 32 * width) if norm == "linf" else counter.bits(keys, 1024)
    if norm == "linf":
        signs = _signs(first[:, : channels * width]).view(-1, channels, 1, width)
        found = (x + epsilon * signs).clamp(0, 1)
    else:
        found = _tiles(x, epsilon, _signs(first))
    start = first.shape[1]
    margin = _margin(run(found), y)
    alive = (margin > 0).nonzero()[:, 0]
    block = 64
    for i in range(1, queries):
        if not len(alive):
            break
        if i % block == 1 or i == 1:
            drawn = counter.bits(keys, block * _DRAWS, start + (i - 1) * _DRAWS)
        at = ((i - 1) % block) * _DRAWS
        draws = drawn[alive, at : at + _DRAWS]
        share = _share(p, i, queries)
        current, clean = found[alive], x[alive]
        change = _flat if norm == "linf" else _round
        candidate = change(current, clean, epsilon, share, draws)
        value = _margin(run(candidate), y[alive])
        better = (value < margin[alive]) | (value <= 0)
        found[alive[better]] = candidate[better]
        margin[alive[better]] = value[better]
        alive = alive[(value > 0) | ~better]
    return found


def _margin(output: Tensor, y: Tensor) -> Tensor:
    """How far the right class is ahead of the next; at or below zero where it is not right."""
    own = output.gather(1, y[:, None])[:, 0]
    others = output.scatter(1, y[:, None], -math.inf).amax(1)
    margin = own - others
    return torch.where(torch.isfinite(output).all(1), margin, torch.full_like(margin, -math.inf))


def _share(p: float, query: int, queries: int) -> float:
    """The share of pixels in a square at one query."""
    at = int(query / queries * 10000)
    return p * 0.5 ** sum(at > limit for limit in _HALVINGS)


def _signs(numbers: Tensor) -> Tensor:
    return 1.0 - 2.0 * (numbers < 0).float()


def _between(numbers: Tensor, count: int) -> Tensor:
    """Numbers 0..count-1 of 31 random bits."""
    return ((numbers.long() & 0x7FFFFFFF) * count) >> 31


def _window(x: Tensor, side: int, numbers: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """A square of each image: which pixels it holds [N, 1, H, W], and its corner's place."""
    height, width = x.shape[-2:]
    top = _between(numbers[:, 0], height - side + 1)[:, None]
    left = _between(numbers[:, 1], width - side + 1)[:, None]
    row = torch.arange(height, device=x.device) - top
    column = torch.arange(width, device=x.device) - left
    inside = ((row >= 0) & (row < side))[:, :, None] & ((column >= 0) & (column < side))[:, None]
    return inside[:, None], row.clamp(0, side - 1), column.clamp(0, side - 1)


def _side(x: Tensor, share: float, least: int) -> int:
    side = max(round(math.sqrt(share * x.shape[-2] * x.shape[-1])), least)
    return min(side, int(x.shape[-2]), int(x.shape[-1]))


def _flat(current: Tensor, clean: Tensor, epsilon: float, share: float, draws: Tensor) -> Tensor:
    """L-infinity: a square gets plus or minus epsilon, one sign for each channel."""
    inside, _, _ = _window(clean, _side(clean, share, 1), draws)
    signs = _signs(draws[:, 5 : 5 + clean.shape[1]])[..., None, None]
    return torch.where(inside, (clean + epsilon * signs).clamp(0, 1), current)


def _round(current: Tensor, clean: Tensor, epsilon: float, share: float, draws: Tensor) -> Tensor:
    """L2: a square gets a new pattern and what a second one, made zero, had of the length."""
    side = _side(clean, share, 3)
    if side % 2 == 0:
        side = min(side + 1, int(clean.shape[-2]), int(clean.shape[-1]))
    channels = clean.shape[1]
    away = current - clean
    inside, row, column = _window(clean, side, draws)
    other, _, _ = _window(clean, side, draws[:, 2:])
    total = away.square().sum((1, 2, 3), keepdim=True)
    own = (away * inside).square().sum((2, 3), keepdim=True)
    both = (away * (inside | other)).square().sum((2, 3), keepdim=True)
    pattern = _pattern(side, clean.device)[row[:, :, None], column[:, None]][:, None]
    turned = _pattern(side, clean.device).T[row[:, :, None], column[:, None]][:, None]
    pattern = torch.where((draws[:, 4] < 0).view(-1, 1, 1, 1), pattern, turned)
    signs = _signs(draws[:, 5 : 5 + channels])[..., None, None]
    fresh = (pattern * signs + away / (own.sqrt() + 1e-12)) * inside
    unused = (epsilon**2 - total).clamp(min=0) / channels
    fresh = fresh / (fresh.square().sum((2, 3), keepdim=True).sqrt() + 1e-12)
    fresh = fresh * (unused + both).sqrt()
    away = torch.where(inside, fresh, torch.where(other, torch.zeros_like(away), away))
    return (clean + away * (epsilon / (length(away) + 1e-12))).clamp(0, 1)


def _tiles(x: Tensor, epsilon: float, signs: Tensor) -> Tensor:
    """L2's beginning: a pattern on each of five by five tiles, each channel with its own sign."""
    height, width = x.shape[-2:]
    channels = x.shape[1]
    side = max(min(height, width) // 5, 1)
    pattern = _pattern(side, x.device)
    away = torch.zeros_like(x)
    used = 0
    for top in range((height % side) // 2, height - side + 1, side):
        for left in range((width % side) // 2, width - side + 1, side):
            sign = signs[:, used % 1000 : used % 1000 + channels][..., None, None]
            away[..., top : top + side, left : left + side] = pattern * sign
            used += channels
    return (x + away * (epsilon / (length(away) + 1e-12))).clamp(0, 1)


@lru_cache(maxsize=64)
def _pattern(side: int, device: torch.device) -> Tensor:
    """Two bumps side by side, one up and one down, of length one together, [side, side]."""
    half = side // 2
    whole = torch.cat([_bump(half, side), -_bump(side - half, side)])
    size: Tensor = torch.linalg.vector_norm(whole)
    return (whole / size.clamp(min=1e-12)).to(device)


def _bump(height: int, width: int) -> Tensor:
    """A sum of centered rectangles, the n-th with weight 1 / n^2, of length one."""
    found = torch.zeros(height, width)
    if not height:
        return found
    top, left = height // 2, width // 2
    for n in range(max(height // 2, width // 2) + 1):
        rows = slice(max(top - n, 0), min(top + n + 1, height))
        columns = slice(max(left - n, 0), min(left + n + 1, width))
        found[rows, columns] += 1.0 / (n + 1) ** 2
    size: Tensor = torch.linalg.vector_norm(found)
    return found / size
