"""The graph of a population: which operations of its members are one call, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import torch
from torch import fx, nn

from nasdsl.compiler import names
from nasdsl.compiler.code import CODE
from nasdsl.compiler.population_cost import Use, members_at_once, pays
from nasdsl.compiler.population_order import Place, Schedule
from nasdsl.compiler.population_wide import (
    ANCHORS,
    CHANNELWISE,
    WIDENED,
    in_order,
    members_first,
    narrow,
    pick,
    spread,
    takes_shared,
    whole,
    wide_cat,
    widen,
)
from nasdsl.compiler.recipe import Function
from nasdsl.graph.network import INPUT, Network
from nasdsl.operations.operation import TensorType

Fuse = bool | str
"""``True`` wherever it can be, ``False`` nowhere, ``auto`` where it pays."""


@dataclass(frozen=True, slots=True)
class Share:
    """Where a member's parameter or buffer is in the population's.

    Attributes:
        name: of the population's tensor.
        slot: which of the equal parts along the first axis, ``None`` for all of it.
        parts: how many parts there are.
    """

    name: str
    slot: int | None = None
    parts: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class _Value:
    """A result: of one member, of several in a wide tensor, or of all (``members`` empty)."""

    node: fx.Node
    members: tuple[int, ...]


@dataclass
class PopulationPlan:
    """The graph, the modules by path, and each member's shares by the name it has alone."""

    graph: fx.Graph = field(default_factory=fx.Graph)
    modules: dict[str, nn.Module] = field(default_factory=dict)
    shares: list[dict[str, Share]] = field(default_factory=list)
    fused: int = 0
    """Calls of operations with weights that serve several members."""
    calls: int = 0
    """All calls of operations with weights."""


def plan_population(
    networks: Sequence[Network],
    modules: Sequence[fx.GraphModule],
    fuse: Fuse,
    batch: int,
    device: str,
) -> PopulationPlan:
    """The plan of a population, from its members compiled alone."""
    return _Planner(networks, modules, fuse, batch, device).plan()


class _Planner:
    def __init__(
        self,
        networks: Sequence[Network],
        modules: Sequence[fx.GraphModule],
        fuse: Fuse,
        batch: int,
        device: str,
    ):
        self.networks = networks
        self.alone = modules
        self.fuse = fuse
        self.batch = batch
        self.device = device
        self.made = PopulationPlan(shares=[{} for _ in networks])
        self.graph = self.made.graph
        self.values: dict[tuple[int, str], _Value] = {}
        self.known: dict[tuple[Any, ...], fx.Node] = {}
        self.taken: set[str] = set()

    def plan(self) -> PopulationPlan:
        """The whole graph."""
        arguments = names.arguments(node.id for node in self.networks[0].inputs)
        given = {id: _Value(self.graph.placeholder(n), ()) for id, n in arguments.items()}
        apart = [i for i, network in enumerate(self.networks) if not _is_open(network)]
        for member in apart:
            self._whole_member(member, [v.node for v in given.values()])
        for block in self._blocks([i for i in range(len(self.networks)) if i not in apart]):
            for member in block:
                for id, value in given.items():
                    self.values[member, id] = value
            for place, members in Schedule({i: self.networks[i] for i in block}):
                self._place(place, members)
        self._output()
        return self.made

    def _blocks(self, members: list[int]) -> list[list[int]]:
        """Runs of members that may be fused with each other, which stand one after another.

        Results of a member are read soon after they were written, and still in the caches
        then, where its operations do not stand between those of too many others.
        """
        if not members or self.fuse is True:
            return [members] if members else []
        if self.fuse is False:
            return [[member] for member in members]
        networks = [self.networks[member] for member in members]
        count = -(-len(members) // members_at_once(networks, self.batch, self.device))
        bounds = [len(members) * i // count for i in range(count + 1)]
        return [members[a:b] for a, b in pairwise(bounds)]

    def _whole_member(self, member: int, inputs: list[fx.Node]) -> None:
        module = OwnNoise(self.alone[member])
        node = self._module(f"alone_{member}", module, tuple(inputs), f"member_{member}")
        prefix = f"{node.target}.network"
        for name in self.alone[member].state_dict():
            self.made.shares[member][name] = Share(f"{prefix}.{name}")
        self.values[member, self.networks[member].outputs[0]] = _Value(node, (member,))

    # One place

    def _place(self, place: Place, members: tuple[int, ...]) -> None:
        id, op, _, types, _ = place
        ports = [
            [self.values[m, self.networks[m].by_id[id].inputs[port]] for m in members]
            for port in range(len(types))
        ]
        paths = self.alone[members[0]].meta["paths"]
        has_module = paths[id].module is not None
        stateless = not has_module or not any(True for _ in self._own(members[0], id).state_dict())
        if stateless and all(not v.members for port in ports for v in port):
            self._shared(place, members, ports)
            return
        if self._can_fuse(op, types) and len(members) > 1 and self._wanted(place, ports):
            self._fused(place, members, ports)
            return
        for at, member in enumerate(members):
            operands = tuple(self._single(port[at], member) for port in ports)
            node = self._emit(place, operands, [member], f"alone_{member}")
            self.values[member, id] = _Value(node, (member,))

    def _shared(self, place: Place, members: tuple[int, ...], ports: list[list[_Value]]) -> None:
        """What needs no weights, of results that members share, is shared too."""
        by_operands: dict[tuple[fx.Node, ...], list[int]] = {}
        for at, member in enumerate(members):
            by_operands.setdefault(tuple(port[at].node for port in ports), []).append(member)
        for operands, same in by_operands.items():
            key = (*place[1:], operands)
            if key not in self.known:
                self.known[key] = self._emit(place, operands, same[:1], "shared")
            for member in same:
                self.values[member, place[0]] = _Value(self.known[key], ())

    def _can_fuse(self, op: str, types: tuple[TensorType, ...]) -> bool:
        rank = len(types[0].shape) if types else 0
        if op == "concat":
            return rank in (1, 3)
        return rank in CHANNELWISE.get(op, ()) or rank in WIDENED.get(op, ())

    def _wanted(self, place: Place, ports: list[list[_Value]]) -> bool:
        if self.fuse is True:
            return True
        if self.fuse is False:
            return False
        _, op, settings, types, output = place
        if op in ANCHORS:
            values = ports[0]
            aligned = len({id(v) for v in values}) == 1 and len(values) == len(values[0].members)
            shared = all(not v.members for v in values)
            threads = torch.get_num_threads()
            members = len(values)
            return pays(
                Use(
                    op,
                    settings,
                    types[0],
                    output,
                    members,
                    shared,
                    aligned,
                    self.batch,
                    self.device,
                    threads,
                )
            )
        # The others ride with what is fused already.
        return any(len(v.members) > 1 for port in ports for v in port)

    def _fused(self, place: Place, members: tuple[int, ...], ports: list[list[_Value]]) -> None:
        id, op = place[:2]
        k = len(members)
        sharing = (
            op in WIDENED
            and takes_shared(self._own(members[0], id))
            and len({v.node for v in ports[0]}) == 1
            and not ports[0][0].members
        )
        operands = tuple(
            port[0].node if sharing else self._aligned(port, members) for port in ports
        )
        if op == "concat":
            node = self.graph.call_function(wide_cat, (list(operands), k))
        else:
            node = self._emit(place, operands, list(members), "together", sharing)
        value = _Value(node, members)
        for member in members:
            self.values[member, id] = value

    def _emit(
        self,
        place: Place,
        operands: tuple[fx.Node, ...],
        members: list[int],
        prefix: str,
        sharing: bool = False,
    ) -> fx.Node:
        """The call of one operation for some members."""
        id, op, settings, types, output = place
        label = names.label(id)
        path = self.alone[members[0]].meta["paths"][id].module
        if path is None:
            recipe = CODE[op](dict(settings), types, output)
            assert isinstance(recipe, Function), "a node without a module is a function"
            return recipe.emit(self._call, operands)
        own = [self._own(member, id) for member in members]
        module = own[0] if len(own) == 1 else widen(own, sharing)
        node = self._module(f"{prefix}.{names.module_path(id)}", module, operands, label)
        names_of = list(own[0].state_dict(keep_vars=True).items())
        if names_of:
            self.made.calls += 1
            self.made.fused += len(own) > 1
        for slot, member in enumerate(members):
            alone = self.alone[member].meta["paths"][id].module
            for name, tensor in names_of:
                part = None if len(own) == 1 or not tensor.dim() else slot
                share = Share(f"{node.target}.{name}", part, len(own) if part is not None else 1)
                self.made.shares[member][f"{alone}.{name}"] = share
        return node

    def _call(
        self, target: Callable[..., Any] | str, *args: Any, part: bool = False, **kwargs: Any
    ) -> fx.Node:
        kind = "call_method" if isinstance(target, str) else "call_function"
        return self.graph.create_node(kind, target, args, kwargs)

    def _module(
        self, wanted: str, module: nn.Module, operands: tuple[fx.Node, ...], label: str
    ) -> fx.Node:
        path, count = wanted, 1
        while path in self.taken:
            count += 1
            path = f"{wanted}_{count}"
        parts = path.split(".")
        self.taken.update(".".join(parts[:i]) for i in range(len(parts), len(parts) + 1))
        self.made.modules[path] = module
        return self.graph.create_node("call_module", path, operands, name=label)

    def _own(self, member: int, id: str) -> nn.Module:
        """The module of a node in the member compiled alone."""
        alone = self.alone[member]
        path = alone.meta["paths"][id].module
        assert path is not None, "only nodes with modules are looked up"
        return alone.get_submodule(path)

    # Results where they are needed

    def _once(self, function: Callable[..., Any], *args: Any) -> fx.Node:
        key = (function, *(tuple(a) if isinstance(a, list) else a for a in args))
        if key not in self.known:
            self.known[key] = self.graph.call_function(function, args)
        return self.known[key]

    def _single(self, value: _Value, member: int) -> fx.Node:
        """A member's result by itself."""
        if len(value.members) <= 1:
            return value.node
        return self._once(narrow, value.node, value.members.index(member), len(value.members))

    def _aligned(self, values: list[_Value], members: tuple[int, ...]) -> fx.Node:
        """The results of members as one wide tensor in their order."""
        runs: list[tuple[_Value, list[int]]] = []
        for value, member in zip(values, members, strict=True):
            if not runs or runs[-1][0] is not value:
                runs.append((value, []))
            runs[-1][1].append(member)
        parts = []
        for value, wanted in runs:
            if not value.members:
                parts.append(
                    value.node if len(wanted) == 1 else self._once(spread, value.node, len(wanted))
                )
            elif value.members == tuple(wanted):
                parts.append(value.node)
            else:
                slots = [value.members.index(member) for member in wanted]
                parts.append(self._once(pick, value.node, slots, len(value.members)))
        if len(parts) == 1:
            return parts[0]
        key = (torch.cat, tuple(parts))
        if key not in self.known:
            self.known[key] = self.graph.call_function(torch.cat, (parts, 1))
        return self.known[key]

    def _output(self) -> None:
        parts: list[fx.Node] = []
        order: list[int] = []
        seen: dict[int, _Value] = {}
        for member, network in enumerate(self.networks):
            value = self.values[member, network.outputs[0]]
            if id(value) in seen:
                continue
            seen[id(value)] = value
            mine = [
                m
                for m, other in enumerate(self.networks)
                if self.values[m, other.outputs[0]] is value
            ]
            k = len(value.members)
            if k <= 1:
                parts.append(self.graph.call_function(whole, (value.node, len(mine))))
            else:
                part = self.graph.call_function(members_first, (value.node, k))
                slots = [value.members.index(m) for m in mine]
                if slots != list(range(k)):
                    part = self.graph.call_function(in_order, (part, slots))
                parts.append(part)
            order += mine
        result = parts[0] if len(parts) == 1 else self.graph.call_function(torch.cat, (parts, 0))
        if order != list(range(len(order))):
            back = sorted(range(len(order)), key=order.__getitem__)
            result = self.graph.call_function(in_order, (result, back))
        self.graph.output(result)


class OwnNoise(nn.Module):
    """A member that draws random numbers: it runs by itself, from a seed of its own.

    Attributes:
        network: the member.
        seed: that torch's generators have during its training passes, as if it were trained
            alone; ``None`` to leave them as they are.
    """

    seed: int | None = None

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        """What the member gives."""
        if self.seed is None or not self.training:
            result: torch.Tensor = self.network(*inputs)
            return result
        devices = sorted({x.device.index or 0 for x in inputs if x.is_cuda})
        with torch.random.fork_rng(devices):
            torch.manual_seed(self.seed)
            noisy: torch.Tensor = self.network(*inputs)
            return noisy


def _is_open(network: Network) -> bool:
    """Whether its operations may be mixed with others': none draws at random or is foreign."""
    return all(n.op == INPUT or (n.op in CODE and n.op != "dropout") for n in network.nodes)
