"""The store: durable facts, one writer, readers beside it, and files that are not sound."""

from __future__ import annotations

import json
import math
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasdsl.diagnostics import DiagnosticError
from nasdsl.study import store
from nasdsl.study.records import CenterFact, LinkFact, Measured, Subject, TrialFact
from nasdsl.study.store import create, resume, view

ROOT = Path(__file__).parents[2]
SUBJECT = Subject("aa", 2**70, {"width": 16, "inputs": (0, 2), "op": "conv"}, "key")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    create(tmp_path, {"name": "tiny", "seed": 3})
    return tmp_path


def one_trial(facts: store.Store) -> None:
    facts.plan([TrialFact(0, SUBJECT, 2**62, 0)], [CenterFact(0, 0, SUBJECT, 0)])


def codes(caught: pytest.ExceptionInfo[DiagnosticError]) -> list[str]:
    return [d.code for d in caught.value.diagnostics]


def run_python(code: str, *args: object, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, args)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        **options,
    )


# Facts


def test_what_goes_in_comes_out(folder: Path) -> None:
    outside = Subject("bb", network={"nodes": [], "outputs": ["x"], "name": "n"})
    trials = [
        TrialFact(0, SUBJECT, 2**62, 0),
        TrialFact(1, outside, 5, 0, "cut", timing={"attempt": 0}),
    ]
    centers = [CenterFact(0, 4, SUBJECT, 0)]
    links = [
        LinkFact(0, "samples=2", 0, "cut", outside, 1),
        LinkFact(0, "samples=2", 1, "swap", SUBJECT, None),
    ]
    with resume(folder) as facts:
        facts.plan(trials, centers, links)
    with view(folder) as facts:
        assert facts.trials() == trials
        assert facts.centers() == centers
        assert facts.links() == links
        assert facts.head() == {"name": "tiny", "seed": 3}


def test_a_trial_lives_its_life(folder: Path) -> None:
    done = Measured("complete", None, {"accuracy": 87.5, "params": 12}, {"accuracy": 0.5})
    judged = Measured("complete", "a note", {"flatness.neighborhood": 80.0})
    with resume(folder) as facts:
        one_trial(facts)
        assert facts.table()[0].state == "queued"
        facts.start(0, {"attempt": 1})
        assert facts.table()[0].state == "running"
        assert facts.requeue() == 1
        assert facts.table()[0].state == "queued"
        facts.start(0, {"attempt": 2})
        facts.finish(0, done, {"attempt": 2, "seconds": 1.5}, {0: judged})
    with view(folder) as facts:
        (row,) = facts.table()
    assert (row.state, row.reason) == ("complete", "a note")
    assert row.objectives == {"accuracy": 87.5, "params": 12, "flatness.neighborhood": 80.0}
    assert row.spreads == {"accuracy": 0.5}
    assert row.timing == {"attempt": 2, "seconds": 1.5}
    assert json.loads(json.dumps(row.to_json()))["rank"] == 2**70


def test_a_link_gets_its_trial_later(folder: Path) -> None:
    other = Subject("bb", 1, {})
    link = LinkFact(0, "samples=all", 0, "swap", other, None)
    with resume(folder) as facts:
        facts.plan([TrialFact(0, SUBJECT, 1, 0)], [CenterFact(0, 0, SUBJECT, 0)], [link])
        facts.plan(
            [TrialFact(1, other, 2, 0, "swap")], (), [LinkFact(0, link.ball, 0, "swap", other, 1)]
        )
        assert [k.trial for k in facts.links()] == [1]


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_come_back_bit_by_bit(value: float) -> None:
    text = store._dump({"x": value})
    assert math.copysign(1, json.loads(text)["x"]) == math.copysign(1, value)
    assert store._load(text)["x"] == value


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_not_finite_is_never_a_fact(folder: Path, value: float) -> None:
    with resume(folder) as facts:
        one_trial(facts)
        facts.start(0, {})
        with pytest.raises(ValueError, match="JSON"):
            facts.finish(0, Measured("complete", None, {"accuracy": value}), {})
        assert facts.table()[0].state == "running"


def test_one_network_is_one_trial(folder: Path) -> None:
    with resume(folder) as facts:
        one_trial(facts)
        with pytest.raises(sqlite3.IntegrityError):
            facts.plan([TrialFact(1, SUBJECT, 1, 0)])
        assert len(facts.trials()) == 1


def test_a_transaction_is_whole_or_not(folder: Path) -> None:
    clash = TrialFact(0, Subject("cc", 3, {}), 1, 0)
    with resume(folder) as facts:
        with pytest.raises(sqlite3.IntegrityError):
            facts.plan([TrialFact(0, SUBJECT, 1, 0), clash], [CenterFact(0, 0, SUBJECT, 0)])
        assert (facts.trials(), facts.centers()) == ([], [])


def test_the_file_is_safe_against_power_loss(folder: Path) -> None:
    with resume(folder) as facts:
        (mode,) = facts._connection.execute("PRAGMA journal_mode").fetchone()
        (synchronous,) = facts._connection.execute("PRAGMA synchronous").fetchone()
    wal_is_safe = sqlite3.sqlite_version_info >= (3, 51, 3)
    assert (mode, synchronous) == ("wal" if wal_is_safe else "delete", 2)


# Writers and readers

HOLD = """
import sys, time
from pathlib import Path
from nasdsl.study.store import resume
with resume(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_writer_is_refused_until_the_first_is_dead(folder: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(DiagnosticError) as caught:
            resume(folder)
        assert codes(caught) == ["NAS602"]
        assert f"process {holder.pid}" in str(caught.value)
        with view(folder) as facts:
            assert facts.head()["name"] == "tiny"
    finally:
        holder.kill()
        holder.communicate()
    resume(folder).close()


def test_a_second_writer_in_this_process_is_refused(folder: Path) -> None:
    with resume(folder), pytest.raises(DiagnosticError) as caught:
        resume(folder)
    assert codes(caught) == ["NAS602"]


def test_a_reader_sees_what_is_committed_and_cannot_write(folder: Path) -> None:
    with resume(folder) as writer, view(folder) as reader:
        one_trial(writer)
        assert [row.number for row in reader.table()] == [0]
        with pytest.raises(DiagnosticError):
            reader.note(name="other")
    with view(folder) as reader:
        assert reader.head()["name"] == "tiny"


def test_a_reader_polls_while_a_writer_commits(folder: Path) -> None:
    code = """
    import sys
    from pathlib import Path
    from nasdsl.study.store import view
    seen = []
    while not seen or seen[-1] < 40:
        with view(Path(sys.argv[1])) as facts:
            rows = facts.table()
        assert all(r.role == "center" for r in rows), rows
        seen.append(len(rows))
    assert seen == sorted(seen)
    """
    reader = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code), str(folder)], cwd=ROOT)
    with resume(folder) as facts:
        for n in range(40):
            subject = Subject(f"f{n}", n, {})
            facts.plan([TrialFact(n, subject, n, n)], [CenterFact(n, n, subject, n)])
            facts.start(n, {"attempt": 1})
            facts.finish(n, Measured("complete", None, {"accuracy": 1.0}), {"seconds": 0.1})
    assert reader.wait(30) == 0


TORN = """
import os, signal, sys
from pathlib import Path
from nasdsl.study.store import resume
facts = resume(Path(sys.argv[1]))
connection = facts._connection
connection.execute("PRAGMA cache_size = 1")
connection.execute("BEGIN IMMEDIATE")
connection.execute("UPDATE meta SET value = '\\"torn\\"' WHERE name = 'name'")
connection.executemany(
    "INSERT INTO meta VALUES (?, ?)", [(f"x{n}", "y" * 500) for n in range(200)]
)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
@pytest.mark.parametrize("reader_first", [True, False])
def test_a_transaction_torn_by_a_kill_is_rolled_back(folder: Path, reader_first: bool) -> None:
    done = run_python(TORN, folder)
    assert done.returncode == -signal.SIGKILL, done.stderr
    if sqlite3.sqlite_version_info < store.SAFE_WAL:
        assert (folder / "study.sqlite-journal").exists(), "the kill left no journal to roll back"
    if reader_first:
        with view(folder) as facts:
            assert facts.head() == {"name": "tiny", "seed": 3}
    with resume(folder) as facts:
        assert facts.head() == {"name": "tiny", "seed": 3}


# Files that are not sound


def test_no_study_there(tmp_path: Path) -> None:
    for open_ in (view, resume):
        with pytest.raises(DiagnosticError) as caught:
            open_(tmp_path)
        assert codes(caught) == ["NAS604"]
    assert list(tmp_path.iterdir()) == [], "looking must not leave anything behind"


def test_a_study_is_not_overwritten(folder: Path) -> None:
    with pytest.raises(DiagnosticError) as caught:
        create(folder, {})
    assert codes(caught) == ["NAS603"]


def test_another_database_is_refused(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / store.NAME)
    connection.execute("CREATE TABLE trials (x)")
    connection.close()
    for open_ in (view, resume):
        with pytest.raises(DiagnosticError) as caught:
            open_(tmp_path)
        assert codes(caught) == ["NAS605"]


def test_a_newer_format_is_refused(folder: Path) -> None:
    connection = sqlite3.connect(folder / store.NAME)
    connection.execute(f"PRAGMA user_version = {store.SCHEMA + 1}")
    connection.close()
    for open_ in (view, resume):
        with pytest.raises(DiagnosticError) as caught:
            open_(folder)
        assert codes(caught) == ["NAS606"]
        assert "newer nasdsl" in str(caught.value)


def test_a_damaged_file_is_told_or_read(folder: Path) -> None:
    """Cut anywhere, or overwritten anywhere: a diagnostic or the old facts, never a traceback."""
    with resume(folder) as facts:
        one_trial(facts)
    path = folder / store.NAME
    sound = path.read_bytes()
    refused = 0
    for at in range(0, len(sound), max(1, len(sound) // 60)):
        for damaged in (sound[:at], sound[:at] + b"\xff" * 64 + sound[at + 64 :]):
            path.write_bytes(damaged)
            try:
                with resume(folder) as facts:
                    assert len(facts.table()) == 1
            except DiagnosticError as error:
                assert {d.code for d in error.diagnostics} <= {
                    "NAS605",
                    "NAS606",
                    "NAS607",
                    "NAS608",
                }
                refused += 1
    # What is damaged but read has lost nothing: pages have room that holds no facts.
    assert refused > 40, "most damages must be noticed"
    path.write_bytes(sound)
    resume(folder).close()


def test_a_full_disk_is_told_and_loses_nothing(folder: Path) -> None:
    code = """
    import resource, signal, sys
    from pathlib import Path
    from nasdsl.diagnostics import DiagnosticError
    from nasdsl.study.records import CenterFact, Subject, TrialFact
    from nasdsl.study.store import resume
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    facts = resume(Path(sys.argv[1]))
    size = Path(sys.argv[1], "study.sqlite").stat().st_size + 20_000
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    try:
        for n in range(10_000):
            subject = Subject(f"f{n}", n, {"x" * 100: n})
            facts.plan([TrialFact(n, subject, n, n)], [CenterFact(n, n, subject, n)])
            print(n, flush=True)
    except DiagnosticError as error:
        assert [d.code for d in error.diagnostics] == ["NAS607"], error
        sys.exit(7)
    """
    pytest.importorskip("resource")
    done = run_python(code, folder)
    assert done.returncode == 7, done.stderr
    committed = int(done.stdout.split()[-1]) + 1
    with resume(folder) as facts:
        assert len(facts.trials()) == len(facts.centers()) == committed


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere"
)
def test_a_folder_that_cannot_be_written_can_be_viewed(folder: Path) -> None:
    folder.chmod(0o500)
    try:
        with view(folder) as facts:
            assert facts.head()["name"] == "tiny"
        with pytest.raises(DiagnosticError) as caught:
            resume(folder)
        assert codes(caught) == ["NAS601"]
    finally:
        folder.chmod(0o700)


class _InterruptedAfter:
    """A connection whose statement is done when Ctrl-C is raised, as SQLite's are."""

    def __init__(self, connection: sqlite3.Connection, statement: str):
        self._connection = connection
        self._statement = statement

    def execute(self, text: str, *values: Any) -> sqlite3.Cursor:
        done = self._connection.execute(text, *values)
        if text.startswith(self._statement):
            self._statement = "never again"
            raise KeyboardInterrupt
        return done

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


@pytest.mark.parametrize("statement", ["BEGIN", "UPDATE", "COMMIT"])
def test_ctrl_c_within_a_transaction_leaves_the_store_usable(folder: Path, statement: str) -> None:
    with resume(folder) as facts:
        one_trial(facts)
        facts.start(0, {"attempt": 1})
        whole = facts._connection
        interrupted: Any = _InterruptedAfter(whole, statement)
        facts._connection = interrupted
        with pytest.raises(KeyboardInterrupt):
            facts.finish(0, Measured("complete", values={"accuracy": 1.0}), {"attempt": 1})
        facts._connection = whole
        facts.requeue()
        (trial,) = facts.trials()
        assert trial.measured.state == ("complete" if statement == "COMMIT" else "queued")
