"""What must agree between the reference and the compiler of spaces, for one program."""

from __future__ import annotations

import re
from typing import Any

from nasdsl.api import analyze
from nasdsl.diagnostics import Diagnostic, Source
from nasdsl.space import Architecture, Space
from nasdsl.space.bounds import size_bounds
from nasdsl.space.values import shown
from tests.space.reference.built import Built, TooMany
from tests.space.reference.interpreter import Reference


def compare(text: str, limit: int = 400) -> str:
    """Hold one program to the reference; returns what kind of program it was.

    ``fits`` (all architectures build), ``breaks`` (some do not), or ``large`` (not compared).
    """
    reference = Reference(text)
    try:
        built = list(reference.architectures(limit))
    except TooMany:
        return "large"
    found = analyze(Source("<text>", text))
    wrong = [b for b in built if b.wrong is not None]
    if found.errors:
        assert wrong, f"a false alarm: {[d.message for d in found.errors]}"
        for diagnostic in found.errors:
            assignment_fails(diagnostic, built)
        return "breaks"
    assert not wrong, f"a false 'ok': {wrong[0].wrong} with {wrong[0].decisions}"
    assert found.space is not None
    same_space(found.space, built)
    bounds(found.space, built)
    constrained(text, built)
    return "fits"


def constrained(text: str, built: list[Built]) -> None:
    """Counts and samples under a limit that about half of the architectures keep."""
    limit = sorted(b.params for b in built)[len(built) // 2]
    met = {frozenset(b.decisions.items()) for b in built if b.params <= limit}
    found = analyze(Source("<text>", f"{text}require params <= {limit}\n"))
    assert found.space is not None
    assert found.space.feasible == len(met)
    for seed in range(3):
        assert frozenset(found.space.sample(seed).decisions.items()) in met


def bounds(space: Space, built: list[Built]) -> None:
    """Extremes of costs are right where they are called exact, and bounds otherwise."""
    for bound, values in zip(
        size_bounds(space)[:2], ([b.params for b in built], [b.macs for b in built]), strict=True
    ):
        if bound.exact:
            assert (bound.low, bound.high) == (min(values), max(values))
        else:
            assert bound.low <= min(values)
            assert max(values) <= bound.high


def assignment_fails(diagnostic: Diagnostic, built: list[Built]) -> None:
    """Every architecture that has the values which a message names is wrong."""
    given = assignment(diagnostic)
    met = 0
    for one in built:
        if all(n not in one.decisions or shown(one.decisions[n]) == v for n, v in given.items()):
            known = {n for n in given if n in one.decisions}
            if len(known) < len(given) and one.wrong is None:
                continue
            assert one.wrong is not None, f"{given} is no mistake in {one.decisions}"
            met += 1
    assert met, f"no architecture has {given}"


def assignment(diagnostic: Diagnostic) -> dict[str, str]:
    """The values that a message says a mistake happens with."""
    for note in diagnostic.notes:
        if note.message.startswith("it happens with "):
            parts = re.split(r", (?![^{]*\})", note.message.removeprefix("it happens with "))
            found = (part.partition(" = ") for part in parts)
            return {name: value for name, _, value in found}
    return {}


def same_space(space: Space, built: list[Built]) -> None:
    """Count, decisions, ranks and networks of a space against the reference's."""
    assert space.size == len(built)
    expected = {frozenset(b.decisions.items()): b for b in built}
    assert len(expected) == len(built)
    before: Architecture | None = None
    for rank in range(space.size):
        made = space[rank]
        one = expected.pop(frozenset(made.decisions.items()))
        assert {n: type(v) for n, v in made.decisions.items()} == {
            n: type(v) for n, v in one.decisions.items()
        }
        assert space.rank(dict(made.decisions)) == rank
        assert space.architecture(one.decisions).decisions == made.decisions
        if before is not None:
            ascending(before, made, one)
        same_network(made, one)
        before = made
    assert not expected


def ascending(before: Architecture, after: Architecture, built: Built) -> None:
    """Ranks are lexicographic: the first decision that differs goes to a later value."""
    for (name, one), (other_name, other) in zip(
        before.decisions.items(), after.decisions.items(), strict=False
    ):
        assert name == other_name
        if one != other or isinstance(one, bool) != isinstance(other, bool):
            options = built.options[name]
            assert options.index(one) < options.index(other)
            return
    raise AssertionError("two ranks have the same decisions")


def same_network(made: Architecture, built: Built) -> None:
    """The operations as written, and the costs of the live network."""
    nodes, output = made.written
    place = {node.id: i for i, node in enumerate(nodes)}
    assert len(place) == len(nodes)

    def term(nodes: Any, at: int, memo: dict[int, Any]) -> Any:
        if at not in memo:
            name, settings, inputs, type_, params = nodes[at]
            below = tuple(term(nodes, i, memo) for i in inputs)
            memo[at] = hash((name, settings, type_, params, below))
        return memo[at]

    mine = [
        (n.op, tuple(n.settings.items()), tuple(place[i] for i in n.inputs), n.type, n.cost.params)
        for n in nodes
    ]
    theirs = [(o.name, o.settings, o.inputs, o.type, o.params) for o in built.written]
    assert sorted(m[0] for m in mine) == sorted(t[0] for t in theirs)
    memo_mine: dict[int, Any] = {}
    memo_theirs: dict[int, Any] = {}
    assert term(mine, place[output], memo_mine) == term(theirs, built.output, memo_theirs)
    every_mine = sorted(term(mine, i, memo_mine) for i in range(len(mine)))
    assert every_mine == sorted(term(theirs, i, memo_theirs) for i in range(len(theirs)))
    assert made.declared_params == built.declared_params
    assert made.params == built.params
    assert made.macs == built.macs
