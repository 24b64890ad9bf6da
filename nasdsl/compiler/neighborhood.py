"""A center and its neighbors as one torch.fx.GraphModule with shared weights.

Nodes of equal id, operation, settings and operand types are one module, whichever network they
are in. One path is switched on at a time, or several are run at once, each shared result then
computed a single time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import FunctionType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, fx, nn

from nasdsl.compiler import names
from nasdsl.compiler.build import compile_network
from nasdsl.compiler.code import CODE
from nasdsl.compiler.recipe import Call, Function
from nasdsl.graph.network import INPUT, Network, Node
from nasdsl.operations.operation import TensorType

if TYPE_CHECKING:
    from nasdsl.space import Architecture

RANDOM = frozenset({"dropout"})
"""Operations that draw anew in every call, so that no two paths may share a call."""

Kind = tuple[str, str, tuple[tuple[str, Any], ...], tuple[TensorType, ...], TensorType]


@dataclass(frozen=True, slots=True)
class _Way:
    """The graph of some paths and the forward method made of it."""

    graph: fx.Graph
    forward: FunctionType


class CompiledNeighborhood(fx.GraphModule):
    """Networks that share the weights of the nodes they have in common.

    ``networks[0]`` is the center. :meth:`set_path` chooses which network a call runs;
    :meth:`set_paths` chooses several, and a call then gives a tuple of results. All paths are
    in one tree of modules, so one optimizer trains them.
    """

    networks: tuple[Network, ...]
    chosen: tuple[int, ...]
    ways: dict[tuple[tuple[int, ...], bool], _Way]

    def set_path(self, index: int) -> None:
        """From now on calls run the network of that index alone.

        Raises:
            IndexError: there is no such network.
        """
        self._switch((range(len(self.networks))[index],), False)

    def set_paths(self, indices: Iterable[int]) -> None:
        """From now on calls run these networks, and give a tuple of their results.

        What they have in common, from the input on, is computed once.

        Raises:
            IndexError: there is no such network.
        """
        self._switch(tuple(range(len(self.networks))[i] for i in indices), True)

    def places(self, index: int) -> dict[str, str]:
        """The paths of the modules of one network, by the ids of its nodes."""
        kinds = self.meta["kinds"]
        network = self.networks[index]
        found = ((node.id, kinds.get(kind_of(network, node))) for node in network.nodes)
        return {id: path for id, path in found if path is not None}

    def names(self, index: int) -> dict[str, str]:
        """Names in :meth:`state_dict` by the names that the network compiled alone has."""
        alone = _paths(self.networks[index])
        places = self.places(index)
        found: dict[str, str] = {}
        for id, path in places.items():
            for name in self.get_submodule(path).state_dict():
                found[f"{alone[id]}.{name}"] = f"{path}.{name}"
        return found

    def load_path(self, index: int, weights: Mapping[str, Tensor]) -> None:
        """Puts the weights of a network that was compiled alone into its path.

        Raises:
            KeyError: a weight is missing.
        """
        own = self.state_dict()
        with torch.no_grad():
            for name, here in self.names(index).items():
                own[here].copy_(weights[name])

    def member(self, index: int) -> fx.GraphModule:
        """One network by itself, with weights of its own that are equal to these now."""
        module = compile_network(self.networks[index])
        own = self.state_dict()
        weights = {name: own[here] for name, here in self.names(index).items()}
        module.load_state_dict(weights)
        device = next((w.device for w in weights.values()), None)
        if device is not None:
            module.to(device)
        return module.train(self.training)

    def _switch(self, indices: tuple[int, ...], several: bool) -> None:
        way = self.ways.get((indices, several))
        if way is None:
            graph = _graph(self.networks, self.meta["kinds"], indices, several)
            code = fx.GraphModule(self, graph, class_name=type(self).__name__)
            forward = type(code).forward
            assert isinstance(forward, FunctionType)
            way = self.ways[indices, several] = _Way(graph, forward)
        # The class is this instance's own (torch.fx makes one for each), so that its forward
        # can be exchanged without generating and compiling code at every switch.
        self._graph = way.graph
        type(self).forward = way.forward
        self.chosen = indices

    def __reduce__(self) -> tuple[Any, ...]:
        several = isinstance(self.graph.output_node().args[0], tuple)
        arguments = (self.networks, self.chosen, several, self.training)
        return _restored, (*arguments, dict(self.named_modules_of_nodes()))

    def __deepcopy__(self, memo: dict[int, Any]) -> CompiledNeighborhood:
        import copy

        memo.update({id(network): network for network in self.networks})
        function, arguments = self.__reduce__()
        copied = function(*copy.deepcopy(arguments, memo))
        assert isinstance(copied, CompiledNeighborhood)
        return copied

    def named_modules_of_nodes(self) -> list[tuple[str, nn.Module]]:
        """The modules of nodes by path, each once."""
        paths: dict[Kind, str] = self.meta["kinds"]
        return [(path, self.get_submodule(path)) for path in paths.values()]


def compile_neighborhood(
    center: Architecture | Sequence[Network], radius: int | None = None, seed: int = 0
) -> CompiledNeighborhood:
    """A center and all its neighbors as one graph module, in training mode.

    Each node's initial weights derive from the seed and its id, as in
    :func:`nasdsl.compiler.compile_network`. The path of the center is switched on.

    Args:
        center: an architecture, whose space says what its neighbors are; or the networks
            themselves, the center first.
        radius: of the neighborhood; the text's own by default.
        seed: of the initial weights.

    Raises:
        DiagnosticError: an operation without code.
    """
    if isinstance(center, Sequence):
        networks = tuple(center)
    else:
        near = center.space.neighbors(center, radius)
        networks = (center.network, *(neighbor.network for neighbor in near))
    kinds = _kinds(networks)
    return _assembled(networks, _modules(networks, kinds, seed), kinds)


def kind_of(network: Network, node: Node) -> Kind:
    """What two nodes must have equal to share their weights."""
    types = tuple(network.by_id[operand].type for operand in node.inputs)
    return node.id, node.op, tuple(sorted(node.settings.items())), types, node.type


def _paths(network: Network) -> dict[str, str]:
    """Paths of the modules of a network that is compiled alone."""
    return names.module_paths(n.id for n in network.nodes if _has_module(network, n))


def _has_module(network: Network, node: Node) -> bool:
    if node.op == INPUT:
        return False
    types = tuple(network.by_id[operand].type for operand in node.inputs)
    return not (
        node.op in CODE and isinstance(CODE[node.op](node.settings, types, node.type), Function)
    )


def _kinds(networks: Sequence[Network]) -> dict[Kind, str]:
    """A path for each kind of node that has a module; the center's are as in itself."""
    variants: dict[str, int] = {}
    labels: dict[Kind, str] = {}
    for network in networks:
        for node in network.nodes:
            kind = kind_of(network, node)
            if kind not in labels and _has_module(network, node):
                count = variants[node.id] = variants.get(node.id, 0) + 1
                labels[kind] = node.id if count == 1 else f"{node.id}#{count}"
    paths = names.module_paths(labels.values())
    return {kind: paths[label] for kind, label in labels.items()}


def _modules(
    networks: Sequence[Network], kinds: Mapping[Kind, str], seed: int
) -> dict[str, nn.Module]:
    built: dict[str, nn.Module] = {}
    for network in networks:
        wanted = {
            node.id: kinds[kind]
            for node in network.nodes
            if (kind := kind_of(network, node)) in kinds and kinds[kind] not in built
        }
        if not wanted:
            continue
        # Only what is new is built: the other operands stand in as inputs of their types.
        nodes = [n if n.id in wanted else _stand_in(n) for n in network.nodes]
        part = compile_network(Network(tuple(nodes), tuple(wanted), network.name), seed)
        places = part.meta["paths"]
        for id, path in wanted.items():
            built[path] = part.get_submodule(places[id].module)
    return built


def _stand_in(node: Node) -> Node:
    return Node(node.id, INPUT, {}, (), node.type, span=node.span)


def _assembled(
    networks: tuple[Network, ...], modules: Mapping[str, nn.Module], kinds: dict[Kind, str]
) -> CompiledNeighborhood:
    root = nn.Module()
    for path, module in modules.items():
        above = root
        *parents, last = path.split(".")
        for name in parents:
            if not hasattr(above, name):
                above.add_module(name, nn.Module())
            above = getattr(above, name)
        above.add_module(last, module)
    name = names.identifier(networks[0].name)
    compiled = CompiledNeighborhood(nn.Module(), fx.Graph(), class_name=name)
    for child, module in root.named_children():
        compiled.add_module(child, module)
    compiled.networks = networks
    compiled.meta["network"] = networks[0]
    compiled.meta["kinds"] = kinds
    compiled.ways = {}
    compiled.set_path(0)
    return compiled


def _restored(
    networks: tuple[Network, ...],
    chosen: tuple[int, ...],
    several: bool,
    training: bool,
    modules: Mapping[str, nn.Module],
) -> CompiledNeighborhood:
    compiled = _assembled(networks, modules, _kinds(networks))
    compiled._switch(chosen, several)
    modes = {path: [m.training for m in module.modules()] for path, module in modules.items()}
    compiled.train(training)
    for path, module in modules.items():
        for part, mode in zip(module.modules(), modes[path], strict=True):
            part.training = mode
    return compiled


def _graph(
    networks: Sequence[Network], kinds: Mapping[Kind, str], indices: tuple[int, ...], several: bool
) -> fx.Graph:
    """The graph of some networks; equal operations on equal operands stand there once."""
    graph = fx.Graph()
    arguments = names.arguments(node.id for node in networks[0].inputs)
    given = {id: graph.placeholder(name) for id, name in arguments.items()}
    known: dict[tuple[Any, ...], fx.Node] = {}
    outputs: list[Any] = []
    for index in indices:
        network = networks[index]
        results: dict[str, fx.Node] = {n.id: given[n.id] for n in network.inputs}
        for node in network.nodes:
            if node.op == INPUT:
                continue
            kind = kind_of(network, node)
            operands = tuple(results[operand] for operand in node.inputs)
            key = (index if node.op in RANDOM else None, kind, operands)
            if key not in known:
                known[key] = _emitted(graph, node, operands, kinds.get(kind), kind[3])
            results[node.id] = known[key]
        ends = tuple(results[id] for id in network.outputs)
        outputs.append(ends if len(ends) != 1 else ends[0])
    graph.output(tuple(outputs) if several else outputs[0])
    return graph


def _emitted(
    graph: fx.Graph,
    node: Node,
    operands: tuple[fx.Node, ...],
    path: str | None,
    types: tuple[TensorType, ...],
) -> fx.Node:
    label = names.label(node.id)
    if path is not None:
        return graph.create_node("call_module", path, operands, name=label)
    recipe = CODE[node.op](node.settings, types, node.type)
    assert isinstance(recipe, Function), "a node without a module is a function"
    return recipe.emit(caller(graph, label), operands)


def caller(graph: fx.Graph, label: str) -> Call:
    """A way to add calls of functions, and of methods by their names, to a graph."""

    def call(target: Any, *args: Any, part: bool = False, **kwargs: Any) -> fx.Node:
        kind = "call_method" if isinstance(target, str) else "call_function"
        name = f"{label}_part" if part else label
        return graph.create_node(kind, target, args, kwargs, name=name)

    return call
