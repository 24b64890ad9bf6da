"""A short run of the fuzzer; ``benchmarks/fuzz_language.py`` runs as long as one likes."""

from __future__ import annotations

import random

import pytest

from benchmarks import fuzz_language as fuzz


@pytest.mark.parametrize("seed", range(4))
def test_random_texts_are_told_or_taken(seed: int) -> None:
    for number in range(12):
        text = fuzz.random_text(random.Random(1000 * seed + number))
        with fuzz.limited(60):
            fuzz.hold(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\0",
        "# only a comment",
        "\ufeffspace a",
        "(" * 100_000,
        "network = " + "(" * 5_000 + "bn" + ")" * 5_000,
        "network = " + " >> ".join(["bn"] * 2_000),
        "let a = " + "-" * 5_000 + "1",
        "let a = 10^10^10^10",
        "input x[3] output y[3] network = relu * 10^12",
        "choice M(c) recursion 1000000 = | a = relu | b = M(c) >> M(c)\n"
        "input x[3]\noutput y[3]\nnetwork = M(3)",
        "input x[3]\r\noutput y[3]\r\nnetwork =\t'x'\r\n",
        'space 𝔘 "𝔘"\nlet é = 3\n',
        "\n" * 200_000,
        "let a = {" + ", ".join(map(str, range(3_000))) + "}",
    ],
    ids=lambda t: repr(t[:24]),
)
def test_hostile_texts_end_in_diagnostics_soon(text: str) -> None:
    with fuzz.limited(60):
        fuzz.hold(text)


def test_the_fuzzer_sees_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(text: str) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(fuzz, "hold", fails)
    assert fuzz.run(None, 3, 0, 5.0) == 3


def test_the_fuzzer_sees_a_text_that_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(text: str) -> None:
        while True:
            pass

    monkeypatch.setattr(fuzz, "hold", slow)
    assert fuzz.run(None, 1, 0, 0.05) == 1
