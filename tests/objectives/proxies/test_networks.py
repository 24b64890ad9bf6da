"""Any network gives values or reasons, and is left as it was."""

import copy
import math
import statistics

import pytest
import torch
from torch import nn

import nasdsl
from nasdsl.compiler import compile_network
from nasdsl.graph.network import Network, Node
from nasdsl.objectives.contract import MetricContract, small_data, small_module, small_network
from nasdsl.objectives.evaluate import measure
from nasdsl.objectives.metrics import request
from nasdsl.objectives.proxies.metric import batch, redrawn
from nasdsl.objectives.proxies.table import PROXIES
from nasdsl.objectives.proxies.together import MEASURED, compute
from nasdsl.operations.operation import TensorType
from nasdsl.seeding import derive
from nasdsl.training.settings import Sgd, TrainSettings

IMAGE = """
input image[3, 16, 16]
output logits[4]
network = conv(8, 3, bias=false) >> {body} >> global_avgpool >> linear(4)
"""
BODIES = {
    "plain": "bn >> relu",
    "gated": "bn >> hswish >> squeeze_excite >> dropout(0.5)",
    "mobile": "inverted_residual(8, kernel=3, expand=3, se=true, act=hswish)",
    "darts": "factorized_reduction(8) >> relu6 >> separable(8, 3)",
    "normed": "groupnorm(2) >> gelu >> layernorm >> silu",
    "tower": "(identity + (conv(8, 3) >> elu)) * 3",
}
VECTORS = """
input x[time=6, feature=5]
output logits[4]
network = linear(8) >> class_token >> (identity + (layernorm >> attention(heads=2, dim=8)))
  >> (identity + (linear(16) >> gelu >> linear(8))) >> take_token(0) >> linear(4)
"""
SEQUENCE = """
input x[time=6, feature=5]
output logits[4]
network = conv(8, 3) >> bn >> relu >> separable(8, 3) >> maxpool(2) >> global_avgpool >> linear(4)
"""
TOKENS = Network(
    (
        Node("in", "input", {}, (), TensorType((6,), "int")),
        Node("embed", "embedding", {"vocab": 20, "dim": 8}, ("in",), TensorType((6, 8))),
        Node("mix", "linear", {"features": 8, "bias": True}, ("embed",), TensorType((6, 8))),
        Node("act", "relu", {}, ("mix",), TensorType((6, 8))),
        Node("pool", "global_avgpool", {}, ("act",), TensorType((8,))),
        Node("out", "linear", {"features": 4, "bias": True}, ("pool",), TensorType((4,))),
    ),
    ("out",),
)
DENSE = """
input image[3, 16, 16]
output mask[2, 16, 16]
network = conv(8, 3) >> bn >> relu >> conv(2, 1)
"""


def of(text, samples=10):
    network = text if isinstance(text, Network) else nasdsl.load(text)[0].network
    module = compile_network(network, 1)
    generator = torch.Generator().manual_seed(0)
    shape = network.inputs[0].type
    size = (samples, *shape.shape)
    x = torch.randn(size, generator=generator)
    if shape.dtype == "int":
        x = torch.randint(0, 20, size, generator=generator)
    return module, x, torch.arange(samples) % 4


@pytest.mark.parametrize("name", BODIES)
def test_images_of_any_architecture_have_all(name):
    module, x, y = of(IMAGE.format(body=BODIES[name]))
    found = compute(module, x, y)
    assert {n: o.reason for n, o in found.items() if o.reason} == {}
    assert all(math.isfinite(o.value) for o in found.values())


@pytest.mark.parametrize("text", [VECTORS, SEQUENCE], ids=["transformer", "sequence"])
def test_sequences_have_all(text):
    found = compute(*of(text))
    assert {n: o.reason for n, o in found.items() if o.reason} == {}


def test_tokens_have_those_that_need_no_derivative_of_the_input():
    found = compute(*of(TOKENS))
    without = {"jacov", "epe_nas", "jacob_fro", "hessian", "zen"}
    assert {n for n, o in found.items() if o.reason} == without
    assert "tokens" in found["zen"].reason


def test_masks_have_all_but_the_one_of_classes():
    module, x, _ = of(DENSE)
    y = (x[:, 0] > 0).long()
    found = compute(module, x[:, :, :8, :8], y[:, :8, :8])
    assert {n for n, o in found.items() if o.reason} == {"epe_nas"}


def test_without_activation_there_is_no_kernel():
    module, x, y = of(IMAGE.format(body="bn"))
    found = compute(module, x, y)
    assert found["nwot"].value is None
    assert "activation" in found["nwot"].reason
    assert found["snip"].value > 0


def test_equal_samples_make_the_kernel_singular():
    module, x, y = of(IMAGE.format(body="bn >> relu"))
    x[1] = x[0]
    assert "singular" in compute(module, x, y, ("nwot",))["nwot"].reason


def test_an_output_that_ignores_the_input_gives_reasons():
    """The all-none cell of NAS-Bench-201: published values are marks of failure."""
    module, x, y = of(IMAGE.format(body="(zero + zero)"))
    found = compute(module, x, y)
    for name in ("jacov", "epe_nas", "synflow", "zen"):
        assert found[name].value is None, name
        assert found[name].reason
    assert found["jacob_fro"].value in (0.0, None)


def test_values_that_are_not_finite_are_reasons():
    module = small_module()
    with torch.no_grad():
        module[0].weight.fill_(math.nan)
    x, y = torch.randn(8, 2, 6, 6, generator=torch.Generator().manual_seed(0)), torch.arange(8) % 3
    for name, outcome in compute(module, x, y).items():
        assert (outcome.value is None) == (outcome.reason is not None)
        assert outcome.value is None or math.isfinite(outcome.value), name
    assert compute(module, x, y, ("snip",))["snip"].reason == "its value is nan"


def test_unknown_names_are_refused():
    module, x, y = of(IMAGE.format(body="relu"))
    with pytest.raises(ValueError, match="snipp"):
        compute(module, x, y, ("snipp",))


@pytest.mark.parametrize("training", [True, False])
def test_the_module_and_the_generator_stay_as_they_were(training):
    module, x, y = of(IMAGE.format(body="bn >> relu >> dropout(0.5)"))
    module.train(training)
    frozen = next(module.parameters()).requires_grad_(False)
    before = copy.deepcopy(module.state_dict())
    parts = dict(module.named_modules())
    state = torch.get_rng_state()
    compute(module, x, y)
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(v, before[k]) for k, v in module.state_dict().items())
    assert all(p.grad is None for p in module.parameters())
    assert not frozen.requires_grad
    after = dict(module.named_modules())
    assert all(parts[name] is after[name] for name in parts)
    assert all(p.training is training for p in module.modules())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in module.modules())
    assert all(m.momentum == 0.1 for m in module.modules() if isinstance(m, nn.BatchNorm2d))


def test_a_training_is_the_same_after_them():
    """They look at the very module that is then trained."""
    settings = TrainSettings(epochs=1, batch=32, optimizer=Sgd(lr=0.05))
    values = []
    for more in ([], [request(f"proxy.{n}") for n in MEASURED]):
        found = measure(
            small_module(), small_network(), small_data(), settings,
            [request("loss"), *more], 0, keep_weights=True,
        )  # fmt: skip
        assert found.state == "complete", found.detail
        values.append((found.values["loss"].value, found.weights))
    assert values[0] == values[1]


def test_passes_are_shared(monkeypatch):
    """Eight proxies of one network: one forward pass in training mode, and no copy."""
    module, x, y = of(IMAGE.format(body="bn >> relu"))
    count = []
    module.register_forward_hook(lambda *_: count.append(1))
    monkeypatch.setattr(copy, "deepcopy", lambda *_: pytest.fail("copied"))
    names = ("jacov", "epe_nas", "nwot", "fisher", "grad_norm", "snip", "plain", "grasp")
    assert all(o.value is not None for o in compute(module, x, y, names).values())
    assert len(count) == 1


def test_a_candidate_computes_them_once(monkeypatch):
    from nasdsl.objectives.proxies import metric

    calls = []

    def counted(*args):
        calls.append(set(args[3]))
        return compute(*args)

    monkeypatch.setattr(metric, "compute", counted)
    asked = [request("proxy.snip"), request("proxy.nwot"), request("proxy.zen", batch=16)]
    found = measure(small_module(), small_network(), small_data(), TrainSettings(), asked, 0)
    assert found.state == "complete", found.detail
    assert calls == [{"snip", "nwot"}, {"zen"}]
    assert "train" not in found.timings


def test_draws_are_averaged_and_the_same_for_all_candidates():
    """By hand: fresh weights by the names of layers, another batch each, mean and deviation."""
    asked = request("proxy.snip", draws=3, batch=16)
    module, data = small_module(), small_data()
    before = copy.deepcopy(module.state_dict())
    found = measure(module, small_network(), data, TrainSettings(), [asked], 0)
    assert found.state == "complete", found.detail
    assert all(torch.equal(v, before[k]) for k, v in module.state_dict().items())
    values = []
    for draw in range(3):
        fresh = small_module()
        with torch.random.fork_rng([]):
            for name, part in fresh.named_modules():
                if hasattr(part, "reset_parameters"):
                    torch.manual_seed(derive(0, "proxy weights", draw, name))
                    part.reset_parameters()
        x, y = batch(data, 16, 0, draw)
        values.append(compute(fresh, x, y, ("snip",))["snip"].value)
    assert len(set(values)) == 3
    value = found.values["proxy.snip"]
    assert value.value == pytest.approx(statistics.mean(values))
    assert value.spread == pytest.approx(statistics.pstdev(values))
    other = measure(small_module(seed=5), small_network(), data, TrainSettings(), [asked], 9)
    assert other.values["proxy.snip"].value == value.value, "no weight is the candidate's own"


def test_layers_in_common_begin_alike():
    longer = nn.Sequential(*small_module(), nn.Linear(3, 3))
    first, second = redrawn(small_module(), 1, 0), redrawn(longer, 1, 0)
    assert torch.equal(first[0].weight, second[0].weight)
    assert not torch.equal(first[0].weight, redrawn(small_module(), 1, 1)[0].weight)
    assert not torch.equal(first[0].weight, redrawn(small_module(), 2, 0)[0].weight)


def test_a_failed_proxy_spares_the_training():
    module = nn.Sequential(nn.Flatten(), nn.Linear(72, 3))
    asked = [request("accuracy"), request("proxy.nwot"), request("proxy.snip")]
    found = measure(module, small_network(), small_data(), TrainSettings(), asked, 0)
    assert found.state == "failed"
    assert found.reason == "error: proxy.nwot: the network has no activation layer"
    assert "train" not in found.timings
    assert set(found.values) == {"proxy.snip"}


@pytest.mark.parametrize("proxy", PROXIES.values(), ids=list(PROXIES))
def test_each_says_what_it_is(proxy):
    words = proxy.definition
    assert "counts as better" in words
    assert "Transform for regression" in words
    assert "Misleads: " in words
    assert proxy.source


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_devices_agree():
    module, x, y = of(IMAGE.format(body="bn >> relu"))
    here = compute(module, x, y)
    there = compute(module.cuda(), x.cuda(), y.cuda())
    for name, outcome in here.items():
        assert there[name].value == pytest.approx(outcome.value, rel=1e-2), name


class TestSnip(MetricContract):
    request = request("proxy.snip")


class TestZen(MetricContract):
    request = request("proxy.zen")


class TestNwot(MetricContract):
    request = request("proxy.nwot")


class TestJacov(MetricContract):
    request = request("proxy.jacov", batch=16)


class TestHessian(MetricContract):
    request = request("proxy.hessian")


class TestSeveralDraws(MetricContract):
    request = request("proxy.nwot", draws=2, batch=16)
