"""FlatNAS, scaled down: flatness in the search and in training, against robustness.

    python examples/studies/flatnas_small.py --json flatnas_small.json

For each seed the elastic supernet of flatnas_small.nas is trained twice, by SGD and by SAM, at
equal numbers of forward and backward passes (a step of SAM takes two, so it makes half as many).
On each supernet FlatNAS searches under the bound on parameters with alpha 0.1, 0.5, 0.9 and 1,
the last being search by accuracy alone; each proposes equally many architectures, which take
their weights from the supernet, with batch norms recalibrated. The pick of each search, the least
figure of merit, is then trained further from these weights, by SGD or SAM as its supernet was and
again at equal passes, and measured on the test images: clean error, mean error over the 15
corruptions at five severities, and R_sigma on the validation images.

The folder of the data, ``--data``, else the environment variable NASDSL_DATA, else
``../shared/data`` beside the project, holds cifar10_subset_10k_2k.npz. With ``--fashion FOLDER``
the images are those of Fashion-MNIST, padded to 32x32 in three equal channels. Figures are
written after every seed, and a file that holds seeds of the same settings is gone on with.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from study_frame import check, earlier, options, write_json
from torch import Tensor, nn

import nasdsl
from nasdsl.compiler.supernet import SwitchedSupernet
from nasdsl.objectives.candidate import Candidate
from nasdsl.objectives.metrics import request
from nasdsl.objectives.weight_noise import flatness, recalibrated
from nasdsl.robustness.corrupted import as_bytes
from nasdsl.robustness.corruptions import SEVERITIES, STANDARD, corrupt
from nasdsl.search import Outcome
from nasdsl.search.flatnas import FlatNas
from nasdsl.seeding import derive
from nasdsl.space import Architecture, Space
from nasdsl.training import task
from nasdsl.training.data import Dataset, Split, load, load_test
from nasdsl.training.loop import predict, train
from nasdsl.training.oneshot.elastic import inherit, train_elastic
from nasdsl.training.oneshot.settings import ElasticSettings
from nasdsl.training.settings import DataSettings, Sgd, Sharpness, TrainSettings

SPACE = Path(__file__).with_suffix(".nas")
IMAGES = "cifar10_subset_10k_2k.npz"
ALPHAS = (0.1, 0.5, 0.9, 1.0)
"""Weights of the error; 1 is search by accuracy alone."""


@dataclass(frozen=True)
class Scale:
    """How large the study is.

    Attributes:
        images: for training.
        validation: for the search.
        corrupted: test images that are corrupted, each in 75 ways.
        epochs: of the SGD supernet; the SAM supernet takes half as many.
        evaluations: architectures that each search measures, of which ``initial`` are uniform.
        sampled: of those, on how many the correlation with robustness is taken.
        copies: perturbed copies for R_sigma in the search; the final figure takes 20.
        steps: of SGD on a pick in the end; SAM takes half as many.
        rho: radius of SAM.
    """

    images: int = 4800
    validation: int = 500
    corrupted: int = 150
    epochs: int = 6
    evaluations: int = 20
    initial: int = 12
    sampled: int = 12
    copies: int = 8
    steps: int = 60
    rho: float = 0.1
    generations: int = 10


QUICK = Scale(
    images=64,
    validation=20,
    corrupted=2,
    epochs=2,
    evaluations=4,
    initial=2,
    sampled=2,
    copies=2,
    steps=2,
    generations=2,
)
AUGMENTED = TrainSettings(crop=4, flip=True, batch=64, channels_last=True)


@dataclass(frozen=True)
class Images:
    """What a seed works with: samples, clean test images, and corrupted ones by name."""

    data: Dataset
    test: Split
    corrupted: Mapping[str, Sequence[Tensor]]
    labels: Tensor


def read(folder: Path, fashion: Path | None, scale: Scale) -> Images:
    """Reads, pads and corrupts the images; corruptions are the same for every seed."""
    if fashion is None:
        settings = DataSettings(
            source="npz",
            path=str(folder / IMAGES),
            train=scale.images,
            validation=scale.validation,
            noise=0.0,
        )
    else:
        settings = DataSettings(
            source="fashion_mnist",
            path=str(fashion),
            train=scale.images,
            validation=scale.validation,
            noise=0.0,
        )
    data, test = load(settings), load_test(settings)
    if fashion is not None:
        data = replace(data, train=_padded(data.train), validation=_padded(data.validation))
        test = _padded(test)
    # Test images are sorted by class in some files: every so many-th.
    order = torch.randperm(len(test), generator=torch.Generator().manual_seed(derive("test")))
    held = order[: scale.corrupted]
    images = as_bytes(data, test.x[held])
    corrupted = {
        name: [corrupt(images, name, severity) for severity in SEVERITIES] for name in STANDARD
    }
    return Images(data, test, corrupted, test.y[held])


def _padded(split: Split) -> Split:
    """Grey 28x28 images in the middle of black 32x32 ones, in three equal channels."""
    return Split(F.pad(split.x, (2, 2, 2, 2)).expand(-1, 3, -1, -1).contiguous(), split.y)


def mean_corruption_error(module: nn.Module, images: Images) -> float:
    """Mean error in percent over severities, then over corruptions; not normalized."""
    errors = []
    for versions in images.corrupted.values():
        x = torch.cat(list(versions))
        y = images.labels.repeat(len(versions))
        errors.append(100.0 - task.accuracy(predict(module, images.data, x), y))
    return sum(errors) / len(errors)


def measured(module: nn.Module, images: Images, copies: int, seed: int) -> tuple[float, float]:
    """Validation accuracy and R_sigma, in percent."""
    candidate = Candidate(module=module, data=images.data, seed=seed)
    change, _ = flatness(candidate, request("flatness.weights", copies=copies))
    return candidate.accuracy, change


def from_supernet(
    supernet: SwitchedSupernet, architecture: Architecture, data: Dataset
) -> nn.Module:
    """A network with the supernet's weights and statistics of its own, in eval mode."""
    module = inherit(supernet, architecture.network).eval()
    recalibrated(module, data)
    return module


def one_seed(space: Space, images: Images, scale: Scale, seed: int) -> dict[str, Any]:
    """Both supernets, all searches on them, and the picks."""
    found: dict[str, Any] = {"supernets": {}, "searches": [], "sampled": []}
    for optimizer in ("sgd", "sam"):
        sharp = optimizer == "sam"
        settings = ElasticSettings(
            epochs=scale.epochs // (2 if sharp else 1),
            lr=0.1,
            paths=1,
            rho=scale.rho if sharp else 0.0,
        )
        began = time.process_time()
        supernet, result = train_elastic(space, images.data, settings, AUGMENTED, seed)
        found["supernets"][optimizer] = {
            "passes": result.passes,
            "loss": [epoch.loss for epoch in result.epochs],
            "cpu_seconds": time.process_time() - began,
        }
        known: dict[str, tuple[float, float]] = {}
        finals: dict[str, dict[str, float]] = {}
        for alpha in ALPHAS:
            search = FlatNas(
                space,
                seed,
                alpha,
                initial=scale.initial,
                batch=4,
                generations=scale.generations,
            )
            asked: list[Architecture] = []
            while len(asked) < scale.evaluations:
                for candidate in search.ask(min(4, scale.evaluations - len(asked))):
                    architecture = candidate.architecture
                    asked.append(architecture)
                    key = architecture.fingerprint
                    if key not in known:
                        module = from_supernet(supernet, architecture, images.data)
                        known[key] = measured(module, images, scale.copies, seed)
                        if len(known) <= scale.sampled:
                            found["sampled"].append(
                                {
                                    "optimizer": optimizer,
                                    "params": architecture.params,
                                    "accuracy": known[key][0],
                                    "r_sigma": known[key][1],
                                    "mce": mean_corruption_error(module, images),
                                }
                            )
                    accuracy, change = known[key]
                    values = {
                        "accuracy": accuracy,
                        "flatness.weights": change,
                        "params": float(architecture.params),
                    }
                    search.tell(candidate, Outcome("complete", values))
            pick = search.best()
            assert pick is not None
            if pick.fingerprint not in finals:  # searches may agree
                finals[pick.fingerprint] = final(supernet, pick, images, scale, sharp, seed)
            row = finals[pick.fingerprint]
            accuracy, change = known[pick.fingerprint]
            found["searches"].append(
                {
                    "optimizer": optimizer,
                    "alpha": alpha,
                    "evaluations": len(asked),
                    "params": pick.params,
                    "macs": pick.macs,
                    "rank": str(pick.rank),
                    "search_accuracy": accuracy,
                    "search_r_sigma": change,
                    **row,
                }
            )
        found["supernets"][optimizer]["measured"] = len(known)
    return found


def final(
    supernet: SwitchedSupernet,
    pick: Architecture,
    images: Images,
    scale: Scale,
    sharp: bool,
    seed: int,
) -> dict[str, float]:
    """A pick, trained further from the supernet's weights and measured."""
    module = inherit(supernet, pick.network)
    settings = replace(
        AUGMENTED,
        steps=scale.steps // (2 if sharp else 1),
        optimizer=Sgd(lr=0.05),
        sharpness=Sharpness(scale.rho, adaptive=False) if sharp else None,
    )
    train(module, images.data, settings, derive(seed, "final", pick.fingerprint))
    _, change = measured(module, images, 20 if scale.copies > 2 else 2, seed)
    test = predict(module, images.data, images.test.x)
    return {
        "test_error": 100.0 - task.accuracy(test, images.test.y),
        "mce": mean_corruption_error(module, images),
        "r_sigma": change,
    }


def study(
    folder: Path, fashion: Path | None, seeds: Sequence[int], scale: Scale, out: Path | None
) -> dict[str, Any]:
    """All seeds."""
    space = nasdsl.load(SPACE)
    settings = {
        "data": "fashion_mnist" if fashion else "cifar10_subset",
        "scale": asdict(scale),
        "bound": 30_000,
        "torch": torch.__version__,
    }
    found: dict[str, Any] = {**settings, "seeds": {**earlier(out, settings).get("seeds", {})}}
    images = read(folder, fashion, scale)
    for seed in seeds:
        if str(seed) in found["seeds"]:
            continue
        began, cpu = time.monotonic(), time.process_time()
        run = one_seed(space, images, scale, seed)
        run |= {"seconds": time.monotonic() - began, "cpu_seconds": time.process_time() - cpu}
        found["seeds"][str(seed)] = run
        for row in run["searches"]:
            print(
                f"seed {seed} {row['optimizer']} alpha {row['alpha']}: error "
                f"{row['test_error']:.1f}  mCE {row['mce']:.1f}  R {row['r_sigma']:.2f}  "
                f"params {row['params']:,}",
                flush=True,
            )
        print(f"  {run['cpu_seconds']:.0f} s of CPU, {run['seconds']:.0f} s", flush=True)
        write_json(out, found)
    return found


def main() -> None:
    """Runs the study, and writes the figures."""
    parser = options(__doc__, 3, "supernets of each kind", "a few steps, to see that it runs")
    parser.add_argument("--fashion", type=Path, metavar="FOLDER", help="use Fashion-MNIST")
    given = parser.parse_args()
    check(parser, given, [] if given.fashion else [IMAGES])
    torch.set_num_threads(1)
    scale = QUICK if given.quick else Scale()
    study(given.data, given.fashion, range(given.seeds), scale, given.json)


if __name__ == "__main__":
    main()
