"""The table of corruptions, and images through any of them.

Nineteen corruptions at five severities (Hendrycks and Dietterich, Benchmarking Neural Network
Robustness to Common Corruptions and Perturbations, ICLR 2019). Images are bytes and become
bytes; like the published programs this one cuts fractions off. What is random comes from one
stream for each seed, corruption, severity and image: the size of a batch, the order, and other
generators change no pixel, and no generator's state is used.

Against the published programs: motion blur and the flakes of snow follow ImageMagick's kernel,
frost has drawn pictures in place of photographs, and random numbers are others. Grey images are
corrupted as colors of three equal channels would be, in one channel; noise is drawn once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from nasdsl.robustness import blur, counter, digital, elastic, noise, spatter, weather
from nasdsl.robustness.constants import constants

Corruption = Callable[[Tensor, Tensor, Mapping[str, float]], Tensor]
"""``(images, streams, constants) -> values`` in 0..255, not yet cut to that range."""

STANDARD: Mapping[str, Corruption] = {
    "gaussian_noise": noise.gaussian_noise,
    "shot_noise": noise.shot_noise,
    "impulse_noise": noise.impulse_noise,
    "defocus_blur": blur.defocus_blur,
    "glass_blur": blur.glass_blur,
    "motion_blur": blur.motion_blur,
    "zoom_blur": blur.zoom_blur,
    "snow": weather.snow,
    "frost": weather.frost,
    "fog": weather.fog,
    "brightness": weather.brightness,
    "contrast": weather.contrast,
    "elastic_transform": elastic.elastic_transform,
    "pixelate": digital.pixelate,
    "jpeg_compression": digital.jpeg_compression,
}
"""The fifteen over which errors are averaged."""

EXTRA: Mapping[str, Corruption] = {
    "speckle_noise": noise.speckle_noise,
    "gaussian_blur": blur.gaussian_blur,
    "spatter": spatter.spatter,
    "saturate": weather.saturate,
}
"""The four that are kept for validation."""

CORRUPTIONS: Mapping[str, Corruption] = {**STANDARD, **EXTRA}
"""All nineteen by name."""

SEVERITIES = (1, 2, 3, 4, 5)
SMALLEST = 8
"""Least height and width of an image, in pixels."""

_CHUNK = 1 << 18
"""Values corrupted at once: those of 85 color images of 32 x 32 stay in a core's cache."""


@torch.no_grad()
def corrupt(
    x: Tensor, name: str, severity: int, seed: int = 0, indices: Tensor | None = None
) -> Tensor:
    """Images through one corruption, on the device where they are.

    Args:
        x: [N, C, H, W] in uint8, of 1 or 3 channels and at least 8 x 8 pixels.
        name: a key of :data:`CORRUPTIONS`.
        severity: 1 to 5.
        seed: of the random parts.
        indices: the number of each image in its data set, [N]; 0..N-1 by default. An image with
            the same number, seed, corruption and severity comes out the same, whatever is
            beside it.

    Raises:
        ValueError: no such corruption or severity, or images of another kind.
    """
    if name not in CORRUPTIONS:
        raise ValueError(f"no corruption '{name}'; there are {', '.join(CORRUPTIONS)}")
    if severity not in SEVERITIES:
        raise ValueError(f"severity {severity}, expected 1 to 5")
    reason = unfit(tuple(x.shape[1:]))
    if x.dim() != 4 or x.dtype != torch.uint8 or reason:
        raise ValueError(reason or f"expected bytes with four axes, not {x.dtype} {x.dim()}-D")
    if indices is None:
        indices = torch.arange(len(x), device=x.device)
    facts = constants(name, severity, x.shape[-2], x.shape[-1])
    keys = counter.streams(indices.to(x.device), seed, "corruption", name, severity)
    found = torch.empty_like(x)
    step = max(1, _CHUNK // max(1, x[0].numel() if len(x) else 1))
    for start in range(0, len(x), step):
        part = slice(start, start + step)
        values = CORRUPTIONS[name](x[part], keys[part], facts)
        found[part] = values.clamp_(0, 255).to(torch.uint8)
    return found


def unfit(shape: tuple[int, ...]) -> str:
    """Why samples of a shape cannot be corrupted; empty where they can."""
    if len(shape) != 3:
        return f"corruptions are for images, not for samples of {len(shape)} axes"
    if shape[0] not in (1, 3):
        return f"corruptions are for images of 1 or 3 channels, not {shape[0]}"
    if min(shape[1:]) < SMALLEST:
        return f"corruptions need images of at least 8 x 8 pixels, not {shape[1]} x {shape[2]}"
    return ""
