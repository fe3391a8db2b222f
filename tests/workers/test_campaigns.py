"""Campaigns: workers, kernels and engines that die at any moment, and the figures that workers are to keep.

Each prints its figures: ``pytest -m long -s tests/workers``.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from smithers_nb import Claude, DbosRunner, Execution, Parallel, Task
from tests.agents.conftest import Background
from tests.agents.fake_replies import Act, Asked, Hang, Status, by_turn, call, say, tokens
from tests.workers.conftest import PATIENCE_S, ROOT, WorkerProcess
from tests.workers.remote_app import square
from tests.workers.test_far_tasks import until
from tests.workers.test_workers import agents, asked_once, nothing_is_open

pytestmark = pytest.mark.long

LOST_S = 15.0
AGENTS = 6
TURNS = 3
FREEZE_S = 40.0


def turns(delay_s: float = 0.5) -> Callable[[Asked], Act]:
    return by_turn(*(replace(act, delay_s=delay_s) for act in (call("look", n=1), call("look", n=2), say("done"))))


def figures(campaign: str, **found: object) -> None:
    print(f"\n{campaign}: " + ", ".join(f"{name}={value}" for name, value in found.items()), flush=True)


def moments(count: int, seed: int) -> list[tuple[int, float]]:
    """Return moments in the life of a run: after how many requests, and how long after the last of them."""
    draw = random.Random(seed)
    return [(draw.randint(1, AGENTS * TURNS - 2), draw.uniform(0, 0.6)) for _ in range(count)]


def reach(server: Any, moment: tuple[int, float]) -> None:
    requests, wait_s = moment
    server.wait_for(lambda seen: len(seen) >= requests, PATIENCE_S)
    Event().wait(wait_s)


def rounds(server: Any) -> None:
    """Forget the requests of the round before."""
    server.requests.clear()


def told(server: Any, ex: Any) -> dict[str, int]:
    """Check that nothing was paid for twice or left open; return the figures."""
    asked_once(server, ex, TURNS, AGENTS)
    nothing_is_open(ex)
    return {"requests": len(server.requests), "lost": int((ex.df.model_calls.status == "interrupted").sum())}


def test_a_worker_is_killed_at_20_random_moments(url: str, worker: Any, model: Any, tmp_path: Path) -> None:
    server = model(turns())
    worker("stays", "--concurrency", str(AGENTS))
    for number, moment in enumerate(moments(20, 1)):
        rounds(server)
        victim = worker(f"w{number}", "--concurrency", str(AGENTS // 2))
        ex = Execution(agents(AGENTS), store=tmp_path / f"{number}.db", runner=DbosRunner(url, lost_after_s=LOST_S))
        run = Background(ex)
        reach(server, moment)
        victim.kill()
        killed = time.monotonic()
        assert run.ended(120).status == "finished"
        took = time.monotonic() - killed
        figures("worker", round=number, moment=moment, seconds=round(took, 1), **told(server, ex))
        assert took < LOST_S + 10 + TURNS * 2
        ex.close()


def kernel(file: Path, url: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.workers.kernel", str(file), url, str(AGENTS)]
    return subprocess.Popen(command, cwd=ROOT)


@pytest.mark.parametrize("both", [False, True], ids=["kernel", "kernel and worker"])
def test_a_kernel_is_killed_and_the_execution_resumed(
    url: str, worker: Any, model: Any, tmp_path: Path, both: bool
) -> None:
    server = model(turns())
    worker("stays", "--concurrency", str(AGENTS))
    for number, moment in enumerate(moments(6, 2 + both)):
        rounds(server)
        victim = worker(f"w{number}", "--concurrency", str(AGENTS // 2)) if both else None
        process = kernel(tmp_path / f"{number}.db", url)
        reach(server, moment)
        process.kill()
        if victim is not None:
            victim.kill()
        process.wait()
        runner = DbosRunner(url, lost_after_s=LOST_S)
        ex = Execution.resume(agents(AGENTS), store=tmp_path / f"{number}.db", runner=runner)
        assert Background(ex).ended(120).status == "finished"
        found = told(server, ex)
        figures("kernel and worker" if both else "kernel", round=number, moment=moment, **found)
        # Without the worker's end nothing is asked again; with it, what was in flight is, as a further attempt.
        assert both or (found["requests"] == AGENTS * TURNS and set(ex.df.tasks.attempt) == {1})
        ex.close()


def test_postgres_is_killed_and_comes_back(postgres: Any, url: str, worker: Any, model: Any, tmp_path: Path) -> None:
    server = model(turns())
    for id in ("w0", "w1"):
        worker(id, "--concurrency", str(AGENTS // 2))
    for number, moment in enumerate(moments(5, 4)):
        rounds(server)
        ex = Execution(agents(AGENTS), store=tmp_path / f"{number}.db", runner=DbosRunner(url, lost_after_s=LOST_S))
        run = Background(ex)
        reach(server, moment)
        postgres.kill()
        Event().wait(3.0)
        postgres.start()
        back = time.monotonic()
        assert run.ended(120).status == "finished"
        took = time.monotonic() - back
        figures("postgres", round=number, moment=moment, seconds=round(took, 1), **told(server, ex))
        ex.close()


def test_a_frozen_workers_late_rows_are_not_there(url: str, worker: Any, model: Any, tmp_path: Path) -> None:
    server = model(turns())
    for number, moment in enumerate(moments(2, 5)):
        rounds(server)
        frozen = worker(f"f{number}", "--concurrency", str(AGENTS))
        ex = Execution(agents(AGENTS), store=tmp_path / f"{number}.db", runner=DbosRunner(url, lost_after_s=LOST_S))
        run = Background(ex)
        reach(server, moment)
        frozen.signal(signal.SIGSTOP)
        began = time.monotonic()
        other = worker(f"g{number}", "--concurrency", str(AGENTS))
        assert run.ended(120).status == "finished"
        took = time.monotonic() - began
        before = recorded(ex), rows_of(url)
        Event().wait(max(0.0, FREEZE_S - took))
        frozen.signal(signal.SIGCONT)
        gives_up(url, frozen)
        assert (recorded(ex), rows_of(url)) == before
        figures("frozen", round=number, moment=moment, seconds=round(took, 1), **told(server, ex))
        ex.close()
        frozen.kill()
        other.kill()


def recorded(ex: Any) -> str:
    return str(ex.df.model_calls.to_csv()) + str(ex.df.tool_calls.to_csv())


def rows_of(url: str) -> int:
    import psycopg

    with psycopg.connect(url) as db:
        [(count,)] = db.execute("SELECT count(*) FROM dbos.streams").fetchall()
    return int(count)


def gives_up(url: str, frozen: WorkerProcess) -> None:
    """Wait until a worker that came back runs nothing any longer."""
    from smithers_nb.agents.workers import workers_of

    back = time.monotonic()
    while time.monotonic() - back < PATIENCE_S:
        [found] = [one for one in workers_of(url) if one.worker_id == frozen.id]
        if found.seen_s < 5 and found.running == 0 and time.monotonic() - back > 15:
            return
        Event().wait(0.5)
    raise AssertionError(frozen.said())


def test_a_cancel_is_seen_by_the_provider_within_about_a_second(
    url: str, worker: Any, model: Any, tmp_path: Path
) -> None:
    server = model(Hang())
    worker("w0")
    took = []
    for number in range(10):
        rounds(server)
        node = Claude(id="c", model="haiku", on_error=lambda result: None)["hi"]
        ex = Execution(node, store=tmp_path / f"{number}.db", runner=DbosRunner(url))
        run = Background(ex)
        server.wait_for(lambda requests: len(requests) == 1, PATIENCE_S)
        until(ex, lambda tasks, ex=ex: len(ex.df.model_calls) == 1)
        began = time.monotonic()
        ex.cancel("c")
        server.wait_for(lambda requests: requests[0].outcome == "gone", PATIENCE_S)
        took.append(time.monotonic() - began)
        assert run.ended(60).status == "finished"
        assert ex.df.tasks.status[0] == "cancelled" and ex.df.model_calls.status.tolist() == ["cancelled"]
        ex.close()
    took.sort()
    figures("cancel", median=round(took[5], 2), longest=round(took[-1], 2))
    assert took[5] < 1.5


def test_a_refusal_of_the_provider_comes_at_most_once_more_for_each_worker(
    url: str, worker: Any, model: Any, tmp_path: Path
) -> None:
    closed_until: list[float] = []

    def script(asked: Asked) -> Act:
        if asked.number == 8:
            closed_until.append(time.time() + 3)
        if closed_until and time.time() < closed_until[0]:
            return Status(429, retry_after="3")
        return say("done", delay_s=0.2)

    server = model(script)
    for id in ("w0", "w1"):
        worker(id, "--concurrency", "15")
    ex = Execution(agents(30), store=tmp_path / "t.db", runner=DbosRunner(url))
    assert Background(ex).ended(180).status == "finished"
    refused = [entry for entry in server.requests if entry.status == 429]
    figures("429", requests=len(server.requests), refused=len(refused))
    assert len(refused) <= 3, "the first, and one for each worker"
    ex.close()


def test_tokens_are_in_the_file_within_half_a_second(url: str, worker: Any, model: Any, tmp_path: Path) -> None:
    model(tokens(200, delay_s=0.05))
    worker("w0")
    seen: dict[int, float] = {}
    over = threading.Event()
    ex = Execution(
        Parallel()[[Claude(id=f"c{n}", model="haiku")["hi"] for n in range(4)]],
        store=tmp_path / "t.db",
        runner=DbosRunner(url),
    )

    def look() -> None:
        with closing(sqlite3.connect(tmp_path / "t.db")) as db:
            while not over.wait(0.01):
                for (id,) in db.execute("SELECT id FROM stream_events WHERE id > ?", (max(seen, default=0),)):
                    seen[id] = time.time()

    looking = threading.Thread(target=look)
    looking.start()
    assert Background(ex).ended(120).status == "finished"
    over.set()
    looking.join()
    sql = "SELECT id, (julianday(created_at) - 2440587.5) * 86400.0 AS at FROM stream_events"
    late = sorted(seen[id] - at for id, at in ex.store.sql(sql).to_numpy().tolist() if id in seen)
    p50, p95 = late[len(late) // 2], late[int(len(late) * 0.95)]
    figures("tokens", pieces=len(late), p50=round(p50, 3), p95=round(p95, 3), longest=round(late[-1], 3))
    assert p95 < 0.5
    ex.close()


def test_a_thousand_tasks_leave_threads_and_memory_of_the_kernel_flat(url: str, worker: Any, tmp_path: Path) -> None:
    worker("w0")
    runner = DbosRunner(url)
    threads, memory = [], []
    for number in range(11):
        ex = Execution(
            Parallel()[[Task(id=f"t{n}", run=square, args=[n]) for n in range(100)]],
            store=tmp_path / f"{number}.db",
            runner=runner,
        )
        run, most = Background(ex), 0
        while not run.results:
            most = max(most, threading.active_count())
            Event().wait(0.05)
        assert run.ended().status == "finished" and len(ex.df.tasks) == 100
        ex.close()
        threads.append(most)
        memory.append(resident_mb())
    figures("1,000 tasks", threads=threads, memory_mb=[round(one, 1) for one in memory])
    assert max(threads[1:]) <= threads[0] + 10
    assert memory[-1] - memory[1] < 20


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
