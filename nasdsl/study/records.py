"""The facts of a study as frozen records, and the trial table made of them.

Three kinds of facts are stored. A *trial* is one trained network. A *center* is one proposal of
the searcher; its network is trained in a trial, its own or an earlier one of equal fingerprint.
A *link* says that a network is a neighbor of a center, and in which trial it was trained. The
trial table (:func:`table`) joins the three; nothing in it is stored twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

State = Literal["queued", "running", "complete", "failed"]
ENDED: tuple[State, ...] = ("complete", "failed")


@dataclass(frozen=True, slots=True)
class Subject:
    """The architecture that a fact is about.

    Attributes:
        fingerprint: of its network, in hexadecimal digits.
        rank: its rank, ``None`` outside the space.
        decisions: its decisions by name, ``None`` outside the space.
        key: its name in a published benchmark, where the space declares one.
        network: its graph as plain data, outside the space only.
    """

    fingerprint: str
    rank: int | None = None
    decisions: Mapping[str, Any] | None = None
    key: str | None = None
    network: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """What a trial or a center came to.

    ``values`` are finite numbers by the name of the objective, ``spreads`` their spreads where
    a metric has one.
    """

    state: State = "queued"
    reason: str | None = None
    values: Mapping[str, float] = field(default_factory=dict)
    spreads: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TrialFact:
    """One network that is trained, and for whom: a center itself, or its neighbor by ``edit``."""

    number: int
    subject: Subject
    seed: int
    center: int
    edit: str | None = None
    measured: Measured = Measured()
    timing: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CenterFact:
    """One proposal: its position among the proposals, and the draw that gave it."""

    position: int
    draw: int
    subject: Subject
    trial: int
    measured: Measured = Measured()


@dataclass(frozen=True, slots=True)
class LinkFact:
    """One neighbor of a center. ``trial`` is ``None`` while the budget has no room for it.

    ``ball`` names the neighborhood (``samples=6 radius=1``), since a center may have several.
    """

    center: int
    ball: str
    position: int
    edit: str
    subject: Subject
    trial: int | None


@dataclass(frozen=True, slots=True)
class Trial:
    """One row of the trial table, in the order of the proposals.

    Attributes:
        number: counted from 0.
        role: ``center`` where the searcher proposed the network, else ``neighbor``.
        center: number of the trial of the center for which a neighbor was trained.
        edit: the edit that led from that center to this neighbor.
        objectives: finite values by name: those of the network, and a center's aggregates.
        spreads: spreads of the objectives that have one.
        neighbors: of a center: its neighbors as ``{"ball", "edit", "rank", "trial"}``.
        timing: attempt, time stamps (UTC) and seconds; the only part that may differ between
            two runs of one study.
    """

    number: int
    fingerprint: str
    seed: int
    rank: int | None = None
    decisions: Mapping[str, Any] | None = None
    key: str | None = None
    network: Mapping[str, Any] | None = None
    role: Literal["center", "neighbor"] = "center"
    center: int | None = None
    edit: str | None = None
    state: State = "queued"
    reason: str | None = None
    objectives: Mapping[str, float] = field(default_factory=dict)
    spreads: Mapping[str, float] = field(default_factory=dict)
    neighbors: tuple[Mapping[str, Any], ...] = ()
    timing: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The row as ``nasdsl trials --json`` prints it."""
        return {
            "number": self.number,
            "rank": self.rank,
            "decisions": None if self.decisions is None else dict(self.decisions),
            "key": self.key,
            "fingerprint": self.fingerprint,
            "role": self.role,
            "center": self.center,
            "edit": self.edit,
            "state": self.state,
            "reason": self.reason,
            "objectives": dict(self.objectives),
            "spreads": dict(self.spreads),
            "neighbors": [dict(n) for n in self.neighbors],
            "network": self.network,
            "seed": self.seed,
            "timing": dict(self.timing),
        }


def table(
    trials: Iterable[TrialFact], centers: Iterable[CenterFact], links: Iterable[LinkFact]
) -> list[Trial]:
    """The trial table, by number.

    A network that was trained as a neighbor and proposed later is shown as the center it
    became, with the rank and the decisions of the proposal.
    """
    by_position = {center.position: center for center in centers}
    by_trial = {center.trial: center for center in by_position.values()}
    neighbors: dict[int, list[Mapping[str, Any]]] = {}
    for link in sorted(links, key=lambda k: (k.center, k.ball, k.position)):
        neighbors.setdefault(link.center, []).append(
            {
                "ball": link.ball,
                "edit": link.edit,
                "rank": link.subject.rank,
                "fingerprint": link.subject.fingerprint,
                "trial": link.trial,
            }
        )
    trials = list(trials)
    states = {fact.number: fact.measured.state for fact in trials}
    rows = []
    for fact in sorted(trials, key=lambda t: t.number):
        center = by_trial.get(fact.number)
        subject = fact.subject if center is None else center.subject
        measured = fact.measured
        if center is not None:
            ball = neighbors.get(center.position, ())
            at_work = any(states.get(n["trial"]) == "running" for n in ball)
            measured = _joined(measured, center.measured, "running" if at_work else "queued")
        rows.append(
            Trial(
                fact.number,
                subject.fingerprint,
                fact.seed,
                subject.rank,
                subject.decisions,
                subject.key,
                subject.network,
                "neighbor" if center is None else "center",
                by_position[fact.center].trial if center is None else None,
                fact.edit if center is None else None,
                measured.state,
                measured.reason,
                measured.values,
                measured.spreads,
                () if center is None else tuple(neighbors.get(center.position, ())),
                fact.timing,
            )
        )
    return rows


def _joined(trial: Measured, center: Measured, waiting: State) -> Measured:
    """A center's row: its trial's values and its own, failed where either is.

    While it waits for its neighbors its state is ``waiting``.
    """
    values = {**trial.values, **center.values}
    spreads = {**trial.spreads, **center.spreads}
    if trial.state != "complete":
        return Measured(trial.state, trial.reason, values, spreads)
    return Measured(
        center.state if center.state in ENDED else waiting, center.reason, values, spreads
    )
