"""``python -m tests.bench.peer_worker NAME KEYS PATH``: does as many steps as each line of stdin says.

It answers each line with one of JSON: milliseconds of each step, bytes written a step with the checkpoint that is due
after them (where the system tells them), and the size of the file.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from time import perf_counter
from typing import Any, TypedDict

Steps = Callable[[int], list[float]]
"""Does so many steps, and returns the milliseconds of each."""


def main() -> None:
    name, keys, path = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    os.environ |= {"BURR_TELEMETRY": "0", "LANGSMITH_TRACING": "false"}
    state = {f"key_{n:06d}": f"value-{n:06d}" for n in range(keys)}
    WORKERS[name](state, path)


def serve(path: str, steps: Steps) -> None:
    """Answer until stdin ends."""
    for line in sys.stdin:
        asked = int(line)
        before = _written()
        ms = steps(asked) if asked else []
        size = _checkpointed(path)
        after = _written()
        written = (after - before) / asked if asked and before is not None and after is not None else None
        print(json.dumps({"ms": ms, "written": written, "size": size}), flush=True)


def _timed(step: Callable[[], object]) -> Steps:
    def steps(count: int) -> list[float]:
        times = []
        for _ in range(count):
            begin = perf_counter()
            step()
            times.append((perf_counter() - begin) * 1000)
        return times

    return steps


def _written() -> int | None:
    """Return the bytes that this process has handed to the system; None where it does not say."""
    with suppress(FileNotFoundError):
        return next(int(line.split()[1]) for line in Path("/proc/self/io").read_text().splitlines() if "wchar" in line)
    return None


def _checkpointed(path: str) -> int:
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        pages, size = (db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
        return pages * size


# ---- ours ------------------------------------------------------------------------------------------------------


def ours(state: dict[str, str], path: str, durability: str = "normal") -> None:
    """A frame a step: an effect adds one."""
    from smithers_nb import Execution, Phase, component
    from smithers_nb.bridge import engine

    @component
    def Counter(ctx):
        n = ctx.state.get("counter", 0)
        ctx.use_effect("add", [n], lambda: ctx.state.set("counter", n + 1))
        return Phase(name=f"count {n}")

    with Execution(Counter, store=path, state={"counter": 0, **state}, durability=durability) as ex:

        async def steps(count: int) -> list[float]:
            times = []
            for _ in range(count):
                begin = perf_counter()
                await ex.step()
                times.append((perf_counter() - begin) * 1000)
            return times

        serve(path, lambda count: engine.call(steps(count)))


def ours_task(state: dict[str, str], path: str) -> None:
    """A task a step, in a loop, and its handler writes what it returned: the way of a step with an agent."""
    from smithers_nb import Execution, Ralph, Task, component
    from smithers_nb.bridge import engine

    async def add(ctx):
        return ctx.state.get("counter", 0) + 1

    @component
    def Counter(ctx):
        return Ralph(id="loop", max_iterations=1_000_000)[
            Task(id="add", run=add, on_finished=lambda result: ctx.state.set("counter", result.output))
        ]

    with Execution(Counter, store=path, state={"counter": 0, **state}) as ex:

        async def steps(count: int) -> list[float]:
            times = []
            for _ in range(count):
                begin, before = perf_counter(), ex.state["counter"]
                while ex.state["counter"] == before:
                    await ex.step()
                times.append((perf_counter() - begin) * 1000)
            return times

        serve(path, lambda count: engine.call(steps(count)))


# ---- theirs ----------------------------------------------------------------------------------------------------


class Counted(TypedDict):
    """LangGraph's state."""

    counter: int
    data: dict[str, str]


def langgraph(state: dict[str, str], path: str) -> None:
    from langgraph.checkpoint.sqlite import SqliteSaver
    from langgraph.graph import START, StateGraph

    with SqliteSaver.from_conn_string(path) as saver:
        saver.setup()
        graph = StateGraph(Counted)
        graph.add_node("add", lambda state: {"counter": state["counter"] + 1})
        graph.add_edge(START, "add")
        graph.add_edge("add", "add")
        app = graph.compile(checkpointer=saver)
        config: Any = {"configurable": {"thread_id": "t"}, "recursion_limit": 1_000_000}
        first: Any = {"counter": 0, "data": state}
        stream = app.stream(first, config, stream_mode="updates", durability="sync")
        serve(path, _timed(lambda: next(stream)))
        stream.close()


def burr(state: dict[str, str], path: str) -> None:
    from burr.core import ApplicationBuilder, State, action, default
    from burr.core.persistence import SQLitePersister

    @action(reads=["counter"], writes=["counter"])
    def add(state: State) -> State:
        return state.update(counter=state["counter"] + 1)

    persister = SQLitePersister(db_path=path)
    persister.initialize()
    app = (
        ApplicationBuilder()
        .with_actions(add)
        .with_transitions(("add", "add", default))
        .with_state(State({"counter": 0, **state}))
        .with_entrypoint("add")
        .with_identifiers(app_id="a", partition_key="p")
        .with_state_persister(persister)
        .build()
    )
    serve(path, _timed(app.step))


def dbos(state: dict[str, str], path: str, whole: bool = True) -> None:
    from dbos import DBOS

    logging.disable(logging.INFO)
    DBOS(
        config={
            "name": "bench",
            "system_database_url": f"sqlite:///{path}",
            "log_level": "ERROR",
            "run_admin_server": False,
        }
    )

    @DBOS.step()
    def add(state: dict[str, Any]) -> dict[str, Any]:
        return {**state, "counter": state["counter"] + 1}

    @DBOS.step()
    def add_one(counter: int) -> int:
        return counter + 1

    @DBOS.workflow()
    def flow() -> None:
        now: dict[str, Any] = {"counter": 0, **state}

        def step() -> None:
            nonlocal now
            now = add(now) if whole else {**now, "counter": add_one(now["counter"])}

        serve(path, _timed(step))

    DBOS.launch()
    flow()
    DBOS.destroy()


WORKERS: dict[str, Callable[[dict[str, str], str], None]] = {
    "ours": ours,
    "ours-full": lambda state, path: ours(state, path, "full"),
    "ours-task": ours_task,
    "langgraph": langgraph,
    "burr": burr,
    "dbos": dbos,
    "dbos-counter": lambda state, path: dbos(state, path, whole=False),
}

if __name__ == "__main__":
    main()
