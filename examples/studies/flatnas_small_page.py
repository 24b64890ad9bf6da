"""The page of the study of FlatNAS, scaled down: its tables and its plot, from its figures.

    python examples/studies/flatnas_small_page.py cifar10.json fashion_mnist.json docs/studies

Writes flatnas_small.md and flatnas_small.svg into the folder. Every number on the page, those in
the sentences too, is read from the files, one for each data set.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from scipy.stats import kendalltau
from study_frame import Figures, interval, rule, shown, svg, swatch, table, write_page

OPTIMIZERS = {"sgd": "SGD", "sam": "SAM"}
COLORS = {"sgd": "#1f5fa8", "sam": "#c0562b"}
DATA = {"cifar10_subset": "the CIFAR-10 subset", "fashion_mnist": "Fashion-MNIST"}

INTRODUCTION = """\
# FlatNAS, scaled down

FlatNAS (Gambella, Pittorino and Roveri, 2024) searches on weights of a once-for-all network for
architectures whose accuracy moves little when their weights are shaken, and trains with SAM, so
as to be robust to corruptions that were never seen. This is that search in small: the elastic
MobileNetV3 of `flatnas_small.nas` at 32x32, {bound:,} parameters at most, on {images:,} images of
{data}.

For each seed the supernet is trained twice at equal numbers of passes, by SGD ({sgd_epochs} epochs)
and by SAM ({sam_epochs}, two passes a step, rho {rho:g}). On each, FlatNAS searches with alpha 0.1,
0.5, 0.9, and 1, which is search by accuracy alone; all under the same bound on parameters and with
{evaluations} measured architectures each, {initial} of them the same uniform draws. The
architecture of the least figure of merit takes its weights from the supernet, is trained {steps}
more steps by SGD or {sam_steps} by SAM, and is measured: clean error on the test images, mean error
over the 15 corruptions at five severities (mCE, not normalized, {corrupted} test images in 75 ways),
and R_sigma on {validation} validation images with 20 copies ({copies} in the search).

{commands}
    python examples/studies/flatnas_small_page.py {files} docs/studies

This is the reduced form, one process on a CPU: {seeds} seeds, {minutes} minutes of CPU time.
Intervals are Student's over the seeds, at 95 %, and not cut where a figure cannot lie; those of
differences are paired by seed.
"""


def values(figures: Figures, optimizer: str, alpha: float, key: str) -> list[float]:
    """One figure of the picks of one search, by seed."""
    return [
        float(row[key])
        for seed in sorted(figures["seeds"], key=int)
        for row in figures["seeds"][seed]["searches"]
        if row["optimizer"] == optimizer and row["alpha"] == alpha
    ]


def alphas(figures: Figures) -> list[float]:
    """The weights of the error that were searched with, the largest first."""
    run = next(iter(figures["seeds"].values()))
    return sorted({row["alpha"] for row in run["searches"]}, reverse=True)


def told(differences: Sequence[float]) -> str:
    """Whether an interval of differences leaves out 0."""
    _, low, high = interval(differences)
    if math.isinf(low):
        return "a single seed has no interval"
    return "told apart" if low > 0 or high < 0 else "not told apart"


def _name(alpha: float) -> str:
    return "accuracy alone" if alpha == 1 else f"alpha {alpha:g}"


def _picks(figures: Figures) -> str:
    rows = []
    for optimizer, label in OPTIMIZERS.items():
        for alpha in alphas(figures):
            mce, error, change = (
                shown(values(figures, optimizer, alpha, key), digits=digits)
                for key, digits in (("mce", 1), ("test_error", 1), ("r_sigma", 2))
            )
            params = shown(values(figures, optimizer, alpha, "params"), digits=0)
            rows.append((label, _name(alpha), mce, error, change, params))
    return "### The picks\n\nLess is better throughout; errors and R_sigma in percent.\n\n" + table(
        ("training", "search", "mCE", "clean error", "R_sigma", "parameters"), rows
    )


def _comparisons(figures: Figures) -> str:
    lines = []
    keys = {
        "mce": ("mCE", 1),
        "test_error": ("clean error", 1),
        "r_sigma": ("R_sigma", 2),
        "params": ("parameters", 0),
    }
    said_of: list[bool] = []

    def compared(first: tuple[str, float], second: tuple[str, float]) -> str:
        parts = []
        for key, (label, digits) in keys.items():
            one, other = (values(figures, *side, key) for side in (first, second))
            differences = [a - b for a, b in zip(one, other, strict=True)]
            said_of.append(told(differences) == "told apart")
            parts.append(f"{label} {shown(differences, '+', digits)} ({told(differences)})")
        return "; ".join(parts)

    for optimizer, label in OPTIMIZERS.items():
        for alpha in alphas(figures):
            if alpha != 1:
                said = compared((optimizer, alpha), (optimizer, 1.0))
                lines.append(f"- {label}, {_name(alpha)} less accuracy alone: {said}.")
    for alpha in alphas(figures):
        said = compared(("sam", alpha), ("sgd", alpha))
        lines.append(f"- SAM less SGD, {_name(alpha)}: {said}.")
    said = compared(("sam", 0.5), ("sgd", 1.0))
    lines.append(
        "- The paper's comparison, SAM with alpha 0.5 less SGD with accuracy alone: " + said + "."
    )
    return (
        "### Differences\n\n"
        + "\n".join(lines)
        + f"\n\nThat is {len(said_of)} intervals, of which {sum(said_of)} leave out 0; at 95 % each, "
        f"{len(said_of) / 20:.0f} or so would if nothing differed.\n"
    )


def rank_correlations(figures: Figures, optimizer: str, key: str) -> list[float]:
    """Kendall's tau of a figure with mCE over the uniform draws of a supernet, by seed."""
    found = []
    for seed in sorted(figures["seeds"], key=int):
        rows = [r for r in figures["seeds"][seed]["sampled"] if r["optimizer"] == optimizer]
        tau = float(kendalltau([r[key] for r in rows], [r["mce"] for r in rows]).statistic)
        if math.isfinite(tau):
            found.append(tau)
    return found


def _correlation(figures: Figures) -> str:
    rows = []
    for optimizer, label in OPTIMIZERS.items():
        cells = []
        for key in ("r_sigma", "accuracy", "params"):
            found = rank_correlations(figures, optimizer, key)
            cells.append(f"{shown(found, '+', 2)} ({told(found)} from 0)" if found else "-")
        rows.append((label, *cells))
    return (
        "### Does R_sigma rank robustness?\n\n"
        f"Kendall's tau with mCE over {figures['scale']['sampled']} uniform draws on each supernet, "
        "as lent, before any further training. A flat network would have a small R_sigma and a "
        "small mCE, a tau above 0.\n\n"
        + table(("supernet", "R_sigma", "validation accuracy", "parameters"), rows)
    )


def _supernets(figures: Figures) -> str:
    rows = []
    for optimizer, label in OPTIMIZERS.items():
        of = [run["supernets"][optimizer] for run in figures["seeds"].values()]
        searched = [
            100 - row["search_accuracy"]
            for run in figures["seeds"].values()
            for row in run["searches"]
            if row["optimizer"] == optimizer and row["alpha"] == 1
        ]
        passes = sorted({f"{s['passes']:,}" for s in of})
        rows.append(
            (
                label,
                " or ".join(passes),
                shown([s["loss"][-1] for s in of], digits=2),
                shown(searched, digits=1),
            )
        )
    return (
        "### The supernets\n\nPasses, the training loss of the last epoch in nats, and the "
        "validation error of the most accurate architecture that was measured, as lent.\n\n"
        + table(("training", "passes", "loss", "error"), rows)
    )


LIMITS = """\
## What this does not show

- The supernets were trained briefly and from scratch, where the paper starts from a once-for-all
  network trained on ImageNet, and the errors are large. A network that is hardly better than
  chance moves little when it is shaken, so a small R_sigma can mean that little was learned.
- SAM makes half as many steps at equal passes, which costs it more the shorter the training is.
- So few seeds give wide intervals: what is not told apart may well differ.
"""


WIDTH, HEIGHT, LEFT, PANEL = 520, 220, 50, 272
"""Of a panel's axes, where they begin, and from one panel to the next."""


def drawing(*runs: Figures) -> str:
    """mCE of the picks by search and training, a panel for each data set."""
    parts = [line for at, run in enumerate(runs) for line in _panel(run, 24 + at * PANEL)]
    bottom = len(runs) * PANEL + 20
    parts += [
        swatch(LEFT + 70 * at, bottom, COLORS[optimizer], label)
        for at, (optimizer, label) in enumerate(OPTIMIZERS.items())
    ]
    said = "mCE in percent: mean, 95 % interval, single seeds"
    parts.append(f'<text x="{LEFT + 160}" y="{bottom}">{said}</text>')
    return svg(600, bottom + 16, "Mean corruption error of the picks", parts)


def _panel(figures: Figures, top: int) -> list[str]:
    """Means, intervals and single seeds of one data set, below ``top``."""
    order = [(o, a) for a in alphas(figures) for o in OPTIMIZERS]
    every = [v for o, a in order for v in values(figures, o, a, "mce")]
    low, high = 5 * math.floor(min(every) / 5 - 1), 5 * math.ceil(max(every) / 5 + 1)

    def y(value: float) -> float:
        return float(top + HEIGHT * (high - min(max(value, low), high)) / (high - low))

    parts = [f'<text x="{LEFT}" y="{top - 8}" font-weight="bold">{_title(figures)}</text>']
    parts += [rule(LEFT, LEFT + WIDTH, y(value), str(value)) for value in range(low, high + 1, 5)]
    for at, (optimizer, alpha) in enumerate(order):
        x = LEFT + WIDTH * (at + 0.5) / len(order)
        found = values(figures, optimizer, alpha, "mce")
        mean, bottom, above = interval(found)
        color = COLORS[optimizer]
        if math.isfinite(bottom):
            parts.append(
                f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{y(bottom):.1f}" y2="{y(above):.1f}" '
                f'stroke="{color}" stroke-width="2"/>'
            )
        parts.append(f'<circle cx="{x:.1f}" cy="{y(mean):.1f}" r="5" fill="{color}"/>')
        parts += [
            f'<circle cx="{x + 10:.1f}" cy="{y(v):.1f}" r="2" fill="{color}"/>' for v in found
        ]
        if at % 2 == 0:
            middle = LEFT + WIDTH * (at + 1) / len(order)
            parts.append(
                f'<text x="{middle:.1f}" y="{top + HEIGHT + 16}" text-anchor="middle">'
                f"{_name(alpha)}</text>"
            )
    return parts


def _title(figures: Figures) -> str:
    name = DATA[figures["data"]]
    return name[0].upper() + name[1:]


def _part(figures: Figures) -> str:
    """What was found on one data set."""
    sections = (_picks, _comparisons, _correlation, _supernets)
    # What a reader must know of this very run, where its figures say so.
    notes = [figures["note"] + "\n"] if "note" in figures else []
    return "\n".join([f"## {_title(figures)}\n", *notes, *(part(figures) for part in sections)])


def page(*runs: Figures) -> str:
    """The page in Markdown."""
    first = runs[0]
    scale = first["scale"]
    if any(run["scale"] != scale or run["bound"] != first["bound"] for run in runs):
        raise SystemExit("the data sets were studied with different settings")
    counts = {len(run["seeds"]) for run in runs}
    files = [f"{run['data']}.json" for run in runs]
    commands = [
        f"    python examples/studies/flatnas_small.py --seeds {len(run['seeds'])} "
        f"--json {run['data']}.json"
        + (" --fashion FOLDER" if run["data"] == "fashion_mnist" else "")
        for run in runs
    ]
    minutes = [sum(r["cpu_seconds"] for r in run["seeds"].values()) / 60 for run in runs]
    head = INTRODUCTION.format(
        bound=first["bound"],
        data=" and of ".join(DATA[run["data"]] for run in runs),
        commands="\n".join(commands),
        files=" ".join(files),
        sgd_epochs=scale["epochs"],
        sam_epochs=scale["epochs"] // 2,
        sam_steps=scale["steps"] // 2,
        seeds=" and ".join(map(str, sorted(counts))),
        minutes=" and ".join(f"{m:.0f}" for m in minutes),
        **{
            key: scale[key]
            for key in (
                "images", "rho", "evaluations", "initial", "steps", "corrupted", "validation",
                "copies",
            )
        },
    )  # fmt: skip
    plot = "![mCE by search](flatnas_small.svg)\n"
    return "\n".join([head, plot, *map(_part, runs), LIMITS])


def main() -> None:
    """Reads the figures and writes the page."""
    write_page("flatnas_small", __doc__, page, drawing, several=True)


if __name__ == "__main__":
    main()
