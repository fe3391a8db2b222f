"""The sentence: what a frame did, of which kind it is, and what the next step does, without a hash in it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from smithers_nb import Approval, Claude, Effect, Execution, Phase, Ralph, Task, component, scripted
from smithers_nb.errors import ComponentError
from smithers_nb.history.panes.sentence import kind_of
from smithers_nb.history.panes.view import View
from smithers_nb.notebook import messages as m
from smithers_nb.notebook.view_of import view_of

HASH = re.compile(r"\b[0-9a-f]{12}\b")


@pytest.fixture
def view(run_of: Any) -> Callable[..., View]:
    def make(app: Any) -> View:
        ex = run_of(component(app))
        found = view_of(ex)
        found.ex = ex
        return found

    return make


def behind(view: Any) -> Execution:
    ex: Execution = view.ex
    return ex


def kind(view: View) -> str:
    source = view.source()
    return kind_of(source, source.cursor())


def rested(view: View, frames: int = 1) -> str:
    for _ in range(frames):
        behind(view).step_sync()
    return view.sentence()


def frame(view: View, at: int) -> Any:
    return view.pane(m.incoming.validate_python({"type": "get", "id": "r", "pane": "frame", "at": at}))


def broken(result: Any) -> None:
    raise ValueError("a long story. " * 40)


def team(ctx: Any) -> Any:
    """Three agents without ids, of which two have keys."""
    return Phase(name="research")[[agent(ctx, key) for key in ("tides", "turbines")], Claude(model=scripted("x"))["?"]]


def agent(ctx: Any, key: str) -> Any:
    return Claude(key=key, model=scripted(f"1. {key}"), on_finished=lambda r: ctx.state.set(key, r.output))[key]


# ---- what it says ----------------------------------------------------------------------------------------------


def test_a_frame_says_what_it_did_before_what_the_step_does(view):
    shown = view(lambda ctx: agent(ctx, "tides"))
    first, second = rested(shown), rested(shown)
    assert first.startswith('Frame 1 is at rest: claude "tides" started, 2 nodes mounted, nothing is pending. Step ')
    assert second == (
        'Frame 2 is at rest: claude "tides" succeeded, 1 handler fired, 1 write is pending. '
        'Step applies tides = "1. tides", and renders frame 3.'
    )
    recorded = frame(shown, 1)
    assert recorded["did"] == ['claude "tides" started', "2 nodes mounted"]


def test_no_sentence_has_a_hash_in_it(view):
    shown = view(team)
    said = [shown.sentence()]
    while not behind(shown).over:
        behind(shown).step_phase_sync()
        said.append(shown.sentence())
    panes = [frame(shown, at) for at in range(1, behind(shown).recorded + 1)]
    said += [text for pane in panes for text in (pane["sentence"], *pane["did"], *pane["reason"])]
    assert [text for text in said if HASH.search(text)] == []


def test_a_handler_that_raised_comes_first_and_makes_it_an_error(view):
    shown = view(lambda ctx: Task(key="sum", run=lambda: 1, on_finished=broken))
    assert kind(shown) == "rest"
    rested(shown)
    said = rested(shown)
    assert said.startswith('Frame 2 is at rest: on_finished of task "sum" raised ValueError: a long story.')
    assert kind(shown) == "error"
    assert shown.summary(1, None, None)["standing"] == "at rest"


def test_no_sentence_that_was_cut_has_four_dots(view):
    shown = view(lambda ctx: Task(id="sum", run=lambda: 1, on_finished=broken))
    ex = behind(shown)
    ex.breakpoints.add(error=True)
    ex.run_sync()
    assert (kind(shown), shown.sentence().startswith("Stopped: ")) == ("hit", True)
    assert "…." not in shown.sentence()
    assert "….," not in frame(shown, 2)["sentence"] and "…." not in frame(shown, 2)["sentence"]


def test_a_person_who_is_waited_for_is_another_kind_than_a_rest(view):
    shown = view(lambda ctx: Approval(id="ok", prompt="Publish?"))
    assert rested(shown).startswith("Waiting for a person: ok.")
    assert (kind(shown), shown.summary(1, None, None)["standing"]) == ("waiting", "waiting")
    behind(shown).answer("ok", "approve")
    behind(shown).run_sync()
    assert (kind(shown), frame(shown, 1)["kind"]) == ("over", "rest")
    assert "ok asked" in frame(shown, 1)["did"]


def test_a_frame_that_could_not_be_rendered_is_an_error(view):
    def app(ctx: Any) -> Any:
        if ctx.state.get("n"):
            raise RuntimeError("no plan")
        return Effect(id="e", run=lambda: ctx.state.set("n", 1))

    shown = view(app)
    rested(shown)
    with pytest.raises(ComponentError):
        rested(shown)
    assert shown.sentence().startswith("Stopped: frame 2 could not be rendered: ComponentError: app raised ")
    assert kind(shown) == "error"
    assert shown.summary(1, None, None)["counts"]["problems"] == 1


# ---- the marks -------------------------------------------------------------------------------------------------


def raised(view: View, at: int | None = None) -> list[str]:
    get = {"type": "get", "id": "r", "pane": "plan", "at": at}
    return [row["id"] for row in view.pane(m.incoming.validate_python(get))["nodes"] if row["raised"]]


def test_a_node_whose_handler_raised_is_marked_until_the_handler_is_mended(view):
    mended: list[int] = []

    def on_finished(result: Any) -> None:
        if not mended:
            raise ValueError("no")

    shown = view(lambda ctx: Task(id="sum", run=lambda: 1, on_finished=on_finished))
    ex = behind(shown)
    rested(shown)
    assert raised(shown) == []
    rested(shown)
    assert raised(shown) == ["sum"]
    ex.run_sync()
    assert (raised(shown), raised(shown, 1), raised(shown, 2)) == (["sum"], [], ["sum"])
    mended.append(1)
    ex.retry("sum")
    ex.run_sync()
    assert (raised(shown), raised(shown, 2)) == ([], ["sum"])


def test_the_badge_counts_the_errors_of_the_whole_run(view):
    def app(ctx: Any) -> Any:
        n = ctx.iteration("loop")
        return Ralph(id="loop", until=n == 3, max_iterations=5)[Task(id="t", run=lambda: 1, on_finished=broken)]

    shown = view(app)
    counted = []
    while not behind(shown).over:
        behind(shown).step_sync()
        counted.append(shown.summary(1, None, None)["counts"]["problems"])
    assert counted == sorted(counted)
    assert counted[-1] == 3
