"""A network away from what it was trained on: what to look at, and what was found. No torch.

A profile is evaluation: it is taken of networks that a search has ended with, or that a person
wants to compare, and nothing is chosen by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from nasdsl.language.settings import Item, Option, table

Split = Literal["test", "validation"]

FRACTIONS = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)
"""Of the largest radius of a ball, or size of noise: each step of a curve doubles it."""

_SAMPLES = Option("samples", "int", 0, minimum=0, doc="images taken, 0 for all")


def _attack(name: str, how: str, *options: Option) -> Item:
    return Item(
        name,
        (
            Option("eps", "float", 8 / 255, minimum=0, doc="largest radius, images in 0..1"),
            Option("norm", "name", "linf", values=("linf", "l2"), doc="of the ball"),
            *options,
            _SAMPLES,
        ),
        f"accuracy under {how}, at 1/16, 1/8, 1/4, 1/2 and all of eps",
    )


ITEMS: Mapping[str, Item] = table(
    Item(
        "corruptions",
        (_SAMPLES,),
        "errors under the fifteen standard corruptions at severities 1 to 5",
    ),
    _attack("fgsm", "one step along the gradient's sign"),
    _attack(
        "pgd",
        "projected gradient steps",
        Option("steps", "int", 40, minimum=1, doc="gradient steps"),
    ),
    _attack("apgd", "Auto-PGD", Option("steps", "int", 100, minimum=1, doc="gradient steps")),
    _attack(
        "square",
        "the Square Attack, which uses no gradient",
        Option("queries", "int", 5000, minimum=1, doc="evaluations of each image"),
    ),
    Item(
        "noise",
        (
            Option("sigma", "float", 0.2, minimum=0, doc="largest relative size"),
            Option("copies", "int", 20, minimum=1, doc="perturbed copies"),
        ),
        "accuracy with normal noise on every weight, at 1/16, 1/8, 1/4, 1/2 and all of sigma",
    ),
)
"""What a profile may hold, as it is asked for in a text."""

ATTACKS = ("fgsm", "pgd", "apgd", "square")


@dataclass(frozen=True, slots=True)
class ProfileSettings:
    """What to look at.

    Attributes:
        asked: the values of each of :data:`ITEMS` that is asked for, by name.
    """

    asked: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.asked)

    @property
    def images(self) -> tuple[str, ...]:
        """What of it needs images with classes."""
        return tuple(name for name in self.asked if name != "noise")

    def to_json(self) -> dict[str, Any]:
        """Plain data, equal for equal settings."""
        return {name: dict(values) for name, values in self.asked.items()}


STANDARD = ProfileSettings(
    {
        "corruptions": {"samples": 500},
        "fgsm": {"eps": 8 / 255, "norm": "linf", "samples": 500},
        "pgd": {"eps": 8 / 255, "norm": "linf", "steps": 10, "samples": 500},
        "noise": {"sigma": 0.2, "copies": 10},
    }
)
"""What a comparison looks at where the text asks for nothing."""


@dataclass(frozen=True, slots=True)
class Attacked:
    """Accuracy under one attack.

    Attributes:
        attack: its name.
        norm: of the balls.
        clean: accuracy in percent without it, on the images that were attacked.
        radii: of the balls, images in 0..1.
        robust: accuracy in percent at each of them.
        stuck: right images without a gradient, where an attack that climbs can do nothing.
        samples: images.
    """

    attack: str
    norm: str
    clean: float
    radii: tuple[float, ...]
    robust: tuple[float, ...]
    stuck: int
    samples: int


@dataclass(frozen=True, slots=True)
class Noisy:
    """Accuracy with noise on the weights.

    Attributes:
        sigmas: relative sizes of the noise.
        mean: accuracy in percent at each, averaged over the copies.
        spread: its standard deviation over the copies.
        flatness: ``R_sigma`` at each, the mean change of the accuracy, in percent.
        copies: at each.
    """

    sigmas: tuple[float, ...]
    mean: tuple[float, ...]
    spread: tuple[float, ...]
    flatness: tuple[float, ...]
    copies: int


@dataclass(frozen=True, slots=True)
class Profile:
    """What was found of one network.

    Attributes:
        split: the samples that it was found on.
        samples: how many there are.
        clean: accuracy on all of them as they are, in percent.
        corrupted: errors in percent by corruption, one for each severity from 1 to 5.
        corrupted_samples: images behind each of these errors.
        corrupted_clean: the error of the same images without corruption.
        attacked: accuracy under each attack.
        noisy: accuracy with noise on the weights, where it was asked for.
        failures: reasons by name for what could not be had.
    """

    split: Split
    samples: int
    clean: float
    corrupted: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    corrupted_samples: int = 0
    corrupted_clean: float = 0.0
    attacked: tuple[Attacked, ...] = ()
    noisy: Noisy | None = None
    failures: Mapping[str, str] = field(default_factory=dict)

    @property
    def by_severity(self) -> tuple[float, ...]:
        """The error at each severity, averaged over corruptions; empty without corruptions."""
        rows = list(self.corrupted.values())
        return tuple(sum(column) / len(rows) for column in zip(*rows, strict=True))

    @property
    def mce(self) -> float | None:
        """The mean corruption error in percent: over severities, then over corruptions."""
        if not self.corrupted:
            return None
        return sum(sum(row) / len(row) for row in self.corrupted.values()) / len(self.corrupted)

    def to_json(self) -> dict[str, Any]:
        """Plain data; :meth:`from_json` reads it."""
        return {
            "split": self.split,
            "samples": self.samples,
            "clean": self.clean,
            "corruptions": {
                "samples": self.corrupted_samples,
                "clean_error": self.corrupted_clean,
                "mce": self.mce,
                "errors": {name: list(row) for name, row in self.corrupted.items()},
            }
            if self.corrupted
            else None,
            "attacks": [
                {
                    "attack": a.attack,
                    "norm": a.norm,
                    "samples": a.samples,
                    "clean": a.clean,
                    "radii": list(a.radii),
                    "robust": list(a.robust),
                    "stuck": a.stuck,
                }
                for a in self.attacked
            ],
            "noise": {
                "copies": self.noisy.copies,
                "sigmas": list(self.noisy.sigmas),
                "mean": list(self.noisy.mean),
                "spread": list(self.noisy.spread),
                "flatness": list(self.noisy.flatness),
            }
            if self.noisy is not None
            else None,
            "failures": dict(self.failures),
        }

    @staticmethod
    def from_json(record: Mapping[str, Any]) -> Profile:
        """The profile that :meth:`to_json` wrote."""
        corrupted, noise = record["corruptions"], record["noise"]
        return Profile(
            record["split"],
            record["samples"],
            record["clean"],
            {name: tuple(row) for name, row in corrupted["errors"].items()} if corrupted else {},
            corrupted["samples"] if corrupted else 0,
            corrupted["clean_error"] if corrupted else 0.0,
            tuple(
                Attacked(
                    a["attack"],
                    a["norm"],
                    a["clean"],
                    tuple(a["radii"]),
                    tuple(a["robust"]),
                    a["stuck"],
                    a["samples"],
                )
                for a in record["attacks"]
            ),
            Noisy(
                tuple(noise["sigmas"]),
                tuple(noise["mean"]),
                tuple(noise["spread"]),
                tuple(noise["flatness"]),
                noise["copies"],
            )
            if noise
            else None,
            record["failures"],
        )
