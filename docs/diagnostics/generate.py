"""Writes the pages of this folder from the cases in ``tests/cases/diagnostics``.

    python docs/diagnostics/generate.py           write all pages
    python docs/diagnostics/generate.py --check   only say which ones are out of date (exit 1)

A case is a folder named by its code. ``about.md`` holds the title and the words of the page;
``wrong.*`` leads to the diagnostic and ``right.*`` does not. Their ending says what they are:

- ``.nas``: a text, checked;
- ``.sh``: calls of the command line, one a line;
- ``.py``: a script.

All other files of the case lie beside them while they run, in an empty folder. A case with a
file ``own_process`` (it says why) runs in a Python of its own, with that folder on its path.
Every message on a page is what the program really said; only process numbers are replaced.
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nasdsl.cli import main as nasdsl
from nasdsl.diagnostics import DiagnosticError, render
from nasdsl.loading import analyze, read_source

PAGES = Path(__file__).resolve().parent
CASES = PAGES.parents[1] / "tests" / "cases" / "diagnostics"
ENDINGS = {".nas": "nas", ".sh": "sh", ".py": "python"}
LANGUAGES = {**ENDINGS, ".json": "json", ".csv": "csv"}
HIDDEN = ("about.md", "own_process")
RAISED = "nasdsl.diagnostics.DiagnosticError: "

GROUPS = (
    ("0", "The text", "What cannot be read as statements of the language."),
    ("1", "Names and declarations", "What is not known, stands twice, or is missing."),
    ("2", "Values and modules", "Numbers, sets, indices and inputs that do not fit."),
    ("30", "The whole space", "Shapes, decisions and counts, over every architecture."),
    ("31", "One architecture", "Ranks, decisions, keys and networks that are looked up."),
    ("32", "Constraints", "Conditions that cannot be met."),
    ("34", "Edits and paths", "Rules of the neighborhood, and ways along it."),
    ("4", "Settings", "Blocks such as `train` and `search`, and `--set`."),
    ("5", "Warnings", "What is fine to use, and is most likely not meant."),
    ("6", "Runs", "Studies and their folders."),
    ("7", "Data and metrics", "What networks are trained on and measured by."),
    ("8", "Networks and supernets", "From an architecture to code that runs."),
    ("9", "Files and packages", "What is read, written or installed."),
)


@dataclass(frozen=True)
class Case:
    """One code: what is said about it, and what leads to it."""

    folder: Path

    @property
    def code(self) -> str:
        """The code, as ``NAS101``."""
        return self.folder.name

    @property
    def title(self) -> str:
        """The first line of the words, without its mark."""
        return self._about[0].removeprefix("# ")

    @property
    def words(self) -> str:
        """What the code means and what to do."""
        return "\n".join(self._about[1:]).strip()

    @property
    def _about(self) -> list[str]:
        return (self.folder / "about.md").read_text(encoding="utf-8").splitlines()

    def program(self, side: str) -> Path:
        """The file ``wrong`` or ``right``."""
        (found,) = (p for p in self._files if p.stem == side and p.suffix in ENDINGS)
        return found

    @property
    def beside(self) -> list[Path]:
        """The other files that lie there while a program runs."""
        programs = {self.program("wrong"), self.program("right")}
        return [p for p in self._files if p not in programs and p.name not in HIDDEN]

    @property
    def _files(self) -> list[Path]:
        return sorted(p for p in self.folder.rglob("*") if p.is_file() and p.suffix != ".pyc")

    def output(self, side: str) -> str:
        """What the program of a side says, as a person reads it; nothing where all is well."""
        return _output(self, side)


@functools.cache
def _output(case: Case, side: str) -> str:
    program = case.program(side)
    with _room(case) as room:
        if (case.folder / "own_process").exists():
            return _apart(room, program)
        return _run(room, program)


def cases() -> list[Case]:
    """All cases, by code."""
    return [Case(p) for p in sorted(CASES.iterdir()) if re.fullmatch(r"NAS\d{3}", p.name)]


def codes_in(output: str) -> list[str]:
    """The codes of the diagnostics in an output, in order, with repetitions."""
    return re.findall(r"^(?:error|warning)\[(NAS\d{3})\]", output, re.MULTILINE)


@contextlib.contextmanager
def _room(case: Case) -> Iterator[Path]:
    """A folder with the files of the case, entered."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as made:
        room = Path(made).resolve()
        shutil.copytree(case.folder, room, dirs_exist_ok=True)
        os.chdir(room)
        try:
            yield room
        finally:
            os.chdir(before)


def _run(room: Path, program: Path) -> str:
    said = io.StringIO()
    if program.suffix == ".nas":
        try:
            found = analyze(read_source(program.name)).diagnostics
        except DiagnosticError as error:  # of a file that cannot be read
            found = error.diagnostics
        said.write("".join(render(d) + "\n" for d in found))
    elif program.suffix == ".sh":
        for line in _calls(program):
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
                nasdsl(shlex.split(line)[1:])
    else:
        text = program.read_text(encoding="utf-8")
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                exec(compile(text, program.name, "exec"), {"__name__": "__main__"})
        except DiagnosticError as error:
            said.write(f"{error}\n")
    return _tidy(said.getvalue(), room)


def _calls(program: Path) -> list[str]:
    lines = program.read_text(encoding="utf-8").splitlines()
    calls = [line for line in lines if line and not line.startswith("#")]
    assert all(line.startswith("nasdsl ") for line in calls), program
    return calls


def _apart(room: Path, program: Path) -> str:
    if program.suffix == ".py":
        calls = [[program.name]]
    else:
        calls = [["-m", "nasdsl", *shlex.split(line)[1:]] for line in _calls(program)]
    path = os.pathsep.join([str(room), str(PAGES.parents[1])])
    said = ""
    for call in calls:
        done = subprocess.run(
            [sys.executable, *call],
            env={**os.environ, "PYTHONPATH": path, "NO_COLOR": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )
        said += done.stderr
    # A script that ends by a diagnostic shows a traceback; its last part is the message.
    said = said.replace(RAISED, "")
    return _tidy(re.sub(r"(?ms)\ATraceback .*?(?=^(?:error|warning)\[)", "", said), room)


def _tidy(said: str, room: Path) -> str:
    said = said.replace(f"{room}{os.sep}", "")
    said = re.sub(r"\(process \d+ on [^)]+\)", "(process 1234 on host)", said)
    return "\n".join(line.rstrip() for line in said.splitlines())


def page(case: Case) -> str:
    """The page of a code."""
    wrong, right = case.program("wrong"), case.program("right")
    parts = [f"# {case.code}: {case.title}", case.words]
    for path in case.beside:
        name = path.relative_to(case.folder).as_posix()
        parts += [f"With the file `{name}`:", _block(path)]
    parts += ["## Wrong", _block(wrong)]
    parts += [f"```text\n{case.output('wrong')}\n```"]
    parts += ["## Right", _block(right)]
    parts += ["[All diagnostics](README.md)"]
    return "\n\n".join(parts) + "\n"


def _block(path: Path) -> str:
    text = path.read_text(encoding="utf-8", errors="replace").rstrip("\n")
    fence = "````" if "```" in text else "```"
    return f"{fence}{LANGUAGES.get(path.suffix, 'text')}\n{text}\n{fence}"


def index(found: list[Case]) -> str:
    """The page that lists all others, by group."""
    parts = [
        "# Diagnostics",
        "Every mistake that nasdsl tells of has a code. `error` stops the work at hand, "
        "`warning` does not. Each page shows a program that leads to the code, the message, "
        "and the program put right.",
        "The pages are written from the cases in `tests/cases/diagnostics` by "
        "`python docs/diagnostics/generate.py`; the tests hold them to what the program says.",
    ]
    left = list(found)
    for prefix, name, about in GROUPS:
        members = [c for c in left if c.code[3:].startswith(prefix)]
        left = [c for c in left if c not in members]
        rows = [f"| [{c.code}]({c.code}.md) | {c.title} |" for c in members]
        parts += [
            f"## {name}",
            about,
            "\n".join(["| code | what is wrong |", "| --- | --- |", *rows]),
        ]
    assert not left, f"codes of no group: {[c.code for c in left]}"
    return "\n\n".join(parts) + "\n"


def pages() -> Iterator[tuple[str, str]]:
    """The name and the text of every page, the index last."""
    found = cases()
    for case in found:
        yield f"{case.code}.md", page(case)
    yield "README.md", index(found)


def main(arguments: list[str]) -> int:
    """Write the pages, or with ``--check`` say which ones would change."""
    made = dict(pages())
    stale = [
        name
        for name, text in made.items()
        if not (PAGES / name).exists() or (PAGES / name).read_text(encoding="utf-8") != text
    ]
    stale += [p.name for p in PAGES.glob("*.md") if p.name not in made]
    for name in sorted(stale):
        print(name)
        if "--check" in arguments:
            continue
        if name in made:
            (PAGES / name).write_text(made[name], encoding="utf-8")
        else:
            (PAGES / name).unlink()
    return int(bool(stale) and "--check" in arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
