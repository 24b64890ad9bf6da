"""The searcher of examples/third_party, installed as a package and found by its entry point."""

from __future__ import annotations

import importlib
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import nasdsl
from nasdsl.cli import main
from nasdsl.search import Searcher, lookup, read_search
from nasdsl.search.contract import SearcherContract
from nasdsl.search.searcher import Outcome
from nasdsl.space import Space

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "third_party"
TEXT = """
space tiny
input image[1, 8, 8]
output logits[10]
choice Op(c) =
  | skip = identity
  | pool = avgpool(3, stride=1)
  | conv = conv(c, k) where k in {1, 3, 5}
network = conv(width, 3) >> Op(width) * 3 >> global_avgpool >> linear(10)
  where width in {4, 8, 12}
objective { maximize accuracy }
search annealing { samples 40, seed 1, start 20 }
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """What pip leaves of the package: the module, and its distribution's metadata."""
    shutil.copy(EXAMPLE / "annealing.py", tmp_path)
    info = tmp_path / "annealing-1.0.dist-info"
    info.mkdir()
    shutil.copy(EXAMPLE / "entry_points.txt", info)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: annealing\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    yield tmp_path
    sys.modules.pop("annealing", None)


def test_the_example_is_as_short_as_is_said() -> None:
    assert len((EXAMPLE / "annealing.py").read_text(encoding="utf-8").splitlines()) <= 40


def test_without_the_package_there_is_no_such_searcher() -> None:
    assert lookup("annealing") is None


@pytest.mark.usefixtures("site")
def test_it_is_found_listed_and_reads_its_settings(capsys: pytest.CaptureFixture[str]) -> None:
    settings, problems = read_search(nasdsl.load(TEXT).search)
    assert settings is not None
    assert problems == []
    assert (settings.values["start"], settings.values["cooling"]) == (20.0, 0.97)
    assert main(["search", "annealing", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["doc"] == settings.kind.item.doc


@pytest.mark.usefixtures("site")
def test_it_climbs_what_random_search_does_not() -> None:
    """The mean of the last ten of forty is above that of the first ten on a smooth hill."""
    space = nasdsl.load(TEXT)
    settings, _ = read_search(space.search)
    assert settings is not None
    searcher = settings.searcher(space)
    found = []
    while asked := searcher.ask(1):
        for candidate in asked:
            found.append(
                float(sum(str(v) == "conv" for v in candidate.architecture.decisions.values()))
            )
            searcher.tell(candidate, Outcome("complete", {"accuracy": 30 * found[-1]}))
    assert len(found) == 40
    assert sum(found[-10:]) > sum(found[:10])


@pytest.mark.usefixtures("site")
class TestContract(SearcherContract):
    def space(self) -> Space:
        return nasdsl.load(TEXT)

    def make(self, space: Space, seed: int) -> Searcher:
        kind = lookup("annealing")
        assert kind is not None
        return kind.build(space, {"seed": seed, "start": 8.0, "cooling": 0.97})
