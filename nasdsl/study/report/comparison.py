"""Networks that were measured by hand, side by side, as one HTML page that opens offline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING

from nasdsl.study.report import profiles
from nasdsl.study.report.curves import strips, swatch

if TYPE_CHECKING:
    from nasdsl.study.scoring import Assessment, Score


def comparison(
    title: str,
    doc: str,
    assessed: Sequence[tuple[str, Assessment]],
    settings: Mapping[str, str],
) -> str:
    """The page as HTML. All text from outside is escaped; nothing is loaded from anywhere.

    Args:
        title: the space's name.
        doc: its description.
        assessed: label and outcome of each network, in the order of their colors.
        settings: caption and value pairs: data, training, seed.
    """
    here = files("nasdsl.study.report")
    style = "".join(
        here.joinpath(name).read_text(encoding="utf-8") for name in ("page.css", "curves.css")
    )
    labels = [label for label, _ in assessed]
    named = [(label, found.profile) for label, found in assessed]
    # A network without a profile keeps its color: the others are drawn under their own places.
    known = [(label, profile) for label, profile in named if profile is not None]
    facts = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in settings.items()
    )
    drawn = profiles.parts(known, [labels.index(label) for label, _ in known])
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; \
style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
<title>{escape(title)}, networks compared · nasdsl</title>
<style>{style}</style></head>
<body><main>
<header><h1>{escape(title)}: {len(assessed)} network{"" if len(assessed) == 1 else "s"}</h1>
<p>{escape(doc)}</p></header>
<section class="card measured"><h2>Measured</h2>{_scores(assessed)}{_reasons(assessed)}</section>
<section class="card"><h2>Away from the training samples</h2>
<p class="lead">Evaluation of trained networks on the validation samples, each made harder in its
own way. A search that names no such metric in its objectives never sees them.</p>
{profiles.legend(labels)}{drawn or '<p class="note">Nothing was asked for.</p>'}</section>
{_neighborhoods(assessed)}
<section class="card"><h2>Settings</h2><dl>{facts}</dl></section>
<footer>Written by nasdsl. Values are of the validation samples.</footer>
</main></body></html>
"""


def _scores(assessed: Sequence[tuple[str, Assessment]]) -> str:
    names = list(dict.fromkeys(s.metric for _, found in assessed for s in found.scores))
    head = "".join(f"<th>{swatch(i)}{escape(label)}</th>" for i, (label, _) in enumerate(assessed))
    rows = []
    for name in names:
        cells = []
        unit, definition = "", ""
        for _, found in assessed:
            one = next((s for s in found.scores if s.metric == name), None)
            cells.append(f"<td>{escape(_value(one))}</td>")
            if one is not None:
                unit, definition = one.unit, one.definition
        caption = f'<td title="{escape(definition)}">{escape(name)}{escape(unit and f" [{unit}]")}'
        rows.append(f"<tr>{caption}</td>{''.join(cells)}</tr>")
    return (
        '<div class="scroll"><table class="plainly"><thead><tr><th>metric</th>'
        f"{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _value(score: Score | None) -> str:
    if score is None:
        return ""
    if score.value is None:
        return "failed"
    if isinstance(score.value, int):
        return f"{score.value:,}"
    digits = 2 if abs(score.value) >= 1 else 4
    text = f"{score.value:,.{digits}f}"
    return text if score.spread is None else f"{text} ± {score.spread:,.{digits}f}"


def _reasons(assessed: Sequence[tuple[str, Assessment]]) -> str:
    told = [
        (label, f"{score.metric} has no value: {score.reason}")
        for label, found in assessed
        for score in found.scores
        if score.value is None
    ]
    told += [
        (label, f"not looked at any further: {found.reason}")
        for label, found in assessed
        if found.reason is not None and found.profile is None
    ]
    return "".join(
        f'<p class="warn">{escape(label)}: {escape(reason)}</p>' for label, reason in told
    )


def _neighborhoods(assessed: Sequence[tuple[str, Assessment]]) -> str:
    if not any(found.neighbors for _, found in assessed):
        return ""
    rows = [
        (
            label,
            found.accuracy,
            [(near.edit, near.accuracy) for near in found.neighbors if near.accuracy is not None],
        )
        for label, found in assessed
    ]
    table = []
    for (label, own, near), (_, found) in zip(rows, assessed, strict=True):
        values = sorted(value for _, value in near)
        lost = len(found.neighbors) - len(near)
        table.append(
            [
                label,
                "-" if own is None else f"{own:.2f}",
                *(
                    f"{value:.2f}"
                    for value in (
                        sum(values) / len(values),
                        (values[(len(values) - 1) // 2] + values[len(values) // 2]) / 2,
                        values[0],
                    )
                ),
                f"{len(values)}" + (f" ({lost} failed)" if lost else ""),
            ]
            if values
            else [label, "-" if own is None else f"{own:.2f}", "-", "-", "-", f"0 ({lost} failed)"]
        )
    head = ["accuracy in %", "itself", "mean of neighbors", "median", "worst", "neighbors"]
    title = "Accuracies of the neighbors of each network"
    return (
        '<section class="card"><h2>Neighborhoods</h2><p class="lead">A dot is a neighbor under '
        "the file's edit rules, trained by itself; the thick line is the network itself, the "
        "dashed one the mean of its neighbors. Drawn with the seed of the call, so that the same "
        f"neighbors come again.</p>{strips(rows, title)}{profiles.table(head, table)}</section>"
    )
