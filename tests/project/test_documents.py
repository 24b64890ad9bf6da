"""The documents say what the program does: commands, options, links, examples."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from nasdsl.cli.program import program

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CLI = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
QUICKSTART = (ROOT / "examples" / "quickstart.nas").read_text(encoding="utf-8")
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
SHARED = {"--json", "-q", "--quiet", "-v", "--verbose", "-h", "--help"}


def options(verb: str) -> set[str]:
    """Every spelling of every option of a verb."""
    parameters = program.commands[verb].params
    return {name for p in parameters if isinstance(p, click.Option) for name in p.opts}


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.name)
def test_commands_in_documents_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for verb, rest in re.findall(r"(?:`|bin/|^ +)nasdsl ([a-z]+)\b([^`\n]*)", text, re.MULTILINE):
        assert verb in program.commands
        for option in re.findall(r"(?<![\w-])(--?[a-z][a-z-]*)", rest):
            assert option in options(verb) | SHARED


def sections() -> dict[str, str]:
    """The sections of docs/cli.md that are about one verb."""
    parts = re.split(r"^## (.*)$", CLI, flags=re.MULTILINE)[1:]
    found = dict(zip(parts[::2], parts[1::2], strict=True))
    return {title: body for title, body in found.items() if title in program.commands}


def test_every_verb_has_its_section() -> None:
    assert set(sections()) == set(program.commands)


@pytest.mark.parametrize("verb", program.commands)
def test_a_section_names_the_options_of_its_verb(verb: str) -> None:
    usage = re.findall(rf"^`nasdsl {verb} [^`]*`$", sections()[verb], re.MULTILINE)
    assert usage
    named = {
        option
        for line in usage
        for option in re.findall(r"(?<![\w-])(--?[a-z][a-z-]*)", line.split(verb, 1)[1])
    }
    for parameter in program.commands[verb].params:
        if isinstance(parameter, click.Option) and not SHARED & set(parameter.opts):
            assert named & set(parameter.opts), parameter.opts
    assert named <= options(verb)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.name)
def test_links_lead_somewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    prose = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)  # code holds o[j](c)
    for target in re.findall(r"\]\(([^)#]+)", prose):
        if "://" not in target:
            assert (path.parent / target).exists(), target


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {name for name in re.findall(r"make ([a-z]+)\b", README) if name != "and"} <= targets
    assert {"run", "test"} <= targets


def test_the_readme_shows_the_quickstart_as_it_is() -> None:
    (shown,) = blocks(README, "nas")
    without_head = QUICKSTART[QUICKSTART.index("space ") :]
    assert shown == without_head


def test_the_readme_speaks_the_truth_about_python() -> None:
    (code,) = blocks(README, "python")
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "4032"
    assert lines[-1] == "torch.Size([2, 10])"


def test_the_example_of_embedding_learns_and_is_short() -> None:
    path = ROOT / "examples" / "embed.py"
    code = [line for line in path.read_text().splitlines() if line.strip()]
    assert len(code) <= 20
    done = subprocess.run(
        [sys.executable, str(path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    losses = [float(line.split()[-1]) for line in done.stdout.splitlines()]
    assert len(losses) >= 2
    assert losses[-1] < losses[0]


def test_the_tested_versions_satisfy_the_package() -> None:
    import tomllib

    from packaging.requirements import Requirement

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = dict(line.lower().replace("_", "-").split("==") for line in lines if "==" in line)
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    for text in wanted:
        requirement = Requirement(text)
        assert requirement.specifier.contains(pinned[requirement.name.lower()])
