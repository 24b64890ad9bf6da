"""Every code has a case; cases do what they say; the pages show just that."""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "nasdsl"


def _generator() -> ModuleType:
    path = ROOT / "docs" / "diagnostics" / "generate.py"
    spec = importlib.util.spec_from_file_location("generate_diagnostic_pages", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


generate = _generator()
CASES = generate.cases()

HARD_TO_LEAD_TO = {
    "NAS347": "needs a search through 20,000 architectures, which takes a minute",
    "NAS620": "needs a Python that cannot start another; tests/study/test_executors.py does",
}
"""Codes without a page, and why."""


def _raised() -> set[str]:
    """The codes that stand as texts of their own in the package's code."""
    return {
        node.value
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.fullmatch(r"NAS\d{3}", node.value)
    }


def test_every_code_has_a_case() -> None:
    raised, told = _raised(), {case.code for case in CASES}
    assert len(told) >= 60
    assert told <= raised, "a case of a code that is not raised anywhere"
    assert raised - told == set(HARD_TO_LEAD_TO)


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.code)
def test_a_case_leads_to_its_code_and_its_page_says_so(
    case: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert set(generate.codes_in(case.output("wrong"))) == {case.code}
    assert case.output("right") == ""
    page = generate.PAGES / f"{case.code}.md"
    assert page.read_text(encoding="utf-8") == generate.page(case)


def test_the_index_lists_all_pages_and_nothing_else() -> None:
    index = (generate.PAGES / "README.md").read_text(encoding="utf-8")
    assert index == generate.index(CASES)
    listed = re.findall(r"\((NAS\d{3}\.md)\)", index)
    assert sorted(listed) == sorted(p.name for p in generate.PAGES.glob("NAS*.md"))
    assert len(set(listed)) == len(CASES)


def test_a_changed_message_makes_a_page_stale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generate, "PAGES", tmp_path)
    monkeypatch.setattr(generate, "cases", lambda: CASES[:1])
    assert generate.main(["--check"]) == 1
    assert not list(tmp_path.iterdir())
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0
    page = tmp_path / f"{CASES[0].code}.md"
    page.write_text(page.read_text(encoding="utf-8").replace("error[", "error ["), encoding="utf-8")
    (tmp_path / "NAS999.md").write_text("left over", encoding="utf-8")
    capsys.readouterr()
    assert generate.main(["--check"]) == 1
    assert capsys.readouterr().out.split() == sorted([page.name, "NAS999.md"])
    assert generate.main([]) == 0
    assert not (tmp_path / "NAS999.md").exists()
