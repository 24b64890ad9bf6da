"""Samplers of Optuna: what is told where one cannot be used, and what the study hears."""

from __future__ import annotations

import sys
from collections.abc import Hashable
from typing import Any

import pytest

import nasdsl
from nasdsl.diagnostics import DiagnosticError
from nasdsl.search import read_search
from nasdsl.search.optuna_search import OptunaSearch
from nasdsl.search.searcher import Outcome
from nasdsl.space import Architecture

TEXT = """
space tiny
input image[1, 8, 8]
output logits[10]
choice Op(c) =
  | skip = identity
  | conv = conv(c, k, groups=g)
      where k in {1, 3, 5}
            g in {1, 2}
network = conv(width, 3) >> Op(width) * n >> global_avgpool >> linear(10)
  where width in {4, 8, 12}
        n in {1, 2, 3}
require params <= 6000
"""


def rank(architecture: Architecture) -> Hashable:
    return architecture.rank


def refused(goals: str, sampler: str) -> str:
    with pytest.raises(DiagnosticError) as caught:
        OptunaSearch(nasdsl.load(TEXT + goals), 0, sampler).ask(1)
    (found,) = caught.value.diagnostics
    assert found.code == "NAS411"
    return found.message


def test_without_the_package_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert "nasdsl[optuna]" in refused("", "TPE")
    settings, problems = read_search(nasdsl.load(TEXT + "search optuna { samples 3 }\n").search)
    assert settings is not None
    assert problems == [], "a text is right whatever is installed"


class TestWithTheLibrary:
    @pytest.fixture(autouse=True)
    def library(self) -> Any:
        return pytest.importorskip("optuna", reason="the searcher needs the package")

    def test_an_unknown_sampler_gets_a_suggestion(self) -> None:
        assert "did you mean 'TPE'" in refused("", "TPF")

    def test_a_sampler_that_cannot_be_built_says_why(self) -> None:
        assert "search_space" in refused("", "Grid")

    def test_ending_and_case_of_a_name_do_not_matter(self) -> None:
        space = nasdsl.load(TEXT)
        ranks = [
            [c.architecture.rank for c in OptunaSearch(space, 2, name, batch=5).ask(5)]
            for name in ("random", "Random", "RandomSampler")
        ]
        assert ranks[0] == ranks[1] == ranks[2]

    def test_the_study_hears_signed_values_failures_and_what_was_drawn_by_chance(self) -> None:
        space = nasdsl.load(TEXT + "objective { maximize accuracy, minimize params }\n")
        searcher = OptunaSearch(space, 1, "NSGAII", batch=4, identity=rank)
        told = {}
        for _ in range(6):
            for candidate in searcher.ask(4):
                if candidate.architecture.rank % 3 == 0:
                    outcome = Outcome("failed", {}, "error: made up")
                else:
                    values = {"accuracy": 50.0 + candidate.index, "params": float(candidate.index)}
                    outcome = Outcome("complete", values)
                    told[candidate.index] = [50.0 + candidate.index, -float(candidate.index)]
                searcher.tell(candidate, outcome)
        searcher.ask(1)
        heard = [t.values for t in searcher._memory.study.trials if t.state.name == "COMPLETE"]
        assert [v for v in told.values() if v not in heard] == []
        assert all(v in told.values() for v in heard)

    def test_conditional_decisions_are_asked_for_only_where_alive(self) -> None:
        searcher = OptunaSearch(nasdsl.load(TEXT), 3, "random", batch=8, identity=rank)
        asked = searcher.ask(8)
        for trial, candidate in zip(searcher._memory.pending, asked, strict=True):
            names = {name.partition(" of ")[0] for name in trial.params}
            assert names == set(candidate.architecture.decisions)
