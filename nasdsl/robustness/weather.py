"""Snow, frost, fog, brightness, and the two other changes of color: contrast and saturation."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import torch
from torch import Tensor

from nasdsl.robustness import counter
from nasdsl.robustness.blur import smeared
from nasdsl.robustness.linear import enlarging, separable


def luma(x: Tensor) -> Tensor:
    """The grey of colors [N, 3, H, W], ITU-R 601, [N, 1, H, W]; grey images as they are."""
    if x.shape[1] == 1:
        return x
    red, green, blue = (x[:, i : i + 1] for i in range(3))
    return red * 0.299 + green * 0.587 + blue * 0.114


def snow(x: Tensor, keys: Tensor, c: Mapping[str, float]) -> Tensor:
    """Flakes: enlarged noise above a threshold, smeared, and once more turned by 180 degrees."""
    count, _, height, width = x.shape
    noise = counter.normal(keys, height * width).view(count, 1, height, width)
    layer = noise * c["std"] + c["mean"]
    bits = 16
    whole = torch.round(layer * 4096)  # so that the sums below are exact
    layer = separable(
        whole,
        enlarging(height, c["zoom"], bits, x.device),
        enlarging(width, c["zoom"], bits, x.device),
    ) * 2.0 ** -(12 + 2 * bits)
    layer.masked_fill_(layer < c["threshold"], 0)
    flakes = layer.clamp_(0, 1).mul_(255).floor_().float()
    start = height * width + height * width % 2
    angle = counter.uniform(keys, 1, start)[:, 0].double() * 90 - 135
    flakes = smeared(flakes, angle, int(c["radius"]), c["sigma"]).add_(0.5).floor_()
    clean = x.float()
    white = torch.maximum(clean, (luma(clean) * 1.5).add_(127.5)).mul_(1 - c["image"])
    return (clean * c["image"]).add_(white).add_(flakes).add_(flakes.flip(-2, -1))


def frost(x: Tensor, keys: Tensor, c: Mapping[str, float]) -> Tensor:
    """A piece of a picture of ice, added to the darkened image.

    The published programs crop one of five photographs. Here the pictures are drawn, with the
    photographs' mean color, contrast, and fineness: see :func:`ice`.
    """
    return frosted(x, keys, c, ice(_canvas(max(x.shape[-2:])), x.device))


def frosted(x: Tensor, keys: Tensor, c: Mapping[str, float], pictures: Tensor) -> Tensor:
    """Frost with pictures of one's own.

    Args:
        x: images [N, C, H, W].
        keys: streams, one for each image.
        c: constants.
        pictures: [K, 3, H', W'] with values 0..255, at least as large as the images.
    """
    height, width = x.shape[-2:]
    drawn = counter.uniform(keys, 3)
    which = (drawn[:, 0] * len(pictures)).long()
    top = (drawn[:, 1] * max(1, pictures.shape[-2] - height)).long()
    left = (drawn[:, 2] * max(1, pictures.shape[-1] - width)).long()
    rows = top[:, None] + torch.arange(height, device=x.device)
    columns = left[:, None] + torch.arange(width, device=x.device)
    if x.shape[1] == 1:
        pictures = luma(pictures)
    cut = pictures.movedim(1, -1)[which[:, None, None], rows[:, :, None], columns[:, None]]
    return x.float() * c["image"] + cut.movedim(-1, 1) * c["frost"]


def _canvas(size: int) -> int:
    return 1 << (4 * size - 1).bit_length()


# Mean color and standard deviation of the five photographs that the programs use, at the size
# at which they use them for CIFAR, measured.
_ICE = (
    ((78, 149, 166), 18),
    ((201, 205, 214), 22),
    ((201, 205, 214), 22),
    ((138, 153, 166), 29),
    ((112, 123, 135), 43),
)


@lru_cache(maxsize=4)
def ice(size: int, device: torch.device) -> Tensor:
    """Five pictures of ice, [5, 3, size, size] in float32, 0..255; ``size`` a power of two.

    Needles: the ridges of fractal noise (one minus its absolute value, sharpened), with the
    mean and standard deviation of the photographs; the mean step from a pixel to the next is
    0.6 to 0.8 of that deviation, as theirs.
    """
    keys = counter.streams(torch.arange(5), "ice")
    total = torch.zeros(5, size, size)
    for octave in range(4):
        cells = size >> (3 - octave)
        start = octave * size * size
        noise = counter.normal(keys, cells * cells, start).view(5, 1, cells, cells)
        fine = torch.nn.functional.interpolate(
            noise, size=(size, size), mode="bilinear", align_corners=False
        )[:, 0]
        total += fine * 0.75 ** (3 - octave)
    ridges = (1 - (total / total.std((1, 2), keepdim=True)).abs().clamp(max=2) / 2) ** 2
    ridges = ridges - ridges.mean((1, 2), keepdim=True)
    ridges = ridges / ridges.std((1, 2), keepdim=True)
    pictures = []
    for ridge, (color, spread) in zip(ridges, _ICE, strict=True):
        pictures.append(torch.tensor(color)[:, None, None] + spread * ridge)
    return torch.stack(pictures).clamp(0, 255).round().to(device)


def fog(x: Tensor, keys: Tensor, c: Mapping[str, float]) -> Tensor:
    """A plasma fractal added to the image, and the range of values brought back."""
    height, width = x.shape[-2:]
    size = 1 << (max(height, width) - 1).bit_length()
    clean = x.float().div_(255)
    highest = clean.amax((1, 2, 3), keepdim=True)
    haze = plasma(keys, size, c["decay"])[:, None, :height, :width] * c["amount"]
    return clean.add_(haze).mul_(highest).div_(highest + c["amount"]).mul_(255)


def plasma(keys: Tensor, size: int, decay: float) -> Tensor:
    """A height field of the diamond-square algorithm on a torus, [N, size, size] in 0..1.

    Middles of squares, then of their sides, are the mean of four corners plus uniform noise of
    -w^2 to w^2, where w falls from 100 by ``decay`` from scale to scale.
    """
    field = torch.zeros(len(keys), size, size, device=keys.device)
    step, wobble, start = size, 100.0, 0

    def moved(corners: Tensor) -> Tensor:
        nonlocal start
        amount = corners[0].numel()
        noise = counter.uniform(keys, amount, start).view(corners.shape)
        start += amount
        return (corners / 4).add_(noise.mul_(2).sub_(1).mul_(wobble * wobble))

    while step >= 2:
        half = step // 2
        corners = field[:, ::step, ::step]
        pairs = corners + corners.roll(-1, 1)
        field[:, half::step, half::step] = moved(pairs + pairs.roll(-1, 2))
        middles = field[:, half::step, half::step]
        corners = field[:, ::step, ::step]
        beside = corners + corners.roll(-1, 1)
        field[:, half::step, ::step] = moved(middles + middles.roll(1, 2) + beside)
        above = corners + corners.roll(-1, 2)
        field[:, ::step, half::step] = moved(middles + middles.roll(1, 1) + above)
        step, wobble = half, wobble / decay
    field.sub_(field.amin((1, 2), keepdim=True))
    return field.div_(field.amax((1, 2), keepdim=True))


def brightness(x: Tensor, keys: Tensor, c: Mapping[str, float]) -> Tensor:
    """The value of HSV is raised; hue and saturation stay, so that colors keep their ratios."""
    clean = x.float()
    value = clean.amax(1, keepdim=True)
    raised = (value + 255 * c["amount"]).clamp(max=255)
    scaled = clean * (raised / value.clamp(min=1))
    return torch.where(value > 0, scaled, raised)


def contrast(x: Tensor, keys: Tensor, c: Mapping[str, float]) -> Tensor:
    """Each channel is drawn towards its mean."""
    mean = x.sum((2, 3), keepdim=True).float() / (x.shape[-2] * x.shape[-1])
    return (x.float() - mean) * c["factor"] + mean


def saturate(x: Tensor, keys: Tensor, c: Mapping[str, float]) -> Tensor:
    """The saturation of HSV is scaled and raised. Grey has the hue of red, as skimage has it."""
    clean = x.float()
    if x.shape[1] == 1:
        return luma(saturate(x.expand(-1, 3, -1, -1), keys, c))
    value = clean.amax(1, keepdim=True)
    chroma = value - clean.amin(1, keepdim=True)
    old = chroma / value.clamp(min=1)
    new = (old * c["factor"] + c["amount"]).clamp(0, 1)
    red = torch.tensor([0.0, 1.0, 1.0], device=x.device).view(1, 3, 1, 1)
    away = torch.where(chroma > 0, (value - clean) / chroma.clamp(min=1), red)
    return value - value * (new * away)
