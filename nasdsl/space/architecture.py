"""One architecture of a space."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from nasdsl.graph.fingerprint import fingerprint
from nasdsl.graph.network import Network, Node
from nasdsl.space.subject import Networked

if TYPE_CHECKING:
    from nasdsl.space.space import Space


class Architecture(Networked):
    """One value for each decision of a space. Immutable; equal if space and decisions are."""

    def __init__(self, space: Space, decisions: Mapping[str, Any], rank: int | None = None):
        self.space = space
        self.decisions: Mapping[str, Any] = decisions
        if rank is not None:
            self.__dict__["rank"] = rank

    @cached_property
    def rank(self) -> int:
        """Its place in the space, from 0."""
        return self.space.rank_of(self.decisions)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Architecture)
            and self.rank == other.rank
            and (self.space is other.space or self.space.text == other.space.text)
        )

    def __hash__(self) -> int:
        return hash((self.space.name, self.rank))

    def __repr__(self) -> str:
        return f"<{self.space.name}#{self.rank}>"

    @cached_property
    def written(self) -> tuple[list[Node], str]:
        """The operations as written, dead parts included, and the id of the result."""
        return self.space.written(self.decisions)

    @cached_property
    def network(self) -> Network:
        """The live network: types and costs worked out, dead parts gone."""
        return self.space.network(self.decisions)

    @cached_property
    def fingerprint(self) -> str:
        """The digest of the canonical live network: equal means the same function."""
        found = self.space.identity.of(self.decisions)
        return found or fingerprint(self.network, self.space.operations)

    @property
    def declared_params(self) -> int:
        """Learned parameters of everything written, dead parts included."""
        return sum(node.cost.params for node in self.written[0])

    @property
    def declared_macs(self) -> int:
        """Multiply-accumulates of everything written, dead parts included."""
        return sum(node.cost.macs for node in self.written[0])

    @cached_property
    def key(self) -> str | None:
        """The name that the space's key template gives it."""
        return self.space.key_of(self.decisions)

    def to_json(self) -> dict[str, Any]:
        """The architecture as plain data; ``space.from_json`` reads it back."""
        return {
            "space": self.space.name,
            "rank": self.rank,
            "decisions": {n: _plain(v) for n, v in self.decisions.items()},
            "key": self.key,
            "fingerprint": self.fingerprint,
            "params": self.params,
            "macs": self.macs,
        }


def _plain(value: Any) -> Any:
    return [_plain(v) for v in value] if isinstance(value, tuple) else value
