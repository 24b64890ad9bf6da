"""A training step of a compiled NAS-Bench-201 network against that of one written by hand.

    python -m benchmarks.step

Forward, backward and SGD on a batch of 64 images of 3 x 32 x 32, eager. Pairs are interleaved in
alternating order; the ratio of a cell is that of the medians of its steps. Cells with operations
that nothing reads gain, since the compiler leaves them out: the distribution is shown for all
cells, and for those without such operations alone.
"""

from __future__ import annotations

import statistics
from functools import partial
from pathlib import Path
from typing import Any

import click
import torch
from torch import Tensor, nn

import nasdsl
from benchmarks import by_hand, population
from benchmarks.ratios import report, seconds, summary
from nasdsl.compiler import compile_network
from nasdsl.training.settings import TrainSettings
from nasdsl.training.steps import Steps, steps_for

SPACE = Path(__file__).parents[1] / "spaces" / "nasbench201.nas"


def steps(model: nn.Module, x: Tensor, y: Tensor) -> Any:
    optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(nn.functional.cross_entropy(model(x), y))
        optimizer.step()

    return step


def ratios_of(
    cells: int, pairs: int, repeats: int, batch: int, where: torch.device
) -> tuple[list[float], list[float]]:
    """Ratios of medians for each cell, and those of the cells without dead operations."""
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(batch, 3, 32, 32, generator=draw).to(where)
    y = torch.randint(0, 10, (batch,), generator=draw).to(where)
    nets = nasdsl.load(SPACE, {"N": str(repeats)})
    ratios, clean = [], []
    for architecture in nets.samples(cells, seed="step"):
        hand = by_hand.network(str(architecture.key), 16, repeats).to(where)
        compiled = compile_network(architecture.network).to(where)
        ours, theirs = steps(compiled, x, y), steps(hand, x, y)
        ours(), theirs()
        mine: list[float] = []
        other: list[float] = []
        for at in range(pairs):
            order = [(ours, mine), (theirs, other)]
            for step, times in order if at % 2 else order[::-1]:
                times.append(seconds(step, where))
        ratio = statistics.median(mine) / statistics.median(other)
        ratios.append(ratio)
        if sum(p.numel() for p in hand.parameters()) == architecture.params:
            clean.append(ratio)
    return ratios, clean


def replay_ratios(
    side: int, batch: int, cells: int, where: torch.device, bf16: bool = False
) -> list[float]:
    """Seconds of steps one kernel after another by those of steps replayed as a CUDA graph.

    One ratio for each of three blocks of ten steps of each random network of two cells, after
    the capture; blocks of both take turns.
    """
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(batch, 1, side, side, generator=draw).to(where)
    y = torch.randint(0, 10, (batch,), generator=draw).to(where)
    ratios = []
    for architecture in nasdsl.load(population.cells(side, 16)).samples(cells, seed="graph"):
        runs = []
        for graph in (False, True):
            module = compile_network(architecture.network).to(where)
            settings = TrainSettings(cuda_graph=graph, bf16=bf16)
            parameters = [p for p in module.parameters() if p.requires_grad]
            step = steps_for(module, parameters, settings, where)
            runs.append(partial(_ten, step, x, y))
        for run in runs:
            run()  # the capture is in these
        for _ in range(3):
            one, other = (seconds(run, where) for run in runs)
            ratios.append(one / other)
    return ratios


def _ten(step: Steps, x: Tensor, y: Tensor) -> None:
    for _ in range(10):
        step(x, y, 0.01, _no_noise)


def _no_noise() -> None:
    """The networks draw nothing at random."""


@click.command()
@click.option("--cells", default=50, show_default=True, help="Random cells.")
@click.option("--pairs", default=5, show_default=True, help="Pairs of steps for each cell.")
@click.option("--repeats", default=5, show_default=True, help="Cells in a stage.")
@click.option("--batch", default=64, show_default=True)
@click.option("--threads", default=1, show_default=True)
@click.option("--device", default="cpu", type=click.Choice(["cpu", "cuda"]), show_default=True)
def main(cells: int, pairs: int, repeats: int, batch: int, threads: int, device: str) -> None:
    torch.set_num_threads(threads)
    ratios, clean = ratios_of(cells, pairs, repeats, batch, torch.device(device))
    facts = {"device": device, "batch": batch, "cells_in_stage": repeats, "pairs_of_steps": pairs}
    report(f"step, {device}", facts, summary(ratios))
    if len(clean) > 1:
        report(f"step, {device}, nothing dead", facts, summary(clean))


if __name__ == "__main__":
    main()
