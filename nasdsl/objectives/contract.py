"""What every metric has to keep, as tests to inherit.

A package that adds a metric makes it pass with::

    class TestMine(MetricContract):
        request = request("mine")

The methods follow pytest's naming and use plain ``assert``; pytest itself is not imported.
"""

from __future__ import annotations

import copy
import math
import pickle
import random
from typing import ClassVar

import numpy as np
import torch
from torch import nn

from nasdsl.graph.network import Network, Node
from nasdsl.objectives.candidate import Candidate
from nasdsl.objectives.measurement import Measurement
from nasdsl.objectives.metrics import MetricRequest, labels
from nasdsl.operations.operation import Cost, TensorType
from nasdsl.seeding import derive
from nasdsl.training.data.dataset import Dataset, Split, statistics
from nasdsl.training.settings import Sgd, TrainSettings


def small_data(seed: int = 0, samples: int = 96) -> Dataset:
    """Three classes of noisy 2x6x6 images that a small network can tell apart, mostly."""
    generator = torch.Generator().manual_seed(derive(seed, "small data"))
    centers = torch.randn(3, 2, 6, 6, generator=generator)
    y = torch.arange(2 * samples) % 3
    x = centers[y] + 1.5 * torch.randn(2 * samples, 2, 6, 6, generator=generator)
    train = Split(x[:samples], y[:samples])
    validation = Split(x[samples:], y[samples:])
    return Dataset("small", train, validation, ("a", "b", "c"), *statistics(train.x))


def small_module(seed: int = 0) -> nn.Module:
    """A convolution, a batch norm and a linear layer; the global generator stays as it was."""
    with torch.random.fork_rng([]):
        torch.default_generator.manual_seed(derive(seed, "small module"))
        return nn.Sequential(
            nn.Conv2d(2, 8, 3, padding=1, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(288, 3),
        )


def small_network() -> Network:
    """The graph of :func:`small_module` as far as static metrics look at it."""
    image, vector = TensorType((2, 6, 6)), TensorType((3,))
    return Network(
        (
            Node("input", "input", {}, (), image),
            Node(
                "conv", "conv", {"c": 8, "k": 3}, ("input",), TensorType((8, 6, 6)), Cost(144, 5184)
            ),
            Node("bn", "bn", {}, ("conv",), TensorType((8, 6, 6)), Cost(16, 0)),
            Node("linear", "linear", {"n": 3}, ("bn",), vector, Cost(867, 864)),
        ),
        ("linear",),
    )


class MetricContract:
    """Inherit, and set ``request``; add ``facts`` where the metric needs some."""

    request: ClassVar[MetricRequest]
    facts: ClassVar[dict[str, float]] = {}
    tolerance: ClassVar[float] = 1e-4
    """How far a value may move, relatively, with the size of prediction batches."""

    settings: ClassVar[TrainSettings] = TrainSettings(epochs=3, batch=32, optimizer=Sgd(lr=0.05))

    def data(self) -> Dataset:
        """Samples of three classes; override where a metric is for others."""
        return small_data()

    def module(self, seed: int = 0) -> nn.Module:
        """A network for :meth:`data`, not trained."""
        return small_module(seed)

    def measurement(self, seed: int = 0) -> Measurement:
        """One candidate measured from the beginning."""
        from nasdsl.objectives.evaluate import measure

        return measure(
            self.module(seed),
            small_network(),
            self.data(),
            self.settings,
            [self.request],
            seed,
            facts=self.facts,
        )

    def value(self, candidate: Candidate) -> tuple[float, float | None]:
        """The bare metric on a candidate."""
        return self.request.facts.load()(candidate, self.request)

    def candidate(self, seed: int = 0, batch: int = 500) -> Candidate:
        """A candidate with a module that is initialized and not trained."""
        return Candidate(
            small_network(), self.module(seed).eval(), self.data(), seed, self.facts, batch
        )

    def test_completes_with_a_finite_value(self) -> None:
        """A sound candidate gives a finite value under the metric's label and unit."""
        found = self.measurement()
        assert found.state == "complete", found.detail
        (label,) = labels([self.request])
        assert math.isfinite(found.values[label].value)
        assert found.values[label].unit == self.request.unit

    def test_is_deterministic(self) -> None:
        """The same seed gives the same value and spread, bit by bit."""
        (label,) = labels([self.request])
        first, second = self.measurement().values[label], self.measurement().values[label]
        assert (first.value, first.spread) == (second.value, second.spread)

    def test_leaves_global_generators_alone(self) -> None:
        """The states of torch's, numpy's and Python's generators are as before."""
        before = torch.get_rng_state(), pickle.dumps(np.random.get_state()), random.getstate()
        self.measurement()
        assert torch.equal(before[0], torch.get_rng_state())
        assert before[1] == pickle.dumps(np.random.get_state())
        assert before[2] == random.getstate()

    def test_does_not_depend_on_the_batch(self) -> None:
        """Predicting in batches of 7 or of 500 gives one value up to rounding."""
        small, large = self.value(self.candidate(batch=7)), self.value(self.candidate(batch=500))
        assert math.isclose(small[0], large[0], rel_tol=self.tolerance, abs_tol=1e-9)

    def test_leaves_the_candidate_as_it_was(self) -> None:
        """Weights, buffers and mode of the module are untouched."""
        candidate = self.candidate()
        assert candidate.module is not None
        before = copy.deepcopy(candidate.module.state_dict())
        self.value(candidate)
        after = candidate.module.state_dict()
        assert all(torch.equal(before[name], after[name]) for name in before)
        assert not candidate.module.training

    def test_lets_no_value_through_that_is_not_finite(self) -> None:
        """A network of NaN weights gives a failure with a reason, or a finite value."""
        from nasdsl.objectives.evaluate import measure

        class Broken(nn.Module):
            def forward(self, x: torch.Tensor) -> torch.Tensor:
                return torch.full((len(x), 3), math.nan)

        found = measure(
            Broken(),
            small_network(),
            self.data(),
            self.settings,
            [self.request],
            0,
            facts=self.facts,
        )
        assert all(math.isfinite(v.value) for v in found.values.values())
        assert found.state == "complete" or found.reason
        if self.request.facts.split != "none":
            assert found.state == "failed"

    def test_pickles(self) -> None:
        """A measurement crosses processes."""
        found = self.measurement()
        assert pickle.loads(pickle.dumps(found)) == found
