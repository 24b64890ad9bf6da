"""The page of the study of neighborhood-aware search: tables and curves, from its figures.

    python examples/studies/neighborhood_search_page.py neighborhood_search.json docs/studies

Writes neighborhood_search.md and neighborhood_search.svg into the folder. Every number on the
page, those in the sentences too, is read from the file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from study_frame import Figures, polyline, rule, svg, table, write_page

DATASETS = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100", "imagenet16": "ImageNet16-120"}
MEASURES = {"test200": "test", "corruptions": "corruptions", "pgd": "PGD"}
PLAIN = ("random", "local", "evolution", "surrogate")
DRAWN = {
    "random": "#8a8f98",
    "local": "#c0562b",
    "evolution": "#4d8a3d",
    "surrogate": "#1f5fa8",
    "surrogate_aware": "#7a4fa3",
    "na_evolution": "#b8860b",
}
FLOOR = {"cifar10": 92.0, "cifar100": 67.0, "imagenet16": 40.0}
"""Where the plots begin; what lies below is cut off."""

INTRODUCTION = """\
# Neighborhood-aware search

Does it pay to judge an architecture by its neighborhood instead of by itself? {count} searchers
look for the best cell of NAS-Bench-201 by its validation accuracy after 12 epochs, over
{seeds} seeds and {evaluations} evaluations each. A pick is judged by three published values: test
accuracy after 200 epochs, mean accuracy over the 15 corruptions at five severities, and accuracy
under PGD at 1/255. Nothing is trained: the values are those of Dong and Yang (2020) and of Jung,
Lukasik and Keuper (2023). The settings are the same on all three data sets; there are no published
corruptions for ImageNet16-120.

An evaluation is one network measured. Networks measured as neighbors count; isomorphic cells
are one network, and what was measured before costs nothing. Two kinds of searchers look at
neighborhoods:

- `na_random` and `na_evolution` measure {neighbors} drawn neighbors with each proposal, pay for
  them, and take the mean of the {members} values for the proposal's own (the neighborhood-aware
  search of Wang and others, 2021).
- Those named `..._aware` measure exactly as many networks as their plain twins, and none for the
  neighborhood's sake. In the end they pick by predicted neighborhoods: a Gaussian process learns
  from what was measured, and a proposal counts half by its own prediction, half by the mean
  over itself and its 24 neighbors. `random_aware`, `local_aware`, `surrogate_aware` and
  `evolution_aware_pick` have made the very proposals of their twins. `evolution_aware_parents` judges parents
  by the mean of their own value and of that of the neighbors measured so far, and picks by value;
  `evolution_aware` does both.

Figures are means over the seeds with 95 % intervals (Student's); differences are taken seed by
seed. They speak of the searchers' randomness only: the table is one, with one training run
behind each validation accuracy.

    python examples/studies/neighborhood_search.py --json neighborhood_search.json
    python examples/studies/neighborhood_search_page.py neighborhood_search.json docs/studies

This page was written from a run of {processor:.0f} s of processor time in {jobs} processes, which
took {seconds:.0f} s of wall time on a machine of two cores.
"""


def _estimate(found: Mapping[str, float] | None, sign: bool = False) -> str:
    if found is None:
        return "-"
    mean = f"{found['mean']:+.2f}" if sign else f"{found['mean']:.2f}"
    return f"{mean.replace('-0.00', '0.00').replace('+0.00', '0.00')} ± {found['half_width']:.2f}"


def verdict(found: Mapping[str, float]) -> str:
    """What an interval of a difference says."""
    if found["half_width"] == 0 and abs(found["mean"]) < 5e-3:
        return "the same"
    if found["mean"] - found["half_width"] > 0:
        return "better"
    if found["mean"] + found["half_width"] < 0:
        return "worse"
    return "not told apart"


def _results(figures: Figures, dataset: str) -> str:
    rows = figures["results"][dataset]
    measures = [m for m in MEASURES if m in next(iter(rows.values()))]
    best = figures["optima"][dataset]
    body = [[f"`{n}`", *(_estimate(row[m]) for m in measures)] for n, row in rows.items()]
    tied = best["cells_of_best_val12"]
    title = f"best validation accuracy ({tied} cell{'s' if tied > 1 else ''})"
    body.append([title, *_plain(best["of_best_val12"], measures)])
    body.append(["greatest of the table, each by itself", *_plain(best["greatest"], measures)])
    return f"### {DATASETS[dataset]}\n\n" + table(
        ["searcher", *(MEASURES[m] for m in measures)], body
    )


def _plain(values: Mapping[str, float], measures: Sequence[str]) -> list[str]:
    return [f"{values[m]:.2f}" for m in measures]


def _leaders(figures: Figures) -> str:
    rows = figures["results"]["cifar10"]
    best = max(PLAIN, key=lambda n: rows[n]["test200"]["mean"])
    return (
        f"On CIFAR-10 the best plain searcher is `{best}`: test accuracy "
        f"{_estimate(rows[best]['test200'])}, corruptions {_estimate(rows[best]['corruptions'])}, "
        f"where random search has {_estimate(rows['random']['test200'])} and "
        f"{_estimate(rows['random']['corruptions'])}.\n"
    )


def _twins(figures: Figures) -> str:
    text = (
        "## Against their plain twins, at equal evaluations\n\n"
        "Difference of the neighborhood-aware searcher to its twin, in points.\n\n"
    )
    body = []
    for dataset, title in DATASETS.items():
        for name, row in figures["differences"][dataset].items():
            body.append(
                [title, f"`{name}`", f"`{row['twin']}`"]
                + [_estimate(row.get(m), sign=True) for m in MEASURES]
                + [verdict(row["test200"])]
            )
    heads = ["data", "searcher", "twin", *MEASURES.values(), "test accuracy is"]
    return text + table(heads, body) + "\n" + _said(figures)


def _said(figures: Figures) -> str:
    aware = {d: figures["differences"][d]["surrogate_aware"]["test200"] for d in DATASETS}
    told = "; ".join(
        f"{DATASETS[d]} {verdict(row)} ({_estimate(row, sign=True)})" for d, row in aware.items()
    )
    parents = {d: figures["differences"][d]["evolution_aware_parents"]["test200"] for d in DATASETS}
    tried = "; ".join(
        f"{DATASETS[d]} {verdict(row)} ({_estimate(row, sign=True)})" for d, row in parents.items()
    )
    return (
        "The best neighborhood-aware searcher is `surrogate_aware`. Test accuracy against its "
        f"twin: {told}. Its proposals are those of the twin; what differs is the pick. "
        f"{_left(figures)}\n\n"
        "What was tried and does not pay: parents judged with the neighbors that are known, "
        f"{tried}; and measuring neighbors, see below.\n"
    )


def _left(figures: Figures) -> str:
    """How far the cell of the best validation accuracy is from the best network."""
    found = []
    for dataset, title in DATASETS.items():
        best = figures["optima"][dataset]
        gap = best["greatest"]["test200"] - best["of_best_val12"]["test200"]
        found.append(f"{title} {gap:.2f}")
    return (
        "It cannot gain where the cell of the best validation accuracy is the best network; its "
        f"test accuracy (the mean where cells tie) is below the greatest by: {', '.join(found)}."
    )


def _prices(figures: Figures) -> str:
    names = list(next(iter(figures["prices"].values()))["results"])
    body = []
    at_least: list[str] = []
    for name in names:
        rows = {"1.0": figures["results"]["cifar10"][name]} | {
            p: both["results"][name] for p, both in figures["prices"].items()
        }
        gaps = {"1.0": figures["differences"]["cifar10"][name]} | {
            p: both["differences"][name] for p, both in figures["prices"].items()
        }
        for price, row in rows.items():
            gap = gaps[price]["test200"]
            if gap["mean"] + gap["half_width"] >= 0:
                at_least.append(f"`{name}` at {price}")
            found = [_estimate(row["test200"]), _estimate(row["corruptions"])]
            twin = [f"`{gaps[price]['twin']}`", _estimate(gap, sign=True)]
            body.append([f"`{name}`", price, *found, *twin])
    said = (
        f"Not told apart from the twin, or better: {', '.join(at_least)}."
        if at_least
        else "At no price is one of them as good as its twin, not even where neighbors are free."
    )
    heads = ["searcher", "a neighbor costs", "test", "corruptions", "twin", "test, difference"]
    return (
        "## What a neighbor may cost\n\n"
        f"CIFAR-10, {figures['evaluations']} evaluations' worth; a proposal costs one.\n\n"
        + table(heads, body)
        + "\n"
        + said
        + "\n"
    )


def curves(figures: Figures) -> str:
    """Test accuracy of what would be picked, by evaluations, as an SVG of three plots."""
    width, height, left, top, gap = 250, 200, 46, 30, 56
    total = left + 3 * width + 2 * gap + 12
    marks: list[float] = [float(m) for m in figures["marks"]]
    parts = []
    for index, (dataset, title) in enumerate(DATASETS.items()):
        x0 = left + index * (width + gap)
        low = FLOOR[dataset]
        high = figures["optima"][dataset]["greatest"]["test200"]
        parts.append(f'<text x="{x0}" y="{top - 12}" font-weight="bold">{title}</text>')
        for step in range(5):
            value = low + (high - low) * step / 4
            y = top + height - height * step / 4
            parts.append(rule(x0, x0 + width, y, f"{value:.1f}"))
        for mark in marks:
            x = x0 + width * mark / marks[-1]
            parts.append(
                f'<text x="{x:.1f}" y="{top + height + 16}" text-anchor="middle">{mark:.0f}</text>'
            )
        for name, color in DRAWN.items():
            column = figures["curves"][dataset].get(name, {}).get("test200", [])
            points = [
                (x0 + width * m / marks[-1], top + height * (1 - (e["mean"] - low) / (high - low)))
                for m, e in zip(marks, column, strict=False)
                if e["mean"] >= low
            ]
            dash = ' stroke-dasharray="5 3"' if name not in PLAIN else ""
            parts.append(polyline(points, color, f' stroke-width="1.8"{dash}'))
    for k, (name, color) in enumerate(DRAWN.items()):
        x, y = left + k * 145, top + height + 44
        parts.append(
            f'<line x1="{x}" y1="{y - 4}" x2="{x + 22}" y2="{y - 4}" stroke="{color}" '
            f'stroke-width="2"/><text x="{x + 27}" y="{y}">{name}</text>'
        )
    return svg(total, top + height + 64, "Test accuracy of the pick by evaluations", parts)


def page(figures: Figures) -> str:
    """The page."""
    head = INTRODUCTION.format(
        count=len(figures["results"]["cifar10"]),
        seeds=figures["seeds"],
        evaluations=figures["evaluations"],
        neighbors=figures["neighbors"],
        members=figures["neighbors"] + 1,
        processor=figures["processor_seconds"],
        seconds=figures["seconds"],
        jobs=figures["jobs"],
    )
    tables = "\n".join(_results(figures, dataset) for dataset in DATASETS)
    plot = (
        "## On the way\n\nTest accuracy of what would be picked after so many evaluations; dashed: "
        "neighborhood-aware.\n\n![Test accuracy by evaluations](neighborhood_search.svg)\n"
    )
    parts = (head, "## Results\n", _leaders(figures), tables, plot, _twins(figures))
    return "\n".join((*parts, _prices(figures)))


def main() -> None:
    """Reads the figures and writes the page."""
    write_page("neighborhood_search", __doc__, page, curves)


if __name__ == "__main__":
    main()
