"""Edited code as a baseline: what the panes of a run show after ``--dry``, and the branch that is made from there."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

from smithers_nb import Claude, Execution, Phase, Stepper, Task, component, scripted
from smithers_nb.bridge import engine
from smithers_nb.commands import COMMANDS
from smithers_nb.execution import execution_of, run_behind
from smithers_nb.history.panes.view import View
from smithers_nb.notebook import messages as m
from smithers_nb.notebook.view_of import view_of

Made = Callable[..., Execution]


def ask(view: View, pane: str, **options: Any) -> Any:
    return view.pane(m.incoming.validate_python({"type": "get", "id": "r1", "pane": pane, **options}))


def app(prompt: str = "Write: ", first: str = "Notes.", extra: bool = False, fails: bool = False) -> Any:
    @component
    def Report(ctx: Any) -> Any:
        notes = ctx.state.get("notes")
        if fails and notes:
            raise ValueError("<b>broken</b>")
        return [
            Phase(name="research")[
                Claude(id="notes", model="m", on_finished=lambda r: ctx.state.set("notes", r.output))[first]
            ],
            Phase(name="write")[Claude(id="draft", model="m")[prompt, notes] if notes else None],
            Task(id="more", run=lambda: 1) if extra and notes else None,
        ]

    return Report


@pytest.fixture
def ran(run_of: Made) -> Execution:
    ex = run_of(app(), models={"m": scripted("an answer")})
    ex.run_sync()
    return ex


def edited(ex: Execution, **change: Any) -> View:
    run_behind(ex).edit(ex.rerender(app(**change)))
    return view_of(ex)


def test_without_edited_code_nothing_is_said_and_the_plan_is_the_recorded_one(ran: Execution) -> None:
    view = view_of(ran)
    assert view.summary(1, None, None)["edited"] == 0
    assert ask(view, "edited") == {"text": "", "first": None, "last": 0, "total": 0, "frames": [], "pending": []}
    plan = ask(view, "plan", at=2, edited=True)
    assert {row["change"] for row in plan["nodes"]} == {""} and plan["against"] == "edited code"


def test_the_frames_that_differ_are_spans_with_the_words_of_the_rerender(ran: Execution) -> None:
    view = edited(ran, prompt="Sing: ")
    again = run_behind(ran).edited
    shown = ask(view, "edited")
    assert view.summary(1, None, None)["edited"] == 1
    assert (
        shown["text"] == again.text and "draft's prompt" in shown["text"] and "reuses 1 of 2 answers" in shown["text"]
    )
    assert shown["first"] == again.first > 1
    assert shown["frames"] == [(again.first, ran.recorded)] and shown["total"] == ran.recorded - again.first + 1
    assert shown["last"] == ran.recorded


def test_the_plan_is_what_the_edited_code_makes_of_the_recorded_state(ran: Execution) -> None:
    view = edited(ran, prompt="Sing: ", extra=True)
    first = ask(view, "edited")["first"]
    before = ask(view, "plan", at=first - 1, edited=True)
    assert {row["change"] for row in before["nodes"]} == {""}
    plan = ask(view, "plan", at=first, edited=True)
    changed = [row for row in plan["nodes"] if row["change"]]
    assert {(row["id"], row["change"]) for row in changed if row["type"] != "text"} == {("more", "added")}
    [change] = next(row["changes"] for row in changed if row["change"] == "changed")
    assert (change["old"], change["new"]) == ("Write: an answer", "Sing: an answer")
    assert plan["base"] == first and "Sing: " in ask(view, "xml", at=first, edited=True)["text"]
    node = ask(view, "node", at=first, edited=True, of="draft")
    assert node["text"]["text"] == "Sing: an answer" and node["status"] is not None
    # The record is what it was.
    assert "Sing: " not in ask(view, "xml", at=first)["text"]


def test_a_long_value_of_the_edited_code_is_not_loaded_from_the_record(ran: Execution) -> None:
    view = edited(ran, first="x" * 5000)
    node = ask(view, "node", at=1, edited=True, of="notes")
    assert node["text"]["cut"] and node["text"]["ref"] is None
    assert ask(view, "node", at=1, of="notes")["text"]["text"] == "Notes."


def test_a_frame_that_the_code_cannot_render_says_so_and_shows_the_record(ran: Execution) -> None:
    view = edited(ran, fails=True)
    first = ask(view, "edited")["first"]
    plan = ask(view, "plan", at=first, edited=True)
    assert "can't render this frame" in plan["against"] and "<b>broken</b>" in plan["against"]
    assert {row["change"] for row in plan["nodes"]} == {""} and plan["base"] == 0


def test_frames_that_came_later_are_not_known_to_the_edit(run_of: Made) -> None:
    ex = run_of(app(), models={"m": scripted("an answer")})
    ex.step_sync()
    view = edited(ex, first="Other.")
    assert ask(view, "edited")["last"] == 1
    ex.step_sync()
    live = ask(view, "plan", edited=True)
    assert live["against"] == "edited code, which was given frames 1 to 1" and live["base"] == 0
    assert ask(view, "plan", at=1, edited=True)["base"] == 1
    assert view.summary(1, None, None)["edited"] == 1


@pytest.mark.parametrize("phase", ["SNAPSHOT", "RENDER", "RECONCILE", "COMMIT", "EXECUTE", "EFFECTS", "FLUSH"])
def test_what_the_edit_shows_live_is_what_it_shows_recorded(run_of: Made, phase: str) -> None:
    ex = run_of(app(), models={"m": scripted("an answer")})
    ex.run_sync()
    view = edited(ex, prompt="Sing: ", extra=True)
    alike = [
        {**ask(view, "plan", edited=True, **at), "version": 0}
        for at in ({}, {"at": ex.recorded, "phase": "FLUSH"})
    ]  # fmt: skip
    assert alike[0] == alike[1]
    for frame in range(1, ex.recorded + 1):
        shown = ask(view, "plan", edited=True, at=frame, phase=phase)
        assert shown["base"] == (frame - 1 if phase == "SNAPSHOT" else frame)


def test_a_branch_begins_before_the_first_frame_that_differs_and_the_parent_stays(ran: Execution) -> None:
    edited(ran, prompt="Sing: ")
    run = run_behind(ran)
    before = ran.df.nodes.to_csv()
    branch = execution_of(engine.call(COMMANDS["branch_edited"].handler(run, branch="song")))
    with branch:
        branch.run_sync()
        assert branch.name == "song" and "Sing: " in branch.at(branch.recorded).xml
        row = ran.store.branches("execution").set_index("name").loc["song"]
        assert row.forked_at_frame == run.edited.first - 1
        assert ran.df.nodes.to_csv() == before


def test_a_branch_without_edited_code_says_what_to_do(ran: Execution) -> None:
    with pytest.raises(ValueError, match="there is no edited code of execution: %%smithers execution --dry"):
        engine.call(COMMANDS["branch_edited"].handler(run_behind(ran)))


def test_the_branch_of_a_stepper_gets_a_variable(ran: Execution) -> None:
    edited(ran, prompt="Sing: ")
    stepper, sent = Stepper(ran), []
    stepper.send = lambda content, buffers=None: sent.append(content)
    names = vars(sys.modules["__main__"])
    stepper._received(None, {"type": "command", "id": "c1", "name": "branch_edited"}, [])
    engine.call(_soon())
    done = next(message for message in sent if message["type"] == "done")
    branch = names.pop("execution_2")
    branch.close()
    assert done["ok"] and done["result"] == branch.execution_id and branch.name == "execution~2"


async def _soon() -> None:
    import asyncio

    await asyncio.sleep(0.5)


def test_the_dry_result_has_a_look_of_its_own_without_markup_of_others(ran: Execution) -> None:
    html = ran.rerender(app(prompt="<script>alert(1)</script>"))._repr_html_()
    assert "<script" not in html and html.count("<table>") == 2
    assert "Answers of models and people:" in html and "asked again" in html and "reused" in html
    first = ran.rerender(app(prompt="Sing: "))
    assert f">{first.first} to {ran.recorded}<" in first._repr_html_()
    broken = ran.rerender(app(fails=True))
    assert f">{broken.first} to {ran.recorded}<" in broken._repr_html_()
