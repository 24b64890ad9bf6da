"""What there is to measure of a trained network's robustness and of its loss around it. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from nasdsl.language.settings import Option
from nasdsl.robustness.constants import TABLES


@dataclass(frozen=True, slots=True)
class RobustMetric:
    """The facts of one metric, as :class:`nasdsl.objectives.metrics.Metric` has them; all of
    these need one trained network.

    Attributes:
        evaluation: it looks at data that are not the data's own (corrupted, attacked). A search
            uses such a metric only where its text names it.
    """

    name: str
    unit: str
    direction: Literal["maximize", "minimize"]
    split: Literal["train", "validation"]
    definition: str
    measure: str
    options: tuple[Option, ...]
    source: str
    evaluation: bool = False


_SAMPLES = Option("samples", "int", 0, minimum=0, doc="validation images taken, 0 for all")
_SEED = Option("seed", "int", 0, minimum=0, doc="of what is random, the same for all networks")
_SEVERITY = Option("severity", "int", 0, minimum=0, maximum=5, doc="1 to 5, 0 for their mean")
_EPS = Option("eps", "float", 1 / 255, minimum=0, doc="radius of the ball, images in 0..1")
_NORM = Option("norm", "name", "linf", values=("linf", "l2"), doc="of the ball")
_HENDRYCKS = "Hendrycks and Dietterich, ICLR 2019 (arXiv 1903.12261)"


def _train(count: int) -> Option:
    return Option("samples", "int", count, minimum=0, doc="training samples taken, 0 for all")


def _attack(name: str, how: str, options: tuple[Option, ...], source: str) -> RobustMetric:
    return RobustMetric(
        f"attack.{name}",
        "%",
        "maximize",
        "validation",
        "Robust accuracy: the share of validation images, in percent, that are classified right "
        f"and that the attack cannot change to a wrong class within the ball. {how} Images are in "
        "0..1 and normalized inside the attacked function; the network is in eval mode.",
        "nasdsl.objectives.attack:robust_accuracy",
        (_EPS, _NORM, *options, _SAMPLES, _SEED),
        source,
        True,
    )


ROBUST = (
    RobustMetric(
        "corruption.mce",
        "%",
        "minimize",
        "validation",
        "Mean corruption error: the error on corrupted validation images in percent, averaged "
        "over severities 1 to 5 and then over the fifteen standard corruptions, not divided by "
        "another network's. Corruptions are made at the images' own size. The spread is the "
        "standard deviation over corruptions.",
        "nasdsl.objectives.corruption:mean_error",
        (_SAMPLES, _SEED),
        _HENDRYCKS,
        True,
    ),
    *(
        RobustMetric(
            f"corruption.{name}",
            "%",
            "minimize",
            "validation",
            f"Error on validation images under the corruption '{name}', in percent, at one "
            "severity or averaged over severities 1 to 5; the spread is then the standard "
            "deviation over severities.",
            "nasdsl.objectives.corruption:error",
            (_SEVERITY, _SAMPLES, _SEED),
            _HENDRYCKS,
            True,
        )
        for name in TABLES
    ),
    _attack(
        "fgsm",
        "One step along the sign of the gradient of the cross entropy.",
        (),
        "Goodfellow, Shlens and Szegedy, ICLR 2015 (arXiv 1412.6572)",
    ),
    _attack(
        "pgd",
        "Projected gradient steps of 2.5 eps / steps from a random start.",
        (Option("steps", "int", 40, minimum=1, doc="gradient steps"),),
        "Madry et al., ICLR 2018 (arXiv 1706.06083)",
    ),
    _attack(
        "apgd",
        "Auto-PGD on the cross entropy, one start.",
        (Option("steps", "int", 100, minimum=1, doc="gradient steps"),),
        "Croce and Hein, ICML 2020 (arXiv 2003.01690)",
    ),
    _attack(
        "square",
        "Square Attack on the margin; it uses no gradient.",
        (Option("queries", "int", 5000, minimum=1, doc="evaluations of each image"),),
        "Andriushchenko et al., ECCV 2020 (arXiv 1912.00049)",
    ),
    RobustMetric(
        "flatness.sharpness",
        "",
        "minimize",
        "train",
        "The largest rise of the training loss within a ball of radius rho around the weights, as "
        "far as steps of ascent find it (one step: SAM's approximation). adaptive=true measures "
        "the ball in multiples of each weight (ASAM).",
        "nasdsl.objectives.sharpness:rise",
        (
            Option("rho", "float", 0.05, minimum=0, doc="radius of the ball"),
            Option("adaptive", "bool", False, doc="relative to each weight"),
            Option("steps", "int", 1, minimum=1, doc="steps of ascent"),
            _train(2000),
        ),
        "Foret et al., ICLR 2021 (arXiv 2010.01412); Kwon et al., ICML 2021 (arXiv 2102.11600)",
    ),
    RobustMetric(
        "flatness.local_energy",
        "%",
        "minimize",
        "train",
        "The mean over copies of E(w (1 + sigma xi)) - E(w), where E is the training error in "
        "percent and xi is standard normal noise on every parameter; with its sign, unlike "
        "flatness.weights. The spread is the standard deviation over the copies.",
        "nasdsl.objectives.sharpness:local_energy",
        (
            Option("sigma", "float", 0.05, minimum=0, doc="relative size of the noise"),
            Option("copies", "int", 20, minimum=1, doc="perturbed copies"),
            _train(2000),
        ),
        "Pittorino et al., ICLR 2021 (arXiv 2006.07897)",
    ),
    RobustMetric(
        "hessian.top",
        "",
        "minimize",
        "train",
        "The largest eigenvalue of the Hessian of the mean training loss in all parameters, by "
        "power iteration.",
        "nasdsl.objectives.sharpness:top_eigenvalue",
        (Option("steps", "int", 50, minimum=1, doc="products at most"), _train(500)),
        "Yao et al., PyHessian, 2020 (arXiv 1912.07145)",
    ),
    RobustMetric(
        "hessian.trace",
        "",
        "minimize",
        "train",
        "The trace of the Hessian of the mean training loss in all parameters, estimated by "
        "Hutchinson's method. The spread is the standard deviation over the probes.",
        "nasdsl.objectives.sharpness:trace",
        (Option("probes", "int", 20, minimum=1, doc="random vectors of signs"), _train(500)),
        "Yao et al., PyHessian, 2020 (arXiv 1912.07145)",
    ),
)
"""The metrics of robustness and of the loss's shape, in the order in which they are listed."""
