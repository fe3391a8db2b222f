"""Values, texts and plans that no store can take, or that are too much for one: kept, or refused in words, and never in the
way of what comes after.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from smithers_nb import (
    Approval,
    Claude,
    Effect,
    End,
    Execution,
    Phase,
    Ralph,
    Step,
    Stop,
    Task,
    component,
    scripted,
)
from smithers_nb.errors import NotStorableError, PlanError, SmithersError
from tests.store.checks import run, sound

NAN, INFINITY = float("nan"), float("inf")
SURROGATE = "a\ud800b"
NUL = "a\0b"
BIG = "x" * 50_000_000


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


DEEP = nested(10_000)


def by_handler(value: Any) -> Any:
    return Task(id="t", run=lambda: 1, on_finished=lambda r, ctx: ctx.state.set("key", value))


def by_output(value: Any) -> Any:
    return Task(id="t", run=lambda: value, on_error=lambda r, ctx: ctx.state.set("error", r.error))


REFUSED = {"NaN": NAN, "infinity": INFINITY, "NaN inside": {"a": [NAN]}, "a lone surrogate": SURROGATE, "depth": DEEP}


@pytest.mark.parametrize("value", REFUSED.values(), ids=REFUSED.keys())
def test_a_value_that_can_not_be_stored_is_refused_wherever_it_comes_from(
    value: Any, run_of: Any, tmp_path: Path
) -> None:
    with pytest.raises(NotStorableError, match="'key' can't hold this"):
        run_of(Step(), state={"key": value})
    ex = run_of(by_handler(value))
    with pytest.raises(NotStorableError, match="'key' can't hold this"):
        ex.state.set("key", value)
    result = run(ex)
    (problem,) = result.problems
    assert problem.kind == "HandlerError" and "NotStorableError" in problem.message and "'key'" in problem.message
    assert (result.status, dict(ex.state)) == ("finished", {})
    ex = run_of(by_output(value))
    assert run(ex).status == "finished"
    assert ex.state["error"].startswith("NotStorableError: what task t returned")
    for make in (
        lambda: Effect(id="e", deps=[value], run=lambda: None),
        lambda: End(value=value),
        lambda: Approval(id="a", prompt="?", payload=value),
    ):
        with pytest.raises(PlanError, match="must be storable"):
            make()
    # What is only shown, not kept, may be anything that can be shown.
    shown = run_of(Task(id="t", run=lambda x: 1, args=[value]))
    if value is DEEP:
        with pytest.raises(PlanError, match="nested too deeply"):
            run(shown)
    else:
        assert run(shown).status == "finished"
    sound(tmp_path / "t.db")


def test_a_value_of_fifty_megabytes_comes_back_as_it_went_in(run_of: Any, resumed: Any, tmp_path: Path) -> None:
    ex = run_of(by_handler(BIG))
    assert run(ex).status == "finished"
    ex.close()
    ex = resumed(by_handler(BIG))
    assert ex.state["key"] == BIG
    ex.close()
    sound(tmp_path / "t.db")


def deep_nodes(depth: int) -> Any:
    node = Step()
    for _ in range(depth):
        node = Step()[node]
    return node


@component
def Down(n: int) -> Any:
    return Step()[Down(n=n - 1)] if n else Step()


@component
def Straight(n: int) -> Any:
    return Straight(n=n - 1) if n else Step()


@pytest.mark.parametrize(
    "app",
    [lambda: deep_nodes(10_000), lambda: component(lambda: deep_nodes(10_000)), lambda: Down(n=10_000), lambda: Straight(n=10_000)],
    ids=["nodes", "nodes of a component", "components", "components alone"],
)  # fmt: skip
def test_a_plan_ten_thousand_deep_is_an_error_of_the_plan(app: Any, tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="nested too deeply"), Execution(app(), store=tmp_path / "t.db") as ex:
        run(ex)
    sound(tmp_path / "t.db")


def raises(text: str) -> Callable[[], None]:
    def raising(*_: Any) -> None:
        raise ValueError(text)

    return raising


def got(result: Any, ctx: Any) -> None:
    ctx.state.set("got", result.error or result.status)


def agent(text: str, reply: str = "hello", **props: Any) -> Any:
    return Claude(id="c", model=scripted(reply), on_finished=got, on_error=got, **props)[text]


STRANGE: dict[str, Callable[[str], Any]] = {
    "node id": lambda text: Task(id=text, run=lambda: 1, on_finished=got),
    "node key": lambda text: [Task(key=text, run=lambda: 1, on_finished=got)],
    "loop id": lambda text: Ralph(id=text, max_iterations=2)[Task(id="t", run=lambda: 1, on_finished=got)],
    "effect id": lambda text: Effect(id=text, run=lambda ctx: ctx.state.set("got", 1)),
    "phase": lambda text: Phase(name=text)[Task(id="t", run=lambda: 1, on_finished=got)],
    "key": lambda text: Task(id="t", run=lambda: 1, on_finished=lambda r, ctx: ctx.state.set(text, 1)),
    "key of init": lambda text: component(lambda ctx: [Step(), ctx.state.init(text, 1)][0]),
    "key that is read": lambda text: component(lambda ctx: Step(name=str(ctx.state.get(text)))),
    "prompt": agent,
    "system": lambda text: agent("hi", system=text),
    "reply": lambda text: agent("hi", text),
    "error": lambda text: Task(id="t", run=raises(text), on_error=got),
    "error of a retry": lambda text: Task(id="t", run=raises(text), retries=1, on_error=got),
    "error nobody handles": lambda text: Task(id="t", run=raises(text)),
    "error of a handler": lambda text: Task(id="t", run=lambda: 1, on_finished=raises(text)),
    "error of an effect": lambda text: Effect(id="e", run=raises(text)),
    "error of a component": lambda text: component(lambda: raises(text)()),
    "approval": lambda text: Approval(id="a", prompt=text, options=[text, "no"], on_finished=got),
    "stop": lambda text: Stop(reason=text),
    "end": lambda text: End(message=text),
    "progress": lambda text: Task(id="t", run=lambda ctx: ctx.progress(text), on_progress=got, on_error=got),
    "artifact": lambda text: Effect(id="e", run=lambda ctx: ctx.artifact.markdown(text, title=text)),
}  # fmt: skip


@pytest.mark.parametrize("place", STRANGE)
@pytest.mark.parametrize("text", [NUL, SURROGATE], ids=["NUL", "surrogate"])
def test_text_that_is_no_text_is_kept_or_refused_but_never_in_the_way(place: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    try:
        with Execution(STRANGE[place](text), store=path) as ex:
            result = run(ex)
            while ex.questions:
                ex.answer(ex.questions[0], "no", comment=text)
                result = run(ex)
            said = [*(problem.message for problem in result.problems), str(ex.state.get("got"))]
            assert result.status in ("finished", "failed", "stopped")
            assert not ex.running and not [id for id, status in ex.tasks.items() if status == "pending"]
    except SmithersError as refused:
        said = [str(refused)]
        assert text == SURROGATE or place == "error of a component"
    # Errors are ours, in words that a person can do something with.
    assert not [words for words in said if "codec" in words or "Pydantic" in words], said
    sound(path)


@pytest.mark.parametrize("text", [NUL, SURROGATE], ids=["NUL", "surrogate"])
def test_an_execution_may_be_called_anything_or_is_refused(text: str, tmp_path: Path) -> None:
    for options in ({"name": text}, {"state": {text: 1}}):
        try:
            with Execution(Step(), store=tmp_path / "t.db", **options) as ex:
                assert run(ex).status == "finished"
                assert ex.name == text or dict(ex.state) == {text: 1}
        except NotStorableError:
            assert text == SURROGATE
    sound(tmp_path / "t.db")
