"""The page of the study of NA-DARTS against DARTS: its tables and its plot, from its figures.

    python examples/studies/na_darts_page.py na_darts.json docs/studies

Writes na_darts.md and na_darts.svg into the folder. Every number on the page, those in the
sentences too, is read from the file.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean

from study_frame import Figures, interval, polyline, rule, shown, svg, swatch, table, write_page

METHODS = {"darts": "DARTS", "na_darts": "NA-DARTS"}
COLORS = {"darts": "#1f5fa8", "na_darts": "#c0562b"}

INTRODUCTION = """\
# NA-DARTS against DARTS

Does it help DARTS to learn from the neighborhood of its mixture? Both searchers train the mixed
supernet of `na_darts.nas`, NAS-Bench-201 reduced to 4 channels, one cell a stage and a stem of
stride 2, on {images:,} images of the CIFAR-10 subset: {half:,} for the weights and {half:,} for the
decisions. The cell of the largest weights is looked up in the full benchmark: test accuracy after
200 epochs (Dong and Yang, 2020), mean of the benchmark's own runs. Everything but the neighborhood
and the number of epochs is the same on both sides, seed by seed: split, order of the images,
initial weights.

The cost is equal: DARTS takes two forward and backward passes a step, NA-DARTS with {neighbors}
neighbors {per_step}, and {long} and {short} epochs come to the same {passes:,} passes. So NA-DARTS
makes fewer steps, each with a gradient over more mixtures. Gradients are of first order. Settings
are those of DARTS (2019), batches of {batch} included, but for Adam's learning rate for
decisions, {decision_lr:g} in place of 3e-4, since there are so many fewer steps.

    python examples/studies/na_darts.py --seeds {seeds} --json na_darts.json
    python examples/studies/na_darts_page.py na_darts.json docs/studies

This is the reduced form, one process a training on a CPU: {seeds} seeds, {minutes:.0f} minutes of
wall time in all, beside whatever else the machine did. Intervals are Student's, at 95 %, and not cut
where a figure cannot lie; those of differences are of the paired differences over the seeds.
"""


def verdict(differences: Sequence[float], better: str, worse: str) -> str:
    """What an interval of differences shows."""
    _, low, high = interval(differences)
    if math.isinf(low):
        return "a single seed has no interval."
    if low > 0:
        return f"{better}: the interval lies above 0."
    if high < 0:
        return f"{worse}: the interval lies below 0."
    return "the interval holds 0: these seeds do not tell the two apart."


def paired(figures: Figures, key: str) -> list[float]:
    """Differences NA-DARTS less DARTS, by seed."""
    plain, aware = (figures["runs"][name] for name in METHODS)
    return [aware[seed][key] - plain[seed][key] for seed in sorted(plain, key=int) if seed in aware]


def halfway(figures: Figures) -> tuple[float, list[float]]:
    """NA-DARTS at its end less DARTS where it had made as many epochs, by seed.

    The part of DARTS's passes that it had made then comes first. Its learning rate had not
    fallen as far there as that of NA-DARTS at the end.
    """
    plain, aware = (figures["runs"][name] for name in METHODS)
    epochs, whole = (figures["methods"][name]["epochs"] for name in ("na_darts", "darts"))
    common = [seed for seed in sorted(plain, key=int) if seed in aware]
    differences = [
        aware[seed]["test200"] - plain[seed]["path"][epochs - 1]["test200"] for seed in common
    ]
    return epochs / whole, differences


def _results(figures: Figures) -> str:
    runs = figures["runs"]
    benchmark = figures["benchmark"]
    rows = []
    for name, label in METHODS.items():
        of = list(runs[name].values())
        rows.append(
            (
                label,
                *(shown([r[key] for r in of]) for key in ("test200", "neighbors_test200")),
                shown([float(r["skips"]) for r in of]),
                shown([r["skip_mass"] for r in of]),
            )
        )
    seeds = sorted(runs["darts"], key=int)
    single = [
        (
            seed,
            METHODS[name],
            f"{r['test200']:.2f}",
            str(r["skips"]),
            # A bar within code still ends a column, unless it is escaped.
            "`" + r["cell"].replace("|", "\\|") + "`",
        )
        for seed in seeds
        for name in METHODS
        if (r := runs[name].get(seed)) is not None
    ]
    own, near = paired(figures, "test200"), paired(figures, "neighbors_test200")
    same_steps = halfway(figures)
    above = {
        name: interval([r["test200"] - benchmark["mean"] for r in runs[name].values()])
        for name in METHODS
    }
    chance = "; ".join(
        f"{METHODS[name]} {mean:+.2f} [{low:+.2f}, {high:+.2f}]"
        for name, (mean, low, high) in above.items()
    )
    # Skips are a warning whichever way the comparison goes.
    return (
        "## What was found\n\nTest accuracy of the cell, mean over its 24 neighbors, edges of six "
        "on which a skip leads, and the mean weight of skips.\n\n"
        + table(("searcher", "cell", "its neighbors", "skips", "weight of skips"), rows)
        + f"\n- NA-DARTS less DARTS, test accuracy: {shown(own, '+')}; "
        + verdict(own, "NA-DARTS is better", "NA-DARTS is worse")
        + f"\n- The same, mean over the neighbors: {shown(near, '+')}; "
        + verdict(near, "NA-DARTS is better", "NA-DARTS is worse")
        + f"\n- Skips, NA-DARTS less DARTS: {shown(paired(figures, 'skips'), '+')}; "
        + verdict(paired(figures, "skips"), "NA-DARTS skips more", "NA-DARTS skips less")
        + "\n- NA-DARTS less DARTS after as many steps of decisions, at "
        f"{same_steps[0]:.0%} of its passes, test accuracy: {shown(same_steps[1], '+')}; "
        + verdict(same_steps[1], "NA-DARTS is better", "NA-DARTS is worse")
        + f"\n- Against a cell drawn uniformly, {benchmark['mean']:.2f} on average over all "
        f"{benchmark['cells']:,} (the best has {benchmark['best']:.2f}): {chance}.\n\n"
        + table(("seed", "searcher", "test accuracy", "skips", "cell"), single)
    )


def _path(figures: Figures) -> str:
    """Accuracy along the way, at the ends of quarters of the passes."""
    rows = []
    for name, label in METHODS.items():
        for part in (0.25, 0.5, 0.75, 1.0):
            points = []
            for run in figures["runs"][name].values():
                epoch = max(1, round(part * len(run["path"])))
                points.append(run["path"][epoch - 1])
            rows.append(
                (
                    label,
                    f"{part:.0%}",
                    shown([p["test200"] for p in points]),
                    shown([float(p["skips"]) for p in points]),
                    f"{fmean(p['entropy'] for p in points):.2f}",
                    f"{fmean(p['loss'] for p in points):.2f}",
                )
            )
    return (
        "## On the way\n\nThe cell that would have been taken after a part of the passes, the "
        "entropy of its weights (1 is uniform) and the supernet's training loss in nats.\n\n"
        + table(("searcher", "passes", "test accuracy", "skips", "entropy", "loss"), rows)
        + "\n![Test accuracy along the way](na_darts.svg)\n"
    )


LIMITS = """\
## What this does not show

- The supernet is far smaller than the benchmark's networks and was trained briefly: its entropy
  above says how far the decisions were from settled. It ranks cells by what a narrow, shallow,
  barely trained mixture makes of them.
- The paper's map from a mixture to its neighbors is not public; ours permutes the weights of one
  decision, and other maps may do better or worse.
- The benchmark's accuracies are those of networks with 16 channels and five cells a stage.
"""


def drawing(figures: Figures) -> str:
    """Accuracy against the part of the passes made, one line a seed."""
    width, height, left, top = 520, 260, 50, 20
    values = [p["test200"] for n in METHODS for r in figures["runs"][n].values() for p in r["path"]]
    low, high = 10 * math.floor(min(values) / 10), 95

    def y(value: float) -> float:
        return float(top + height * (high - value) / (high - low))

    parts = [rule(left, left + width, y(value), str(value)) for value in range(low, high + 1, 10)]
    mean = figures["benchmark"]["mean"]
    parts.append(
        f'<line x1="{left}" x2="{left + width}" y1="{y(mean):.1f}" y2="{y(mean):.1f}" '
        f'stroke="#888888" stroke-dasharray="4 3"/>'
    )
    for at, (name, label) in enumerate(METHODS.items()):
        for run in figures["runs"][name].values():
            n = len(run["path"])
            points = [
                (left + width * (i + 1) / n, y(p["test200"])) for i, p in enumerate(run["path"])
            ]
            parts.append(polyline(points, COLORS[name], ' stroke-width="1.5"'))
        parts.append(swatch(left + 90 * at, 313, COLORS[name], label))
    parts.append(
        f'<text x="{left + 210}" y="313">percent; a line a seed; dashed: mean over all cells</text>'
        f'<text x="{left + width}" y="{top + height + 14}" text-anchor="end">all passes</text>'
        f'<text x="{left}" y="{top + height + 14}">0</text>'
    )
    return svg(600, 330, "Test accuracy of the derived cell by passes", parts)


def page(figures: Figures) -> str:
    """The page in Markdown."""
    runs, scale = figures["runs"], figures["scale"]
    passes = {r["passes"] for of in runs.values() for r in of.values()}
    if len(passes) != 1:
        raise SystemExit(f"the trainings did not cost the same: {sorted(passes)} passes")
    seconds = sum(r["seconds"] for of in runs.values() for r in of.values())
    head = INTRODUCTION.format(
        images=scale["images"],
        half=scale["images"] // 2,
        neighbors=scale["neighbors"],
        per_step=2 + scale["neighbors"],
        long=figures["methods"]["darts"]["epochs"],
        short=figures["methods"]["na_darts"]["epochs"],
        passes=passes.pop(),
        batch=scale["batch"],
        decision_lr=scale["decision_lr"],
        seeds=min(len(of) for of in runs.values()),
        minutes=seconds / 60,
    )
    return "\n".join([head, _results(figures), _path(figures), LIMITS])


def main() -> None:
    """Reads the figures and writes the page."""
    write_page("na_darts", __doc__, page, drawing)


if __name__ == "__main__":
    main()
