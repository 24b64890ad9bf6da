"""The neighborhood of one center, drawn as a strip for each neighbor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from nasdsl.study.records import Trial

SHOWN = 40


def ball(center: Trial, trials: Sequence[Trial], unit: str, measure: str = "accuracy") -> str:
    """The accuracies of a center's neighbors against its own; nothing where there are none."""
    own = center.objectives.get(measure)
    if not center.neighbors or own is None:
        return ""
    by_number = {trial.number: trial for trial in trials}
    # One network may stand in two balls, and two decisions may give one network.
    rows = list({(n["edit"], n["fingerprint"], n["rank"]): n for n in center.neighbors}.values())
    valued = []
    for row in rows:
        trial = by_number.get(row["trial"]) if row["trial"] is not None else None
        value = None if trial is None else trial.objectives.get(measure)
        valued.append((value, trial, row))
    values = [value for value, _, _ in valued if value is not None] + [own]
    low, high = min(values), max(values)
    margin = (high - low) * 0.05 or 1.0
    low, high = low - margin, high + margin

    def place(value: float) -> float:
        return 100 * (value - low) / (high - low)

    valued.sort(key=lambda v: (v[0] is None, -(v[0] or 0.0), str(v[2]["edit"])))
    lines = "".join(
        _line(value, trial, row, own, place, center) for value, trial, row in valued[:SHOWN]
    )
    rest = len(valued) - SHOWN
    more = f'<p class="note">and {rest} more in the table</p>' if rest > 0 else ""
    return (
        f'<section class="card"><h2>Neighborhood of trial {center.number}</h2>'
        f'<p class="lead">{escape(measure)} of each neighbor{escape(unit and " in " + unit)}; '
        f"the line is the center's {own:.2f}.</p>"
        f'<div class="ball">{lines}</div>{more}</section>'
    )


def _line(
    value: float | None,
    trial: Trial | None,
    row: Mapping[str, Any],
    own: float,
    place: Any,
    center: Trial,
) -> str:
    edit = f'<span class="edit">{escape(str(row["edit"]))}{_changed(trial, row, center)}</span>'
    line = f'<u style="left:{place(own):.2f}%"></u>'
    if value is None:
        state = "not trained" if trial is None else trial.state
        return (
            f'{edit}<span class="track">{line}</span><span class="soft">{escape(state)}</span>'
            "<span></span>"
        )
    difference = value - own
    kind = "less" if difference < 0 else "more" if difference > 0 else "soft"
    return (
        f'{edit}<span class="track">{line}<i style="left:{place(value):.2f}%"></i></span>'
        f'<span>{value:.2f}</span><span class="diff {kind}">{difference:+.2f}</span>'
    )


def _changed(trial: Trial | None, row: Mapping[str, Any], center: Trial) -> str:
    """Where both are of the space and the trial was made for this neighbor: what differs."""
    number = "" if trial is None else f" #{trial.number}"
    if trial is None or center.decisions is None or trial.decisions is None:
        return f' <span class="soft">{number}</span>'
    if trial.rank != row["rank"]:
        return f' <span class="soft">{number}</span>'
    differing = [
        f"{name}: {_value(center.decisions.get(name))} → {_value(trial.decisions.get(name))}"
        for name in dict.fromkeys([*center.decisions, *trial.decisions])
        if center.decisions.get(name) != trial.decisions.get(name)
    ]
    return f' <span class="soft">{escape("; ".join(differing))}{number}</span>'


def _value(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, tuple | list):
        return "{" + ", ".join(map(str, value)) + "}"
    return str(value)
