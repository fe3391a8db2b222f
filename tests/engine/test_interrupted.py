"""Interruptions at the worst moment, and questions far below."""

from __future__ import annotations

import asyncio
import concurrent.futures
from typing import Any

import pytest

from smithers_nb import Approval, End, Smithers, Task, component
from smithers_nb.execution import run_behind
from smithers_nb.store import connection


def test_a_cancellation_while_tasks_are_acquired_loses_none(run_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    original = connection.Database.transaction
    ex = run_of(Task(id="t", run=lambda: 1))
    cancelled: list[bool] = []

    async def interrupting(self: Any, work: Any, *args: Any, **named: Any) -> Any:
        if work.__name__ == "start_tasks" and not cancelled:
            cancelled.append(run_behind(ex).loop._slot.task.cancel())
        return await original(self, work, *args, **named)

    monkeypatch.setattr(connection.Database, "transaction", interrupting)
    with pytest.raises((asyncio.CancelledError, concurrent.futures.CancelledError)):
        ex.step_sync()
    assert cancelled == [True]
    assert ex.tasks["t"] in ("running", "succeeded")
    assert ex.run_sync().status == "finished"


def test_an_approval_in_a_grandchild_is_answered_from_the_top(run_of: Any) -> None:
    @component
    def Asks(ctx: Any) -> Any:
        said = ctx.state.get("said")
        return [
            Approval(id="ok", prompt="?", on_finished=lambda r: ctx.state.set("said", r.output)),
            said and End(value=said),
        ]

    @component
    def Middle(ctx: Any) -> Any:
        said = ctx.state.get("said")
        return [
            Smithers(id="inner", component=Asks, on_finished=lambda r: ctx.state.set("said", r.output)),
            said and End(value=said),
        ]

    @component
    def Top(ctx: Any) -> Any:
        return Smithers(id="outer", component=Middle, on_finished=lambda r: ctx.state.set("said", r.output))

    ex = run_of(Top)
    assert ex.run_sync().status == "waiting"
    assert run_behind(ex).publish().names == ("ok",)
    ex.answer("ok", "approve")
    ex.run_sync()
    assert dict(ex.state) == {"said": "approve"}
