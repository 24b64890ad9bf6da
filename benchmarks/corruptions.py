"""Seconds for 15 corruptions x 5 severities of color images, here and by imagecorruptions-imaug.

    python benchmarks/corruptions.py [--images 1000] [--threads 1] [--theirs 20] [--device cpu]

The other package works image by image; it is timed on ``--theirs`` images, and its seconds are
scaled up to the same number. It is left out where it is not installed. Both take turns,
``--repeats`` times, and the least time of each counts, which other work on the machine disturbs
least. The last line is in seconds of processor time.
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np
import torch

from nasdsl.robustness.corruptions import SEVERITIES, STANDARD, corrupt


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--theirs", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(arguments.images, 3, 6, 6, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, (arguments.size,) * 2, mode="bicubic")
    images = (smooth.clamp(0, 1) * 255).to(torch.uint8).to(arguments.device)
    theirs = load()
    totals = [0.0, 0.0]
    processor = [0.0, 0.0]
    print(f"{'corruption':18} {'nasdsl s':>9} {'theirs s':>9} {'ratio':>7}")
    for name in STANDARD:
        rounds = [
            (
                *seconds_here(images, name),
                *(seconds_there(theirs, images, name, arguments.theirs) if theirs else (0.0, 0.0)),
            )
            for _ in range(arguments.repeats)
        ]
        ours, spent, other, others = (min(column) for column in zip(*rounds, strict=True))
        totals = [totals[0] + ours, totals[1] + other]
        processor = [processor[0] + spent, processor[1] + others]
        if theirs is None:
            print(f"{name:18} {ours:9.3f}", flush=True)
            continue
        print(f"{name:18} {ours:9.3f} {other:9.2f} {other / ours:7.1f}", flush=True)
    for word, (ours, other) in (("all", totals), ("all, processor", processor)):
        rest = f" {other:9.2f} {other / ours:7.1f}" if theirs is not None else ""
        print(f"{word:18} {ours:9.3f}{rest}")


def load():
    """The other package's function, where it is installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            from imagecorruptions import corrupt as other
        except ImportError:
            return None
    return other


def seconds_here(images: torch.Tensor, name: str) -> tuple[float, float]:
    for severity in SEVERITIES:  # tables are made once in a process
        corrupt(images[:2], name, severity)
    began, spent = time.perf_counter(), time.process_time()
    for severity in SEVERITIES:
        corrupt(images, name, severity)
    if images.is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - began, time.process_time() - spent


def seconds_there(theirs, images: torch.Tensor, name: str, count: int) -> tuple[float, float]:
    arrays = [image.permute(1, 2, 0).cpu().numpy() for image in images[:count]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for severity in SEVERITIES:  # compiled on the first call
            theirs(arrays[0], corruption_name=name, severity=severity)
        began, spent = time.perf_counter(), time.process_time()
        for severity in SEVERITIES:
            for array in arrays:
                np.uint8(theirs(array, corruption_name=name, severity=severity))
        wall, spent = time.perf_counter() - began, time.process_time() - spent
    scale = len(images) / len(arrays)
    return wall * scale, spent * scale


if __name__ == "__main__":
    main()
