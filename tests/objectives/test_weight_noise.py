"""R_sigma against its definition, written out slowly, and against closed forms."""

import copy

import pytest
import torch
from torch import nn

from nasdsl.objectives.candidate import Candidate
from nasdsl.objectives.contract import small_data, small_module
from nasdsl.objectives.metrics import request
from nasdsl.objectives.weight_noise import flatness, noisy_weights
from nasdsl.seeding import derive
from nasdsl.training.loop import train
from nasdsl.training.settings import TrainSettings


def trained():
    module, data = small_module(), small_data()
    train(module, data, TrainSettings(epochs=3, batch=32), 0)
    return module, data


def ask(candidate, **options):
    return flatness(candidate, request("flatness.weights", **options))


def test_against_the_definition():
    module, data = trained()
    found = ask(Candidate(module=module, data=data, seed=4), sigma=0.6, copies=7)

    x, y = data.inputs(data.validation.x), data.validation.y

    def accuracy(network):
        with torch.no_grad():
            return 100 * (network(x).argmax(1) == y).double().mean().item()

    center, changes = accuracy(module), []
    for m in range(7):
        generator = torch.Generator().manual_seed(derive(4, "weight noise", m))
        shaken = copy.deepcopy(module)
        sizes = [p.numel() for p in shaken.parameters()]
        xi = torch.randn(sum(sizes), generator=generator).split(sizes)
        with torch.no_grad():
            for p, noise in zip(shaken.parameters(), xi, strict=True):
                p.mul_(1 + 0.6 * noise.view_as(p))
        changes.append(abs(accuracy(shaken) - center))
    changes = torch.tensor(changes, dtype=torch.float64)
    assert changes.max() > 0  # the noise is large enough to be seen
    assert found[0] == pytest.approx(changes.mean().item())
    assert found[1] == pytest.approx(changes.std(correction=0).item())


def test_no_noise_is_flat():
    module, data = trained()
    assert ask(Candidate(module=module, data=data), sigma=0.0) == (0.0, 0.0)


def test_more_noise_is_less_flat():
    module, data = trained()
    candidate = Candidate(module=module, data=data)
    small, large = ask(candidate, sigma=0.02)[0], ask(candidate, sigma=1.5)[0]
    assert small < large


def test_noise_is_multiplicative_on_every_parameter_and_zeros_stay():
    module = small_module()
    with torch.no_grad():
        module[4].weight[0].zero_()
        module[4].bias.fill_(3.0)
    one = noisy_weights(module, 0.1, 0, 0)
    assert set(one) == {name for name, _ in module.named_parameters()}
    assert (one["4.weight"][0] == 0).all()
    factors = torch.cat([(one[n] / p - 1).flatten() for n, p in module.named_parameters()])
    factors = factors[torch.isfinite(factors)] / 0.1
    assert abs(factors.mean().item()) < 0.15
    assert abs(factors.std().item() - 1) < 0.1
    two = noisy_weights(module, 0.2, 0, 0)
    weight = module[0].weight
    assert torch.allclose((two["0.weight"] - weight), 2 * (one["0.weight"] - weight), atol=1e-6)


def test_copies_of_equal_sigma_are_shared_and_a_prefix_of_more():
    module, data = trained()
    calls = []

    class Counting(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = module

        def forward(self, x):
            calls.append(1)
            return self.inner(x)

    candidate = Candidate(module=Counting().eval(), data=data, seed=1)
    ask(candidate, sigma=0.3, copies=5)
    assert len(calls) == 6  # five copies and the center
    ask(candidate, sigma=0.3, copies=8)
    assert len(calls) == 9
    ask(candidate, sigma=0.1, copies=2)
    assert len(calls) == 11


def test_running_statistics_stay():
    module, data = trained()
    before = copy.deepcopy(module.state_dict())
    ask(Candidate(module=module, data=data), sigma=0.5)
    assert all(torch.equal(v, before[k]) for k, v in module.state_dict().items())
    assert not any(part.training for part in module.modules())
