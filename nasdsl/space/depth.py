"""How long the longest way through a graph of steps is, found without recursion."""

from __future__ import annotations

import sys

from nasdsl.space.residual import Step, below

DEEPEST = 2_000
"""Steps that may follow or enclose one another; every shipped space stays below 400."""

FRAMES = 5
"""Frames of Python that a walk needs for each of them, at most."""


def depth(root: Step) -> int:
    """The number of steps on the longest way from the root to a step without others inside."""
    found: dict[int, int] = {}
    stack: list[tuple[Step, bool]] = [(root, False)]
    while stack:
        step, ready = stack.pop()
        if id(step) in found:
            continue
        inside = below(step)
        if ready:
            found[id(step)] = 1 + max((found[id(s)] for s in inside), default=0)
        else:
            stack.append((step, True))
            stack.extend((s, False) for s in inside if id(s) not in found)
    return found[id(root)]


def make_room(levels: int) -> None:
    """Let Python recurse as deep as walks over so many levels go.

    The limit is only ever raised, and never beyond what a thread's usual stack holds.
    """
    wanted = 1_000 + FRAMES * min(levels, DEEPEST)
    if sys.getrecursionlimit() < wanted:
        sys.setrecursionlimit(wanted)
