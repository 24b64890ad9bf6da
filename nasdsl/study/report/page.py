"""The page of a run as one HTML text: style, script, data and drawings are all inside."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from importlib.resources import files
from typing import Any

from nasdsl.objectives.profile import Profile
from nasdsl.study.records import Trial
from nasdsl.study.report import anytime, picks, profiles
from nasdsl.study.report.aim import Aim
from nasdsl.study.report.ball import ball

LARGEST_INTEGER = 2**53
"""What JavaScript counts exactly; larger ranks and all seeds would be rounded."""


@dataclass(frozen=True, slots=True)
class Page:
    """What the page shows.

    Attributes:
        title: the space's name; ``doc`` its description.
        facts: short facts for the head, value by caption.
        aims: the objectives of the front.
        units: unit by name, for all that is measured.
        trials: the trial table.
        front: numbers of the trials on the front.
        best: number of the best trial, and ``best_by``: the objective that picked it, ``None``
            for the knee.
        figures: what ``best/metrics.json`` says, where it is written.
        drawings: SVG texts by trial number.
        settings: caption and value pairs.
        text: the file's text; ``overrides`` what the command line changed.
        warnings: remarks on the text.
        profiles: number of the trial and profile, of the networks that were looked at away from
            what they were trained on.
    """

    title: str
    doc: str
    facts: Mapping[str, str]
    aims: Sequence[Aim]
    units: Mapping[str, str]
    trials: Sequence[Trial]
    front: Sequence[int]
    best: int | None
    best_by: str | None
    text: str
    figures: Mapping[str, Any] = field(default_factory=dict)
    drawings: Mapping[int, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    overrides: Mapping[str, str] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    profiles: Sequence[tuple[int, Profile]] = ()


def page(content: Page) -> str:
    """The page as HTML. All text from outside is escaped; nothing is loaded from anywhere."""
    here = files("nasdsl.study.report")
    style = "".join(
        here.joinpath(name).read_text(encoding="utf-8") for name in ("page.css", "curves.css")
    )
    script = here.joinpath("page.js").read_text(encoding="utf-8")
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; \
style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
<title>{escape(content.title)} · nasdsl</title>
<style>{style}</style></head>
<body><main>
<header><h1>{escape(content.title)}</h1><p>{escape(content.doc)}</p></header>
{_warnings(content)}
<section class="tiles">{_tiles(content.facts)}</section>
<div class="grid"><div>{_plot()}{_picks(content)}{_ball(content)}{_detail()}</div>
<div>{_best(content)}{_networks(content)}</div></div>
{anytime.section(content.trials, content.aims)}
{_robustness(content)}
{_table(content)}
{_sources(content)}
<footer>Written by nasdsl. Values are of the validation samples unless they say test.</footer>
</main>
<script type="application/json" id="data">{_data(content)}</script>
<script>{script}</script>
</body></html>
"""


def _tiles(facts: Mapping[str, str]) -> str:
    return "".join(
        f'<div class="tile"><b>{escape(value)}</b><span>{escape(caption)}</span></div>'
        for caption, value in facts.items()
    )


def _warnings(content: Page) -> str:
    return "".join(f'<p class="warn">{escape(text)}</p>' for text in content.warnings)


def _plot() -> str:
    return """<section class="card"><h2>Objectives</h2>
<div class="controls"><label>across <select id="x"></select></label>
<label>up <select id="y"></select></label>
<label><input type="checkbox" id="neighbors" checked> neighbors</label></div>
<svg id="plot" role="img" aria-label="Trials by two objectives"></svg>
<div class="legend"><span><i style="background:var(--front)"></i>on the Pareto front of all
objectives</span><span><i style="background:var(--accent)"></i>other centers</span>
<span><i style="background:var(--mute)"></i>neighbors</span>
<span>- - - front of these two</span></div></section>"""


def _ball(content: Page) -> str:
    best = _trial(content, content.best)
    return "" if best is None else ball(best, content.trials, content.units.get("accuracy", ""))


def _trial(content: Page, number: int | None) -> Trial | None:
    return next((t for t in content.trials if t.number == number), None)


def _best(content: Page) -> str:
    best = _trial(content, content.best)
    if best is None:
        return (
            '<section class="card"><h2>Best network</h2>'
            '<p class="note">No trial has succeeded so far.</p></section>'
        )
    by = f"Best {content.best_by}" if content.best_by else "The knee of the Pareto front"
    boxes = [
        (name, _figure(value), content.units.get(name, ""), "")
        for name, value in best.objectives.items()
    ]
    for name, value in content.figures.get("test", {}).items():
        boxes.append((f"{name}, test", _figure(value), content.units.get(name, ""), "test"))
    shown = "".join(
        f'<div class="{kind}"><b>{escape(value)}{escape(unit and " " + unit)}</b>'
        f"<span>{escape(name)}</span></div>"
        for name, value, unit, kind in boxes
    )
    trained = content.figures.get("trained_on")
    note = (
        f"Trained on {trained}; measured once on the test samples."
        if trained
        else str(content.figures.get("note", "Not measured on the test samples yet."))
    )
    return (
        f'<section class="card"><h2>Best network: trial {best.number}</h2>'
        f'<p class="lead">{escape(by)}. {escape(note)}</p><div class="figures">{shown}</div></section>'
    )


def _picks(content: Page) -> str:
    front = [t for t in content.trials if t.number in content.front]
    return picks.section(front, content.aims, content.best, content.units)


def _figure(value: float) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.2f}" if abs(value) >= 1 else f"{value:.4f}"


def _robustness(content: Page) -> str:
    """The networks of the front away from what they were trained on; nothing without profiles."""
    if not content.profiles:
        return ""
    named = [
        (f"trial {number}{' (best)' if number == content.best else ''}", found)
        for number, found in content.profiles
    ]
    used = content.settings.get("samples of the search", "")
    return (
        '<section class="card"><h2>Away from the training samples</h2>'
        '<p class="lead">Evaluation after the search, on the test samples: nothing was chosen by '
        f"these values. {escape(used and f'The search used {used}.')}</p>"
        f"{profiles.legend([label for label, _ in named])}{profiles.parts(named)}</section>"
    )


def _detail() -> str:
    return (
        '<section class="card"><h2>Selected trial</h2><div id="detail" class="scroll">'
        "<noscript>This part needs JavaScript.</noscript></div></section>"
    )


def _networks(content: Page) -> str:
    if not content.drawings:
        return ""
    order = sorted(content.drawings, key=lambda n: (n != content.best, n))
    chips = "".join(
        f'<button type="button" data-number="{n}" '
        f'aria-pressed="{"true" if k == 0 else "false"}">'
        f"#{n}{' best' if n == content.best else ''}</button> "
        for k, n in enumerate(order)
    )
    shown = "".join(
        f'<div class="drawing{" shown" if k == 0 else ""}" id="drawing-{n}">'
        f"{content.drawings[n]}</div>"
        for k, n in enumerate(order)
    )
    return (
        '<section class="card"><h2>Networks of the front</h2>'
        f'<div class="controls" id="chips">{chips}</div>'
        f'<div class="scroll">{shown}</div></section>'
    )


def _table(content: Page) -> str:
    return """<section class="card"><h2>Trials</h2><div class="controls">
<label><input type="checkbox" id="centers"> centers only</label>
<span>click a column to sort, a row for its details</span></div>
<div class="scroll"><table id="trials"><thead><tr></tr></thead><tbody></tbody></table></div>
<p><button type="button" id="more" hidden></button></p></section>"""


def _sources(content: Page) -> str:
    aims = "".join(
        f"<dt>{'maximize' if aim.maximize else 'minimize'} {escape(aim.name)}</dt>"
        f"<dd>{escape(aim.definition)}</dd>"
        for aim in content.aims
    )
    settings = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>"
        for name, value in content.settings.items()
    )
    overrides = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>"
        for name, value in content.overrides.items()
    )
    changed = f"<h3>Overridden on the command line</h3><dl>{overrides}</dl>" if overrides else ""
    return (
        '<div class="grid"><section class="card"><h2>The file</h2>'
        f"<pre>{escape(content.text)}</pre></section>"
        f'<section class="card"><h2>Settings</h2><dl>{settings}</dl>{changed}'
        f'<h3>Objectives</h3><dl class="stacked">{aims}</dl></section></div>'
    )


def _data(content: Page) -> str:
    measures = list(
        dict.fromkeys(
            [a.name for a in content.aims] + [n for t in content.trials for n in t.objectives]
        )
    )
    names = [aim.name for aim in content.aims]
    least = [aim.name for aim in content.aims if not aim.maximize]
    # What costs is usually written last, and is what the eye expects across.
    across = (least or names[1:] or ["trial"])[-1]
    up = next((n for n in names if n != across), across)
    data = {
        "aims": [{"name": a.name, "maximize": a.maximize} for a in content.aims],
        "measures": measures,
        "units": dict(content.units),
        "x": across,
        "y": up,
        "front": list(content.front),
        "best": content.best,
        "trials": [_record(t) for t in content.trials],
    }
    # In a script element only "</" and "<!--" could end the data; no "<" is left at all.
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _record(trial: Trial) -> dict[str, Any]:
    record = trial.to_json()
    timing = record.pop("timing")
    for name in ("network", "neighbors"):
        del record[name]
    del record["seed"]
    if trial.rank is not None and trial.rank > LARGEST_INTEGER:
        record["rank"] = str(trial.rank)
    return {**record, "seconds": timing.get("seconds")}
