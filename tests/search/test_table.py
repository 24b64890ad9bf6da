"""The ``search`` block: what it takes, what it says, and searchers of other packages."""

from __future__ import annotations

from importlib.metadata import EntryPoint, EntryPoints
from typing import Any

import pytest

import nasdsl
from nasdsl.diagnostics import DiagnosticError
from nasdsl.language.settings import Entry, Item, Option
from nasdsl.search import table
from nasdsl.search.random_search import RandomSearch
from nasdsl.search.table import SEARCHERS, Kind, lookup, read_search

SPACE = """
space tiny
input image[1, 8, 8]
output logits[10]
network = conv(width, 3) >> global_avgpool >> linear(10)
  where width in {4, 8, 16}
"""


def entry(name: str, *args: Any, **kwargs: Any) -> Entry:
    return Entry(name, args, tuple(kwargs.items()))


def test_nothing_said_is_random_search() -> None:
    settings, problems = read_search(None)
    assert settings is not None
    assert problems == []
    assert (settings.kind.name, settings.samples, settings.seed) == ("random", 20, 0)
    assert (settings.trials, settings.timeout) == (None, None)


@pytest.mark.parametrize(
    "written",
    [
        entry("na_random", samples=24, seed=3, trials=100, neighbors=4, timeout=2),
        entry(
            "na_random",
            *(entry(n, v) for n, v in (("samples", 24), ("seed", 3), ("trials", 100))),
            entry("neighbors", 4),
            entry("timeout", 2),
        ),
    ],
)
def test_settings_are_read_in_either_form(written: Entry) -> None:
    settings, problems = read_search(written)
    assert settings is not None
    assert problems == []
    assert settings.kind is SEARCHERS["na_random"]
    assert (settings.samples, settings.seed, settings.trials) == (24, 3, 100)
    assert (settings.values["neighbors"], settings.timeout) == (4, 2.0)


@pytest.mark.parametrize(
    ("written", "code", "words"),
    [
        (entry("randon"), "NAS410", "did you mean 'random'"),
        (entry("random", sample=3), "NAS404", "did you mean 'samples'"),
        (entry("random", neighbors=3), "NAS404", "no setting 'neighbors'"),
        (entry("random", samples=0), "NAS407", "at least 1"),
        (entry("random", samples=1.5), "NAS407", "a whole number"),
        (entry("random", samples=2, seed="x"), "NAS407", "a whole number"),
    ],
)
def test_mistakes_are_told(written: Entry, code: str, words: str) -> None:
    _, problems = read_search(written)
    assert [p.code for p in problems] == [code]
    assert words in problems[0].message


def test_a_mistake_in_a_file_has_its_place() -> None:
    with pytest.raises(DiagnosticError) as caught:
        nasdsl.load(SPACE + "search random { samples 5, sed 1 }\n")
    (found,) = caught.value.diagnostics
    assert found.span is not None
    assert found.span.text.startswith("sed")


def test_a_search_ends_after_its_samples_and_has_no_repetition() -> None:
    space = nasdsl.load(SPACE + "search random { samples 2, seed 1 }\n")
    settings, _ = read_search(space.search)
    assert settings is not None
    asked = settings.searcher(space).ask(100)
    assert len(asked) == 2
    assert len({c.architecture.fingerprint for c in asked}) == 2


def test_na_random_adds_its_score_unless_the_file_names_it() -> None:
    kind = SEARCHERS["na_random"]
    assert kind.score({"neighbors": 5}, ["accuracy"]) == entry("flatness.neighborhood", samples=5)
    assert kind.score({"neighbors": 5}, ["accuracy", "flatness.neighborhood"]) is None
    assert SEARCHERS["random"].score({}, ["accuracy"]) is None


FOREIGN = Kind(
    Item("foreign", (Option("width", "int", 3),), "a searcher of another package"),
    lambda space, settings: RandomSearch(space, settings["seed"] + settings["width"]),
)
WRONG = "no searcher"


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [
        EntryPoint("foreign", f"{__name__}:FOREIGN", table.GROUP),
        EntryPoint("wrong", f"{__name__}:WRONG", table.GROUP),
        EntryPoint("broken", "no.such.module:X", table.GROUP),
    ]
    monkeypatch.setattr(table, "entry_points", lambda group: EntryPoints(points))


@pytest.mark.usefixtures("installed")
def test_another_package_adds_a_searcher() -> None:
    settings, problems = read_search(entry("foreign", samples=4, seed=1))
    assert settings is not None
    assert problems == []
    assert settings.values["width"] == 3
    space = nasdsl.load(SPACE)
    expected = [c.architecture.rank for c in RandomSearch(space, 4).ask(1)]
    assert [c.architecture.rank for c in settings.searcher(space).ask(1)] == expected


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(("name", "words"), [("broken", "no"), ("wrong", "no searcher")])
def test_a_broken_package_is_told_only_where_it_is_asked_for(name: str, words: str) -> None:
    assert lookup("random") is SEARCHERS["random"]
    with pytest.raises(DiagnosticError) as caught:
        lookup(name)
    assert [d.code for d in caught.value.diagnostics] == ["NAS411"]
    assert words in caught.value.diagnostics[0].message
    settings, problems = read_search(entry(name))
    assert settings is None
    assert [p.code for p in problems] == ["NAS411"]


@pytest.mark.usefixtures("installed")
def test_an_unknown_name_lists_all_there_are() -> None:
    _, problems = read_search(entry("foregn"))
    assert "did you mean 'foreign'" in problems[0].message
    assert "na_random" in problems[0].notes[0].message
