"""The report's page: self-contained, escaped, and alive in a real browser where there is one."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from nasdsl.study.records import Trial
from nasdsl.study.report import Aim, Page, page
from nasdsl.study.report.ball import ball

EVIL = "</script><script>document.title='broken'</script><img src=x onerror=alert(1)>&\"'"


def center(number: int, accuracy: float, params: int, **options: Any) -> Trial:
    objectives = {"accuracy": accuracy, "params": params}
    options.setdefault("state", "complete")
    options.setdefault("rank", number)
    options.setdefault("decisions", {"width": 8 * number, "Op@1": "conv"})
    return Trial(
        number, f"f{number}", number, objectives=objectives, timing={"seconds": 1.5}, **options
    )


def neighbor_of(trial: Trial, edit: str) -> Mapping[str, Any]:
    return {
        "ball": "samples=2",
        "edit": edit,
        "rank": trial.rank,
        "fingerprint": trial.fingerprint,
        "trial": trial.number,
    }


OTHER = center(1, 70.0, 500, role="neighbor", center=0, edit="shrink")
WORSE = center(2, 85.5, 1500, role="neighbor", center=0, edit="grow")
CONTENT = Page(
    title="tiny",
    doc="a space",
    facts={"architectures": "4,032"},
    aims=(Aim("accuracy", True, "%", "share of right answers"), Aim("params", False)),
    units={"accuracy": "%", "params": ""},
    trials=[
        center(
            0,
            80.0,
            1000,
            neighbors=(
                neighbor_of(OTHER, "shrink"),
                neighbor_of(WORSE, "grow"),
                {**neighbor_of(OTHER, "lost"), "trial": None, "fingerprint": "zz"},
            ),
        ),
        OTHER,
        WORSE,
        center(3, 60.0, 10, rank=2**70),
        center(4, 0.0, 10, state="failed", reason="diverged at step 1: loss is nan"),
    ],
    front=[0, 3],
    best=0,
    best_by=None,
    text="space tiny\n",
    figures={"test": {"accuracy": 78.5}, "trained_on": "600 training samples"},
    drawings={0: "<svg class='nas-net'></svg>", 3: "<svg class='nas-net'></svg>"},
    settings={"search": "random"},
    overrides={"search.samples": "3"},
)


class Reader(HTMLParser):
    """Collects tags, what they refer to, the shown text and the data."""

    def __init__(self, text: str):
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.references: list[str] = []
        self.shown = ""
        self.scripts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in ("meta", "input", "br"):
            self.open.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "data", "action", "srcset") or name.startswith("on"):
                self.references.append(f"{name}={value}")
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        if "script" in self.open:
            self.scripts[-1] += data
        elif "style" not in self.open:
            self.shown += data


def read(content: Page) -> tuple[Reader, dict[str, Any]]:
    reader = Reader(page(content))
    assert reader.open == [], "every element is closed"
    data: dict[str, Any] = json.loads(reader.scripts[0])
    return reader, data


def test_the_page_refers_to_nothing_outside() -> None:
    reader, _ = read(CONTENT)
    assert reader.references == []
    text = page(CONTENT)
    assert "default-src 'none'" in text
    assert not re.search(r"@import|url\(|https?://(?!www\.w3\.org/2000/svg)", text)
    assert not {"link", "iframe", "object", "embed", "img"} & set(reader.tags)


def test_the_data_are_the_trials() -> None:
    _, data = read(CONTENT)
    assert [t["number"] for t in data["trials"]] == [0, 1, 2, 3, 4]
    assert data["front"] == [0, 3]
    assert (data["x"], data["y"]) == ("params", "accuracy")
    assert data["trials"][3]["rank"] == str(2**70), "JavaScript would round it"
    assert data["trials"][1]["rank"] == 1
    assert data["trials"][4]["reason"].startswith("diverged")


def test_what_is_shown_without_the_script() -> None:
    reader, _ = read(CONTENT)
    for text in ("tiny", "4,032", "80.00 %", "78.50 %", "600 training samples", "search.samples"):
        assert text in reader.shown
    assert "The knee of the Pareto front" in reader.shown
    assert "Best accuracy" in read(replace(CONTENT, best_by="accuracy"))[0].shown
    assert "Over the search" in reader.shown
    assert "most accuracy, knee, balanced" in reader.shown


def test_the_neighborhood_is_sorted_and_compared() -> None:
    text = ball(CONTENT.trials[0], CONTENT.trials, "%")
    reader = Reader(text)
    order = [reader.shown.index(word) for word in ("grow", "shrink", "lost")]
    assert order == sorted(order)
    assert "+5.50" in reader.shown
    assert "-10.00" in reader.shown
    assert "width: 0 → 16" in reader.shown
    assert "not trained" in reader.shown
    assert ball(CONTENT.trials[1], CONTENT.trials, "%") == "", "no neighbors, no section"


def test_a_run_without_success_and_one_that_has_only_begun() -> None:
    nothing = replace(CONTENT, trials=[], front=[], best=None, drawings={}, figures={})
    reader, data = read(nothing)
    assert "No trial has succeeded" in reader.shown
    assert data["best"] is None


def test_hostile_text_stays_text() -> None:
    evil = Trial(
        0,
        EVIL,
        0,
        rank=1,
        decisions={EVIL: EVIL},
        key=EVIL,
        state="complete",
        reason=EVIL,
        objectives={EVIL: 1.0, "accuracy": 2.0},
        neighbors=({**neighbor_of(OTHER, EVIL), "rank": 1},),
    )
    content = replace(
        CONTENT,
        title=EVIL,
        doc=EVIL,
        facts={EVIL: EVIL},
        aims=(Aim(EVIL, True, EVIL, EVIL),),
        units={EVIL: EVIL, "accuracy": EVIL},
        trials=[evil, OTHER],
        front=[0],
        best=0,
        best_by=EVIL,
        text=EVIL,
        figures={"test": {EVIL: 1.0}, "trained_on": EVIL},
        settings={EVIL: EVIL},
        overrides={EVIL: EVIL},
        warnings=[EVIL],
    )
    reader, data = read(content)
    assert len(reader.scripts) == 2
    assert reader.references == []
    assert "img" not in reader.tags
    assert data["trials"][0]["reason"] == EVIL


BROWSER = next(
    (p for n in ("chromium", "chromium-browser", "google-chrome") if (p := shutil.which(n))), None
)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page as a browser has it after the script ran."""
    if BROWSER is None:
        pytest.skip("no browser is installed")
    place = tmp_path_factory.mktemp("page")
    evil = replace(CONTENT.trials[4], reason=EVIL)
    path = place / "report.html"
    path.write_text(page(replace(CONTENT, trials=[*CONTENT.trials[:4], evil])), encoding="utf-8")
    return _dom(path, place / "profile")


def _dom(path: Path, profile: Path) -> str:
    options = (
        "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
        "--disable-background-networking --disable-component-update --disable-sync"
    )
    done = subprocess.run(
        [
            str(BROWSER),
            *options.split(),
            f"--user-data-dir={profile}",
            "--dump-dom",
            path.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.stdout


def test_a_browser_fills_the_table_and_the_plot(seen: str) -> None:
    table = seen[seen.index('<table id="trials"') :]
    table = table[table.index("<tbody>") : table.index("</tbody>")]
    assert table.count("<tr") == 5
    assert "shrink of #0" in table
    assert "1,500" in table
    plot = seen[seen.index('<svg id="plot"') :]
    plot = plot[: plot.index("</svg>")]
    assert plot.count("<circle") == 4, "the failed trial is not in the plot"
    assert plot.count("onfront") + plot.count("dot best") == 2
    assert 'class="stairs"' in plot


def test_a_browser_shows_the_best_first(seen: str) -> None:
    detail = seen[seen.index('id="detail"') :]
    detail = detail[: detail.index("</section>")]
    assert "#0, center, complete" in detail
    assert "80.00 %" in detail


def test_a_browser_takes_hostile_text_as_text(seen: str) -> None:
    assert "<title>tiny" in seen
    assert "<img" not in seen
    assert "&lt;img src=x" in seen
