"""What compressing does to images: fewer pixels, and JPEG."""

from __future__ import annotations

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
    x = (x @ across.T).mul_(2).add_(amount).div_(2 * amount).floor_()
    down, amount = _boxes(x.shape[-2], height, x.device)
    sums = (x.mT @ down.T).mT
    return sums.mul_(2).add_(amount[:, None]).div_(2 * amount[:, None]).floor_()


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


def jpeg_compression(x: Tensor, keys: Tensor, c: Mapping[str, float]) -> Tensor:
    """JPEG and back: 4:2:0 for colors, tables of libjpeg for ``quality``, smooth upsampling.

    The lossless half of the format changes nothing and is left out. The arithmetic is that of
    libjpeg in whole numbers, so that Pillow gives the same values.
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
    offset = (128 << 16) + half - 1
    bright = _mixed(half, (red, 19595), (green, 38470), (blue, 7471))
    chroma_blue = _mixed(offset, (red, -11059), (green, -21709), (blue, 32768))
    chroma_red = _mixed(offset, (red, 32768), (green, -27439), (blue, -5329))
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
        _mixed(half, (redness, 91881)).add_(bright),
        _mixed(half, (blueness, -22554), (redness, -46802)).add_(bright),
        _mixed(half, (blueness, 116130)).add_(bright),
    ]
    return torch.stack(colors, 1)


def _mixed(offset: int, first: tuple[Tensor, int], *others: tuple[Tensor, int]) -> Tensor:
    """The sum of an offset and of whole numbers times factors, its low 16 bits cut off."""
    total = (first[0] * first[1]).add_(offset)
    for value, factor in others:
        total.add_(value, alpha=factor)
    return total.bitwise_right_shift_(16)


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
    blocks = blocks.reshape(-1, 8, 8).double().sub_(128)
    matrix, steps = _cosines(x.device), _steps(quality, table, x.device)
    # Rows, then columns; two further bits are kept between them, and three at the end.
    found = _rounded(_rounded(blocks @ matrix.T, 11).mT @ matrix.T, 15).mT
    # To the nearest, halves away from zero.
    levels = found.abs().div_(8 * steps).add_(0.5).floor_().copysign_(found).mul_(steps)
    back = _rounded(_rounded(levels.mT @ matrix, 11).mT @ matrix, 18).add_(128)
    back = back.clamp_(0, 255).int().view(count, channels, height // 8, width // 8, 8, 8)
    return back.transpose(3, 4).reshape(x.shape)


def _rounded(x: Tensor, bits: int) -> Tensor:
    """Whole numbers divided by a power of two, halves up; in place."""
    return x.mul_(2.0**-bits).add_(0.5).floor_()


@lru_cache(maxsize=4)
def _cosines(device: torch.device) -> Tensor:
    """The cosine transform of 8 values in the fixed point of libjpeg, [8, 8], times 2^13 sqrt 8.

    Its factors come from the algorithm of Loeffler, Ligtenberg and Moschytz (1989), each rounded
    to 13 bits, of which an entry sums up to four; the way back is the transposed matrix.
    """

    def factor(value: float) -> int:
        return round(value * 2**13)

    x = torch.eye(8, dtype=torch.float64)
    sums, gaps = x[:4] + x.flip(0)[:4], x[:4] - x.flip(0)[:4]
    outer, inner = sums[:2] + sums.flip(0)[:2], sums[:2] - sums.flip(0)[:2]
    turn = (inner[1] + inner[0]) * factor(0.541196100)
    out = torch.zeros(8, 8, dtype=torch.float64)
    out[0] = (outer[0] + outer[1]) * 2**13
    out[4] = (outer[0] - outer[1]) * 2**13
    out[2] = turn + inner[0] * factor(0.765366865)
    out[6] = turn - inner[1] * factor(1.847759065)
    d, c, b, a = gaps
    common = (a + b + c + d) * factor(1.175875602)
    ends, middles = (a + d) * factor(0.899976223), (b + c) * factor(2.562915447)
    first = common - (a + c) * factor(1.961570560)
    second = common - (b + d) * factor(0.390180644)
    out[7] = a * factor(0.298631336) - ends + first
    out[5] = b * factor(2.053119869) - middles + second
    out[3] = c * factor(3.072711026) - middles + first
    out[1] = d * factor(1.501321110) - ends + second
    return out.to(device)


@lru_cache(maxsize=64)
def _steps(quality: int, table: tuple[tuple[int, ...], ...], device: torch.device) -> Tensor:
    """The quantization steps [8, 8] that libjpeg makes of a table for a quality of 1..100."""
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    base = torch.tensor(table).flatten()
    return ((base * scale + 50) // 100).clamp(1, 255).double().view(8, 8).to(device)


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
