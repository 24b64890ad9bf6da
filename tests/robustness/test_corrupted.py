"""Reports of errors on corrupted images, and the published files."""

import numpy as np
import pytest
import torch

from nasdsl.diagnostics import DiagnosticError
from nasdsl.robustness import published
from nasdsl.robustness.corrupted import (
    CorruptionReport,
    evaluate_corruptions,
    evaluate_published,
)
from nasdsl.robustness.corruptions import CORRUPTIONS, STANDARD, corrupt
from nasdsl.training.data.dataset import Dataset, Split, statistics
from tests.robustness.images import labeled, trained

DATA = labeled(60, 1, 8)
MODULE = trained(DATA)


def report(clean, **errors):
    return CorruptionReport(clean, errors, (1, 2), 10)


def test_means_by_hand():
    own = report(10.0, fog=(20.0, 40.0), snow=(10.0, 14.0))
    base = report(8.0, fog=(40.0, 60.0), snow=(8.0, 16.0))
    assert own.mean == {"fog": 30.0, "snow": 12.0}
    assert own.mce == 21.0
    assert own.relative_to(base) == pytest.approx(100 * (0.6 + 1.0) / 2)
    assert own.relative_rise(base) == pytest.approx(100 * (40 / 84 + 4 / 8) / 2)
    assert own.rows()[0] == {"corruption": "fog", "s1": 20.0, "s2": 40.0, "mean": 30.0}
    with pytest.raises(ValueError, match="other corruptions"):
        own.relative_to(report(8.0, fog=(1.0, 2.0)))
    with pytest.raises(ValueError, match="no error"):
        own.relative_to(report(0.0, fog=(0.0, 0.0), snow=(1.0, 1.0)))


def test_errors_are_those_of_the_images():
    found = evaluate_corruptions(MODULE, DATA, ("fog", "spatter"), (2, 5), seed=3, batch=7)
    x, y = DATA.validation.x, DATA.validation.y
    for name in ("fog", "spatter"):
        for severity, error in zip((2, 5), found.errors[name], strict=True):
            images = corrupt(x, name, severity, 3).float() / 255
            with torch.no_grad():
                right = MODULE((images - DATA.mean) / DATA.std).argmax(1) == y
            assert error == pytest.approx(100 * (1 - float(right.float().mean())))
    assert found.clean < found.mce
    assert set(evaluate_corruptions(MODULE, DATA, samples=9).errors) == set(STANDARD)


def test_float_images_are_their_bytes():
    train = Split(DATA.train.x.float() / 255, DATA.train.y)
    validation = Split(DATA.validation.x.float() / 255, DATA.validation.y)
    other = Dataset("f", train, validation, DATA.classes, *statistics(train.x))
    names = ("gaussian_noise", "contrast")
    assert (
        evaluate_corruptions(MODULE, other, names).errors
        == evaluate_corruptions(MODULE, DATA, names).errors
    )


def test_published_files(tmp_path):
    x, y = DATA.validation.x[:6], DATA.validation.y[:6]
    for name in ("fog", "snow"):
        images = torch.cat([corrupt(x, name, s) for s in range(1, 6)])
        np.save(tmp_path / f"{name}.npy", images.permute(0, 2, 3, 1).numpy())
    np.save(tmp_path / "labels.npy", y.repeat(5).numpy().astype(np.uint8))
    assert published.names(tmp_path) == ("snow", "fog")
    split = published.reader(tmp_path)("fog", 4)
    assert torch.equal(split.x, corrupt(x, "fog", 4))
    assert torch.equal(split.y, y)
    found = evaluate_published(MODULE, DATA, published.reader(tmp_path), ("fog", "snow"))
    made = evaluate_corruptions(MODULE, DATA, ("fog", "snow"), samples=6)
    assert found.errors == made.errors
    assert set(published.names(tmp_path)) <= set(CORRUPTIONS)


def test_files_that_are_not_as_described(tmp_path):
    read = published.reader(tmp_path)
    with pytest.raises(DiagnosticError, match="fog"):
        read("fog", 1)
    np.save(tmp_path / "fog.npy", np.zeros((10, 8, 8, 3), np.float32))
    np.save(tmp_path / "labels.npy", np.zeros(15, np.uint8))
    with pytest.raises(DiagnosticError, match="bytes"):
        read("fog", 1)
    np.save(tmp_path / "fog.npy", np.zeros((10, 8, 8, 3), np.uint8))
    with pytest.raises(DiagnosticError, match="15 labels"):
        read("fog", 1)
    (tmp_path / "fog.npy").write_text("no array")
    with pytest.raises(DiagnosticError, match="not a numpy array"):
        read("fog", 1)
