"""Random numbers by counter: the n-th number of a stream is a function of its key and n alone.

No state is carried from draw to draw, so that a batch of streams (one for each image) is drawn
at once, and neither the size of a batch nor its order moves a number. Only integer operations
and table look-ups are used: every device gives the same bits.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from nasdsl.seeding import Key, derive

_BLOCK = {"cpu": 1 << 15, "cuda": 1 << 24}
"""Numbers mixed at once. On a CPU they stay in a core's cache, and torch starts no threads for so
few: on a machine that is busy, waiting for threads some fifty times costs more than all of it."""
_ALONE = 1 << 17
"""Numbers mixed at once where torch has one thread."""


def streams(indices: Tensor, *keys: Key) -> Tensor:
    """The keys of one stream for each index, [N, 2] in int32.

    Args:
        indices: [N] in int64; equal ones get equal streams.
        keys: what else the streams depend on.
    """
    z = indices.to(torch.int64) * _signed(0x9E3779B97F4A7C15) + derive("stream", *keys)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):  # splitmix64
        z = (z ^ ((z >> shift) & ((1 << (64 - shift)) - 1))) * _signed(factor)
    z = z ^ ((z >> 31) & ((1 << 33) - 1))
    return torch.stack([_low(z), _low(z >> 32)], 1)


def bits(keys: Tensor, count: int, start: int = 0) -> Tensor:
    """``count`` numbers of 32 random bits for each stream, [N, count] in int32.

    They are those with the numbers ``start`` to ``start + count`` of the stream.
    """
    counter = torch.arange(start, start + count, device=keys.device, dtype=torch.int64)
    counter = _low(counter * 0x9E3779B1)
    found = torch.empty(len(keys), count, dtype=torch.int32, device=keys.device)
    block = _BLOCK.get(keys.device.type, 1 << 20)
    if keys.is_cpu and torch.get_num_threads() == 1:
        block = _ALONE
    rows = max(1, block // max(1, count))
    for first in range(0, len(keys), rows):
        part, key = found[first : first + rows], keys[first : first + rows]
        torch.add(counter, key[:, :1], out=part)
        _mix(part)
        part.bitwise_xor_(key[:, 1:])
        _mix(part)
    return found


def _mix(h: Tensor) -> None:
    """A bijection of 32 bits in place in which each bit of a result hangs on each of h.

    The shifts and factors are those of the "lowbias32" hash found by C. Wellons.
    """
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B), (16, None)):
        high = h >> shift  # arithmetic: the copies of the sign are taken away
        h.bitwise_xor_(high.bitwise_and_((1 << (32 - shift)) - 1))
        if factor is not None:
            h.mul_(_signed32(factor))


def halves(keys: Tensor, count: int, start: int = 0) -> Tensor:
    """``count`` numbers of 16 random bits for each stream, 0..65535, [N, count] in int32.

    Two use one number of 32 bits; ``start`` is even.
    """
    pairs = bits(keys, (count + 1) // 2, start // 2)
    found: Tensor = pairs.view(torch.int16).to(torch.int32).add_(1 << 15)
    return found[:, :count]


def uniform(keys: Tensor, count: int, start: int = 0) -> Tensor:
    """``count`` numbers in [0, 1) for each stream, multiples of 2^-24, [N, count] in float32."""
    high = bits(keys, count, start).bitwise_right_shift_(8).bitwise_and_(0xFFFFFF)
    return high.float().mul_(2.0**-24)


def normal(keys: Tensor, count: int, start: int = 0) -> Tensor:
    """``count`` standard normal numbers for each stream, [N, count] in float32.

    Each is one of 65,536 equally likely quantiles (of mean 0 and variance 1): no distribution
    function differs from the normal's by more than 2^-17, and the largest number is 4.3.
    Two numbers use one of 32 bits; ``start`` is even.
    """
    drawn = halves(keys, count, start)
    values: Tensor = _quantiles(keys.device).index_select(0, drawn.reshape(-1))
    return values.view(drawn.shape)


@lru_cache(maxsize=8)
def _quantiles(device: torch.device) -> Tensor:
    middle = (torch.arange(1 << 16, dtype=torch.float64) + 0.5) / (1 << 16)
    values: Tensor = torch.special.ndtri(middle)
    values = values / values.std(correction=0)
    return values.float().to(device)


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


def _signed32(value: int) -> int:
    return value - (1 << 32) if value >= 1 << 31 else value


def _low(z: Tensor) -> Tensor:
    """The low 32 bits of int64 numbers as int32."""
    low = z & 0xFFFFFFFF
    return torch.where(low >= 1 << 31, low - (1 << 32), low).to(torch.int32)
