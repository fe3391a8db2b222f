"""Tasks that end after their node has left the plan: no end is lost, and a replay has it where the recording has it."""

from __future__ import annotations

from typing import Any

import pytest

from smithers_nb import Execution, Task, component
from smithers_nb.execution import run_behind
from smithers_nb.store import writer


@pytest.fixture
def begun(run_of: Any, gate: Any, wait_until: Any) -> Any:
    """Make an execution up to the frame before that in which b leaves; b waits at the gate."""
    one = gate()

    def blocks() -> int:
        one.passed_in_thread()
        return 1

    @component
    def Leaves(ctx: Any) -> Any:
        n = ctx.state.get("n", 0)
        return [
            n == 0 and Task(id="a", run=lambda: 1, on_finished=lambda r: ctx.state.set("n", 1)),
            n == 0 and Task(id="b", run=blocks, on_finished=lambda r: ctx.state.set("x", 1)),
            n == 1 and Task(id="c", run=lambda: 1, on_finished=lambda r: ctx.state.set("y", 1)),
        ]

    ex = run_of(Leaves)
    ex.step_sync()
    one.reached()
    wait_until(lambda: has_ended(ex, "a"))
    ex.step_sync()
    return ex, one


def has_ended(ex: Execution, node_id: str) -> bool:
    return bool(ex.df.tasks.set_index("node_id").status[node_id] == "succeeded")


def stale(ex: Execution) -> list[tuple[str, int]]:
    calls = ex.df.handlers
    return [(row.node_id, row.frame) for row in calls[calls.status == "stale"].itertuples()]


def assert_replays(ex: Execution) -> None:
    replay = ex.replay()
    assert replay.same, replay


@pytest.mark.parametrize("phase", ["SNAPSHOT", "RENDER", "COMMIT", "EXECUTE", "FLUSH"])
@pytest.mark.parametrize("frame", [3, 5])
def test_an_end_after_any_phase_is_recorded_once_and_replayed(
    frame: int, phase: str, begun: Any, wait_until: Any
) -> None:
    """b leaves in frame 3, and frame 5 is the last one."""
    ex, one = begun
    if frame == 5:
        ex.step_sync()
        wait_until(lambda: has_ended(ex, "c"))
        ex.step_sync()
    while ex.frame.number < frame or ex.frame.phase != phase:
        ex.step_phase_sync()
    one.open()
    wait_until(lambda: has_ended(ex, "b"))
    assert ex.run_sync().status == "finished"
    # It is settled in the last frame that was committed; a frame that takes its node deals with its end itself.
    settled = frame - (frame == 5 and phase in ("SNAPSHOT", "RENDER"))
    assert stale(ex) == [("b", settled)]
    assert ex.df.tasks.set_index("node_id").settled_at_frame["b"] == settled
    assert_replays(ex)


def test_an_end_during_the_commit_that_takes_its_node_is_recorded(
    begun: Any, wait_until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ex, one = begun
    commit = writer.commit_frame
    queue = run_behind(ex).live.services.database.shared._connection._tx

    def commits(*args: Any, **named: Any) -> None:
        monkeypatch.setattr(writer, "commit_frame", commit)
        one.open()
        wait_until(lambda: not queue.empty())  # The end of b, which is recorded next.
        commit(*args, **named)

    monkeypatch.setattr(writer, "commit_frame", commits)
    assert ex.run_sync().status == "finished"
    assert stale(ex) == [("b", 3)]
    assert ex.df.tasks.settled_at_frame.notna().all()
    assert_replays(ex)
