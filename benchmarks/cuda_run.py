"""The same run on the CPU and on a CUDA device: do they propose the same architectures?

    python -m benchmarks.cuda_run [FILE] [--samples N]

Needs a CUDA device and torch >= 2.6. Runs the file's search (by default the quickstart with
three samples) on both devices, compares what was proposed trial by trial, and prints one line
for each and the times. Exits with 1 where a proposal differs or a trial failed on one side only.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

import nasdsl

QUICKSTART = Path(__file__).resolve().parent.parent / "examples" / "quickstart.nas"
SAME = ("number", "rank", "decisions", "fingerprint", "role", "center", "edit", "seed")


def searched(file: Path, device: str, samples: int, folder: Path) -> tuple[list[Any], float]:
    """The trials of a run on one device, and its seconds."""
    start = time.perf_counter()
    result = nasdsl.run(
        file,
        out=folder / device,
        device=device,
        overrides={"search.samples": str(samples)},
        progress="quiet",
    )
    return [trial.to_json() for trial in result.trials], time.perf_counter() - start


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", nargs="?", type=Path, default=QUICKSTART)
    parser.add_argument("--samples", type=int, default=3)
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        print("there is no CUDA device here; nothing was compared", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        runs = {
            device: searched(arguments.file, device, arguments.samples, Path(folder))
            for device in ("cpu", "cuda")
        }
    cpu, cuda = runs["cpu"][0], runs["cuda"][0]
    different = len(cpu) != len(cuda)
    for a, b in zip(cpu, cuda, strict=False):
        same = all(a.get(key) == b.get(key) for key in SAME) and a["state"] == b["state"]
        different |= not same
        accuracies = [t["objectives"].get("accuracy") for t in (a, b)]
        print(f"trial {a['number']}: {'same' if same else 'DIFFERENT'}, accuracy {accuracies}")
    times = {device: f"{seconds:.1f} s" for device, (_, seconds) in runs.items()}
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}: {times}")
    print("proposals differ" if different else f"all {len(cpu)} proposals are the same")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
