"""The one writing connection to a file: opened, migrated, and used for one transaction a hop."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from ctypes import py_object, pythonapi
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from time import monotonic, sleep, time
from typing import ClassVar, Concatenate, ParamSpec, TypeVar, cast
from weakref import WeakValueDictionary

import aiosqlite

from ..errors import NotStorableError, SchemaVersionError, StoreBusyError, StoreDamagedError, StoreError
from ..records import Durability
from ..threads import after_fork
from .presence import Presence, StoreLostError, fold
from .recordable import REFUSALS, Recordable
from .uses import USES

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

BUSY_TIMEOUT_S = 10.0
IDLE_S = 1.0
"""The time without a transaction after which the log is copied into the file."""
PAGE_BYTES = 1024
"""The page size of a new file. A transaction writes whole pages into the log: SQLite's own 4,096 made it three times as
much a step, and values of some KB left more of them empty."""
LOG_PAGES = 4000
"""The number of pages that the log may hold before they are copied into the file, which waits for the disk: 4 MB, as
SQLite's own figures give.
"""


PAGE = (".html", ".htm")
"""The ends of the names of exported runs."""
PAGES: dict[str, str] = {}
"""The files that hold the databases of exported runs, and the names of these, ``run.html``."""


def is_page(path: str) -> bool:
    """Return True for an exported run that is there, by its name."""
    return path.lower().endswith(PAGE) and os.path.exists(path)


def refuse_lines(path: str) -> None:
    """Refuse lines of JSON as a store.

    Raises:
        StoreError: if the file has a name of such.
    """
    # They could not be exact: a branch is written without the rows that its fork has copied, children and loops are
    # left out, requests are put together, and JSON that is decoded and encoded again has other digits and escapes.
    if path.lower().endswith((".ndjson", ".jsonl")):
        raise StoreError(
            f"{path} has the name of lines of JSON, which are for other programs, and from which no execution can be "
            "made again: children, loops and breakpoints are not in them. ex.export('run.html') writes a file that "
            "Store('run.html') opens, with all of it."
        )


def refuse_page(path: str) -> None:
    """Refuse to write into an exported run.

    Raises:
        StoreError: if the file is one, or has the name of one.
    """
    page = PAGES.get(path, path)
    if page.lower().endswith(PAGE):
        raise StoreError(
            f"{page} is an exported run, or has the name of one: it is read, and never written. "
            f"Store({os.path.basename(page)!r}).save('run.db') makes a database of it, which takes writes, and "
            "fork(app) of an execution in it does so by itself."
        )


def closed(path: str) -> StoreError:
    """Return the error for a transaction after the execution was closed."""
    return StoreError(f"{path} was closed here. Execution.resume(…) continues its execution.")


def forked(path: str, pid: int) -> StoreError:
    """Return the error for a transaction of a forked process in an execution of its parent."""
    return StoreError(
        f"{path} is open in process {pid}, which forked this one: writes made here would go through the parent's "
        "connection. A new Execution(…) has an engine of its own here; to continue the parent's in the child, close it "
        "before the fork, and call Execution.resume(…) here."
    )


class Database:
    """A file with its one connection on its one thread, shared by all executions of this process in that file.

    A transaction is one function that runs whole on the connection's thread: awaiting statement by statement
    would cost a thread hop each, and let the statements of two tasks mix.
    """

    _open: dict[str, Database] = {}  # noqa: RUF012  # shared on purpose: one writer per file and process
    _opening: ClassVar[WeakValueDictionary[str, asyncio.Lock]] = WeakValueDictionary()
    """A lock a file: a worker opens its files on two loops, and a lock that both wait for fails."""

    def __init__(self, path: str, connection: aiosqlite.Connection, durability: Durability) -> None:
        self.path = path
        self.durability = durability
        """The highest one requested: transactions of all executions share the connection."""
        self.pid = os.getpid()
        self._connection = connection
        self._users = 0
        self._presence = Presence(path)
        self._retired = False
        """True if the file has lost its name, and another connection serves that name."""
        self._look_at_log = False
        self._folded_at = 0.0
        """End of the last transaction that is in the file itself."""
        self._idle: asyncio.TimerHandle | None = None
        self._folding: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, path: str, durability: Durability = "normal") -> Database:
        """Return the connection to a file, made and migrated if need be. Call ``close`` when done with it.

        Raises:
            StoreDamagedError: if it is not a SQLite database.
            SchemaVersionError: if a newer release wrote it.
            StoreError: if it can't be opened or written.
        """
        async with cls._alone(path):
            database = cls._open.get(path)
            if database is not None and database._presence.lost:
                await database._retire()
                database = None
            if database is None:
                database = cls(path, await _connect(path, durability), durability)
                cls._open[path] = database
            elif durability == "full" and database.durability != "full":
                await database._make_full()
            database._users += 1
            return database

    async def transaction(
        self, work: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run ``work(connection, …)`` in one transaction, on the connection's thread, and return its result.

        If it raises, all its changes are rolled back. A cancelled caller still waits for the end, and its cancellation
        takes effect at its next await: the file and the memory must not disagree.

        Raises:
            StoreLostError: if the file was removed, renamed or replaced since it was opened.
        """

        def hop(opened: sqlite3.Connection) -> T:
            connection = self._present(opened)

            def committed(taken: sqlite3.Connection) -> T:
                # Not a plain BEGIN: a transaction that reads first and writes later fails at once, whatever
                # busy_timeout says, if another process has written in between (SQLITE_BUSY_SNAPSHOT).
                connection.execute("BEGIN IMMEDIATE")
                try:
                    result = work(taken, *args, **kwargs)
                    connection.execute("COMMIT")
                    self._presence.written_at = time()
                except BaseException:
                    # After some errors, a full disk for one, SQLite has rolled back by itself.
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                    raise
                return result

            try:
                return committed(connection)
            except REFUSALS:
                # A text that SQLite refuses must not keep the rest of a frame from being recorded.
                return committed(cast(sqlite3.Connection, Recordable(connection)))

        if self._idle is None:
            self._fold_when_idle()
        with mapped(self.path):
            return await _outcome(self._hop(hop))

    async def _make_full(self) -> None:
        with mapped(self.path):
            await _outcome(self._hop(lambda connection: connection.execute("PRAGMA synchronous = FULL")))
        self.durability = "full"

    @property
    def lost(self) -> StoreLostError | None:
        """The error that the next transaction raises because the file was removed, renamed or replaced; else None."""
        if self._presence.lost:
            return self._presence.error()
        return None

    def look_at_log(self) -> None:
        """Let the next transaction check the name of the log, too; that of the file is checked in each."""
        self._look_at_log = True

    async def fold(self) -> None:
        """Copy the log into the file, as far as readers allow it: the file alone, copied, has everything then."""
        if not self._connection._running or self._folded_at == self._presence.written_at:
            return
        self._look_at_log = True

        def hop(connection: sqlite3.Connection) -> None:
            if fold(self._present(connection)):
                self._folded_at = self._presence.written_at

        try:
            with mapped(self.path):
                await _outcome(self._hop(hop))
        except StoreLostError:
            return  # The next transaction raises it where a person can see it.
        except StoreError as error:
            logger.warning("the newest records are in the log beside the file, and not in it yet: %s", error)
        if self._folded_at != self._presence.written_at and self._idle is None:
            self._fold_when_idle()

    def _fold_when_idle(self) -> None:
        """Fold after a while without a transaction: a fold waits for the disk, and no step shall wait for it."""
        # One timer that looks again, instead of one that every transaction cancels and sets: that is cheaper a frame.
        seen = self._presence.written_at

        def due() -> None:
            self._idle = None
            if self._presence.written_at != seen:
                self._fold_when_idle()
            else:
                self._folding = asyncio.get_running_loop().create_task(self.fold(), name="smithers fold")

        self._idle = asyncio.get_running_loop().call_later(IDLE_S, due)

    def _present(self, connection: sqlite3.Connection) -> sqlite3.Connection:
        """Return the connection to use, on its thread.

        Raises:
            StoreLostError: if the file was removed, renamed or replaced since it was opened.
        """
        if self._presence.lost:
            self._presence.leave(connection)
            raise self._presence.error()
        if self._look_at_log:
            self._look_at_log = False
            if self._presence.log_lost:
                return self._reopened(connection)
        return connection

    def _reopened(self, connection: sqlite3.Connection) -> sqlite3.Connection:
        """Open the file again because its log was removed; the content of the log goes into the file first."""
        # SQLite still has the removed log open and would write into it: it would be gone when the process ends.
        if not fold(connection):
            self._look_at_log = True
            raise StoreBusyError(
                f"{self._presence.log} was removed while others read the file. Nothing was lost; try again when they "
                "are done."
            )
        connection.close()
        self._connection._connection = again = _prepared(self.path, self.durability)
        self._presence = Presence(self.path)
        logger.warning("%s was removed while it was open. Nothing was lost: it was made again", self._presence.log)
        return again

    async def _retire(self) -> None:
        """Close the connection to a file that has lost its name: another is opened under it. Not after that: SQLite's
        locks on the log are the process's, and closing would drop those of the new connection.
        """
        del self._open[self.path]
        await _outcome(self._hop(self._presence.leave))
        await self._end()
        self._retired = True

    def _hop(self, work: Callable[[sqlite3.Connection], T]) -> _Uncancellable[T]:
        # aiosqlite's public calls are one hop per statement; this is the same queue with a function of our own.
        # Without a coroutine around it: the event loop would take as long for it as SQLite for the statements.
        connection = self._connection
        if self.pid != os.getpid():
            raise forked(self.path, self.pid)
        if self._retired:
            raise self._presence.error()
        if not connection._running:
            raise closed(self.path)
        future: _Uncancellable[T] = _Uncancellable(loop=asyncio.get_running_loop())

        def use() -> T:
            with USES:
                return work(connection._conn)

        connection._tx.put_nowait((future, use))
        return future

    @classmethod
    def _alone(cls, path: str) -> asyncio.Lock:
        return cls._opening.setdefault(path, asyncio.Lock())

    async def close(self) -> None:
        """Close the connection after its last user."""
        async with self._alone(self.path):
            self._users -= 1
            if self._users == 0 and not self._retired:
                del self._open[self.path]
                if self._idle is not None:
                    self._idle.cancel()
                await self._end()

    async def _end(self) -> None:
        # In a hop of ours, as all that locks: aiosqlite's own would not keep a fork waiting.
        await _outcome(self._hop(lambda connection: connection.close()))
        await self._connection.close()


def disconnect() -> None:
    """Close every connection, from a thread without an event loop: the loop that they belong to has ended.

    Their threads are not daemons, and the process would wait for them at its end.
    """
    for database in Database._open.values():
        database._connection.stop()
    Database._open.clear()


def _leave_to_the_parent() -> None:
    """Begin without connections in the child of a fork: SQLite would take the locks of its parent's for its own, and
    lock nothing itself.
    """
    for database in Database._open.values():
        connection = database._connection
        if USES.ended:
            # The parent has the file open, and so this neither folds the log nor removes it.
            connection._conn.close()
            connection._connection = None
            continue
        # In a transaction of the parent's, closing would undo that in the memory that both have. A reference in a list
        # of ours would not keep it open either: at the end of the process the module is cleared, and the destructors
        # run. A count that is never taken back keeps them from it.
        pythonapi.Py_IncRef(py_object(connection))
        pythonapi.Py_IncRef(py_object(connection._connection))
    Database._open.clear()
    # The parent may have held one at the fork, and no task of this process would release it.
    Database._opening.clear()


after_fork(_leave_to_the_parent)


class _Uncancellable(asyncio.Future[T]):
    """The result of a hop. A cancelled task still waits for it; ``asyncio.shield`` around it would take a turn of the
    event loop more.
    """

    def cancel(self, msg: object = None) -> bool:
        return False


async def _outcome(future: _Uncancellable[T]) -> T:
    """Return the result of a hop. A cancellation meanwhile takes effect at the next await of the caller."""
    try:
        return await future
    except asyncio.CancelledError:
        # The future refuses to be cancelled, and so this was raised on waking up, after the hop had ended. Requesting
        # the cancellation again raises it at the next await; uncancel() keeps the count of requests at one.
        if (task := asyncio.current_task()) is not None:
            task.uncancel()
            task.cancel()
        return future.result()


async def uncancelled(work: Awaitable[T]) -> T:
    """Await ``work`` to its end even if the awaiting task is cancelled; then let the cancellation through."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        if not task.cancelled():
            await asyncio.wait({task})
            if error := task.exception():
                raise error from None
        raise


class mapped:  # reads as a statement: with mapped(path): …
    """Turn SQLite's errors into ours, once, at the door."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, sqlite3.Error):
            raise store_error(self.path, error) from error
        if isinstance(error, OverflowError):
            raise NotStorableError(f"{self.path} can't hold it: {error}. {TOO_LONG}") from error


TOO_LONG = "A row holds 1,000,000,000 bytes at most. Nothing was changed; write it to a file, and keep the file's name."


_WRITING = ("WRITE", "FSYNC", "TRUNCATE", "SHM", "DELETE")
"""Words in SQLite's codes for failures of the disk on writing."""


def store_error(path: str, error: sqlite3.Error) -> StoreError:
    """Return the error to raise for one of SQLite's."""
    code = getattr(error, "sqlite_errorname", "") or ""
    if code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return StoreBusyError(
            f"{path} is locked: another process has held its write lock for over {BUSY_TIMEOUT_S:g} s. Nothing was "
            "lost; end or wait for the other writer, then continue."
        )
    if code in ("SQLITE_NOTADB", "SQLITE_CORRUPT") or code.startswith("SQLITE_CORRUPT"):
        return StoreDamagedError(
            f"{path} is not a usable SQLite database ({error}). It was not changed; name another file, or restore it."
        )
    if code == "SQLITE_TOOBIG":
        return NotStorableError(f"{path} can't hold it: {error}. {TOO_LONG}")
    if code.startswith("SQLITE_READONLY"):
        return StoreError(f"{path} can't be written ({error}). Check the permissions of the file and its folder.")
    if code.startswith("SQLITE_CANTOPEN"):
        return StoreError(f"{path} can't be opened ({error}). Check that its folder exists and may be written.")
    if code.startswith("SQLITE_IOERR") and not any(word in code for word in _WRITING):
        return StoreError(
            f"{path} can't be read ({error}): the disk, or the network that it is on, has failed. Nothing was changed; "
            "check the disk, then continue."
        )
    if code.startswith(("SQLITE_FULL", "SQLITE_IOERR")):
        return StoreError(f"{path} can't be written ({error}). Make room on the disk, then continue; nothing was lost.")
    return StoreError(f"{path}: {error}")


def now() -> str:
    """Return the time in UTC as ISO 8601 with microseconds: it sorts as text."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


# ---- opening ---------------------------------------------------------------------------------------------------


async def _connect(path: str, durability: Durability) -> aiosqlite.Connection:
    def connector() -> sqlite3.Connection:
        with USES:
            return _prepared(path, durability)

    with mapped(path):
        # Not aiosqlite.connect(path): opening, checking and migrating are one hop this way.
        return await aiosqlite.Connection(connector, iter_chunk_size=64)


def _prepared(path: str, durability: Durability) -> sqlite3.Connection:
    """Open, check and migrate; on the connection's thread."""
    refuse_page(path)
    if Path(path).is_dir():
        raise StoreError(f"{path} is a folder. Name a file in it, such as {path}/smithers.db.")
    if Path(path).exists() and not os.access(path, os.W_OK):
        # SQLite would leave a log beside it that can't be written either, and stays.
        raise StoreError(
            f"{path} can't be written: it is read-only. Check the file's permissions; Store(path) reads it as it is."
        )
    # isolation_level=None: the module sqlite3 would begin and commit transactions by rules of its own.
    connection = sqlite3.connect(path, isolation_level=None, timeout=BUSY_TIMEOUT_S, check_same_thread=False)
    try:
        # A setting of the connection, not of the file: without it SQLite would not cascade a DELETE.
        connection.execute("PRAGMA foreign_keys = ON")
        _version(connection, path)  # Checked before anything is changed: the file may be another program's.
        # Before the switch to the log: in that mode SQLite ignores the page size.
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        _write_ahead(connection)
        connection.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")
        # NORMAL waits for the disk at folds only. With a write-ahead log a loss of power then costs the newest
        # transactions, but never damages the file; a killed process loses nothing either way. FULL waits each time.
        connection.execute(f"PRAGMA synchronous = {durability.upper()}")
        migrate(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Switch to the write-ahead log, waiting for other processes that do so at the same moment."""
    # With the log, readers see the last committed transaction while the writer writes: the stepper never holds up a
    # frame. With a rollback journal a reader would lock the writer out, and the writer all readers.
    # SQLite does not call its busy handler here, and so busy_timeout has no effect.
    deadline = monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if not getattr(error, "sqlite_errorname", "").startswith("SQLITE_BUSY") or monotonic() > deadline:
                raise
        sleep(0.01)


def bare(path: str) -> sqlite3.Connection:
    """Open a file of this process's own, such as a cut or a copy, without a log, a lease or a migration."""
    # isolation_level=None: see _prepared.
    return sqlite3.connect(path, isolation_level=None)


@cache
def migrations() -> list[tuple[int, str, str]]:
    """Return (version, name, SQL) of every migration, in order."""
    folder = files("smithers_nb.store") / "migrations"
    return [
        (int(named[1]), named[2], file.read_text(encoding="utf-8"))
        for file in sorted(folder.iterdir(), key=lambda file: file.name)
        if (named := re.fullmatch(r"(\d{4})_(\w+)\.sql", file.name))
    ]


@cache
def schema() -> str:
    """Return ``schema.sql``."""
    return (files("smithers_nb.store") / "schema.sql").read_text(encoding="utf-8")


def migrate(connection: sqlite3.Connection, path: str) -> None:
    """Bring a file up to this release's schema: all at once if it is empty, else one transaction a migration.

    Raises:
        SchemaVersionError: if a newer release wrote the file.
        StoreError: if it holds other tables than ours.
    """
    known = migrations()
    current = refuse_newer(connection, path)
    if current == 0:
        # Not the chain of migrations: a new file is made in one step, and schema.sql can be read as the whole truth.
        _apply(connection, schema(), known)
        return
    for version, name, sql in known[current:]:
        logger.info("migrating %s to schema version %d (%s)", path, version, name)
        _apply(connection, sql, [(version, name, sql)])


def refuse_newer(connection: sqlite3.Connection, path: str) -> int:
    """Return the version of a file's schema; 0 for an empty file.

    Raises:
        SchemaVersionError: if a newer release wrote the file.
        StoreError: if it holds other tables than ours.
    """
    latest = migrations()[-1][0]
    current = _version(connection, path)
    if current > latest:
        raise SchemaVersionError(
            f"{path} has schema version {current}, this release of smithers_nb knows up to {latest}. "
            "Nothing was changed. Upgrade: pip install -U smithers_nb."
        )
    return current


def _version(connection: sqlite3.Connection, path: str) -> int:
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables:
        return 0
    if not {"schema_migrations", "executions"} <= tables:
        raise StoreError(
            f"{path} is a database of another program (it has {', '.join(sorted(tables)[:3])} …). "
            "It was not changed; name another file."
        )
    with closing(connection.execute("SELECT max(version) FROM schema_migrations")) as cursor:
        return int(cursor.fetchone()[0] or 0)


def _apply(connection: sqlite3.Connection, sql: str, ledger: list[tuple[int, str, str]]) -> None:
    # The ledger's row is in the transaction of its migration: after a crash in between, the file is at one version or
    # the other, and the next opening continues from there.
    rows = ", ".join(f"({version}, '{name}', '{now()}')" for version, name, _ in ledger)
    try:
        # Checked again inside the transaction: another process may have been faster.
        connection.execute("BEGIN IMMEDIATE")
        first = ledger[0][0]
        if _version_inside(connection) < first:
            for statement in statements(sql):
                connection.execute(statement)
            connection.execute(f"INSERT INTO schema_migrations VALUES {rows}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _version_inside(connection: sqlite3.Connection) -> int:
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'schema_migrations'").fetchone():
        return 0
    return int(connection.execute("SELECT max(version) FROM schema_migrations").fetchone()[0] or 0)


@cache
def statements(sql: str) -> list[str]:
    """Split a script: ``executescript`` would commit the transaction that it should run in."""
    found, part = [], ""
    for line in sql.splitlines(keepends=True):
        part += line
        if sqlite3.complete_statement(part):
            found.append(part)
            part = ""
    return found
