"""The list of searchers."""

from __future__ import annotations

import json
from importlib.metadata import EntryPoint, EntryPoints

import pytest

from nasdsl.cli import main
from nasdsl.language.settings import Entry
from nasdsl.search import SEARCHERS, read_search, table


def test_all_searchers_are_listed_with_settings_that_can_be_read(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["search", "--list", "--json"]) == 0
    found = {r["name"]: r for r in map(json.loads, capsys.readouterr().out.splitlines())}
    assert list(found) == list(SEARCHERS)
    for name, record in found.items():
        assert record["doc"]
        assert record["goals"] in ("none", "one", "all", "own")
        settings, problems = read_search(Entry(name))
        assert settings is not None
        assert problems == []
        given = {option["name"]: option["default"] for option in record["options"]}
        assert given == dict(settings.values)


def test_the_list_fits_a_terminal_and_names_every_searcher(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["search"]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split()[:2] == ["searcher", "goals"]
    assert [row.split()[0] for row in rows] == list(SEARCHERS)
    assert all(len(row) <= 80 for row in rows)


def test_one_that_is_named_is_told_with_its_settings(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", "evolution"]) == 0
    text = capsys.readouterr().out
    assert "population 50" in text
    assert "surrogate" not in text


def test_a_wrong_name_gets_a_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", "evolutoin"]) == 1
    assert "did you mean 'evolution'" in capsys.readouterr().err


def test_a_broken_package_is_told_and_does_not_hide_the_others(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = EntryPoints([EntryPoint("broken", "no.such.module:X", table.GROUP)])
    monkeypatch.setattr(table, "entry_points", lambda group: broken)
    assert main(["search", "--list"]) == 0
    told = capsys.readouterr()
    assert "NAS411" in told.err
    assert "surrogate" in told.out
    assert main(["search", "broken"]) == 1
