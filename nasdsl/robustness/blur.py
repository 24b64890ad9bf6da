"""The five blurs: Gaussian, glass, defocus, motion and zoom."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from nasdsl.robustness import counter
from nasdsl.robustness.linear import BITS, blurred, picked, place, whole, zooming


def gaussian_blur(x: Tensor, keys: Tensor, c: Mapping[str, float]) -> Tensor:
    """A Gaussian of ``sigma`` pixels; the border's pixels go on outside."""
    return blurred(x, c["sigma"]) * 4.0**-BITS


def glass_blur(x: Tensor, keys: Tensor, c: Mapping[str, float]) -> Tensor:
    """A Gaussian blur, pixels taken from nearby ``rounds`` times, and the blur again.

    In each round the pixels, from the last to the first, take the color of a pixel up to
    ``delta`` before and less than ``delta`` behind them. The published programs mean to swap
    the two, but on numpy arrays their statement copies.
    """
    soft = blurred(x, c["sigma"]).mul_(4.0**-BITS).floor_().float()
    count, _, height, width = x.shape
    delta, rounds = int(c["delta"]), int(c["rounds"])
    drawn = counter.halves(keys, rounds * 2 * height * width)
    steps = drawn.mul_(2 * delta).bitwise_right_shift_(16).sub_(delta)
    dy, dx = steps.view(count, rounds, 2, height * width).unbind(2)
    order = _order(height, width, delta, x.device)
    columns = torch.arange(height * width, device=x.device, dtype=torch.int32)
    source = columns.repeat(count, 1)
    for i in range(rounds):
        away = (dy[:, i] * width).add_(dx[:, i]).add_(columns)
        for line in order:
            source.index_copy_(1, line, source.gather(1, away.index_select(1, line).long()))
    return blurred(picked(soft, source), c["sigma"]).mul_(4.0**-BITS)


@lru_cache(maxsize=32)
def _order(height: int, width: int, delta: int, device: torch.device) -> tuple[Tensor, ...]:
    """The pixels from ``H - delta`` down to ``delta + 1``, in groups that can be done at once.

    A pixel may take one that was written before, up to ``delta - 1`` behind it. Those at a
    distance of two deltas in a row's order do not touch each other, and a row may begin when
    the one after it is two deltas ahead: the pixels of one slanted line are done together, with
    the result of the sequence. With a delta of one nothing behind is ever taken.
    """
    rows, columns = (
        torch.arange(delta + 1, height - delta + 1),
        torch.arange(delta + 1, width - delta + 1),
    )
    h, w = torch.meshgrid(rows, columns, indexing="ij")
    time = (2 * delta) * (height - h) + (width - w) if delta > 1 else torch.zeros_like(h)
    time, at = time.flatten(), (h * width + w).flatten()
    order = time.argsort(stable=True)
    _, lengths = torch.unique(time, return_counts=True)
    return torch.split(at[order].to(device), lengths.tolist()) if len(at) else ()


def defocus_blur(x: Tensor, keys: Tensor, c: Mapping[str, float]) -> Tensor:
    """The mean over a disk of radius ``disk`` with soft edges; mirrored at the border."""
    kernel, bits = _disk(c["disk"], c["alias"])
    height, width = x.shape[-2:]
    reach = len(kernel) // 2
    rows = place(torch.arange(-reach, height + reach), height, "mirror").to(x.device)
    columns = place(torch.arange(-reach, width + reach), width, "mirror").to(x.device)
    padded = x.index_select(-2, rows).index_select(-1, columns)
    if bits == 16:
        total = torch.zeros(x.shape, device=x.device)
        for i, line in enumerate(kernel.tolist()):
            for j, weight in enumerate(line):
                if weight:
                    total += padded[..., i : i + height, j : j + width] * weight
        return total * 2.0**-bits
    # By Fourier transforms in float64: the sums are whole numbers, so that rounding mends
    # whatever their order did.
    size = padded.shape[-2:]
    spectrum = torch.fft.rfft2(padded.double())
    spectrum *= torch.fft.rfft2(kernel.flip(0, 1).to(x.device), s=size)
    full = torch.fft.irfft2(spectrum, s=size)
    return torch.round(full[..., 2 * reach :, 2 * reach :]) * 2.0**-bits


@lru_cache(maxsize=64)
def _disk(radius: float, alias: float) -> tuple[Tensor, int]:
    """Weights of a disk after a small Gaussian, whole numbers in float64, and their bits.

    The small Gaussian has 3 x 3 weights up to a radius of 8, and 5 x 5 beyond. Weights of few
    pixels have 16 bits, so that their sums are exact in float32 too.
    """
    reach = max(8, math.ceil(radius))
    at = torch.arange(-reach, reach + 1, dtype=torch.float64)
    disk = (at[:, None] ** 2 + at**2 <= radius**2).double()
    soft = 1 if radius <= 8 else 2
    offsets = torch.arange(-soft, soft + 1, dtype=torch.float64)
    window = torch.exp(-(offsets**2) / (2 * alias**2))
    window = torch.outer(window, window) / window.sum() ** 2
    # Mirrored at the table's edge: a disk that reaches it gains a little there, as theirs does.
    padded = F.pad((disk / disk.sum())[None, None], (soft,) * 4, mode="reflect")
    smooth = F.conv2d(padded, window[None, None])[0, 0]
    middle = len(smooth) // 2
    extent = int((torch.nonzero(smooth > 2.0**-17) - middle).abs().max())
    bits = 16 if extent <= 3 else 22
    part = slice(middle - extent, middle + extent + 1)
    return whole(smooth.flatten(), bits).view_as(smooth)[part, part], bits


def motion_blur(x: Tensor, keys: Tensor, c: Mapping[str, float]) -> Tensor:
    """A smear to one side, in a direction of -45 to 45 degrees; rounded, as ImageMagick does."""
    angle = counter.uniform(keys, 1)[:, 0].double() * 90 - 45
    return torch.floor(smeared(x.float(), angle, int(c["radius"]), c["sigma"]) + 0.5)


def smeared(x: Tensor, angle: Tensor, radius: int, sigma: float) -> Tensor:
    """ImageMagick's motion blur: half a Gaussian along a line of ``2 radius + 1`` pixels.

    Args:
        x: whole numbers 0..255 in float32, [N, C, H, W]; the border's pixels go on outside.
        angle: of each image, in degrees, [N] in float64.
        radius: of the line.
        sigma: of the Gaussian, in pixels.
    """
    taps = torch.arange(2 * radius + 1, dtype=torch.float64)
    weights = whole(torch.softmax(-(taps**2) / (2 * sigma**2), 0), 16).float()
    used = int(weights.count_nonzero())
    taps, weights = taps[:used], weights[:used]
    radians = torch.deg2rad(angle)[:, None]
    taps = taps.to(x.device)
    down = torch.ceil(taps * torch.sin(radians) - 0.5).int()
    right = torch.ceil(taps * torch.cos(radians) - 0.5).int()
    # The sums are whole numbers below 2^24: their order changes nothing.
    sums = _by_shifts if x.is_cpu and x[0].numel() >= _LARGE else _by_places
    return sums(x, down, right, weights.tolist()) * 2.0**-16


_LARGE = 2048
"""Values of an image from which on a CPU shifts it faster than it looks up each value."""


def _by_shifts(x: Tensor, down: Tensor, right: Tensor, weights: list[float]) -> Tensor:
    """Images whose taps lie at the same pixels, smeared together by shifts of all of them."""
    kinds, kind = torch.unique(torch.cat([down, right], 1), dim=0, return_inverse=True)
    order, used = kind.argsort(), len(weights)
    padded = F.pad(x.index_select(0, order), (used,) * 4, mode="replicate")
    sums = torch.zeros_like(x)
    strides, across = padded.stride(), padded.shape[-1]
    begin = 0
    for offsets, amount in zip(kinds.tolist(), kind.bincount().tolist(), strict=True):
        into = sums[begin : begin + amount]
        first = begin * strides[0] + used * across + used
        for dy, dx, weight in zip(offsets[:used], offsets[used:], weights, strict=True):
            into.add_(
                padded.as_strided(into.shape, strides, first + dy * across + dx), alpha=weight
            )
        begin += amount
    return torch.empty_like(sums).index_copy_(0, order, sums)


def _by_places(x: Tensor, down: Tensor, right: Tensor, weights: list[float]) -> Tensor:
    """The same by looking up the place of each value; all images at once."""
    used = len(weights)
    count, channels, height, width = x.shape
    # Of all images the pixels lie in one row; a tap is at a fixed distance from each.
    padded = F.pad(x, (used,) * 4, mode="replicate")
    across = width + 2 * used
    first = torch.arange(count, device=x.device, dtype=torch.int32) * (padded[0, 0].numel())
    rows = torch.arange(used, used + height, device=x.device, dtype=torch.int32)
    columns = torch.arange(used, used + width, device=x.device, dtype=torch.int32)
    start = (rows[:, None] * across + columns).view(1, -1) + first[:, None]
    total = torch.zeros(channels, count * height * width, device=x.device)
    planes = [padded[:, i].reshape(-1) for i in range(channels)]
    for tap, weight in enumerate(weights):
        index = (start + (down[:, tap] * across + right[:, tap])[:, None]).view(-1)
        for plane, line in zip(planes, total, strict=True):
            line.add_(plane.index_select(0, index), alpha=weight)
    return total.view(channels, count, height, width).transpose(0, 1)


def zoom_blur(x: Tensor, keys: Tensor, c: Mapping[str, float]) -> Tensor:
    """The mean of the image and its enlargements by 1, 1 + step, ..., ``steps`` of them."""
    factors = tuple(1 + i * c["step"] for i in range(int(c["steps"])))
    count, channels, height, width = x.shape
    taken, begins, weights = zooming(height, width, factors, x.device)
    pixels = x.reshape(count * channels, -1).T.contiguous().float()
    total = F.embedding_bag(taken, pixels, begins, mode="sum", per_sample_weights=weights)
    return (total.T * 2.0**-16).reshape(x.shape)
