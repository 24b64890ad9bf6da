"""Linear maps of images that give the same result in every batch, on every device.

Sums of floats depend on their order, and the order on the size of a batch; a sum that falls on
the other side of a whole number moves a pixel. Here weights are whole multiples of a power of
two and pixels are whole numbers, so that all sums are exact in the type they are held in.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Literal

import torch
from torch import Tensor

Border = Literal["nearest", "reflect", "mirror"]
"""How an image goes on outside, as scipy.ndimage names it: ``aaa|abc``, ``cba|abc``,
``cb|abc``."""

BITS = 20


def whole(weights: Tensor, bits: int) -> Tensor:
    """Weights in float64 as whole multiples of ``2^-bits``; each row's sum is kept.

    What rounding takes from a row goes to its largest weight.
    """
    scale = 2.0**bits
    found = torch.round(weights * scale)
    rest = torch.round(weights.sum(-1, keepdim=True) * scale) - found.sum(-1, keepdim=True)
    largest = found.argmax(-1, keepdim=True)
    return found.scatter_add(-1, largest, rest)


def separable(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """``rows @ x @ columns.T`` for images [..., H, W] of whole numbers, in float64, exact.

    Args:
        x: whole numbers.
        rows: [H', H], whole numbers in float64, as :func:`whole` gives them.
        columns: [W', W], likewise. The products of the three have to stay below 2^53.
    """
    across = x.double() @ columns.T
    flat = across.reshape(-1, *across.shape[-2:])
    return torch.matmul(rows, flat).view(*x.shape[:-2], len(rows), len(columns))


def place(index: Tensor, size: int, border: Border) -> Tensor:
    """Where in 0..size-1 positions lie that may be outside."""
    if border == "nearest" or size == 1:
        return index.clamp(0, size - 1)
    last = 2 * size - 1 if border == "reflect" else 2 * size - 2
    period = 2 * size if border == "reflect" else 2 * size - 2
    if index.numel() and not (-size < int(index.min()) and int(index.max()) < period):
        index = index.remainder(period)
    if border == "reflect":
        # The shift of a number below zero is -1 in all bits: what remains is its complement.
        index = index ^ (index >> (8 * index.element_size() - 1))
    else:
        index = index.abs()
    return torch.minimum(index, last - index)


def picked(x: Tensor, index: Tensor) -> Tensor:
    """Images [N, C, H, W] whose pixels come from the places ``index`` [N, H W] in int32, each of
    0..H W - 1, of the same image."""
    count, channels, height, width = x.shape
    first = torch.arange(count, device=x.device, dtype=torch.int32) * (height * width)
    places = (index + first[:, None]).view(-1)
    found = torch.empty_like(x)
    for i in range(channels):
        found[:, i] = x[:, i].reshape(-1).index_select(0, places).view(count, height, width)
    return found


def gaussian_weights(sigma: float, truncate: float = 4.0) -> list[float]:
    """Weights of a Gaussian window, as scipy.ndimage and skimage cut it off."""
    radius = int(truncate * sigma + 0.5)
    found = [math.exp(-0.5 * (i / sigma) ** 2) if i else 1.0 for i in range(-radius, radius + 1)]
    total = math.fsum(found)
    return [weight / total for weight in found]


@lru_cache(maxsize=256)
def gaussian(
    size: int, sigma: float, border: Border, truncate: float, bits: int, device: torch.device
) -> Tensor:
    """The matrix [size, size] of a Gaussian blur along one axis, times ``2^bits``."""
    weights = gaussian_weights(sigma, truncate)
    matrix = torch.zeros(size, size, dtype=torch.float64)
    at = torch.arange(size)
    for offset, weight in enumerate(weights, -(len(weights) // 2)):
        taken = place(at + offset, size, border)
        matrix[at, taken] += weight
    return whole(matrix, bits).to(device)


def blurred(
    x: Tensor, sigma: float, border: Border = "nearest", truncate: float = 4.0, bits: int = BITS
) -> Tensor:
    """Whole numbers [..., H, W] after a Gaussian blur of ``sigma`` pixels, times ``4^bits``."""
    height, width = x.shape[-2:]
    if int(truncate * sigma + 0.5) == 0:  # one weight
        return x.double() * 4.0**bits
    return separable(
        x,
        gaussian(height, sigma, border, truncate, bits, x.device),
        gaussian(width, sigma, border, truncate, bits, x.device),
    )


def enlargement(size: int, factor: float) -> list[tuple[int, int, float]]:
    """Where each of ``size`` positions looks when the middle is enlarged by ``factor``.

    The middle ``ceil(size / factor)`` positions are stretched linearly over
    ``round(size' * factor)`` ones, ends on ends, of which the middle ``size`` are taken; as the
    programs of CIFAR-C and ImageNet-C do.

    Returns:
        For each position two neighbors, and the weight of the second.
    """
    part = math.ceil(size / factor)
    top = (size - part) // 2
    stretched = max(size, round(part * factor))
    trim = (stretched - size) // 2
    step = (part - 1) / (stretched - 1)
    found = []
    for i in range(size):
        at = (i + trim) * step
        low = min(int(at), part - 1)
        found.append((top + low, top + min(low + 1, part - 1), at - low))
    return found


@lru_cache(maxsize=64)
def enlarging(size: int, factor: float, bits: int, device: torch.device) -> Tensor:
    """The matrix [size, size] of :func:`enlargement`, times ``2^bits``."""
    matrix = torch.zeros(size, size, dtype=torch.float64)
    for i, (low, high, weight) in enumerate(enlargement(size, factor)):
        matrix[i, low] += 1 - weight
        matrix[i, high] += weight
    return whole(matrix, bits).to(device)


@lru_cache(maxsize=32)
def zooming(
    height: int, width: int, factors: tuple[float, ...], device: torch.device
) -> tuple[Tensor, Tensor, Tensor]:
    """The mean of an image and its enlargements as weighted sums over pixels.

    Returns:
        For each pixel which others it sums, [M] in one row; where each pixel's begin, [H W];
        and the weights, [M] in float32, which sum to 2^16 for each pixel.
    """
    pixels = height * width
    parts = []
    for factor in (1.0, *factors):
        r, rw = _ends(height, factor)
        c, cw = _ends(width, factor)
        index = r[:, None, :, None] * width + c[None, :, None, :]
        weight = rw[:, None, :, None] * cw[None, :, None, :]
        out = torch.arange(pixels).view(height, width, 1, 1).expand_as(index)
        parts.append(((out * pixels + index).reshape(-1), weight.reshape(-1)))
    codes, spot = torch.unique(torch.cat([code for code, _ in parts]), return_inverse=True)
    weights = torch.zeros(len(codes), dtype=torch.float64)
    weights.index_add_(0, spot, torch.cat([weight for _, weight in parts]) / len(parts))
    row = codes // pixels
    begins = torch.searchsorted(row, torch.arange(pixels))
    padded = torch.zeros(pixels, int(torch.bincount(row).max()), dtype=torch.float64)
    column = torch.arange(len(codes)) - begins[row]
    padded[row, column] = weights
    exact = whole(padded, 16)[row, column].float()
    return (codes % pixels).to(device), begins.to(device), exact.to(device)


def _ends(size: int, factor: float) -> tuple[Tensor, Tensor]:
    """:func:`enlargement` as tensors [size, 2]: positions, and their weights."""
    found = enlargement(size, factor)
    weights = torch.tensor([[1 - w, w] for *_, w in found], dtype=torch.float64)
    return torch.tensor([[low, high] for low, high, _ in found]), weights
