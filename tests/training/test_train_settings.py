"""``train`` and ``data`` blocks become settings, or diagnostics with places."""

import subprocess
import sys

import pytest

from nasdsl.diagnostics import Source, Span
from nasdsl.language.settings import Entry, Name
from nasdsl.training.settings import (
    DATA_ITEMS,
    TRAIN_ITEMS,
    AdamW,
    DataSettings,
    Sgd,
    Sharpness,
    TrainSettings,
    read_data,
    read_train,
)


def entry(name, *args, **kwargs):
    return Entry(name, args, tuple(kwargs.items()))


def codes(problems):
    return [p.code for p in problems]


def test_the_design_s_first_file():
    settings, problems = read_train(
        [
            entry("epochs", 12),
            entry("batch", 64),
            entry("sgd", lr=0.1, momentum=0.9, weight_decay=5e-4),
            entry("cosine"),
            entry("sam", rho=0.05),
        ]
    )
    assert not problems
    assert settings == TrainSettings(sharpness=Sharpness(0.05, adaptive=False))


def test_an_empty_block_gives_the_defaults():
    assert read_train([]) == (TrainSettings(), [])
    assert read_data(None) == (DataSettings(), [])
    assert read_data(entry("digits")) == (DataSettings(), [])


def test_every_item_changes_the_settings():
    values = {"epochs": 3, "steps": 3, "batch": 3, "warmup": 1.5, "clip": 2, "seed": 7,
              "label_smoothing": 0.1}  # fmt: skip
    for name in TRAIN_ITEMS:
        args = (values[name],) if name in values else ()
        if name == "sgd":
            args = (0.3,)
        if name == "cosine":
            args = (0.01,)
        settings, problems = read_train([entry(name, *args)])
        assert not problems, name
        assert settings != TrainSettings(), name


def test_optimizers():
    found, _ = read_train([entry("adamw", 0.002, weight_decay=0)])
    assert found.optimizer == AdamW(lr=0.002, weight_decay=0.0)
    found, _ = read_train([entry("sgd", 0.2, nesterov=True)])
    assert found.optimizer == Sgd(lr=0.2, nesterov=True)
    found, _ = read_train([entry("asam", 2)])
    assert found.sharpness == Sharpness(2.0, adaptive=True)


@pytest.mark.parametrize(
    ("entries", "code"),
    [
        ([entry("sgd"), entry("adamw")], "NAS402"),
        ([entry("cosine"), entry("constant")], "NAS402"),
        ([entry("sam"), entry("asam")], "NAS402"),
        ([entry("epochs", 1), entry("steps", 2)], "NAS402"),
        ([entry("epoch", 3)], "NAS401"),
        ([entry("epochs", 0)], "NAS407"),
        ([entry("epochs", 1.5)], "NAS407"),
        ([entry("epochs")], "NAS406"),
        ([entry("label_smoothing", 1.5)], "NAS407"),
        ([entry("sam", rho=0)], "NAS407"),
        ([entry("sgd", momentum=0, nesterov=True)], "NAS706"),
        ([entry("flip", 3)], "NAS403"),
    ],
)
def test_mistakes_in_train(entries, code):
    settings, problems = read_train(entries)
    assert codes(problems) == [code]
    assert isinstance(settings, TrainSettings)


def test_data_sets():
    found, problems = read_data(entry("digits", train=300, noise=0.4))
    assert not problems
    assert (found.source, found.train, found.noise) == ("digits", 300, 0.4)
    found, problems = read_data(entry("cifar10", "data/cifar", validation=5000))
    assert not problems
    assert (found.path, found.train, found.validation, found.noise) == (
        "data/cifar", None, 5000.0, 0.0,
    )  # fmt: skip
    found, problems = read_data(entry("npz", "a.npz", layout=Name("nchw")))
    assert not problems
    assert found.layout == "nchw"
    found, problems = read_data(entry("images", "pets", size=32, channels=1))
    assert not problems
    assert (found.size, found.channels) == (32, 1)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (entry("cifar"), "NAS401"),
        (entry("cifar10"), "NAS406"),
        (entry("cifar10", 10), "NAS407"),
        (entry("digits", validation=0), "NAS407"),
        (entry("digits", validation=1.5), "NAS407"),
        (entry("digits", noise=-1), "NAS407"),
        (entry("images", "x", channels=2), "NAS407"),
        (entry("npz", "x", layout=Name("chwn")), "NAS407"),
    ],
)
def test_mistakes_in_data(data, code):
    settings, problems = read_data(data)
    assert codes(problems) == [code]
    assert isinstance(settings, DataSettings)


def test_a_misspelled_data_set_names_the_nearest():
    source = Source("a.nas", "data cifer10")
    _, (found,) = read_data(Entry("cifer10", span=Span(source, 5, 12)))
    assert "did you mean 'cifar10'?" in found.message
    assert found.span.column == 6
    assert all(name in found.notes[0].message for name in DATA_ITEMS)


def test_settings_are_one_by_what_they_say_not_by_where():
    source = Source("a.nas", "data digits")
    here, _ = read_data(Entry("digits", span=Span(source, 5, 11)))
    assert here == DataSettings()
    assert hash(here) == hash(DataSettings())


def test_reading_settings_loads_no_torch():
    code = (
        "import sys, nasdsl.training.settings, nasdsl.training.history, "
        "nasdsl.objectives.metrics, nasdsl.objectives.neighborhood, "
        "nasdsl.objectives.measurement; "
        "print([m for m in ('torch', 'sklearn', 'numpy', 'PIL') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
