"""What the zero-cost proxies cost, in training steps of the same network and batch.

    python benchmarks/proxies.py [--threads 2] [--repeats 3]

A 15-cell NAS-Bench-201 network, batch 64 of 3x32x32, random images and labels. Steps (forward and
backward) and proxies take turns, so that both see the same machine; the ratio is that of the
medians. The thirteen are those of NAS-Bench-Suite-Zero; jacob_fro and hessian are priced
beside them. The target for the thirteen is six steps.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch
import torch.nn.functional as F

import nasdsl
from nasdsl.compiler import compile_network
from nasdsl.objectives.proxies.together import MEASURED, compute

STRONG = (
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|"
    "+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"
)
BESIDE = ("jacob_fro", "hessian")
THIRTEEN = tuple(name for name in MEASURED if name not in BESIDE)
GROUPS = {
    "the thirteen (params and flops are of the graph)": THIRTEEN,
    "grad_norm, snip, plain, fisher": ("grad_norm", "snip", "plain", "fisher"),
    "the thirteen without grasp": tuple(n for n in THIRTEEN if n != "grasp"),
    **{name: (name,) for name in ("grasp", "jacov", "nwot", "synflow", "zen", "jacob_fro")},
}


def main() -> None:
    """Measures and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--space", default="spaces/nasbench201.nas")
    parser.add_argument("--architecture", default=STRONG, help="rank or key")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", nargs="*", help="groups whose names begin with one of these")
    parser.add_argument("--hessian", action="store_true", help="price it too; it takes longest")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    network = nasdsl.load(given.space).find(given.architecture).network
    module = compile_network(network)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(64, 3, 32, 32, generator=generator)
    y = torch.randint(0, 10, (64,), generator=generator)

    def step() -> float:
        module.zero_grad()
        began = time.perf_counter()
        F.cross_entropy(module(x), y).backward()
        return time.perf_counter() - began

    def proxies(names: tuple[str, ...]) -> float:
        began = time.perf_counter()
        compute(module, x, y, names)
        return time.perf_counter() - began

    groups = dict(GROUPS) | ({"hessian": ("hessian",)} if given.hessian else {})
    if given.only:
        groups = {k: v for k, v in groups.items() if k.startswith(tuple(given.only))}
    step()
    print(f"{network.params:,} parameters, {given.threads} threads, median of {given.repeats}")
    print(f"{'proxies':<50}{'seconds':>9}{'step':>8}{'steps':>8}")
    for label, names in groups.items():
        proxies(names)
        steps, times = [], []
        for _ in range(given.repeats):
            steps.append(step())
            times.append(proxies(names))
            steps.append(step())
        seconds, one = statistics.median(times), statistics.median(steps)
        print(f"{label:<50}{seconds:>9.2f}{one:>8.2f}{seconds / one:>8.2f}", flush=True)


if __name__ == "__main__":
    main()
