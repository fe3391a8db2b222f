"""The Why pane: what is asked of a thing in the stepper, and the answers that the kernel gives."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from smithers_nb import Claude, Execution, Fragment, Phase, Store, Task, component, scripted
from smithers_nb.history.panes.view import View
from smithers_nb.notebook import messages as m
from smithers_nb.notebook import stepper
from smithers_nb.notebook.view_of import view_of
from tests.notebook.test_stepper_commands import Browser


@component
def Judged(ctx: Any) -> Any:
    score = ctx.state.get("score", 0)
    return Fragment()[
        Phase(name="judge")[
            Claude(id="judge", model=scripted("6"), on_finished=lambda r: ctx.state.set("score", int(r.output)))["?"]
        ],
        Phase(name="end")[
            Task(id="note", run=lambda: score, on_error=lambda e: None),
            score >= 7 and Task(id="publish", run=lambda: score),
            score >= 9 and Phase(name="party")[Task(key="cake", run=lambda: score)],
        ],
    ]


@pytest.fixture
def made(tmp_path: Path):
    with Execution(Judged, name="judged", store=tmp_path / "t.db") as ex:
        yield ex


def ask(view: View, pane: str, **options: Any) -> Any:
    return view.pane(m.incoming.validate_python({"type": "get", "id": "r1", "pane": pane, **options}))


def told(view: View, of: str | None, pane: str = "why", **options: Any) -> list[tuple[str, str]]:
    """The question and the first sentence of each answer."""
    return [(one["question"], one["statements"][0]["text"]) for one in ask(view, pane, of=of, **options)["answers"]]


def test_each_thing_that_a_row_shows_is_asked_about_by_its_name(made):
    view = view_of(made)
    made.run_sync()
    score = ask(view, "why", of="state:score")["answers"][0]["statements"]
    assert [one["table"] for one in score] == ["state", "transitions", "handlers", "tasks", "model_calls"]
    assert [one["depth"] for one in score] == [0, 1, 2, 3, 4]
    assert (score[-1]["link"], score[-1]["evidence"], score[-1]["execution"]) == ("judge.prompt", "recorded", None)
    task = next(row["task_id"] for row in ask(view, "tasks")["tasks"] if row["node_id"] == "judge")
    call = ask(view, "handlers")["calls"][0]["id"]
    write = ask(view, "last_change", of="score")["found"]["id"]
    for of, table in [
        ("judge", "nodes"),
        ("judge.prompt", "nodes"),
        (task, "tasks"),
        (call, "handlers"),
        (str(write), "transitions"),
        (None, "executions"),
    ]:
        answers = ask(view, "why", of=of)["answers"]
        assert answers[0]["statements"][0]["table"] == table, of
        assert not answers[0]["negative"], of
    assert told(view, None, at=2) == [("why frame 2?", ask(view, "why", at=2)["answers"][0]["statements"][0]["text"])]


def test_what_is_absent_or_waits_is_asked_why_not_first(made):
    view = view_of(made)
    made.step_sync()
    questions = [question for question, _ in told(view, "note")]
    assert questions == ["why not note?", "why note?"]
    made.run_sync()
    assert told(view, "publish") == [("why not publish?", "in Judged, score >= 7 is not true")]
    assert told(view, "note.on_error")[0][0] == "why not note.on_error?"
    assert told(view, "judge.on_error")[0][1].startswith("claude #judge never registered on_error")
    assert told(view, "publisch")[0][1].startswith("no component could return 'publisch'. Did you mean 'publish'?")
    assert [
        ask(view, "why", of=of)["takes"]
        for of in ("publish", "note", "state:score", "score", "note.on_error", "note.run")
    ] == ["publish", None, None, None, None, None]


def test_the_next_frame_is_asked_about_by_its_number(made):
    view = view_of(made)
    made.run_sync()
    question, text = told(view, None, "why_not")[0]
    assert question == f"why not frame {made.recorded + 1}?"
    assert text.startswith(f"frame {made.recorded + 1} was not made")
    assert told(view, None)[0][0] == "why is judged finished?"


def test_a_value_is_that_of_the_frame_that_reads_it(made):
    view = view_of(made)
    made.run_sync()
    written = ask(view, "why", of="state:score")["answers"][0]["statements"][1]["frame"]
    before = told(view, "state:score", at=written)[0][1]
    after = told(view, "state:score", at=written, phase="FLUSH")[0][1]
    assert before.startswith("score has no value"), before
    assert after.startswith("score is 6"), after


def test_before_the_first_frame_it_says_that_nothing_is_recorded_and_later_answers_are_whole(made):
    view = view_of(made)
    assert told(view, "judge")[0][1].startswith("this is a dry rendering of claude #judge: no frame has been made yet")
    assert told(view, None)[0][1] == 'execution "judged" is ready'
    assert told(view, "publish")[0] == ("why not publish?", 'execution "judged" is ready')
    made.run_sync()
    assert len(ask(view, "plan", at=1)["nodes"]) > 3


def test_what_it_would_take_is_an_edit_that_a_branch_begins_with(made):
    view = view_of(made)
    made.run_sync()
    found = ask(view, "needs", of="publish")
    assert (found["found"], found["state"], found["after"]) == (True, '{"score": 7}', found["frame"] - 1)
    with made.fork(found["after"], state=json.loads(found["state"])) as branch:
        branch.step_sync()
        assert "publish" in {node.id for node in branch.frame.tree.walk()}
    assert ask(view, "needs", of="nonsense")["found"] is False


@component
def Odd(ctx: Any) -> Any:
    return [
        "old" not in ctx.state and Task(id="fresh", run=lambda: 1),
        [Task(id=f"draft-{topic}", run=lambda: 1) for topic in ctx.state.get("topics", [])],
    ]


def test_an_edit_that_json_cannot_say_is_made_in_a_cell_and_ids_of_a_pattern_are_one_target(tmp_path):
    with Execution(Odd, name="odd", store=tmp_path / "t.db", state={"old": 1}) as ex:
        ex.run_sync()
        view = view_of(ex)
        assert [row["of"] for row in ask(view, "ghosts")["nodes"]] == ["fresh", "draft-*"]
        fresh = ask(view, "needs", of="fresh")
        assert (fresh["found"], fresh["state"]) == (True, None)
        assert fresh["code"] == f"odd.needs('fresh', frame={ex.recorded}).fork()"
        assert told(view, "draft-*") == [("why not draft-*?", 'in Odd, ctx.state.get("topics", []) has no items')]
        assert ask(view, "needs", of="draft-*")["found"]


def test_ghosts_stand_below_the_node_that_they_would_stand_in(made):
    view = view_of(made)
    made.run_sync()
    pane = ask(view, "ghosts")
    plan = {row["attrs"][0][1]: row["id"] for row in ask(view, "plan")["nodes"] if row["type"] == "phase"}
    assert [(one["of"], one["depth"], one["parent"], one["after"]) for one in pane["nodes"]] == [
        ("publish", 1, plan["end"], "note"),
        ("phase party", 1, plan["end"], "note"),
        ("task cake", 2, plan["end"], "note"),
    ]
    assert pane["nodes"][0]["guards"] == ["score >= 7 is true"]
    # A ghost without an id is asked about by its label, and so is what it would take.
    assert told(view, "task cake") == [("why not task cake?", "in Judged, score >= 9 is not true")]
    assert ask(view, "needs", of="task cake")["state"] == '{"score": 9}'


def test_a_recorded_execution_says_what_is_not_known_without_code(made, tmp_path):
    made.run_sync()
    view = view_of(Store(tmp_path / "t.db").open("judged"))
    assert told(view, "judge")[0][1].startswith("claude #judge is in the plan since frame 1")
    assert ask(view, "ghosts") == {
        "frame": made.recorded,
        "total": 0,
        "nodes": [],
        "unknown": ["this execution is recorded, and a file has no code: which nodes it could have is not told"],
    }
    absent = ask(view, "why", of="publish")["answers"][0]["statements"][0]
    assert (absent["evidence"], "is not known without it" in absent["text"]) == (None, True)
    needs = ask(view, "needs", of="publish")
    assert (needs["found"], needs["answer"]["statements"][0]["evidence"]) == (False, None)


def test_a_search_holds_up_neither_looks_nor_commands(made, monkeypatch):
    page = Browser(made)
    begun, finish = threading.Event(), threading.Event()
    reply = stepper.View.pane

    def slow(view: View, get: Any) -> Any:
        if get.pane == "needs":
            begun.set()
            assert finish.wait(60)
        return reply(view, get)

    monkeypatch.setattr(stepper.View, "pane", slow)
    asked = page.post(type="get", pane="needs", of="publish")
    assert begun.wait(60)
    assert page.do("step_frame")["ok"]
    assert page.get("plan")["frame"] == 1
    assert page.do("pause")["ok"]
    assert not any(message.get("id") == asked for message in page.sent)
    finish.set()
    assert page.answer("reply", asked)["data"]["of"] == "publish"
