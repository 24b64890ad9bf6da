"""How a call ends: exit codes, version, help, and what is shown of an error."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import click
import pytest

from nasdsl.cli import main, output
from nasdsl.cli.program import program
from nasdsl.diagnostics import Diagnostic, Source, Span, problem
from nasdsl.version import __version__

VERBS = tuple(program.commands)
CONTRACT = {
    *("run", "check", "fmt", "info", "sample", "show", "neighbors", "compile", "score"),
    *("trials", "report"),
}
"""Verbs whose JSON other tools read."""


@pytest.fixture
def verb() -> Iterator[Callable[[Callable[[], object]], None]]:
    """Adds a verb ``probe`` to the program for the time of a test."""

    def add(action: Callable[[], object]) -> None:
        @program.command("probe")
        @output.answers
        def probe() -> object:
            return action()

    yield add
    program.commands.pop("probe", None)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"nasdsl {__version__}\n"


def test_no_verb_that_others_read_is_lost() -> None:
    assert set(VERBS) >= CONTRACT


@pytest.mark.parametrize("name", VERBS)
def test_help_has_an_example_and_fits_the_terminal(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([name, "--help"]) == 0
    text = capsys.readouterr().out
    assert f"  nasdsl {name} " in text
    for option in ("--json", "-q, --quiet", "-v, --verbose", "-h, --help"):
        assert option in text
    assert all(len(line) <= 80 for line in text.splitlines())


def test_no_arguments_show_the_help_and_are_a_usage_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([]) == 2
    out, err = capsys.readouterr()
    assert not out
    assert all(f"  {name} " in err for name in VERBS)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["chek"], "No such command 'chek'"),
        (["check"], "Missing argument 'FILE...'"),
        (["check", "--colour"], "No such option"),
        (["sample", "x.nas", "-n", "-1"], "-1 is not in the range"),
        (["sample", "x.nas", "-n", "many"], "'many' is not a valid integer"),
        (["info", "x.nas", "--set", "samples"], "expected key=value, found 'samples'"),
        (["info", "x.nas", "--set", "=3"], "expected key=value, found '=3'"),
    ],
)
def test_wrong_arguments_end_with_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert not out
    assert "Usage: nasdsl" in err
    assert said in " ".join(err.split())


def test_a_verb_returns_its_own_code(verb: Callable[[Callable[[], object]], None]) -> None:
    verb(lambda: 3)
    assert main(["probe"]) == 3


def test_diagnostics_end_with_1(
    verb: Callable[[Callable[[], object]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise problem("NAS123", "something is wrong", Span(Source("x.nas", "abc def"), 4, 7))

    verb(fail)
    assert main(["probe"]) == 1
    out, err = capsys.readouterr()
    assert not out
    assert err.splitlines() == [
        "error[NAS123]: something is wrong",
        " --> x.nas:1:5",
        "1 | abc def",
        "  |     ^^^",
    ]


def test_diagnostics_as_json(
    verb: Callable[[Callable[[], object]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise problem("NAS123", "something is wrong")

    verb(fail)
    assert main(["probe", "--json"]) == 1
    out, err = capsys.readouterr()
    assert not out
    assert json.loads(err) == {"diagnostics": [Diagnostic("NAS123", "something is wrong").record()]}


@pytest.mark.parametrize("arguments", [["-q", "probe"], ["probe", "-q"], ["-q", "probe", "-q"]])
def test_quiet_may_stand_before_or_after_the_verb(
    arguments: list[str],
    verb: Callable[[Callable[[], object]], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    def say() -> None:
        assert output.current().quiet
        assert not output.current().verbose
        output.current().remark("not wanted")
        output.current().line("result")

    verb(say)
    assert main(arguments) == 0
    assert capsys.readouterr() == ("result\n", "")


@pytest.mark.parametrize("error", [KeyboardInterrupt, click.Abort])
def test_an_interrupt_ends_with_130(
    error: type[BaseException],
    verb: Callable[[Callable[[], object]], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupt() -> None:
        raise error

    verb(interrupt)
    assert main(["probe"]) == 130
    assert capsys.readouterr() == ("", "interrupted\n")


def test_a_bug_shows_its_traceback(verb: Callable[[Callable[[], object]], None]) -> None:
    def bug() -> None:
        raise LookupError("a bug of ours")

    verb(bug)
    with pytest.raises(LookupError, match="a bug of ours"):
        main(["probe"])


def test_a_reader_that_goes_away_is_no_error() -> None:
    code = (
        "import sys\n"
        "from nasdsl.cli import main, output\n"
        "from nasdsl.cli.program import program\n"
        "@program.command('probe')\n"
        "def probe():\n"
        "    while True: output.current().line('x' * 1000)\n"
        "sys.exit(main(['probe']))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(60) == 141
    assert process.stderr.read() == b""
    process.stderr.close()


def test_any_terminal_can_show_any_name() -> None:
    env = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run(
        [sys.executable, "-m", "nasdsl", "check", "größe.nas"],
        env=env,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1
    assert b"NAS901" in done.stdout
    assert b"Traceback" not in done.stderr
