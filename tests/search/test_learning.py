"""The searchers that learn: the contract on three kinds of spaces, exhaustion, fresh processes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Hashable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import nasdsl
from nasdsl.search.archive import fingerprint
from nasdsl.search.contract import SearcherContract
from nasdsl.search.evolution import RegularizedEvolution
from nasdsl.search.features import Description, Features
from nasdsl.search.local import LocalSearch
from nasdsl.search.na_evolution import NeighborhoodAwareEvolution
from nasdsl.search.nsga2 import Nsga2
from nasdsl.search.searcher import Candidate, Outcome, Searcher
from nasdsl.search.surrogate import SurrogateSearch
from nasdsl.search.table import read_search
from nasdsl.space import Architecture, Space

ROOT = Path(__file__).resolve().parents[2]
CONDITIONAL = """
space tiny
input image[1, 8, 8]
output logits[10]
choice Op(c) =
  | skip = identity
  | pool = avgpool(3, stride=1)
  | conv = conv(c, k, groups=g)
      where k in {1, 3, 5}
            g in {1, 2}
network = conv(width, 3) >> Op(width) * n >> global_avgpool >> linear(10)
  where width in {4, 8, 12}
        n in {1, 2, 3}
require params <= 6000
objective { maximize accuracy, minimize params }
"""
RECURSIVE = """
space recursive
input image[1, 8, 8]
output logits[10]
choice M(c) recursion 4 =
  | leaf     = conv(c, 3, bias=false)
  | seq      = M(c) >> M(c)
  | residual = identity + M(c)
  | branch   = M(c) + M(c)
network = conv(4, 3) >> M(4) >> global_avgpool >> linear(10)
neighborhood {
  edit grow:   leaf -> residual
  edit shrink: residual -> leaf
}
"""
SMALL = """
space small
input image[1, 8, 8]
output logits[10]
choice Op(c) = | skip = identity | none = avgpool(1) | conv = conv(c, k) where k in {1, 3}
network = conv(width, 3) >> Op(width) * 2 >> global_avgpool >> linear(10)
  where width in {4, 8}
"""


@cache
def spaces(name: str) -> Space:
    if name == "nasbench201":
        # Its decisions and classes of equal cells, without the stacks that take long to build.
        return nasdsl.load(ROOT / "examples" / "studies" / "neighborhood_search.nas")
    return nasdsl.load({"conditional": CONDITIONAL, "recursive": RECURSIVE, "small": SMALL}[name])


@cache
def _fingerprint(space: str, rank: int) -> Hashable:
    return fingerprint(spaces(space)[rank])


NAMES = {"tiny": "conditional", "neighborhood_search": "nasbench201"}


def remembered(architecture: Architecture) -> Hashable:
    """The fingerprint, worked out once for each architecture over all tests."""
    name = NAMES.get(architecture.space.name, architecture.space.name)
    return _fingerprint(name, architecture.rank)


@cache
def _features(space: str, description: Description) -> Features:
    return Features(description)


def features(space: Space, description: Description = "both") -> Features:
    """One table for all searches, so that their order of asking must not matter."""
    return _features(space.name, description)


def optuna(space: Space, seed: int, sampler: str = "TPE") -> Searcher:
    pytest.importorskip("optuna", reason="the searcher of this name needs the package")
    from nasdsl.search.optuna_search import OptunaSearch

    return OptunaSearch(space, seed, sampler, batch=4, identity=remembered)


def surrogate(model: str, batch: int = 6, aware: bool = False) -> Callable[[Space, int], Searcher]:
    """Few draws and, where fitting takes long, few fits."""
    return lambda s, k: SurrogateSearch(
        s, k, model, 4, batch, 10, aware, identity=remembered, features=features(s)
    )


SETTINGS = {"population": 4, "tournament": 2, "batch": 1, "neighbors": 3}
MAKERS: dict[str, Callable[[Space, int], Searcher]] = {
    "local": lambda s, k: LocalSearch(s, k, initial=3, identity=remembered),
    "local in batches": lambda s, k: LocalSearch(s, k, 3, batch=5, identity=remembered),
    "evolution": lambda s, k: RegularizedEvolution(s, k, 4, 2, identity=remembered),
    "evolution, aware": lambda s, k: RegularizedEvolution(
        s, k, 8, 4, batch=2, identity=remembered, aware=True
    ),
    "na_evolution": lambda s, k: NeighborhoodAwareEvolution(s, k, SETTINGS, remembered),
    "nsga2": lambda s, k: Nsga2(s, k, population=4, identity=remembered),
    "surrogate": surrogate("gp"),
    "surrogate, aware": surrogate("gp", aware=True),
    "surrogate, forest": surrogate("forest", batch=8),
    "optuna": optuna,
    "optuna, nsgaii": lambda s, k: optuna(s, k, "nsgaii"),
}


def made_up(architecture: Architecture) -> float:
    """An accuracy that depends on the architecture alone."""
    return 100 * nasdsl.seeding.generator("made up", architecture.rank).random()


@pytest.mark.parametrize("name", list(MAKERS))
@pytest.mark.parametrize("place", ["conditional", "recursive", "nasbench201"])
class TestContract:
    """The shipped contract, for every searcher on every space."""

    @pytest.mark.parametrize("test", [t for t in dir(SearcherContract) if t.startswith("test_")])
    def test_is_kept(self, name: str, place: str, test: str) -> None:
        class Case(SearcherContract):
            def space(self) -> Space:
                return spaces(place)

            def make(self, space: Space, seed: int) -> Searcher:
                return MAKERS[name](space, seed)

            def outcome(self, candidate: Candidate) -> Outcome:
                draw = nasdsl.seeding.generator("outcome", candidate.architecture.rank)
                if draw.random() < 0.2:
                    return Outcome("failed", {}, "error: made up")
                names = ("accuracy", "params", "flatness.neighborhood")
                return Outcome("complete", {n: 100 * draw.random() for n in names})

        getattr(Case(), test)()

    def test_nothing_forbidden_and_nothing_twice(self, name: str, place: str) -> None:
        space = spaces(place)
        lived = live(MAKERS[name](space, 0), 25)
        assert len(lived) == 25
        assert all(space.allows(a) for a in lived)
        assert len({remembered(a) for a in lived}) == 25


def live(searcher: Searcher, n: int, value: Callable[[Architecture], float] = made_up) -> Any:
    """Up to ``n`` proposals, each told its value under every name before the next."""
    lived: list[Architecture] = []
    while len(lived) < n:
        asked = searcher.ask(min(searcher.batch or n, n - len(lived)))
        if not asked:
            break
        for candidate in asked:
            found = value(candidate.architecture)
            names = ("accuracy", "flatness.neighborhood")
            values = {"params": float(candidate.architecture.rank), **dict.fromkeys(names, found)}
            searcher.tell(candidate, Outcome("complete", values))
            lived.append(candidate.architecture)
    return lived


@pytest.mark.parametrize("name", list(MAKERS))
def test_a_small_space_is_exhausted_and_the_search_ends(name: str) -> None:
    space = spaces("small")
    classes = {a.fingerprint for a in space}
    searcher = MAKERS[name](space, 1)
    lived = live(searcher, 10 * space.size)
    assert sorted(a.fingerprint for a in lived) == sorted(classes)
    assert searcher.ask(3) == []


@pytest.mark.parametrize("name", [n for n in MAKERS if n not in ("nsga2", "optuna, nsgaii")])
def test_a_slope_is_climbed(name: str) -> None:
    """On a smooth landscape 60 proposals find the top 0.5 %, which 60 draws miss at 74 %."""
    space = spaces("nasbench201")
    gains = {"nor_conv_3x3": 3.0, "nor_conv_1x1": 2.0, "skip_connect": 1.0}

    def slope(architecture: Architecture) -> float:
        values = architecture.decisions.values()
        return sum((1 + i / 10) * gains.get(v, 0.0) for i, v in enumerate(values))

    bar = sorted((slope(a) for a in space), reverse=True)[space.size // 200]
    hits = sum(max(map(slope, live(MAKERS[name](space, k), 60, slope))) >= bar for k in range(3))
    assert hits >= 2


LEARNERS = ("local", "evolution", "na_evolution", "nsga2", "surrogate", "optuna")
SMALLER = {"evolution": "population 6, tournament 3, aware true"}
LIFE = """
import json, sys, nasdsl
from nasdsl.search.table import read_search
from nasdsl.search.searcher import Outcome

def lives(text):
    space = nasdsl.load(text)
    searcher = read_search(space.search)[0].searcher(space)
    ranks = []
    while asked := searcher.ask(searcher.batch):
        for c in asked:
            ranks.append(c.architecture.rank)
            value = float(c.architecture.rank % 97)
            names = ("accuracy", "params", "flatness.neighborhood")
            searcher.tell(c, Outcome("complete", dict.fromkeys(names, value)))
    return ranks
"""


def test_every_searcher_is_in_the_table_and_the_same_in_a_fresh_process() -> None:
    names = [n for n in LEARNERS if n != "optuna" or find_spec("optuna")]
    texts = [
        CONDITIONAL
        + f"search {n} {{ samples 16, seed 3, {SMALLER.get(n, '')} }}\n".replace(", }", " }")
        for n in names
    ]
    ask = "print(json.dumps([lives(t) for t in json.load(sys.stdin)]))\n"
    still = "assert 'torch' not in sys.modules\n"
    done = subprocess.run(
        [sys.executable, "-c", LIFE + ask + still],
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        check=True,
    )
    scope: dict[str, Any] = {}
    exec(LIFE, scope)
    here = [scope["lives"](text) for text in texts]
    assert json.loads(done.stdout) == here
    assert all(len(set(ranks)) == 16 for ranks in here)


def test_settings_of_the_surrogate_are_read() -> None:
    space = nasdsl.load(
        CONDITIONAL + "search surrogate { samples 5, model rbf, batch 2, aware true }\n"
    )
    settings, problems = read_search(space.search)
    assert settings is not None
    assert problems == []
    assert (settings.values["model"], settings.values["batch"]) == ("rbf", 2)
    assert settings.searcher(space).batch == 2
