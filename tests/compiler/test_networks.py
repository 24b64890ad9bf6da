"""Whole networks: against a hand-written one, and what a compiled module must stand."""

from __future__ import annotations

import copy
import pickle
import re
from pathlib import Path

import pytest
import torch
from torch import Tensor, fx, nn

from nasdsl.compiler import Place, compile_network
from nasdsl.diagnostics import DiagnosticError
from nasdsl.graph.network import Network, Node
from nasdsl.operations import TensorType
from tests.compiler.by_hand import ALL_3X3, Draft, nasbench201, relu_conv_bn

MIXED = "|nor_conv_1x1~0|+|skip_connect~0|avg_pool_3x3~1|+|nor_conv_3x3~0|none~1|skip_connect~2|"
EMPTY = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"


class Cell(nn.Module):
    """A cell of NAS-Bench-201 in plain PyTorch, from the benchmark's name."""

    def __init__(self, name: str, c: int) -> None:
        super().__init__()
        self.edges = nn.ModuleDict()
        for j, node in enumerate(name.split("+"), 1):
            for edge in node.strip("|").split("|"):
                op, i = edge.split("~")
                self.edges[f"{i}{j}"] = {
                    "none": lambda: nn.Module(),
                    "skip_connect": lambda: nn.Identity(),
                    "avg_pool_3x3": lambda: nn.AvgPool2d(3, 1, 1, count_include_pad=False),
                    "nor_conv_1x1": lambda: relu_conv_bn_module(c, c, 1, 1),
                    "nor_conv_3x3": lambda: relu_conv_bn_module(c, c, 3, 1),
                }[op]()

    def forward(self, x: Tensor) -> Tensor:
        values = [x]
        for j in (1, 2, 3):
            total = torch.zeros_like(x)
            for i in range(j):
                edge = self.edges[f"{i}{j}"]
                if type(edge) is not nn.Module:
                    total = total + edge(values[i])
            values.append(total)
        return values[-1]


def relu_conv_bn_module(a: int, b: int, k: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ReLU(), nn.Conv2d(a, b, k, stride, k // 2, bias=False), nn.BatchNorm2d(b)
    )


class Reduce(nn.Module):
    def __init__(self, c: int) -> None:
        super().__init__()
        self.left = nn.Sequential(
            relu_conv_bn_module(c, 2 * c, 3, 2), relu_conv_bn_module(2 * c, 2 * c, 3, 1)
        )
        self.right = nn.Sequential(nn.AvgPool2d(2, 2), nn.Conv2d(c, 2 * c, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        return self.left(x) + self.right(x)


def hand_written(name: str, width: int, repeats: int) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(3, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)]
    for stage in range(3):
        if stage:
            layers.append(Reduce(width * 2 ** (stage - 1)))
        layers += [Cell(name, width * 2**stage) for _ in range(repeats)]
    tail = [nn.BatchNorm2d(4 * width), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, *tail, nn.Linear(4 * width, 10))


def small(seed: int = 0) -> fx.GraphModule:
    return compile_network(nasbench201(MIXED, 4, 1, 8), seed)


def images(n: int = 4, size: int = 8, seed: int = 0) -> Tensor:
    return torch.randn(n, 3, size, size, generator=torch.Generator().manual_seed(seed))


def test_the_largest_cell_of_nasbench201_has_the_published_size() -> None:
    network = nasbench201(ALL_3X3)
    assert network.params == 1_531_546
    with torch.device("meta"):
        module = compile_network(network)
    assert sum(p.numel() for p in module.parameters()) == 1_531_546


@pytest.mark.parametrize("cell", [ALL_3X3, MIXED, EMPTY])
def test_equals_the_hand_written_network(cell: str) -> None:
    module = compile_network(nasbench201(cell, 8, 2, 16))
    other = hand_written(cell, 8, 2)
    # Both list their modules in the order of the network, so that weights go over in order.
    mine = module.state_dict()
    ordered = [
        mine[f"{place.module}.{name}"]
        for place in module.meta["paths"].values()
        if place.module
        for name in module.get_submodule(place.module).state_dict()
    ]
    theirs = other.state_dict()
    assert [v.shape for v in theirs.values()] == [v.shape for v in ordered]
    other.load_state_dict(dict(zip(theirs, ordered, strict=True)))
    x = images(4, 16)
    torch.testing.assert_close(module(x), other(x), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(module.eval()(x), other.eval()(x), rtol=1e-6, atol=1e-6)


def test_gradients_reach_every_weight() -> None:
    module = small()
    module(images()).square().sum().backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0 or "bias" in name, name


def test_a_network_whose_input_does_not_reach_its_output() -> None:
    module = compile_network(nasbench201(EMPTY, 4, 1, 8)).eval()
    result = module(images(5))
    assert result.shape == (5, 10)
    torch.testing.assert_close(result, module(images(5, seed=1)))
    module.train()(images(5)).sum().backward()


def test_a_zero_takes_only_the_batch_from_its_operand() -> None:
    """As where dead parts were folded: the zero has a type of its own."""
    image = Node("image", "input", {}, (), TensorType((3, 4, 4)))
    tokens = Node("tokens", "input", {}, (), TensorType((5,), "int"))
    zeros = [
        Node("a", "zero", {}, ("image",), TensorType((8, 2, 2))),
        Node("b", "zero", {}, ("tokens",), TensorType((7,))),
        Node("c", "zero", {}, ("image",), TensorType((3, 4, 4))),
    ]
    module = compile_network(Network((image, tokens, *zeros), ("a", "b", "c")))
    results = module(torch.ones(6, 3, 4, 4), torch.ones(6, 5, dtype=torch.int64))
    assert [tuple(r.shape) for r in results] == [(6, 8, 2, 2), (6, 7), (6, 3, 4, 4)]
    assert all(r.dtype == torch.float32 and not r.any() for r in results)


def test_several_outputs_are_a_tuple() -> None:
    draft = Draft()
    x = draft.input("image", 3, 8, 8)
    y = relu_conv_bn(draft, "block", x, 4, 3)
    module = compile_network(draft.network(y, x))
    first, second = module(images())
    assert first.shape == (4, 4, 8, 8)
    assert second is not None and torch.equal(second, images())


def test_an_identity_network() -> None:
    draft = Draft()
    x = draft.at("a", "identity", draft.input("image", 3, 8, 8))
    module = compile_network(draft.network(draft.at("b", "add", x)))
    assert torch.equal(module(images()), images())


def test_one_operand_twice() -> None:
    draft = Draft()
    x = draft.input("x", 3)
    module = compile_network(draft.network(draft.at("sum", "add", [x, x, x])))
    torch.testing.assert_close(module(torch.ones(2, 3)), 3 * torch.ones(2, 3))


def test_weights_depend_on_the_seed_and_the_node_alone() -> None:
    one, again, other = small(), small(), small(seed=1)
    for name, value in one.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])
    assert any(not torch.equal(v, other.state_dict()[k]) for k, v in one.state_dict().items())


def test_a_node_starts_equal_in_two_networks() -> None:
    one = compile_network(nasbench201(MIXED, 4, 1, 8)).state_dict()
    two = compile_network(nasbench201(MIXED.replace("none~1", "nor_conv_3x3~1"), 4, 1, 8))
    shared = [name for name in one if name in two.state_dict()]
    assert len(shared) == len(one) < len(two.state_dict())
    for name in shared:
        assert torch.equal(one[name], two.state_dict()[name]), name


def test_two_nodes_of_one_kind_start_different() -> None:
    draft = Draft()
    x = draft.input("x", 6)
    y = draft.at("b", "linear", draft.at("a", "linear", x, 6), 6)
    module = compile_network(draft.network(y))
    assert not torch.equal(module.a.weight, module.b.weight)


def test_weights_are_drawn_as_torch_draws_them() -> None:
    """Uniform within 1 / sqrt(fan-in) for a linear map and a convolution."""
    draft = Draft()
    x = draft.at("c", "conv", draft.input("x", 8, 4, 4), 500, 3)
    module = compile_network(
        draft.network(draft.at("l", "linear", draft.at("f", "flatten", x), 20))
    )
    for layer, fan_in in ((module.c, 72), (module.l, 8000)):
        bound = fan_in**-0.5
        assert 0.99 * bound < layer.weight.abs().max() <= bound
        assert abs(layer.weight.std() - bound / 3**0.5) < 0.02 * bound


def test_the_global_generator_is_left_alone() -> None:
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    small()
    assert torch.equal(torch.rand(3), expected)


def test_the_default_device_is_respected() -> None:
    with torch.device("meta"):
        assert all(p.is_meta for p in small().parameters())


def check_same(module: nn.Module, other: fx.GraphModule) -> None:
    x = images()
    assert torch.equal(module.eval()(x), other.eval()(x))
    assert [n.name for n in other.graph.nodes] == [n.name for n in module.graph.nodes]
    assert other.meta["paths"] == module.meta["paths"]
    assert other.meta["network"] == module.meta["network"]
    assert other.code == module.code


def test_pickle_keeps_everything() -> None:
    module = small()
    module(images())
    once = pickle.loads(pickle.dumps(module))
    check_same(module, once)
    check_same(module, pickle.loads(pickle.dumps(once)))


def test_training_mode_survives_pickle() -> None:
    module = small()
    assert pickle.loads(pickle.dumps(module)).training
    again = pickle.loads(pickle.dumps(module.eval()))
    assert not again.training
    assert not any(m.training for m in again.modules())


def test_torch_save(tmp_path: Path) -> None:
    module = small()
    torch.save(module, tmp_path / "module.pt")
    check_same(module, torch.load(tmp_path / "module.pt", weights_only=False))


def test_a_copy_is_apart_from_the_original() -> None:
    module = small()
    copied = copy.deepcopy(module)
    check_same(module, copied)
    assert copied.meta["network"] is module.meta["network"]
    with torch.no_grad():
        for parameter in copied.parameters():
            parameter.zero_()
    assert any(p.abs().sum() > 0 for p in module.parameters())


def test_a_graph_that_was_changed_is_pickled_as_it_is() -> None:
    module = small()
    (output,) = [n for n in module.graph.nodes if n.op == "output"]
    with module.graph.inserting_before(output):
        doubled = module.graph.call_function(torch.mul, (output.args[0], 2))
    output.args = (doubled,)
    module.recompile()
    again = pickle.loads(pickle.dumps(module))
    assert torch.equal(again.eval()(images()), module.eval()(images()))


def test_places() -> None:
    module = small()
    paths: dict[str, Place] = module.meta["paths"]
    network: Network = module.meta["network"]
    nodes = {n.name: n for n in module.graph.nodes}
    assert list(paths) == [n.id for n in network.nodes]
    for node in network.nodes:
        place = paths[node.id]
        assert place.node in nodes
        if place.module:
            assert nodes[place.node].target == place.module
            owned = sum(p.numel() for p in module.get_submodule(place.module).parameters())
            assert owned == node.cost.params
        else:
            assert node.cost.params == 0
    assert paths["Cell@1[0].n[1].0.nor_conv_1x1.ReluConvBn.conv"] == Place(
        "conv_1", "Cell_1_0.n_1_0.nor_conv_1x1.ReluConvBn.conv"
    )


def test_the_code_reads_well() -> None:
    lines = [re.sub(r";.*", "", line).strip() for line in small().code.strip().splitlines()]
    assert lines[0] == "def forward(self, image):"
    assert "relu = self.Cell_1_0.n_1_0.nor_conv_1x1.ReluConvBn.relu(bn)" in lines
    assert "Cell_1_0_n_2 = bn + avgpool" in lines
    assert any(re.fullmatch(r"global_avgpool = torch.mean\(relu_\d+, \(2, 3\)\)", x) for x in lines)
    assert max(map(len, lines)) < 100


def test_names_that_have_another_meaning() -> None:
    draft = Draft()
    x = draft.input("self", 4)
    for name in ("torch", "nn", "double", "train.forward", "weights.for", "len", "x.self", "größe"):
        x = draft.at(name, "relu", draft.at(f"{name}.layer", "linear", x, 4))
    x = draft.at("input", "add", [x, draft.input("torch@1", 4)])
    module = compile_network(draft.network(x, name="my space: 1"))
    result = module(torch.ones(2, 4), torch.ones(2, 4))
    assert result.shape == (2, 4)
    assert module.train().training
    torch.testing.assert_close(
        pickle.loads(pickle.dumps(module))(torch.ones(2, 4), torch.ones(2, 4)), result
    )


def test_an_operation_without_code_is_a_diagnostic() -> None:
    nodes = (
        Node("x", "input", {}, (), TensorType((3,))),
        Node("y", "unheard", {}, ("x",), TensorType((3,))),
    )
    with pytest.raises(DiagnosticError, match="the code of operation 'unheard' is not known"):
        compile_network(Network(nodes, ("y",)))


def test_a_long_chain() -> None:
    draft = Draft()
    x = draft.input("x", 2)
    for i in range(3000):
        x = draft.at(f"layer@{i}", "relu", x)
    module = compile_network(draft.network(x))
    assert torch.equal(module(torch.ones(1, 2)), torch.ones(1, 2))
    assert torch.equal(copy.deepcopy(module)(torch.ones(1, 2)), torch.ones(1, 2))


@pytest.mark.slow
def test_torch_compile() -> None:
    module = small().eval()
    try:
        compiled = torch.compile(module, backend="aot_eager")
        with torch.no_grad():
            torch.testing.assert_close(compiled(images()), module(images()))
    finally:
        torch._dynamo.reset()


@pytest.mark.slow
def test_torch_export() -> None:
    module = small().eval()
    batch = torch.export.Dim("batch", min=1, max=64)
    exported = torch.export.export(module, (images(),), dynamic_shapes=({0: batch},))
    x = images(7)
    torch.testing.assert_close(exported.module()(x), module(x))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda() -> None:
    module = small().eval()
    expected = module(images())
    moved = copy.deepcopy(module).to("cuda")
    torch.testing.assert_close(moved(images().cuda()).cpu(), expected, rtol=1e-3, atol=1e-3)
    with torch.device("cuda"):
        made = small()
    for name, value in module.state_dict().items():
        torch.testing.assert_close(made.state_dict()[name].cpu(), value)
