"""What the stepper's panes show, from the execution alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from smithers_nb import Approval, Claude, Execution, Phase, Ralph, Task, component, scripted
from smithers_nb.notebook import protocol as p
from smithers_nb.notebook.panes import View


@pytest.fixture
def view(tmp_path: Path):
    made: list[Execution] = []

    def make(app: object) -> View:
        ex = Execution(app, store=tmp_path / "t.db")
        made.append(ex)
        return View(ex, ex.preview())

    yield make
    for ex in made:
        ex.close()


def ask(view: View, pane: str, **options: Any) -> Any:
    return view.pane(p.incoming.validate_python({"type": "get", "id": "r1", "pane": pane, **options}))


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
    assert shown.sentence() == "Waiting for a person: ok. Answer with ex.answer('ok', …)."


def test_the_sentence_tells_the_next_step_at_every_rest(view):
    shown = view(component(lambda ctx: Task(id="t", run=lambda: 1, on_finished=lambda r: ctx.state.set("n", r.output))))
    said = [shown.sentence()]
    while not shown.ex.over:
        shown.ex.step_sync()
        said.append(shown.sentence())
    assert said[0] == "No frames yet. Step renders frame 1; until then nothing is executed."
    assert said[2] == "Frame 2 is at rest: 1 write pending. Step applies n = 1, and renders frame 3."
    assert said[-2] == "Frame 3 is at rest: nothing is pending. Step closes the frame: nothing is left to do."
    assert said[-1] == "Frame 3 was the last: the execution is finished (nothing is left to do)."


def test_what_lint_finds_is_shown_when_it_is_over(view):
    shown = view(component(lambda ctx: Task(id="t", run=lambda: ctx.state.get("x"), on_error=print)))
    shown.ex.run_sync()
    kinds = [problem["kind"] for problem in shown.summary(1, None, None)["problems"]]
    assert kinds == ["HandlerNeverFired"]
