"""Compiling a NAS-Bench-201 network against constructing the same network by hand.

    python -m benchmarks.build

Pairs are interleaved, in alternating order, over random cells (3 x 5 cells, C = 16). The
network of an architecture is given; how long the first call takes longer than the second,
which generates the code, is measured beside it.
"""

from __future__ import annotations

import statistics
from functools import partial
from pathlib import Path

import click
import torch

import nasdsl
from benchmarks import by_hand
from benchmarks.ratios import report, seconds, summary
from nasdsl.compiler import CompiledNetwork, compile_network

SPACE = Path(__file__).parents[1] / "spaces" / "nasbench201.nas"


def pairs_of(pairs: int) -> tuple[list[float], list[float], list[float]]:
    """Seconds of compiling, of constructing by hand, and of generating the code, for each cell."""
    cells = nasdsl.load(SPACE).samples(pairs, seed="build")
    for warm in cells[:3]:
        compile_network(warm.network)
        by_hand.network(str(warm.key))
    compiled, hand, code = [], [], []
    for at, cell in enumerate(cells):
        network, key = cell.network, str(cell.key)
        ours, theirs = partial(compile_network, network), partial(by_hand.network, key)
        if at % 2:
            b, a = seconds(theirs), seconds(ours)
        else:
            a, b = seconds(ours), seconds(theirs)
        module = compile_network(network)
        assert isinstance(module, CompiledNetwork)
        code.append(seconds(module.settle))
        compiled.append(a)
        hand.append(b)
    return compiled, hand, code


@click.command()
@click.option("--pairs", default=100, show_default=True)
@click.option("--threads", default=1, show_default=True)
def main(pairs: int, threads: int) -> None:
    torch.set_num_threads(threads)
    compiled, hand, code = pairs_of(pairs)
    milliseconds = {
        "compiled_ms": 1e3 * statistics.median(compiled),
        "by_hand_ms": 1e3 * statistics.median(hand),
        "code_at_first_call_ms": 1e3 * statistics.median(code),
    }
    report("build", milliseconds, summary([a / b for a, b in zip(compiled, hand, strict=True)]))
    whole = [(a + c) / b for a, b, c in zip(compiled, hand, code, strict=True)]
    report("build and code", milliseconds, summary(whole))


if __name__ == "__main__":
    main()
