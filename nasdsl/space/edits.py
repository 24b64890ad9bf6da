"""What a space asks of its edit rules, which are worked out in a room above."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from nasdsl.graph.network import Network

if TYPE_CHECKING:
    from nasdsl.space.architecture import Architecture
    from nasdsl.space.bounds import Bounds
    from nasdsl.space.outside import Outside


class Neighbor(Protocol):
    """An architecture near another one.

    ``changed`` lists ``{"decision", "from", "to"}``; ``rank``, ``decisions`` and
    ``architecture`` are ``None`` outside the declared space.
    """

    @property
    def edit(self) -> str:
        """The name of the edit that leads there."""

    @property
    def rank(self) -> int | None:
        """The rank in the space."""

    @property
    def decisions(self) -> Mapping[str, Any] | None:
        """The decisions."""

    @property
    def architecture(self) -> Architecture | None:
        """The architecture."""

    @property
    def network(self) -> Network:
        """The live network."""

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the live network."""

    @property
    def changed(self) -> tuple[dict[str, Any], ...]:
        """What is decided differently."""

    def to_json(self) -> dict[str, Any]:
        """The neighbor as plain data."""


class Edits(Protocol):
    """The edit rules of a space, worked out in a room above."""

    def of(self, center: Architecture | Outside, radius: int | None = None) -> Sequence[Neighbor]:
        """All neighbors."""

    def sample(
        self,
        center: Architecture | Outside,
        number_of: int,
        seed: Any,
        radius: int | None = None,
    ) -> Sequence[Neighbor]:
        """Some neighbors."""

    def extent(self) -> Bounds:
        """The least and greatest number of neighbors over the space."""
