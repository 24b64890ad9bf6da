"""From module to measurement: values, shared work, and every way to fail."""

import math
import pickle
import resource
import subprocess
import sys
import textwrap

import pytest
import torch
from torch import nn

from nasdsl.compiler import compile_network
from nasdsl.diagnostics import DiagnosticError
from nasdsl.graph.network import Network, Node
from nasdsl.objectives.contract import small_data, small_module, small_network
from nasdsl.objectives.evaluate import evaluate, failure, from_bytes, measure
from nasdsl.objectives.final import measure_test
from nasdsl.objectives.metrics import MetricError, request
from nasdsl.objectives.prepare import check_device, prepare
from nasdsl.operations import OPERATIONS, TensorType, resolve
from nasdsl.training.data import Dataset, Split, load, load_test
from nasdsl.training.data.dataset import statistics
from nasdsl.training.history import Diverged
from nasdsl.training.settings import DataSettings, Sgd, TrainSettings

QUICK = TrainSettings(epochs=2, batch=32, optimizer=Sgd(lr=0.05))
ALL = [
    request("accuracy"), request("loss"), request("params"), request("macs"),
    request("flatness.weights", sigma=0.3, copies=3),
]  # fmt: skip


def ask(module=None, requests=ALL, settings=QUICK, seed=0, data=None, **more):
    return measure(
        module or small_module(), small_network(), data or small_data(), settings, requests, seed,
        **more,
    )  # fmt: skip


def test_a_measurement_is_complete_and_pickles():
    found = ask()
    assert found.state == "complete", found.detail
    assert found.reason is None
    assert list(found.values) == ["params", "macs", "accuracy", "loss", "flatness.weights"]
    assert found.values["params"].value == 1027
    assert found.values["macs"].value == 6048
    assert found.values["accuracy"].unit == "%"
    assert found.values["accuracy"].value > 50
    assert found.values["flatness.weights"].spread is not None
    assert [e.epoch for e in found.history] == [1, 2]
    assert set(found.timings) == {"train", *found.values}
    assert found.weights is None
    assert pickle.loads(pickle.dumps(found)) == found


def test_values_equal_a_direct_computation():
    module, data = small_module(), small_data()
    found = ask(module)
    with torch.no_grad():
        output = module(data.inputs(data.validation.x))
    right = (output.argmax(1) == data.validation.y).double().mean().item()
    assert found.values["accuracy"].value == pytest.approx(100 * right)
    loss = nn.functional.cross_entropy(output, data.validation.y).item()
    assert found.values["loss"].value == pytest.approx(loss, rel=1e-5)


def test_metrics_share_one_training_and_one_pass():
    calls = {"train": 0, "eval": 0}

    class Counting(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = small_module()

        def forward(self, x):
            calls["train" if self.training else "eval"] += 1
            return self.inner(x)

    ask(Counting())
    assert calls == {"train": 6, "eval": 1 + 3}


def test_static_metrics_train_nothing():
    class Never(nn.Module):
        def forward(self, x):
            raise AssertionError

    found = ask(Never(), [request("params"), request("macs")])
    assert found.state == "complete"
    assert found.history == ()


def test_a_neighborhood_brings_the_accuracy():
    found = ask(requests=[request("params"), request("flatness.neighborhood")])
    assert list(found.values) == ["params", "accuracy"]


def test_weights_come_along_and_go_back():
    module = small_module()
    found = ask(module, [request("params")], keep_weights=True)
    assert len(found.history) == 2
    other = small_module(seed=9)
    from_bytes(other, found.weights)
    for a, b in zip(module.state_dict().values(), other.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_two_requests_of_one_metric():
    found = ask(
        requests=[
            request("flatness.weights", sigma=0.1, copies=2),
            request("flatness.weights", sigma=0.9, copies=2),
        ]
    )
    first, second = found.values.values()
    assert list(found.values)[1] == "flatness.weights(sigma=0.9, copies=2)"
    assert first.value < second.value


# ---- failures -----------------------------------------------------------------------------


class Failing(nn.Module):
    """Raises, or returns nonsense, in its n-th call."""

    def __init__(self, outcome, call=2):
        super().__init__()
        self.inner = small_module()
        self.outcome = outcome
        self.call = call

    def forward(self, x):
        self.call -= 1
        if self.call > 0:
            return self.inner(x)
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        return self.inner(x) * self.outcome


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (math.nan, "diverged at step 2: loss is nan"),
        (math.inf, "diverged at step 2: loss is nan"),
        (MemoryError(), "out of memory"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried"), "out of memory"),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
            "out of memory",
        ),
        (RuntimeError("mat1 and mat2\ncannot"), "error: RuntimeError: mat1 and mat2 cannot"),
        (KeyError("n"), "error: KeyError: 'n'"),
        (ZeroDivisionError(), "error: ZeroDivisionError"),
    ],
)
def test_failures_are_outcomes(outcome, reason):
    found = ask(Failing(outcome))
    assert found.state == "failed"
    assert found.reason == reason
    assert list(found.values) == ["params", "macs"]
    assert "Traceback" in found.detail
    assert pickle.loads(pickle.dumps(found)) == found


def test_a_failure_after_the_training_keeps_what_is_there():
    found = ask(Failing(math.nan, call=7), [request("accuracy")])
    assert found.state == "failed"
    assert found.reason == "error: accuracy: its predictions are not finite"
    assert len(found.history) == 2
    assert not found.values


def test_an_interrupt_is_not_an_outcome():
    with pytest.raises(KeyboardInterrupt):
        ask(Failing(KeyboardInterrupt()))


def test_reasons():
    assert failure(Diverged(12, math.nan)) == "diverged at step 12: loss is nan"
    assert failure(MetricError("x: none")) == "error: x: none"
    with pytest.raises(DiagnosticError) as error:
        load(DataSettings(source="npz", path="none.npz"))
    assert failure(error.value).startswith("error: no file at")


def test_what_only_the_space_knows():
    found = ask(requests=[request("declared_params")])
    assert (found.state, found.values) == ("failed", {})
    assert "declared" in found.reason
    found = ask(requests=[request("declared_params")], facts={"declared_params": 7})
    assert found.values["declared_params"].value == 7


def test_a_real_lack_of_memory_is_an_outcome():
    program = """
        import resource, torch
        from torch import nn
        from nasdsl.objectives.contract import small_data, small_network
        from nasdsl.objectives.evaluate import measure
        from nasdsl.objectives.metrics import request
        from nasdsl.training.settings import TrainSettings
        torch.set_num_threads(1)

        class Huge(nn.Module):
            def __init__(self):
                super().__init__()
                self.inner = nn.Linear(72, 3)
            def forward(self, x):
                return self.inner(x.flatten(1)) + torch.ones(2**31).sum()

        limit = 4 * 2**30
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
        found = measure(Huge(), small_network(), small_data(), TrainSettings(epochs=1),
                        [request("accuracy")], 0)
        print(found.state, "|", found.reason)
    """
    assert resource.RLIMIT_DATA >= 0
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True,
        check=True, env={"OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert done.stdout.strip() == "failed | out of memory"


# ---- a real network, from its graph -------------------------------------------------------


def digits_network():
    nodes = [Node("input", "input", {}, (), TensorType((1, 8, 8)))]
    chain = [("conv", (8, 3)), ("bn", ()), ("relu", ()), ("global_avgpool", ()), ("linear", (10,))]
    for name, args in chain:
        operation = OPERATIONS[name]
        settings = resolve(operation, args, {})
        before = nodes[-1]
        type_ = operation.shape(settings, (before.type,))
        cost = operation.cost(settings, (before.type,), type_)
        nodes.append(Node(name, name, settings, (before.id,), type_, cost))
    return Network(tuple(nodes), ("linear",))


def test_evaluate_a_graph_on_digits():
    network = digits_network()
    settings = TrainSettings(epochs=2)
    requests = [request("accuracy"), request("params"), request("flatness.weights", copies=2)]
    first = evaluate(network, DataSettings(), settings, requests, 5)
    assert first.state == "complete", first.detail
    assert first.values["params"].value == 80 + 16 + 90
    again = evaluate(network, DataSettings(), settings, requests, 5)
    other = evaluate(network, DataSettings(), settings, requests, 6)
    assert first.history == again.history
    assert first.history != other.history
    assert {n: v.value for n, v in first.values.items()} == {
        n: v.value for n, v in again.values.items()
    }
    assert {"compile", "data", "train"} < set(first.timings)


def test_evaluate_reads_nothing_for_static_metrics():
    found = evaluate(
        digits_network(), DataSettings(source="npz", path="none"), QUICK, [request("macs")], 0
    )
    assert found.state == "complete"
    assert set(found.timings) == {"macs"}


def test_evaluate_turns_missing_data_into_an_outcome():
    found = evaluate(
        digits_network(), DataSettings(source="npz", path="none"), QUICK, [request("loss")], 0
    )
    assert found.state == "failed"
    assert found.reason.startswith("error: no file at")


def test_a_final_training_joins_the_splits_and_is_tested_once():
    network = digits_network()
    settings = TrainSettings(epochs=2, batch=100)
    final = evaluate(
        network, DataSettings(), settings, [request("loss")], 0, keep_weights=True, joined=True
    )
    alone = evaluate(network, DataSettings(), settings, [request("loss")], 0, keep_weights=True)
    assert final.weights != alone.weights
    module = compile_network(network, 99).eval()
    from_bytes(module, final.weights)
    values = measure_test(module, DataSettings())
    data, test = load(DataSettings()), load_test(DataSettings())
    with torch.no_grad():
        output = module((test.x - data.mean) / data.std)
    share = (output.argmax(1) == test.y).double().mean().item()
    assert values["accuracy"].value == pytest.approx(100 * share)
    assert values["accuracy"].spread == pytest.approx(100 * math.sqrt(share * (1 - share) / 359))
    assert values["accuracy"].note == "359 test samples"
    assert values["loss"].value == pytest.approx(
        nn.functional.cross_entropy(output, test.y).item(), rel=1e-5
    )


# ---- before the first trial ---------------------------------------------------------------


def test_prepare_gives_the_data_or_says_what_does_not_fit(tmp_path):
    image, logits = TensorType((1, 8, 8)), TensorType((10,))
    assert prepare(DataSettings(), QUICK, ALL, image, logits) is load(DataSettings())
    with pytest.raises(DiagnosticError) as error:
        prepare(DataSettings(), QUICK, ALL, TensorType((3, 8, 8)), logits)
    assert error.value.diagnostics[0].code == "NAS703"
    with pytest.raises(DiagnosticError) as error:
        prepare(DataSettings(source="images", path="x"), QUICK, ALL, image, logits,
                base_folder=tmp_path)  # fmt: skip
    assert error.value.diagnostics[0].code == "NAS701"
    assert str(tmp_path) in str(error.value)


def test_float_targets_have_no_accuracy(tmp_path):
    import numpy as np

    x = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
    np.savez(tmp_path / "a.npz", x_train=x, y_train=x.sum(1))
    given = DataSettings(source="npz", path="a.npz", train=None, validation=0.2, noise=0.0)
    vector, value = TensorType((4,)), TensorType((1,))
    data = prepare(given, QUICK, [request("loss")], vector, value, base_folder=tmp_path)
    for wrong in (request("accuracy"), request("flatness.neighborhood")):
        with pytest.raises(DiagnosticError) as error:
            prepare(given, QUICK, [wrong], vector, value, base_folder=tmp_path)
        assert error.value.diagnostics[0].code == "NAS712"
    found = measure(nn.Linear(4, 1), None, data, QUICK, [request("loss")], 0)
    assert found.state == "complete", found.detail
    found = measure(nn.Linear(4, 1), None, data, QUICK, [request("accuracy")], 0)
    assert "have no accuracy" in found.reason


def test_masks_are_learned():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(40, 1, 6, 6, generator=generator)
    split = Split(x, (x[:, 0] > 0).long())
    data = Dataset("masks", split, split, ("off", "on"), *statistics(x))
    settings = TrainSettings(epochs=10, batch=8, crop=1, flip=True, optimizer=Sgd(0.5))
    found = measure(nn.Conv2d(1, 2, 1), None, data, settings, [request("accuracy")], 0)
    assert found.state == "complete", found.detail
    assert found.values["accuracy"].value > 95


@pytest.mark.parametrize("device", ["gpu", "meta", "cuda:99"])
def test_devices_that_cannot_be_used(device):
    with pytest.raises(DiagnosticError) as error:
        check_device(device)
    assert error.value.diagnostics[0].code == "NAS705"


# ---- each metric by itself ----------------------------------------------------------------


def each(module, *names, **more):
    module = module or small_module()
    return ask_each(module, [request(n) for n in names], **more)


def ask_each(module, requests, settings=QUICK):
    from nasdsl.objectives.evaluate import _evaluate

    data = small_data()
    return _evaluate(
        lambda _: (module, data), small_network(), settings, requests, 0, "cpu", True, {},
        each=True,
    )  # fmt: skip


def test_metrics_by_themselves_are_the_same_metrics():
    together, alone = ask(keep_weights=True), ask_each(small_module(), ALL)
    assert {n: v.value for n, v in alone.values.items()} == {
        n: v.value for n, v in together.values.items()
    }
    assert (alone.state, alone.failures, alone.weights) == ("complete", {}, together.weights)


def test_a_proxy_that_fails_spares_no_training():
    found = each(nn.Sequential(nn.Flatten(), nn.Linear(72, 3)), "proxy.nwot", "loss", "params")
    assert found.state == "failed"
    assert set(found.values) == {"loss", "params"}
    assert found.failures == {
        "proxy.nwot": "error: proxy.nwot: the network has no activation layer"
    }
    assert found.reason == found.failures["proxy.nwot"]
    assert "MetricError" in (found.detail or "")
    assert found.weights is not None


def test_a_training_that_fails_takes_what_needs_it():
    found = each(Failing(math.nan), "params", "accuracy", "loss")
    assert set(found.values) == {"params"}
    assert found.failures == dict.fromkeys(("accuracy", "loss"), "diverged at step 2: loss is nan")


def test_an_error_in_one_trained_metric_leaves_the_next(monkeypatch):
    from nasdsl.objectives import accuracy

    def broken(candidate, request):
        raise RuntimeError("out of luck")

    monkeypatch.setattr(accuracy, "accuracy", broken)
    found = each(None, "accuracy", "loss")
    assert found.failures == {"accuracy": "error: RuntimeError: out of luck"}
    assert set(found.values) == {"loss"}
