"""The neighborhood of an architecture: what the edit rules of its space make of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from nasdsl.diagnostics import DiagnosticError
from nasdsl.graph.network import Network
from nasdsl.neighborhood.complete import complete
from nasdsl.neighborhood.extent import extent
from nasdsl.neighborhood.reading import EditRule, RuleLike, compile_rules
from nasdsl.neighborhood.rewrite import Rewrite
from nasdsl.neighborhood.rules import (
    Decisions,
)
from nasdsl.neighborhood.sites import Site, sites
from nasdsl.seeding import generator
from nasdsl.space.architecture import Architecture
from nasdsl.space.bounds import Bounds
from nasdsl.space.constraints import Constraints
from nasdsl.space.outside import Outside
from nasdsl.space.space import Space
from nasdsl.space.values import EvaluationError

Subject = Architecture | Outside


@dataclass(frozen=True, eq=False)
class Neighbor:
    """A neighbor: the edit that leads to it, and where.

    Outside the declared space ``rank``, ``decisions`` and ``architecture`` are ``None``.
    ``steps`` counts edits.
    """

    edit: str
    subject: Subject
    center: Subject
    place: str
    weight: float = 1.0
    steps: int = 1

    @cached_property
    def changed(self) -> tuple[dict[str, Any], ...]:
        """What is different from the center: ``{"decision", "from", "to"}`` each.

        A decision that came alive or died has ``None`` on one side, and for a graph rewrite
        ``decision`` is the place of the operation.
        """
        return difference(self.center, self.subject, self.place)

    @property
    def architecture(self) -> Architecture | None:
        """The architecture, in the space."""
        return self.subject if isinstance(self.subject, Architecture) else None

    @property
    def rank(self) -> int | None:
        """The rank in the space."""
        return self.subject.rank

    @property
    def decisions(self) -> Decisions | None:
        """The neighbor's decisions, in the space."""
        return None if self.architecture is None else self.architecture.decisions

    @property
    def network(self) -> Network:
        """The neighbor's live network."""
        return self.subject.network

    @property
    def fingerprint(self) -> str:
        """The neighbor's fingerprint."""
        return self.subject.fingerprint

    def to_json(self) -> dict[str, Any]:
        """The neighbor as plain data."""
        return {
            "edit": self.edit,
            "rank": self.rank,
            "fingerprint": self.fingerprint,
            "changed": list(self.changed),
        }


class Candidate(NamedTuple):
    """What one edit makes at one place, before it is known whether it counts as a neighbor.

    ``place`` is the decision or operation; ``filled`` are the decisions that the edit did not
    name and that had to be given a value.
    """

    edit: EditRule
    place: str
    subject: Subject
    filled: tuple[str, ...] = ()
    to: Any = None


@dataclass(frozen=True)
class Verdict:
    """A candidate with what became of it: ``neighbor``, or why it is none."""

    candidate: Candidate
    verdict: str


class Neighborhood:
    """The edit rules of a space."""

    def __init__(self, space: Space):
        self.space = space
        self.constraints = Constraints(space.program)
        self.rules, problems, self.radius = compile_rules(space.program)
        errors = [p for p in problems if p.severity == "error"]
        if errors:
            raise DiagnosticError(errors)

    def candidates(self, center: Subject) -> Iterator[Candidate]:
        """What the edits make of a network, repeated and infeasible results included."""
        here = sites(center) if isinstance(center, Architecture) else []
        for edit in self.rules:
            yield from self._edited(edit, edit.rules, center, here, "")

    def _edited(
        self,
        edit: EditRule,
        rules: tuple[RuleLike | Rewrite, ...],
        center: Subject,
        here: list[Site],
        place: str,
    ) -> Iterator[Candidate]:
        rule = rules[0]
        if isinstance(rule, Rewrite):
            for node, network in rule.apply(center.network):
                if edit.at_node(node.id):
                    made: Subject = Outside(self.space, network)
                    yield from self._next(edit, rules, made, place or node.id, ())
            return
        if not isinstance(center, Architecture):
            return
        for site, changed in rule.apply(center.decisions, here):
            if edit.here(site):
                made = complete(self.space, changed, center)
                filled: tuple[str, ...] = ()
                if made.decisions is not changed:
                    filled = tuple([n for n in made.decisions if n not in changed])
                yield from self._next(edit, rules, made, place or site.name, filled)

    def _next(
        self,
        edit: EditRule,
        rules: tuple[RuleLike | Rewrite, ...],
        made: Subject,
        place: str,
        filled: tuple[str, ...],
    ) -> Iterator[Candidate]:
        if len(rules) == 1:
            yield Candidate(edit, place, made, filled)
        else:
            inner = sites(made) if isinstance(made, Architecture) else []
            yield from self._edited(edit, rules[1:], made, inner, place)

    def explain(self, center: Subject) -> list[Verdict]:
        """Every candidate of one edit, with the reason where it is no neighbor."""
        seen: dict[Any, str] = {_identity(center): "the center itself"}
        found = []
        for candidate in self.candidates(center):
            key = _identity(candidate.subject)
            if key in seen:
                verdict = (
                    f"the same as {seen[key]}" if seen[key] != "the center itself" else seen[key]
                )
            else:
                verdict = self.refused(candidate.edit, candidate.subject) or "neighbor"
                if verdict == "neighbor":
                    seen[key] = f"{candidate.edit.name} at {candidate.place}"
            found.append(Verdict(candidate, verdict))
        return found

    def of(self, center: Subject, radius: int | None = None) -> list[Neighbor]:
        """All neighbors: feasible, different from the center, each once, in a fixed order.

        With a radius above 1 the whole ball, nearest first; a neighbor is listed under the
        first edit that leads to it.
        """
        reach = self.radius if radius is None else radius
        seen = {_identity(center)}
        found: list[Neighbor] = []
        bound = bool(self.constraints.conditions)
        shell = [(center, "", 1.0, "")]
        for steps in range(1, reach + 1):
            following = []
            for at, trail, weight, first in shell:
                for edit, where, made, _, _ in self.candidates(at):
                    key = _identity(made)
                    if key in seen:
                        continue
                    if (bound or edit.where is not None) and self.refused(edit, made):
                        continue
                    seen.add(key)
                    name = f"{trail} then {edit.name}" if trail else edit.name
                    place = first or where
                    following.append((made, name, weight * edit.weight, place))
                    found.append(Neighbor(name, made, center, place, weight * edit.weight, steps))
            shell = following
        return found

    def extent(self) -> Bounds:
        """The least and greatest number of neighbors over the space."""
        return extent(self)

    def refused(self, edit: EditRule, made: Subject) -> str:
        """Why something made by an edit is no neighbor; empty if it is one."""
        try:
            if edit.where is not None and not self.constraints.test(edit.where, made):
                return f"not {' '.join(edit.where.span.text.split())}"
            for require in self.constraints.conditions:
                if not self.constraints.test(require.condition, made):
                    return f"infeasible: not {' '.join(require.condition.span.text.split())}"
        except EvaluationError as error:
            raise DiagnosticError([error.diagnostic]) from None
        return ""

    def sample(
        self, center: Subject, number_of: int, seed: Any, radius: int | None = None
    ) -> list[Neighbor]:
        """Different neighbors drawn by the weights of their edits; all where there are fewer."""
        everyone = self.of(center, radius)
        if number_of >= len(everyone):
            return everyone
        draw = generator("neighbors", self.space.name, str(_identity(center)), seed)
        # Sequential weighted sampling without replacement by exponential keys (Efraimidis and
        # Spirakis, 2006): the draw with the largest u^(1/w) comes first.
        keyed = sorted(
            ((draw.random() ** (1.0 / n.weight) if n.weight > 0 else -1.0), i)
            for i, n in enumerate(everyone)
        )
        chosen = sorted(i for _, i in keyed[-number_of:])
        return [everyone[i] for i in chosen]


def _identity(subject: Subject) -> Any:
    return subject.rank if isinstance(subject, Architecture) else subject.fingerprint


def difference(a: Subject, b: Subject, place: str = "") -> tuple[dict[str, Any], ...]:
    """What is decided differently, in the order of both; for graphs, the place."""
    if not isinstance(a, Architecture) or not isinstance(b, Architecture):
        before = [n.op for n in a.network.nodes if n.id not in b.network.by_id]
        after = [n.op for n in b.network.nodes if n.id not in a.network.by_id]
        return ({"decision": place, "from": " >> ".join(before), "to": " >> ".join(after)},)
    out = []
    for name in dict.fromkeys((*a.decisions, *b.decisions)):
        old, new = a.decisions.get(name), b.decisions.get(name)
        if old != new or (name in a.decisions) != (name in b.decisions):
            out.append({"decision": name, "from": _plain(old), "to": _plain(new)})
    return tuple(out)


def _plain(value: Any) -> Any:
    return [_plain(v) for v in value] if isinstance(value, tuple) else value
