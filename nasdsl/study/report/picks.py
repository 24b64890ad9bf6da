"""Networks of the front that stand for a trade-off, by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from nasdsl.study import pareto
from nasdsl.study.records import Trial
from nasdsl.study.report.aim import Aim


def picks(front: Sequence[Trial], aims: Sequence[Aim]) -> dict[str, Trial]:
    """Trials of a front of two or more objectives by what they stand for, in the order shown.

    The best in each objective (of equals the knee of them), the knee, and the balanced one; see
    :mod:`nasdsl.study.pareto`. Empty for a single objective and for an empty front.
    """
    directions = [aim.maximize for aim in aims]
    values = [[t.objectives.get(aim.name) for aim in aims] for t in front]
    knee, balanced = pareto.knee(values, directions), pareto.balanced(values, directions)
    if len(aims) < 2 or knee is None or balanced is None:
        return {}
    found: dict[str, Trial] = {}
    for j, aim in enumerate(aims):
        best = pareto.best([row[j] for row in values], aim.maximize)
        if best is None:
            continue
        equal = [i for i, row in enumerate(values) if row[j] == values[best][j]]
        among = pareto.knee([values[i] for i in equal], directions)
        at = best if among is None else equal[among]
        found[f"{'most' if aim.maximize else 'least'} {aim.name}"] = front[at]
    return {**found, "knee": front[knee], "balanced": front[balanced]}


def section(
    front: Sequence[Trial], aims: Sequence[Aim], best: int | None, units: Mapping[str, str]
) -> str:
    """The picks as a part of the page, a row for each network; empty where there are none."""
    names: dict[int, list[str]] = {}
    trials: dict[int, Trial] = {}
    for name, trial in picks(front, aims).items():
        names.setdefault(trial.number, []).append(name)
        trials[trial.number] = trial
    if not names:
        return ""
    head = "".join(
        f"<th>{escape(aim.name)}{_unit(units.get(aim.name, aim.unit))}</th>" for aim in aims
    )
    rows = "".join(
        f"<tr><td>{escape(', '.join(said))}</td>"
        f"<td>{number}{' (best)' if number == best else ''}</td>"
        + "".join(f"<td>{_value(trials[number], aim)}</td>" for aim in aims)
        + "</tr>"
        for number, said in names.items()
    )
    return (
        '<section class="card"><h2>Trade-offs</h2><p class="lead">Networks of the front. Knee: '
        "farthest from the line, or plane, between the ends. Balanced: the one whose largest loss is "
        "the smallest, losses as parts of the front's extent.</p>"
        f'<div class="scroll"><table class="plainly"><thead><tr><th>pick</th><th>trial</th>{head}'
        f"</tr></thead><tbody>{rows}</tbody></table></div></section>"
    )


def _unit(unit: str) -> str:
    return f", {escape(unit)}" if unit else ""


def _value(trial: Trial, aim: Aim) -> str:
    return f"{trial.objectives[aim.name]:,.6g}"
