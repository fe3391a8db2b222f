"""Sweeps that are killed at the half, in this process and on workers, and run again: all rows, and nothing paid twice.

The long forms have 1,000 cases, and print their figures: ``pytest -m long -s tests/workers/test_killed_sweeps.py``.
"""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from threading import Event
from typing import Any

import psutil
import psycopg
import pytest

from smithers_nb import Store
from tests.agents.fake_replies import say
from tests.workers.conftest import PATIENCE_S, ROOT, WorkerProcess, age, until_it_gave_up
from tests.workers.sweeping import LOST_S
from tests.workers.test_far_sweeps import open_items

LONG_S = 3600.0
CASES = [30, pytest.param(1000, marks=pytest.mark.long)]
WARM = 3 * 2
"""The requests of the cases that warm a kernel up."""


def kernel(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.workers.sweeping", *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(process: subprocess.Popen[str]) -> dict[str, float]:
    """Wait for the end of a kernel, and return its figures."""
    out, errors = process.communicate(timeout=LONG_S)
    assert process.returncode == 0, errors[-3000:]
    found: dict[str, float] = json.loads(out.splitlines()[-1])
    return found


def half(server: Any, cases: int) -> None:
    server.wait_for(lambda seen: len(seen) >= WARM + cases, LONG_S)


def figures(campaign: str, **found: object) -> None:
    print(f"\n{campaign}: " + ", ".join(f"{name}={value}" for name, value in found.items()), flush=True)


def whole(server: Any, file: Path, cases: int, kernels: int) -> dict[str, int]:
    """Check that every case is there once, and that nothing that was answered and recorded was asked again."""
    store = Store(file)
    df = store.sweep("s").df
    assert len(df) == cases and df.execution_id.is_unique and not df.duplicated(["props.n", "repeat"]).any()
    assert df["props.n"].tolist() == [*range(cases)] and set(df.status) == {"finished"}
    assert df.result.tolist() == [f"{n}: done, done" for n in range(cases)]
    assert len(store.executions()) == cases
    calls = store.df.model_calls
    answered = calls[calls.status == "ok"]
    assert len(answered) == 2 * cases and not answered.duplicated(["execution_id", "node_id"]).any()
    # Of each request that was on its way when a process was killed there is a row.
    lost = int((calls.status == "interrupted").sum())
    requests = len(server.requests) - kernels * WARM
    assert requests <= 2 * cases + lost
    open_rows = calls.status.eq("running").sum() + store.df.tasks.status.eq("running").sum()
    assert open_rows == 0 and store.check().ok
    return {"cases": cases, "requests": requests, "answers": len(answered), "in_flight_at_the_kill": lost}


def cpu_of(workers: list[WorkerProcess]) -> float:
    return sum(sum(psutil.Process(one.process.pid).cpu_times()[:2]) for one in workers)


@pytest.mark.parametrize("cases", CASES)
def test_a_sweep_in_one_process_is_killed_at_the_half(model: Any, tmp_path: Path, cases: int) -> None:
    server, file = model(say("done")), tmp_path / "s.db"
    first = kernel("sweep", file, cases)
    half(server, cases)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    second = ended(kernel("sweep", file, cases))
    found = whole(server, file, cases, 2)
    assert found["in_flight_at_the_kill"] <= 8
    figures("in one process, killed", **found, **second)


@pytest.mark.parametrize("cases", CASES)
def test_the_kernel_of_a_sweep_on_workers_is_killed_at_the_half(
    url: str, worker: Any, model: Any, tmp_path: Path, cases: int
) -> None:
    server, file = model(say("done")), tmp_path / "s.db"
    for id in ("w0", "w1"):
        worker(id)
    first = kernel("sweep", file, cases, url)
    half(server, cases)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    second = ended(kernel("sweep", file, cases, url))
    found = whole(server, file, cases, 2)
    # The workers went on without it, and what they had answered was there.
    assert found["requests"] == 2 * cases and found["in_flight_at_the_kill"] == 0
    figures("on workers, the kernel killed", **found, **second)


@pytest.mark.parametrize("cases", CASES)
def test_a_worker_of_a_sweep_is_killed_at_the_half(
    url: str, worker: Any, model: Any, tmp_path: Path, cases: int
) -> None:
    server, file = model(say("done", delay_s=0.2)), tmp_path / "s.db"
    victim = worker("w0")
    worker("w1")
    process = kernel("sweep", file, cases, url)
    half(server, cases)
    victim.kill()
    first = ended(process)
    found = whole(server, file, cases, 1)
    figures("on workers, one of two killed", **found, **first, lost_after_s=LOST_S)


@pytest.mark.parametrize("thawed", ["while it runs", "after its end"])
@pytest.mark.parametrize("cases", [16, pytest.param(1000, marks=pytest.mark.long)])
def test_a_worker_of_a_sweep_is_frozen_at_the_half_and_comes_back(
    url: str, worker: Any, model: Any, tmp_path: Path, cases: int, thawed: str
) -> None:
    server, file = model(say("done", delay_s=0.3)), tmp_path / "s.db"
    frozen = worker("w0")
    worker("w1")
    process = kernel("sweep", file, cases, url)
    half(server, cases)
    frozen.signal(signal.SIGSTOP)
    if cases < 100:
        age(url, "w0")
    took = []
    if thawed == "while it runs":
        until_moved(url, "w0")
        frozen.signal(signal.SIGCONT)
        took.append(ended(process))
    else:
        took.append(ended(process))
        frozen.signal(signal.SIGCONT)
    before = rows_of(file)
    until_it_gave_up(url, frozen)
    assert rows_of(file) == before
    found = whole(server, file, cases, 1)
    requests = len(server.requests)
    took.append(ended(kernel("sweep", file, cases, url)))
    assert rows_of(file) == before and len(server.requests) == requests + WARM, "the same call again finds all of it"
    assert open_items(url) == []
    figures(f"on workers, one of two frozen and back {thawed}", **found, seconds=took[0]["seconds"])


def until_moved(url: str, id: str) -> None:
    """Wait until a worker owns no item any longer."""
    for _ in range(int(PATIENCE_S / 0.1)):
        with psycopg.connect(url) as db:
            sql = "SELECT count(*) FROM dbos.workflow_status WHERE status = 'PENDING' AND executor_id = %s"
            [(left,)] = db.execute(sql, (id,)).fetchall()
        if left == 0:
            return
        Event().wait(0.1)
    raise AssertionError(f"{left} items of {id} were not moved")


def rows_of(file: Path) -> dict[str, int]:
    tables = ("executions", "frames", "tasks", "model_calls", "tool_calls", "transitions", "sweep_branches")
    with closing(sqlite3.connect(file)) as db:
        return {name: db.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables}


@pytest.mark.long
def test_what_a_sweep_of_1_000_costs(url: str, worker: Any, model: Any, tmp_path: Path) -> None:
    server, cases = model(say("done")), 1000
    apart = ended(kernel("singles", tmp_path / "apart.db", cases))
    here = ended(kernel("sweep", tmp_path / "here.db", cases))
    workers = [worker(id) for id in ("w0", "w1")]
    before = cpu_of(workers)
    there = ended(kernel("sweep", tmp_path / "there.db", cases, url))
    of_workers = round(cpu_of(workers) - before, 1)
    assert len(server.requests) == 3 * (2 * cases + WARM)
    for name, found in {"one by one": apart, "a sweep here": here, "a sweep on workers": there}.items():
        figures(name, cases=cases, **found, ratio=round(found["cpu_s"] / apart["cpu_s"], 2))
    figures("workers", cpu_s=of_workers, ratio=round((there["cpu_s"] + of_workers) / apart["cpu_s"], 2))
    for found in (here, there):
        assert found["cpu_s"] <= 1.5 * apart["cpu_s"]
        assert found["grown_mb"] <= 100


def test_a_sweep_on_workers_that_is_stopped_leaves_nothing_running_and_goes_on(
    url: str, worker: Any, model: Any, tmp_path: Path
) -> None:
    server, file, cases = model(say("done", delay_s=0.5)), tmp_path / "s.db", 20
    worker("w0")
    first = kernel("sweep", file, cases, url)
    half(server, cases)
    first.send_signal(signal.SIGINT)
    _, errors = first.communicate(timeout=PATIENCE_S)
    assert "KeyboardInterrupt" in errors
    for _ in range(int(PATIENCE_S / 0.1)):
        if not open_items(url) and all(entry.outcome != "open" for entry in server.requests):
            break
        Event().wait(0.1)
    assert open_items(url) == [] and "open" not in {entry.outcome for entry in server.requests}
    stopped = len(server.requests)
    second = ended(kernel("sweep", file, cases, url))
    found = whole(server, file, cases, 2)
    figures("on workers, stopped", **found, **second, at_the_stop=stopped - WARM)
