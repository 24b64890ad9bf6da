"""Estimates of the mean over balls, one for each center, by what has been measured for them."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from functools import partial

from benchmarks.neighborhood_scratch import Ball, Scratch
from nasdsl.graph.constant import is_constant
from nasdsl.graph.network import Network
from nasdsl.objectives.neighborhood_estimates import Estimator, estimates, shrunk
from nasdsl.seeding import derive, generator
from nasdsl.space import Architecture
from nasdsl.study.predicted import Archive
from nasdsl.study.records import Subject


def constants(balls: Sequence[Ball], own: Mapping[str, float], chance: float) -> list[float]:
    """Neighbors of constant output guess; the others are as good as the center."""
    return [
        statistics.fmean(
            chance if is_constant(each.network) else own[center.fingerprint]
            for each in (center, *near)
        )
        for center, near in balls
    ]


def drawn(ball: Ball, trained: int) -> list[Architecture]:
    """The neighbors that are trained for a center, at random."""
    center, near = ball
    others = [n for n in near if n.fingerprint != center.fingerprint]
    return generator("trained", center.fingerprint).sample(others, trained)


def sampled(
    balls: Sequence[Ball], own: Mapping[str, float], others: Mapping[str, float], trained: int
) -> list[float]:
    """Means of the center and of some of its neighbors alone."""
    found = []
    for center, near in balls:
        mean = statistics.fmean(others[n.fingerprint] for n in drawn((center, near), trained))
        found.append((own[center.fingerprint] + len(near) * mean) / (1 + len(near)))
    return found


def filled(
    balls: Sequence[Ball],
    own: Mapping[str, float],
    others: Mapping[str, float],
    trained: int,
    later: bool,
) -> list[float]:
    """Means over balls of which a model fills in what is not trained.

    Args:
        balls: in the order of a run.
        own: accuracies of centers, by fingerprint.
        others: those of trained neighbors.
        trained: how many neighbors of each center are.
        later: the model learns from all centers; else from those up to the one in question.
    """
    networks: dict[str, Network] = {}
    known: list[tuple[Subject, float | None]] = []
    ends = []
    for center, near in balls:
        networks |= {each.fingerprint: each.network for each in (center, *near)}
        known.append((Subject(center.fingerprint), own[center.fingerprint]))
        known += [
            (Subject(n.fingerprint), others[n.fingerprint]) for n in drawn((center, near), trained)
        ]
        ends.append(len(known))
    archive = Archive(lambda subject: networks[subject.fingerprint])
    found = []
    for (center, near), end in zip(balls, ends, strict=True):
        mine = center.fingerprint
        ball = [(each.fingerprint, each.network) for each in near]
        values = archive.fill(known if later else known[:end], ball)
        same = [own[mine] if p == mine else v for (p, _), v in zip(ball, values, strict=True)]
        found.append(statistics.fmean(v for v in (own[mine], *same) if v is not None))
    return found


def shared(
    scratch: Scratch,
    balls: Sequence[Ball],
    own: Mapping[str, float],
    method: Estimator,
    price: float,
) -> list[float]:
    """Means of estimates with shared weights, kept after every center."""
    found = []
    for ball in balls:
        # By the rank: equal networks that differ in what is dead have other neighbors.
        name = f"rank {ball[0].rank}:{method}:{price:g}"
        mine = own[ball[0].fingerprint]
        estimate = partial(_shared, scratch, ball, mine, method, price)
        found.append(scratch.kept.get(name, estimate))
        scratch.kept.save()
    return found


def _shared(scratch: Scratch, ball: Ball, own: float, method: Estimator, price: float) -> float:
    center, near = ball
    networks = [n.network for n in near]
    values = estimates(
        center.network,
        networks,
        scratch.center(center),
        scratch.data,
        scratch.setting.train,
        derive(0, "estimate", center.fingerprint),
        method,
        price,
    )
    return statistics.fmean([own, *shrunk(own, networks, values)])
