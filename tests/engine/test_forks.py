"""The child of a fork: it has an engine of its own, and its parent's executions are refused; nothing hangs."""

from __future__ import annotations

import sys
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows does not fork")

SET_UP = """
import asyncio, os, signal, sys, threading, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # Newer Pythons warn of every fork of a process with threads.
from smithers_nb.execution import run_behind
from smithers_nb import *
from smithers_nb.errors import StoreError

def in_child(does):
    "Do something in a fork, and print what it gives; a child that hangs is killed."
    reads, writes = os.pipe()
    pid = os.fork()
    if not pid:
        signal.alarm(20)
        try:
            said = str(does())
        except Exception as error:
            said = f"{type(error).__name__}: {error}"
        os.write(writes, said.encode())
        os._exit(0)
    os.close(writes)
    _, status = os.waitpid(pid, 0)
    print("killed" if status else os.read(reads, 10_000).decode(), flush=True)

def app():
    return Task(id="t", run=lambda: 1, on_finished=lambda r, ctx: ctx.state.set("n", 1))
"""

COMMANDS = {
    "step": "ex.step_sync()",
    "run": "ex.run_sync()",
    "await step": "asyncio.run(ex.step())",
    "await run": "asyncio.run(ex.run())",
    "stop": "ex.stop()",
    "terminate": "ex.terminate()",
    "pause": "ex.pause()",
    "write": "ex.state.set('n', 2)",
    "cancel": "ex.cancel('t')",
    "retry": "ex.retry('t')",
    "answer": "ex.answer('t', 'approve')",
    "swap": "ex.swap(app())",
    "replay": "ex.replay()",
    "preview": "ex.preview()",
    "breakpoint": "ex.breakpoints.add(key='n')",
    "artifact": "ex.ctx.artifact.markdown('hello')",
    "edit": "ex.edit_pending('1w1', 2)",
}


def lines(done: Any) -> list[str]:
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    return list(done.stdout.splitlines())


def test_an_execution_of_the_parent_is_refused_in_the_child_and_goes_on_in_the_parent(python: Any) -> None:
    calls = "".join(f"in_child(lambda: {command})\n" for command in COMMANDS.values())
    done = python(
        SET_UP
        + "ex = Execution(app(), store='x.db')\nex.step_sync()\n"
        + calls
        + "in_child(lambda: (ex.status, ex.frame.number, ex.close()))\n"
        + "print(ex.run_sync().status, dict(ex.state), len(ex.store.df.executions), ex.store.check().ok)\n"
    )
    *refused, read, last = lines(done)
    for name, line in zip(COMMANDS, refused, strict=True):
        assert line.startswith("StoreError: ") and "forked" in line and "Execution(…)" in line, (name, line)
    assert read == "('paused', 1, None)", "it can be looked at, and its closing is the parent's matter"
    assert last == "finished {'n': 1} 1 True"


@pytest.mark.parametrize("when", ["while it runs", "at rest", "before any"])
def test_a_new_execution_of_the_child_has_an_engine_of_its_own(when: str, python: Any) -> None:
    done = python(
        SET_UP
        + """
def new():
    with Execution(app(), store="x.db", name="child") as other:
        status = other.run_sync().status
    model = scripted("said")
    with Execution(Claude(id="c", model=model)["go"], store="y.db") as agent:
        return status, agent.run_sync().status, model.calls
when = sys.argv[1]
gate = threading.Event()
if when != "before any":
    ex = Execution(Task(id="g", run=gate.wait) if when == "while it runs" else app(), store="x.db", name="parent")
if when == "while it runs":
    runner = threading.Thread(target=ex.run_sync)
    runner.start()
    while not ex.running:
        pass
elif when == "at rest":
    ex.step_sync()
in_child(new)
if when == "before any":
    ex = Execution(app(), store="x.db", name="parent")
gate.set()
if when == "while it runs":
    runner.join()
print(ex.run_sync().status, sorted(ex.store.df.executions.name), ex.store.check().ok)
""",
        when,
    )
    assert lines(done) == ["('finished', 'finished', ['go'])", "finished ['child', 'parent'] True"]


def test_a_fork_waits_for_the_transactions_of_other_threads(python: Any) -> None:
    done = python(
        SET_UP
        + """
import time
from smithers_nb.store.upkeep import writing
ex = Execution(app(), store="x.db", name="parent")
ex.step_sync()
begun = threading.Event()
def writes():
    with writing(os.path.abspath("x.db")) as db:
        db.execute("BEGIN IMMEDIATE")
        begun.set()
        time.sleep(1)
        db.execute("COMMIT")
writer = threading.Thread(target=writes)
writer.start()
begun.wait()
in_child(lambda: Execution(app(), store="x.db", name="child").run_sync().status)
writer.join()
print(ex.run_sync().status, ex.store.check().ok)
"""
    )
    assert lines(done) == ["finished", "finished True"]


def test_the_log_of_a_child_is_there_after_its_parent_has_closed_the_file(python: Any) -> None:
    done = python(
        SET_UP
        + """
ex = Execution(app(), store="x.db", name="parent")
ex.step_sync()
there, closed = os.pipe(), os.pipe()
pid = os.fork()
if not pid:
    signal.alarm(60)
    other = Execution(app(), store="x.db", name="child")
    other.step_sync()
    os.write(there[1], b".")
    os.read(closed[0], 1)
    print(os.path.exists("x.db-wal"), other.run_sync().status, flush=True)
    other.close()
    os._exit(0)
os.read(there[0], 1)
ex.run_sync()
ex.close()
os.write(closed[1], b".")
os.waitpid(pid, 0)
print(sorted(Store("x.db").df.executions.status), Store("x.db").check().ok)
"""
    )
    assert lines(done) == ["True finished", "['finished', 'finished'] True"]
    assert "removed while" not in done.stderr


def test_what_was_closed_before_the_fork_is_resumed_in_the_child(python: Any) -> None:
    done = python(
        SET_UP
        + """
ex = Execution(app(), store="x.db")
ex.step_sync()
ex.close()
in_child(lambda: Execution.resume(app(), store="x.db").run_sync().status)
with Execution.resume(app(), store="x.db") as again:
    print(again.status, dict(again.state))
"""
    )
    assert lines(done)[0] == "finished" and "'n': 1" in lines(done)[1]


@pytest.mark.parametrize("where", ["cell", "task", "handler", "effect"])
def test_multiprocessing_forks_from_anywhere(where: str, python: Any) -> None:
    done = python(
        SET_UP
        + """
import multiprocessing
context = multiprocessing.get_context("fork")
def work(queue):
    with Execution(app(), store="child.db") as other:
        queue.put(other.run_sync().status)
def forks(result=None):
    queue = context.SimpleQueue()
    process = context.Process(target=work, args=[queue])
    process.start()
    print(queue.get(), flush=True)
    process.join()
ex = Execution({
    "cell": app,
    "task": lambda: Task(id="t", run=forks),
    "handler": lambda: Task(id="t", run=lambda: 1, on_finished=forks),
    "effect": lambda: Effect(run=lambda: forks()),
}[sys.argv[1]](), store="x.db")
if sys.argv[1] == "cell":
    forks()
print(ex.run_sync().status)
""",
        where,
    )
    assert lines(done) == ["finished", "finished"]


def test_a_child_that_ends_as_a_process_does_takes_nothing_from_its_parent(python: Any) -> None:
    done = python(
        SET_UP
        + """
import gc
ex = Execution(app(), store=":memory:")
ex.step_sync()
pid = os.fork()
if not pid:
    path = ex.store.path
    del ex
    gc.collect()
    sys.exit(0)
print(os.waitpid(pid, 0)[1], os.path.exists(ex.store.path))
print(ex.run_sync().status, dict(ex.state), ex.store.check().ok)
"""
    )
    assert lines(done) == ["0 True", "finished {'n': 1} True"]
