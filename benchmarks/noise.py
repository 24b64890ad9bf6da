"""R_sigma: M perturbed copies in one batched pass against one after another.

    python -m benchmarks.noise [--copies 20] [--device cpu]

Prints one JSON object and a table; times are medians of interleaved pairs of one run.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time

import torch

import nasdsl
from benchmarks.population import cells, data_for
from nasdsl.compiler import compile_network
from nasdsl.objectives.weight_noise import noisy_weights
from nasdsl.training.loop import predict
from nasdsl.training.population_copies import predict_copies


class _With(torch.nn.Module):
    def __init__(self, module: torch.nn.Module, weights: dict[str, torch.Tensor]) -> None:
        super().__init__()
        self.module, self.weights = module, weights

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        output: torch.Tensor = torch.func.functional_call(self.module, self.weights, (x,))
        return output


def measure(side: int, copies: int, samples: int, pairs: int, device: str) -> dict[str, object]:
    space = nasdsl.load(cells(side, 8))
    module = compile_network(space.sample(1).network).to(device).eval()
    data = data_for(side, samples, device)
    weights = [noisy_weights(module, 0.05, 0, copy) for copy in range(copies)]
    x = data.validation.x

    def one_by_one() -> torch.Tensor:
        return torch.stack([predict(_With(module, w), data, x) for w in weights])

    def batched() -> torch.Tensor:
        return predict_copies(module, weights, data, x)

    difference = (one_by_one() - batched()).abs().max().item()
    # One thread's own time is not disturbed by other processes.
    clock = time.thread_time if device == "cpu" else time.perf_counter
    ratios = []
    for _ in range(pairs):
        seconds = []
        for run in (one_by_one, batched):
            began = clock()
            run()
            if device == "cuda":
                torch.cuda.synchronize()
            seconds.append(clock() - began)
        ratios.append(seconds[0] / seconds[1])
    return {
        "side": side,
        "copies": copies,
        "samples": samples,
        "gain": round(statistics.median(ratios), 3),
        "largest_difference": difference,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--copies", type=int, default=20)
    parser.add_argument("--samples", type=int, default=256)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--sides", type=int, nargs="+", default=[8, 16, 32])
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = [
        measure(side, options.copies, options.samples, options.pairs, options.device)
        for side in options.sides
    ]
    print(json.dumps({"benchmark": "noise", "device": options.device, "rows": rows}))
    print("| input | copies | one after another / batched | largest difference |")
    print("| --- | --- | --- | --- |")
    for row in rows:
        print(
            f"| {row['side']}x{row['side']} | {row['copies']} | {row['gain']} "
            f"| {row['largest_difference']:.1e} |"
        )


if __name__ == "__main__":
    main()
