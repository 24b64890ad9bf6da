"""The page of the study of proxies and robustness: its tables and its plot, from its figures.

    python examples/studies/proxies_to_robustness_page.py proxies_to_robustness.json docs/studies

Writes proxies_to_robustness.md and proxies_to_robustness.svg into the folder. Every number on
the page, those in the sentences too, is read from the file.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, stdev

from study_frame import Figures, interval, polyline, rule, svg, swatch, table, write_page

TARGETS = ("clean", "fgsm", "pgd", "apgd", "square", "corruptions")
HEADS = {
    "clean": "clean",
    "fgsm": "FGSM",
    "pgd": "PGD",
    "apgd": "APGD",
    "square": "Square",
    "corruptions": "corruptions",
}
SETS = {
    "proxies": "13 proxies",
    "one_hot": "one-hot edges (30)",
    "op_counts": "operation counts (5)",
    "proxies_one_hot": "proxies and one-hot (43)",
    "top_1": "top-1 proxy only",
    "without_top_1": "without the top-1 proxy",
}
DRAWN = {
    "proxies": "#1f5fa8",
    "one_hot": "#c0562b",
    "op_counts": "#4d8a3d",
    "proxies_one_hot": "#7a4fa3",
}
EXPECTED = {"clean": 0.90, "fgsm": 0.83, "pgd": 0.56, "apgd": 0.56, "square": 0.62}
TOLERANCE = 0.03

INTRODUCTION = """\
# Zero-cost proxies and robustness

How well do zero-cost proxies, computed before any training, tell how robust a network will be?
Random forests (100 trees) learn the clean and the robust accuracy of {cells:,} NAS-Bench-201
networks, trained in the ordinary way on CIFAR-10, from 13 published proxies: one cell of each
isomorphism class that has published proxies. A split draws the training cells at random and
tests on all others. The protocol is that of Lukasik, Moeller and Keuper (2023); the robust
accuracies are those of Jung, Lukasik and Keuper (2023). New here: the baselines that need no
proxy, and the 15 corruptions of CIFAR-10-C as targets.

Attacks are at 1/255 in the maximum norm; *corruptions* is the mean accuracy over the 15
corruptions at their five severities. Of the 15 proxies of the paper, two (the Frobenius norm of
the Jacobian and the largest eigenvalue of the Hessian) are not in the published tables and are
left out. *Clean* is the test accuracy of the very networks that were attacked.

    python examples/studies/proxies_to_robustness.py --json proxies_to_robustness.json{option}
    python examples/studies/proxies_to_robustness_page.py proxies_to_robustness.json docs/studies

{spread}
The networks and their proxies stay the same throughout. This page was written from a run of
{seconds:.0f} s of wall time with {jobs} processes, beside whatever else the machine did.
"""


SEVERAL = """\
Figures are means over {splits} splits, with the standard deviation over the splits where a ± is
shown; 95 % intervals of differences are Student's, of the {splits} paired differences. They
speak of the draw of the training cells only."""
SINGLE = """\
Figures are of a single split: they have no intervals, and no difference between two of them is
shown to outlast another draw, least of all at the smallest size."""


def _number(value: float) -> str:
    return f"{value:.2f}".replace("-0.00", "0.00")


def _spread(values: Sequence[float]) -> str:
    if len(values) < 2:
        return _number(values[0])
    return f"{_number(fmean(values))} ± {_number(stdev(values))}"


def _comparison(figures: Figures, size: str, first: str, second: str, target: str) -> str:
    """Who is ahead on a target, with the interval that says so."""
    values = [figures["forests"][name][size][target]["r2"] for name in (first, second)]
    mean, low, high = interval([a - b for a, b in zip(*values, strict=True)])
    text = f"{HEADS[target]} {mean:+.2f}"
    if not math.isfinite(low):
        return text
    text += f" [{low:+.2f}, {high:+.2f}]"
    if low > 0 or high < 0:
        return text
    return f"{text} (not told apart)"


def _agreement(figures: Figures) -> str:
    size = str(max(map(int, figures["r2"])))
    rows, within = [], True
    for target, expected in EXPECTED.items():
        found = figures["r2"][size][target]
        within = within and abs(found - expected) <= TOLERANCE
        rows.append((HEADS[target], _number(expected), _number(found), f"{found - expected:+.3f}"))
    verdict = (
        f"All five lie within {TOLERANCE} of it."
        if within
        else f"Not all lie within {TOLERANCE} of it."
    )
    return (
        f"## Reproduction, {size} training cells\n\n"
        "R2 against an earlier, independent computation from other copies of the tables, in which "
        f"clean was the validation accuracy. {verdict} The paper, with 15 proxies, has .93, .84, "
        ".56 and .56 for the first four, as a reader's notes of it say.\n\n"
        + table(("target", "earlier", "here", "difference"), rows)
    )


def _sizes(figures: Figures) -> str:
    rows = [
        (
            size,
            *(
                f"{_spread(figures['forests']['proxies'][size][t]['r2'])} "
                f"({_number(figures['tau'][size][t])})"
                for t in TARGETS
            ),
        )
        for size in figures["r2"]
    ]
    joint = [
        (
            size,
            *(
                f"{_spread(figures['joint'][size][t]['r2'])} "
                f"({_number(fmean(figures['joint'][size][t]['clean_r2']))})"
                for t in TARGETS[1:]
            ),
        )
        for size in figures["joint"]
    ]
    return (
        "## R2 by number of training cells\n\n"
        "Single targets, 13 proxies; in brackets Kendall's tau of the predictions.\n\n"
        + table(("training cells", *HEADS.values()), rows)
        + "\nOne forest for clean and one robust accuracy together: R2 of the robust one, in "
        "brackets that of clean.\n\n" + table(("training cells", *list(HEADS.values())[1:]), joint)
    )


def _sets(figures: Figures) -> str:
    rows = [
        (name, size, *(_number(fmean(figures["forests"][key][size][t]["r2"])) for t in TARGETS))
        for key, name in SETS.items()
        for size in figures["r2"]
    ]
    sizes = list(figures["r2"])
    lines = []
    for size in (sizes[0], sizes[-1]):
        for first, second in (("proxies", "one_hot"), ("proxies_one_hot", "proxies")):
            told = "; ".join(_comparison(figures, size, first, second, t) for t in TARGETS)
            lines.append(f"- {size} cells, {SETS[first]} less {SETS[second]}: {told}.")
    last = sizes[-1]
    told = "; ".join(_comparison(figures, last, "proxies", "without_top_1", t) for t in TARGETS)
    lines.append(
        f"- {last} cells, {SETS['proxies']} less the same {SETS['without_top_1']}: {told}."
    )
    with_intervals = " with 95 % intervals" if figures["settings"]["splits"] > 1 else ""
    tops = ", ".join(f"{HEADS[t]} `{figures['top_1'][t]}`" for t in TARGETS)
    return (
        "## Baselines and controls\n\nR2 on the test cells. The top-1 proxy is the one of the "
        f"largest permutation importance below: {tops}. It was chosen over all cells, test cells "
        "among them, which favors *top-1 only*.\n\n"
        + table(("features", "cells", *HEADS.values()), rows)
        + f"\nDifferences of R2{with_intervals}:\n\n"
        + "\n".join(lines)
        + "\n\n![R2 by number of training cells](proxies_to_robustness.svg)\n"
    )


def _importance(figures: Figures) -> str:
    important, alone = figures["importance"], figures["proxy_tau"]
    rows = [
        (
            f"`{p}`",
            *(f"{_number(important[t][p])} ({_number(alone[t][p])})" for t in TARGETS),
        )
        for p in figures["settings"]["proxies"]
    ]
    return (
        "## Which proxies matter\n\n"
        "The fall of R2 when a proxy is permuted (four fifths train, one fifth tests, "
        f"splits: {figures['settings']['importance_splits']}), in brackets Kendall's tau of the "
        "proxy alone with the target, over all cells. Proxies that measure nearly the same "
        "(`snip`, `grad_norm`, `fisher`; `flops`, `params`) share their importance: a small one "
        "does not say that a proxy is of no use.\n\n" + table(("proxy", *HEADS.values()), rows)
    )


def _corruptions(figures: Figures) -> str:
    sizes = list(figures["r2"])
    last = sizes[-1]
    names = [name for name in figures["r2"][last] if name not in TARGETS]
    names.sort(key=figures["r2"][last].__getitem__, reverse=True)
    rows = [
        (
            name.replace("_", " "),
            *(_number(figures["r2"][size][name]) for size in sizes),
            _number(figures["tau"][last][name]),
            _number(figures["clean_tau"][name]),
        )
        for name in names
    ]
    r2 = figures["r2"][last]
    return (
        "## The 15 corruptions\n\n"
        "Each target is the mean accuracy over a corruption's five severities; "
        f"13 proxies; splits: {figures['settings']['corruption_splits']}. The best predicted is "
        f"{names[0].replace('_', ' ')} (R2 {_number(r2[names[0]])}), the worst "
        f"{names[-1].replace('_', ' ')} ({_number(r2[names[-1]])}). Clean accuracy ranks the "
        f"networks by the mean over all with a tau of {_number(figures['clean_tau']['corruptions'])}"
        f"; the forest on {last} cells, which sees no trained network's accuracy when it "
        f"predicts, with {_number(figures['tau'][last]['corruptions'])}.\n\n"
        + table(
            (
                "corruption",
                *(f"R2, {size}" for size in sizes),
                f"tau, {last}",
                "tau of clean accuracy",
            ),
            rows,
        )
    )


def drawing(figures: Figures) -> str:
    """Small multiples as SVG: a panel per target, R2 against the training cells (log scale)."""
    sizes = list(figures["r2"])
    means = {
        (name, target): [fmean(figures["forests"][name][s][target]["r2"]) for s in sizes]
        for name in DRAWN
        for target in TARGETS
    }
    low = min(0.0, math.floor(5 * min(min(v) for v in means.values())) / 5)
    width, height, gap = 210, 150, 50
    logs = [math.log(int(size)) for size in sizes]
    span = max(logs) - min(logs) or 1.0
    total_width, total_height = 3 * (width + gap) + 10, 2 * (height + gap) + 40
    parts = []
    for at, target in enumerate(TARGETS):
        left, top = gap + (at % 3) * (width + gap), 30 + (at // 3) * (height + gap)
        parts.append(
            f'<text x="{left}" y="{top - 8}" font-weight="bold">R2, {HEADS[target]}</text>'
        )
        for step in range(round((1 - low) * 5) + 1):
            value = low + step / 5
            y = top + height * (1 - value) / (1 - low)
            shade = "#888888" if abs(value) < 1e-9 else "#dddddd"
            said = f"{abs(value) * (1 if value > -1e-9 else -1):.1f}"
            parts.append(rule(left, left + width, y, said, shade))
        xs = [left + 12 + (width - 24) * (log - min(logs)) / span for log in logs]
        parts += [
            f'<text x="{x:.1f}" y="{top + height + 14}" text-anchor="middle">{size}</text>'
            for x, size in zip(xs, sizes, strict=True)
        ]
        for name, color in DRAWN.items():
            ys = [top + height * (1 - v) / (1 - low) for v in means[name, target]]
            parts.append(polyline(zip(xs, ys, strict=True), color, ' stroke-width="2"'))
            parts += [
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{color}"/>'
                for x, y in zip(xs, ys, strict=True)
            ]
    for at, (name, color) in enumerate(DRAWN.items()):
        parts.append(swatch(gap + at * 185, total_height - 12, color, SETS[name]))
    label = "R2 of random forests by number of training cells, target and features"
    return svg(total_width, total_height, label, parts)


def page(figures: Figures) -> str:
    """The page in Markdown."""
    splits = figures["settings"]["splits"]
    head = INTRODUCTION.format(
        cells=figures["settings"]["cells"],
        option=f" --seeds {splits}",
        spread=SEVERAL.format(splits=splits) if splits > 1 else SINGLE,
        seconds=figures["seconds"],
        jobs=figures["jobs"],
    )
    parts = [
        head,
        _agreement(figures),
        _sizes(figures),
        _sets(figures),
        _importance(figures),
        _corruptions(figures),
    ]
    return "\n".join(parts)


def main() -> None:
    """Reads the figures and writes the page."""
    write_page("proxies_to_robustness", __doc__, page, drawing)


if __name__ == "__main__":
    main()
