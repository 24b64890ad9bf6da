"""The order of the operations of several networks, those of one place together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nasdsl.graph.network import INPUT, Network, Node
from nasdsl.operations.operation import TensorType

Place = tuple[str, str, tuple[tuple[str, Any], ...], tuple[TensorType, ...], TensorType]
"""Id, operation, settings, types of operands and result (zeros take theirs from nowhere else)."""


class Schedule:
    """The places of networks, operands first; members of one place together where they can be.

    Where members order two places differently, one of the places is left in parts.
    """

    def __init__(self, networks: Mapping[int, Network]):
        self.networks = networks
        self.at: dict[Place, dict[int, Node]] = {}
        self.missing: dict[tuple[int, str], set[str]] = {}
        self.users: dict[tuple[int, str], list[str]] = {}
        self.place: dict[tuple[int, str], Place] = {}
        self.ready: dict[Place, set[int]] = {}
        for member, network in networks.items():
            for node in network.nodes:
                if node.op == INPUT:
                    continue
                types = tuple(network.by_id[i].type for i in node.inputs)
                settings = tuple(sorted(node.settings.items()))
                place = (node.id, node.op, settings, types, node.type)
                self.at.setdefault(place, {})[member] = node
                self.place[member, node.id] = place
                wanted = {i for i in node.inputs if network.by_id[i].op != INPUT}
                self.missing[member, node.id] = wanted
                for operand in wanted:
                    self.users.setdefault((member, operand), []).append(node.id)
                if not wanted:
                    self.ready.setdefault(place, set()).add(member)
        self.left = {place: set(members) for place, members in self.at.items()}

    def __iter__(self) -> Iterator[tuple[Place, tuple[int, ...]]]:
        while self.ready:
            whole = next((p for p, m in self.ready.items() if m == self.left[p]), None)
            place = whole or max(self.ready, key=lambda p: len(self.ready[p]))
            members = tuple(sorted(self.ready.pop(place)))
            self.left[place] -= set(members)
            yield place, members
            for member in members:
                for user in self.users.get((member, place[0]), ()):
                    self.missing[member, user].discard(place[0])
                    if not self.missing[member, user]:
                        following = self.place[member, user]
                        self.ready.setdefault(following, set()).add(member)
