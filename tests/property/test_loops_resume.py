"""A loop that is ended at any point goes on at the iteration at which it stood, in the same process or another one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smithers_nb import Execution, Parallel, Phase, Ralph, Sequence, Task, component

SIZES = st.lists(st.integers(1, 3), min_size=1, max_size=3)


def nested(sizes: list[int], body: Any, lead: Any, form: str) -> Any:
    """Loops in loops; in each, something comes before the next one."""
    if not sizes:
        return body
    depth = len(sizes)
    below = nested(sizes[1:], body, lead, form)
    inside = {
        "bare": lambda: [below],
        "sequence": lambda: [Sequence()[lead(depth), below]],
        "phases": lambda: [Phase(name="1")[lead(depth)], Phase(name="2")[below]],
        "parallel": lambda: [Parallel()[lead(depth), below]],
    }[form]()
    return Ralph(id=f"loop{depth}", max_iterations=sizes[0])[tuple(inside)]


def app_of(sizes: list[int], form: str, log: list[str]) -> Any:
    @component
    def App(ctx: Any) -> Any:
        def count(key: str) -> Any:
            return lambda r: ctx.state.update(key, lambda n: (n or 0) + 1)

        def lead(depth: int) -> Any:
            return Task(id=f"lead{depth}", run=lambda: log.append("lead"), on_finished=count(f"lead{depth}"))

        body = Task(id="body", run=lambda: log.append("body"), on_finished=count("body"))
        return [
            Phase(name="loops")[nested(sizes, body, lead, form)],
            Phase(name="after")[Task(id="last", run=lambda: 1, on_finished=count("last"))],
        ]

    return App()


def expected(sizes: list[int], form: str) -> dict[str, int]:
    found, times = {}, 1
    for place, size in enumerate(sizes):
        times *= size
        if form != "bare":
            found[f"lead{len(sizes) - place}"] = times
    return found | {"body": times, "last": 1}


@settings(max_examples=60, deadline=None)
@given(
    SIZES,
    st.sampled_from(["bare", "sequence", "phases", "parallel"]),
    st.lists(st.integers(1, 60), min_size=1, max_size=4),
)
def test_a_loop_that_is_closed_at_any_phase_goes_on_where_it_was(
    tmp_path_factory: Any, sizes: list[int], form: str, phases: list[int]
) -> None:
    log: list[str] = []
    store = tmp_path_factory.mktemp("loop") / "t.db"
    ex = Execution(app_of(sizes, form, log), store=store)
    try:
        for count in phases:
            for _ in range(count):
                if ex.over:
                    break
                ex.step_phase_sync()
            ex.close()
            ex = Execution.resume(app_of(sizes, form, log), store=store)
        assert ex.run_sync().status == "finished"
        assert dict(ex.state) == expected(sizes, form)
        frames = list(ex.df.frames.frame)
        assert frames == list(range(1, len(frames) + 1))
        rows = ex.store.reader.query("SELECT node_id, iteration, status FROM loops WHERE to_frame IS NULL").rows
        assert {(f"loop{len(sizes) - n}", size, "max_reached") for n, size in enumerate(sizes)} == set(rows)
    finally:
        ex.close()


@pytest.mark.parametrize("stop", range(1, 40))
def test_an_inner_loop_in_a_later_phase_begins_anew_in_each_iteration_after_a_restart(
    stop: int, tmp_path: Path
) -> None:
    """Its row in the file is of the outer loop's last iteration until it begins again."""
    log: list[str] = []
    store = tmp_path / "t.db"
    ex = Execution(app_of([2, 2], "phases", log), store=store)
    for _ in range(stop):
        if not ex.over:
            ex.step_phase_sync() if stop % 2 else ex.step_sync()
    ex.close()
    with Execution.resume(app_of([2, 2], "phases", log), store=store) as again:
        assert again.run_sync().status == "finished"
        assert dict(again.state) == expected([2, 2], "phases")


KILLED = """
import os, signal, sys
from smithers_nb import *

kill_at = int(sys.argv[2])

def work(n):
    print("ran", n, flush=True)
    if sys.argv[1] == "run" and n == kill_at:
        os.kill(os.getpid(), signal.SIGKILL)
    return n

@component
def App(ctx):
    n = ctx.state.get("n", 0)
    return [
        Phase(name="loop")[
            While(id="w", condition=n < 5)[
                Task(id="t", run=work, args=[n], on_finished=lambda r: ctx.state.update("n", lambda n: (n or 0) + 1))
            ]
        ],
        Phase(name="after")[Task(id="last", run=lambda: print("last", flush=True))],
    ]

ex = Execution(App(), store="k.db") if sys.argv[1] == "run" else Execution.resume(App(), store="k.db")
result = ex.run_sync()
print(result.status, ex.state["n"], ex.store.reader.query("SELECT iteration, status FROM loops WHERE to_frame IS NULL").rows)
"""


@pytest.mark.parametrize("at", [0, 2, 4])
def test_a_loop_that_was_killed_goes_on_at_its_iteration(at: int, tmp_path: Path) -> None:
    def run(how: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", textwrap.dedent(KILLED), how, str(at)],
            cwd=tmp_path, env=dict(os.environ), capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    killed = run("run")
    assert killed.returncode == -signal.SIGKILL
    assert killed.stdout.split("\n")[:-1] == [f"ran {n}" for n in range(at + 1)]
    done = run("resume")
    assert done.stdout.splitlines() == [
        *(f"ran {n}" for n in range(at, 5)), "last", "finished 5 [(5, 'done')]",
    ], done.stderr[-2000:]  # fmt: skip
