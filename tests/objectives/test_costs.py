"""Latency, activation memory and checkpoint bytes."""

import time

import pytest
import torch
from torch import fx, nn

import nasdsl
from nasdsl.compiler import compile_network
from nasdsl.objectives.candidate import Candidate
from nasdsl.objectives.contract import small_data, small_module, small_network
from nasdsl.objectives.evaluate import measure, to_bytes
from nasdsl.objectives.latency import latency
from nasdsl.objectives.memory import checkpoint_size, kept, peak
from nasdsl.objectives.metrics import MetricError, request
from nasdsl.training.settings import TrainSettings

TEXT = """
input image[3, 16, 16]
output logits[4]
network = conv(8, 3, bias=false) >> bn >> relu >> (identity + (conv(8, 3) >> bn >> relu)) * 2
  >> maxpool(2) >> (conv(4, 1) ++ identity) >> global_avgpool >> linear(4)
"""


class Watched(fx.Interpreter):
    """Adds up the bytes of the tensors that are alive after each node; frees as torch does."""

    highest = 0
    total = 0

    def run_node(self, n):
        result = super().run_node(n)
        if n.op != "output":
            self.total += result.nbytes
        alive = {v.untyped_storage().data_ptr(): v.nbytes for v in (*self.env.values(), result)}
        self.highest = max(self.highest, sum(alive.values()))
        return result


def test_activation_memory_is_what_an_interpreter_holds():
    network = nasdsl.load(TEXT)[0].network
    watched = Watched(compile_network(network).eval(), garbage_collect_values=True)
    x = torch.zeros(1, 3, 16, 16)
    with torch.no_grad():
        watched.run(x)
    # The interpreter lets the input go; ours belongs to the caller and stays.
    assert peak(network) in (watched.highest, watched.highest + x.nbytes)
    assert kept(network) == watched.total


def test_a_chain_holds_two_results():
    network = nasdsl.load(
        "input image[1, 8, 8]\noutput logits[2]\n"
        "network = conv(2, 3) >> conv(8, 3) >> conv(4, 3) >> global_avgpool >> linear(2)"
    )[0].network
    assert peak(network) == 4 * 64 * (1 + 8 + 4)
    found = measure(
        small_module(), network, small_data(), TrainSettings(),
        [request("activation_memory", batch=3), request("activation_memory", training=True)], 0,
    )  # fmt: skip
    first, second = (v.value for v in found.values.values())
    assert first == 3 * peak(network)
    assert second == 4 * (64 * (1 + 2 + 8 + 4) + 4 + 2)


@pytest.mark.parametrize("text", [TEXT, "spaces/nasbench201.nas", "spaces/digits_tiny.nas"])
def test_checkpoint_bytes_are_those_of_the_file(text):
    for seed in range(3):
        network = nasdsl.load(text).sample(seed).network
        assert checkpoint_size(network) == len(to_bytes(compile_network(network)))


class Sleeper(nn.Module):
    """Takes a known time, and far longer at first."""

    def __init__(self):
        super().__init__()
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        time.sleep(0.05 if self.calls <= 2 else 0.004)
        return x


def test_latency_is_the_median_after_the_warm_up():
    module = Sleeper()
    candidate = Candidate(small_network(), module)
    value, spread = latency(candidate, request("latency", warmup=2, repeats=9))
    assert module.calls == 11
    assert 4 <= value < 40
    assert 0 <= spread < 40
    with pytest.raises(MetricError, match="more than the 2 ms allowed"):
        latency(candidate, request("latency", repeats=2, at_most=2))


def test_a_slow_network_is_not_trained():
    found = measure(
        small_module(), small_network(), small_data(), TrainSettings(),
        [request("accuracy"), request("latency", repeats=2, at_most=1e-6)], 0,
    )  # fmt: skip
    assert found.state == "failed"
    assert "allowed" in found.reason
    assert "train" not in found.timings


def test_a_condition_is_on_the_bytes_of_the_checkpoint() -> None:
    text = """
input image[3, 8, 8]
output logits[2]
network = conv(width, 3) >> relu >> bn >> global_avgpool >> linear(2)
  where width in {4, 8, 16, 32}
"""
    space = nasdsl.load(text)
    limit = len(to_bytes(compile_network(space[1].network)))
    assert nasdsl.load(f"{text}require checkpoint_bytes <= {limit}\n").feasible == 2
    assert nasdsl.load(f"{text}require checkpoint_bytes < {limit}\n").feasible == 1


def test_a_condition_counts_activation_memory_as_the_metric_does() -> None:
    text = """
input image[3, 8, 8]
output logits[2]
network = conv(width, 3) >> relu >> global_avgpool >> linear(2)
  where width in {4, 8, 16, 32}
"""
    space = nasdsl.load(text)
    limit = sorted(peak(a.network) for a in space)[1]
    tight = nasdsl.load(f"{text}require activation_memory <= {limit}\n")
    assert tight.feasible == 2
    assert all(peak(tight.sample(seed).network) <= limit for seed in range(5))
