"""Sync functions have a thread each: none waits for another's, and nothing waits for one that does not return."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

import pytest

from smithers_nb import Claude, Parallel, Task, scripted
from smithers_nb.agents.scripted import ToolUse
from smithers_nb.engine.tasks import lifecycle
from tests.conftest import PATIENCE_S

MANY = 45
"""More than asyncio's pool has threads on this machine, and more than anyio's 40."""


@pytest.fixture
def endless() -> Iterator[Callable[[], None]]:
    """A function that returns when the test has ended."""
    ended = threading.Event()

    def wait() -> None:
        ended.wait()

    yield wait
    ended.set()


def finished(ex: Any) -> Any:
    """Run an execution in another thread, but not for ever."""
    results: list[Any] = []
    runner = threading.Thread(target=lambda: results.append(ex.run_sync()), daemon=True)
    runner.start()
    runner.join(PATIENCE_S)
    assert results, f"it did not end: {ex.status}, {ex.tasks}"
    return results[0]


def test_children_of_a_parallel_that_wait_for_each_other_run_together(run_of: Any) -> None:
    meet = threading.Barrier(200)
    ex = run_of(Parallel()[[Task(id=f"t{n}", run=lambda: meet.wait(PATIENCE_S) and None) for n in range(200)]])
    assert finished(ex).status == "finished"
    assert set(ex.df.tasks.status) == {"succeeded"}


def by_task(endless: Any) -> Any:
    return [Task(id=f"h{n}", run=endless, timeout_s=0.1, on_error=lambda r: None) for n in range(MANY)]


def by_tool(endless: Any) -> Any:
    def tool() -> None:
        """Never return."""
        endless()

    def agent(n: int) -> Any:
        model = scripted([ToolUse("tool", {})], "never said")
        return Claude(id=f"h{n}", model=model, tools=[tool], timeout_s=1, on_error=lambda r: None)["go"]

    return [agent(n) for n in range(MANY)]


def by_to_thread(endless: Any) -> Any:
    async def hangs() -> None:
        await asyncio.to_thread(endless)

    return [Task(id=f"h{n}", run=hangs, timeout_s=0.1, on_error=lambda r: None) for n in range(MANY)]


def by_anyio(endless: Any) -> Any:
    import anyio.to_thread

    async def hangs() -> None:
        await anyio.to_thread.run_sync(endless, abandon_on_cancel=True)

    return [Task(id=f"h{n}", run=hangs, timeout_s=0.1, on_error=lambda r: None) for n in range(MANY)]


async def to_thread() -> int:
    return await asyncio.to_thread(lambda: 1)


async def looks_up_a_host() -> bool:
    return bool(await asyncio.get_running_loop().getaddrinfo("127.0.0.1", 80))


async def by_anyios_thread() -> int:
    import anyio.to_thread

    return await anyio.to_thread.run_sync(lambda: 1)


def tool() -> str:
    """Return at once."""
    return "returned"


@pytest.mark.parametrize("hanging", [by_task, by_tool, by_to_thread], ids=["task", "tool", "to_thread"])
def test_functions_that_never_return_stop_nothing_that_begins_later(hanging: Any, endless: Any, run_of: Any) -> None:
    slow = run_of(Parallel()[hanging(endless)], max_agents=MANY)
    assert finished(slow).status == "finished"
    assert set(slow.df.tasks.status) == {"failed"}
    agent = Claude(id="agent", model=scripted([ToolUse("tool", {})], "said"), tools=[tool])["go"]
    other = run_of(
        Parallel()[
            Task(id="sync", run=lambda: 1),
            Task(id="to_thread", run=to_thread),
            Task(id="host", run=looks_up_a_host),
            Task(id="anyio", run=by_anyios_thread),
            agent,
        ]
    )
    assert finished(other).status == "finished", other.df.tasks.error.to_list()


def test_an_agent_lifts_the_limit_of_threads_that_anyio_has_for_the_whole_loop(endless: Any, run_of: Any) -> None:
    finished(run_of(Claude(id="c", model=scripted("said"))["go"]))
    # These end only with their functions: anyio waits for its threads.
    assert finished(run_of(Parallel()[by_anyio(endless)])).status == "finished"
    assert finished(run_of(Task(id="anyio", run=by_anyios_thread))).status == "finished"


def test_the_time_of_a_task_counts_from_the_call_of_its_function(run_of: Any) -> None:
    pause = threading.Event()
    ran: list[int] = []

    def work(n: int) -> None:
        ran.append(n)
        pause.wait(0.3)

    ex = run_of(Parallel()[[Task(id=f"t{n}", run=work, args=[n], timeout_s=3) for n in range(MANY)]])
    result = finished(ex)
    assert (result.status, len(ran)) == ("finished", MANY), result.problems
    took = ex.df.tasks.ended_at - ex.df.tasks.started_at
    assert took.max().total_seconds() < 3


def test_a_function_in_a_thread_is_limited_by_its_timeout(endless: Any, run_of: Any) -> None:
    failed: list[Any] = []
    ex = run_of(Task(id="t", run=endless, timeout_s=0.05, on_error=failed.append))
    assert finished(ex).status == "finished"
    assert failed[0].error == "TimeoutError: it took longer than timeout_s=0.05 s"


def test_a_timeout_that_the_function_itself_raises_stays_its_own(run_of: Any) -> None:
    def times_out() -> None:
        raise TimeoutError

    failed: list[Any] = []
    assert finished(run_of(Task(id="t", run=times_out, timeout_s=5, on_error=failed.append))).status == "finished"
    assert failed[0].error.startswith("TimeoutError") and "timeout_s" not in failed[0].error


def test_more_functions_than_may_run_are_pending_and_run_in_their_turn(run_of: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(lifecycle, "MAX_THREADS", 3)
    lock, running, peak, pause = threading.Lock(), [0], [0], threading.Event()

    def work() -> None:
        with lock:
            running[0] += 1
            peak[0] = max(peak[0], running[0])
        pause.wait(0.01)
        with lock:
            running[0] -= 1

    async def on_the_loop() -> None:
        pass

    app = Parallel()[
        [Task(id=f"t{n}", run=work) for n in range(10)], [Task(id=f"a{n}", run=on_the_loop) for n in range(10)]
    ]
    ex = run_of(app)
    first = ex.step_sync()
    standing = [ex.tasks[id] for id in sorted(ex.tasks) if id.startswith("t")]
    assert standing.count("pending") == 7, (first, standing)
    assert "pending" not in [ex.tasks[f"a{n}"] for n in range(10)], "they have no threads"
    assert finished(ex).status == "finished"
    assert peak[0] == 3


def test_those_that_hang_take_no_place_once_they_timed_out(run_of: Any, endless: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(lifecycle, "MAX_THREADS", 3)
    hang = [Task(id=f"h{n}", run=endless, timeout_s=0.05, on_error=lambda r: None) for n in range(6)]
    ex = run_of(Parallel()[hang, [Task(id=f"t{n}", run=lambda: 1) for n in range(6)]])
    assert finished(ex).status == "finished"
    assert sorted(ex.df.tasks.status) == ["failed"] * 6 + ["succeeded"] * 6


def test_a_thousand_tasks_run(run_of: Any) -> None:
    ex = run_of(Parallel()[[Task(id=f"t{n}", run=lambda: 1) for n in range(1100)]])
    results: list[Any] = []
    runner = threading.Thread(target=lambda: results.append(ex.run_sync()), daemon=True)
    runner.start()
    runner.join(6 * PATIENCE_S)
    assert results and results[0].status == "finished"
    assert len(ex.df.tasks) == 1100 and set(ex.df.tasks.status) == {"succeeded"}


def test_context_variables_are_carried_into_the_thread(run_of: Any) -> None:
    who: ContextVar[str] = ContextVar("who", default="nobody")
    who.set("the one who runs it")
    seen: list[str] = []
    assert run_of(Task(id="t", run=lambda: seen.append(who.get()))).run_sync().status == "finished"
    assert seen == ["the one who runs it"]


def test_a_thread_that_the_system_does_not_give_is_an_ordinary_failure(run_of: Any, monkeypatch: Any) -> None:
    def refuses(self: threading.Thread) -> None:
        if self.name == "smithers call":
            raise RuntimeError("can't start new thread")
        start(self)

    start = threading.Thread.start
    monkeypatch.setattr(threading.Thread, "start", refuses)
    failed: list[Any] = []
    assert finished(run_of(Task(id="t", run=lambda: 1, on_error=failed.append))).status == "finished"
    assert "can't start new thread" in failed[0].error and "max_concurrency" in failed[0].error


@pytest.mark.parametrize("where", ["task", "tool"])
def test_a_stop_iteration_is_an_ordinary_failure(where: str, run_of: Any) -> None:
    def raises() -> None:
        """Raise."""
        next(iter([]))

    failed: list[Any] = []
    task = Task(id="t", run=raises, on_error=failed.append)
    agent = Claude(id="t", model=scripted([ToolUse("raises", {})]), tools=[raises], on_error=failed.append)["go"]
    assert finished(run_of(task if where == "task" else agent)).status == "finished"
    assert "StopIteration" in failed[0].error


ENDS = """
import asyncio, sys, threading
from smithers_nb import *
from smithers_nb.agents.scripted import ToolUse
def endless():
    "Never return."
    threading.Event().wait()
async def to_thread():
    await asyncio.to_thread(endless)
model = scripted([ToolUse("endless", {})])
node = {
    "task": lambda **options: Task(id="t", run=endless, **options),
    "to_thread": lambda **options: Task(id="t", run=to_thread, **options),
    "tool": lambda **options: Claude(id="t", model=model, tools=[endless], **options)["go"],
}[sys.argv[1]]
how = sys.argv[2]
ex = Execution(node(on_error=lambda r: None, **({"timeout_s": 0.3} if how == "timed out" else {})), store="x.db")
if how == "timed out":
    print(ex.run_sync().status)
else:
    ex.step_sync()
    if how == "cancelled":
        ex.cancel("t")
    elif how == "closed":
        ex.close()
    print(ex.tasks["t"])
"""


@pytest.mark.parametrize(
    ("where", "how"),
    [
        *(("task", how) for how in ("timed out", "cancelled", "closed", "left running")),
        *((where, how) for where in ("to_thread", "tool") for how in ("timed out", "left running")),
    ],
)
def test_the_process_does_not_live_until_a_function_returns(where: str, how: str, python: Any) -> None:
    done = python(ENDS, where, how)
    expected = {"timed out": "finished", "cancelled": "cancelled", "closed": "pending", "left running": "running"}
    assert (done.stdout.strip(), done.stderr, done.returncode) == (expected[how], "", 0)
