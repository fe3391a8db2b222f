"""What the stepper's panes show, from the execution alone."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from smithers_nb import (
    Approval,
    Claude,
    Each,
    Effect,
    End,
    Execution,
    Phase,
    Ralph,
    Stop,
    Task,
    component,
    scripted,
)
from smithers_nb.errors import ComponentError, StoreError
from smithers_nb.execution import run_behind
from smithers_nb.history import matching
from smithers_nb.history.panes import protocol as p
from smithers_nb.history.panes.view import View
from smithers_nb.notebook import messages as m
from smithers_nb.notebook.static_view import as_html, as_text
from smithers_nb.notebook.view_of import view_of


@pytest.fixture(autouse=True)
def machine_is_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow phase is a hint in Problems, and a busy machine has some."""
    monkeypatch.setattr("smithers_nb.engine.draft.SLOW_MS", float("inf"))


@pytest.fixture
def view(tmp_path: Path):
    made: list[Execution] = []

    def make(app: object) -> View:
        ex = Execution(app, store=tmp_path / "t.db")
        made.append(ex)
        shown = view_of(ex)
        shown.ex = ex
        return shown

    yield make
    for ex in made:
        ex.close()


def ask(view: View, pane: str, **options: Any) -> Any:
    return view.pane(m.incoming.validate_python({"type": "get", "id": "r1", "pane": pane, **options}))


def rows(view: View, **options: Any) -> list[tuple[int, str, str, str]]:
    nodes = ask(view, "plan", **options)["nodes"]
    return [(n["depth"], n["type"], n["text"] or n["attrs"][0][1], n["change"]) for n in nodes]


def test_a_node_that_a_loop_mounts_anew_is_shown_once_with_its_old_text_removed(view):
    critic = scripted("no", "yes")

    @component
    def Essay(ctx):
        n = ctx.iteration("polish")
        said = ctx.state.get("said")
        return Ralph(id="polish", until=said == "yes")[
            Claude(id="critic", model=critic, on_finished=lambda r: ctx.state.set("said", r.output))[f"Round {n}?"]
        ]

    shown = view(Essay)
    shown.ex.run_sync(until=lambda frame: "critic" in frame.mounted and frame.number > 1)
    assert rows(shown) == [
        (0, "ralph", "polish", "changed"),
        (1, "claude", "critic", "remounted"),
        (2, "text", "Round 1?", "removed"),
        (2, "text", "Round 2?", "added"),
    ]


def test_removed_nodes_stand_where_they_were(view):
    @component
    def App(ctx):
        gone = ctx.state.get("gone", False)
        return [Phase(key=key, name=key) for key in "abc" if not (gone and key == "b")]

    shown = view(App)
    shown.ex.step_sync()
    shown.ex.state.set("gone", True)
    shown.ex.step_sync()
    assert [(key, change) for _, _, key, change in rows(shown)] == [("a", ""), ("b", "removed"), ("c", "")]


def test_the_sentence_says_what_is_waited_for_and_how_to_answer(view):
    shown = view(Approval(id="ok", prompt="go?"))
    shown.ex.run_sync()
    assert shown.sentence() == "Waiting for a person: ok. Answer with the buttons."


def test_the_sentence_tells_the_next_step_at_every_rest(view):
    shown = view(component(lambda ctx: Task(id="t", run=lambda: 1, on_finished=lambda r: ctx.state.set("n", r.output))))
    said = [shown.sentence()]
    while not shown.ex.over:
        shown.ex.step_sync()
        said.append(shown.sentence())
    assert said[0] == "No frames yet. Step renders frame 1; until then nothing is executed."
    assert said[2] == (
        "Frame 2 is at rest: t succeeded, 1 handler fired, 1 write is pending. Step applies n = 1, and renders frame 3."
    )
    assert said[-2] == "Frame 3 is at rest: nothing is pending. Step closes the frame: nothing is left to do."
    assert said[-1] == "Frame 3 was the last: the execution is finished (nothing is left to do)."


def test_what_lint_finds_is_shown_when_it_is_over(view):
    def app(ctx):
        return ctx.state.get("ntoes") and None, Task(id="t", run=lambda: 1, on_progress=print, on_finished=save)

    def save(result, ctx):
        ctx.state.set("notes", result.output)

    shown = view(component(app))
    shown.ex.run_sync()
    summary = shown.summary(1, None, None)
    expected = [("KeyNeverWritten", "error"), ("HandlerNeverFired", "hint")]
    assert [(problem["kind"], problem["severity"]) for problem in summary["problems"]] == expected
    assert summary["counts"]["problems"] == 1
    assert [(found["kind"], found["severity"]) for found in ask(shown, "problems")["problems"]] == expected


def test_lint_is_silent_about_a_workflow_that_does_what_it_says(view):
    def save(result, ctx):
        ctx.state.set("report", result.output)

    shown = view(component(lambda ctx: Task(id="t", run=lambda: 1, on_finished=save, on_error=print)))
    shown.ex.run_sync()
    assert shown.summary(1, None, None)["problems"] == []


def test_the_sentence_foretells_what_an_ending_cuts_short(view):
    @component
    def App(ctx):
        return [
            Task(id="t", run=lambda: 1, on_finished=lambda r: ctx.state.set("n", r.output)),
            Phase(name="check")[ctx.state.get("n") and [Approval(id="ok", prompt="Fine?"), End()]],
            Effect(id="e", deps=[ctx.state.get("n")], run=lambda: ctx.state.set("seen", True)),
        ]

    shown = view(App)
    said = []
    while not shown.ex.over:
        shown.ex.step_phase_sync()
        said.append(shown.sentence())
    foretold = "The End ends the execution after this frame: approval #ok is never asked."
    last = shown.ex.recorded
    assert [line for line in said if "The End" in line] == [
        f"COMMIT of frame {last} is done: 0 tasks to start. Next is EXECUTE. {foretold}",
        f"EXECUTE of frame {last} is done: 0 handlers fired. Next is EFFECTS. {foretold}",
        f"Frame {last} is at rest: 2 nodes mounted, 1 updated, 1 write is pending. Step applies seen = true, and closes it. {foretold}",
    ]


def test_the_sentence_foretells_what_an_ending_cancels(view):
    @component
    def App(ctx):
        asked = [Approval(id=f"ok{n}", prompt="?") for n in range(4)]
        return [*asked, ctx.state.get("end") and Stop(id="enough")]

    shown = view(App)
    shown.ex.step_sync()
    shown.ex.state.set("end", True)
    shown.ex.step_sync()
    assert shown.sentence().endswith(
        "Step closes it. The Stop enough ends the execution after this frame: approval #ok0 is not waited for, "
        "approval #ok1 is not waited for, approval #ok2 is not waited for and 1 more."
    )


def test_a_frame_that_a_person_does_not_hold_up_is_not_waiting_for_one(view):
    """At each phase the sentence said that a person is waited for, although a step applies writes."""

    @component
    def App(ctx):
        return [Approval(id="ok", prompt="?"), Effect(id="e", run=lambda: ctx.state.set("n", 1))]

    shown = view(App)
    said = []
    for _ in range(8):
        shown.ex.step_phase_sync()
        said.append((shown.ex.status, shown.sentence()))
    assert {status for status, _ in said} == {"paused"}
    assert said[5][1] == (
        "Frame 1 is at rest: ok asked, 2 nodes mounted, 1 write is pending. Step applies n = 1, and renders frame 2."
    )
    shown.ex.run_sync()
    assert shown.ex.status == "waiting"


# ---- the cursor ------------------------------------------------------------------------------------------------


@component
def Story(ctx):
    """A write that loses, a handler that raises, and one that is never called."""
    n = ctx.state.get("n", 0)
    print("n is", n)
    return Phase(name="all")[
        Task(key=f"t{n}", run=lambda: n, on_finished=lambda r: both(ctx, n)) if n < 3 else None,
        Task(id="bad", run=lambda: 1, on_finished=lambda r: raises(ctx), on_error=print),
    ]


def both(ctx, n):
    ctx.state.set("n", 99)
    ctx.state.set("n", n + 1)
    ctx.state.set("same", 1)


def raises(ctx):
    ctx.state.set("lost", True)
    raise RuntimeError("no")


def contents(ex: Execution) -> dict[str, Any]:
    names = ("frames", "nodes", "state", "transitions", "handlers", "tasks", "events", "breakpoints")
    return {name: getattr(ex.df, name).to_csv() for name in names}


OF = {
    "task": "bad@1",
    "node": "bad",
    "value": '["cell","state","n"]',
    "search": "a",
    "last_change": "n",
    "needs": "bad",
}


def test_looking_at_every_pane_at_every_phase_of_every_frame_executes_and_changes_nothing(view):
    shown = view(Story)
    ex = shown.ex
    ex.breakpoints.add(key="n", log=True)
    ex.run_sync()
    rendered, before = run_behind(ex).draft, contents(ex)
    for frame in range(1, ex.recorded + 1):
        for phase in (None, "SNAPSHOT", "RENDER", "RECONCILE", "COMMIT", "EXECUTE", "EFFECTS", "FLUSH"):
            for pane in p.PANES:
                if pane == "node" and (frame, phase) == (1, "SNAPSHOT"):
                    continue  # There is no node yet.
                data = ask(shown, pane, at=frame, phase=phase, of=OF.get(pane))
                TypeAdapter(p.PANES[pane]).validate_python(json.loads(json.dumps(data)))
    assert (run_behind(ex).draft is rendered, contents(ex)) == (True, before)


def test_a_recorded_frame_is_shown_at_each_phase_as_it_was_when_it_was_stepped(view):
    shown = view(Story)
    seen = []
    while not shown.ex.over:
        shown.ex.step_phase_sync()
        draft = run_behind(shown.ex).draft
        seen.append((draft.number, str(draft.phase), look(shown, None, None)))
    for number, phase, live in seen:
        assert look(shown, number, phase) == live, (number, phase)


def _stood(shown, at=None):
    source = shown.source()
    return dict(source.stood(source.cursor(at)))


def test_how_nodes_stood_before_is_remembered_as_it_is_recorded(view):
    @component
    def Work(ctx):
        n = ctx.state.get("n", 0)
        return [
            Phase(name="draft")[Task(id="first", run=lambda: 1, on_finished=lambda r: ctx.state.set("n", 1))],
            Phase(name="check")[Task(id="second", run=lambda: 1, on_finished=lambda r: ctx.state.set("n", 2))],
            Phase(name="once") if n == 1 else None,
        ]

    shown = view(Work)
    seen = []
    while not shown.ex.over:
        shown.ex.step_sync()
        seen.append((run_behind(shown.ex).draft.number, _stood(shown)))
    told = [(number, _stood(shown, number)) for number, _ in seen[:-1]]
    assert told == seen[:-1]
    assert {status for _, standing in seen for status in standing.values()} >= {"pending", "running", "succeeded"}


def look(view: View, at: int | None, phase: str | None) -> dict[str, Any]:
    """What does not depend on when a task ended."""
    pending = ask(view, "pending", at=at, phase=phase)
    return {
        "rows": rows(view, at=at, phase=phase),
        "xml": ask(view, "xml", at=at, phase=phase)["text"],
        "pending": [(w["id"], w["key"], w["status"], w["new"] and w["new"]["text"]) for w in pending["writes"]],
        "handlers": [(c["id"], c["seq"], c["status"]) for c in ask(view, "handlers", at=at, phase=phase)["calls"]],
        "state": {e["key"]: e["value"]["text"] for e in ask(view, "state", at=at, phase=phase)["entries"]},
        "phases": [c["name"] for c in ask(view, "frame", at=at, phase=phase)["phases"] if c["state"] == "done"],
    }


def test_the_sentence_of_a_recorded_frame_says_that_nothing_executes(view):
    shown = view(Story)
    shown.ex.run_sync()
    said = ask(shown, "frame", at=2)["sentence"]
    assert said.startswith(f"You are at frame 2 of {shown.ex.recorded} (recorded). Nothing executes here. At rest:")
    assert said.endswith(f"Live: frame {shown.ex.recorded}, finished.")
    with pytest.raises(StoreError, match="there is no frame 99"):
        ask(shown, "plan", at=99)


def test_any_recorded_frame_is_a_baseline(view):
    shown = view(component(lambda ctx: [Phase(key=k, name=k) for k in ctx.state.get("keys", "ab")]))
    for keys in ("abc", "bc"):
        shown.ex.step_sync()
        shown.ex.state.set("keys", keys)
    shown.ex.run_sync()
    marks = {base: [(k, c) for _, _, k, c in rows(shown, at=3, base=base)] for base in (None, 1, 3, 0)}
    assert marks == {
        None: [("a", "removed"), ("b", ""), ("c", "")],
        1: [("a", "removed"), ("b", ""), ("c", "added")],
        3: [("b", ""), ("c", "")],
        0: [("b", ""), ("c", "")],
    }
    assert ask(shown, "plan", base=1)["base"] == 1


def test_only_rows_that_differ_from_those_the_browser_has_are_sent(view):
    @component
    def App(ctx):
        n = ctx.state.get("n", 0)
        return [Phase(key=str(i), name=str(n) if i == 300 else "x") for i in range(1000)]

    shown = view(App)
    shown.ex.step_sync()
    shown.ex.state.set("n", 1)
    first = ask(shown, "plan")
    assert (len(first["nodes"]), first["total"]) == (500, 1000)
    more = ask(shown, "plan", limit=600, known=first["version"])
    assert more["nodes"][0] == (0, 500)
    assert len(more["nodes"]) == 1 + 100
    shown.ex.step_sync()
    after = ask(shown, "plan", limit=600, known=more["version"])
    changed = [row for row in after["nodes"] if not isinstance(row, tuple)]
    # In frame 1 all were added; that mark is gone in frame 2.
    assert len(changed) == 600
    shown.ex.state.set("n", 2)
    shown.ex.step_sync()
    last = ask(shown, "plan", limit=600, known=after["version"])
    (row,) = [row for row in last["nodes"] if not isinstance(row, tuple)]
    assert (row["key"], row["changes"]) == ("300", [{"prop": "name", "old": "1", "new": "2"}])
    assert [row for row in last["nodes"] if isinstance(row, tuple)] == [(0, 300), (301, 299)]
    assert len(json.dumps(last)) < 2_000
    assert len(json.dumps(shown.summary(1, None, None))) < 8_000


def test_a_node_whose_key_changed_is_another_one_and_the_reason_is_told(view):
    @component
    def App(ctx):
        return Each(items=[ctx.state.get("who", "ann")], key=str, render=lambda who: Task(run=lambda: 1))

    shown = view(App)
    shown.ex.step_sync()
    shown.ex.state.set("who", "bob")
    shown.ex.step_sync()
    old, new = [node for node in ask(shown, "plan")["nodes"] if node["type"] == "task"]
    assert (old["change"], new["change"], old["why"] == new["why"]) == ("removed", "remounted", True)
    assert "its key was 'ann' and is 'bob': that is another node" in new["why"]


def test_the_marks_of_the_xml_stand_on_the_lines_of_their_nodes(view):
    @component
    def App(ctx):
        n = ctx.state.get("n", 0)
        return [
            Phase(name="a")[Task(key="x", run=print), Claude(id="c", model=scripted(""))["line\n", str(n), "\nline"]],
            Phase(name="b")[n and Task(key="y", run=print)],
        ]

    shown = view(App)
    shown.ex.step_sync()
    shown.ex.state.set("n", 1)
    shown.ex.step_sync()
    xml = ask(shown, "xml")
    lines = xml["text"].split("\n")
    marked = {lines[line].strip()[:24]: change for line, change, _ in xml["marks"]}
    assert list(marked.values()) == ["changed", "added"]
    line = next(line for line, change, _ in xml["marks"] if change == "added")
    assert 'key="y"' in lines[line]


# ---- writes, state, causes -------------------------------------------------------------------------------------


def test_a_conflict_shows_the_loser_and_a_noop_is_foreseen(view):
    shown = view(Story)
    shown.ex.run_sync(until="n")
    shown.ex.step_sync()
    # The handler that raises may be called a frame earlier or later: its writes don't count.
    while all(write.node_id == "bad" for write in shown.ex.pending):
        shown.ex.step_sync()
    pane = ask(shown, "pending")
    writes, names = pane["writes"], pane["names"]
    lost, won, same = [w for w in writes if w["node_id"] != "bad"]
    assert (lost["status"], lost["conflict"]) == (
        "queued",
        f"overridden by {won['id']} (on_finished of {names[won['node_id']]})",
    )
    assert won["conflict"].startswith(f"overrides {lost['id']}")
    assert (same["key"], same["noop"], won["noop"]) == ("same", True, False)
    assert [reader["component"] for reader in won["readers"]] == ["Story"]
    frame = shown.ex.frame.number
    shown.ex.run_sync()
    statuses = [(w["status"], w["outcome"]) for w in ask(shown, "pending", at=frame)["writes"] if w["node_id"] != "bad"]
    assert statuses == [("queued", "overridden"), ("queued", "applied"), ("queued", "noop")]


def test_the_last_change_of_a_key_repeats_further_back(view):
    shown = view(Story)
    shown.ex.run_sync()
    news, before = [], None
    while (found := ask(shown, "last_change", of="n", before=before))["found"]:
        news.append(found["found"]["new"]["text"])
        before = found["before"]
    assert news == ["3", "2", "1"]
    # The two tasks end in one frame or in two.
    first = shown.ex.df.transitions.query("key == 'n'").frame.min()
    assert found["text"] == f"nothing wrote n before frame {first}."


def test_the_state_tells_writer_readers_and_history(view):
    shown = view(Story)
    shown.ex.run_sync()
    entry = next(entry for entry in ask(shown, "state")["entries"] if entry["key"] == "n")
    assert entry["writer"].startswith("on_finished of ")
    assert (entry["value"]["text"], entry["old"]["text"]) == ("3", "2")
    assert [version["value"] for version in entry["history"]] == ["3", "2", "1"]
    assert [reader["component"] for reader in entry["readers"]] == ["Story"]


def test_handlers_that_never_fired_are_listed_with_the_reason(view):
    shown = view(Story)
    shown.ex.step_sync()
    assert {(n["node_id"], n["event"]): n["why"] for n in ask(shown, "handlers")["never"]}["bad", "on_error"]
    shown.ex.run_sync()
    handlers = ask(shown, "handlers")
    assert [(n["event"], n["why"]) for n in handlers["never"]] == [
        ("on_error", "its task succeeded, so there was no error.")
    ]
    raised = next(call for call in handlers["calls"] if call["status"] == "raised")
    assert (raised["node_id"], raised["trigger"], raised["writes"]) == ("bad", "bad succeeded", 1)


def test_what_user_code_prints_is_shown_by_frame_phase_and_place_and_is_still_printed(view, capsys):
    @component
    def App(ctx):
        print("render")
        return [
            Task(id="thread", run=lambda: print("thread"), on_finished=lambda r: print("handler")),
            Task(id="loop", run=on_loop),
            Effect(id="e", deps=[], run=lambda: ctx.state.update("n", lambda n: print("update"))),
        ]

    async def on_loop():
        print("loop", file=sys.stderr)

    shown = view(App)
    capsys.readouterr()
    shown.ex.run_sync()
    said = capsys.readouterr()
    assert set(said.out.split()) == {"handler", "render", "thread", "update"}
    assert said.err == "loop\n"
    entries = ask(shown, "output")["entries"]
    found = {
        (e["text"].strip(), e["phase"], e["node_id"], e["where"], e["stream"]) for e in entries if e["text"].strip()
    }
    assert {
        ("render", "RENDER", None, "App", "stdout"),
        ("thread", None, "thread", "task thread", "stdout"),
        ("loop", None, "loop", "task loop", "stderr"),
        ("handler", "EXECUTE", "thread", "on_finished of thread", "stdout"),
        ("update", "FLUSH", None, "an update", "stdout"),
    } <= found
    assert sys.stdout.__class__.__name__ != "Ear"


def test_what_is_printed_outside_of_user_code_is_not_kept(view, gate):
    held = gate()
    shown = view(Task(id="t", run=held.passed))
    shown.ex.step_sync()
    held.reached()
    print("a cell's own")
    held.open()
    shown.ex.run_sync()
    assert ask(shown, "output")["entries"] == []


def test_problems_of_earlier_frames_and_of_one_that_could_not_be_made_stay(view):
    @component
    def App(ctx):
        n = ctx.state.get("n", 0)
        if n == 2:
            raise ValueError("two")
        return Task(key=str(n), run=lambda: 1, on_finished=lambda r: raises(ctx) if n else ctx.state.set("n", 1))

    shown = view(App)
    shown.ex.run_sync()
    shown.ex.state.set("n", 2)
    with pytest.raises(ComponentError):
        shown.ex.run_sync()
    problems = ask(shown, "problems")["problems"]
    assert [(p["kind"], p["phase"]) for p in problems][:2] == [
        ("ComponentError", "RENDER"),
        ("HandlerError", "EXECUTE"),
    ]
    assert all(p["source"] and p["frame"] for p in problems[:2])
    assert ask(shown, "problems", at=1)["problems"] == []


def test_reverse_continue_finds_recorded_hits_and_what_present_breakpoints_would_have_hit(view):
    shown = view(Story)
    ex = shown.ex
    ex.run_sync()
    ex.breakpoints.add(key="n", equals=2)
    ex.breakpoints.add(handler="bad")
    ex.breakpoints.add(when="state.n == 1")
    ex.breakpoints.add(node="bad", event="mount")
    found, texts = ask(shown, "hit"), []
    while found["found"]:
        texts.append(found["text"])
        found = ask(shown, "hit", before=found["before"])
    assert sorted(texts) == sorted(
        ["n changed 1 → 2", "on_finished of bad raised", "state.n == 1 is true", "task bad was mounted"]
    )
    forward = ask(shown, "hit", at=1, phase="SNAPSHOT", direction="forward")
    assert forward["text"] == "task bad was mounted"


def broken_once(ctx):
    if not ctx.state.get("mended"):
        raise ValueError("no luck")


@component
def Retried(ctx):
    return [
        Phase(id="first", name="first")[Task(id="t", run=broken_once)],
        Phase(id="then", name="then")[Task(id="u", run=lambda: 1, on_finished=lambda r: ctx.state.set("u", 1))],
        Ralph(id="loop", until=ctx.iteration("loop") == 2)[Task(id="again", run=lambda: 1)],
    ]


@pytest.mark.parametrize("event", ["mount", "start", "finished", "error", "unmount"])
@pytest.mark.parametrize("node", ["t", "first", "u", "then", "again"])
def test_what_a_breakpoint_on_a_node_hits_in_the_records_is_what_it_hits_live(view, node, event):
    shown = view(Retried)
    ex = shown.ex
    point = ex.breakpoints.add(node=node, event=event, log=True)
    ex.run_sync()
    ex.state.set("mended", True)
    ex.retry("t")
    ex.run_sync()
    live = [(hit["frame"], hit["phase"], hit["text"].partition(":")[0]) for hit in ask(shown, "breakpoints")["hits"]]
    found = [(hit.frame, hit.phase, hit.text) for hit in matching.evaluated(shown.source(), point, ex.recorded)]
    assert found == live[::-1]


# ---- values, sizes ---------------------------------------------------------------------------------------------


def test_a_value_of_5_mb_is_cut_and_comes_page_by_page_when_asked_for(view):
    big = "<b>" * 1_700_000
    shown = view(
        component(lambda ctx: Task(id="t", run=lambda: big, on_finished=lambda r: ctx.state.set("big", r.output)))
    )
    shown.ex.run_sync()
    sent = {
        pane: ask(shown, pane, of={"task": "t@1", "node": "t"}.get(pane))
        for pane in ("pending", "state", "task", "plan", "tasks", "node")
    }
    sent["recorded"] = ask(shown, "pending", at=2, phase="FLUSH")
    assert all(len(json.dumps(data)) < 12_000 for data in sent.values())
    value = sent["state"]["entries"][0]["value"]
    assert (value["cut"], value["chars"]) == (True, len(big) + 2)
    for ref in (value["ref"], sent["task"]["result"]["ref"], sent["recorded"]["writes"][0]["new"]["ref"]):
        text, page = "", {"cut": True}
        while page["cut"]:
            page = ask(shown, "value", of=ref, since=len(text) + 1)
            assert len(page["text"]) <= 262_144
            text += page["text"]
        assert json.loads(text) == big


def test_a_value_that_is_gone_says_so(view):
    shown = view(Story)
    with pytest.raises(StoreError, match="not there any more"):
        ask(shown, "value", of='["write", "9w9", "new"]')
    with pytest.raises(StoreError, match="not there any more"):
        ask(shown, "value", of='["sqlite_master", "sql"]')


def test_after_a_swap_the_new_plan_is_shown_dry_with_its_marks(view):
    shown = view(component(lambda ctx: Phase(name="old")))
    shown.ex.step_sync()
    shown.ex.swap(component(lambda ctx: Phase(name="new")))
    plan = ask(shown, "plan")
    assert (plan["dry"], plan["nodes"][0]["changes"]) == (True, [{"prop": "name", "old": "old", "new": "new"}])
    assert shown.sentence().startswith("New code is in place: this is its plan, rendered dry.")
    shown.ex.step_sync()
    assert not ask(shown, "plan")["dry"]


def test_versions_grow_only_for_panes_that_changed(view):
    shown = view(Phase(name="quiet"))
    shown.ex.step_sync()
    one = shown.summary(1, None, None)["versions"]
    assert shown.summary(2, None, None)["versions"] == one
    shown.ex.breakpoints.add(phase="FLUSH")
    two = shown.summary(3, None, None)["versions"]
    assert {pane for pane in two if two[pane] != one[pane]} == {"breakpoints", "plan"}


HOSTILE = '<img src=x onerror=alert(1)></script><b>&"\x00{{7*7}}'


def test_hostile_text_is_data_everywhere_and_static_html_stays_inert_and_bounded(view):
    shown = view(
        component(
            lambda ctx: Phase(name=HOSTILE)[
                Task(key=HOSTILE, run=lambda: print(HOSTILE) or HOSTILE, on_finished=lambda r: hostile(ctx, r))
            ]
        )
    )
    shown.ex.run_sync(until=lambda frame: bool(frame.handlers))
    html, text = as_html(shown), as_text(shown)
    assert "<img" not in html
    assert "<b>&" not in html
    assert "</script" not in html
    assert "\x00" not in html + text
    assert len(html) < 20_000
    for pane in p.PANES:
        if pane not in ("task", "node", "value"):
            json.dumps(ask(shown, pane, of=HOSTILE))


def test_static_pages_tell_what_went_wrong_in_any_frame(view):
    @component
    def Fails(ctx):
        return [
            Task(id="a", run=lambda: 1, on_finished=lambda r: 1 / 0),
            Task(id="b", run=lambda: 2, on_finished=lambda r: ctx.state.set("b", r.output)),
        ]

    shown = view(Fails)
    shown.ex.run_sync()
    (frame,) = shown.ex.df.handlers.query("node_id == 'a'").frame
    problem = "problem: HandlerError: on_finished of a raised ZeroDivisionError"
    assert as_text(shown).count(problem) == 1 and f"(frame {frame})" in as_text(shown)
    assert "<li>HandlerError: on_finished of a raised ZeroDivisionError" in as_html(shown)
    assert "KeyNeverRead" not in as_text(shown), "a hint is no problem"


def hostile(ctx, result):
    ctx.state.set(HOSTILE, result.output * 1000)
    raise ValueError(HOSTILE)
