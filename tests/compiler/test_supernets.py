"""Supernets: what they compute on a path is what the extracted network computes."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, fx, nn

import nasdsl
from nasdsl.compiler import compile_network
from nasdsl.compiler.supernet import (
    MixedSupernet,
    Relaxation,
    Supernet,
    SwitchedSupernet,
    compile_supernet,
    extract,
    extreme,
    recalibrate,
    sandwich,
)
from nasdsl.compiler.supernet.elastic import Elastic
from nasdsl.diagnostics import DiagnosticError
from tests.compiler.spaces import TEXTS, space

KINDS = ("mixed", "path", "elastic")


def images(n: int = 3, size: int = 8, seed: int = 0) -> Tensor:
    return torch.randn(n, 3, size, size, generator=torch.Generator().manual_seed(seed))


def shaken(supernet: Supernet, seed: int = 0) -> Supernet:
    """Every weight and statistic moved, as training would: fresh ones hide mix-ups of norms."""
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for tensor in (*supernet.parameters(), *supernet.buffers()):
            if tensor.is_floating_point():
                tensor.add_(0.3 * torch.rand(tensor.shape, generator=draw))
    return supernet


def on_path(supernet: Supernet, architecture: nasdsl.Architecture, x: Tensor) -> Tensor:
    if isinstance(supernet, SwitchedSupernet):
        supernet.set_path(architecture)
        result: Tensor = supernet(x)
    else:
        result = supernet(x, supernet.weights_of(architecture))
    return result


MADE: dict[tuple[str, str], Supernet] = {}


def made(name: str, kind: Any) -> Supernet:
    if (name, kind) not in MADE:
        MADE[name, kind] = shaken(compile_supernet(space(name), kind, relaxation=None))
    return MADE[name, kind]


@pytest.mark.parametrize(
    ("name", "kind"),
    # All alternatives of the mobile space at once are many: it is there for the elastic kind.
    [(n, k) for n in TEXTS for k in KINDS if (n, k) != ("mobile", "mixed")],
)
@settings(max_examples=12, deadline=None)
@given(part=st.floats(0, 1, exclude_max=True))
def test_extracting_gives_the_path(name: str, kind: str, part: float) -> None:
    architecture = space(name)[int(part * space(name).size)]
    supernet = made(name, kind).eval()
    alone = extract(supernet, architecture)
    expected = on_path(supernet, architecture, images())
    torch.testing.assert_close(alone(images()), expected, rtol=1e-6, atol=1e-6)
    assert alone.meta["network"] == architecture.network
    assert sum(p.numel() for p in alone.parameters()) == architecture.params


@pytest.mark.parametrize("kind", KINDS)
def test_extracting_from_nasbench201(kind: Any) -> None:
    nb = nasdsl.load("spaces/nasbench201.nas", {"N": "1", "C": "4"})
    supernet = shaken(compile_supernet(nb, kind, relaxation=None)).eval()
    for architecture in nb.samples(4, seed=kind):
        alone = extract(supernet, architecture)
        expected = on_path(supernet, architecture, images(2, 32))
        torch.testing.assert_close(alone(images(2, 32)), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_extracted_weights_are_copies(kind: Any) -> None:
    architecture = space("cell").sample(3)
    supernet = shaken(compile_supernet(space("cell"), kind, relaxation=None)).eval()
    alone = extract(supernet, architecture)
    assert not alone.training and all(p.requires_grad for p in alone.parameters())
    before = on_path(supernet, architecture, images())
    with torch.no_grad():
        for parameter in alone.parameters():
            parameter.zero_()
    assert torch.equal(on_path(supernet, architecture, images()), before)


@pytest.mark.parametrize("kind", KINDS)
def test_training_gradients_are_those_of_the_path(kind: Any) -> None:
    """In training mode too, so that batch statistics and gradients agree with a network alone."""
    nets = space("cell")
    architecture = next(a for a in nets.samples(50, seed=5) if a.params > 150)
    supernet = shaken(compile_supernet(nets, kind, relaxation=None)).train()
    alone = extract(supernet, architecture)
    on_path(supernet, architecture, images()).square().sum().backward()
    alone(images()).square().sum().backward()
    theirs = sorted(p.grad.norm().item() for p in alone.parameters() if p.grad is not None)
    mine = sorted(
        p.grad.norm().item()
        for p in supernet.parameters()
        if p.grad is not None and p.grad.abs().max() > 0
    )
    theirs = [g for g in theirs if g > 0]
    torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)


def test_a_path_starts_as_the_network_alone() -> None:
    nets = space("sizes")
    supernet = compile_supernet(nets, "path", seed=7).eval()
    assert isinstance(supernet, SwitchedSupernet)
    for architecture in nets.samples(5, seed=0):
        supernet.set_path(architecture.decisions)
        alone = compile_network(architecture.network, 7).eval()
        assert torch.equal(supernet(images()), alone(images()))


def test_weights_are_shared_between_paths() -> None:
    nets = space("choices")
    one = nets.architecture({"Op@1[0]": "conv", "Op@1[1]": "conv", "Op@2": "skip"})
    two = nets.architecture({"Op@1[0]": "conv", "Op@1[1]": "pool", "Op@2": "none"})
    supernet = compile_supernet(nets, "path")
    assert isinstance(supernet, SwitchedSupernet)
    supernet.set_path(one)
    optimizer = torch.optim.SGD(supernet.parameters(), 0.1)
    supernet(images()).square().sum().backward()
    optimizer.step()
    supernet.set_path(two)
    moved = extract(supernet, two).state_dict()
    fresh = compile_network(two.network).state_dict()
    shared = [n for n in moved if n.endswith("conv.weight")]
    assert len(shared) == 2
    assert all(not torch.equal(moved[n], fresh[n]) for n in shared)


@pytest.mark.parametrize("kind", KINDS)
def test_supernets_survive_pickle_and_copies(kind: Any) -> None:
    nets = space("cell")
    one, two = nets.samples(2, seed=1)
    supernet = shaken(compile_supernet(nets, kind, relaxation=None)).eval()
    expected = [on_path(supernet, a, images()) for a in (one, two)]
    again = pickle.loads(pickle.dumps(supernet))
    copied = copy.deepcopy(supernet)
    for other in (again, pickle.loads(pickle.dumps(again)), copied):
        assert type(other).__mro__[1] is type(supernet).__mro__[1]
        for architecture, result in zip((one, two), expected, strict=True):
            assert torch.equal(on_path(other, architecture, images()), result)
        assert other.state_dict().keys() == supernet.state_dict().keys()
    copied.load_state_dict({k: torch.zeros_like(v) for k, v in copied.state_dict().items()})
    assert torch.equal(on_path(supernet, two, images()), expected[1])


def test_a_read_supernet_takes_architectures_but_not_decisions() -> None:
    supernet = pickle.loads(pickle.dumps(compile_supernet(space("cell"), "path")))
    with pytest.raises(DiagnosticError, match="has no space"):
        supernet.set_path(dict(space("cell")[0].decisions))


def test_an_architecture_of_another_space_is_a_diagnostic() -> None:
    supernet = compile_supernet(space("cell"), "path")
    assert isinstance(supernet, SwitchedSupernet)
    with pytest.raises(DiagnosticError, match="not of its space"):
        supernet.set_path(space("mobile")[0])


# Mixed


def test_mixing_is_the_weighted_sum_of_the_alternatives() -> None:
    """A space of one decision, against the alternatives computed alone."""
    nets = nasdsl.load(
        "space one\ninput image[3, 8, 8]\noutput out[3]\n"
        "choice Op = | a = conv(3, 3) | b = maxpool(3, stride=1) | c = identity | d = zero\n"
        "network = Op >> global_avgpool\n"
    )
    supernet = compile_supernet(nets, "mixed", relaxation=None)
    weights = torch.tensor([0.5, 0.3, 0.15, 0.05])
    parts = [extract(supernet, a)(images()) for a in nets]
    expected = sum(w * p for w, p in zip(weights, parts, strict=True))
    torch.testing.assert_close(supernet(images(), {"Op": weights}), expected)


def test_one_vector_for_each_decision_of_a_cell() -> None:
    supernet = compile_supernet(space("cell"))
    assert isinstance(supernet, MixedSupernet)
    alphas = supernet.architecture_parameters()
    assert list(alphas) == ["Cell.n[1].0", "Cell.n[2].0", "Cell.n[2].1"]
    assert supernet.meta["decisions"]["Cell.n[1].0"] == ("skip", "none", "conv", "pool")
    supernet(images()).square().sum().backward()
    assert all(a.grad is not None and a.grad.abs().sum() > 0 for a in alphas.values())
    convs = [
        n for n, _ in supernet.named_parameters() if n.endswith("n_2_0.conv.ConvBn.conv.weight")
    ]
    assert len(convs) == 3  # one for each use of the cell
    own, others = set(map(id, alphas.values())), set(map(id, supernet.operation_parameters()))
    assert not own & others
    assert own | others == set(map(id, supernet.parameters()))


def test_picks_are_weighed_by_edge() -> None:
    supernet = made("picks", "mixed")
    decisions = supernet.meta["decisions"]
    assert decisions["Cell.n[3].inputs"] == (0, 1, 2)
    assert decisions["Cell.n[3].inputs[2]"] == ("skip", "conv", "pool")
    assert "Cell.n[2].inputs" not in decisions  # two of two


def test_the_best_of_the_learned_weights() -> None:
    supernet = compile_supernet(space("picks"))
    assert isinstance(supernet, MixedSupernet)
    wanted = space("picks").sample(11)
    for name, vector in supernet.weights_of(wanted).items():
        supernet.architecture_parameters()[name].data = 3 * vector
    assert supernet.best() == wanted
    assert supernet.best(supernet.weights_of(wanted)) == wanted


@pytest.mark.parametrize("kind", ["softmax", "gumbel", "hard"])
@pytest.mark.parametrize("picked", [1, 2])
def test_relaxations(kind: Any, picked: int) -> None:
    relaxation = Relaxation(4, kind, picked)
    with torch.no_grad():
        relaxation.alpha.copy_(torch.tensor([0.1, 2.0, -1.0, 1.0]))
    expected = picked * torch.softmax(relaxation.alpha, 0)
    taken = torch.tensor([0.0, 1, 0, picked - 1])
    torch.testing.assert_close(relaxation.eval()(), taken if kind == "hard" else expected)
    weights = relaxation.train()()
    torch.testing.assert_close(weights.sum(), torch.tensor(float(picked)))
    (weights * torch.arange(4.0)).sum().backward()
    assert relaxation.alpha.grad is not None and relaxation.alpha.grad.abs().sum() > 0
    if kind == "hard":
        assert sorted(weights.round(decimals=5).tolist()) == sorted(
            [1.0] * picked + [0.0] * (4 - picked)
        )


def test_hard_weights_are_drawn_by_the_softmax() -> None:
    """The Gumbel-max trick: an alternative is taken as often as its probability says."""
    relaxation = Relaxation(3, "hard")
    with torch.no_grad():
        relaxation.alpha.copy_(torch.tensor([0.7, 0.2, 0.1]).log())
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        drawn = torch.stack([relaxation().detach() for _ in range(3000)])
    torch.testing.assert_close(drawn.mean(0), torch.tensor([0.7, 0.2, 0.1]), atol=0.03, rtol=0)


def test_a_low_temperature_sharpens() -> None:
    supernet = compile_supernet(space("choices"))
    assert isinstance(supernet, MixedSupernet)
    (first, *_) = supernet.architecture_parameters().values()
    with torch.no_grad():
        first.copy_(torch.tensor([0.0, 1.0, 0.0, 0.0]))
    module = next(m for m in supernet.modules() if isinstance(m, Relaxation))
    supernet.set_temperature(0.05)
    assert module()[1] > 0.99
    with pytest.raises(DiagnosticError, match="above 0"):
        supernet.set_temperature(0)


def test_alternatives_of_different_types_are_a_diagnostic() -> None:
    nets = nasdsl.load(
        "space two\ninput image[3, 8, 8]\noutput out[4]\n"
        "network = conv(width, 3) >> global_avgpool >> linear(4)\n  where width in {4, 8}\n"
    )
    made = compile_supernet(nets, "mixed")  # whole networks of each width, mixed at their ends
    assert sum(p.numel() for p in made.parameters()) == sum(a.params for a in nets) + 2
    nets = nasdsl.load(
        "space two\ninput image[3, 8, 8]\noutput out[4]\n"
        "choice Op = | thin = conv(4, 3) | wide = conv(8, 3)\n"
        "network = Op >> global_avgpool >> linear(4)\n"
    )
    with pytest.raises(DiagnosticError, match=r"alternatives give \[4, 8, 8\] and \[8, 8, 8\]"):
        compile_supernet(nets, "mixed")


def test_unknown_kinds_are_diagnostics() -> None:
    with pytest.raises(DiagnosticError, match=r"no kind of supernet 'elastc'.*elastic"):
        compile_supernet(space("cell"), "elastc")  # type: ignore[arg-type]  # a mistake
    with pytest.raises(DiagnosticError, match="no relaxation 'soft'"):
        compile_supernet(space("cell"), relaxation="soft")  # type: ignore[arg-type]  # a mistake


# Elastic


def elastic_of(supernet: nn.Module) -> dict[str, Elastic]:
    return {name: m for name, m in supernet.named_modules() if isinstance(m, Elastic)}


def test_an_elastic_network_is_no_larger_than_its_largest_architecture() -> None:
    nets = space("mobile")
    supernet = compile_supernet(nets, "elastic", transform=False)
    assert sum(p.numel() for p in supernet.parameters()) == extreme(nets, True).params


def test_windows_are_the_middle_through_a_learned_matrix() -> None:
    nets = nasdsl.load(
        "space k\ninput image[2, 8, 8]\noutput out[4]\n"
        "network = conv(4, k) >> global_avgpool\n  where k in {3, 5, 7}\n"
    )
    supernet = compile_supernet(nets, "elastic")
    assert isinstance(supernet, SwitchedSupernet)
    (module,) = elastic_of(supernet).values()
    assert {n: tuple(p.shape) for n, p in module.windows.items()} == {
        "weight_5": (25, 25),
        "weight_3": (9, 9),
    }
    full = module.largest.get_parameter("weight").detach()
    three = supernet.state_of(nets.architecture({"k": 3}).network)["conv"]["weight"]
    assert torch.equal(three, full[:, :, 2:5, 2:5])
    draw = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for matrix in module.windows.values():
            matrix.copy_(torch.randn(matrix.shape, generator=draw))
    five = torch.einsum("ocp,qp->ocq", full[:, :, 1:6, 1:6].flatten(2), module.windows["weight_5"])
    inner = five.unflatten(2, (5, 5))[:, :, 1:4, 1:4].flatten(2)
    expected = torch.einsum("ocp,qp->ocq", inner, module.windows["weight_3"]).unflatten(2, (3, 3))
    three = supernet.state_of(nets.architecture({"k": 3}).network)["conv"]["weight"]
    torch.testing.assert_close(three, expected)
    supernet.set_path({"k": 3})
    supernet(torch.randn(2, 2, 8, 8, generator=draw)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in module.windows.values())


def test_the_first_channels_are_taken() -> None:
    supernet = shaken(compile_supernet(space("sizes"), "elastic"))
    assert isinstance(supernet, SwitchedSupernet)
    some = space("sizes").architecture({"width": 4, "depth": 1, "Op[0].k": 5, "Op[0]": "conv"})
    states = supernet.state_of(some.network)
    full = elastic_of(supernet)["Op_0.conv.ConvBn.conv"].largest.get_parameter("weight")
    assert full.shape == (8, 8, 5, 5)
    assert torch.equal(states["Op[0].conv.ConvBn.conv"]["weight"], full[:4, :4])
    assert states["linear"]["weight"].shape == (4, 4)


def test_statistics_of_the_taken_channels_move_alone() -> None:
    supernet = compile_supernet(space("sizes"), "elastic").train()
    assert isinstance(supernet, SwitchedSupernet)
    supernet.set_path({"width": 4, "depth": 1, "Op[0].k": 3, "Op[0]": "conv"})
    supernet(images())
    mean = elastic_of(supernet)["ConvBn.bn"].largest.get_buffer("running_mean")
    assert mean[:4].abs().min() > 0
    assert not mean[4:].any()


@pytest.mark.parametrize(
    ("network", "why"),
    [
        ("conv(4, k)\n  where k in {2, 3}", "even window"),
        ("conv(4, 3, stride=s) >> global_avgpool >> linear(4)\n  where s in {1, 2}", "in stride"),
        ("conv(6, 3, groups=g) >> conv(4, 1)\n  where g in {1, 3}", "mixes channels"),
        ("inverted_residual(4, expand=2, se=s)\n  where s in {true, false}", "gate"),
    ],
)
def test_what_cannot_be_elastic_is_a_diagnostic(network: str, why: str) -> None:
    head, _, where = network.partition("\n")
    tail = "" if "linear" in head else " >> global_avgpool"
    text = f"space e\ninput image[3, 8, 8]\noutput out[4]\nnetwork = {head}{tail}\n{where}\n"
    nets = nasdsl.load(text)
    with pytest.raises(DiagnosticError, match=f"cannot be elastic.*({why})"):
        compile_supernet(nets, "elastic")


def test_sandwich() -> None:
    nets = space("mobile")
    largest, smallest, *others = sandwich(nets, 3, 0)
    values = [v for n, v in largest.decisions.items() if n.endswith((".k", ".e", "depth"))]
    assert set(values) == {7, 4, 3}
    assert all(smallest.params <= a.params <= largest.params for a in others)
    assert sandwich(nets, 3, 0) == [largest, smallest, *others] != sandwich(nets, 3, 1)


# Statistics


def test_recalibration_is_the_mean_over_the_batches() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.unused = nn.BatchNorm2d(3), nn.BatchNorm2d(3)

        def forward(self, x: Tensor) -> Tensor:
            result: Tensor = self.used(x)
            return result

    net = Net().train()
    for norm in (net.used, net.unused):
        norm.get_buffer("running_mean").fill_(9)
    batches = [images(4, 8, s) for s in range(3)]
    recalibrate(net, batches)
    flat = [b.transpose(0, 1).flatten(1) for b in batches]
    torch.testing.assert_close(net.used.running_mean, sum(f.mean(1) for f in flat) / 3)
    torch.testing.assert_close(net.used.running_var, sum(f.var(1) for f in flat) / 3)
    assert net.unused.get_buffer("running_mean").eq(9).all()
    assert net.training and net.used.training and net.used.momentum == 0.1


@pytest.mark.parametrize("kind", ["path", "elastic"])
def test_recalibrating_a_path(kind: Any) -> None:
    nets = space("sizes")
    supernet = shaken(compile_supernet(nets, kind)).eval()
    assert isinstance(supernet, SwitchedSupernet)
    some = nets.architecture({"width": 6, "depth": 1, "Op[0].k": 3, "Op[0]": "conv"})
    supernet.set_path(some)
    batches = [images(8, 8, s) for s in range(2)]
    recalibrate(supernet, batches)
    alone = extract(supernet, some)
    again = copy.deepcopy(alone)
    recalibrate(again, batches)
    for name, value in alone.state_dict().items():
        torch.testing.assert_close(value, again.state_dict()[name], msg=name)


def test_supernets_are_graph_modules_that_read_well() -> None:
    for kind in KINDS:
        supernet = made("sizes", kind)
        assert isinstance(supernet, fx.GraphModule)
        supernet.graph.lint()
        assert "forward" in supernet.code
    supernet = made("sizes", "elastic")
    assert isinstance(supernet, SwitchedSupernet)
    supernet.set_path({"width": 4, "depth": 1, "Op[0].k": 3, "Op[0]": "conv"})
    assert "variant = 'in_channels=4, out_channels=4, kernel_size=3, padding=1'" in supernet.code
