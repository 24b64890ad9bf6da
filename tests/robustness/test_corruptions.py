"""Corruptions: what each computes, against Pillow, scipy and slow programs; no pixel by chance."""

import io
import math
import random

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage, stats

from nasdsl.robustness import blur, counter, digital, elastic, linear, noise, weather
from nasdsl.robustness.blur import _disk, _order, smeared
from nasdsl.robustness.constants import TABLES, constants
from nasdsl.robustness.corruptions import CORRUPTIONS, EXTRA, STANDARD, corrupt, unfit
from tests.robustness.images import pictures

RANDOM = {
    "gaussian_noise", "shot_noise", "impulse_noise", "speckle_noise", "glass_blur", "motion_blur",
    "snow", "frost", "fog", "elastic_transform", "spatter",
}  # fmt: skip


def test_the_tables_agree():
    assert set(CORRUPTIONS) == set(TABLES)
    assert (len(STANDARD), len(EXTRA)) == (15, 4)
    for names, small, large in TABLES.values():
        assert len(small) == len(large) == 5
        assert all(len(row) == len(names) for row in small + large)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_no_pixel_hangs_on_the_batch_the_order_or_the_global_generators(name, monkeypatch):
    x = pictures(7, height=24, width=20)
    torch.manual_seed(1)
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    whole = corrupt(x, name, 3, seed=5)
    torch.manual_seed(2)
    order = torch.tensor([4, 0, 6, 2])
    assert torch.equal(corrupt(x[order], name, 3, 5, order), whole[order])
    for i in (0, 6):
        assert torch.equal(corrupt(x[i : i + 1], name, 3, 5, torch.tensor([i])), whole[i : i + 1])
    monkeypatch.setattr("nasdsl.robustness.corruptions._CHUNK", 3 * x[0].numel())
    torch.manual_seed(1)
    assert torch.equal(corrupt(x, name, 3, seed=5), whole)
    assert torch.equal(before[0], torch.get_rng_state())
    assert (before[1] == np.random.get_state()[1]).all()
    assert before[2] == random.getstate()
    assert whole.dtype == torch.uint8
    assert whole.shape == x.shape
    assert not torch.equal(whole, x)
    other = corrupt(x, name, 3, seed=6)
    assert torch.equal(other, whole) == (name not in RANDOM)


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 8, 8), (1, 28, 28), (3, 9, 15), (3, 64, 40)])
def test_any_size_and_one_or_three_channels(name, shape):
    x = pictures(3, *shape)
    for severity in (1, 5):
        found = corrupt(x, name, severity)
        assert found.shape == x.shape
        assert 0 < found.float().mean() < 255


@pytest.mark.parametrize(
    "name", sorted(set(CORRUPTIONS) - {"glass_blur", "elastic_transform", "saturate"})
)
def test_severity_five_changes_more_than_one(name):
    x = pictures(20)
    change = [(corrupt(x, name, s).float() - x.float()).abs().mean() for s in (1, 5)]
    assert change[1] > 1.1 * change[0]


def test_wrong_requests():
    x = pictures(1)
    with pytest.raises(ValueError, match="no corruption"):
        corrupt(x, "rain", 1)
    with pytest.raises(ValueError, match="severity 6"):
        corrupt(x, "fog", 6)
    with pytest.raises(ValueError, match="bytes"):
        corrupt(x.float(), "fog", 1)
    assert "8 x 8" in unfit((3, 7, 9))
    assert "channels" in unfit((2, 9, 9))
    assert not unfit((1, 8, 8))


def test_constants_between_the_tables():
    assert constants("gaussian_noise", 1, 8, 8) == {"sigma": 0.04}
    assert constants("gaussian_noise", 1, 32, 32) == {"sigma": 0.04}
    assert constants("gaussian_noise", 5, 224, 300) == {"sigma": 0.38}
    middle = round(math.sqrt(32 * 224))
    assert constants("gaussian_noise", 1, middle, middle)["sigma"] == pytest.approx(0.06, rel=0.01)
    assert constants("jpeg_compression", 1, middle, middle)["quality"] in (52, 53)


# ------------------------------------------------------------------------------- random numbers


def test_streams_are_normal_uniform_and_not_alike():
    keys = counter.streams(torch.arange(40), 3, "x")
    normal = counter.normal(keys, 5000).double().numpy()
    uniform = counter.uniform(keys, 5000).double().numpy()
    assert stats.kstest(normal.ravel(), "norm").pvalue > 1e-3
    assert stats.kstest(uniform.ravel(), "uniform").pvalue > 1e-3
    across = np.corrcoef(normal) - np.eye(40)
    assert abs(across).max() < 5 / math.sqrt(5000)
    along = np.corrcoef(normal[:, :-1].ravel(), normal[:, 1:].ravel())[0, 1]
    assert abs(along) < 5 / math.sqrt(200000)


def test_a_stream_can_be_entered_anywhere():
    keys = counter.streams(torch.tensor([9, 2]), "x")
    assert torch.equal(counter.bits(keys, 7, 3), counter.bits(keys, 10)[:, 3:])
    assert torch.equal(counter.normal(keys, 5, 4), counter.normal(keys, 9)[:, 4:])
    swapped = counter.streams(torch.tensor([2, 9]), "x")
    assert torch.equal(counter.bits(swapped, 4), counter.bits(keys, 4).flip(0))


@pytest.mark.parametrize(("photons", "level"), [(500.0, 200), (60.0, 3), (3.0, 255), (3.0, 0)])
def test_photons_are_poisson(photons, level):
    keys = counter.streams(torch.arange(20), "p")
    x = torch.full((20, 1, 50, 50), level, dtype=torch.uint8)
    found = noise.shot_noise(x, keys, {"photons": photons}) * photons / 255
    counts = found.round().long().flatten().numpy()
    mean = level / 255 * photons
    if not mean:
        assert not counts.any()
        return
    values = np.arange(counts.max() + 1)
    expected = stats.poisson.pmf(values, mean) * len(counts)
    many = expected > 10
    observed = np.bincount(counts)[many]
    chi = ((observed - expected[many]) ** 2 / expected[many]).sum()
    assert stats.chi2.sf(chi, many.sum() - 1) > 1e-3
    assert abs(counts.mean() - mean) < 5 * math.sqrt(mean / len(counts))


def test_noise_has_its_size():
    x = torch.full((30, 3, 32, 32), 128, dtype=torch.uint8)
    found = corrupt(x, "gaussian_noise", 5).double()
    assert float(found.std()) == pytest.approx(255 * 0.1, rel=0.01)
    found = corrupt(x, "speckle_noise", 5).double()
    assert float(found.std()) == pytest.approx(128 * 0.2, rel=0.01)
    found = corrupt(x, "impulse_noise", 5)
    share = [float((found == v).double().mean()) for v in (0, 128, 255)]
    assert share == pytest.approx([0.035, 0.93, 0.035], abs=0.002)


# ------------------------------------------------------------------------------------ linear maps


def rows(x):
    return [image.permute(1, 2, 0).numpy() for image in x]


@pytest.mark.parametrize("size", [(32, 32), (8, 20), (100, 100)])
def test_gaussian_blur_is_scipys(size):
    x = pictures(2, 3, *size)
    sigma = constants("gaussian_blur", 5, *size)["sigma"]
    for mine, image in zip(rows(corrupt(x, "gaussian_blur", 5)), rows(x), strict=True):
        exact = ndimage.gaussian_filter(image.astype(float), (sigma, sigma, 0), mode="nearest")
        assert (np.abs(mine - np.floor(exact + 1e-6)) <= 1).all()
        assert (mine == np.floor(exact + 1e-6)).mean() > 0.999


@pytest.mark.parametrize("border", ["nearest", "reflect", "mirror"])
def test_borders_are_scipys(border):
    x = torch.arange(40).view(1, 1, 5, 8) ** 2 % 251
    exact = ndimage.gaussian_filter(x[0, 0].double().numpy(), 2.5, mode=border)
    found = linear.blurred(x, 2.5, border, 4.0, 22)[0, 0].numpy() / 4.0**22
    assert np.abs(found - exact).max() < 1e-3


@pytest.mark.parametrize(("radius", "alias"), [(0.3, 0.4), (1.5, 0.1), (3, 0.1), (10, 0.5)])
def test_a_disk_against_a_slow_one(radius, alias):
    reach = 8 if radius <= 8 else int(radius)
    grid = np.arange(-reach, reach + 1)
    disk = (grid[:, None] ** 2 + grid**2 <= radius**2).astype(float)
    soft = 1 if radius <= 8 else 2
    line = np.exp(-(np.arange(-soft, soft + 1) ** 2) / (2 * alias**2))
    line /= line.sum()
    exact = ndimage.correlate1d(disk / disk.sum(), line, 0, mode="mirror")
    exact = ndimage.correlate1d(exact, line, 1, mode="mirror")
    kernel, bits = _disk(radius, alias)
    found = kernel.numpy() / 2**bits
    pad = (len(exact) - len(found)) // 2
    assert np.abs(np.pad(found, pad) - exact).max() < 2e-4
    assert found.sum() == pytest.approx(exact.sum(), abs=1e-4)


@pytest.mark.parametrize("size", [32, 224])
def test_defocus_is_a_correlation(size):
    x = pictures(1, 1, size, size)
    c = constants("defocus_blur", 5, size, size)
    weights, bits = _disk(c["disk"], c["alias"])
    kernel = weights.numpy() / 2**bits
    exact = ndimage.correlate(x[0, 0].double().numpy(), kernel, mode="mirror")
    found = corrupt(x, "defocus_blur", 5)[0, 0].numpy()
    assert (found == np.floor(np.minimum(exact, 255) + 1e-7)).mean() > 0.999


@pytest.mark.parametrize("angle", [-120.0, -45.0, 0.0, 17.3, 45.0])
def test_motion_blur_against_a_slow_one(angle):
    x = pictures(1, 3, 16, 20).float()
    radius, sigma = 6, 2.0
    weights = np.exp(-(np.arange(2 * radius + 1) ** 2) / (2 * sigma**2))
    weights /= weights.sum()
    exact = np.zeros((3, 16, 20))
    for i, weight in enumerate(weights):
        down = math.ceil(i * math.sin(math.radians(angle)) - 0.5)
        right = math.ceil(i * math.cos(math.radians(angle)) - 0.5)
        for y in range(16):
            for z in range(20):
                source = x[0, :, min(max(y + down, 0), 15), min(max(z + right, 0), 19)]
                exact[:, y, z] += weight * source.numpy()
    found = smeared(x, torch.tensor([angle], dtype=torch.float64), radius, sigma)[0].numpy()
    assert np.abs(found - exact).max() < 0.02


@pytest.mark.parametrize("shape", [(5, 3, 32, 32), (40, 1, 12, 20), (3, 3, 9, 8)])
@pytest.mark.parametrize(("radius", "sigma"), [(6, 1.0), (14, 12.0)])
def test_smearing_by_shifts_is_smearing_by_places(shape, radius, sigma, monkeypatch):
    x = pictures(shape[0], *shape[1:]).float()
    angle = torch.linspace(-135, 45, shape[0], dtype=torch.float64)
    angle[1:3] = angle[0]  # images that are smeared together
    found = []
    for least in (0, 1 << 30):
        monkeypatch.setattr(blur, "_LARGE", least)
        found.append(smeared(x, angle, radius, sigma))
    assert torch.equal(*found)


@pytest.mark.parametrize("border", ["reflect", "mirror"])
@pytest.mark.parametrize("kind", [torch.int32, torch.int64])
def test_places_outside_are_numpys(border, kind):
    size = 7
    at = torch.arange(-6, 12, dtype=kind)
    mode = {"reflect": "symmetric", "mirror": "reflect"}[border]
    line = np.pad(np.arange(size), (6, 5), mode=mode)
    assert linear.place(at, size, border).tolist() == line.tolist()


@pytest.mark.parametrize("border", ["reflect", "mirror"])
def test_pixels_between_pixels_are_scipys(border):
    x = pictures(2, 3, 10, 13).float()
    generator = torch.Generator().manual_seed(1)
    y = torch.rand(2, 10, 13, generator=generator) * 18 - 4
    z = torch.rand(2, 10, 13, generator=generator) * 24 - 5
    found = elastic.sampled(x, y, z, border)
    for n in range(2):
        for c in range(3):
            exact = ndimage.map_coordinates(
                x[n, c].double().numpy(), [y[n].numpy(), z[n].numpy()], order=1, mode=border
            )
            assert np.abs(found[n, c].numpy() - exact).max() < 1e-3


@pytest.mark.parametrize("block", [1, 100, 1 << 20])
def test_numbers_do_not_hang_on_how_many_are_mixed_at_once(block, monkeypatch):
    keys = counter.streams(torch.arange(11), "x")
    before = counter.bits(keys, 37, 4)
    monkeypatch.setattr(counter, "_ALONE", block)
    monkeypatch.setitem(counter._BLOCK, "cpu", block)
    assert torch.equal(counter.bits(keys, 37, 4), before)


def test_zoom_blur_is_scipys():
    x = pictures(1, 1, 32, 32)
    image = x[0, 0].double().numpy()
    total = image.copy()
    factors = [1 + 0.01 * i for i in range(26)]
    for factor in factors:
        part = math.ceil(32 / factor)
        top = (32 - part) // 2
        zoomed = ndimage.zoom(image[top : top + part, top : top + part], factor, order=1)
        trim = (len(zoomed) - 32) // 2
        total += zoomed[trim : trim + 32, trim : trim + 32]
    exact = total / (len(factors) + 1)
    found = corrupt(x, "zoom_blur", 5)[0, 0].numpy()
    assert np.abs(found - np.floor(exact)).max() <= 1
    assert (found == np.floor(exact)).mean() > 0.98


@pytest.mark.parametrize(("delta", "rounds"), [(1, 2), (3, 2)])
def test_glass_takes_pixels_in_the_published_order(delta, rounds):
    height, width = 12, 15
    x = pictures(2, 3, height, width)
    keys = counter.streams(torch.arange(2), "g")
    c = {"sigma": 0.05, "delta": delta, "rounds": rounds}
    from nasdsl.robustness.blur import glass_blur

    found = glass_blur(x, keys, c)
    drawn = counter.halves(keys, rounds * 2 * height * width).view(2, rounds, 2, height, width)
    for n in range(2):
        image = x[n].clone()
        for i in range(rounds):
            for h in range(height - delta, delta, -1):
                for w in range(width - delta, delta, -1):
                    dy, dx = ((drawn[n, i, :, h, w] * (2 * delta)) >> 16) - delta
                    image[:, h, w] = image[:, h + dy, w + dx]
        assert torch.equal(found[n].round().to(torch.uint8), image)
    assert sum(len(line) for line in _order(height, width, delta, torch.device("cpu"))) > 0


# ---------------------------------------------------------------------- digital, color, weather


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("size", [(32, 32), (13, 21), (64, 48)])
@pytest.mark.parametrize("quality", [80, 40, 7])
def test_jpeg_is_pillows(mode, size, quality):
    x = pictures(2, 3 if mode == "RGB" else 1, *size)
    found = digital.jpeg_compression(x, x, {"quality": quality}).clamp(0, 255)
    for mine, image in zip(rows(found), rows(x), strict=True):
        file = io.BytesIO()
        picture = Image.fromarray(image if mode == "RGB" else image[:, :, 0])
        picture.save(file, "JPEG", quality=quality)
        theirs = np.asarray(Image.open(file), dtype=int).reshape(image.shape)
        assert (mine == theirs).all()


@pytest.mark.parametrize("size", [(32, 32), (9, 15), (224, 160)])
@pytest.mark.parametrize("severity", [1, 2, 3, 4, 5])
def test_pixelate_is_pillows(size, severity):
    x = pictures(1, 3, *size)
    factor = constants("pixelate", severity, *size)["factor"]
    image = Image.fromarray(rows(x)[0])
    small = image.resize((int(size[1] * factor), int(size[0] * factor)), Image.Resampling.BOX)
    theirs = np.asarray(small.resize((size[1], size[0]), Image.Resampling.BOX))
    assert (rows(corrupt(x, "pixelate", severity))[0] == theirs).all()


def test_brightness_and_saturation_are_those_of_hsv():
    import colorsys

    x = pictures(1, 3, 8, 8)
    x[0, :, 0, 0] = 0
    x[0, :, 0, 1] = 90
    c = {"amount": 0.2, "factor": 2.0}
    bright = weather.brightness(x, x, c)[0]
    vivid = weather.saturate(x, x, c)[0]
    for y in range(8):
        for z in range(8):
            h, s, v = colorsys.rgb_to_hsv(*(float(u) / 255 for u in x[0, :, y, z]))
            exact = colorsys.hsv_to_rgb(h, s, min(v + 0.2, 1))
            assert bright[:, y, z].tolist() == pytest.approx([255 * u for u in exact], abs=1e-2)
            exact = colorsys.hsv_to_rgb(h, min(s * 2 + 0.2, 1), v)
            assert vivid[:, y, z].tolist() == pytest.approx([255 * u for u in exact], abs=1e-2)


def test_contrast():
    x = pictures(3)
    mean = x.double().mean((2, 3), keepdim=True)
    exact = ((x.double() - mean) * 0.15 + mean).clamp(0, 255)
    assert ((corrupt(x, "contrast", 5) - torch.floor(exact + 1e-4)).abs() <= 1).all()


def test_plasma_against_a_slow_one():
    keys = counter.streams(torch.tensor([3]), "f")
    size, decay = 8, 1.75
    numbers = iter(counter.uniform(keys, size * size)[0].double().tolist())
    field = np.zeros((size, size))
    step, wobble = size, 100.0

    def fill(places, corners):  # all are read before one is written
        for (y, z), around in zip(places, [corners(*p) for p in places], strict=True):
            value = sum(field[a % size, b % size] for a, b in around) / 4
            field[y, z] = value + (2 * next(numbers) - 1) * wobble**2

    def diagonal(h):
        return lambda y, z: [(y - h, z - h), (y - h, z + h), (y + h, z - h), (y + h, z + h)]

    def straight(h):
        return lambda y, z: [(y - h, z), (y + h, z), (y, z - h), (y, z + h)]

    while step >= 2:
        h = step // 2
        grid = range(0, size, step)
        fill([(y + h, z + h) for y in grid for z in grid], diagonal(h))
        fill([(y + h, z) for y in grid for z in grid], straight(h))
        fill([(y, z + h) for y in grid for z in grid], straight(h))
        step, wobble = h, wobble / decay
    field = (field - field.min()) / (field.max() - field.min())
    found = weather.plasma(keys, size, decay)[0].double().numpy()
    assert np.abs(found - field).max() < 1e-5


def test_frost_adds_a_piece_of_its_picture():
    pictures_of_ice = torch.arange(2 * 3 * 20 * 20).view(2, 3, 20, 20).float() % 200
    x = torch.zeros(4, 3, 8, 8, dtype=torch.uint8)
    keys = counter.streams(torch.arange(4), "i")
    found = weather.frosted(x, keys, {"image": 1, "frost": 1}, pictures_of_ice)
    pieces = pictures_of_ice.unfold(2, 8, 1).unfold(3, 8, 1).permute(0, 2, 3, 1, 4, 5)
    pieces = pieces.reshape(-1, 3, 8, 8)
    for piece in found:
        assert (pieces == piece).flatten(1).all(1).any()


def test_the_affine_map_and_the_displacement_are_scipys():
    x = pictures(1, 1, 32, 32).float()
    moves = torch.tensor([[[1.5, -2.0], [0.5, 1.0], [-2.2, 0.3]]], dtype=torch.float64)
    back = elastic._inverse(moves, 32, 32)[0].numpy()
    start = np.array([[26, 26], [26, 6], [6, 6]], float)
    for before, after in zip(start, start + moves[0].numpy(), strict=True):
        assert back @ np.append(after, 1) == pytest.approx(before)
    y, z = np.mgrid[:32, :32].astype(float)
    for border in ("reflect", "mirror"):
        at = np.stack([y + 4 * np.sin(z), z - 9 * np.cos(y)])
        exact = ndimage.map_coordinates(x[0, 0].numpy(), at, order=1, mode=border)
        found = elastic.sampled(
            x, torch.from_numpy(at[:1]).float(), torch.from_numpy(at[1:]).float(), border
        )
        assert np.abs(found[0, 0].numpy() - exact).max() < 0.02
