"""``python -m tests.bench.peer_worker NAME KEYS PATH``: does as many steps as each line of stdin says.

NAME may end with ``:full`` or ``:normal``, SQLite's ``synchronous``; without it each does as it does by default.

It answers each line with one of JSON: milliseconds of each step, bytes written a step with the checkpoint that is due
after them (where the system tells them), and the size of the file.
"""

from __future__ import annotations

import asyncio
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
    name, _, durability = name.partition(":")
    WORKERS[name](state, path, durability)


def _set(connection: sqlite3.Connection, durability: str) -> None:
    """Let a peer's connection wait for the disk as much as ours does."""
    if durability:
        connection.execute(f"PRAGMA synchronous = {durability}")


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


def ours(state: dict[str, str], path: str, durability: str) -> None:
    """A frame a step: an effect adds one."""
    from smithers_nb import Execution, Phase, component
    from smithers_nb.bridge import engine

    @component
    def Counter(ctx):
        n = ctx.state.get("counter", 0)
        ctx.use_effect("add", [n], lambda: ctx.state.set("counter", n + 1))
        return Phase(name=f"count {n}")

    with Execution(Counter, store=path, state={"counter": 0, **state}, durability=durability or "normal") as ex:

        async def steps(count: int) -> list[float]:
            times = []
            for _ in range(count):
                begin = perf_counter()
                await ex.step()
                times.append((perf_counter() - begin) * 1000)
            return times

        serve(path, lambda count: engine.call(steps(count)))


def ours_task(state: dict[str, str], path: str, durability: str) -> None:
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

    with Execution(Counter, store=path, state={"counter": 0, **state}, durability=durability or "normal") as ex:

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


def langgraph(state: dict[str, str], path: str, durability: str) -> None:
    from langgraph.checkpoint.sqlite import SqliteSaver
    from langgraph.graph import START, StateGraph

    with SqliteSaver.from_conn_string(path) as saver:
        saver.setup()
        _set(saver.conn, durability)
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


def burr(state: dict[str, str], path: str, durability: str) -> None:
    from burr.core import ApplicationBuilder, State, action, default
    from burr.core.persistence import SQLitePersister

    @action(reads=["counter"], writes=["counter"])
    def add(state: State) -> State:
        return state.update(counter=state["counter"] + 1)

    persister = SQLitePersister(db_path=path)
    persister.initialize()
    _set(persister.connection, durability)
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


def dbos(state: dict[str, str], path: str, durability: str, *, whole: bool = True) -> None:
    from dbos import DBOS
    from sqlalchemy import Engine, event

    # It opens its connections itself, and none of its settings says how durable they are.
    event.listen(Engine, "connect", lambda connection, _: _set(connection, durability))

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


def pydantic_graph(state: dict[str, str], path: str, durability: str) -> None:
    from pydantic_graph import GraphBuilder, StepContext

    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    _set(db, durability)
    db.execute("CREATE TABLE steps (id INTEGER PRIMARY KEY, state TEXT)")
    now: dict[str, Any] = {"counter": 0, **state}
    builder = GraphBuilder(state_type=dict, input_type=int, output_type=int)

    @builder.step
    async def add(context: StepContext[dict, None, int]) -> int:
        context.state["counter"] += 1
        return context.inputs - 1

    more, done = builder.match(int, matches=lambda left: left > 0), builder.match(int)
    builder.add(
        builder.edge_from(builder.start_node).to(add),
        builder.edge_from(add).to(builder.decision().branch(more.to(add)).branch(done.to(builder.end_node))),
    )
    graph = builder.build()

    async def run(count: int) -> list[float]:
        times, at = [], now["counter"]
        begin = perf_counter()
        async with graph.iter(state=now, inputs=count) as steps:
            async for _ in steps:
                if now["counter"] != at:
                    at = now["counter"]
                    db.execute("INSERT INTO steps (state) VALUES (?)", (json.dumps(now),))
                    times.append((perf_counter() - begin) * 1000)
                    begin = perf_counter()
        assert len(times) == count, (len(times), count)
        return times

    serve(path, lambda count: asyncio.run(run(count)))
    db.close()


WORKERS: dict[str, Callable[[dict[str, str], str, str], None]] = {
    "ours": ours,
    "ours-task": ours_task,
    "langgraph": langgraph,
    "burr": burr,
    "dbos": dbos,
    "dbos-counter": lambda state, path, durability: dbos(state, path, durability, whole=False),
    "pydantic-graph": pydantic_graph,
}

if __name__ == "__main__":
    main()
