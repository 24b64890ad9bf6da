"""The package as it is installed elsewhere: complete, and independent of the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(*args: str, cwd: Path, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        args, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder), cwd=ROOT)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_the_grammar_the_spaces_and_the_license(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    grammars = {f"nasdsl/_data/grammars/{p.name}" for p in (ROOT / "grammars").glob("*.lark")}
    spaces = {f"nasdsl/_data/spaces/{p.name}" for p in (ROOT / "spaces").glob("*.nas")}
    assert grammars
    assert grammars | spaces <= names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not [name for name in names if name.startswith(("tests/", "examples/", "docs/"))]


def test_the_wheel_works_without_the_checkout(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    run(
        *(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile"),
        *("--target", str(site), str(wheel)),
        cwd=tmp_path,
    )
    text = tmp_path / "first.nas"
    text.write_text((ROOT / "examples" / "quickstart.nas").read_text(encoding="utf-8"))
    env = {**os.environ, "PYTHONPATH": str(site)}
    where = "import nasdsl; print(nasdsl.__file__)"
    assert run(sys.executable, "-c", where, cwd=tmp_path, env=env).startswith(str(site))
    # -P: the folder of the call must not be searched, nor the checkout be found by accident
    out = run(sys.executable, "-P", "-m", "nasdsl", "check", "first.nas", cwd=tmp_path, env=env)
    assert out == "first.nas: ok\n"
    assert run(str(site / "bin" / "nasdsl"), "--version", cwd=tmp_path, env=env).startswith(
        "nasdsl "
    )
