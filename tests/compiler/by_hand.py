"""Networks written by hand, node by node, from the facts of the operations alone."""

from __future__ import annotations

from typing import Any

from nasdsl.graph.network import INPUT, Network, Node
from nasdsl.operations import TensorType, lookup, resolve


class Draft:
    """Collects nodes; ``at(id, op, operands, ...)`` adds one and gives back its id."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}

    def input(self, id: str, *shape: int, dtype: Any = "float") -> str:
        self.nodes[id] = Node(id, INPUT, {}, (), TensorType(shape, dtype))
        return id

    def at(self, id: str, op: str, operands: str | list[str], *args: Any, **kwargs: Any) -> str:
        operation = lookup(op)
        assert operation is not None, op
        assert id not in self.nodes, id
        inputs = (operands,) if isinstance(operands, str) else tuple(operands)
        types = tuple(self.nodes[operand].type for operand in inputs)
        settings = resolve(operation, args, kwargs)
        output = operation.shape(settings, types)
        cost = operation.cost(settings, types, output)
        self.nodes[id] = Node(id, op, settings, inputs, output, cost)
        return id

    def network(self, *outputs: str, name: str = "by_hand") -> Network:
        return Network(tuple(self.nodes.values()), outputs, name)


def relu_conv_bn(draft: Draft, id: str, x: str, c: int, k: int, stride: int = 1) -> str:
    x = draft.at(f"{id}.ReluConvBn.relu", "relu", x)
    x = draft.at(f"{id}.ReluConvBn.conv", "conv", x, c, k, stride=stride, bias=False)
    return draft.at(f"{id}.ReluConvBn.bn", "bn", x)


def nasbench201(cell: str, width: int = 16, repeats: int = 5, size: int = 32) -> Network:
    """A network of NAS-Bench-201 from the benchmark's own name of its cell."""
    names = [[op.split("~")[0] for op in node.strip("|").split("|")] for node in cell.split("+")]
    draft = Draft()
    x = draft.at("conv", "conv", draft.input("image", 3, size, size), width, 3, bias=False)
    x = draft.at("bn", "bn", x)
    for stage in range(3):
        channels = width * 2**stage
        if stage:
            at = f"Reduce@{stage}"
            left = relu_conv_bn(draft, f"{at}.a", x, channels, 3, 2)
            left = relu_conv_bn(draft, f"{at}.b", left, channels, 3)
            right = draft.at(f"{at}.avgpool", "avgpool", x, 2, stride=2)
            right = draft.at(f"{at}.conv", "conv", right, channels, 1, bias=False)
            x = draft.at(f"{at}.add", "add", [left, right])
        for copy in range(repeats):
            values = [x]
            for j, operations in enumerate(names, 1):
                edges = []
                for i, operation in enumerate(operations):
                    at = f"Cell@{stage + 1}[{copy}].n[{j}].{i}.{operation}"
                    edges.append(_edge(draft, at, operation, values[i], channels))
                values.append(draft.at(f"Cell@{stage + 1}[{copy}].n[{j}]", "add", edges))
            x = values[-1]
    x = draft.at("relu", "relu", draft.at("bn@2", "bn", x))
    x = draft.at("linear", "linear", draft.at("global_avgpool", "global_avgpool", x), 10)
    return draft.network(x, name="nasbench201")


def _edge(draft: Draft, id: str, name: str, x: str, channels: int) -> str:
    if name == "none":
        return draft.at(f"{id}.zero", "zero", x)
    if name == "skip_connect":
        return draft.at(f"{id}.identity", "identity", x)
    if name == "avg_pool_3x3":
        return draft.at(f"{id}.avgpool", "avgpool", x, 3, stride=1)
    return relu_conv_bn(draft, id, x, channels, int(name[-1]))


ALL_3X3 = (
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|"
    "+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|"
)
