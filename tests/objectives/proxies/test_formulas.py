"""Each proxy against its definition written out: plain autograd, deep copies, differences."""

import copy
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from nasdsl.objectives.contract import small_module
from nasdsl.objectives.proxies.together import MEASURED, compute
from nasdsl.seeding import derive

BATCH = 12


class Branches(nn.Module):
    """Two branches, a layer without normalization, and a classifier."""

    def __init__(self, act=nn.ReLU):
        super().__init__()
        self.stem = nn.Conv2d(2, 4, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(4)
        self.act = act()
        self.left = nn.Conv2d(4, 4, 3, padding=1, groups=2)
        self.right = nn.Conv2d(4, 4, 1)
        self.last = act()
        self.out = nn.Linear(4, 3)

    def forward(self, x):
        x = self.act(self.bn(self.stem(x)))
        x = self.last(self.left(x) + self.right(x))
        return self.out(torch.mean(x, (2, 3)))


def network(act=nn.ReLU):
    with torch.random.fork_rng([]):
        torch.manual_seed(3)
        return Branches(act).double()


def batch(dtype=torch.float64):
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(BATCH, 2, 6, 6, generator=generator, dtype=dtype)
    return x, torch.arange(BATCH) % 3


def score(module, *names):
    found = compute(module, *batch(), names)
    assert all(o.reason is None for o in found.values()), found
    values = [found[name].value for name in names]
    return values[0] if len(values) == 1 else values


def weights_of(module):
    return [m.weight for m in module.modules() if isinstance(m, nn.Conv2d | nn.Linear)]


def gradients(module, create=False):
    x, y = batch()
    module.train()
    return torch.autograd.grad(
        F.cross_entropy(module(x), y), weights_of(module), create_graph=create
    )


def test_gradient_proxies_equal_plain_autograd():
    module = network()
    pairs = list(zip(weights_of(module), gradients(copy.deepcopy(module)), strict=True))
    found = compute(module, *batch(), ("grad_norm", "snip", "plain", "l2_norm"))
    assert found["grad_norm"].value == pytest.approx(sum(g.norm().item() for _, g in pairs))
    assert found["snip"].value == pytest.approx(sum((w * g).abs().sum().item() for w, g in pairs))
    assert found["plain"].value == pytest.approx(sum((w * g).sum().item() for w, g in pairs))
    assert found["l2_norm"].value == pytest.approx(sum(w.norm().item() for w, _ in pairs))


def test_a_layer_under_a_batch_norm_adds_nothing_to_plain():
    """Euler's theorem: the loss does not change with the scale of its weights."""
    module = network()
    module.bn.eps = 1e-12
    g = gradients(copy.deepcopy(module))
    assert abs((module.stem.weight * g[0]).sum().item()) < 1e-10
    assert abs((module.out.weight * g[-1]).sum().item()) > 1e-3


def test_fisher_equals_a_sum_over_each_weight():
    module = copy.deepcopy(network()).train()
    kept = []

    def keep(layer, _, out):
        out.retain_grad()
        kept.append((layer, out))

    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.register_forward_hook(keep)
    x, y = batch()
    F.cross_entropy(module(x), y).backward()
    expected = 0.0
    for layer, out in kept:
        product = out * out.grad
        per_channel = torch.stack(
            [product[:, c].reshape(BATCH, -1).sum(1).pow(2).mean() / 2 for c in range(out.shape[1])]
        )
        shape = (-1, *[1] * (layer.weight.dim() - 1))
        expected += per_channel.view(shape).expand_as(layer.weight).sum().item()
    assert score(network(), "fisher") == pytest.approx(expected)


def test_grasp_equals_a_difference_of_gradients():
    module = network(nn.Tanh)
    g = [x.detach() for x in gradients(copy.deepcopy(module))]
    step = 1e-5
    moved = []
    for sign in (1, -1):
        other = copy.deepcopy(module)
        with torch.no_grad():
            for w, direction in zip(weights_of(other), g, strict=True):
                w += sign * step * direction
        moved.append(gradients(other))
    products = [(a - b) / (2 * step) for a, b in zip(*moved, strict=True)]
    expected = -sum((w * h).sum() for w, h in zip(weights_of(module), products, strict=True))
    assert score(module, "grasp") == pytest.approx(expected.item(), rel=1e-5)


def differences(function, x, step=1e-6):
    """The gradient of a scalar function by central differences, entry by entry."""
    flat = x.clone().flatten()
    found = torch.empty_like(flat)
    for i in range(len(flat)):
        old = flat[i].item()
        values = []
        for moved in (old + step, old - step):
            flat[i] = moved
            values.append(function(flat.view_as(x)))
        flat[i] = old
        found[i] = (values[0] - values[1]) / (2 * step)
    return found.view_as(x)


@pytest.fixture(scope="module")
def input_gradients():
    """Of the summed outputs in training mode, by differences: samples mix in the batch norm."""
    module = network(nn.Tanh).train()
    x, _ = batch()
    with torch.no_grad():
        return differences(lambda x: module(x).sum().item(), x).flatten(1).numpy()


def test_jacov_equals_numpy_on_differences(input_gradients):
    values = np.linalg.eigvalsh(np.corrcoef(input_gradients)) + 1e-5
    expected = -np.sum(np.log(values) + 1 / values)
    assert score(network(nn.Tanh), "jacov") == pytest.approx(expected, rel=1e-3)


def test_epe_nas_equals_numpy_on_differences(input_gradients):
    _, y = batch()
    expected = sum(
        abs(np.log(np.abs(np.corrcoef(input_gradients[y == c])) + 1e-5).sum()) for c in range(3)
    )
    assert score(network(nn.Tanh), "epe_nas") == pytest.approx(expected, rel=1e-4)


def fixed(act=nn.Tanh):
    """In eval mode with the statistics of the batch as the running ones."""
    module = network(act).train()
    module.bn.momentum = 1.0
    with torch.no_grad():
        module(batch()[0])
    return module.eval()


def test_jacob_fro_equals_differences_of_each_output():
    module, (x, _) = fixed(), batch()

    def output(k):
        return lambda x: module(x)[:, k].sum().item()

    with torch.no_grad():
        columns = [differences(output(k), x).flatten(1) for k in range(3)]
    expected = torch.stack(columns).pow(2).sum((0, 2)).sqrt().mean()
    assert score(network(nn.Tanh), "jacob_fro") == pytest.approx(expected.item(), rel=1e-6)


def test_hessian_equals_the_eigenvalues_of_each_sample():
    module, (x, y) = fixed(), batch()
    largest = []
    for n in range(BATCH):

        def loss(flat, n=n):
            return F.cross_entropy(module(flat.view(1, 2, 6, 6)), y[n : n + 1])

        values = torch.linalg.eigvalsh(torch.autograd.functional.hessian(loss, x[n].flatten()))
        largest.append(max(values, key=abs).item())
    expected = sum(largest) / BATCH
    found = score(network(nn.Tanh), "hessian")
    # A power iteration of few steps has nearly converged.
    assert found == pytest.approx(expected, rel=0.05)


def test_nwot_counts_the_units_that_agree():
    module = copy.deepcopy(network()).train()
    seen = []
    for part in (module.act, module.last):
        part.register_forward_pre_hook(lambda _, x: seen.append((x[0] > 0).flatten(1).numpy()))
    with torch.no_grad():
        module(batch()[0])
    units = np.concatenate(seen, 1)
    kernel = np.array([[np.sum(a == b) for b in units] for a in units])
    expected = np.linalg.slogdet(kernel.astype(float))[1]
    assert score(network(), "nwot") == pytest.approx(expected)


@pytest.mark.parametrize("act", [nn.ReLU, nn.GELU, nn.Hardswish])
def test_synflow_equals_a_straight_forward_one(act):
    """A copy without batch norm, absolute weights, an input of ones; with weights and inputs at
    least zero a ReLU does nothing, so that any activation gives the ReLU's score."""
    module = copy.deepcopy(network(nn.ReLU))
    module.bn = nn.Identity()
    with torch.no_grad():
        for p in module.parameters():
            p.abs_()
    module(torch.ones(1, 2, 6, 6, dtype=torch.float64)).sum().backward()
    expected = math.log(sum((w * w.grad).abs().sum().item() for w in weights_of(module)))
    assert score(network(act), "synflow") == pytest.approx(expected)


def test_synflow_holds_what_float32_does_not():
    deep = nn.Sequential(*[nn.Linear(64, 64, bias=False) for _ in range(60)], nn.Linear(64, 3))
    with torch.no_grad():
        for layer in deep:
            layer.weight.fill_(1.0)
    x = torch.randn(4, 64, generator=torch.Generator().manual_seed(0))
    found = compute(deep, x, torch.tensor([0, 1, 2, 0]), ("synflow",))["synflow"]
    # 61 layers, each of which carries all of R = 64^61 * 3.
    assert found.value == pytest.approx(math.log(61 * 3) + 61 * math.log(64))
    assert found.value > math.log(torch.finfo(torch.float32).max)


def test_zen_equals_two_passes_of_a_copy():
    module = copy.deepcopy(network()).train()
    generator = torch.Generator().manual_seed(derive(9, "zen"))
    x, y = batch()
    with torch.no_grad():
        for part in module.modules():
            if isinstance(part, nn.Conv2d | nn.Linear):
                draw = torch.randn(part.weight.shape, generator=generator)
                part.weight.copy_(draw)
                if part.bias is not None:
                    part.bias.zero_()
        first = torch.randn(x.shape, generator=generator).double()
        second = first + 0.01 * torch.randn(x.shape, generator=generator).double()

        def features(x):
            x = module.act(module.bn(module.stem(x)))
            return module.last(module.left(x) + module.right(x))

        change = (features(first) - features(second)).abs().sum((1, 2, 3)).mean().item()
    # After two passes with momentum 0.1 the running variance is no batch's own.
    expected = math.log(change) + math.log(module.bn.running_var.mean().sqrt().item())
    found = compute(network(), x, y, ("zen",), seed=9)["zen"]
    assert found.value == pytest.approx(expected)


def test_asked_alone_or_together_they_are_the_same():
    module, (x, y) = small_module(), batch(torch.float32)
    together = compute(module, x, y)
    assert set(together) == set(MEASURED)
    for name in MEASURED:
        alone = compute(module, x, y, (name,))[name]
        assert alone.value == pytest.approx(together[name].value, rel=1e-5), name
