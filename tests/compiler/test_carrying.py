"""Weights along edits: old and new are run wherever the function is said to be preserved."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
from torch import Tensor, fx

import nasdsl
from nasdsl.compiler import compile_network
from nasdsl.compiler.carrying import Carried, carried, carry
from nasdsl.graph.network import Network
from tests.compiler.by_hand import Draft, nasbench201, relu_conv_bn


def trained(network: Network, seed: int = 3) -> fx.GraphModule:
    """As after training: every weight and statistic is off its start."""
    module = compile_network(network, seed)
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for tensor in (*module.parameters(), *module.buffers()):
            if tensor.is_floating_point():
                tensor.add_(0.3 * torch.rand(tensor.shape, generator=draw))
    return module


def inputs(network: Network, n: int = 4) -> list[Tensor]:
    draw = torch.Generator().manual_seed(1)
    return [torch.randn(n, *node.type.shape, generator=draw) for node in network.inputs]


def edited(old: Network, new: Network) -> tuple[Carried, float, float]:
    """What is carried, and how far the results are apart in evaluation and in training."""
    before = trained(old)
    found = carried(before, old, new)
    after = compile_network(new, 99)
    after.load_state_dict(found.state)
    gaps = []
    for training in (False, True):
        x = inputs(old)
        one, other = before.train(training)(*x), after.train(training)(*x)
        gaps.append((one - other).abs().max().item() if one.shape == other.shape else float("inf"))
    return found, gaps[0], gaps[1]


def check(old: Network, new: Network, preserves: str) -> Carried:
    found, evaluation, training = edited(old, new)
    assert found.preserves == preserves
    if preserves != "no":
        assert evaluation < 1e-5
    if preserves == "always":
        assert training < 1e-5
    return found


def space(text: str, shape: str = "3, 8, 8", out: int = 4) -> nasdsl.Space:
    return nasdsl.load(
        f"space s\ninput image[{shape}]\noutput out[{out}]\n"
        f"block ConvBn(c, k) = conv(c, k, bias=false) >> bn >> relu\n{text}\n"
    )


def network(nets: nasdsl.Space, **decisions: Any) -> Network:
    named = {name.replace("_AT_", "@"): value for name, value in decisions.items()}
    return nets.architecture(named).network


def test_the_same_network_is_carried_whole() -> None:
    net = nasbench201(
        "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|nor_conv_1x1~0|none~1|avg_pool_3x3~2|", 4, 1, 8
    )
    old = trained(net)
    found = carried(old, net, net)
    assert set(found.how.values()) == {"exact"}
    for name, value in old.state_dict().items():
        assert torch.equal(found.state[name], value)
        assert found.state[name].data_ptr() != value.data_ptr()
    assert carry(old, net, net).keys() == found.state.keys()


def test_unchanged_nodes_are_exact_and_others_fresh() -> None:
    a = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|nor_conv_1x1~0|none~1|avg_pool_3x3~2|"
    b = a.replace("avg_pool_3x3~2", "nor_conv_3x3~2")
    old, new = nasbench201(a, 4, 1, 8), nasbench201(b, 4, 1, 8)
    found = check(old, new, "no")
    fresh = [id for id, how in found.how.items() if how == "fresh"]
    assert fresh and all("n[3].2.nor_conv_3x3" in id for id in fresh)
    start = compile_network(new, 0)
    for id in fresh:
        at = start.meta["paths"][id].module
        for name, value in start.get_submodule(at).state_dict().items():
            assert torch.equal(found.state[f"{at}.{name}"], value)


def test_an_edge_that_comes_to_a_sum_is_silent_at_first() -> None:
    a = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|nor_conv_1x1~0|none~1|avg_pool_3x3~2|"
    b = a.replace("none~1", "nor_conv_3x3~1")
    nb = nasdsl.load("spaces/nasbench201.nas", {"N": "1", "C": "4"})
    found = check(nb.find(a).network, nb.find(b).network, "always")
    counts = Counter(found.how.values())
    assert counts["zero"] == 3 and counts["fresh"] == 6  # the norm; the relu and convolution


@pytest.mark.parametrize(("small", "large"), [(1, 3), (3, 5), (3, 7), (1, 7)])
def test_windows_grow_by_zeros(small: int, large: int) -> None:
    nets = space(
        "network = ConvBn(6, k) >> depthwise(k) >> ConvBn(4, k) >> global_avgpool\n"
        "  where k in {1, 3, 5, 7}"
    )
    found = check(network(nets, k=small), network(nets, k=large), "always")
    assert Counter(found.how.values())["grown"] == 3
    assert "grown" not in check(network(nets, k=large), network(nets, k=small), "no").how.values()


def test_a_choice_of_a_larger_window_grows_too() -> None:
    nets = space(
        "choice Op = | small = ConvBn(4, 3) | large = ConvBn(4, 5)\n"
        "network = ConvBn(4, 3) >> Op >> global_avgpool"
    )
    found = check(network(nets, Op="small"), network(nets, Op="large"), "always")
    assert found.how["Op.large.ConvBn.conv"] == "grown"
    assert found.how["Op.large.ConvBn.bn"] == "exact"


@pytest.mark.parametrize(
    "tail", ["global_avgpool", "maxpool(2) >> (identity + ConvBn(width, 3)) >> global_maxpool"]
)
def test_widths_grow_by_channels_that_nothing_reads(tail: str) -> None:
    nets = space(
        f"network = ConvBn(width, 3) >> ConvBn(width, 1) >> {tail} >> linear(4)\n"
        "  where width in {4, 6}"
    )
    found = check(network(nets, width=4), network(nets, width=6), "always")
    assert Counter(found.how.values())["grown"] >= 5
    check(network(nets, width=6), network(nets, width=4), "no")


def test_a_width_under_a_norm_over_channels_is_not_said_to_preserve() -> None:
    nets = space(
        "network = conv(width, 3) >> layernorm >> global_avgpool >> linear(4)\n"
        "  where width in {4, 6}"
    )
    check(network(nets, width=4), network(nets, width=6), "no")


@pytest.mark.parametrize("se", ["true", "false"])
@pytest.mark.parametrize(("k", "e"), [((3, 5), (3, 3)), ((3, 3), (2, 4)), ((3, 7), (3, 6))])
def test_inverted_residuals_grow(se: str, k: tuple[int, int], e: tuple[int, int]) -> None:
    nets = space(
        f"let k in {{3, 5, 7}}\nlet e in {{2, 3, 4, 6}}\nblock Layer(c, s) = inverted_residual(c, kernel=k, expand=e, stride=s, se={se}, act=hswish)\n"
        "network = ConvBn(8, 3) >> Layer(8, 1) >> Layer(12, 2) >> global_avgpool >> linear(4)\n"
    )
    found = check(network(nets, k=k[0], e=e[0]), network(nets, k=k[1], e=e[1]), "always")
    assert Counter(found.how.values())["grown"] == 2


def test_deeper_by_a_residual_block() -> None:
    nets = space(
        "network = ConvBn(6, 3) >> (identity + (conv(6, 3) >> bn)) * depth\n"
        "  >> inverted_residual(8, kernel=3, expand=2) >> global_avgpool >> linear(4)\n"
        "  where depth in 1..3"
    )
    found = check(network(nets, depth=1), network(nets, depth=3), "always")
    assert Counter(found.how.values())["zero"] == 2
    nets = space(
        "network = ConvBn(6, 3) >> inverted_residual(6, kernel=3, expand=2) * depth\n"
        "  >> global_avgpool >> linear(4)\n  where depth in 1..3"
    )
    check(network(nets, depth=1), network(nets, depth=2), "always")
    assert "zero" not in check(network(nets, depth=3), network(nets, depth=1), "no").how.values()


def test_deeper_by_layers_that_give_back_what_they_take() -> None:
    """After a relu a convolution, a norm and a relu can all be the identity, in evaluation."""
    nets = space(
        "network = ConvBn(6, 3) * depth >> global_avgpool >> linear(4)\n  where depth in 1..3"
    )
    found = check(network(nets, depth=1), network(nets, depth=2), "evaluation")
    assert Counter(found.how.values())["identity"] == 3
    nets = space(
        "network = conv(6, 3) >> conv(6, 5) * depth >> global_avgpool\n"
        "  >> linear(6) * depth >> linear(4)\n  where depth in 1..2"
    )
    assert (
        check(network(nets, depth=1), network(nets, depth=2), "always").how["conv@2[1]"]
        == "identity"
    )


def test_a_relu_of_what_may_be_negative_is_no_identity() -> None:
    nets = space(
        "network = conv(6, 3) >> bn >> (relu >> conv(6, 3)) * depth >> global_avgpool\n"
        "  >> linear(4)\n  where depth in 0..1"
    )
    check(network(nets, depth=0), network(nets, depth=1), "no")


@pytest.mark.parametrize("name", ["digits_tiny", "nasbench201"])
def test_every_claim_along_the_edits_of_a_space(name: str) -> None:
    """All neighbors of a few centers: what is said to preserve does, and most weights go over."""
    overrides = {"nasbench201": {"N": "1", "C": "4"}}.get(name)
    nets = nasdsl.load(f"spaces/{name}.nas", overrides)
    claims: Counter[str] = Counter()
    for center in nets.samples(2, seed=4):
        for neighbor in nets.neighbors(center):
            found, evaluation, training = edited(center.network, neighbor.network)
            claims[found.preserves] += 1
            if found.preserves != "no":
                assert evaluation < 1e-4, neighbor.changed
            if found.preserves == "always":
                assert training < 1e-4, neighbor.changed
            assert "exact" in found.how.values() or "grown" in found.how.values()
            compile_network(neighbor.network).load_state_dict(found.state)
    assert claims["no"] and claims["always"]


def test_several_operands_and_another_order() -> None:
    """A sum whose operands changed places computes the same; one that lost one does not."""
    draft = Draft()
    x = draft.input("image", 3, 8, 8)
    a, b = relu_conv_bn(draft, "a", x, 4, 3), relu_conv_bn(draft, "b", x, 4, 3)
    both = draft.network(draft.at("sum", "add", [a, b]))
    lost = Network(tuple(n for n in both.nodes if n.id != "sum"), (a,))
    check(both, both, "always")
    found = check(both, lost, "no")
    assert set(found.how.values()) == {"exact"}
