"""One frame, seven phases; where a step rests, and what is visible when."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from smithers_nb import Claude, If, Phase, Step, Task, component, scripted
from smithers_nb.execution import run_behind
from smithers_nb.records import Phase as P

ORDER = ["SNAPSHOT", "RENDER", "RECONCILE", "COMMIT", "EXECUTE", "EFFECTS", "FLUSH"]


@component
def Counts(ctx: Any) -> Any:
    n = ctx.state.get("n", 0)
    return Task(key=str(n), run=lambda: n, on_finished=lambda r: n < 3 and ctx.state.set("n", n + 1))


def test_the_phases_come_one_by_one_in_order(run_of: Any) -> None:
    ex = run_of(Counts())
    assert [str(ex.step_phase_sync().phase) for _ in range(14)] == ORDER * 2
    assert ex.frame.number == 2


def test_every_phase_of_a_frame_is_timed(run_of: Any) -> None:
    ex = run_of(Counts())
    for done in range(1, 8):
        frame = ex.step_phase_sync()
        assert list(frame.ms) == [P(name) for name in ORDER[:done]]
        assert all(ms >= 0 for ms in frame.ms.values())


def test_a_task_that_ends_after_snapshot_is_the_next_frames(run_of: Any, gate: Any, wait_until: Any) -> None:
    stand = gate()
    ex = run_of(Task(id="t", run=stand.passed, on_finished=lambda r: None))
    ex.step_sync()
    ex.state.set("x", 1)
    assert [str(ex.step_phase_sync().phase) for _ in range(2)] == ["FLUSH", "SNAPSHOT"]
    stand.open()
    wait_until(lambda: ex.tasks["t"] == "succeeded")
    second = ex.step_sync()
    assert (second.number, second.phase, second.handlers) == (2, "EFFECTS", ())
    assert [call.frame for call in ex.step_sync().handlers] == [3]


def test_an_abandoned_frame_is_closed_and_its_row_says_open(run_of: Any) -> None:
    ex = run_of(Counts())
    assert [str(ex.step_phase_sync().phase) for _ in range(4)][-1] == "COMMIT"
    phases = run_behind(ex).loop._phases
    ex.close()
    assert phases.ag_frame is None, "nobody will go on with this generator"
    assert ex.df.frames.status.tolist() == ["open"]


def test_a_run_that_waits_does_not_look_again_and_again(
    run_of: Any, gate: Any, wait_until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand = gate()
    ex = run_of(Task(id="t", run=stand.passed))
    ex.step_sync()
    slept: list[int] = []
    real = run_behind(ex).live.inbox.sleep

    async def sleep() -> None:
        slept.append(1)
        await real()

    monkeypatch.setattr(run_behind(ex).live.inbox, "sleep", sleep)
    runs = threading.Thread(target=ex.run_sync)
    runs.start()
    wait_until(lambda: bool(slept))
    threading.Event().wait(0.3)  # What polls shows itself in this time.
    assert len(slept) == 1
    stand.open()
    runs.join(60)
    assert ex.status == "finished"


def test_a_step_rests_before_flush_with_its_writes_pending(run_of: Any) -> None:
    ex = run_of(Counts())
    ex.step_sync()
    frame = ex.step_sync()
    assert frame.phase == "EFFECTS"
    assert [(w.key, w.new, w.status) for w in frame.pending] == [("n", 1, "queued")]
    assert frame.pending == ex.pending
    assert "n" not in ex.state
    assert len(ex.df.transitions) == 0
    assert ex.step_phase_sync().phase == "FLUSH"
    assert ex.state["n"] == 1
    assert list(ex.df.transitions.new) == [1]
    assert ex.pending == ()


def test_a_write_is_visible_in_the_next_frame_and_not_before(run_of: Any) -> None:
    seen = []

    @component
    def App(ctx: Any) -> Any:
        seen.append((ctx.frame, ctx.state.get("x")))

        def write(_: object) -> None:
            ctx.state.set("x", "new")
            seen.append(("own", ctx.state.get("x")))

        def read(_: object) -> None:
            seen.append(("other", ctx.state.get("x")))

        return [Task(run=lambda: 1, on_finished=write), Task(run=lambda: 2, on_finished=read)]

    ex = run_of(App())
    ex.step_sync()
    while not any(write.key == "x" for write in ex.pending):
        ex.step_sync()
    number = ex.frame.number
    ex.run_sync()
    assert ("own", "new") in seen
    assert {what for what in seen if isinstance(what[0], int) and what[0] <= number} == {
        (n, None) for n in range(1, number + 1)
    }
    assert (number + 1, "new") in seen


def test_every_handler_of_a_frame_reads_what_was_committed_before_it(run_of: Any, gate: Any) -> None:
    """Also where another handler of the same frame has written already."""
    seen = []
    gates = [gate(), gate()]

    @component
    def App(ctx: Any) -> Any:
        def handler(name: str) -> Any:
            def write(_: object) -> None:
                seen.append(ctx.state.get("x"))
                ctx.state.set("x", name)

            return write

        return [Task(id=n, run=gates[i].passed, on_finished=handler(n)) for i, n in enumerate("ab")]

    ex = run_of(App(), state={"x": "old"})
    ex.step_sync()
    for one in gates:
        one.reached()
    ends = ends_together(ex, gates)
    assert ends == 2
    assert seen == ["old", "old"]


def ends_together(ex: Any, gates: list[Any]) -> int:
    """Let both tasks end, and make one frame that deals with all of them."""
    import threading

    done = threading.Event()
    run_behind(ex).observe(lambda: done.set() if ex.running == 0 else None)
    for one in gates:
        one.open()
    assert done.wait(60)
    return len(ex.step_sync().handlers)


def test_frames_are_numbered_without_holes(run_of: Any) -> None:
    ex = run_of(Counts())
    result = ex.run_sync()
    assert list(ex.df.frames.frame) == list(range(1, result.frames + 1))
    assert set(ex.df.frames.status) == {"done"}


def test_a_frame_says_why_it_was_rendered(run_of: Any) -> None:
    ex = run_of(Phase(name="a")[Claude(id="notes", model=scripted("x"))["hi"]])
    reasons = [ex.step_sync().reason for _ in range(3)]
    assert reasons == [("start",), ("notes succeeded",), ("notes@1 settled",)]


def test_a_frame_lists_all_of_its_causes(run_of: Any) -> None:
    ex = run_of(Task(id="t", run=lambda: 1))
    ex.run_sync()
    ex.state.set("x", 1)
    ex.state.set("y", 2)
    ex.retry("t")
    frame = ex.step_sync()
    assert set(frame.reason) == {"state x", "state y", "t is run again by hand"}
    assert ex.df.frames.reason.iloc[-1] == list(frame.reason)


def test_a_changed_key_is_a_reason(run_of: Any) -> None:
    ex = run_of(Counts())
    ex.step_sync()
    ex.step_sync()
    assert "state n" in ex.step_sync().reason


def test_what_is_mounted_and_gone_is_in_the_frame(run_of: Any) -> None:
    @component
    def App(ctx: Any) -> Any:
        on = ctx.state.get("on", False)
        return [Step(id="s", name=f"is {on}"), If(id="i", condition=on)[Task(id="t", run=lambda: 1)]]

    ex = run_of(App())
    first = ex.step_sync()
    assert (first.mounted, first.unmounted, first.updated) == (("s", "i"), (), ())
    ex.state.set("on", True)
    second = ex.step_sync()
    assert (second.mounted, second.unmounted, second.updated) == (("t",), (), ("s", "i"))
    ex.state.set("on", False)
    while "state on" not in ex.step_sync().reason:
        pass
    assert (ex.frame.mounted, ex.frame.unmounted, ex.frame.updated) == ((), ("t",), ("s", "i"))


def test_reordering_keyed_children_moves_them_and_mounts_nothing(run_of: Any) -> None:
    runs = []

    @component
    def App(ctx: Any) -> Any:
        return [Task(key=k, run=runs.append, args=[k]) for k in ctx.state.get("order")]

    ex = run_of(App(), state={"order": ["a", "b", "c"]})
    ex.run_sync()
    ex.state.set("order", ["c", "a", "b"])
    frame = ex.step_sync()
    assert (frame.mounted, frame.unmounted, frame.updated) == ((), (), ())
    assert [ex.frame.tree.index[id].key for id in frame.moved] == ["c"]
    ex.run_sync()
    assert sorted(runs) == ["a", "b", "c"]


def test_the_clock_stands_still_within_a_frame(run_of: Any) -> None:
    times: dict[int, set[Any]] = {}

    @component
    def App(ctx: Any) -> Any:
        times.setdefault(ctx.frame, set()).update([ctx.now(), ctx.now()])

        def note(_: object) -> None:
            times[ctx.frame].add(ctx.now())

        return Task(run=lambda: 1, on_finished=note)

    ex = run_of(App())
    ex.run_sync()
    assert [len(found) for found in times.values()] == [1, 1, 1]
    assert len(set.union(*times.values())) == 3


def test_the_same_seed_gives_the_same_numbers(run_of: Any) -> None:
    numbers: list[float] = []

    @component
    def App(ctx: Any) -> Any:
        numbers.append(ctx.rand().random())
        return Task(run=lambda: 1, on_finished=lambda r: numbers.append(ctx.rand().random()))

    for seed in (1, 1, 2):
        run_of(App(), seed=seed).run_sync()
    one, other, third = (
        numbers[start : start + len(numbers) // 3] for start in range(0, len(numbers), len(numbers) // 3)
    )
    assert one == other
    assert len(set(one)) == len(one)
    assert set(one).isdisjoint(third)


def test_state_at_rest_can_be_read_and_not_changed_in_place(run_of: Any) -> None:
    ex = run_of(Step(), state={"list": [1]})
    ex.state["list"].append(2)
    assert ex.state["list"] == [1]


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_a_run_ends_after_max_frames(frames: int, run_of: Any) -> None:
    @component
    def Endless(ctx: Any) -> Any:
        n = ctx.state.get("n", 0)
        return Task(key=str(n), run=lambda: 1, on_finished=lambda r: ctx.state.set("n", n + 1))

    ex = run_of(Endless())
    result = ex.run_sync(max_frames=frames)
    assert (result.frames, result.frame.number, result.status) == (frames, frames, "paused")
    assert f"max_frames={frames}" in result.reason
    assert ex.run_sync(max_frames=1).frame.number == frames + 1


def test_max_frames_of_the_execution_counts_for_every_run(run_of: Any) -> None:
    ex = run_of(Counts(), max_frames=2)
    assert [ex.run_sync().frames for _ in range(2)] == [2, 2]


def test_a_run_ends_where_until_is_true(run_of: Any) -> None:
    ex = run_of(Counts())
    result = ex.run_sync(until=lambda frame: any(w.new == 2 for w in frame.pending))
    assert result.status == "paused"
    assert "until" in result.reason
    assert [w.new for w in ex.pending] == [2]
    assert ex.state["n"] == 1
    assert ex.run_sync().status == "finished"


def test_an_until_that_raises_reaches_the_caller_and_loses_nothing(run_of: Any) -> None:
    ex = run_of(Counts())
    with pytest.raises(ZeroDivisionError):
        ex.run_sync(until=lambda frame: 1 / 0)
    assert ex.run_sync().status == "finished"
    assert ex.state["n"] == 3
    assert list(ex.df.frames.frame) == list(range(1, len(ex.df.frames) + 1))


def test_an_empty_plan_is_finished_after_one_frame(run_of: Any) -> None:
    result = run_of([]).run_sync()
    assert (result.status, result.frames) == ("finished", 1)


def test_a_step_after_the_end_changes_nothing(run_of: Any) -> None:
    ex = run_of(Counts())
    ex.run_sync()
    last = ex.frame.number
    assert ex.step_sync().number == last
    assert (ex.status, len(ex.df.frames)) == ("finished", last)
