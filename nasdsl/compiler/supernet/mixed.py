"""The supernet of DARTS: every decision is the weighted sum of its alternatives."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn

from nasdsl.compiler import names
from nasdsl.compiler.build import Buildable, assemble, drawn
from nasdsl.compiler.module import CompiledNetwork
from nasdsl.compiler.plan import NamedTracer, caller
from nasdsl.compiler.recipe import Function, Module
from nasdsl.compiler.supernet.merge import Applied, Merged, Mixed, merged
from nasdsl.compiler.supernet.relaxation import Kind, Relaxation
from nasdsl.compiler.supernet.trace import Trace, edge_segment, follow
from nasdsl.diagnostics import problem
from nasdsl.space import Architecture, Space
from nasdsl.space.residual import Branch

PARAMETERS = "decisions"
"""The group of a supernet that holds its architecture parameters."""


def mix(weights: Tensor, alternatives: Sequence[Tensor], indices: Sequence[int]) -> Tensor:
    """The sum of alternatives, each times its weight; alternatives that are zero are left out.

    ``weights`` is a vector; ``indices`` says which of its entries each alternative has.
    """
    total = alternatives[0] * weights[indices[0]]
    for alternative, index in zip(alternatives[1:], indices[1:], strict=True):
        total = total + alternative * weights[index]
    return total


class MixedSupernet(CompiledNetwork):
    """A GraphModule of a whole space in which every decision is a weighted sum.

    ``meta["decisions"]`` maps the name of each decision to its alternatives, in the order of
    its weights; a pick whose members each go through a module of their own has a weight for
    each member. A decision of a cell has one vector for all uses of the cell; operations never
    share weights. With learned weights these are the modules below ``decisions``; otherwise
    the network takes a dictionary of them as its last argument.
    """

    def architecture_parameters(self) -> dict[str, nn.Parameter]:
        """The learned vectors by decision; empty where weights are given as an input."""
        paths: Mapping[str, str] = self.meta["relaxations"]
        return {name: self.get_parameter(f"{path}.alpha") for name, path in paths.items()}

    def operation_parameters(self) -> list[nn.Parameter]:
        """All other parameters: those of the operations."""
        own = {id(p) for p in self.architecture_parameters().values()}
        return [p for p in self.parameters() if id(p) not in own]

    def set_temperature(self, temperature: float) -> None:
        """Divide the logits of all decisions by this number, above zero, from now on."""
        if not temperature > 0:
            raise problem("NAS816", f"a temperature must be above 0, found {temperature:g}")
        for path in self.meta["relaxations"].values():
            relaxation = self.get_submodule(path)
            assert isinstance(relaxation, Relaxation)
            relaxation.temperature = temperature

    def weights_of(self, architecture: Architecture) -> dict[str, Tensor]:
        """The weights under which the supernet computes this architecture: zeros and ones.

        Decisions that the architecture does not come to are all zero.
        """
        weighed = follow(architecture.space.step, architecture.decisions).weighed
        given: dict[str, Tensor] = {}
        for name, alternatives in self.meta["decisions"].items():
            vector = torch.zeros(len(alternatives))
            if name in weighed:
                value = weighed[name]
                taken = value if self.meta["picked"].get(name) else (value,)
                for member in taken:
                    vector[alternatives.index(member)] = 1.0
            given[name] = vector
        return given

    def best(self, weights: Mapping[str, Tensor] | None = None) -> Architecture:
        """The architecture of the largest weights, by default of the learned ones.

        A pick takes the members of the largest product of the weight of the edge and the
        largest weight of the decision at its end. Raises a diagnostic for a supernet that was
        read from a file, since it does not hold its space.
        """
        space: Space | None = self.meta.get("space")
        if space is None:
            raise problem("NAS813", "a supernet that was read from a file has no space")
        given = self.architecture_parameters() if weights is None else weights
        learned = weights is None
        scores = {
            name: (torch.softmax(v, 0) if learned else v).detach().tolist()
            for name, v in given.items()
        }
        trace = Trace(lambda name, plain, branch: self._largest(name, branch, scores))
        trace.run(space.step)
        return space.architecture(trace.decisions)

    def _largest(self, name: str, branch: Branch, scores: Mapping[str, Sequence[float]]) -> Any:
        if name not in scores:  # only one alternative
            return next(iter(branch.options))
        alternatives = self.meta["decisions"][name]
        if not self.meta["picked"].get(name):
            return max(branch.options, key=lambda o: scores[name][alternatives.index(o)])
        strength = {}
        for member, weight in zip(alternatives, scores[name], strict=True):
            at = name[: len(name) - len(branch.name)] + edge_segment(branch, member)
            strength[member] = weight * max(scores.get(at, [1.0]))
        return max(branch.options, key=lambda members: sum(strength[m] for m in members))

    def state_of(self, architecture: Architecture) -> dict[str, dict[str, Tensor]]:
        """The state of the module of each node of an architecture as written, by id."""
        trace = follow(architecture.space.step, architecture.decisions)
        nodes = architecture.written[0][len(architecture.space.inputs) :]
        paths = self.meta["places"]
        return {
            node.id: self.get_submodule(paths[place]).state_dict()
            for node, place in zip(nodes, trace.places, strict=True)
            if place in paths
        }


def compile_mixed(space: Space, relaxation: Kind | None, seed: int) -> MixedSupernet:
    """The mixed supernet of a space, with learned weights or, for ``None``, with given ones.

    Raises a diagnostic where the alternatives of a decision give tensors of different types.
    """
    found = merged(space)
    wanted: dict[str, tuple[Buildable, str]] = {}
    homes: dict[int, str] = {}
    for at, step in found.needed():
        if isinstance(step, Applied) and not isinstance(step.recipe, Function):
            id = step.place[0]
            name, copies = id, 1
            while name in wanted:
                copies += 1
                name = f"{id}~{copies}"
            wanted[name] = step.recipe, name
            homes[at] = name
    used = [n for n in found.decisions if any(s.decision == n for s in found.mixtures())]
    if relaxation is not None:
        for name in used:
            size, picked = len(found.decisions[name]), found.picked.get(name, 0)
            recipe = Module(Relaxation, (size, relaxation), {"picked": picked} if picked else {})
            wanted[f"{PARAMETERS}.{name}"] = recipe, f"{PARAMETERS}.{name}"
    paths = names.module_paths(wanted)
    modules = drawn({paths[n]: value for n, value in wanted.items()}, seed)
    own = {at: paths[name] for at, name in homes.items()}
    relaxations = {n: paths[f"{PARAMETERS}.{n}"] for n in used} if relaxation is not None else {}
    graph = _graph(space, found, own, relaxations, used)
    supernet = assemble(MixedSupernet, graph, modules, space.name)
    supernet.meta.update(
        space=space,
        kind="mixed",
        decisions={n: found.decisions[n] for n in used},
        picked={n: k for n, k in found.picked.items() if n in used},
        places={found.steps[at].place: path for at, path in own.items()},
        relaxations=relaxations,
    )
    return supernet


def _graph(
    space: Space,
    found: Merged,
    paths: Mapping[int, str],
    relaxations: Mapping[str, str],
    used: Sequence[str],
) -> fx.Graph:
    graph = fx.Graph(tracer_cls=NamedTracer)
    given = "" if relaxations or not used else "weights"
    ports = [port.name.text for port in space.program.input_ports]
    arguments = names.arguments([*ports, *([given] if given else [])])
    placed = {id: graph.create_node("placeholder", n, name=n) for id, n in arguments.items()}
    vectors: dict[str, fx.Node] = {}
    for name in used:
        label = names.label(name)
        if given:
            vectors[name] = caller(graph, label)(operator.getitem, placed[given], name)
        else:
            vectors[name] = graph.create_node("call_module", relaxations[name], (), name=label)
    results: dict[int, fx.Node] = {at: placed[port] for at, port in enumerate(ports)}
    for at, step in found.needed():
        operands = tuple(results[operand] for operand in step.operands)
        label = names.label(step.place[0])
        if isinstance(step, Mixed):
            weights = vectors[step.decision]
            results[at] = caller(graph, label)(mix, weights, list(operands), list(step.indices))
        elif isinstance(step.recipe, Function):
            results[at] = step.recipe.emit(caller(graph, label), operands)
        else:
            results[at] = graph.create_node("call_module", paths[at], operands, name=label)
    graph.output(results[found.output])
    return graph
