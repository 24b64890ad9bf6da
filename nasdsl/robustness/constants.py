"""The constants of the corruptions, by severity, and what they are between the two tables.

Images of up to 32 pixels get those of the program that made CIFAR-10-C, images from 224 pixels
on those of ImageNet-C (Hendrycks and Dietterich, ICLR 2019). Between them a constant moves
linearly with the logarithm of the size (the geometric mean of height and width); whole numbers
are rounded. Lengths of the elastic transform are fractions of the size in both tables.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache

SMALL, LARGE = 32, 224

Row = tuple[float, ...]
Table = tuple[tuple[str, ...], tuple[Row, ...], tuple[Row, ...]]

WHOLE = frozenset({"delta", "rounds", "radius", "quality", "steps", "mud"})
"""Constants that are whole numbers."""

# Names, CIFAR-C by severity, ImageNet-C by severity.
TABLES: Mapping[str, Table] = {
    "gaussian_noise": (
        ("sigma",),
        ((0.04,), (0.06,), (0.08,), (0.09,), (0.10,)),
        ((0.08,), (0.12,), (0.18,), (0.26,), (0.38,)),
    ),
    "shot_noise": (
        ("photons",),
        ((500,), (250,), (100,), (75,), (50,)),
        ((60,), (25,), (12,), (5,), (3,)),
    ),
    "impulse_noise": (
        ("amount",),
        ((0.01,), (0.02,), (0.03,), (0.05,), (0.07,)),
        ((0.03,), (0.06,), (0.09,), (0.17,), (0.27,)),
    ),
    "speckle_noise": (
        ("sigma",),
        ((0.06,), (0.1,), (0.12,), (0.16,), (0.2,)),
        ((0.15,), (0.2,), (0.35,), (0.45,), (0.6,)),
    ),
    "gaussian_blur": (
        ("sigma",),
        ((0.4,), (0.6,), (0.7,), (0.8,), (1,)),
        ((1,), (2,), (3,), (4,), (6,)),
    ),
    "glass_blur": (
        ("sigma", "delta", "rounds"),
        ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)),
        ((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)),
    ),
    "defocus_blur": (
        ("disk", "alias"),
        ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)),
        ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)),
    ),
    "motion_blur": (
        ("radius", "sigma"),
        ((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)),
        ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15)),
    ),
    # Enlargements 1, 1 + step, ... by numbers of steps: the published programs give an end, and
    # whether floats reach it differs from row to row.
    "zoom_blur": (
        ("step", "steps"),
        ((0.01, 7), (0.01, 12), (0.01, 16), (0.01, 21), (0.01, 26)),
        ((0.01, 12), (0.01, 16), (0.02, 11), (0.02, 13), (0.03, 11)),
    ),
    "fog": (
        ("amount", "decay"),
        ((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75)),
        ((1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4)),
    ),
    "frost": (
        ("image", "frost"),
        ((1, 0.2), (1, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45)),
        ((1, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75)),
    ),
    "snow": (
        ("mean", "std", "zoom", "threshold", "radius", "sigma", "image"),
        (
            (0.1, 0.2, 1, 0.6, 8, 3, 0.95),
            (0.1, 0.2, 1, 0.5, 10, 4, 0.9),
            (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
            (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
            (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
        ),
        (
            (0.1, 0.3, 3, 0.5, 10, 4, 0.8),
            (0.2, 0.3, 2, 0.5, 12, 4, 0.7),
            (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
            (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
            (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
        ),
    ),
    "spatter": (
        ("mean", "std", "sigma", "threshold", "strength", "mud"),
        (
            (0.62, 0.1, 0.7, 0.7, 0.5, 0),
            (0.65, 0.1, 0.8, 0.7, 0.5, 0),
            (0.65, 0.3, 1, 0.69, 0.5, 0),
            (0.65, 0.1, 0.7, 0.69, 0.6, 1),
            (0.65, 0.1, 0.5, 0.68, 0.6, 1),
        ),
        (
            (0.65, 0.3, 4, 0.69, 0.6, 0),
            (0.65, 0.3, 3, 0.68, 0.6, 0),
            (0.65, 0.3, 2, 0.68, 0.5, 0),
            (0.65, 0.3, 1, 0.65, 1.5, 1),
            (0.67, 0.4, 1, 0.65, 1.5, 1),
        ),
    ),
    "contrast": (
        ("factor",),
        ((0.75,), (0.5,), (0.4,), (0.3,), (0.15,)),
        ((0.4,), (0.3,), (0.2,), (0.1,), (0.05,)),
    ),
    "brightness": (
        ("amount",),
        ((0.05,), (0.1,), (0.15,), (0.2,), (0.3,)),
        ((0.1,), (0.2,), (0.3,), (0.4,), (0.5,)),
    ),
    "saturate": (
        ("factor", "amount"),
        ((0.3, 0), (0.1, 0), (1.5, 0), (2, 0.1), (2.5, 0.2)),
        ((0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (20, 0.2)),
    ),
    "jpeg_compression": (
        ("quality",),
        ((80,), (65,), (58,), (50,), (40,)),
        ((25,), (18,), (15,), (10,), (7,)),
    ),
    "pixelate": (
        ("factor",),
        ((0.95,), (0.9,), (0.85,), (0.75,), (0.65,)),
        ((0.6,), (0.5,), (0.4,), (0.3,), (0.25,)),
    ),
    # Fractions of the size; those of ImageNet-C were multiples of 244 for images of 224.
    "elastic_transform": (
        ("alpha", "sigma", "affine"),
        ((0, 0, 0.08), (0.05, 0.2, 0.07), (0.08, 0.06, 0.06), (0.1, 0.04, 0.05), (0.1, 0.03, 0.03)),
        tuple(
            (a * 244 / 224, s * 244 / 224, w * 244 / 224)
            for a, s, w in (
                (2, 0.7, 0.1),
                (2, 0.08, 0.2),
                (0.05, 0.01, 0.02),
                (0.07, 0.01, 0.02),
                (0.12, 0.01, 0.02),
            )
        ),
    ),
}


@lru_cache(maxsize=512)
def constants(name: str, severity: int, height: int, width: int) -> Mapping[str, float]:
    """The constants of one corruption at one severity for images of one size.

    Args:
        name: of the corruption, a key of :data:`TABLES`.
        severity: 1 to 5.
        height: of the images, in pixels.
        width: likewise.
    """
    names, small, large = TABLES[name]
    size = math.sqrt(height * width)
    share = math.log(size / SMALL) / math.log(LARGE / SMALL)
    share = min(1.0, max(0.0, share))
    found = {}
    for key, a, b in zip(names, small[severity - 1], large[severity - 1], strict=True):
        value = a + share * (b - a) if 0 < share < 1 else (a, b)[share >= 1]
        found[key] = float(round(value)) if key in WHOLE else float(value)
    return found
