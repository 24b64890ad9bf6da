"""Ratios of paired timings: their distribution, and how sure the median is."""

from __future__ import annotations

import json
import platform
import statistics
from collections.abc import Callable, Sequence
from time import perf_counter, thread_time
from typing import Any

import torch

from nasdsl.seeding import generator


def seconds(run: Callable[[], object], device: torch.device | None = None) -> float:
    """The time of one call, work on the device included.

    Where one thread of the CPU does all the work, that is the time that the thread had, which
    other processes do not disturb.
    """
    if (device is None or device.type == "cpu") and torch.get_num_threads() == 1:
        start = thread_time()
        run()
        return thread_time() - start
    if device is not None and device.type == "cuda":
        torch.cuda.synchronize(device)
    start = perf_counter()
    run()
    if device is not None and device.type == "cuda":
        torch.cuda.synchronize(device)
    return perf_counter() - start


def summary(ratios: Sequence[float]) -> dict[str, float]:
    """Median with a 95 % bootstrap interval, quartiles and extremes."""
    draw = generator("bootstrap", len(ratios))
    medians = sorted(statistics.median(draw.choices(ratios, k=len(ratios))) for _ in range(2000))
    low, _, high = statistics.quantiles(ratios, n=4)
    return {
        "median": statistics.median(ratios),
        "median_low": medians[50],
        "median_high": medians[1949],
        "quartile_low": low,
        "quartile_high": high,
        "least": min(ratios),
        "greatest": max(ratios),
        "pairs": len(ratios),
    }


def report(name: str, measured: dict[str, Any], ratios: dict[str, float]) -> None:
    """One JSON object, then a line for the table of results."""
    machine = {
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "machine": platform.machine(),
    }
    print(json.dumps({"benchmark": name, **machine, **measured, "ratio": ratios}))
    print(
        f"| {name} | {ratios['median']:.2f} | {ratios['median_low']:.2f}-{ratios['median_high']:.2f} "
        f"| {ratios['quartile_low']:.2f}-{ratios['quartile_high']:.2f} "
        f"| {ratios['least']:.2f}-{ratios['greatest']:.2f} | {ratios['pairs']} |"
    )
