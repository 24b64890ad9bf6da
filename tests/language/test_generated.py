"""Ten thousand programs: formatting, checking and round trips hold for each of them.

A longer run: ``NASDSL_PROGRAMS=1000000 pytest --no-cov tests/language/test_generated.py``.
"""

from __future__ import annotations

import os
import random

import pytest

from benchmarks.fuzz_language import derive_text, hold_analysis, hold_format, same
from nasdsl.api import analyze
from nasdsl.diagnostics import Source
from nasdsl.language.format import format_text
from nasdsl.language.parser import parse
from tests.space.programs import Drawn

PROGRAMS = int(os.environ.get("NASDSL_PROGRAMS", 10_000))
PARTS = 20


def program(seed: int) -> tuple[str, bool]:
    """The text of a seed, and whether it is one that should have a space.

    Seven of eight are sentences of the grammar, of whatever it holds and in any layout; the eighth
    declares a space.
    """
    draw = random.Random(seed)
    if seed % 8:
        return derive_text(draw, 1 + seed % 2), False
    return Drawn(draw).small(), True


def round_trip(text: str, seed: int) -> bool:
    """Ranks and decisions lead to each other and back; whether the program has a space."""
    space = analyze(Source("<text>", text)).space
    if space is None:
        return False
    for rank in {0, space.size - 1, random.Random(seed).randrange(space.size)}:
        architecture = space[rank]
        assert architecture.rank == rank
        assert space.rank(dict(architecture.decisions)) == rank
        assert space.architecture(architecture.decisions) == architecture
    return True


@pytest.mark.no_cover  # Other tests cover the same lines; tracing would double the time.
@pytest.mark.parametrize("part", range(PARTS))
def test_formatting_checking_and_round_trips_hold(part: int) -> None:
    sound = spaces = 0
    for seed in range(PROGRAMS * part // PARTS, PROGRAMS * (part + 1) // PARTS):
        text, declares = program(seed)
        try:
            hold_format(text)
            hold_analysis(text)
            if declares:
                spaces += 1
                sound += round_trip(text, seed)
        except Exception as error:  # whatever is raised is told with its program
            raise AssertionError(f"seed {seed}:\n{text}") from error
    if spaces >= 50:  # The programs are not all refused, which would hold of nothing.
        assert sound > 0.7 * spaces


def test_a_change_of_meaning_is_seen() -> None:
    """What the test above compares differs for texts that differ in one word."""
    for seed in range(0, 320, 8):
        text, _ = program(seed)
        tree = parse(Source("<text>", text)).statements
        assert same(tree, parse(Source("<text>", format_text(text))).statements)
        other = text.replace("linear(3)", "linear(4)")
        assert not same(tree, parse(Source("<text>", other)).statements)
