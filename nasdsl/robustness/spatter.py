"""Spatter: drops of water, or of mud, on the lens."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from nasdsl.robustness import counter
from nasdsl.robustness.linear import BITS, Border, blurred, place
from nasdsl.robustness.weather import luma

_WATER = (175.0, 238.0, 238.0)
_MUD = (63.0, 42.0, 20.0)


def spatter(x: Tensor, keys: Tensor, c: Mapping[str, float]) -> Tensor:
    """Smooth noise above a threshold is wet: water brightens by its relief, mud covers."""
    count, channels, height, width = x.shape
    noise = counter.normal(keys, height * width).view(count, 1, height, width)
    whole = torch.round((noise * c["std"] + c["mean"]) * 4096)  # so that the sums are exact
    layer = blurred(whole, c["sigma"]) * 2.0 ** -(12 + 2 * BITS)
    layer = torch.where(layer < c["threshold"], torch.zeros_like(layer), layer)
    color = torch.tensor(_MUD if c["mud"] else _WATER, device=x.device).view(1, 3, 1, 1)
    color = color if channels == 3 else luma(color)
    clean = x.float()
    if c["mud"]:
        cover = blurred((layer > c["threshold"]).double(), c["strength"]) * 4.0**-BITS
        cover = torch.where(cover < 0.8, torch.zeros_like(cover), cover).float()
        return clean * (1 - cover) + color * cover
    liquid = torch.floor(layer.clamp(0, 1) * 255).int()
    wet = liquid.float() * relief(liquid).float()
    wet = wet / wet.amax((2, 3), keepdim=True).clamp(min=1)
    return clean + color * (wet * c["strength"])


def relief(liquid: Tensor) -> Tensor:
    """How drops refract: from the distance to their edges, embossed; as OpenCV computes it.

    Args:
        liquid: [N, 1, H, W], 0..255.

    Returns:
        [N, 1, H, W], 0..255.
    """
    distance = _distance(edges(liquid)).clamp(max=20)
    level = torch.floor(_mean(distance) + 1e-4).int()
    level = _equalized(level)
    emboss = ((-2, -1, 0), (-1, 1, 1), (0, 1, 2))
    padded = _bordered(level, "mirror")
    height, width = level.shape[-2:]
    total = torch.zeros_like(level)
    for i, line in enumerate(emboss):
        for j, weight in enumerate(line):
            total += padded[..., i : i + height, j : j + width] * weight
    return torch.round(_mean(total.clamp(0, 255).float())).int()


def _bordered(x: Tensor, border: str, reach: int = 1) -> Tensor:
    kind: Border = "mirror" if border == "mirror" else "nearest"
    for axis in (-2, -1):
        at = torch.arange(-reach, x.shape[axis] + reach)
        x = x.index_select(axis, place(at, x.shape[axis], kind).to(x.device))
    return x


def _mean(x: Tensor) -> Tensor:
    """The mean of 3 x 3 pixels, summed in one order."""
    height, width = x.shape[-2:]
    padded = _bordered(x, "mirror")
    total = torch.zeros_like(x)
    for i in range(3):
        for j in range(3):
            total += padded[..., i : i + height, j : j + width]
    return total / 9


def edges(grey: Tensor, low: int = 50, high: int = 150) -> Tensor:
    """Canny's edges (1986) of whole numbers [N, 1, H, W], truth values: Sobel, the sum of the
    absolute slopes as magnitude, four directions, eight neighbors."""
    height, width = grey.shape[-2:]
    p = _bordered(grey, "nearest")

    def at(y: int, z: int) -> Tensor:
        return p[..., 1 + y : 1 + y + height, 1 + z : 1 + z + width]

    dx = at(-1, 1) + 2 * at(0, 1) + at(1, 1) - at(-1, -1) - 2 * at(0, -1) - at(1, -1)
    dy = at(1, -1) + 2 * at(1, 0) + at(1, 1) - at(-1, -1) - 2 * at(-1, 0) - at(-1, 1)
    size = dx.abs() + dy.abs()
    q = F.pad(size, (1, 1, 1, 1))

    def near(y: int, z: int) -> Tensor:
        return q[..., 1 + y : 1 + y + height, 1 + z : 1 + z + width]

    # tan(22.5 degrees) and tan(67.5 degrees) in 15 bits.
    rise, flat = dy.abs() << 15, dx.abs() * 13573
    steep = flat + (dx.abs() << 16)
    across = (size > near(0, -1)) & (size >= near(0, 1))
    along = (size > near(-1, 0)) & (size >= near(1, 0))
    falling = (size > near(-1, -1)) & (size > near(1, 1))
    rising = (size > near(-1, 1)) & (size > near(1, -1))
    slanted = torch.where((dx ^ dy) < 0, rising, falling)
    ridge = torch.where(rise < flat, across, torch.where(rise > steep, along, slanted))
    weak = ridge & (size > low)
    found = weak & (size > high)
    while True:  # edges grow along weak ones
        wider = F.max_pool2d(found.float(), 3, 1, 1) > 0
        wider &= weak
        if torch.equal(wider, found):
            return found
        found = wider


def _distance(found: Tensor) -> Tensor:
    """The length of the way to the nearest edge over steps of 1, 1.4 and 2.1969 pixels (straight,
    diagonal, a knight's), as OpenCV's 5 x 5 mask has it; no further than 20 matters."""
    height, width = found.shape[-2:]
    far = torch.full(found.shape, 30.0, device=found.device)
    distance = torch.where(found, torch.zeros_like(far), far)
    moves = [(y, z) for y in range(-2, 3) for z in range(-2, 3)]
    lengths = {1: 1.0, 2: 1.4, 5: 2.1969}
    while True:
        padded = F.pad(distance, (2, 2, 2, 2), value=30.0)
        nearer = distance
        for y, z in moves:
            length = lengths.get(y * y + z * z)
            if length is not None:
                beside = padded[..., 2 + y : 2 + y + height, 2 + z : 2 + z + width]
                nearer = torch.minimum(nearer, beside + length)
        if torch.equal(nearer, distance):
            return distance
        distance = nearer


def _equalized(level: Tensor) -> Tensor:
    """Histograms spread evenly over 0..255, image by image, as OpenCV does."""
    count = len(level)
    flat = level.reshape(count, -1).long()
    histogram = torch.zeros(count, 256, dtype=torch.int64, device=level.device)
    histogram.scatter_add_(1, flat, torch.ones_like(flat))
    below = histogram.cumsum(1)
    first = (histogram > 0).int().argmax(1, keepdim=True)
    lowest = histogram.gather(1, first)
    rest = flat.shape[1] - lowest
    scale = 255.0 / rest.clamp(min=1).float()
    table = torch.round((below - lowest).clamp(min=0).float() * scale).long()
    table = torch.where(rest > 0, table, first)
    return table.gather(1, flat).view_as(level).int()
