"""What the tests of workers share: a PostgreSQL of their own, worker processes, and a provider that these find."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from tests.agents.conftest import provider  # noqa: F401  # the fixture
from tests.agents.fake_replies import InOrder, say
from tests.agents.fake_server import KEY, FakeServer

ROOT = Path(__file__).parents[2]
PATIENCE_S = 120.0


def binaries() -> Path | None:
    """Return the folder of PostgreSQL's programs; None if it is not installed."""
    if found := shutil.which("initdb"):
        return Path(found).parent
    return max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Postgres:
    """A PostgreSQL in a temporary folder, run as its own user, on a free port of the loopback interface."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self._folder = Path(tempfile.mkdtemp(prefix="smithers-pg-", dir="/tmp"))
        self._user: dict[str, Any] = {}
        if os.getuid() == 0:  # It refuses to run as root.
            shutil.chown(self._folder, "postgres", "postgres")
            self._user = {"user": "postgres", "group": "postgres", "extra_groups": []}
        self.port = free_port()
        self._databases = 0
        data = self._folder / "data"
        subprocess.run(
            [programs / "initdb", "-D", data, "-U", "smithers", "-A", "trust", "--no-sync"],
            check=True, stdout=subprocess.DEVNULL, cwd=self._folder, **self._user,
        )  # fmt: skip
        self.start()

    def start(self) -> None:
        with (self._folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(self._programs / "postgres", "-D", self._folder / "data", "-p", str(self.port)),
                    *("-k", self._folder, "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"),
                    *("-c", "max_connections=200"),
                ],
                stdout=log,
                stderr=log,
                cwd=self._folder,
                **self._user,
            )
        import psycopg

        for _ in range(600):
            try:
                psycopg.connect(f"postgresql://smithers@127.0.0.1:{self.port}/postgres").close()
                return
            except psycopg.OperationalError:
                Event().wait(0.05)
        raise AssertionError((self._folder / "log").read_text())

    def kill(self) -> None:
        """End it as a power cut would. Its children end when they miss it."""
        self.process.kill()
        self.process.wait()
        (self._folder / "data" / "postmaster.pid").unlink(missing_ok=True)

    def database(self) -> str:
        """Make a database and return its address."""
        import psycopg

        self._databases += 1
        name = f"t{self._databases}"
        with psycopg.connect(f"postgresql://smithers@127.0.0.1:{self.port}/postgres", autocommit=True) as db:
            db.execute(f"CREATE DATABASE {name}")
        return f"postgresql://smithers@127.0.0.1:{self.port}/{name}"

    def stop(self) -> None:
        self.process.send_signal(signal.SIGQUIT)  # At once, without writing what nobody reads again.
        self.process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    programs = binaries()
    if programs is None:
        what = "PostgreSQL is not installed: sudo apt-get install postgresql (make test does it as root)"
        if os.environ.get("CI"):
            pytest.fail(what)
        pytest.skip(what)
    found = Postgres(programs)
    yield found
    found.stop()


@pytest.fixture
def url(postgres: Postgres) -> str:
    """The address of a database that nothing has used."""
    return postgres.database()


@dataclass
class WorkerProcess:
    process: subprocess.Popen[bytes]
    id: str
    log: Path

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def said(self) -> str:
        return self.log.read_text()


Start = Callable[..., WorkerProcess]


@contextmanager
def workers(url: str, logs: Path) -> Iterator[Start]:
    """Start worker processes, which end with the block."""
    started: list[WorkerProcess] = []

    def start(id: str = "w0", *arguments: str, wait: bool = True, at: str = url, **more: str) -> WorkerProcess:
        log = logs / f"worker-{id}-{len(started)}.log"
        command = [sys.executable, "-m", "smithers_nb", "worker", at, "--id", id, *arguments]
        with log.open("wb") as out:
            process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=out, env={**os.environ, **more})
        started.append(WorkerProcess(process, id, log))
        if wait:
            until_alive(at, id, started[-1])
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.send_signal(signal.SIGCONT)
            one.kill()


@pytest.fixture
def worker(url: str, tmp_path: Path) -> Iterator[Start]:
    """Start worker processes on the test's own database; they end with the test."""
    with workers(url, tmp_path) as start:
        yield start


@dataclass
class Station:
    """A database with a living worker w0, which has 10 places, and its provider."""

    url: str
    server: FakeServer
    start: Start
    """Starts further workers there. Whoever does ends them."""

    def asks(self, *acts: Any) -> FakeServer:
        """Return the provider without its former requests; from now on it does this with requests."""
        self.server.requests.clear()
        self.server.script = acts[0] if callable(acts[0]) else InOrder(acts)
        return self.server


@pytest.fixture(scope="module")
def station(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    """A worker that the tests of a module share, because its start takes most of their time. No test ends it."""
    at = postgres.database()
    with FakeServer(say("hello")) as server, workers(at, tmp_path_factory.mktemp("station")) as start:
        start("w0", "--concurrency", "10", ANTHROPIC_API_KEY=KEY, ANTHROPIC_BASE_URL=server.anthropic_url)
        yield Station(at, server, start)


def age(url: str, id: str) -> None:
    """Let a minute pass since the last heartbeat of a worker that is dead."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as db:
        sql = "UPDATE smithers_workers SET seen_at = now() - interval '1 minute' WHERE worker_id = %s"
        assert db.execute(sql, (id,)).rowcount == 1


def until_it_gave_up(url: str, frozen: WorkerProcess) -> None:
    """Wait until a worker that came back is seen, and runs nothing any longer."""
    from smithers_nb.agents.workers import workers_of

    for _ in range(int(PATIENCE_S / 0.1)):
        [found] = [one for one in workers_of(url) if one.worker_id == frozen.id]
        if found.seen_s < 5 and found.running == 0:
            return
        Event().wait(0.1)
    raise AssertionError(frozen.said())


def until_alive(url: str, id: str, one: WorkerProcess) -> None:
    import psycopg

    from smithers_nb.agents.workers import workers_of

    for _ in range(int(PATIENCE_S / 0.1)):
        try:
            found = [found for found in workers_of(url) if found.worker_id == id and found.running >= 0]
            if any(worker.pid == one.process.pid for worker in found):
                return
        except psycopg.OperationalError:
            pass
        assert one.process.poll() is None, one.said()
        Event().wait(0.1)
    raise AssertionError(f"worker {id} did not start: {one.said()}")


@pytest.fixture
def model(provider: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:  # noqa: F811
    """Start a provider that worker processes find by their environment."""

    def start(*acts: Any, **options: Any) -> Any:
        server = provider(*acts, **options)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-fake-key")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.anthropic_url)
        return server

    return start
