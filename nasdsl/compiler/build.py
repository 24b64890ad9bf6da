"""From a plan to a torch.fx.GraphModule with its initial weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import fx, nn

from nasdsl.compiler.names import identifier
from nasdsl.compiler.plan import NamedTracer, Plan, plan
from nasdsl.graph.network import Network
from nasdsl.seeding import derive


class CompiledNetwork(fx.GraphModule):
    """A GraphModule that keeps its ``meta`` and the names of its nodes when it is pickled.

    ``meta["network"]`` is the :class:`Network` it came from, ``meta["paths"]`` maps the ids of
    its nodes to their :class:`Place`, in the network's order.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        rebuild, (body, imports) = super().__reduce__()
        body["node_names"] = [node.name for node in self.graph.nodes]
        return _restore, (rebuild, body, imports, self.meta)

    def __deepcopy__(self, memo: dict[int, Any]) -> CompiledNetwork:
        network = self.meta.get("network")
        memo[id(network)] = network  # frozen, so that copies may share it
        copied = super().__deepcopy__(memo)
        assert isinstance(copied, CompiledNetwork)
        return copied


def _restore(
    rebuild: Callable[..., fx.GraphModule], body: dict[str, Any], imports: str, meta: dict[str, Any]
) -> CompiledNetwork:
    plain = rebuild(body, imports)
    module = CompiledNetwork(plain, plain.graph, class_name=type(plain).__name__)
    module.meta.update(meta)
    for inside in module.modules():
        if type(inside) is nn.Module:  # a group, which torch made anew
            inside.training = module.training
    return module


def compile_network(network: Network, seed: int = 0) -> fx.GraphModule:
    """The network as a graph module, in training mode, on torch's default device.

    Its inputs are the network's in order, its result one tensor, or a tuple of them where the
    network declares several outputs, each with the batch before the node's type.

    Every node draws its weights by torch's own initialization from a seed derived from ``seed``
    and its id, so that a node starts equal in every network it is in. Torch's global
    generator is left as it was. Raises a diagnostic for an operation without code.
    """
    planned = plan(network)
    device = torch.get_default_device()
    if device.type in ("cpu", "meta"):
        modules = _modules(planned, seed)
    else:
        # Drawn on the CPU whatever the device, so that the weights depend on the seed alone.
        with torch.device("cpu"):
            modules = {path: m.to(device) for path, m in _modules(planned, seed).items()}
    # The modules go in before the graph does: torch's own way of copying them from a root looks
    # up every path several times, and would take longer than building them.
    name = identifier(network.name)
    compiled = CompiledNetwork(nn.Module(), fx.Graph(tracer_cls=NamedTracer), class_name=name)
    _attach(compiled, modules)
    compiled.graph = planned.graph
    compiled.meta["network"] = network
    compiled.meta["paths"] = dict(planned.places)
    return compiled


def _attach(root: nn.Module, modules: Mapping[str, nn.Module]) -> None:
    groups: dict[str, nn.Module] = {"": root}
    for path, module in modules.items():
        above = ""
        *parents, last = path.split(".")
        for name in parents:
            inside = f"{above}.{name}"
            if inside not in groups:
                groups[inside] = nn.Module()
                groups[above].add_module(name, groups[inside])
            above = inside
        groups[above].add_module(last, module)


def _modules(planned: Plan, seed: int) -> dict[str, nn.Module]:
    generator = torch.default_generator
    state = generator.get_state()
    built: dict[str, nn.Module] = {}
    try:
        for path, recipe in planned.modules.items():
            generator.manual_seed(derive(seed, "init", planned.owners[path].id))
            built[path] = recipe.build()
    finally:
        generator.set_state(state)
    return built
