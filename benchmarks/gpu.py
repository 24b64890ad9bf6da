"""What the compiler is worth on a CUDA device, in one table and a few minutes.

    python -m benchmarks.gpu [--device cuda] [--quick]

Building, training steps, steps as CUDA graphs, populations, noisy copies and neighborhoods: the
same code as the benchmarks of their own, with a CPU as well (``--device cpu``). Needs
torch >= 2.6, numpy, networkx, lark, click and rich, and no data. What would go on beyond the time
limit is left out, and the table says so.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import click
import torch
from rich.console import Console
from rich.table import Table

import nasdsl
from benchmarks import build, noise, population, step
from benchmarks.ratios import seconds, summary
from nasdsl.compiler import compile_network
from nasdsl.objectives.neighborhood_estimates import estimates
from nasdsl.training.loop import train
from nasdsl.training.settings import Sgd, TrainSettings
from nasdsl.training.together import train_networks

MEMORY = 1 << 33
"""Bytes that networks trained at once may take; asking for what is free needs another library."""

Row = tuple[str, str, str]
Part = Callable[[str, bool], Iterator[Row]]


def built(device: str, quick: bool) -> Iterator[Row]:
    """Compiling by constructing by hand; on the CPU whatever the device."""
    compiled, hand, code = build.pairs_of(3 if quick else 60)
    without = summary([a / b for a, b in zip(compiled, hand, strict=True)])
    whole = summary([(a + c) / b for a, b, c in zip(compiled, hand, code, strict=True)])
    yield "build", "compiled / by hand", _interval(without)
    yield "build", "the same with its code", _interval(whole)


def stepped(device: str, quick: bool) -> Iterator[Row]:
    """Steps of compiled networks by those of networks written by hand."""
    cells, pairs, repeats, batch = (2, 1, 1, 4) if quick else (50, 5, 5, 64)
    ratios, clean = step.ratios_of(cells, pairs, repeats, batch, torch.device(device))
    yield "step", "compiled / by hand", _interval(summary(ratios))
    if len(clean) > 1:
        yield "step", "the same, nothing dead", _interval(summary(clean))


def replayed(device: str, quick: bool) -> Iterator[Row]:
    """Training steps one kernel after another by those replayed as one CUDA graph.

    On a CPU, where the setting has no effect, both are the same steps.
    """
    for bf16 in (False, True) if device == "cuda" else (False,):
        for side in (8,) if quick else (8, 32):
            ratios = step.replay_ratios(
                side, 8 if quick else 64, 1 if quick else 5, torch.device(device), bf16
            )
            case = f"{side}x{side}, one by one / replayed{', bf16' if bf16 else ''}"
            yield "graph", case, _interval(summary(ratios))


def populated(device: str, quick: bool) -> Iterator[Row]:
    """Networks trained at once by one after another."""
    for side in (8,) if quick else (8, 16, 32):
        for members in (1, 3) if quick else (1, 4, 8, 25):
            row = population.measure(side, members, 8 if quick else 128, 1 if quick else 5, device)
            gains = f"{row['gain_auto']:.2f} fused where it pays, {row['gain_all']:.2f} everywhere"
            yield "population", f"{side}x{side}, K = {members}", f"{gains}; taken: {row['chosen']}"


def shaken(device: str, quick: bool) -> Iterator[Row]:
    """Copies with noise in one pass by one after another."""
    for side in (8,) if quick else (8, 16, 32):
        row = noise.measure(
            side, 3 if quick else 20, 16 if quick else 256, 1 if quick else 5, device
        )
        told = f"{row['gain']:.2f} times as fast, difference {row['largest_difference']:.0e}"
        yield "noise", f"{side}x{side}, M = {row['copies']}", told


def surrounded(device: str, quick: bool) -> Iterator[Row]:
    """What a ball costs by what its center costs; random images, so no accuracies are told."""
    settings = TrainSettings(
        steps=4 if quick else 120, batch=8 if quick else 64, optimizer=Sgd(0.1)
    )
    data = population.data_for(8, 32 if quick else 512, device)
    space = nasdsl.load(population.cells(8, 8))
    center = space.sample(5)
    near = [n.network for n in space.neighbors(center)][: 3 if quick else 24]
    module = compile_network(center.network).to(device)
    where = torch.device(device)
    own = seconds(lambda: train(module, data, settings, 0, device), where)
    yield "neighborhood", "center", f"{own:.2f} s"
    for method in ("shared", "inherit"):
        run = partial(estimates, center.network, near, module, data, settings, 0, method)
        taken = seconds(run, where)
        yield "neighborhood", f"{len(near)} neighbors, {method}", f"{taken / own:.1f} centers"
    for at_once in (True, False):
        options: dict[str, Any] = {"device": device, "memory": MEMORY, "together": at_once}
        taken = seconds(partial(train_networks, near, data, settings, 0, **options), where)
        how = "at once" if at_once else "one by one"
        yield "neighborhood", f"{len(near)} trained {how}", f"{taken / own:.1f} centers"


PARTS: tuple[tuple[str, Part], ...] = (
    ("build", built),
    ("step", stepped),
    ("graph", replayed),
    ("population", populated),
    ("noise", shaken),
    ("neighborhood", surrounded),
)


def measured(device: str, quick: bool, minutes: float) -> list[Row]:
    """The rows of all parts; a part that begins after the limit is told to be left out."""
    began = time.perf_counter()
    rows: list[Row] = []
    for name, part in PARTS:
        for row in part(device, quick):
            rows.append(row)
            if time.perf_counter() - began > 60 * minutes:
                break
        if time.perf_counter() - began > 60 * minutes:
            rows.append((name, "beyond the time limit", "the rest was left out"))
            break
    return rows


def _interval(ratios: dict[str, float]) -> str:
    low, high = ratios["median_low"], ratios["median_high"]
    return f"{ratios['median']:.2f} (95 %: {low:.2f}-{high:.2f}; {ratios['pairs']} pairs)"


@click.command(help=__doc__.splitlines()[0])
@click.option("--device", default="cuda", type=click.Choice(["cpu", "cuda"]), show_default=True)
@click.option("--quick", is_flag=True, help="Few and small: whether it works, not how fast.")
@click.option("--minutes", default=7.5, show_default=True, help="Time limit.")
@click.option("--threads", default=1, show_default=True)
def main(device: str, quick: bool, minutes: float, threads: int) -> None:
    if device == "cuda" and not torch.cuda.is_available():
        raise click.ClickException("there is no CUDA device here; --device cpu runs the same code")
    torch.set_num_threads(threads)
    began = time.perf_counter()
    rows = measured(device, quick, minutes)
    name = torch.cuda.get_device_name() if device == "cuda" else "CPU"
    facts = {"benchmark": "gpu", "device": name, "torch": torch.__version__, "quick": quick}
    print(json.dumps({**facts, "seconds": round(time.perf_counter() - began, 1), "rows": rows}))
    table = Table("benchmark", "case", "measured", title=f"{name}, torch {torch.__version__}")
    for row in rows:
        table.add_row(*row)
    Console().print(table)


if __name__ == "__main__":
    main()
