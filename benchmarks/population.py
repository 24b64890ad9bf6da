"""Training steps of K networks at once against one at a time.

    python -m benchmarks.population [--device cpu] [--members 1 4 8 25] [--sides 8 16 32]

K members are a NAS-Bench-201 cell network and random ones of its neighbors. ``auto`` fuses as many
at once as the caches hold where that is faster as a whole, and else nothing: which of both, and how
many of its calls it fused, stands last. ``all`` fuses wherever it is possible. Times are medians of
interleaved runs of one process, and on one thread the time that the thread had.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time

import torch

import nasdsl
from nasdsl.compiler import compile_network
from nasdsl.compiler.population import compile_population
from nasdsl.training import task
from nasdsl.training.data.dataset import Dataset, Split
from nasdsl.training.data.dataset import statistics as image_statistics
from nasdsl.training.population import member_losses


def cells(side: int, channels: int, inputs: int = 1) -> str:
    """Two NAS-Bench-201 cells with a reduction between them."""
    return f"""
space cells "two NAS-Bench-201 cells"
input  image[{inputs}, {side}, {side}]
output logits[10]
let C = {channels}
block ReluConvBn(c, k, stride = 1) = relu >> conv(c, k, stride=stride, bias=false) >> bn
choice Edge(c) =
  | none         = zero
  | skip_connect = identity
  | nor_conv_1x1 = ReluConvBn(c, 1)
  | nor_conv_3x3 = ReluConvBn(c, 3)
  | avg_pool_3x3 = avgpool(3, stride=1)
cell Cell(c) {{
  input  n[0]
  node   n[j in 1..3] = sum(Edge(c)(n[i]) for i in 0..j-1)
  output n[3]
}}
block Reduce(c) =
    (ReluConvBn(c, 3, 2) >> ReluConvBn(c, 3))
  + (avgpool(2, stride=2) >> conv(c, 1, bias=false))
network =
     conv(C, 3, bias=false) >> bn
  >> Cell(C) >> Reduce(2*C) >> Cell(2*C)
  >> bn >> relu >> global_avgpool >> linear(10)
neighborhood {{ edit swap: any Edge }}
"""


def data_for(side: int, samples: int, device: str) -> Dataset:
    """Random images; only their shape matters."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2 * samples, 1, side, side, generator=generator).to(device)
    y = (torch.arange(2 * samples) % 10).to(device)
    names = tuple("0123456789")
    train, validation = Split(x[:samples], y[:samples]), Split(x[samples:], y[samples:])
    return Dataset("random", train, validation, names, *image_statistics(train.x))


def measure(
    side: int, members: int, batch: int, rounds: int, device: str, channels: int = 16
) -> dict[str, object]:
    space = nasdsl.load(cells(side, channels))
    center = space.sample(5)
    near = space.sample_neighbors(center, 24, 0)
    networks = [center.network, *(n.network for n in near)][:members]
    alone = [compile_network(network).to(device) for network in networks]
    data = data_for(side, batch, device)
    x, y = data.inputs(data.train.x), data.train.y
    began = time.perf_counter()
    fused = {
        "auto": compile_population(networks, batch=batch, device=device).to(device),
        "all": compile_population(networks, batch=batch, fuse=True).to(device),
    }
    compiled = time.perf_counter() - began
    optimizers = {id(m): _sgd(m) for m in (*alone, *fused.values())}

    def apart() -> None:
        for module in alone:
            optimizer = optimizers[id(module)]
            optimizer.zero_grad()
            torch.autograd.backward(task.loss(module(x), y))
            optimizer.step()

    def together(name: str) -> None:
        optimizer = optimizers[id(fused[name])]
        optimizer.zero_grad()
        torch.autograd.backward(member_losses(fused[name](x), y).sum())
        optimizer.step()

    clock = time.thread_time if device == "cpu" else time.perf_counter
    seconds: dict[str, list[float]] = {"apart": [], "auto": [], "all": []}
    for turn in range(rounds + 1):
        names = [*seconds][turn % 3 :] + [*seconds][: turn % 3]
        for name in names:
            began = clock()
            if name == "apart":
                apart()
            else:
                together(name)
            if device == "cuda":
                torch.cuda.synchronize()
            seconds[name].append(clock() - began)
    median = {name: statistics.median(times[1:]) for name, times in seconds.items()}
    return {
        "side": side,
        "channels": channels,
        "batch": batch,
        "members": members,
        "apart_networks_steps_per_second": round(members / median["apart"], 1),
        "gain_auto": round(median["apart"] / median["auto"], 3),
        "gain_all": round(median["apart"] / median["all"], 3),
        "chosen": "fused" if fused["auto"].meta["fused"] else "side by side",
        "fused": fused["auto"].meta["fused"],
        "calls": fused["auto"].meta["calls"],
        "compile_seconds": round(compiled, 2),
    }


def _sgd(module: torch.nn.Module) -> torch.optim.SGD:
    return torch.optim.SGD(module.parameters(), 0.01, momentum=0.9)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--members", type=int, nargs="+", default=[1, 4, 8, 25])
    parser.add_argument("--sides", type=int, nargs="+", default=[8, 16, 32])
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--channels", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for side in options.sides:
        for members in options.members:
            row = measure(
                side, members, options.batch, options.rounds, options.device, options.channels
            )
            print(json.dumps(row), flush=True)
            rows.append(row)
    print(json.dumps({"benchmark": "population", "device": options.device, "rows": rows}))
    print("| input | K | gain, fused where it pays | gain, fused everywhere | chosen |")
    print("| --- | --- | --- | --- | --- |")
    for row in rows:
        size = f"{row['side']}x{row['side']}"
        gains = f"{row['gain_auto']} | {row['gain_all']} | {row['chosen']}"
        print(f"| {size} | {row['members']} | {gains} |")


if __name__ == "__main__":
    main()
