"""Several networks as one torch.fx.GraphModule that trains them at once.

Members have their own weights, statistics and results; nothing of one reaches another. What
stands at the same place in several members and has one shape is one call, where that pays.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, fx, nn

from nasdsl.compiler.build import compile_network
from nasdsl.compiler.population_cost import faster, members_at_once
from nasdsl.compiler.population_plan import Fuse, OwnNoise, Share, plan_population
from nasdsl.diagnostics import problem
from nasdsl.graph.network import Network


class HasNetwork(Protocol):
    """An architecture, or a neighbor."""

    @property
    def network(self) -> Network:
        """Its live network."""
        ...


class CompiledPopulation(fx.GraphModule):
    """K networks; a call with [batch, ...] gives [K, batch, ...].

    ``networks`` are the members' graphs, ``shares[k]`` says where each parameter and buffer of
    member k, by the name that it has in the member compiled alone, is in this module.
    """

    networks: tuple[Network, ...]
    seeds: tuple[int, ...]
    shares: tuple[Mapping[str, Share], ...]

    def __len__(self) -> int:
        return len(self.networks)

    def member(self, index: int) -> fx.GraphModule:
        """One member as a module of its own, with equal weights and statistics.

        Raises:
            IndexError: there is no such member.
        """
        index = range(len(self))[index]
        module = compile_network(self.networks[index], self.seeds[index])
        state = self.member_state(index)
        module.load_state_dict(state)
        for tensor in state.values():
            module.to(tensor.device)
            break
        return module.train(self.training)

    def member_state(self, index: int) -> dict[str, Tensor]:
        """Parameters and buffers of a member by the names that it has alone; views, detached."""
        own = self.state_dict()
        return {name: part(own[s.name], s) for name, s in self.shares[index].items()}

    @torch.no_grad()
    def load_member(self, index: int, state: Mapping[str, Tensor]) -> None:
        """Puts the weights and statistics of a module of the same network into a member.

        Raises:
            KeyError: one is missing.
        """
        for name, tensor in self.member_state(index).items():
            tensor.copy_(state[name])

    def parameter_members(self) -> dict[str, tuple[int, ...]]:
        """For each parameter the members whose parts it holds, in the order of the parts."""
        found: dict[str, dict[int, int]] = {}
        for member, shares in enumerate(self.shares):
            for share in shares.values():
                found.setdefault(share.name, {})[share.slot or 0] = member
        return {
            name: tuple(found[name][slot] for slot in sorted(found[name]))
            for name, _ in self.named_parameters()
        }

    def reseed(self, seed: int | None) -> None:
        """The seed from which members with dropout draw in their next passes, each alike."""
        for module in self.modules():
            if isinstance(module, OwnNoise):
                module.seed = seed

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (
            self.networks,
            self.seeds,
            self.shares,
            dict(self.meta),
            self.training,
            self._graph_text(),
            dict(self._modules),
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> CompiledPopulation:
        graph = fx.Graph(tracer_cls=self.graph._tracer_cls)
        output = graph.graph_copy(self.graph, val_map={})
        graph.output(output)
        modules = copy.deepcopy(dict(self._modules), memo)
        return _population(
            graph, modules, self.networks, self.seeds, self.shares, dict(self.meta), self.training
        )

    def _graph_text(self) -> list[tuple[Any, ...]]:
        """The graph as plain tuples, nodes by their names."""

        def plain(value: Any) -> Any:
            return fx.node.map_arg(value, lambda node: _Name(node.name))

        return [(n.op, n.target, plain(n.args), plain(n.kwargs), n.name) for n in self.graph.nodes]


class _Name(str):
    """The name of a node inside the arguments of another."""

    __slots__ = ()


def compile_population(
    members: Sequence[Network | HasNetwork],
    seed: int | Sequence[int] = 0,
    batch: int = 64,
    fuse: Fuse = "auto",
    device: torch.device | str = "cpu",
) -> CompiledPopulation:
    """Networks as one module that trains them all, in training mode, on the CPU.

    Member k starts with the weights of ``compile_network(members[k], seed)``.

    Args:
        members: networks, architectures or neighbors, with equal input and output types.
        seed: of the initial weights, one for all or one for each.
        batch: samples of a step that the decisions to fuse are measured with.
        fuse: ``auto`` fuses as many members as the caches hold, where a measurement of this
            process says that the operation gains, and nothing where passes of so many members
            would not be faster than one after another; ``True`` fuses wherever it is possible;
            ``False`` nowhere. What is not fused stands member after member.
        device: where it will be trained; what is measured for ``auto``.

    Raises:
        DiagnosticError: no members (NAS810), more than one output, or members of different
            types (NAS811); an operation without code.
    """
    networks = tuple(m if isinstance(m, Network) else m.network for m in members)
    _check(networks)
    seeds = tuple(seed) if isinstance(seed, Sequence) else (seed,) * len(networks)
    if len(seeds) != len(networks):
        raise problem("NAS810", f"{len(networks)} networks and {len(seeds)} seeds")
    alone = [compile_network(n, s) for n, s in zip(networks, seeds, strict=True)]
    planned = _planned(networks, seeds, alone, fuse, batch, device)
    if fuse != "auto" or not planned.meta["fused"]:
        return planned
    # Those that are fused with each other tell for all; copies, since passes change statistics.
    some = slice(members_at_once(networks, batch, device))
    trial = _planned(networks[some], seeds[some], copy.deepcopy(alone[some]), fuse, batch, device)
    inputs = [node.type for node in networks[0].inputs]
    if faster(trial, copy.deepcopy(alone[some]), inputs, batch, device):
        return planned
    return _planned(networks, seeds, alone, False, batch, device)


def _planned(
    networks: tuple[Network, ...],
    seeds: tuple[int, ...],
    alone: Sequence[fx.GraphModule],
    fuse: Fuse,
    batch: int,
    device: torch.device | str,
) -> CompiledPopulation:
    made = plan_population(networks, alone, fuse, batch, str(torch.device(device)))
    root = _tree(made.modules)
    meta = {"fused": made.fused, "calls": made.calls}
    return _population(
        made.graph, dict(root.named_children()), networks, seeds, tuple(made.shares), meta, True
    )


def part(tensor: Tensor, share: Share) -> Tensor:
    """A member's part of a tensor, a view."""
    if share.slot is None:
        return tensor
    rows = tensor.shape[0] // share.parts
    return tensor[share.slot * rows : (share.slot + 1) * rows]


def _check(networks: Sequence[Network]) -> None:
    if not networks:
        raise problem("NAS810", "a population needs at least one network")
    first = networks[0]
    for network in networks:
        if len(network.outputs) != 1:
            raise problem("NAS811", "members of a population have one output each")
        inputs = [(n.id, n.type) for n in network.inputs]
        if inputs != [(n.id, n.type) for n in first.inputs]:
            raise problem("NAS811", "members of a population take the same inputs")
        wanted, found = (n.by_id[n.outputs[0]].type for n in (first, network))
        if wanted != found:
            raise problem("NAS811", f"a member gives {found}, the first one {wanted}")


def _tree(modules: Mapping[str, nn.Module]) -> nn.Module:
    root = nn.Module()
    for path, module in modules.items():
        above = root
        *parents, last = path.split(".")
        for name in parents:
            if name not in above._modules:
                above.add_module(name, nn.Module())
            above = above.get_submodule(name)
        above.add_module(last, module)
    return root


def _population(
    graph: fx.Graph,
    modules: Mapping[str, nn.Module | None],
    networks: tuple[Network, ...],
    seeds: tuple[int, ...],
    shares: tuple[Mapping[str, Share], ...],
    meta: dict[str, Any],
    training: bool,
) -> CompiledPopulation:
    compiled = CompiledPopulation(nn.Module(), fx.Graph(), class_name="Population")
    for name, module in modules.items():
        compiled.add_module(name, module)
    compiled.graph = graph
    compiled.networks, compiled.seeds, compiled.shares = networks, seeds, shares
    compiled.meta.update(meta)
    compiled.training = training
    return compiled


def _restored(
    networks: tuple[Network, ...],
    seeds: tuple[int, ...],
    shares: tuple[Mapping[str, Share], ...],
    meta: dict[str, Any],
    training: bool,
    text: list[tuple[Any, ...]],
    modules: Mapping[str, nn.Module | None],
) -> CompiledPopulation:
    graph = fx.Graph()
    known: dict[str, fx.Node] = {}

    def read(value: Any) -> Any:
        if isinstance(value, _Name):
            return known[value]
        if isinstance(value, list | tuple):
            return type(value)(read(v) for v in value)
        if isinstance(value, dict):
            return {k: read(v) for k, v in value.items()}
        return value

    for op, target, args, kwargs, name in text:
        if op == "output":
            graph.output(read(args)[0])
        else:
            known[name] = graph.create_node(op, target, read(args), read(kwargs), name=name)
    return _population(graph, modules, networks, seeds, shares, meta, training)
