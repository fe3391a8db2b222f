"""The timeline tells what happened, in order; and every value can be followed back to its root."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from smithers_nb import (
    Approval,
    Claude,
    Effect,
    End,
    Execution,
    If,
    Phase,
    Ralph,
    Smithers,
    Step,
    Stop,
    Task,
    component,
    scripted,
)  # fmt: skip
from smithers_nb.store.timeline import COLUMNS


@component
def Report(ctx: Any) -> Any:
    notes = ctx.state.get("notes")
    return [
        Phase(id="research", name="research")[
            Claude(id="notes", model=scripted("1. tides"), on_finished=lambda r: ctx.state.set("notes", r.output))["go"]
        ],
        Phase(id="write", name="write")[
            Claude(id="draft", model=scripted("A draft."), on_finished=lambda r: ctx.state.set("draft", r.output))[
                "write: ", notes
            ]
        ],
    ]


STORY = [
    (0, "execution", "execution report of Report was made"),
    (0, "write", "Execution(state=…) wrote topic = \"tides\""),
    (1, "frame", "frame 1 began, because of: start"),
    (1, "mounted", "phase #research came into the plan"),
    (1, "mounted", "claude #notes came into the plan"),
    (1, "mounted", "phase #write came into the plan"),
    (1, "mounted", "claude #draft came into the plan"),
    (1, "task started", "claude #notes started"),
    (1, "model call", "claude #notes asked scripted, turn 1: 50 tokens in, 3 out"),
    (1, "task ended", "claude #notes succeeded (53 tokens, 0.0000 USD)"),
    (2, "frame", "frame 2 began, because of: notes succeeded"),
    (2, "handler", "on_finished of claude #notes was called"),
    (2, "write", 'on_finished of claude #notes wrote notes = "1. tides"'),
    (3, "frame", "frame 3 began, because of: state notes, claude #notes settled"),
    (3, "updated", "the text of claude #draft is now write: 1. tides"),
    (3, "task started", "claude #draft started"),
    (3, "model call", "claude #draft asked scripted, turn 1: 50 tokens in, 3 out"),
    (3, "task ended", "claude #draft succeeded (53 tokens, 0.0000 USD)"),
    (4, "frame", "frame 4 began, because of: draft succeeded"),
    (4, "handler", "on_finished of claude #draft was called"),
    (4, "write", 'on_finished of claude #draft wrote draft = "A draft."'),
    (5, "frame", "frame 5 began, because of: state draft, claude #draft settled"),
    (5, "execution", "execution report finished: nothing is left to do"),
]  # fmt: skip


def told(ex: Any, *what: str) -> list[str]:
    story = ex.df.timeline()
    return story.text[story.what.isin(what)].tolist() if what else story.text.tolist()


def test_it_reads_as_a_story(run_of: Any) -> None:
    ex = run_of(Report(), name="report", state={"topic": "tides"})
    ex.run_sync()
    story = ex.df.timeline()
    assert list(zip(story.frame, story.what, story.text, strict=True)) == STORY
    assert story.phase[story.what == "handler"].unique().tolist() == ["EXECUTE"]
    assert story.phase[story.what == "mounted"].unique().tolist() == ["RECONCILE"]


def test_a_value_is_followed_back_to_the_start(run_of: Any) -> None:
    ex = run_of(Report(), name="report", state={"topic": "tides"})
    ex.run_sync()
    assert ex.df.why("draft").text.tolist() == [
        'draft is "A draft." since frame 5',
        'on_finished of claude #draft wrote draft = "A draft."',
        "on_finished of claude #draft was called in frame 4",
        "claude #draft succeeded",
        'scripted answered in turn 1: "A draft."',
    ]
    assert ex.df.why("topic").table.tolist() == ["state", "transitions"]
    assert ex.df.why("draft", frame=4).text.tolist() == ["draft has no value in frame 4: nothing had written it"]
    assert len(ex.df.why("draft", frame=5)) == 5
    assert ex.df.why("draft").equals(ex.why("state:draft").df)


@pytest.mark.parametrize("run", [True, False])
def test_it_has_its_columns_and_dtypes_also_when_it_is_empty(run: bool, run_of: Any) -> None:
    ex = run_of(Report())
    if run:
        ex.run_sync()
    for frame in (ex.df.timeline(), ex.store.df.timeline()):
        assert list(frame.columns) == list(COLUMNS)
        for column in COLUMNS:
            expected = {"frame": "Int64", "at": "datetime64[ns, UTC]"}.get(column, "object")
            assert str(frame[column].dtype) == expected, column


def raises(_: Any) -> None:
    raise ValueError("no such luck")


def twice(_: Any, ctx: Any) -> None:
    ctx.state.set("x", 1)
    ctx.state.set("x", 2)
    ctx.state.set("same", 0)
    ctx.state.delete("old")
    ctx.vol.set("zoom", 3)


def writes_and_raises(_: Any, ctx: Any) -> None:
    ctx.state.set("x", 1)
    raise ValueError("no such luck")


def fails() -> None:
    raise KeyError("cupboard")


@component
def Parent(ctx: Any) -> Any:
    return Smithers(id="child", component=Report)


HAPPENINGS = [
    ("a task that fails", Task(id="t", run=fails), ["task #t started", "task #t failed: KeyError: 'cupboard'"]),
    ("at its second attempt", Task(id="t", run=fails, retries=1), ["task #t failed at attempt 2: KeyError: 'cupboard'"]),
    ("a handler that raises", Task(id="t", run=int, on_finished=raises), ["on_finished of task #t raised ValueError: no such luck"]),
    ("a write that is lost", Task(id="t", run=int, on_finished=twice), [
        "on_finished of task #t wrote x = 1; a later write of the same frame replaced it",
        "on_finished of task #t wrote x = 2, which was 1",
        "on_finished of task #t wrote same = 0, which it was already",
        "on_finished of task #t deleted old, which was 9",
        "on_finished of task #t wrote vol zoom = 3",
    ]),
    ("a write that is rolled back", Task(id="t", run=int, on_finished=writes_and_raises), [
        "on_finished of task #t wrote x = 1; it was rolled back, because its author raised",
    ]),
    ("an effect", Effect(id="e", deps=[], run=lambda ctx: ctx.state.set("x", 1)), ["effect #e ran", "run of effect #e wrote x = 1"]),
    ("an effect that raises", Effect(id="e", deps=[], run=fails), ["effect #e ran and raised KeyError: 'cupboard'"]),
    ("a task that writes", Task(id="t", run=lambda ctx: ctx.state.set("x", 1)), ["task #t wrote x = 1"]),
    ("an artifact", Effect(id="e", deps=[], run=lambda ctx: ctx.artifact.markdown("hi", title="Hello")), ["effect #e showed markdown Hello"]),
    ("a Stop", Stop(reason="enough"), ["execution execution stopped: enough"]),
    ("an End", End(message="bye"), ["execution execution finished: bye"]),
    ("a loop", Ralph(id="l", max_iterations=2)[Task(id="t", run=int)], ["frame 4 began, because of: loop l: iteration 2"]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "app", "expected"), HAPPENINGS, ids=[case[0] for case in HAPPENINGS])
def test_it_says_in_words(name: str, app: Any, expected: list[str], run_of: Any) -> None:
    ex = run_of(app, state={"same": 0, "old": 9})
    ex.run_sync()
    story = told(ex)
    places = [story.index(text) for text in expected]
    assert places == sorted(places)


def test_the_story_of_a_child_stands_between_the_start_and_the_end_of_its_task(run_of: Any) -> None:
    ex = run_of(Parent())
    ex.run_sync()
    story = ex.store.df.timeline()
    inner = story[story.execution_id != ex.execution_id]
    assert inner.text.iloc[0] == f"execution execution/child of Report was made, a child of execution {ex.execution_id}"
    assert inner.text.iloc[-1] == "execution execution/child finished: nothing is left to do"
    started = story.index[story.text == "smithers #child started"][0]
    ended = story.index[story.text == "smithers #child succeeded"][0]
    assert started < inner.index[0] < inner.index[-1] < ended


def test_a_persons_answer_and_writes_are_told(run_of: Any) -> None:
    ex = run_of(Approval(id="ask", prompt="go on?", on_finished=lambda r, ctx: ctx.state.set("choice", r.output)))
    ex.run_sync()
    ex.answer("ask", "deny", "not yet")
    ex.run_sync()
    ex.state.set("x", 1)
    ex.run_sync()
    story = [text for text in told(ex) if "frame" not in text]
    assert story == [
        "execution execution of approval was made",
        "approval #ask came into the plan",
        "approval #ask started",
        "approval #ask asked: go on?",
        "a person answered approval #ask with deny, saying: not yet",
        "approval #ask succeeded",
        "on_finished of approval #ask was called",
        'on_finished of approval #ask wrote choice = "deny"',
        "an operator wrote x = 1",
        "execution execution finished: nothing is left to do",
    ]
    assert ex.df.why("x").table.tolist() == ["state", "transitions"]
    assert "a person answered" in " ".join(ex.df.why("choice").text)


@component
def Toggled(ctx: Any) -> Any:
    gate = ctx.state.get("gate")
    return [
        If(id="if", condition=gate)[Task(id="t", run=lambda: 1)],
        Step(id="s", name=str(gate)),
    ]


def test_nodes_that_leave_come_before_those_that_come_and_texts_are_not_named_apart(run_of: Any) -> None:
    ex = run_of(Toggled(), state={"gate": True})
    ex.run_sync()
    ex.state.set("gate", False)
    ex.run_sync()
    assert told(ex, "mounted", "unmounted", "updated") == [
        "if #if came into the plan",
        "task #t came into the plan",
        "step #s came into the plan",
        "task #t left the plan",
        "if #if has other props",
        "step #s has other props",
    ]


@pytest.mark.parametrize("rests", [True, False])
def test_what_ended_while_a_step_rested_is_told_before_its_flush(
    rests: bool, run_of: Any, gate: Any, wait_until: Any
) -> None:
    one = gate()
    ex = run_of([Task(id="t", run=one.passed), Effect(id="e", deps=[], run=lambda ctx: ctx.state.set("x", 1))])
    ex.step_sync()
    one.reached()
    if not rests:
        ex.step_phase_sync()  # FLUSH
    one.open()
    wait_until(lambda: ex.df.tasks.status[0] == "succeeded")
    ex.run_sync()
    ended, wrote = "task #t succeeded", "run of effect #e wrote x = 1"
    story = [text for text in told(ex) if text in (ended, wrote)]
    assert story == ([ended, wrote] if rests else [wrote, ended])


@component
def Late(ctx: Any, run: Any) -> Any:
    return [
        Task(id="t", run=run, on_finished=lambda r: None),
        Effect(id="e", deps=[], run=lambda: ctx.state.set("go", True)),
        If(condition=bool(ctx.state.get("go")))[
            Task(id="late", run=int, on_finished=lambda r: ctx.state.set("x", r.output))
        ],
    ]


def test_what_came_into_the_plan_is_followed_to_what_changed_the_plan(run_of: Any, gate: Any, wait_until: Any) -> None:
    """The frame has two reasons, and the first one only called a handler."""
    one = gate()
    ex = run_of(Late(run=one.passed))
    ex.step_sync()
    one.reached()
    one.open()
    wait_until(lambda: ex.df.tasks.status[0] == "succeeded")
    ex.run_sync()
    assert ex.df.frames.reason[1] == ["t succeeded", "state go"]
    assert ex.why("late@2").text.splitlines()[3:7] == [
        "    task #late started in frame 2, in which it was mounted  [frame 2 · test_timeline.py:256:13 · recorded]",
        "      task #late is in the plan since frame 2  [frame 2 · test_timeline.py:256:13 · recorded]",
        "        Late was called in frame 2, because go had changed  [frame 2 · recorded]",
        "          run of effect #e wrote go = true  [frame 1 · test_timeline.py:254:9 · recorded]",
    ]


def test_every_cause_is_an_earlier_row_and_every_time_is_in_order(run_of: Any) -> None:
    ex = run_of(Report(), name="one")
    other = run_of(Toggled(), name="other", state={"gate": True})
    for _ in range(12):
        ex.step_phase_sync()
        other.step_phase_sync()
    ex.run_sync()
    other.run_sync()
    story = ex.store.df.timeline()
    assert set(story.execution_id) == {ex.execution_id, other.execution_id}
    seen: set[tuple[str, str]] = set()
    for row in story.itertuples():
        if row.cause_id is not None:
            assert (row.execution_id, row.cause_id) in seen, row
        seen.add((row.execution_id, row.id))
    times = story["at"].dropna()
    frames = story[story.what == "frame"]["at"]
    assert frames.is_monotonic_increasing
    assert isinstance(times.iloc[0], pd.Timestamp)
    switches = (story.execution_id != story.execution_id.shift()).sum()
    assert switches > 2, "they ran at the same time"
    alone = story[story.execution_id == ex.execution_id].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, ex.df.timeline())


def test_after_a_prune_the_story_begins_later(run_of: Any) -> None:
    ex = run_of(Report(), name="report")
    ex.run_sync()
    ex.store.prune(keep_frames=2)
    story = ex.df.timeline()
    assert story.text[story.what == "frame"].tolist() == [
        text for frame, what, text in STORY if what == "frame" and frame >= 4
    ]
    assert "mounted" not in set(story.what)
    assert ex.df.why("draft").text[1] == 'on_finished of claude #draft wrote draft = "A draft."'


def test_it_needs_one_execution_to_say_why(run_of: Any) -> None:
    with pytest.raises(AttributeError, match="one execution"):
        run_of(Step()).store.df.why("x")


def test_a_resumed_execution_goes_on_with_its_story(run_of: Any, resumed: Any) -> None:
    ex = run_of(Report(), name="report")
    for _ in range(3):
        ex.step_sync()
    ex.close()
    again = resumed(Report())
    assert isinstance(again, Execution)
    again.run_sync()
    frames = told(again, "frame")
    assert any("resumed" in text for text in frames)
    assert again.df.why("draft").table.tolist()[-1] == "model_calls"
