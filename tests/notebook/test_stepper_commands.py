"""What the browser's messages do, and what comes back: the stepper without a page."""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from smithers_nb import Approval, Claude, Execution, Phase, Step, Stepper, Task, call_tool, component, scripted
from smithers_nb.agents import pydantic_ai
from smithers_nb.bridge import engine
from smithers_nb.execution import run_behind
from smithers_nb.history.panes.view import limits
from smithers_nb.notebook import stepper
from smithers_nb.notebook.static_view import as_html, as_text
from tests.notebook.kernel import run_cells


class Browser:
    """Sends as the page does, and keeps what the kernel sends."""

    def __init__(self, ex: Execution) -> None:
        self.stepper = Stepper(ex)
        self.sent: list[dict[str, Any]] = []
        self.summaries: list[dict[str, Any]] = []
        self._came = threading.Condition()
        self.stepper.send = self._take  # type: ignore[method-assign]  # the page's end of the comm
        self.stepper.observe(lambda change: self.summaries.append(change["new"]), "summary")
        self._ids = 0

    def _take(self, message: dict[str, Any], *_: object) -> None:
        with self._came:
            self.sent.append(message)
            self._came.notify_all()

    def post(self, **message: Any) -> str:
        self._ids += 1
        message = {"id": f"c{self._ids}", "type": "command", **message}
        self.stepper._received(self.stepper, message, None)
        return str(message["id"])

    def answer(self, kind: str, id: str) -> dict[str, Any]:
        def found() -> dict[str, Any] | None:
            return next((m for m in self.sent if (m["type"], m["id"]) == (kind, id)), None)

        with self._came:
            assert self._came.wait_for(lambda: found() is not None, 10), f"no {kind} of {id} came: {self.sent}"
            return found() or {}

    def do(self, name: str, **options: Any) -> dict[str, Any]:
        return self.answer("done", self.post(name=name, **options))

    def get(self, pane: str, **options: Any) -> Any:
        reply = self.answer("reply", self.post(type="get", pane=pane, **options))
        return reply["data"] if reply["error"] is None else reply["error"]


@pytest.fixture
def browse(tmp_path: Path):
    made: list[Execution] = []

    def open_(app: object, **options: Any) -> tuple[Execution, Browser]:
        made.append(Execution(app, store=tmp_path / "t.db", **options))
        return made[-1], Browser(made[-1])

    yield open_
    for ex in made:
        ex.close()


@component
def Counter(ctx):
    n = ctx.state.get("n", 0)
    return Task(key=f"t{n}", run=lambda: n, on_finished=lambda r: ctx.state.set("n", n + 1)) if n < 3 else None


def test_a_breakpoint_that_is_set_in_the_widget_is_the_one_of_python_and_ends_continue(browse):
    ex, page = browse(Counter)
    id = page.do("break_add", kind="key", target="n", event="equals", value="2")["result"]
    assert [point.id for point in ex.breakpoints] == [id]
    assert page.do("continue")["ok"]
    assert (ex.state["n"], ex.reason) == (2, "stopped: n changed 1 → 2")
    summary = page.stepper._summary()
    assert summary["hit"]["text"] == "n changed 1 → 2"
    assert summary["sentence"].startswith("Stopped: n changed 1 → 2. ")
    page.do("break_change", breakpoint=id, enabled=False)
    assert not ex.breakpoints.list()[0].enabled
    page.do("break_remove", breakpoint=id)
    assert page.get("breakpoints")["breakpoints"] == []
    assert page.do("continue")["ok"]
    assert ex.status == "finished"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ({"name": "break_check", "when": "state.n >"}, "is no Python expression"),
        ({"name": "break_add", "kind": "expression", "when": "ctx.stop()"}, "can't be called"),
        ({"name": "break_add", "kind": "phase", "target": "LUNCH"}, "no phase 'LUNCH'"),
        ({"name": "break_remove", "breakpoint": "b9"}, "no breakpoint 'b9'"),
        ({"name": "edit_pending", "write": "9w9", "value": "1"}, "no write '9w9' is pending"),
        ({"name": "edit_pending", "write": "9w9", "value": "one"}, "is no JSON"),
        ({"name": "drop_pending", "write": "9w9"}, "no write '9w9' is pending"),
        ({"name": "cancel", "node": "x"}, "the plan has no node 'x'"),
        ({"name": "retry", "node": "x"}, "the plan has no node 'x'"),
        ({"name": "handle_again", "node": "x"}, "the plan has no node 'x'"),
        ({"name": "answer", "approval": "x", "choice": "approve"}, "no approval 'x'"),
    ],
)
def test_a_command_that_can_not_be_done_says_why_in_its_own_answer(browse, command, words):
    ex, page = browse(Counter)
    done = page.do(**command)
    assert page.answer("ack", done["id"])["accepted"]
    assert not done["ok"]
    assert words in done["error"]
    assert len(done["error"].splitlines()) == 1, "it stands beside the field"
    assert page.stepper._summary()["error"] is None
    assert (len(ex.breakpoints), ex.recorded) == (0, 0)


def test_pending_writes_are_edited_and_dropped_as_the_operators_and_recorded(browse):
    ex, page = browse(
        component(
            lambda ctx: Task(id="t", run=lambda: 1, on_finished=lambda r: [ctx.state.set(k, 1) for k in ("a", "b")])
        )
    )
    while not ex.pending:
        page.do("step_frame")
    pane = page.get("pending")
    assert pane["editable"]
    one, other = pane["writes"]
    assert page.do("edit_pending", write=one["id"], value='{"x": [1]}')["ok"]
    assert page.do("drop_pending", write=other["id"])["ok"]
    shown = page.get("pending")["writes"]
    assert [(w["status"], w["origin"], bool(w["edited"])) for w in shown] == [("edited", "operator", True), ("dropped", "operator", True)]  # fmt: skip
    page.do("until_idle")
    assert dict(ex.state) == {"a": {"x": [1]}}
    assert list(ex.df.events["kind"]) == ["edit_pending", "drop_pending"]


@component
def Flood(ctx):
    n = ctx.state.get("n", 0)
    ctx.use_effect("flood", [n], lambda: ctx.state.set("n", n + 1))


@pytest.mark.parametrize("move", ["continue", "until_idle"])
def test_stop_ends_a_flood_that_the_stepper_runs(browse, wait_until, move):
    ex, page = browse(Flood, max_frames=100_000)
    run = page.post(name=move)
    wait_until(lambda: ex.recorded > 10)
    assert page.do("stop")["ok"]
    assert page.answer("done", run)["ok"]
    assert (ex.status, ex.reason) == ("stopped", "stopped by hand")
    assert ex.recorded < 100_000
    assert page.do("step_frame")["ok"]


def test_a_command_that_comes_twice_is_done_once(browse):
    ex, page = browse(Counter)
    page.post(id="x", name="step_frame")
    page.answer("done", "x")
    page.post(id="x", name="step_frame")
    assert [(m["accepted"], m["why"]) for m in page.sent if m["type"] == "ack"] == [(False, "it was taken already")]
    assert ex.recorded == 1


def test_a_short_move_has_ended_when_its_message_is_handled_and_one_that_lasts_is_acknowledged(
    browse, gate, monkeypatch
):
    held, holding = gate(), []

    @component
    def Ticks(ctx):
        n = ctx.state.get("n", 0)
        ctx.use_effect("tick", [n], lambda: ctx.state.set("n", n + 1))
        if holding:
            held.passed_in_thread()

    _, page = browse(Ticks)
    monkeypatch.setattr(stepper, "MOVE_S", 30.0)
    move = page.post(name="step_frame")
    assert [m["type"] for m in page.sent if m["id"] == move] == ["done"]
    holding.append(1)
    monkeypatch.setattr(stepper, "MOVE_S", 0.05)
    move = page.post(name="step_frame")  # What renders holds the engine's thread: it is told by another.
    held.reached()
    assert page.answer("ack", move)["accepted"]
    held.open()
    page.answer("done", move)


def test_tasks_are_cancelled_retried_and_answered_while_a_move_is_under_way(browse, gate, wait_until):
    held = gate()

    @component
    def App(ctx):
        return [Task(id="long", run=held.passed, on_error=lambda r: None), Approval(id="ok", prompt="<b>go</b>?")]

    ex, page = browse(App)
    move = page.post(name="continue")
    held.reached()
    wait_until(lambda: run_behind(ex).publish().names == ("ok",))
    rows = {row["node_id"]: row for row in page.get("tasks")["tasks"]}
    assert {id: (row["status"], row["can"]) for id, row in rows.items()} == {
        "long": ("running", ["cancel"]),
        "ok": ("blocked", ["answer", "cancel"]),
    }
    summary = page.stepper._summary()
    assert [(q["node_id"], q["prompt"], q["options"]) for q in summary["questions"]] == [("ok", "<b>go</b>?", ["approve", "deny"])]  # fmt: skip
    assert {task["node_id"] for task in summary["running"]} == {"long", "ok"}
    assert summary["busy"] == "continue"
    assert page.do("cancel", node="long")["ok"]
    assert page.do("answer", approval=summary["questions"][0]["approval_id"], choice="deny", comment="no")["ok"]
    assert page.answer("done", move)["ok"]
    assert {row["node_id"]: row["status"] for row in ex.df.tasks.to_dict("records")} == {"long": "cancelled", "ok": "succeeded"}  # fmt: skip
    task = page.get("task", of=rows["ok"]["task_id"])
    [asked] = task["asked"]
    assert (asked["choice"], asked["comment"], asked["prompt"]) == ("deny", "no", "<b>go</b>?")
    held.open()
    assert page.do("retry", node="long")["ok"]
    page.do("until_idle")
    assert len(ex.df.tasks) == 3


def test_tool_calls_are_shown_with_what_there_is_to_look_at_and_answered_one_by_one(browse):
    def write(path: str) -> str:
        return f"{path} is written"

    def policy(tool: str, args: dict[str, str]) -> dict[str, str]:
        return {"diff": f"+<b>{args['path']}</b>" + "x" * 30_000, "why": "it is new"}

    calls = [call_tool("write", path="a"), call_tool("write", path="b")]
    model = scripted(calls, call_tool("write", path="c"), "done")
    ex, page = browse(Claude(id="c", model=model, tools=[write], approve=policy)["hi"])
    page.do("until_idle")
    [row] = page.get("tasks")["tasks"]
    assert (row["status"], row["can"], row["options"]) == ("blocked", ["answer", "cancel"], []), "two are asked about"
    first, second = page.get("task", of="c@1")["asked"]
    assert first["diff"].startswith("+<b>a</b>xxx") and len(first["diff"]) == 20_000
    assert json.loads(first["payload"]["text"]) == {"tool": "write", "input": {"path": "a"}, "why": "it is new"}
    assert (first["status"], first["options"]) == ("waiting", ["approve", "deny"])
    ex.state.set("n", 1)
    page.do("step_frame")
    before = page.stepper._summary()["versions"]["tasks"]
    assert page.do("answer", approval=second["approval_id"], choice="deny", comment="no")["ok"]
    assert page.stepper._summary()["versions"]["tasks"] != before
    assert page.get("tasks")["tasks"][0]["options"] == ["approve", "deny"]
    assert page.do("answer", approval="c", choice="approve")["ok"]
    page.do("until_idle")
    task = page.get("task", of="c@1")
    assert [(asked["choice"], asked["comment"]) for asked in task["asked"][:2]] == [("approve", None), ("deny", "no")]
    assert [call["status"] for call in task["tool_calls"]] == ["ok", "denied", "waiting"]
    assert task["tool_calls"][0]["ms"] is not None
    assert task["tool_calls"][0]["output"]["text"] == '"a is written"'
    then = page.get("task", of="c@1", at=1, phase="EFFECTS")
    assert [(asked["status"], asked["choice"]) for asked in then["asked"]] == [("waiting", None)] * 2


def test_an_answer_is_seen_in_status_and_sentence_at_once_and_before_it_the_buttons_are_named(browse):
    ex, page = browse(Approval(id="ok", prompt="Go on?"))
    page.do("until_idle")
    before = page.stepper._summary()
    assert (before["status"], before["reason"]) == ("waiting", "approval ok waits for an answer")
    assert before["sentence"] == "Waiting for a person: ok. Answer with the buttons."
    after = page.do("answer", approval="ok", choice="approve")["summary"]
    assert (after["status"], after["reason"], after["questions"]) == ("paused", "", [])
    assert after["sentence"].endswith("Step renders frame 2, because of: ok succeeded.")
    page.do("step_frame")
    page.do("until_idle")
    assert ex.status == "finished"


def test_an_agent_that_begins_to_ask_while_the_execution_rests_is_seen_at_once(browse, gate, wait_until):
    held = gate()

    def write() -> str:
        return "written"

    def look() -> str:
        held.passed_in_thread()
        return "seen"

    model = scripted(call_tool("look"), call_tool("write"))
    approve = lambda tool, args: tool == "write"  # noqa: E731
    ex, page = browse(Claude(id="c", model=model, tools=[look, write], approve=approve)["hi"])
    page.do("step_frame")
    assert page.stepper._summary()["status"] == "paused"
    held.open()
    wait_until(lambda: run_behind(ex).publish().names == ("c",))
    assert page.stepper._summary()["status"] == "waiting"


def test_without_buttons_the_sentence_names_the_variable_that_holds_the_execution(browse, monkeypatch):
    ex, page = browse(Approval(id="ok", prompt="Go on?"), name="report")
    ex.run_sync()
    main = sys.modules["__main__"]
    words = "Waiting for a person: ok. Answer with "
    assert f"{words}answer('ok', …) of the execution 'report'." in as_text(page.stepper._view)
    monkeypatch.setattr(main, "_3", ex, raising=False)
    monkeypatch.setattr(main, "mine", ex, raising=False)
    assert f"{words}mine.answer('ok', …)." in as_text(page.stepper._view)
    monkeypatch.setattr(main, "report", ex, raising=False)
    assert f"{words}report.answer('ok', …)." in as_html(page.stepper._view).replace("&#x27;", "'")


AFTER_THE_END = {
    "retry": (lambda ex: ex.retry("t"), "because of: t is run again by hand, and starts t."),
    "a write": (lambda ex: ex.state.set("n", 2), "Step applies n = 2, and renders frame 4."),
    "a swap": (lambda ex: ex.swap(Phase(name="other")), "Step renders frame 4, because of: the app was swapped."),
}


@pytest.mark.parametrize("again", AFTER_THE_END)
@pytest.mark.parametrize("fails", [False, True])
def test_what_is_done_after_the_end_can_be_stepped_and_status_and_sentence_say_so(browse, again, fails):
    ex, page = browse(Phase(name="p")[Task(id="t", run=lambda: 1 / 0 if fails else 1)])
    page.do("continue")
    ended = page.stepper._summary()
    assert (ended["status"], ended["over"]) == ("failed" if fails else "finished", True)
    do, words = AFTER_THE_END[again]
    do(ex)
    reopened = page.stepper._summary()
    assert (reopened["status"], reopened["over"], reopened["reason"]) == ("paused", False, "")
    assert reopened["sentence"].endswith(words)
    assert (ex.status, ex.over) == ("paused", False)
    assert page.do("step_frame")["summary"]["frame"] == 4
    page.do("continue")
    assert ex.over


def test_a_terminated_execution_stays_over_whatever_is_written(browse):
    ex, page = browse(Phase(name="p"))
    ex.run_sync()
    ex.state.set("n", 1)
    ex.terminate()
    ex.state.set("n", 2)
    summary = page.stepper._summary()
    assert (summary["status"], summary["over"]) == ("terminated", True)


def test_after_stop_the_sentence_says_what_runs_again_and_only_that(browse, gate):
    held = gate()
    _, page = browse(Task(id="t", run=held.passed))
    page.do("stop")
    assert page.stepper._summary()["sentence"] == "Stopped after frame 0. Step renders frame 1."
    page.do("step_frame")
    page.do("stop")
    assert page.stepper._summary()["sentence"] == "Stopped after frame 1. Step runs t again."


def test_a_run_from_a_cell_is_a_command_to_every_stepper_and_none_moves_meanwhile(browse, gate, wait_until):
    held = gate()
    ex, page = browse(Task(id="t", run=held.passed))
    other = Browser(ex)
    cell = threading.Thread(target=ex.run_sync)
    cell.start()
    held.reached()
    for one in (page, other):
        wait_until(lambda one=one: one.stepper.summary["busy"] == "run")
        ack = one.answer("ack", one.post(name="step_frame"))
        assert (ack["accepted"], ack["why"]) == (False, "run is still running")
    held.open()
    cell.join()
    move_of_another = gate()
    ex.swap(Task(id="u", run=move_of_another.passed))
    move = page.post(name="continue")
    move_of_another.reached()
    wait_until(lambda: other.stepper.summary["busy"] == "run")
    assert page.stepper._summary()["busy"] == "continue"
    move_of_another.open()
    page.answer("done", move)
    wait_until(lambda: other.stepper.summary["busy"] is None)


@pytest.mark.parametrize("replaced", [False, True])
def test_a_file_that_went_away_is_told_without_a_click_and_no_more_once_it_is_back(browse, tmp_path, replaced):
    _, page = browse(Counter)
    page.do("step_frame")
    page.post(type="ping", id="p1")
    assert page.sent[-1] == {"type": "pong", "id": "p1"}
    file, aside = tmp_path / "t.db", tmp_path / "aside.db"
    file.rename(aside)
    if replaced:
        file.write_bytes(b"")
    page.post(type="ping", id="p2")
    words = "is a different file now" if replaced else "is gone: it was removed or renamed"
    assert words in page.summaries[-1]["error"]
    told = len(page.summaries)
    page.post(type="ping", id="p3")
    assert len(page.summaries) == told, "it is told once"
    assert words in page.do("step_frame")["error"]
    aside.replace(file)
    assert page.do("step_frame")["ok"]
    assert page.stepper._summary()["error"] is None


@pytest.mark.parametrize("given", ["smithers.db", None])
def test_a_stepper_of_something_else_is_refused_with_what_to_do(given):
    with pytest.raises(TypeError, match=r"Stepper\(\) shows an Execution, or a recorded one from Store.open\(id\)"):
        Stepper(given)  # type: ignore[arg-type]


def test_slow_phases_are_logged_for_who_listens_and_print_nothing_and_are_one_hint_a_run(tmp_path):
    cells = run_cells(
        tmp_path,
        "import smithers_nb.engine.draft as draft\ndraft.SLOW_MS = -1.0",
        PRINTS,
        "print(ex.run_sync().problems)",
        "print(ex.df.events.query(\"kind == 'hint'\")['payload'].map(lambda p: p['message'][:22]).tolist())",
        "import logging\nlogging.basicConfig(level=logging.WARNING)\nex.state.set('n', 1)\n_ = ex.run_sync()",
    )
    assert "took" not in cells.text(2)
    assert cells.text(2).strip().endswith("()")
    assert cells.text(3).strip() == "['COMMIT of frame 1 took']"
    assert "WARNING:smithers_nb.engine.draft:SNAPSHOT of frame" in cells.text(4)


def test_the_tail_of_a_running_task_is_shown_and_bounded(browse, gate):
    held = gate()
    ex, page = browse([Task(id=f"t{i}", run=held.passed) for i in range(10)])
    page.do("step_frame")
    held.reached()
    for entry in run_behind(ex).live.tasks.running:
        run_behind(ex).live.services.stream.tails[entry.task_id].add(1, 1, "x" * 10_000 + "end")
    tails = [task["tail"] for task in page.stepper._summary()["running"]]
    assert len(tails) == 10
    assert sum(map(len, tails)) <= 8192
    assert all(tail.endswith("end") for tail in tails)
    assert {len(row["tail"]) for row in page.get("tasks")["tasks"]} == {2048}


def test_until_idle_stops_at_a_problem_and_says_which_and_continue_does_not(browse):
    @component
    def App(ctx):
        return [Phase(name=n)[Task(id=n, run=lambda: 1 / 0, on_error=lambda r: 1 / 0)] for n in "ab"]

    ex, page = browse(App)
    page.do("until_idle")
    assert ex.reason.startswith("frame 2 has a problem: HandlerError: on_error of a raised ZeroDivisionError")
    page.do("continue")
    assert ex.over


def test_an_error_goes_away_once_the_execution_goes_on_by_other_means(browse):
    @component
    def App(ctx):
        if ctx.state.get("n") == 1:
            raise ValueError("one")
        return Phase(name="x")

    ex, page = browse(App)
    page.do("step_frame")
    ex.state.set("n", 1)
    assert "ValueError" in page.do("step_frame")["error"]
    assert "ValueError" in page.stepper._summary()["error"]
    ex.state.set("n", 2)
    ex.step_sync()
    assert page.stepper._summary()["error"] is None


def test_ten_summaries_a_second_at_most_whatever_happens_and_the_last_one_is_true(browse, wait_until):
    ex, page = browse(Phase(name="x"))
    before, began = len(page.summaries), time.monotonic()
    for _ in range(200):
        page.stepper._push()
        engine.do(run_behind(ex).live.services.observers.notify)
    assert len(page.summaries) - before <= 10 * (1 + time.monotonic() - began) < 200
    page.do("step_frame")
    wait_until(lambda: page.stepper.summary["frame"] == 1 and page.stepper.summary["busy"] is None)
    numbers = [summary["seq"] for summary in page.summaries]
    assert numbers == sorted(set(numbers))


def test_two_views_of_one_execution_agree(browse, wait_until):
    ex, page = browse(Counter)
    other = Browser(ex)
    page.do("step_frame")
    differing = ("seq", "now", "versions")
    wait_until(lambda: other.stepper.summary["frame"] == 1)
    one, two = page.stepper._summary(), other.stepper._summary()
    assert {k: v for k, v in one.items() if k not in differing} == {k: v for k, v in two.items() if k not in differing}


def test_a_request_for_a_frame_that_is_not_there_is_answered_in_words(browse):
    _, page = browse(Counter)
    assert page.get("plan", at=7) == "StoreError: there is no frame 7. It has none yet."
    assert page.get("node", of="nobody") == "StoreError: there is no node 'nobody' in frame 0."


@pytest.mark.parametrize(("version", "words"), [((6, 30, 1), "ipykernel 6.30"), ((7, 4, 0), "")])
def test_what_an_older_kernel_can_not_do_is_said_in_words(monkeypatch, version, words):
    kernel = type("ipykernel", (), {"version_info": version})
    monkeypatch.setitem(sys.modules, "ipykernel", kernel)
    assert [words in line for line in limits()] == ([True] if words else [])


AGENT = """%%smithers
@component
def App(ctx):
    return <Claude id="c" model={scripted("hi")}>Hello</Claude>
"""


def test_pydantic_ai_is_imported_in_the_background_once_a_stepper_shows_an_agent(tmp_path):
    cells = run_cells(
        tmp_path,
        PRINTS,
        "import sys, threading\nthreads = lambda: [t.name for t in threading.enumerate() if t.name[-7:] == ' ' + 'import']",
        "ex.run_sync(); threads(), 'pydantic_ai' in sys.modules",
        AGENT,
        "print(ex.status, threads())",
        "from pydantic_ai.messages import ModelMessage\nprint('pydantic_ai.models.function' in sys.modules, threads())",
        "before = set(sys.modules)",
        "ex.run_sync().status",
        "{name.partition('.')[0] for name in set(sys.modules) - before} & {'pydantic_ai', 'genai_prices', 'anyio'}",
    )
    assert "([], False)" in cells.text(2), "without an agent nothing is imported"
    assert cells.text(4).strip() == "ready ['smithers import']"
    assert cells.text(5).strip() == "True []", "a cell that imports waits for the import in the background"
    assert "finished" in cells.text(7)
    assert cells.text(8).strip() == "set()", "nothing is left for the first agent to import"


def test_a_step_that_waits_for_an_import_says_for_what(browse, gate, monkeypatch):
    held = gate()
    load = pydantic_ai.load
    # As in a kernel that has loaded no agent yet.
    monkeypatch.setattr(pydantic_ai, "_loaded", threading.Event())
    monkeypatch.setattr(pydantic_ai, "load", lambda: (held.passed_in_thread(), load()))
    _, page = browse(Claude(id="c", model=scripted("hi"))["Hello"])
    move = page.post(name="step_frame")
    held.reached()
    words = "EXECUTE of frame 1 waits for the import of pydantic-ai, once in a kernel."
    assert page.stepper._summary()["sentence"] == words
    held.open()
    done = page.answer("done", move)
    assert done["ok"] and done["summary"]["sentence"].startswith("Frame 1 is at rest"), done


PRINTS = """%%smithers --quiet
@component
def App(ctx):
    print("in render")
    return Task(id="t", run=lambda: print("in the thread") or 1, on_finished=lambda r: print("in the handler"))
"""


def test_in_a_kernel_what_user_code_prints_reaches_the_cell_and_the_records(tmp_path):
    cells = run_cells(
        tmp_path,
        PRINTS,
        "ex.run_sync(); print('the cell itself')",
        "await ex.run()",
        "import json; print([p['text'] for p in ex.df.events['payload']])",
        "ex",
    )
    shown = cells.text(1)
    for words in ("in render", "in the thread", "in the handler", "the cell itself"):
        assert words in shown, shown
    kept = cells.text(3)
    for words in ("in render", "in the thread", "in the handler"):
        assert words in kept, kept
    assert "the cell itself" not in kept
    assert "in render" not in cells.text(4)
    assert not any(cells.failed(n) for n in range(5))


def test_the_end_of_a_move_has_all_that_the_page_shows_then_but_for_what_it_has(browse, wait_until):
    ex, page = browse(Counter)
    page.do("step_frame")
    seen = page.stepper._summary()["versions"]
    ask = [
        {"type": "get", "id": "p", "pane": "plan"},
        {"type": "get", "id": "b", "pane": "breakpoints", "seen": seen["breakpoints"]},
        {"type": "get", "id": "t", "pane": "tasks", "seen": seen["tasks"] - 1},
    ]
    done = page.do("step_frame", ask=ask)
    assert [reply["id"] for reply in done["replies"]] == ["p", "t"]
    assert done["replies"][0]["data"]["frame"] == done["summary"]["frame"] == ex.frame.number == 2
    wait_until(lambda: page.stepper.summary == done["summary"])  # For a view that opens later.
    assert page.stepper._view.summary(0, None, None)["versions"] == done["summary"]["versions"]


def test_what_is_looked_at_is_answered_in_one_message_and_an_error_is_one_answers_own(browse):
    _, page = browse(Counter)
    page.do("step_frame")
    gets = [{"type": "get", "id": "s", "pane": "state"}, {"type": "get", "id": "n", "pane": "node", "of": "nobody"}]
    page.stepper._received(None, {"type": "look", "gets": gets}, None)
    (replies,) = [message["replies"] for message in page.sent if message["type"] == "replies"]
    assert [(reply["pane"], reply["error"]) for reply in replies] == [("state", None), ("node", "StoreError: there is no node 'nobody' in frame 1.")]  # fmt: skip


def test_the_static_page_follows_when_the_execution_has_come_to_rest_and_stays_small(browse, wait_until):
    ex, page = browse(component(lambda ctx: [Step(key=str(i), name="long " * 40) for i in range(1000)]))
    pages: list[str] = []
    page.stepper.keep_page(pages.append)
    wait_until(lambda: len(pages) == 1)
    assert "No frames yet." in pages[0]
    page.do("step_frame")
    wait_until(lambda: "at rest, frame 1" in pages[-1])
    assert len(ex.frame.xml) > 200_000
    assert len(pages[-1]) < 40_000
    assert "characters; frame.xml has all" in pages[-1]


def test_an_answer_takes_edited_arguments_as_json_and_says_what_is_wrong_with_them(browse):
    sent = []

    def send(to: str) -> str:
        sent.append(to)
        return "sent"

    model = scripted(call_tool("send", to="a"), "done")
    ex, page = browse(Claude(id="c", model=model, tools=[send], approve=True)["hi"])
    page.do("until_idle")
    [id] = ex.df.approvals.approval_id
    [asked] = page.get("task", of="c@1")["asked"]
    assert (asked["args"], asked["edited"], asked["result"]) == ('{\n  "to": "a"\n}', False, None)
    wrong = {"name": "answer", "approval": id, "choice": "approve"}
    assert "args['to']: 5 is not of type 'string'" in page.do(**wrong, args='{"to": 5}')["error"]
    assert "is no JSON" in page.do(**wrong, args="{to: 5}")["error"]
    assert page.do(**wrong, args='{"to": "b"}')["ok"]
    page.do("until_idle")
    assert sent == ["b"]
    [asked] = page.get("task", of="c@1")["asked"]
    assert (asked["args"], asked["edited"]) == ('{\n  "to": "b"\n}', True)
