"""Which nodes of an edited network go on from which of the old one, and what that preserves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from nasdsl.compiler.plan import recipes_of
from nasdsl.compiler.recipe import Function
from nasdsl.compiler.supernet.walk import recipe_key
from nasdsl.graph.network import INPUT, Network, Node
from nasdsl.operations.mobile import hidden_channels

How = Literal["exact", "grown", "cut", "identity", "zero", "fresh"]
Preserved = Literal["always", "evaluation", "no"]

POINTWISE = frozenset(
    {"relu", "relu6", "leaky_relu", "elu", "gelu", "silu", "hswish", "sigmoid", "hsigmoid", "tanh"}
)
ALONE = POINTWISE | {"bn", "dropout", "maxpool", "avgpool", "global_avgpool", "global_maxpool"}
"""One channel of the result depends on that channel of the operands alone."""
CHANNELWISE = ALONE | {"depthwise", "add", "mul", "mean", "identity", "upsample"}
DENSE = frozenset({"conv", "linear", "separable", "inverted_residual"})
"""Every channel of the result is a weighted sum over all channels: zeros hide new ones."""
QUIET = frozenset({"relu", "relu6", "leaky_relu", "elu", "gelu", "silu", "hswish", "tanh"}) | {
    "dropout",
    "maxpool",
    "avgpool",
    "identity",
}
"""What sends zeros to zeros."""
POSITIVE = frozenset({"relu", "relu6", "sigmoid", "hsigmoid", "softmax"})
KEEPING = frozenset(
    {"maxpool", "avgpool", "global_avgpool", "global_maxpool", "dropout", "upsample"}
)
"""What keeps the sign of its operand."""
GROWN = frozenset({"channels", "kernel", "features", "expand"})
"""Settings whose growth a node can start from its smaller self."""


@dataclass
class Correspondence:
    """``sources`` gives the old node for each that is exact, grown or cut."""

    how: dict[str, How] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    preserves: Preserved = "no"


def correspond(old: Network, new: Network) -> Correspondence:
    """What each node of the new network with a module starts from."""
    return _Matching(old, new).run()


@dataclass(frozen=True, slots=True)
class _Same:
    """The value of a new node is that of an old one, in its first channels where ``wider``."""

    old: str
    wider: bool = False


class _Matching:
    def __init__(self, old: Network, new: Network) -> None:
        self.old, self.new = old, new
        self.old_recipes, self.recipes = recipes_of(old), recipes_of(new)
        self.twins = self._twins()
        self.positive = _positive(old)
        self.values: dict[str, _Same] = {}
        self.silent: set[str] = set()
        self.branches: set[str] = set()
        self.evaluation = False
        self.found = Correspondence()

    def _twins(self) -> dict[str, str]:
        """The old node for each new one: of its id, or where one choice in the id differs."""
        twins = {n.id: n.id for n in self.new.nodes if n.id in self.old.by_id}
        twins = {id: o for id, o in twins.items() if self._alike(id, o)}
        left = [n for n in self.old.nodes if n.id not in twins.values()]
        for node in self.new.nodes:
            if node.id not in twins:
                near = [
                    o.id
                    for o in left
                    if o.op == node.op and _neighbors(o.id, node.id) and self._alike(node.id, o.id)
                ]
                if near:
                    twins[node.id] = near[0]
                    left = [o for o in left if o.id != near[0]]
        return twins

    def _alike(self, new: str, old: str) -> bool:
        return self.new.by_id[new].op == self.old.by_id[old].op

    def run(self) -> Correspondence:
        self._silence()
        for node in self.new.nodes:
            if node.op == INPUT:
                if node.id in self.old.by_id and self.old.by_id[node.id].type == node.type:
                    self.values[node.id] = _Same(node.id)
                continue
            how = self._start(node)
            if not isinstance(self.recipes[node.id], Function):
                self.found.how[node.id] = how
                if how in ("exact", "grown", "cut"):
                    self.found.sources[node.id] = self.twins[node.id]
        ends = [self.values.get(id) for id in self.new.outputs]
        if ends == [_Same(id) for id in self.old.outputs]:
            self.found.preserves = "evaluation" if self.evaluation else "always"
        return self.found

    # ---- layers that change nothing

    def _silence(self) -> None:
        """Mark what must give zero so that a new sum gives back one of its operands."""
        uses = Counter(operand for node in self.new.nodes for operand in node.inputs)
        uses.update(self.new.outputs)
        for node in self.new.nodes:
            if node.op != "add":
                continue
            tails = {operand: self._tail(operand, uses) for operand in node.inputs}
            kept = [operand for operand, tail in tails.items() if tail is None]
            twin = self.twins.get(node.id)
            if len(kept) == (1 if twin is None else len(self.old.by_id[twin].inputs)):
                for tail in tails.values():
                    if tail is not None:
                        self.silent.add(tail)
                        self._branch(tail, uses)

    def _branch(self, id: str, uses: Mapping[str, int]) -> None:
        """What only a silent layer reads: drawn as ever, so that the layer has what to learn."""
        for operand in self.new.by_id[id].inputs:
            if uses[operand] == 1 and operand not in self.twins:
                self.branches.add(operand)
                self._branch(operand, uses)

    def _tail(self, id: str, uses: Mapping[str, int]) -> str | None:
        """The new layer that can make a value zero, where nothing else reads it."""
        while uses[id] == 1 and id not in self.twins:
            node = self.new.by_id[id]
            if node.op in ("conv", "linear", "depthwise") or (
                node.op in ("bn", "layernorm", "groupnorm") and node.settings["affine"]
            ):
                return id
            if node.op == "inverted_residual" and not _residual(self.new, node):
                return id
            if node.op not in QUIET:
                return None
            id = node.inputs[0]
        return None

    # ---- one node

    def _start(self, node: Node) -> How:
        operands = [self.values.get(operand) for operand in node.inputs]
        twin = self.twins.get(node.id)
        if twin is not None:
            how = self._go_on(node, self.old.by_id[twin])
            value = self._value(node, self.old.by_id[twin], operands, how)
            if value is not None:
                self.values[node.id] = value
            return how
        if node.id in self.silent:
            return "zero"
        kept = self._unchanged(node, operands)
        if kept is None:
            return "fresh"
        value, how = kept
        self.values[node.id] = value
        return how

    def _go_on(self, node: Node, twin: Node) -> How:
        mine, theirs = self.recipes[node.id], self.old_recipes[twin.id]
        if isinstance(mine, Function) or isinstance(theirs, Function):
            return "exact" if mine.__class__ is theirs.__class__ else "fresh"
        if recipe_key(mine) == recipe_key(theirs):
            return "exact"
        if not self._resized(node, twin):
            return "fresh"
        smaller = any(
            node.settings[s] < twin.settings[s] for s in GROWN & node.settings.keys()
        ) or self._channels(self.new, node) < self._channels(self.old, twin)
        return "cut" if smaller else "grown"

    @staticmethod
    def _channels(network: Network, node: Node) -> int:
        return network.by_id[node.inputs[0]].type.channels

    def _resized(self, node: Node, twin: Node) -> bool:
        """Whether two uses of an operation differ in sizes alone."""
        if node.op not in DENSE | {"bn", "depthwise"}:
            return False
        for name, value in node.settings.items():
            if name not in GROWN and value != twin.settings[name]:
                return False
        if node.settings.get("groups", 1) != 1:
            return False
        if node.op == "inverted_residual" and (
            (node.settings["expand"] == 1) != (twin.settings["expand"] == 1)
            or _residual(self.new, node) != _residual(self.old, twin)
        ):
            return False
        return bool(node.settings.get("kernel", 1) % 2 == twin.settings.get("kernel", 1) % 2)

    def _value(
        self, node: Node, twin: Node, operands: list[_Same | None], how: How
    ) -> _Same | None:
        """What a node that has a twin computes, if that is what the twin did."""
        known = [operand for operand in operands if operand is not None]
        if node.op == "add":
            # Operands that were made zero, and only those, may be new.
            ids = [i for i in node.inputs if not self._zeroed(i)]
            known = [self.values[i] for i in ids if i in self.values]
            if len(known) != len(ids):
                return None
        elif len(known) != len(operands):
            return None
        if tuple(v.old for v in known) != twin.inputs or how in ("cut", "fresh"):
            return None
        if how == "exact" and node.settings != twin.settings and node.op != INPUT:
            return None
        wider = any(v.wider for v in known)
        if wider and node.op not in CHANNELWISE | DENSE:
            return None
        if node.op == "inverted_residual" and not self._prefixed(node, twin):
            return None
        return _Same(twin.id, node.type != twin.type)

    def _prefixed(self, node: Node, twin: Node) -> bool:
        """Whether new inner channels are silent: those of a gate would read means of new ones."""
        inner = [
            hidden_channels(self._channels(network, n), n.settings["expand"])
            for network, n in ((self.new, node), (self.old, twin))
        ]
        return inner[0] >= inner[1]

    def _zeroed(self, id: str) -> bool:
        node = self.new.by_id[id]
        while id not in self.silent and node.op in QUIET and id not in self.twins:
            id = node.inputs[0]
            node = self.new.by_id[id]
        return id in self.silent

    def _unchanged(self, node: Node, operands: list[_Same | None]) -> tuple[_Same, How] | None:
        """The operand that a new node can give back at first, and how."""
        if node.op == "add":
            kept = [i for i in node.inputs if not self._zeroed(i)]
            if len(kept) == 1 and kept[0] in self.values:
                return self.values[kept[0]], "exact"
            return None
        if node.id in self.branches or len(operands) != 1 or operands[0] is None:
            return None
        value = operands[0]
        operand = self.new.by_id[node.inputs[0]]
        if operand.type != node.type:
            return None
        s = node.settings
        if node.op in ("conv", "depthwise"):
            plain = s["kernel"] % 2 == 1 and s["stride"] == 1 and s.get("groups", 1) == 1
            return (value, "identity") if plain else None
        if node.op == "linear":
            return value, "identity"
        if node.op == "inverted_residual" and _residual(self.new, node):
            return value, "zero"
        if node.op == "bn" and s["affine"]:
            self.evaluation = True
            return value, "identity"
        if node.op == "relu" and value.old in self.positive:
            return value, "identity"
        return None


def _residual(network: Network, node: Node) -> bool:
    """Whether an inverted residual adds its operand."""
    s = node.settings
    channels = network.by_id[node.inputs[0]].type.channels
    return bool(s["stride"] == 1 and channels == s["channels"] and s["kernel"] % 2)


def _positive(network: Network) -> set[str]:
    """Nodes that are never below zero."""
    found: set[str] = set()
    for node in network.nodes:
        sums = node.op in ("add", "mul", "mean", "concat")
        kept = (sums or node.op in KEEPING) and all(i in found for i in node.inputs)
        if node.op in POSITIVE or kept:
            found.add(node.id)
    return found


def _neighbors(one: str, other: str) -> bool:
    """Whether two ids differ in one segment, as the alternatives of a choice do."""
    mine, theirs = one.split("."), other.split(".")
    return len(mine) == len(theirs) and sum(map(str.__ne__, mine, theirs)) == 1
