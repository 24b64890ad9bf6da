"""From a plan to a torch.fx.GraphModule with its initial weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

import torch
from torch import fx, nn

from nasdsl.compiler.construct import construct, copied, draws
from nasdsl.compiler.module import CompiledNetwork
from nasdsl.compiler.names import identifier
from nasdsl.compiler.plan import NamedTracer, plan
from nasdsl.compiler.recipe import Module
from nasdsl.graph.network import Network
from nasdsl.seeding import derive

GROUP = Module(nn.Module)
Compiled = TypeVar("Compiled", bound=CompiledNetwork)


def compile_network(network: Network, seed: int = 0) -> fx.GraphModule:
    """The network as a graph module, in training mode, on torch's default device.

    Its inputs are the network's in order, its result one tensor, or a tuple of them where the
    network declares several outputs, each with the batch before the node's type.

    Every node draws its weights by torch's own initialization from a seed derived from ``seed``
    and its id, so that a node starts equal in every network it is in. Torch's global
    generator is left as it was. Raises a diagnostic for an operation without code.
    """
    planned = plan(network)
    recipes = {path: (recipe, planned.owners[path].id) for path, recipe in planned.modules.items()}
    modules = drawn(recipes, seed)
    compiled = assemble(CompiledNetwork, planned.graph, modules, network.name)
    compiled.meta["network"] = network
    compiled.meta["paths"] = dict(planned.places)
    return compiled


def assemble(
    kind: type[Compiled], graph: fx.Graph, modules: Mapping[str, nn.Module], name: str
) -> Compiled:
    """A graph module of a kind with these modules, by path, and this graph.

    The modules go in before the graph does: torch's own way of copying them from a root looks
    up every path several times, and would take longer than building them.
    """
    empty = fx.Graph(tracer_cls=NamedTracer)
    compiled = kind(nn.Module(), empty, class_name=identifier(name))
    _attach(compiled, modules)
    compiled.postpone(graph)
    return compiled


def _attach(root: nn.Module, modules: Mapping[str, nn.Module]) -> None:
    groups: dict[str, nn.Module] = {"": root}
    group = copied if torch.get_default_device().type == "cpu" else construct
    for path, module in modules.items():
        above = ""
        *parents, last = path.split(".")
        for name in parents:
            inside = f"{above}.{name}"
            if inside not in groups:
                groups[inside] = groups[above]._modules[name] = group(GROUP)
            above = inside
        # Paths are free by construction, which is all that add_module would check.
        groups[above]._modules[last] = module


class Buildable(Protocol):
    """What can be constructed, its weights drawn from torch's global generator."""

    def build(self) -> nn.Module:
        """The module."""
        ...


def drawn(recipes: Mapping[str, tuple[Buildable, str]], seed: int) -> dict[str, nn.Module]:
    """Modules by path, each drawn from the seed and the id beside its recipe.

    On torch's default device, but drawn on the CPU whatever that is, so that the weights depend
    on the seed alone. The global generator is left as it was.
    """
    device = torch.get_default_device()
    if device.type == "cpu":
        return _drawn(recipes, seed, copied)
    if device.type == "meta":
        return _drawn(recipes, seed, Module.build)
    with torch.device("cpu"):
        return {path: module.to(device) for path, module in _drawn(recipes, seed, copied).items()}


def _drawn(
    recipes: Mapping[str, tuple[Buildable, str]], seed: int, make: Callable[[Module], nn.Module]
) -> dict[str, nn.Module]:
    generator = torch.default_generator
    state = generator.get_state()
    built: dict[str, nn.Module] = {}
    try:
        for path, (recipe, id) in recipes.items():
            plain = recipe if type(recipe) is Module else None
            if plain is None or draws(plain):
                generator.manual_seed(derive(seed, "init", id))
            built[path] = recipe.build() if plain is None else make(plain)
    finally:
        generator.set_state(state)
    return built
