"""The durable record of a study: one SQLite file with one writing connection.

Every fact is committed, and on the disk, before the study acts on it. Viewers open the file
without writing and may come and go while a study runs.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from nasdsl.diagnostics import DiagnosticError, problem
from nasdsl.study.lock import Lock
from nasdsl.study.records import (
    CenterFact,
    LinkFact,
    Measured,
    Subject,
    Trial,
    TrialFact,
    table,
)

T = TypeVar("T")

NAME = "study.sqlite"
APPLICATION = 0x4E415344
"""``NASD``, the mark of our files in SQLite's header."""
SCHEMA = 1
BUSY_MS = 10_000
SAFE_WAL = (3, 51, 3)
"""Earlier versions of SQLite can corrupt a file in WAL mode when two connections meet."""

# Ranks are text: a space may have more architectures than SQLite's integers can count.
_TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE trials (
    number INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL UNIQUE, subject TEXT NOT NULL,
    rank TEXT, seed INTEGER NOT NULL, center INTEGER NOT NULL, edit TEXT,
    state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'complete', 'failed')),
    reason TEXT, objectives TEXT NOT NULL, spreads TEXT NOT NULL, timing TEXT NOT NULL
);
CREATE TABLE centers (
    position INTEGER PRIMARY KEY, draw INTEGER NOT NULL UNIQUE, fingerprint TEXT NOT NULL UNIQUE,
    subject TEXT NOT NULL, rank TEXT, trial INTEGER NOT NULL UNIQUE REFERENCES trials (number),
    state TEXT NOT NULL CHECK (state IN ('queued', 'complete', 'failed')),
    reason TEXT, objectives TEXT NOT NULL, spreads TEXT NOT NULL
);
CREATE TABLE links (
    center INTEGER NOT NULL REFERENCES centers (position), ball TEXT NOT NULL,
    position INTEGER NOT NULL, edit TEXT NOT NULL, fingerprint TEXT NOT NULL,
    subject TEXT NOT NULL, rank TEXT, trial INTEGER REFERENCES trials (number),
    PRIMARY KEY (center, ball, position)
) WITHOUT ROWID;
"""


class Store:
    """A study's facts. Opened by :func:`create`, :func:`resume` or :func:`view`."""

    def __init__(self, connection: sqlite3.Connection, path: Path, lock: Lock | None):
        self._connection = connection
        self._lock = lock
        self.path = path

    def close(self) -> None:
        """Ends the connection and lets another process write."""
        self._connection.close()
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    # Facts in

    def note(self, **values: Any) -> None:
        """Sets entries of the study's head (plain data by name)."""
        with self._transaction() as run:
            for name, value in values.items():
                run.execute("REPLACE INTO meta VALUES (?, ?)", (name, json.dumps(value)))

    def plan(
        self,
        trials: Iterable[TrialFact],
        centers: Iterable[CenterFact] = (),
        links: Iterable[LinkFact] = (),
    ) -> None:
        """Adds trials, centers and links; a link that is there already gets its trial."""
        with self._transaction() as run:
            for t in trials:
                run.execute(
                    "INSERT INTO trials VALUES "
                    "(?, ?, ?, ?, ?, ?, ?, 'queued', NULL, '{}', '{}', ?)",
                    (
                        t.number,
                        *_subject_in(t.subject),
                        t.seed,
                        t.center,
                        t.edit,
                        _dump(t.timing),
                    ),
                )
            for c in centers:
                fingerprint, subject, rank = _subject_in(c.subject)
                run.execute(
                    "INSERT INTO centers VALUES (?, ?, ?, ?, ?, ?, 'queued', NULL, '{}', '{}')",
                    (c.position, c.draw, fingerprint, subject, rank, c.trial),
                )
            for k in links:
                run.execute(
                    "INSERT INTO links VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
                    "ON CONFLICT DO UPDATE SET trial = excluded.trial",
                    (k.center, k.ball, k.position, k.edit, *_subject_in(k.subject), k.trial),
                )

    def start(self, number: int, timing: Mapping[str, Any]) -> None:
        """A queued trial begins."""
        with self._transaction() as run:
            run.execute(
                "UPDATE trials SET state = 'running', timing = ? WHERE number = ? "
                "AND state = 'queued'",
                (_dump(timing), number),
            )

    def finish(
        self,
        number: int,
        measured: Measured,
        timing: Mapping[str, Any],
        centers: Mapping[int, Measured] | None = None,
    ) -> None:
        """A running trial has ended, and with it perhaps some centers (by position)."""
        with self._transaction() as run:
            run.execute(
                "UPDATE trials SET state = ?, reason = ?, objectives = ?, spreads = ?, timing = ? "
                "WHERE number = ? AND state = 'running'",
                (*_measured_in(measured), _dump(timing), number),
            )
            self._judge(run, centers or {})

    def judge(self, centers: Mapping[int, Measured]) -> None:
        """Sets what centers (by position) came to."""
        if centers:
            with self._transaction() as run:
                self._judge(run, centers)

    def requeue(self) -> int:
        """Running trials, whose process is gone, wait again; how many there were."""
        with self._transaction() as run:
            return run.execute(
                "UPDATE trials SET state = 'queued' WHERE state = 'running'"
            ).rowcount

    @staticmethod
    def _judge(run: sqlite3.Connection, centers: Mapping[int, Measured]) -> None:
        for position, measured in centers.items():
            run.execute(
                "UPDATE centers SET state = ?, reason = ?, objectives = ?, spreads = ? "
                "WHERE position = ?",
                (*_measured_in(measured), position),
            )

    # Facts out

    def head(self) -> dict[str, Any]:
        """What :meth:`note` has set."""
        return dict(self._read("SELECT * FROM meta", lambda r: (r[0], json.loads(r[1]))))

    def trials(self) -> list[TrialFact]:
        """All trials, by number."""
        return self._read(
            "SELECT * FROM trials ORDER BY number",
            lambda r: TrialFact(
                r[0], _subject(r[2], r[3]), r[4], r[5], r[6], _measured(r[7:11]), _load(r[11])
            ),
        )

    def centers(self) -> list[CenterFact]:
        """All proposals, in their order."""
        return self._read(
            "SELECT * FROM centers ORDER BY position",
            lambda r: CenterFact(r[0], r[1], _subject(r[3], r[4]), r[5], _measured(r[6:10])),
        )

    def links(self) -> list[LinkFact]:
        """All neighbors of all centers, in their order."""
        return self._read(
            "SELECT * FROM links ORDER BY center, ball, position",
            lambda r: LinkFact(r[0], r[1], r[2], r[3], _subject(r[5], r[6]), r[7]),
        )

    def table(self) -> list[Trial]:
        """The trial table, read at one instant."""
        with self._transaction("DEFERRED"):
            return table(self.trials(), self.centers(), self.links())

    # SQLite

    def _read(self, query: str, make: Callable[[tuple[Any, ...]], T]) -> list[T]:
        with _told(self.path):
            try:
                return [make(row) for row in self._connection.execute(query).fetchall()]
            except (ValueError, KeyError, TypeError) as error:
                # Pages can be overwritten without SQLite noticing; what stands there then is
                # neither text nor JSON, or JSON of another form.
                raise sqlite3.DatabaseError(f"a record cannot be read ({error})") from error

    @contextmanager
    def _transaction(self, kind: str = "IMMEDIATE") -> Iterator[sqlite3.Connection]:
        with _told(self.path):
            # Ctrl-C is raised as a statement returns, so a transaction may be open already when
            # its BEGIN seems to have failed: it is begun within, and one left over is undone.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            try:
                self._connection.execute(f"BEGIN {kind}")
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise


def create(folder: Path, head: Mapping[str, Any]) -> None:
    """Writes an empty study with its head into a folder that has none."""
    path = folder / NAME
    if path.exists():
        raise problem("NAS603", f"'{path}' exists already; go on with it by --resume")
    with _told(path):
        connection = _connect(path, "rwc")
        try:
            connection.executescript(
                f"BEGIN; PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {SCHEMA};"
                f"{_TABLES} COMMIT;"
            )
            Store(connection, path, None).note(**head)
        finally:
            connection.close()


def resume(folder: Path) -> Store:
    """Opens a study for writing; refused while another process writes it."""
    path = _existing(folder)
    lock = Lock(folder)
    try:
        with _told(path):
            connection = _connect(path, "rw")
            try:
                _check(connection, path)
                (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
                if found != "ok":
                    raise problem("NAS608", f"'{path}' is damaged: {found}")
                safe = sqlite3.sqlite_version_info >= SAFE_WAL
                connection.execute(f"PRAGMA journal_mode = {'WAL' if safe else 'DELETE'}")
                connection.execute("PRAGMA synchronous = FULL")
            except BaseException:
                connection.close()
                raise
    except BaseException:
        lock.release()
        raise
    return Store(connection, path, lock)


def view(folder: Path) -> Store:
    """Opens a study for reading, also while it is being written."""
    path = _existing(folder)
    with _told(path):
        try:
            connection = _viewing(path, "ro")
        except sqlite3.OperationalError:
            # A process that was killed in the middle of a transaction leaves a journal behind,
            # which a connection must be allowed to write to roll back.
            connection = _viewing(path, "rw")
        return Store(connection, path, None)


def _viewing(path: Path, mode: str) -> sqlite3.Connection:
    connection = _connect(path, mode)
    try:
        connection.execute("PRAGMA query_only = ON")
        _check(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _existing(folder: Path) -> Path:
    path = folder / NAME
    if not path.is_file():
        raise problem("NAS604", f"'{folder}' holds no study (there is no '{NAME}' in it)")
    return path


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    uri = f"{path.resolve().as_uri()}?mode={mode}"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None)
    connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
    return connection


def _check(connection: sqlite3.Connection, path: Path) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (schema,) = connection.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION:
        raise problem("NAS605", f"'{path}' is not a study of nasdsl")
    if schema > SCHEMA:
        raise problem(
            "NAS606",
            f"'{path}' was written by a newer nasdsl (format {schema}, this one reads up to "
            f"{SCHEMA}); update nasdsl to open it",
        )
    for name in ("meta", "trials", "centers", "links"):
        connection.execute(f"SELECT 1 FROM {name} LIMIT 1").fetchone()


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """What SQLite reports, as a diagnostic: full disks and torn files are no bugs of ours."""
    try:
        yield
    except DiagnosticError:
        raise
    except (sqlite3.ProgrammingError, sqlite3.IntegrityError, sqlite3.InterfaceError):
        raise
    except sqlite3.OperationalError as error:
        raise problem("NAS607", f"cannot use '{path}': {error}") from error
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        raise problem("NAS608", f"'{path}' is damaged: {error}") from error


def _dump(value: Mapping[str, Any]) -> str:
    # NaN and infinity are refused: no such value may be a fact.
    return json.dumps(dict(value), allow_nan=False)


def _load(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text)
    return found


def _subject_in(subject: Subject) -> tuple[str, str, str | None]:
    data = {
        "decisions": None if subject.decisions is None else dict(subject.decisions),
        "key": subject.key,
        "network": subject.network,
    }
    text = json.dumps({"fingerprint": subject.fingerprint, **data}, allow_nan=False)
    return subject.fingerprint, text, None if subject.rank is None else str(subject.rank)


def _subject(text: str, rank: str | None) -> Subject:
    data = json.loads(text)
    decisions = data["decisions"]
    if decisions is not None:
        decisions = {k: tuple(v) if isinstance(v, list) else v for k, v in decisions.items()}
    return Subject(
        data["fingerprint"],
        None if rank is None else int(rank),
        decisions,
        data["key"],
        data["network"],
    )


def _measured_in(measured: Measured) -> tuple[str, str | None, str, str]:
    return measured.state, measured.reason, _dump(measured.values), _dump(measured.spreads)


def _measured(row: tuple[Any, ...]) -> Measured:
    return Measured(row[0], row[1], _load(row[2]), _load(row[3]))
