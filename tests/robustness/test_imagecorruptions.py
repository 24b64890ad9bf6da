"""Corruptions at 224 pixels against the package imagecorruptions-imaug, which has their constants."""

import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from nasdsl.robustness import spatter
from nasdsl.robustness.blur import smeared
from nasdsl.robustness.corruptions import corrupt
from tests.robustness.images import pictures

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    theirs = pytest.importorskip(
        "imagecorruptions.corruptions",
        reason="imagecorruptions-imaug is not installed (extra oracles)",
        exc_type=ImportError,
    )

SIZE = 224
IMAGES = pictures(2, 3, SIZE, SIZE)


def reference(name, severity):
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for image in IMAGES:
            picture = Image.fromarray(image.permute(1, 2, 0).numpy())
            values = np.array(getattr(theirs, name)(picture, severity))
            found.append(np.uint8(np.clip(values, 0, 255)))
    return np.stack(found).transpose(0, 3, 1, 2).astype(float)


@pytest.mark.parametrize("severity", [1, 3, 5])
@pytest.mark.parametrize(
    "name",
    [
        "gaussian_blur", "defocus_blur", "zoom_blur", "brightness", "contrast", "saturate",
        "pixelate", "jpeg_compression",
    ],
)  # fmt: skip
def test_what_is_not_random_is_the_same(name, severity):
    difference = np.abs(corrupt(IMAGES, name, severity).numpy() - reference(name, severity))
    assert difference.max() <= 1
    assert difference.mean() < 0.25


@pytest.mark.parametrize("severity", [1, 5])
@pytest.mark.parametrize(
    "name",
    ["gaussian_noise", "shot_noise", "impulse_noise", "speckle_noise", "glass_blur", "snow"],
)
def test_what_is_random_has_the_same_size(name, severity):
    mine, other = corrupt(IMAGES, name, severity).numpy().astype(float), reference(name, severity)
    clean = IMAGES.numpy().astype(float)
    assert mine.mean() == pytest.approx(other.mean(), rel=0.03)
    assert np.abs(mine - clean).mean() == pytest.approx(np.abs(other - clean).mean(), rel=0.08)


@pytest.mark.parametrize("angle", [-120.0, -37.0, 10.0, 44.0])
def test_motion_is_the_same_in_every_direction(angle):
    image = IMAGES[0].permute(1, 2, 0).numpy().astype(np.float32)
    other = theirs._motion_blur(image, 15, 8, angle).transpose(2, 0, 1)
    mine = smeared(IMAGES[:1].float(), torch.tensor([angle], dtype=torch.float64), 15, 8)[0]
    assert np.abs(mine.numpy() - other).max() < 0.05


def test_the_relief_of_drops_is_opencvs():
    cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed")
    noise = np.random.default_rng(0).normal(0.65, 1.2, (SIZE, SIZE))
    smooth = cv2.GaussianBlur(noise, (0, 0), 4)
    smooth[smooth < 0.69] = 0
    liquid = (np.clip(smooth, 0, 1) * 255).astype(np.uint8)
    edges = cv2.Canny(liquid, 50, 150)
    batch = torch.from_numpy(liquid.astype(np.int32))[None, None]
    assert (spatter.edges(batch)[0, 0].numpy() == (edges > 0)).all()
    distance = cv2.distanceTransform(255 - edges, cv2.DIST_L2, 5)
    distance = cv2.blur(np.minimum(distance, 20), (3, 3)).astype(np.uint8)
    kernel = np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]])
    relief = cv2.blur(cv2.filter2D(cv2.equalizeHist(distance), cv2.CV_8U, kernel), (3, 3))
    assert (spatter.relief(batch)[0, 0].numpy() == relief).all()
