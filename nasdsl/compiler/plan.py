"""A network as a torch.fx graph and the recipes of the modules it calls, nothing built yet."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import fx, nn

from nasdsl.compiler import names
from nasdsl.compiler.code import CODE
from nasdsl.compiler.python_code import NetworkGraph
from nasdsl.compiler.recipe import Call, Foreign, Function, Module, Recipe
from nasdsl.diagnostics import problem
from nasdsl.graph.network import INPUT, Network, Node
from nasdsl.operations import foreign
from nasdsl.operations.operation import TensorType
from nasdsl.operations.registry import BUILDERS


@dataclass(frozen=True, slots=True)
class Place:
    """Where a node of a network is in its compiled module.

    Attributes:
        node: name of the fx node of its result. Several nodes share one where an operation
            gives back its operand, as ``identity`` does.
        module: dotted path of its module, or ``None`` where a function of torch does it.
    """

    node: str
    module: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A graph, the modules it calls by path, the nodes they belong to, and all places."""

    graph: fx.Graph
    modules: Mapping[str, Module | Foreign]
    owners: Mapping[str, Node]
    places: Mapping[str, Place]


class NamedTracer(fx.Tracer):
    """Rebuilds the graph of an unpickled module with the names it had.

    torch pickles a graph module as its code and traces it again, which renames every node.
    ``node_names`` of the traced module holds the names in order.
    """

    def trace(
        self,
        root: nn.Module | Callable[..., Any],
        concrete_args: dict[str, Any] | None = None,
    ) -> fx.Graph:
        """The graph of the module's code, its nodes named as before."""
        known: Iterable[str] = getattr(root, "node_names", ())
        self._names: Iterator[str] = iter(known)
        return super().trace(root, concrete_args)

    def create_node(
        self,
        kind: str,
        target: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        name: str | None = None,
        type_expr: Any | None = None,
    ) -> fx.Node:
        """A node with the next of the known names."""
        return super().create_node(kind, target, args, kwargs, next(self._names, name), type_expr)


@dataclass(frozen=True, slots=True)
class Home:
    """A module that is there already, and what to call it with beside the operands."""

    path: str
    settings: Mapping[str, Any] = field(default_factory=dict)


def recipes_of(network: Network) -> dict[str, Recipe]:
    """The code of each node but the inputs, by id.

    Raises a diagnostic where the code of an operation is not known.
    """
    recipes: dict[str, Recipe] = {}
    for node in network.nodes:
        if node.op != INPUT:
            types = tuple(network.by_id[operand].type for operand in node.inputs)
            recipes[node.id] = recipe_of(node, types)
    return recipes


def plan(network: Network, homes: Callable[[str, Recipe], Home] | None = None) -> Plan:
    """The graph of a network, in the order of its nodes, and what it needs.

    ``homes`` says for the id and recipe of a node where its module is, as in a supernet, whose
    modules are there before any of its paths. Raises a diagnostic where the code of an
    operation is not known.
    """
    graph = NetworkGraph(tracer_cls=NamedTracer)
    recipes = recipes_of(network)
    called = {id: r for id, r in recipes.items() if not isinstance(r, Function)}
    if homes is None:
        found = {id: Home(path) for id, path in names.module_paths(called).items()}
    else:
        found = {id: homes(id, recipe) for id, recipe in called.items()}
    paths = {id: home.path for id, home in found.items()}
    # Inputs come first, so that no result takes the name of an argument that is still to come.
    arguments = names.arguments(node.id for node in network.inputs)
    results: dict[str, fx.Node] = {
        id: graph.create_node("placeholder", name, name=name) for id, name in arguments.items()
    }
    places: dict[str, Place] = {}
    modules: dict[str, Module | Foreign] = {}
    owners: dict[str, Node] = {}
    for node in network.nodes:
        if node.op != INPUT:
            recipe = recipes[node.id]
            operands = tuple(results[operand] for operand in node.inputs)
            name = names.label(node.id)
            if isinstance(recipe, Function):
                results[node.id] = recipe.emit(caller(graph, name), operands)
            else:
                path = paths[node.id]
                modules[path], owners[path] = recipe, node
                settings = dict(found[node.id].settings)
                results[node.id] = added(graph, "call_module", path, operands, settings, name)
        places[node.id] = Place(results[node.id].name, paths.get(node.id))
    outputs = tuple(results[id] for id in network.outputs)
    graph.output(outputs if len(outputs) != 1 else outputs[0])
    return Plan(graph, modules, owners, places)


def caller(graph: fx.Graph, name: str) -> Call:
    """What adds calls of a name to a graph."""

    def call(
        target: Callable[..., Any] | str, *args: Any, part: bool = False, **kwargs: Any
    ) -> fx.Node:
        kind = "call_method" if isinstance(target, str) else "call_function"
        return added(graph, kind, target, args, kwargs, f"{name}_part" if part else name)

    return call


def added(
    graph: fx.Graph,
    kind: str,
    target: Callable[..., Any] | str,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    name: str,
) -> fx.Node:
    """A new node of a graph.

    Arguments are set after it was made: torch looks through those given at once for symbolic
    sizes, which a network of ours has none of, and that takes as long as all the rest.
    """
    node = graph.create_node(kind, target, name=name)
    node.args = args
    if kwargs:
        node.kwargs = kwargs
    return node


def recipe_of(node: Node, types: tuple[TensorType, ...]) -> Recipe:
    """The code of a node on operands of these types; a diagnostic where it is not known."""
    if node.op in CODE:
        return CODE[node.op](node.settings, types, node.type)
    if node.op in BUILDERS:
        return Foreign(node, types, BUILDERS[node.op])
    if foreign.PYTHON in node.settings:
        return Foreign(node, types, foreign.build)
    raise problem("NAS801", f"the code of operation '{node.op}' is not known", node.span)
