"""What compressing does to images: fewer pixels, and JPEG."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from nasdsl.robustness.linear import place


def pixelate(x: Tensor, keys: Tensor, c: Mapping[str, float]) -> Tensor:
    """Fewer pixels, each the mean of those in its box, and back; rounded as Pillow does."""
    height, width = x.shape[-2:]
    low = max(1, int(height * c["factor"])), max(1, int(width * c["factor"]))
    small = _boxed(x.float(), *low)
    return _boxed(small, height, width)


def _boxed(x: Tensor, height: int, width: int) -> Tensor:
    """Whole numbers [N, C, H, W] resized by box means, first rows' pixels, then columns'."""
    across, amount = _boxes(x.shape[-1], width, x.device)
    x = torch.floor((x @ across.T * 2 + amount) / (2 * amount))
    down, amount = _boxes(x.shape[-2], height, x.device)
    sums = (x.mT @ down.T).mT
    return torch.floor((sums * 2 + amount[:, None]) / (2 * amount[:, None]))


@lru_cache(maxsize=64)
def _boxes(size: int, wanted: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Which pixels [wanted, size] each new one is the mean of, and how many [wanted]."""
    scale = size / wanted
    reach = max(scale, 1.0)
    matrix = torch.zeros(wanted, size)
    for i in range(wanted):
        middle = (i + 0.5) * scale
        first = max(0, int(middle - reach / 2 + 0.5))
        last = min(size, int(middle + reach / 2 + 0.5))
        for j in range(first, last):
            if -0.5 < (j - middle + 0.5) / reach <= 0.5:
                matrix[i, j] = 1
    return matrix.to(device), matrix.sum(1).to(device)


# The example tables of ITU-T T.81, Annex K, by rows.
_LUMA = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
_CHROMA = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * 8,) * 4,
)
_DCT_BITS = 24


def jpeg_compression(x: Tensor, keys: Tensor, c: Mapping[str, float]) -> Tensor:
    """JPEG and back: 4:2:0 for colors, tables of libjpeg for ``quality``, smooth upsampling.

    The lossless half of the format changes nothing and is left out. Coefficients are exact
    where libjpeg's transform rounds in between: a few of a hundred values differ by one from
    Pillow's.
    """
    quality = int(c["quality"])
    height, width = x.shape[-2:]
    if x.shape[1] == 1:
        padded = _padded(x.int(), height, width, 8)
        return _transformed(padded, quality, _LUMA)[..., :height, :width]
    full = _padded(x.int(), height, width, 16)
    red, green, blue = full.unbind(1)
    # The fixed point of libjpeg: 16 bits, rounded.
    half = 1 << 15
    bright = (19595 * red + 38470 * green + 7471 * blue + half) >> 16
    offset = (128 << 16) + half - 1
    chroma_blue = (-11059 * red - 21709 * green + 32768 * blue + offset) >> 16
    chroma_red = (32768 * red - 27439 * green - 5329 * blue + offset) >> 16
    chroma = torch.stack([chroma_blue, chroma_red], 1)
    # Means of four; a half goes down and up by turns along a row.
    four = chroma[..., ::2, ::2] + chroma[..., 1::2, ::2]
    four = four + chroma[..., ::2, 1::2] + chroma[..., 1::2, 1::2]
    turns = torch.arange(four.shape[-1], device=x.device, dtype=torch.int32) % 2 + 1
    four = (four + turns) >> 2
    bright = _transformed(bright[:, None], quality, _LUMA)[:, 0, :height, :width]
    four = _transformed(four, quality, _CHROMA)
    four = four[..., : (height + 1) // 2, : (width + 1) // 2]
    wide = _doubled(four)[..., :height, :width] - 128
    blueness, redness = wide.unbind(1)
    colors = [
        bright + ((91881 * redness + half) >> 16),
        bright + ((-22554 * blueness - 46802 * redness + half) >> 16),
        bright + ((116130 * blueness + half) >> 16),
    ]
    return torch.stack(colors, 1)


def _padded(x: Tensor, height: int, width: int, block: int) -> Tensor:
    down, right = -height % block, -width % block
    if not down and not right:
        return x
    rows = place(torch.arange(height + down), height, "nearest").to(x.device)
    columns = place(torch.arange(width + right), width, "nearest").to(x.device)
    return x.index_select(-2, rows).index_select(-1, columns)


def _transformed(x: Tensor, quality: int, table: tuple[tuple[int, ...], ...]) -> Tensor:
    """Whole numbers [N, C, H, W] after transform, quantization, and the way back, 0..255."""
    count, channels, height, width = x.shape
    blocks = x.view(count, channels, height // 8, 8, width // 8, 8).transpose(3, 4)
    matrix = _dct(x.device)
    steps = _steps(quality, table, x.device)
    found = (blocks.reshape(-1, 64) - 128).double() @ matrix.T * 2.0**-_DCT_BITS
    # To the nearest, halves away from zero.
    levels = torch.floor(found.abs() / steps + 0.5) * torch.sign(found)
    back = torch.floor((levels * steps) @ matrix * 2.0**-_DCT_BITS + 128.5)
    back = back.clamp(0, 255).int().view(count, channels, height // 8, width // 8, 8, 8)
    return back.transpose(3, 4).reshape(x.shape)


@lru_cache(maxsize=4)
def _dct(device: torch.device) -> Tensor:
    """The 2-D cosine transform of 8 x 8 values as a matrix [64, 64], times 2^24, rounded."""
    k = torch.arange(8, dtype=torch.float64)
    line = torch.cos((2 * k + 1) * k[:, None] * (math.pi / 16)) / 2
    line[0] = math.sqrt(1 / 8)
    return torch.round(torch.kron(line, line) * 2.0**_DCT_BITS).to(device)


@lru_cache(maxsize=64)
def _steps(quality: int, table: tuple[tuple[int, ...], ...], device: torch.device) -> Tensor:
    """The quantization steps [64] that libjpeg makes of a table for a quality of 1..100."""
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    base = torch.tensor(table).flatten()
    return ((base * scale + 50) // 100).clamp(1, 255).double().to(device)


def _doubled(x: Tensor) -> Tensor:
    """Twice the size by libjpeg's triangle filter: 9, 3, 3 and 1 sixteenths, rounded so that
    halves go up and down by turns."""
    x = F.pad(x.float(), (1, 1, 1, 1), mode="replicate").int()
    rows = torch.stack(
        [3 * x[..., 1:-1, :] + x[..., :-2, :], 3 * x[..., 1:-1, :] + x[..., 2:, :]], -2
    )
    rows = rows.flatten(-3, -2)
    left = (3 * rows[..., 1:-1] + rows[..., :-2] + 8) >> 4
    right = (3 * rows[..., 1:-1] + rows[..., 2:] + 7) >> 4
    return torch.stack([left, right], -1).flatten(-2)
