"""Every fact of the table of operations, held to what torch does."""

from __future__ import annotations

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from nasdsl.compiler import CODE, compile_network
from nasdsl.graph.network import Network
from nasdsl.operations import OPERATIONS, ShapeError, TensorType
from nasdsl.operations.registry import BUILDERS
from tests.compiler.by_hand import Draft
from tests.compiler.cases import USES, Use, uses

NAMES = sorted(name for name in OPERATIONS if name not in BUILDERS)
QUICK = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


def network_of(use: Use) -> Network | None:
    """A network of one operation, or none where the shape rule refuses it."""
    name, types, values = use
    draft = Draft()
    inputs = [draft.input(f"x{i}", *t.shape, dtype=t.dtype) for i, t in enumerate(types)]
    try:
        return draft.network(draft.at("Block.op", name, inputs, **values))
    except ShapeError:
        return None


def batch(types: tuple[TensorType, ...], n: int, device: str = "cpu") -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(5)
    return [
        torch.randn(n, *t.shape, generator=generator).to(device)
        if t.dtype == "float"
        else torch.zeros(n, *t.shape, dtype=torch.int64, device=device)
        for t in types
    ]


def test_every_operation_has_code_and_cases() -> None:
    assert set(CODE) == set(NAMES)
    assert set(USES) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_shape_params_and_macs_are_those_of_torch(name: str) -> None:
    seen = 0

    @QUICK
    @given(uses(name))
    def check(use: Use) -> None:
        nonlocal seen
        network = network_of(use)
        if network is None:
            return
        seen += 1
        node = network.nodes[-1]
        with torch.device("meta"):
            module = compile_network(network).eval()
            inputs = batch(use[1], 3, "meta")
            assert tuple(module(*inputs).shape) == (3, *node.type.shape)
            with FlopCounterMode(display=False) as counter:
                result = module(*(x[:1] for x in inputs))
        assert result.dtype == (torch.float32 if node.type.dtype == "float" else torch.int64)
        assert sum(p.numel() for p in module.parameters()) == node.cost.params == network.params
        assert counter.get_total_flops() == 2 * node.cost.macs

    check()
    assert seen >= 8, "the cases hardly ever fit the operation"


def torch_window(name: str, kernel: int, dilation: int, groups: int) -> torch.nn.Module:
    wide = dilation * (kernel - 1) // 2
    if name == "conv":
        return torch.nn.Conv2d(4, 6, kernel, padding=wide, dilation=dilation, groups=groups)
    if name == "depthwise":
        return torch.nn.Conv2d(4, 4, kernel, padding=wide, dilation=dilation, groups=4)
    pool = torch.nn.MaxPool2d if name == "maxpool" else torch.nn.AvgPool2d
    return pool(kernel, padding=(kernel - 1) // 2)


@pytest.mark.parametrize("name", ["conv", "depthwise", "maxpool", "avgpool"])
def test_shape_rule_refuses_exactly_what_torch_refuses(name: str) -> None:
    refused = 0

    @QUICK
    @given(st.integers(1, 5), st.integers(1, 9), st.integers(1, 4), st.integers(1, 3))
    def check(height: int, kernel: int, dilation: int, groups: int) -> None:
        nonlocal refused
        values = {"kernel": kernel}
        if name in ("conv", "depthwise"):
            values |= {"dilation": dilation}
        if name == "conv":
            values |= {"channels": 6, "groups": groups}
        try:
            with torch.device("meta"):
                torch_window(name, kernel, dilation, groups)(torch.zeros(1, 4, height, 12))
            fits = True
        except (RuntimeError, ValueError):
            fits = False
        image = TensorType((4, height, 12))
        assert (network_of((name, (image,), values)) is not None) == fits
        refused += not fits

    check()
    assert refused, "nothing was refused"


@pytest.mark.parametrize("name", NAMES)
def test_zero_preserving_is_what_it_says(name: str) -> None:
    """Zeros give zeros where the fact says so, whatever the weights, in training and after."""

    @settings(QUICK, max_examples=10)
    @given(uses(name))
    def check(use: Use) -> None:
        network = network_of(use)
        if network is None or any(t.dtype == "int" for t in use[1]):
            return
        node = network.nodes[-1]
        module = compile_network(network)
        generator = torch.Generator().manual_seed(1)
        with torch.no_grad():
            for p in module.parameters():
                p.copy_(torch.randn(p.shape, generator=generator))
            zeros = [torch.zeros(4, *t.shape) for t in use[1]]
            results = [module.train()(*zeros), module.eval()(*zeros)]
        kept = all(bool((result == 0).all()) for result in results)
        if OPERATIONS[name].zero(node.settings):
            assert kept
        elif node.cost.params:
            # Learned constants are drawn at random, so that all being zero would be a fluke.
            assert not kept

    check()


@pytest.mark.parametrize("name", [n for n in NAMES if OPERATIONS[n].arity != (1, 1)])
def test_order_of_operands_matters_where_the_fact_says_so(name: str) -> None:
    draft = Draft()
    operands = [draft.input("a", 3, 4), draft.input("b", 3, 4), draft.input("c", 3, 4)]
    module = compile_network(draft.network(draft.at("op", name, operands)))
    a, b, c = batch((TensorType((3, 4)),) * 3, 2)
    same = torch.allclose(module(a, b, c), module(c, a, b))
    assert same == OPERATIONS[name].commutative


@pytest.mark.parametrize("name", NAMES)
def test_result_of_a_sample_does_not_depend_on_its_batch(name: str) -> None:
    @settings(QUICK, max_examples=5)
    @given(uses(name))
    def check(use: Use) -> None:
        network = network_of(use)
        if network is None:
            return
        module = compile_network(network).eval()
        inputs = batch(use[1], 3)
        with torch.no_grad():
            together = module(*inputs)
            alone = module(*(x[1:2] for x in inputs))
        torch.testing.assert_close(together[1:2], alone, rtol=1e-4, atol=1e-5)

    check()
