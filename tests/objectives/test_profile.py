"""The profile of a network holds what each evaluation gives by itself."""

import json
import math

import pytest
import torch
from torch import nn

from nasdsl.objectives.candidate import Candidate
from nasdsl.objectives.contract import small_data, small_module
from nasdsl.objectives.metrics import MetricError, request
from nasdsl.objectives.profile import FRACTIONS, ITEMS, STANDARD, Profile, ProfileSettings
from nasdsl.objectives.profiling import profile
from nasdsl.robustness.attacks import evaluate_attack
from nasdsl.robustness.corrupted import evaluate_corruptions
from nasdsl.training.data.dataset import Dataset, Split, statistics
from tests.objectives.bars import bars

SEED = 11


def fitted(data: Dataset) -> nn.Module:
    """A network that is right about nearly all of it."""
    with torch.random.fork_rng([]):
        torch.default_generator.manual_seed(3)
        module = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 3))
    optimizer = torch.optim.Adam(module.parameters(), 0.01)
    for _ in range(60):
        optimizer.zero_grad()
        torch.autograd.backward(
            nn.functional.cross_entropy(module(data.inputs(data.train.x)), data.train.y)
        )
        optimizer.step()
    return module.eval()


DATA = bars()
MODULE = fitted(DATA)
ASKED = ProfileSettings(
    {
        "corruptions": {"samples": 30},
        "fgsm": {"eps": 0.2, "norm": "linf", "samples": 0},
        "pgd": {"eps": 1.0, "norm": "l2", "steps": 3, "samples": 20},
        "square": {"eps": 0.2, "norm": "linf", "queries": 5, "samples": 10},
        "noise": {"sigma": 3.0, "copies": 3},
    }
)


@pytest.fixture(scope="module")
def found() -> Profile:
    state = torch.get_rng_state()
    made = profile(MODULE, DATA, DATA.validation, "validation", ASKED, SEED)
    assert torch.equal(state, torch.get_rng_state())
    return made


def test_the_parts_are_those_of_the_evaluations(found: Profile) -> None:
    errors = evaluate_corruptions(MODULE, DATA, samples=30)
    assert found.corrupted == errors.errors
    assert found.mce == pytest.approx(errors.mce)
    assert (found.corrupted_samples, found.corrupted_clean) == (30, errors.clean)
    columns = [[row[s] for row in errors.errors.values()] for s in range(5)]
    assert found.by_severity == pytest.approx([math.fsum(c) / 15 for c in columns])
    fgsm, pgd, square = found.attacked
    radii = [1.0 * f for f in FRACTIONS]
    alone = evaluate_attack(MODULE, DATA, "pgd", radii, "l2", samples=20, steps=3)
    assert pgd.robust == tuple(alone.robust.values())
    assert (pgd.clean, pgd.samples, pgd.radii[-1]) == (alone.clean, 20, 1.0)
    assert (fgsm.samples, fgsm.radii[0]) == (48, 0.2 / 16)
    assert list(fgsm.robust) == sorted(fgsm.robust, reverse=True)
    assert square.samples == 10


def test_noise_is_that_of_the_metric(found: Profile) -> None:
    """R_sigma of a network in a run and in its profile are one number."""
    candidate = Candidate(module=MODULE, data=DATA, seed=SEED)
    assert found.noisy is not None
    for sigma, flat in zip(found.noisy.sigmas, found.noisy.flatness, strict=True):
        asked = request("flatness.weights", sigma=sigma, copies=3)
        value, _ = asked.facts.load()(candidate, asked)
        assert flat == pytest.approx(value)
    assert found.clean == pytest.approx(candidate.accuracy)
    assert found.noisy.sigmas == tuple(3.0 * f for f in FRACTIONS)
    assert max(found.noisy.spread) > 0


def test_a_profile_survives_json(found: Profile) -> None:
    text = json.dumps(found.to_json(), allow_nan=False)
    assert Profile.from_json(json.loads(text)) == found
    bare = Profile("test", 10, 50.0)
    assert Profile.from_json(bare.to_json()) == bare
    assert bare.mce is None
    assert bare.by_severity == ()


def test_other_samples_give_other_values(found: Profile) -> None:
    other = profile(MODULE, DATA, DATA.train, "test", ASKED, SEED)
    assert (other.split, other.samples) == ("test", 96)
    assert other.corrupted != found.corrupted


def test_what_cannot_be_had_is_a_reason_and_the_rest_is_there() -> None:
    """Images of two channels and 6 x 6 pixels cannot be corrupted; they can be attacked."""
    data, module = small_data(), small_module()
    made = profile(module, data, data.validation, "test", ASKED)
    assert set(made.failures) == {"corruptions"}
    assert "channels" in made.failures["corruptions"]
    assert made.corrupted == {}
    assert [a.attack for a in made.attacked] == ["fgsm", "pgd", "square"]
    assert made.noisy is not None


def test_float_targets_have_no_profile() -> None:
    y = torch.rand(10)
    x = torch.rand(10, 1, 8, 8)
    data = Dataset("values", Split(x, y), Split(x, y), (), *statistics(x))
    with pytest.raises(MetricError, match="no accuracy"):
        profile(nn.Flatten(), data, data.train, "test", STANDARD)


def test_the_standard_is_made_of_known_items() -> None:
    for name, values in STANDARD.asked.items():
        assert set(values) == {o.name for o in ITEMS[name].options}
