"""Between the architectures of a space and the subjects of a study's records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from nasdsl.graph.plain import from_plain, to_plain
from nasdsl.seeding import derive
from nasdsl.study.plan import Ball
from nasdsl.study.records import Subject

if TYPE_CHECKING:
    from nasdsl.graph.network import Network
    from nasdsl.objectives.measurement import Fact
    from nasdsl.space import Architecture, Neighbor, Space


class Subjects:
    """What records say of architectures, and the way back, for one space and seed."""

    def __init__(self, space: Space, seed: int, estimated: Mapping[str, Ball] | None = None):
        self._space = space
        self._estimated = estimated or {}
        self._seed = seed

    def of_architecture(self, architecture: Architecture) -> Subject:
        """What records say of an architecture of the space."""
        return Subject(
            architecture.fingerprint,
            architecture.rank,
            dict(architecture.decisions),
            architecture.key,
        )

    def of_neighbor(self, neighbor: Neighbor) -> Subject:
        """What records say of a neighbor; outside the space that is its graph."""
        if neighbor.architecture is not None:
            return self.of_architecture(neighbor.architecture)
        return Subject(neighbor.fingerprint, network=to_plain(neighbor.network))

    def architecture(self, subject: Subject) -> Architecture:
        """The architecture of a subject inside the space."""
        assert subject.decisions is not None, "a proposal always has decisions"
        return self._space.architecture(subject.decisions)

    def network(self, subject: Subject) -> tuple[Network, Mapping[str, Fact]]:
        """The network to train, and what the space knows of it beyond its graph.

        It is built from the record alone, never taken from memory, so that a resumed study
        trains the very same graph.
        """
        if subject.decisions is None:
            assert subject.network is not None, "a subject outside the space has its graph"
            return from_plain(subject.network), {}
        architecture = self.architecture(subject)
        facts: dict[str, Fact] = {"declared_params": float(architecture.declared_params)}
        if subject.key is not None:
            facts["key"] = subject.key
        for written, ball in self._estimated.items():
            facts[written] = tuple(n.network for n in self._around(architecture, ball))
        return architecture.network, facts

    def neighbors(self, architecture: Architecture, ball: Ball) -> list[tuple[str, Subject]]:
        """The neighbors of a center that belong to its measured neighborhood, by edit.

        The draw depends on the study's seed, the center's rank and the ball alone.
        """
        found = self._around(architecture, ball)
        return [(neighbor.edit, self.of_neighbor(neighbor)) for neighbor in found]

    def ball(self, architecture: Architecture, ball: Ball) -> list[tuple[str, Network]]:
        """The fingerprints and networks of the same neighbors."""
        return [(n.fingerprint, n.network) for n in self._around(architecture, ball)]

    def _around(self, architecture: Architecture, ball: Ball) -> Sequence[Neighbor]:
        if not ball.samples:
            return self._space.neighbors(architecture, ball.radius)
        seed = derive(self._seed, "neighbors", str(architecture.rank), ball.name)
        return self._space.sample_neighbors(architecture, ball.samples, seed, ball.radius)
