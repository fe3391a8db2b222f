"""The table of living workers, in the database that stands between them and the kernels."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ..credentials import masked
from ..errors import AgentConfigError, RunError
from ..version import __version__
from .wire import FORMAT, PYTHON

BEAT_S = 5.0
"""The interval of a worker's heartbeat, and that of a kernel's look at it."""
GONE_S = 30.0
"""The age of a heartbeat after which another worker may have its id."""
ENGINE = "SMITHERS_ENGINE"
"""The environment variable that has the address of the engine."""

_TABLE = """
CREATE TABLE IF NOT EXISTS smithers_workers (
  worker_id TEXT PRIMARY KEY, queue TEXT NOT NULL, host TEXT NOT NULL, pid INTEGER NOT NULL, version TEXT NOT NULL,
  format INTEGER NOT NULL, python TEXT NOT NULL, started_at TIMESTAMPTZ NOT NULL, seen_at TIMESTAMPTZ NOT NULL,
  running INTEGER NOT NULL
);
ALTER TABLE smithers_workers ADD COLUMN IF NOT EXISTS tasks INTEGER NOT NULL DEFAULT 1;
ALTER TABLE smithers_workers ADD COLUMN IF NOT EXISTS executions INTEGER NOT NULL DEFAULT 1;
"""


@dataclass(frozen=True, kw_only=True)
class Places:
    """The most items that a worker runs at a time."""

    tasks: int
    executions: int


@dataclass(frozen=True, slots=True)
class WorkerRecord:
    """A worker as the table has it."""

    worker_id: str
    queue: str
    host: str
    pid: int
    version: str
    format: int
    """The number of the format of tasks that it understands."""
    python: str
    seen_s: float
    """The age of its last heartbeat, by the clock of the database."""
    running: int
    """The number of tasks that it runs; -1 while it begins."""
    tasks: int
    """The most tasks of agents and functions that it runs at a time."""
    executions: int
    """The most whole executions that it runs at a time."""


def checked_url(url: str | None) -> str:
    """Return the address of the engine; that of the environment by default.

    Raises:
        ValueError: if there is none, or it is none of a PostgreSQL.
    """
    url = url or os.environ.get(ENGINE)
    if not url:
        raise ValueError(f"no engine is named: give its address, postgresql://user@host/database, or set {ENGINE}.")
    if urlsplit(url).scheme not in ("postgresql", "postgres"):
        raise ValueError(f"the engine is a PostgreSQL: its address begins with postgresql://, not {url[:12]!r}")
    return url


def place_of(url: str) -> str:
    """Return host, port and database of an address, without name and password.

    >>> place_of("postgresql://me:secret@db.example/smithers")
    'db.example:5432/smithers'
    """
    parts = urlsplit(url)
    return f"{parts.hostname or 'localhost'}:{parts.port or 5432}{parts.path}"


def needs_extra() -> None:
    """Check that the packages of the extra are there.

    Raises:
        AgentConfigError: with the line that installs them.
    """
    from importlib.util import find_spec

    if missing := [name for name in ("dbos", "psycopg") if find_spec(name) is None]:
        raise AgentConfigError(
            f"workers need {' and '.join(missing)}, which is not installed: pip install 'smithers_nb[dbos]'"
        )


def cause_of(error: BaseException) -> str:
    """Return what the database or its driver says, in a line."""
    return masked(str(getattr(error, "orig", None) or error).strip().partition("\n")[0])


@contextmanager
def reached(url: str) -> Iterator[None]:
    """Name the engine in the error of a command that does not reach it.

    Raises:
        RunError: instead of the error of the driver.
    """
    import psycopg

    try:
        yield
    except psycopg.OperationalError as error:
        raise RunError(f"the engine at {place_of(url)} can't be reached: {cause_of(error)}") from error


def connected(url: str) -> Any:  # Any: psycopg's connection, of an extra
    """Return a connection to the database."""
    import psycopg

    return psycopg.connect(url, connect_timeout=5, autocommit=True)


def workers_of(url: str, queue: str | None = None) -> list[WorkerRecord]:
    """Return the workers of a queue, or of all, by their ids; none where none has ever been started."""
    from psycopg import errors

    with connected(url) as db:
        try:
            rows = db.execute(
                "SELECT worker_id, queue, host, pid, version, format, python,"
                " extract(epoch FROM now() - seen_at)::float8, running, tasks, executions FROM smithers_workers"
                " WHERE %(queue)s::text IS NULL OR queue = %(queue)s ORDER BY worker_id",
                {"queue": queue},
            ).fetchall()
        except errors.UndefinedTable:
            return []
    return [WorkerRecord(*row) for row in rows]


def claim(url: str, worker_id: str, queue: str, places: Places) -> None:
    """Enter a worker into the table.

    Raises:
        RunError: if a living one has its id. Two of one id would take each other's tasks, and pay for calls twice.
    """
    host, pid = socket.gethostname(), os.getpid()
    with connected(url) as db:
        db.execute("SELECT pg_advisory_lock(748913)")  # CREATE TABLE IF NOT EXISTS fails when two begin at once.
        db.execute(_TABLE)
        row = db.execute(
            "SELECT host, pid, extract(epoch FROM now() - seen_at) FROM smithers_workers WHERE worker_id = %s",
            (worker_id,),
        ).fetchone()
        if row is not None and row[2] < GONE_S and _lives(row[0], row[1], host):
            raise RunError(
                f"a worker {worker_id!r} is alive: process {row[1]} on {row[0]}, last seen {row[2]:.0f} s ago. Give "
                f"this one an id of its own (--id), or end that one; {GONE_S:.0f} s after its last sign its id is free."
            )
        db.execute("DELETE FROM smithers_workers WHERE seen_at < now() - interval '1 day'")
        db.execute(
            "INSERT INTO smithers_workers VALUES (%s, %s, %s, %s, %s, %s, %s, now(), now(), -1, %s, %s)"
            " ON CONFLICT (worker_id) DO UPDATE SET queue = excluded.queue, host = excluded.host, pid = excluded.pid,"
            " running = -1, version = excluded.version, format = excluded.format, python = excluded.python,"
            " started_at = now(), seen_at = now(), tasks = excluded.tasks, executions = excluded.executions",
            (worker_id, queue, host, pid, __version__, FORMAT, PYTHON, places.tasks, places.executions),
        )


def _lives(host: str, pid: int, here: str) -> bool:
    # In a container that was started again, the former worker has the host and the process id of this one.
    if host != here:
        return True
    if pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def beat(db: Any, worker_id: str, running: int) -> None:  # Any: psycopg's connection
    """Record that a worker is alive."""
    db.execute("UPDATE smithers_workers SET seen_at = now(), running = %s WHERE worker_id = %s", (running, worker_id))


def owners_of(db: Any, ids: list[str]) -> dict[str, str | None]:  # Any: psycopg's connection
    """Return the tokens of the owners of items, as DBOS has them; None for one that waits in the queue."""
    if not ids:
        return {}
    sql = "SELECT workflow_uuid, owner_xid FROM dbos.workflow_status WHERE workflow_uuid = ANY(%s)"
    return dict(db.execute(sql, (ids,)).fetchall())


def leave(db: Any, worker_id: str) -> None:  # Any: psycopg's connection
    """Remove a worker from the table."""
    db.execute("DELETE FROM smithers_workers WHERE worker_id = %s", (worker_id,))
