"""The table of what ``ctx`` does where: every row, in a handler, an effect, a task and the notebook.

That a component reads the snapshot and writes nothing is in test_reuse.py, test_purity.py and test_ctx_doors.py.
"""

from __future__ import annotations

from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from smithers_nb import Effect, Task, component
from smithers_nb.errors import PurityError

MARK = object()
PLACES = ("handler", "effect", "task", "async task", "operator")


def uses_all(ctx: Any, file: Path) -> dict[str, Any]:
    """Use every door, and return what was read."""
    ctx.state.set("set", 1)
    ctx.state["item"] = 2
    ctx.state.update("updated", lambda old: old + 1)
    ctx.state.delete("deleted")
    ctx.state.init("first", 5)
    ctx.state.init("a", 99)
    ctx.vol.set("object", MARK)
    ctx.signal("signal").set(3)
    ctx.fs.write(file, "hello")
    for make in (ctx.artifact.markdown, ctx.artifact.markdown):
        make("text", key="same")
    ctx.artifact.table([{"n": 1}])
    ctx.artifact.progress(0.5)
    ctx.artifact.link("https://example.org")
    return {
        "get": (ctx.state.get("a"), ctx.state.get("nothing"), ctx.state.get("nothing", 7)),
        "item": (ctx.state["a"], "a" in ctx.state, "nothing" in ctx.state),
        "own": (ctx.state.get("set"), ctx.signal("signal").get(), ctx.vol.get("object"), "deleted" in ctx.state),
        "signal": (ctx.signal("a").get(), ctx.signal("nothing", 8).get()),
        "computed": ctx.computed(lambda: ctx.state.get("a") + 1).get(),
        "query": ctx.db.query("SELECT name FROM executions WHERE name = ?", ("table",)),
        "files": (ctx.fs.read(file), ctx.fs.exists(file), ctx.fs.glob(f"{file.parent}/*.txt")),
        "moment": (ctx.now().tzinfo, ctx.now() == ctx.now(), ctx.rand().random() < 1, ctx.iteration("loop")),
    }


def used_in(place: str, run_of: Any, wait_until: Any, file: Path) -> tuple[Any, dict[str, Any]]:
    """Return an execution in which ``uses_all`` was called in that place, and what it returned."""
    seen: list[dict[str, Any]] = []

    async def on_the_loop(ctx: Any) -> None:
        seen.append(uses_all(ctx, file))

    @component
    def App(ctx: Any) -> Any:
        here = lambda *_: seen.append(uses_all(ctx, file))  # noqa: E731
        run = {"task": lambda: here(), "async task": lambda: None}.get(place, lambda: None)
        return [
            Task(
                id="t",
                run=on_the_loop if place == "async task" else run,
                on_finished=here if place == "handler" else None,
            ),
            Effect(id="e", run=here) if place == "effect" else None,
        ]

    ex = run_of(App(), name="table", state={"a": 1, "updated": 1, "deleted": 1})
    ex.step_sync()
    if "task" in place:  # At rest nothing is flushed while it reads.
        wait_until(lambda: bool(seen))
    if place == "operator":
        seen.append(uses_all(ex.ctx, file))
    assert ex.run_sync().status == "finished"
    [found] = seen
    return ex, found


@pytest.mark.parametrize("place", PLACES)
def test_every_row_of_the_table_holds(place: str, run_of: Any, wait_until: Any, tmp_path: Path) -> None:
    file = tmp_path / "note.txt"
    ex, seen = used_in(place, run_of, wait_until, file)
    transaction = place in ("handler", "effect")
    assert seen == {
        "get": (1, None, 7),
        "item": (1, True, False),
        # A transaction sees its own writes; elsewhere they are queued, and what is committed is read.
        "own": (1, 3, MARK, False) if transaction else (None, None, None, True),
        "signal": (1, 8),
        "computed": 2,
        "query": [{"name": "table"}],
        "files": ("hello", True, [str(file)]),
        "moment": (UTC, True, True, 1),
    }
    assert dict(ex.state) == {"a": 1, "updated": 2, "set": 1, "item": 2, "first": 5, "signal": 3}
    assert ex.ctx.vol["object"] is MARK
    df = ex.df.transitions.query("frame > 0")
    assert "a" not in set(df.key), "init of a key that is there queues nothing"
    origin = place.removeprefix("async ")
    assert set(df.origin) == {origin}
    assert set(df.origin_id.notna()) == {place != "operator"}
    assert set(df.node_id.dropna()) == ({"e"} if place == "effect" else {"t"} if place != "operator" else set())
    events = ex.df.events.query("kind == 'file_written'")
    assert [len(event["sha256"]) for event in events.payload] == [64]
    assert [one.kind for one in ex.artifacts] == ["markdown", "table", "progress", "link"]
    with pytest.raises(PurityError, match="belongs in a component"):
        ex.ctx.use_effect("x", [], print)
