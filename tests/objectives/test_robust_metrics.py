"""Metrics of robustness and of the loss around the weights keep what every metric has to keep."""

import copy

import pytest
import torch
from torch import nn

from nasdsl.diagnostics import DiagnosticError
from nasdsl.language.settings import Name
from nasdsl.objectives.candidate import Candidate
from nasdsl.objectives.contract import MetricContract, small_data, small_module
from nasdsl.objectives.metrics import METRICS, request
from nasdsl.objectives.prepare import prepare
from nasdsl.objectives.weight_noise import noisy_weights, recalibrated
from nasdsl.operations.operation import TensorType
from nasdsl.robustness.corrupted import evaluate_corruptions
from nasdsl.robustness.corruptions import CORRUPTIONS
from nasdsl.training import task
from nasdsl.training.settings import DataSettings, TrainSettings
from tests.objectives.bars import bars


class Images(MetricContract):
    tolerance = 0.05

    def data(self):
        return bars()

    def module(self, seed=0):
        with torch.random.fork_rng([]):
            torch.default_generator.manual_seed(seed)
            return nn.Sequential(
                nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(),
                nn.Linear(256, 3),
            )  # fmt: skip


class TestFog(Images):
    request = request("corruption.fog")


class TestMeanCorruptionError(Images):
    request = request("corruption.mce", samples=12)


class TestFgsm(Images):
    request = request("attack.fgsm", eps=8 / 255)


class TestPgd(Images):
    request = request("attack.pgd", steps=5, norm=Name("l2"), eps=0.3)


class TestApgd(Images):
    request = request("attack.apgd", steps=5, eps=8 / 255)


class TestSquare(Images):
    request = request("attack.square", queries=10, eps=8 / 255)


class TestSharpness(MetricContract):
    request = request("flatness.sharpness", steps=2)


class TestAdaptiveSharpness(MetricContract):
    request = request("flatness.sharpness", adaptive=True, rho=0.5)


class TestLocalEnergy(MetricContract):
    request = request("flatness.local_energy", copies=3, samples=50)


class TestHessianTop(MetricContract):
    request = request("hessian.top", steps=8)


class TestHessianTrace(MetricContract):
    request = request("hessian.trace", probes=3)


class TestLossUnderNoise(MetricContract):
    request = request("flatness.weights", copies=3, of=Name("loss"), additive=True)


class TestRecalibratedNoise(MetricContract):
    request = request("flatness.weights", copies=3, recalibrate=True)


def test_the_table():
    names = {"corruption.mce", *(f"corruption.{name}" for name in CORRUPTIONS)}
    names |= {f"attack.{name}" for name in ("fgsm", "pgd", "apgd", "square")}
    assert {name for name, metric in METRICS.items() if metric.evaluation} == names
    assert request("attack.fgsm")["eps"] == 1 / 255
    assert request("flatness.weights").unit == "%"
    assert request("flatness.weights", of=Name("loss")).unit == ""


def test_corruptions_are_shared_and_averaged():
    images = Images()
    candidate = Candidate(None, images.module().eval(), images.data())
    mce, spread = METRICS["corruption.mce"].load()(candidate, request("corruption.mce"))
    report = evaluate_corruptions(candidate.module, candidate.data)
    assert mce == pytest.approx(report.mce)
    assert spread == pytest.approx(torch.tensor(list(report.mean.values())).std(correction=0))
    count = len(candidate.shared)
    fog, _ = METRICS["corruption.fog"].load()(candidate, request("corruption.fog", severity=2))
    assert fog == report.errors["fog"][1]
    assert len(candidate.shared) == count


def test_noise_on_weights_and_the_loss_by_hand():
    module, data = small_module().eval(), small_data()
    wanted = request("flatness.weights", sigma=0.1, copies=2, of=Name("loss"), additive=True)
    value, _ = METRICS["flatness.weights"].load()(Candidate(None, module, data, 4), wanted)
    x, y = data.inputs(data.validation.x), data.validation.y
    changes = []
    for number in range(2):
        other = copy.deepcopy(module)
        noise = noisy_weights(module, 0.1, 4, number, additive=True)
        other.load_state_dict({**module.state_dict(), **noise})
        relative = noisy_weights(module, 0.1, 4, number)
        for name, p in module.named_parameters():
            xi = (noise[name] - p) / 0.1
            assert torch.allclose(relative[name], p * (1 + 0.1 * xi), atol=1e-5)
        with torch.no_grad():
            changes.append(abs(float(task.loss(module(x), y) - task.loss(other(x), y))))
    assert value == pytest.approx(sum(changes) / 2, rel=1e-4)


def test_recalibration_gives_the_statistics_of_the_training_samples():
    module, data = small_module().eval(), small_data()
    with torch.no_grad():
        module[0].weight *= 3
    momentum = module[1].momentum
    recalibrated(module, data)
    before = module[0](data.inputs(data.train.x))
    assert torch.allclose(module[1].running_mean, before.mean((0, 2, 3)), atol=1e-5)
    assert torch.allclose(module[1].running_var, before.var((0, 2, 3)), rtol=1e-4)
    assert module[1].momentum == momentum
    assert not module[1].training


@pytest.mark.parametrize(
    ("metric", "options", "source", "fits"),
    [
        ("corruption.fog", {}, "digits", True),
        ("attack.pgd", {}, "digits", True),
        ("flatness.local_energy", {}, "digits", True),
    ],
)
def test_preparing(metric, options, source, fits):
    data, train = DataSettings(source), TrainSettings()
    types = TensorType((1, 8, 8)), TensorType((10,))
    prepare(data, train, [request(metric, **options)], *types)
    assert fits


@pytest.mark.parametrize("metric", ["corruption.fog", "attack.pgd", "flatness.local_energy"])
def test_preparing_for_targets_without_classes(metric, tmp_path):
    import numpy as np

    random = np.random.default_rng(0)
    file = tmp_path / "r.npz"
    np.savez(
        file,
        x_train=random.normal(size=(3000, 4)).astype(np.float32),
        y_train=random.normal(size=(3000, 1)).astype(np.float32),
    )
    types = TensorType((4,)), TensorType((1,))
    with pytest.raises(DiagnosticError) as caught:
        prepare(DataSettings("npz", str(file)), TrainSettings(), [request(metric)], *types)
    assert caught.value.diagnostics[0].code == "NAS712"
