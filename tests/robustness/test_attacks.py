"""Attacks: in the ball, on the right images, against closed forms and another library."""

import copy

import pytest
import torch
from torch import nn

from nasdsl.robustness import counter
from nasdsl.robustness.attacked import outputs, pixels
from nasdsl.robustness.attacks import ATTACKS, BLIND, evaluate_attack
from nasdsl.training.data.dataset import Dataset, Split, statistics
from nasdsl.training.loop import evaluating
from tests.robustness.images import labeled, trained

DATA = labeled(96, 3, 8)
MODULE = trained(DATA)
CHEAP = {"fgsm": {}, "pgd": {"steps": 7}, "apgd": {"steps": 12}, "square": {"queries": 40}}


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("attack", ATTACKS)
def test_perturbations_stay_in_the_ball_and_in_the_images(attack, norm):
    run = outputs(MODULE, DATA)
    x, y = pixels(DATA, DATA.validation.x), DATA.validation.y
    keys = counter.streams(torch.arange(len(x)), 0, "a")
    epsilon = 0.05 if norm == "linf" else 0.6
    with torch.no_grad():
        found = ATTACKS[attack](run, x, y, epsilon, norm, keys, **CHEAP[attack])
    away = (found - x).flatten(1)
    size = away.abs().amax(1) if norm == "linf" else away.norm(dim=1)
    assert float(size.max()) <= epsilon * (1 + 1e-5)
    assert float(size.mean()) > 0.1 * epsilon
    assert 0 <= float(found.min()) <= float(found.max()) <= 1


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("attack", ATTACKS)
def test_robust_accuracy_falls_with_epsilon_and_does_not_hang_on_the_batch(attack, norm):
    epsilons = [0.0, 0.02, 0.2] if norm == "linf" else [0.0, 0.2, 2.5]
    state = torch.get_rng_state()
    report = evaluate_attack(MODULE, DATA, attack, epsilons, norm, **CHEAP[attack])
    shares = [report.robust[e] for e in epsilons]
    assert shares[0] == report.clean > 70
    assert shares[0] >= shares[1] >= shares[2]
    assert shares[2] < shares[0] - 20
    assert report.stuck == 0
    again = evaluate_attack(MODULE, DATA, attack, epsilons, norm, batch=7, **CHEAP[attack])
    same = [float((again.stays[e] == report.stays[e]).float().mean()) for e in epsilons]
    assert min(same) >= 0.98
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_network_is_left_as_it_was(attack):
    module = copy.deepcopy(MODULE).train()
    module[1].eval()
    before = copy.deepcopy(module.state_dict())
    modes = [part.training for part in module.modules()]
    report = evaluate_attack(module, DATA, attack, [0.03], **CHEAP[attack])
    assert [part.training for part in module.modules()] == modes
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in module.parameters())
    assert report.clean == evaluate_attack(MODULE, DATA, attack, []).clean


def test_modes_come_back_after_a_failure():
    module = nn.Sequential(nn.Dropout(), nn.BatchNorm1d(2)).train()
    module[0].eval()
    with pytest.raises(RuntimeError), evaluating(module):
        assert not module.training
        raise RuntimeError
    assert [part.training for part in module.modules()] == [True, False, True]


class Linear(nn.Module):
    """Two classes by the sign of ``w x + b``, on one channel."""

    def __init__(self, w, b):
        super().__init__()
        self.w, self.b = nn.Parameter(w), b

    def forward(self, x):
        value = (x * self.w).flatten(1).sum(1) + self.b
        return torch.stack([value, -value], 1)


@pytest.mark.parametrize(("norm", "dual"), [("linf", 1), ("l2", 2)])
@pytest.mark.parametrize("attack", ["fgsm", "pgd", "apgd"])
def test_a_linear_network_is_fooled_exactly_where_it_can_be(attack, norm, dual):
    generator = torch.Generator().manual_seed(3)
    x = 0.3 + 0.4 * torch.rand(200, 1, 8, 8, generator=generator)
    w = torch.randn(1, 8, 8, generator=generator)
    b = -float((x * w).flatten(1).sum(1).mean())
    mean, std = torch.zeros(1, 1, 1, 1), torch.ones(1, 1, 1, 1)
    margin = (x * w).flatten(1).sum(1) + b
    y = (margin < 0).long()
    y[:20] = 1 - y[:20]  # wrong to begin with
    split = Split(x, y)
    data = Dataset("linear", split, split, ("a", "b"), mean, std)
    epsilon = 0.02 if norm == "linf" else 0.15
    report = evaluate_attack(Linear(w, b), data, attack, [epsilon], norm)
    reach = epsilon * float(w.flatten().norm(dual))  # no pixel comes near 0 or 1
    expected = margin.abs() > reach
    expected[:20] = False
    sure = (margin.abs() - reach).abs() > 0.02 * reach
    assert 20 < expected.sum() < 160
    assert torch.equal(report.stays[epsilon][sure], expected[sure])
    assert report.clean == 90


def test_epsilon_is_measured_in_the_images_whatever_their_units():
    x = DATA.train.x.float() * 3 - 40  # the same images in other units
    held = DATA.validation.x.float() * 3 - 40
    low, high = int(DATA.train.x.min()), int(DATA.train.x.max())
    train, validation = Split(x, DATA.train.y), Split(held, DATA.validation.y)
    other = Dataset("units", train, validation, DATA.classes, *statistics(x))
    there = evaluate_attack(MODULE, other, "fgsm", [0.04])
    here = evaluate_attack(MODULE, DATA, "fgsm", [0.04 * (high - low) / 255])
    assert abs(there.clean - here.clean) <= 3
    assert abs(there.robust[0.04] - next(iter(here.robust.values()))) <= 6


def test_a_network_without_gradient_is_told():
    class Stepped(nn.Module):
        def forward(self, x):
            return MODULE(torch.round(x * 4) / 4).detach() + 0 * x.sum((1, 2, 3))[:, None]

    report = evaluate_attack(Stepped(), DATA, "pgd", [0.02], steps=2)
    assert report.stuck == round(report.clean / 100 * 96)
    assert evaluate_attack(Stepped(), DATA, "square", [0.02], queries=2).stuck == 0
    assert {"square"} == BLIND


def test_outputs_that_are_not_finite_are_wrong():
    class Broken(nn.Module):
        def forward(self, x):
            return torch.full((len(x), 3), torch.nan)

    for attack in ATTACKS:
        report = evaluate_attack(Broken(), DATA, attack, [0.01])
        assert report.clean == report.robust[0.01] == 0


def test_wrong_requests():
    with pytest.raises(ValueError, match="no attack"):
        evaluate_attack(MODULE, DATA, "magic", [0.1])
    with pytest.raises(ValueError, match="norm"):
        evaluate_attack(MODULE, DATA, "fgsm", [0.1], "l3")


@pytest.mark.parametrize(
    ("attack", "norm", "epsilon", "effort"),
    [
        ("apgd", "linf", 0.03, 50), ("apgd", "l2", 0.6, 50),
        ("square", "linf", 0.1, 100), ("square", "l2", 3.0, 100),
    ],
)  # fmt: skip
def test_against_pyautoattack(attack, norm, epsilon, effort):
    base = pytest.importorskip(
        "pyautoattack.autopgd_base", reason="pyautoattack is not installed (extra dev)"
    )
    from pyautoattack.square import SquareAttack

    data = labeled(288, 3, 20)
    module = trained(labeled(96, 3, 20))
    run = outputs(module, data)
    x, y = pixels(data, data.validation.x), data.validation.y
    name = {"linf": "Linf", "l2": "L2"}[norm]
    theirs = []
    with torch.random.fork_rng([]):  # it seeds the global generator
        for seed in range(1 if attack == "apgd" else 2):
            if attack == "apgd":
                other = base.APGDAttack(run, n_iter=effort, norm=name, eps=epsilon, device="cpu")
                other.init_hyperparam(x)
            else:
                other = SquareAttack(
                    run, n_queries=effort, norm=name, eps=epsilon, device="cpu", seed=seed
                )
            stays = run(other.perturb(x, y)).argmax(1) == y
            theirs.append(100 * float(stays.float().mean()))
    options = {"steps" if attack == "apgd" else "queries": effort}
    ours = evaluate_attack(module, data, attack, [epsilon], norm, **options).robust[epsilon]
    mean = sum(theirs) / len(theirs)
    assert 10 < mean < 90
    if attack == "apgd":
        assert ours == pytest.approx(mean, abs=1.5)
    else:
        # Theirs moves one square for all images, so that a run is good or bad for all of them:
        # runs differ by ten points. It never reaches the last row and column.
        assert mean - 15 < ours < mean + 10
