"""The causes of things, each planted, and asked for twice: of the live execution, and of its file alone."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from threading import Event
from typing import Any, NamedTuple

import pytest
from pydantic_ai.exceptions import ModelHTTPError

from smithers_nb import (
    Approval,
    Claude,
    Effect,
    End,
    Execution,
    Phase,
    Smithers,
    Step,
    Store,
    Task,
    component,
    scripted,
)
from smithers_nb.errors import AppChangedWarning, SmithersError, StoreError
from smithers_nb.identity import Path, generated_id

from .programs import HOSTILE, Effects, Handlers, Loops, Retries, Stops, Unmounts, fails, ran, save

KEYED_B = generated_id(Path('/Keyed[0]/task["b"]'))


@component
def Report(ctx: Any) -> Any:
    return [
        Phase(name="research")[
            Claude(id="notes", model=scripted("1. tides"), on_finished=lambda r: ctx.state.set("notes", r.output))[
                "Notes on ", ctx.state.get("topic")
            ]
        ],
        Phase(name="write")[
            Claude(id="draft", model=scripted("A draft."), on_finished=lambda r: ctx.state.set("draft", r.output))[
                "Write it up: ", ctx.state.get("notes")
            ]
        ],
    ]


def test_a_value_goes_back_to_the_answer_that_it_came_from(run_of: Any) -> None:
    ex = run_of(Report(), name="report", state={"topic": "tidal energy"})
    ex.run_sync()
    why = ex.why("state:draft")
    assert why.text.splitlines()[1:] == [
        '  draft is "A draft." since frame 5  [frame 5 · recorded]',
        '    on_finished of claude #draft wrote draft = "A draft."  [frame 4 · test_causes.py:45 · recorded]',
        "      on_finished of claude #draft was called in frame 4  [frame 4 · test_causes.py:45 · recorded]",
        "        claude #draft succeeded  [frame 3 · test_causes.py:45:13 · recorded]",
        '          scripted answered in turn 1: "A draft."'
        "  [frame 3 · test_causes.py:45:13 · recorded · ask why of draft.prompt]",
    ]
    assert list(why.df.columns) == [
        "depth",
        "text",
        "frame",
        "phase",
        "node_id",
        "source",
        "table",
        "row_id",
        "execution_id",
        "evidence",
    ]
    assert why.df.table.tolist() == ["state", "transitions", "handlers", "tasks", "model_calls"]
    assert ex.df.why("draft").equals(why.df)
    ex.close()
    assert Store(ex.store.path).open("report").why("state:draft") == why


def test_hostile_text_is_inert_in_every_form(run_of: Any) -> None:
    text = HOSTILE.replace("\ud800", "")
    ex = run_of(Task(id="t", run=lambda: text, on_finished=lambda r, ctx: ctx.state.set(text, r.output)))
    ex.run_sync()
    for asked in ("t", f"state:{text}", "t.on_finished", None):
        why = ex.why(asked)
        html = why._repr_html_()
        assert "<img" not in html and "</script>" not in html and "\u202e" not in html
        assert "\u202e" not in why.text and "\x00" not in why.text
        assert len(why.text.splitlines()) == len(why.statements) + 1
        html.encode()


def test_what_is_not_there_is_refused_with_the_nearest_names(run_of: Any) -> None:
    ex = run_of(Report(), state={"topic": "x"})
    ex.run_sync()
    with pytest.raises(StoreError, match=r"nothing of the name 'drafd'\. Did you mean 'draft'"):
        ex.why("drafd")
    with pytest.raises(StoreError, match="no frame 99"):
        ex.why(99)
    with pytest.raises(TypeError, match="a node id"):
        ex.why(1.5)


class Planted(NamedTuple):
    """A planted cause."""

    app: Any
    asked: str | int | None
    first: str
    """A part of the first sentence."""
    root: tuple[str, str]
    """The table of a root's row, and a part of its sentence."""
    act: Callable[[Execution], object] = Execution.run_sync


@component
def Fed(ctx: Any) -> Any:
    return [Inner(name=ctx.state.get("topic")), Task(id="t", run=lambda: "sea level", on_finished=save("topic"))]


@component
def Inner(ctx: Any, name: Any = None) -> Any:
    return Phase(name=str(name), id="p")[str(name)]


@component
def Reads(ctx: Any) -> Any:
    return [Reader(), Task(id="t", run=lambda: 1, on_finished=save("other"))]


@component
def Reader(ctx: Any) -> Any:
    ctx.state.init("first", [1])
    return Phase(name="p")[str(ctx.state.get("first"))]


@component
def Writer(ctx: Any) -> Any:
    def run(ctx: Any) -> int:
        ctx.state.set("half", 1)
        return 2

    return Task(id="t", run=run)


@component
def Keyed(ctx: Any) -> Any:
    key = "a" if ctx.state.get("n") is None else "b"
    return [Task(key=key, run=int), Task(id="t", run=lambda: 1, on_finished=save("n")), _typed(ctx)]


def _typed(ctx: Any) -> Any:
    if ctx.state.get("n") is None:
        return Phase(name="d", id="d")
    return Step(name="d", id="d")


@component
def Stale(ctx: Any, left: Any) -> Any:
    """A task that ends after its node has left: a thread can't be cancelled."""
    gone = ctx.state.get("go") is not None
    return [
        Task(id="go", run=lambda: 1, on_finished=save("go")),
        None if gone else Task(id="slow", run=lambda: left.wait(60), on_finished=save("x")),
        None if gone else Effect(id="e", deps=[], run=print, cleanup=left.set),
        Task(id="other", run=lambda: time.sleep(0.5)) if gone else None,
    ]


@component
def Failing(ctx: Any) -> Any:
    return Task(id="bad", run=fails)


@component
def Waits(ctx: Any) -> Any:
    return Approval(id="ask", prompt="Fine?", on_finished=save("ok"))


@component
def Outer(ctx: Any) -> Any:
    return Smithers(id="child", component=Below, on_finished=save("child"))


@component
def Below(ctx: Any) -> Any:
    return [
        Task(id="inner", run=lambda: "deep", on_finished=save("inner")),
        ctx.state.get("inner") and End(message="done", value=5),
    ]


@component
def Answers(ctx: Any) -> Any:
    def look_up(word: str) -> str:
        """Look a word up."""
        return word * 2

    return Claude(id="c", model=scripted("said"), tools=[look_up], on_finished=save("c"))["Go."]


@component
def Wrapped(ctx: Any) -> Any:
    n = ctx.state.get("n")
    task = Task(run=str)
    return [Task(id="go", run=lambda: 1, on_finished=save("n")), Phase(name="wrap")[task] if n else task]


@component
def Placed(ctx: Any) -> Any:
    n = ctx.state.get("n")
    task = Task(run=str)
    return [Task(id="go", run=lambda: 1, on_finished=save("n")), [Phase(name="new"), task] if n else task]


WRAPPED = generated_id(Path("/Wrapped[0]/phase[0.1]/task[0]"))
PLACED = generated_id(Path("/Placed[0]/task[0.1.1]"))


@component
def Refused(ctx: Any) -> Any:
    refusal = ModelHTTPError(503, "m", "come back later", headers={"retry-after": "3600"})
    return Claude(id="c", model=scripted(refusal, "x"))["Go."]


@component
def Repeats(ctx: Any) -> Any:
    n = ctx.state.get("n", 0)
    return Effect(id="e", deps=[n], run=lambda: ctx.state.set("n", 1 - n))


@component
def Raises(ctx: Any) -> Any:
    if ctx.state.get("t") == 0:
        raise KeyError("oops")
    return Task(id="t", run=int, on_finished=save("t"))


@component
def Misspelt(ctx: Any) -> Any:
    return [
        Task(id="t", run=lambda: 1, on_finished=save("notes")),
        Claude(id="c", model=scripted("said"))["On ", str(ctx.state.get("note"))],
    ]


@component
def Asking(ctx: Any) -> Any:
    return Smithers(id="child", component=Waits)


def steps(number: int) -> Callable[[Execution], None]:
    def act(ex: Execution) -> None:
        for _ in range(number):
            ex.step_sync()

    return act


def answered(ex: Execution) -> None:
    ex.run_sync()
    ex.answer("ask", "approve", "looks right")
    ex.run_sync()


def by_hand(ex: Execution) -> None:
    ex.run_sync()
    ex.state.set("topic", "by a person")
    ex.run_sync()


def edited(ex: Execution) -> None:
    steps(2)(ex)
    ex.edit_pending(ex.pending[0].id, "edited")
    ex.run_sync()


def stopped(ex: Execution) -> None:
    steps(1)(ex)
    ex.stop()


def retried(ex: Execution) -> None:
    ex.run_sync()
    ex.retry("bad")
    ex.run_sync()


def swapped(ex: Execution) -> None:
    ex.run_sync()
    ex.swap(Phase(name="new", id="new"))
    ex.run_sync()


def handled(ex: Execution) -> None:
    ex.run_sync()
    ex.handle_again("t")
    ex.run_sync()


def phases(ex: Execution) -> None:
    while ex.frame is None or ex.frame.phase != "COMMIT":
        ex.step_phase_sync()


def terminated(ex: Execution) -> None:
    ex.step_sync()
    ex.terminate()


def raising(ex: Execution) -> None:
    with pytest.raises(SmithersError):
        ex.run_sync()


def broken(ex: Execution) -> None:
    ex.breakpoints.add(node="t", event="finished")
    ex.run_sync()


PLANTED: dict[str, Planted] = {
    "a value of a handler": Planted(Report, "state:notes", 'notes is "1. tides" since frame 3', ("model_calls", "1. tides")),
    "a value of the first state": Planted(Report, "topic", 'topic is "x" since frame 1', ("transitions", "given with the first state")),
    "a first value of a component": Planted(Reads, "first", "first is [1] since frame 2", ("frames", "component Reader was rendered in frame 1")),
    "a value that a person wrote": Planted(Fed, "topic", 'topic is "by a person"', ("transitions", "a person wrote topic")  , by_hand),
    "a value that a person edited": Planted(Fed, "topic", 'topic is "edited"', ("transitions", "a person edited a pending write of task #t"), edited),
    "a value of an effect": Planted(Effects, "n", "n is 3 since frame 4", ("frames", "first frame")),
    "a value of a running task": Planted(Writer, "half", "half is 1 since frame", ("frames", "first frame")),
    "a value of a person's answer": Planted(Waits, "ok", 'ok is "approve"', ("approvals", "a person answered approval #ask with approve, saying: looks right"), answered),
    "a value of a child": Planted(Outer, "state:child", "child is 5", ("tasks", 'its function returned "deep"')),
    "a prompt with a value in it": Planted(Report, "draft.prompt", "the prompt of claude #draft is Write it up: 1. tides", ("model_calls", "1. tides")),
    "a prompt of a key that nothing wrote": Planted(Misspelt, "c.prompt", "the prompt of claude #c is On None", ("state", "nothing had written it. Did you mean 'notes'?")),
    "a prop that is a value": Planted(Fed, "p.name", 'the name of phase #p is "sea level"', ("tasks", 'its function returned "sea level"')),
    "a prop of the code": Planted(Report, "draft.model", 'the model of claude #draft is "Scripted(…)"', ("frames", "the code of Report put it into the first frame")),
    "a node of the first frame": Planted(Report, "notes", "claude #notes is in the plan since frame 1", ("frames", "the code of Report")),
    "a node that a value brought": Planted(Unmounts, "c", "task #c is in the plan since frame", ("tasks", "its function returned 1")),
    "a node of another key": Planted(Keyed, KEYED_B, 'task "b" is in the plan since frame', ("tasks", "its function returned 1")),
    "a node of another type": Planted(Keyed, "d", "step #d is in the plan since frame", ("tasks", "its function returned 1")),
    "a node of a later iteration": Planted(Loops, "w", "task #w (2nd) is in the plan since frame 4", ("tasks", "its function returned 1")),
    "a node that left": Planted(Unmounts, "a", "task #a was in the plan from frame 1 to", ("tasks", "its function returned 1")),
    "a node of other code": Planted(Fed, "new", "phase #new is in the plan since frame", ("frames", "other code was swapped in"), swapped),
    "a task that a phase let start": Planted(Report, "draft@3", "claude #draft succeeded", ("model_calls", "1. tides")),
    "a task that failed": Planted(Handlers, "e", "task #e is in the plan", ("tasks", "its function raised ValueError: no luck")),
    "a task that was tried again": Planted(Retries, "a", "task #a is in the plan", ("tasks", "its function returned 1")),
    "a task that a person ran again": Planted(Failing, "bad", "task #bad is in the plan", ("tasks", "task #bad was run again by a person"), retried),
    "a handler call": Planted(Report, "draft.on_finished", "on_finished of claude #draft was called in frame 4", ("model_calls", "A draft.")),
    "a handler call that is stale": Planted(lambda: Stale(left=Event()), "slow.on_finished", "its node had left the plan", ("tasks", "its function returned true"), ran),
    "a handler that raised": Planted(Handlers, "a.on_finished", "and raised RuntimeError: in a handler", ("tasks", "its function returned 1")),
    "a write that was overridden": Planted(Handlers, "state:n", "n is 3", ("tasks", "its function")),
    "an effect run": Planted(Effects, "2e2", "effect #count ran in frame 2, because its deps changed", ("frames", "first frame")),
    "a frame of a write": Planted(Report, 3, "frame 3 was made, because of: state notes, notes@1 settled", ("model_calls", "1. tides")),
    "the first frame": Planted(Report, 1, "frame 1 was made, because of: start", ("executions", "was made by a person")),
    "a component that was not called": Planted(Reads, "Reader", ": first, the only key that it reads, had not changed", ("reads", "not called")),
    "a component that was called": Planted(Report, "Report", "Report was called in frame 3, because notes had changed", ("model_calls", "1. tides"), steps(3)),
    "an end without anything left": Planted(Report, None, 'is finished: nothing is left to do', ("model_calls", "A draft.")),
    "an End in the plan": Planted(Below, None, "is finished: done", ("tasks", 'its function returned "deep"')),
    "a Stop in the plan": Planted(Stops, None, "is stopped: enough", ("tasks", "its function returned 1")),
    "a failure": Planted(Failing, None, "is failed: bad failed and has no on_error", ("tasks", "no luck")),
    "a wait for a person": Planted(Waits, None, "is waiting: approval ask waits", ("frames", "first frame")),
    "a stop by hand": Planted(Waits, None, "is stopped: stopped by hand", ("executions", "a person did it"), stopped),
    "a breakpoint": Planted(Fed, None, "is paused: stopped", ("events", "a breakpoint was hit"), broken),
    "a node of another parent": Planted(Wrapped, WRAPPED, "task is in the plan since frame", ("tasks", "its function returned 1")),
    "a node of another place": Planted(Placed, PLACED, "task is in the plan since frame", ("tasks", "its function returned 1")),
    "a handler that a person had called again": Planted(Keyed, "t.on_finished", "on_finished of task #t was called in frame", ("tasks", "task #t was handled again by a person"), handled),
    "a frame that a person made due": Planted(Failing, 4, "frame 4 was made, because of: bad is run again by hand", ("frames", "a person asked for it"), retried),
    "a wait for a time": Planted(Refused, None, "is waiting: c waits until", ("frames", "first frame"), steps(2)),
    "a task that waits for a time": Planted(Refused, "c@1", "claude #c is blocked until", ("frames", "first frame"), steps(2)),
    "a wait inside of a child": Planted(Asking, None, "is waiting: approval ask waits", ("frames", "the code of Asking")),
    "a stall": Planted(Repeats, None, "is stalled: effect e keeps causing itself", ("events", "it keeps causing itself. It was not run")),
    "an end for good": Planted(Waits, None, "is terminated: terminated by hand", ("executions", "a person did it"), terminated),
    "a pause": Planted(Fed, None, 'execution "one" is paused', ("frames", "frame 1 is open: its last phase was COMMIT"), phases),
    "before the first frame": Planted(Fed, None, 'execution "one" is ready', ("executions", "no frame has been made yet"), steps(0)),
    "a frame that could not be made": Planted(Raises, None, "is paused: frame 3 could not be rendered", ("tasks", "its function returned 0"), raising),
    "a tool of an agent": Planted(Answers, "state:c", 'c is "said"', ("model_calls", "said")),
}  # fmt: skip


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_cause_is_the_root(name: str, run_of: Any) -> None:
    planted = PLANTED[name]
    ex = run_of(planted.app(), name="one", state={"topic": "x"} if planted.app is Report else None)
    planted.act(ex)
    found = ex.why(planted.asked)
    table, words = planted.root
    assert planted.first in found.statements[0].text, found.text
    assert any(one.table == table and words in one.text for one in found.roots), found.text
    assert all(one.evidence is not None for one in found.statements), found.text
    assert not any(re.search(r"\b[0-9a-f]{12}\b", one.text) for one in found.statements), "names, not hashes"
    ex.close()
    if ex.over:
        assert Store(ex.store.path).open("one").why(planted.asked) == found


@component
def Reworded(ctx: Any) -> Any:
    return [
        Claude(id="draft", model=scripted("A draft."), on_finished=lambda r: ctx.state.set("said", r.output))[
            "Write. You have said: ", ctx.state.get("said", "so far nothing at all")
        ],
        ctx.state.get("said") and Task(id="after", run=lambda: 1),
    ]


def test_a_prompt_is_the_one_that_was_sent_and_then_that_of_the_plan(run_of: Any) -> None:
    ex = run_of(Reworded(), name="reworded")
    ex.run_sync()
    sent, now = (one.text for one in ex.why("draft.prompt").statements if one.depth == 0)
    assert sent.startswith("the task of claude #draft began in frame 1 with the prompt Write. You have said: so far")
    assert now == "the prompt of claude #draft is Write. You have said: A draft. since frame 3"
    asked = [one.text for one in ex.why("draft.prompt", frame=3).statements if one.depth == 0]
    assert asked == [now, sent]
    (one,) = (one for one in ex.why("draft.prompt", frame=1).statements if one.depth == 0)
    assert one.text.startswith("the prompt of claude #draft is Write. You have said: so far nothing")
    assert "so far nothing at all" in ex.follow("draft.prompt").followed
    assert "A draft." in ex.follow("draft.prompt", frame=3).followed


def test_a_branch_is_followed_along_its_line_to_the_edit_of_the_fork(run_of: Any) -> None:
    ex = run_of(Report(), name="report", state={"topic": "x"})
    ex.run_sync()
    with ex.fork(2, state={"notes": "other notes"}) as branch:
        branch.run_sync()
        why = branch.why("draft.prompt")
        assert [one.text for one in why.roots] == ['the fork set notes to "other notes" after frame 2']
        assert why.roots[0].execution_id == branch.execution_id
        assert "the recorded answer" not in why.text
        assert branch.why("state:topic").roots[0].execution_id == ex.execution_id
    with ex.fork(0) as again:
        again.run_sync()
        assert "the recorded answer of its family was used" in again.why("state:notes").text


def test_a_task_in_a_child_execution_leads_out_to_its_parent(run_of: Any) -> None:
    ex = run_of(Outer(), name="one")
    ex.run_sync()
    why = ex.why("child/inner@1")
    assert "smithers #child started in frame 1" in why.text and len(set(why.df.execution_id)) == 2
    assert ex.why("inner").statements == ex.why("child/inner").statements


def test_a_chain_that_comes_round_is_folded(run_of: Any) -> None:
    @component
    def Counts(ctx: Any) -> Any:
        n = ctx.state.get("n", 0)
        return Effect(id="count", deps=[n], run=lambda: ctx.state.set("n", min(n + 1, 60)))

    ex = run_of(Counts())
    ex.run_sync()
    why = ex.why("n")
    assert "and so on, the same way each time before" in why.text and len(why.statements) < 30


WHAT_CHANGED = {
    KEYED_B: (Keyed, "its key was 'a' and is 'b'"),
    WRAPPED: (Wrapped, "its parent was /Wrapped[0] and is /Wrapped[0]/phase[0.1]"),
    PLACED: (Placed, "its place was task[0.1] and is task[0.1.1]"),
    "d": (Keyed, "d was a phase and is a step now"),
    "w": (Loops, "its loop continued"),
}


@pytest.mark.parametrize("id", WHAT_CHANGED)
def test_a_remount_says_what_made_it_another_node(id: str, run_of: Any) -> None:
    app, words = WHAT_CHANGED[id]
    ex = run_of(app())
    ex.run_sync()
    assert f"was mounted again in frame {ex.why(id).statements[0].frame}: {words}" in ex.why(id).text


def test_an_item_that_left_its_list_is_not_the_one_that_came(run_of: Any) -> None:
    @component
    def Items(ctx: Any) -> Any:
        keys = "ab" if ctx.state.get("n") is None else "bc"
        return [[Task(key=key, run=str) for key in keys], Task(id="t", run=int, on_finished=save("n"))]

    ex = run_of(Items())
    ex.run_sync()
    assert "mounted again" not in ex.why(generated_id(Path('/Items[0]/task["c"]'))).text


def test_an_answer_from_the_cache_says_so(run_of: Any) -> None:
    app = Claude(id="c", model=scripted("said"), cache=True, on_finished=save("c"))["Go."]
    for _ in range(2):
        ex = run_of(app)
        ex.run_sync()
    assert "the answer came from the cache" in ex.why("state:c").roots[0].text


def test_a_replayed_answer_says_so(run_of: Any) -> None:
    ex = run_of(Claude(id="c", model=scripted("said"), on_finished=save("c"))["Go."])
    ex.run_sync()
    again = ex.store.open(ex.replay().execution_id)
    assert "the recorded answer was replayed" in again.why("state:c").roots[0].text
    assert again.why(1).roots[0].text.endswith("was made, as a replay, by a person")


def test_a_resume_with_other_code_is_the_root_of_what_it_brought(run_of: Any, resumed: Any) -> None:
    @component
    def App(ctx: Any) -> Any:
        return Approval(id="ask", prompt="?")

    first = run_of(App)
    first.run_sync()
    first.close()

    @component  # type: ignore[no-redef]
    def App(ctx: Any) -> Any:
        return [Phase(id="new", name="new"), Approval(id="ask", prompt="?")]

    with pytest.warns(AppChangedWarning):
        ex = resumed(App)
    ex.run_sync()
    assert [one.text for one in ex.why("new").roots] == ["the execution was resumed with other code before frame 2"]


def test_a_changed_file_is_the_root_of_what_it_brought(run_of: Any, tmp_path: Any) -> None:
    file = tmp_path / "notes.txt"

    @component
    def Reads(ctx: Any) -> Any:
        text = ctx.fs.read(file)
        return ["long" in text and Phase(name="new", id="new")[text], Approval(id="ask", prompt="?")]

    file.write_text("short")
    ex = run_of(Reads)
    ex.run_sync()
    file.write_text("a long one")
    ex.run_sync()
    for asked in ("new", 2):
        assert [one.text for one in ex.why(asked).roots] == [f"file {file} changed before frame 2"]
    # Of a text, the file that it was made of, too.
    assert ex.why("new.text").roots[-1].text == f"Reads read the file {file} in frame 2"
    ex.state.set("other", 1)
    ex.run_sync()
    assert [one.text for one in ex.why("Reads").roots] == [f"Reads read the file {file} in frame 2"]
    reads = ex.df.events[ex.df.events.kind == "file_read"]
    assert reads.frame.tolist() == [1, 2], "an event for each content, and none for a frame that found it as before"
    assert f"Reads read the file {file} in frame 1" in ex.why_not("new", frame=1).text


WRONG = {
    "draft.promt": "draft is a claude, which has no prop 'promt'. Did you mean 'prompt'?",
    "draft.on_finish": "which has no prop 'on_finish'. Did you mean 'on_finished'?",
    "draft.on_error": "on_error of draft was not called up to frame 5: why_not('draft.on_error') tells why.",
    "state:draf": "draf has no value in frame 6: nothing had written it. Did you mean 'draft'?",
    "Repor": "nothing of the name 'Repor'. Did you mean 'Report'?",
    "2w9": "Frame 2 has the writes 2w2.",
    "9h1": "nothing of the name '9h1'. It has",
    "draft@9": "The tasks of draft are draft@3.",
    "child/x": "nothing of the name 'child/x'",
}


@pytest.mark.parametrize("asked", WRONG)
def test_a_wrong_target_names_the_nearest(asked: str, run_of: Any) -> None:
    ex = run_of(Report(), state={"topic": "x"})
    ex.run_sync()
    try:
        told = ex.why(asked).text
    except StoreError as error:
        told = str(error)
    assert WRONG[asked] in told, told


TARGETS = {
    "draft": "claude #draft is in the plan",
    "draft.model": "the model of claude #draft",
    "draft.prompt": "the prompt of claude #draft",
    "draft.text": "the text of claude #draft",
    "draft.retries": "the retries of claude #draft is at its default",
    "state:draft": 'draft is "A draft."',
    "topic": 'topic is "x"',
    "Report": "Report was",
    3: "frame 3 was made",
    "draft@3": "claude #draft succeeded",
    "2w2": "on_finished of claude #notes wrote notes",
    "2h1": "on_finished of claude #notes was called",
    "notes.on_finished": "on_finished of claude #notes was called",
    None: 'execution "one" is finished',
}


def test_every_form_of_a_target_is_understood(run_of: Any) -> None:
    ex = run_of(Report(), name="one", state={"topic": "x"})
    ex.run_sync()
    for asked, words in TARGETS.items():
        assert words in ex.why(asked).statements[0].text, asked


def test_a_bare_word_is_a_node_first_then_a_component_then_a_key(run_of: Any) -> None:
    @component
    def one(ctx: Any) -> Any:
        return Phase(id="two", name="p")[str(ctx.state.get("three"))]

    ex = run_of(one(), state={"one": 1, "two": 2, "three": 3})
    ex.run_sync()
    said = {word: ex.why(word).statements[0].text for word in ("one", "two", "three", "state:one", "state:two")}
    assert said == {
        "one": "one was called in frame 1: the first frame calls every component",
        "two": "phase #two is in the plan since frame 1",
        "three": "three is 3 since frame 1",
        "state:one": "one is 1 since frame 1",
        "state:two": "two is 2 since frame 1",
    }


def test_the_reason_of_a_frame_names_nodes_without_an_id(run_of: Any) -> None:
    ex = run_of(Task(key="a", run=int, on_finished=save("a")))
    ex.run_sync()
    told = " ".join(ex.why(number).statements[0].text for number in range(1, ex.recorded + 1))
    assert 'task "a" succeeded' in told and 'task "a" settled' in told
    assert not re.search(r"\b[0-9a-f]{12}\b", told)


def test_a_key_without_a_value_is_named_only_where_a_text_shows_that(run_of: Any) -> None:
    @component
    def Page(ctx: Any) -> Any:
        return Phase(id="p", name="page")["Notes: ", str(ctx.state.get("note"))]

    ex = run_of(Page)
    ex.run_sync()
    assert "note has no value" in ex.why("p.text").text
    assert "note" not in ex.why("p.name").text
