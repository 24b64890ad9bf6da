"""Which room may import which, and which libraries a command may load."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "nasdsl"
HEAVY = {
    "torch",
    "sklearn",
    "scipy",
    "matplotlib",
    "optuna",
    "ray",
    "moocore",
    "rich",
    "PIL",
    "safetensors",
}
QUICKSTART = str(ROOT / "examples" / "quickstart.nas")


def documented_rooms() -> dict[str, bool]:
    """The rooms of docs/architecture.md, top to bottom, and whether they may load torch."""
    rows = re.findall(
        r"^\| `(\w+)` \|.*\| (yes|no) \|$",
        (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8"),
        flags=re.MULTILINE,
    )
    return {room: answer == "yes" for room, answer in rows}


ROOMS = documented_rooms()
FILES = sorted(PACKAGE.rglob("*.py"))


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str | None:
    """The room of ``nasdsl.room...``; none for ``nasdsl`` itself and what is not ours."""
    parts = module.split(".")
    return parts[1] if parts[0] == "nasdsl" and len(parts) > 1 else None


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Line and absolute name of every import, also inside functions.

    Who imports ``nasdsl`` itself has the public interface.
    """
    here = module_name(path).split(".")
    if path.name != "__init__.py":
        here = here[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, "nasdsl.api" if alias.name == "nasdsl" else alias.name
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            if module == "nasdsl":
                for alias in node.names:
                    yield node.lineno, f"nasdsl.{alias.name}"
            else:
                yield node.lineno, module


def test_the_document_names_every_room() -> None:
    there = {p.name for p in PACKAGE.iterdir() if (p / "__init__.py").exists()}
    there |= {p.stem for p in PACKAGE.glob("*.py") if not p.stem.startswith("__")}
    assert set(ROOMS) == there


def in_rooms() -> list[Path]:
    """All files but those of the package itself, ``__init__`` and ``__main__``."""
    return [path for path in FILES if not (room_of(module_name(path)) or "__").startswith("__")]


@pytest.mark.parametrize("path", in_rooms(), ids=module_name)
def test_a_room_imports_only_rooms_above_it(path: Path) -> None:
    room = room_of(module_name(path)) or ""
    order = list(ROOMS)
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for line, name in imported(path)
        if room_of(name) in ROOMS and order.index(room_of(name) or "") > order.index(room)
    ]
    assert not wrong


def documented_layers() -> list[str]:
    """The files of the space room in the order of docs/architecture.md."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = text.split("## Inside `space`")[1].split("##")[0]
    rows = re.findall(r"^\| (`.*`) \|", table, flags=re.MULTILINE)
    return [name for row in rows for name in re.findall(r"`(\w+)`", row)]


def test_a_layer_of_the_space_room_imports_only_layers_above_it() -> None:
    layers = documented_layers()
    assert len(layers) > 10
    wrong = [
        f"{layer} imports {name}"
        for at, layer in enumerate(layers)
        for _, name in imported(PACKAGE / "space" / f"{layer}.py")
        if name.removeprefix("nasdsl.space.") in layers[at + 1 :]
    ]
    assert not wrong


def test_the_walk_sees_every_form_of_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "nasdsl" / "language"
    folder.mkdir(parents=True)
    file = folder / "x.py"
    file.write_text(
        "import nasdsl\n"
        "import nasdsl.study.run\n"
        "from nasdsl import api\n"
        "from nasdsl.search import table\n"
        "from ..space import Space\n"
        "from . import syntax\n"
        "def f():\n    from nasdsl.compiler import fx\n"
    )
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    assert [name for _, name in imported(file)] == [
        "nasdsl.api",
        "nasdsl.study.run",
        "nasdsl.api",
        "nasdsl.search",
        "nasdsl.space",
        "nasdsl.language",
        "nasdsl.compiler",
    ]


def loaded(code: str, *args: str) -> set[str]:
    """The heavy libraries that a fresh process has loaded after some code."""
    program = f"import sys\n{code}\nprint('LOADED', *sorted(set(sys.modules) & {HEAVY!r}))\n"
    done = subprocess.run(
        [sys.executable, "-c", program, *args],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    last = done.stdout.rstrip().splitlines()[-1].split()
    assert last[0] == "LOADED", done.stdout
    return set(last[1:])


def test_a_heavy_library_would_be_seen() -> None:
    assert loaded("import rich") == {"rich"}


@pytest.mark.parametrize("room", [room for room, torch in ROOMS.items() if not torch])
def test_a_light_room_loads_no_heavy_library(room: str) -> None:
    modules = [module_name(p) for p in FILES if room_of(module_name(p)) == room]
    assert modules
    code = "import importlib\nfor name in sys.argv[1:]: importlib.import_module(name)"
    assert not loaded(code, *modules)


def test_importing_the_package_loads_no_heavy_library() -> None:
    assert not loaded("import nasdsl")


RUN = "from nasdsl.cli import main\nassert main(sys.argv[1:]) == 0"


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", QUICKSTART),
        ("fmt", "--check", "--diff", QUICKSTART),
        ("info", QUICKSTART, "--json"),
        ("sample", QUICKSTART, "-n", "2"),
        ("show", QUICKSTART, "0"),
        ("neighbors", QUICKSTART, "0"),
        ("run", "--help"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_verb_that_trains_nothing_loads_no_heavy_library(arguments: tuple[str, ...]) -> None:
    code = RUN if "--help" not in arguments else RUN.replace("assert ", "")
    assert not loaded(code, *arguments)
