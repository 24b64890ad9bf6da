"""The elastic transform: a random affine map, then a smooth random displacement."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from nasdsl.robustness import counter
from nasdsl.robustness.linear import Border, blurred, place


def elastic_transform(x: Tensor, keys: Tensor, c: Mapping[str, float]) -> Tensor:
    """Three points move by up to ``affine`` times the size, and the image with them; then each
    pixel comes from up to about ``alpha`` times the size away, smoothly over ``sigma``."""
    count, _, height, width = x.shape
    size = min(height, width)
    y = torch.arange(height, device=x.device, dtype=torch.float32)[:, None]
    z = torch.arange(width, device=x.device, dtype=torch.float32)
    moves = (counter.uniform(keys, 6) * 2 - 1).double() * (c["affine"] * size)
    inverse = _inverse(moves.view(count, 3, 2), height, width).float()[..., None, None]
    found = sampled(
        x.float(),
        inverse[:, 1, 0] * z + inverse[:, 1, 1] * y + inverse[:, 1, 2],
        inverse[:, 0, 0] * z + inverse[:, 0, 1] * y + inverse[:, 0, 2],
        "mirror",
    )
    if not c["alpha"]:
        return found
    # 16 bits of noise and 14 of weights, twice, are whole numbers below 2^53.
    noise = counter.uniform(keys, 2 * height * width, 8).view(count, 2, height, width)
    noise.mul_(2).sub_(1).mul_(32767).round_()
    shifts = blurred(noise, c["sigma"] * size, "reflect", 3.0, 14).mul_(2.0**-28 / 32767)
    shifts = shifts.mul_(c["alpha"] * size).float()
    return sampled(found, y + shifts[:, 1], z + shifts[:, 0], "reflect")


def _inverse(moves: Tensor, height: int, width: int) -> Tensor:
    """Where pixels come from when three points around the middle move, [N, 2, 3] on (x, y, 1).

    The published programs name the middle (height // 2, width // 2) in coordinates (x, y);
    for square images it is all one.
    """
    first, second = height // 2, width // 2
    arm = min(height, width) // 3
    start = torch.tensor(
        [[first + arm, second + arm], [first + arm, second - arm], [first - arm, second - arm]],
        dtype=torch.float64,
        device=moves.device,
    )
    end = start + moves
    # The map is A p + t: two sides of the triangle give the columns of A.
    by_y = (end[:, 0] - end[:, 1]) / (2 * arm)
    by_x = (end[:, 1] - end[:, 2]) / (2 * arm)
    a, b, d, e = by_x[:, 0], by_y[:, 0], by_x[:, 1], by_y[:, 1]
    shift = end[:, 0] - by_x * start[0, 0] - by_y * start[0, 1]
    area = a * e - b * d
    # Three points in a line would map the plane to it; the sizes in use are far from that.
    area = torch.where(area.abs() < 1e-6, torch.full_like(area, 1e-6), area)
    rows = torch.stack([torch.stack([e, -b], 1), torch.stack([-d, a], 1)], 1)
    rows = rows / area[:, None, None]
    back = rows[:, :, 0] * shift[:, :1] + rows[:, :, 1] * shift[:, 1:]
    return torch.cat([rows, -back[..., None]], 2)


def sampled(x: Tensor, y: Tensor, z: Tensor, border: Border) -> Tensor:
    """Images [N, C, H, W] at rows ``y`` and columns ``z``, [N, H, W], linear between pixels."""
    count, channels, height, width = x.shape
    above, before = torch.floor(y), torch.floor(z)
    down, right = (y - above).view(-1), (z - before).view(-1)
    top, left = above.int(), before.int()
    bottom, after = place(top + 1, height, border), place(left + 1, width, border)
    top, left = place(top, height, border), place(left, width, border)
    first = torch.arange(count, device=x.device, dtype=torch.int32).view(-1, 1, 1)
    first = first * (height * width)
    top, bottom = top.mul_(width).add_(first), bottom.mul_(width).add_(first)
    corners = [(row + column).view(-1) for row in (top, bottom) for column in (left, after)]
    up, back = 1 - down, 1 - right
    found = torch.empty(count, channels, *y.shape[1:], device=x.device)
    # In place and channel by channel: most of the time went into new memory.
    for i in range(channels):
        plane = x[:, i].reshape(-1)
        a, b, c, d = (plane.index_select(0, corner) for corner in corners)
        upper = a.mul_(back).add_(b.mul_(right)).mul_(up)
        lower = c.mul_(back).add_(d.mul_(right)).mul_(down)
        found[:, i] = upper.add_(lower).view(y.shape)
    return found
