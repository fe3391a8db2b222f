"""Values, texts and plans that no store can take, or that are too much for one: kept, or refused in words, and never in the
way of what comes after.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pydantic_ai import ModelRetry
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import FunctionModel

from smithers_nb import (
    Approval,
    Claude,
    Effect,
    End,
    Execution,
    Phase,
    Ralph,
    Smithers,
    Step,
    Stop,
    Store,
    Task,
    component,
    scripted,
    values,
)
from smithers_nb.bridge import engine
from smithers_nb.errors import NotStorableError, PlanError, SmithersError, UnknownExecutionError
from smithers_nb.execution import run_behind
from smithers_nb.store import recordable
from smithers_nb.store.frames import TABLES
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
            while names := run_behind(ex).publish().names:
                ex.answer(names[0], "no", comment=text)
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


def tool(answer: Callable[[], Any]) -> Any:
    """An agent whose tool does this, and that ends when it has."""

    def look_up() -> Any:
        return answer()

    def model(messages: list[Any], _: Any) -> ModelResponse:
        told = [part for part in messages[-1].parts if part.part_kind in ("tool-return", "retry-prompt")]
        return ModelResponse(parts=[TextPart(str(told[0].content)) if told else ToolCallPart("look_up", {})])

    return Claude(id="c", model=FunctionModel(model), tools=[look_up], on_finished=got, on_error=got)["hi"]


class Unsayable(Exception):
    def __str__(self) -> str:
        raise ValueError("no words")


def unsayable() -> None:
    raise Unsayable


@pytest.mark.parametrize(
    "app",
    [
        lambda: Task(id="t", run=unsayable, on_error=got),
        lambda: Task(id="t", run=lambda: 1, on_finished=lambda _: unsayable()),
        lambda: Effect(id="e", run=unsayable),
        lambda: Effect(id="e", run=lambda ctx: ctx.state.update("k", lambda _: unsayable())),
        lambda: tool(unsayable),
    ],
    ids=["task", "handler", "effect", "update", "tool"],
)
def test_an_error_that_can_not_say_what_it_is_is_recorded_by_its_class(app: Any, run_of: Any, tmp_path: Path) -> None:
    ex = run_of(app())
    assert run(ex).status in ("finished", "failed")
    assert "Unsayable: its message can't be read" in texts_in(tmp_path / "t.db")


def in_a_file_called(text: str) -> Any:
    named: dict[str, Any] = {}
    exec(compile(f"def run():\n    raise ValueError({text!r})", f"/tmp/{text}.py", "exec"), named)
    return Task(id="t", run=named["run"], on_error=got)


def told_again(text: str) -> Any:
    raise ModelRetry(text)


RECORDED: dict[str, Callable[[str], Any]] = {
    **{place: make for place, make in STRANGE.items() if not place.startswith(("key", "error of a component", "progress"))},
    "printed": lambda text: Task(id="t", run=lambda: print(text), on_finished=got),
    "printed by a component": lambda text: component(lambda: print(text)),
    "props of a task": lambda text: Task(id="t", run=lambda *_: 1, args=[{text: [text]}]),
    "a title of an artifact": lambda text: Effect(id="e", run=lambda ctx: ctx.artifact.table([{text: text}], key=text)),
    "output of a tool": lambda text: tool(lambda: text),
    "data of a tool": lambda text: tool(lambda: {"found": [{text: text}]}),
    "error of a tool": lambda text: tool(raises(text)),
    "what a tool tells the model": lambda text: tool(lambda: told_again(text)),
    "error of a model": lambda text: Claude(id="c", model=scripted(ValueError(text)), on_error=got)["hi"],
    "error of an update": lambda text: Effect(id="e", run=lambda ctx: ctx.state.update("k", lambda _: raises(text)())),
    "error of a child": lambda text: Smithers(id="s", component=component(lambda: raises(text)()), on_error=got),
    "a volatile value": lambda text: Effect(id="e", run=lambda ctx: ctx.vol.set("v", {text: text})),
    "name of a file of code": in_a_file_called,
}  # fmt: skip


def texts_in(path: Path) -> str:
    """Return all that a file holds, with the texts of its JSON as they are read back."""

    def read(value: Any) -> Any:
        try:
            return json.loads(value) if isinstance(value, str) else value
        except ValueError:
            return value

    with closing(sqlite3.connect(path)) as db:
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = [[read(value) for value in row] for name in tables for row in db.execute(f"SELECT * FROM {name}")]
    return "\n".join(map(str, rows))


@pytest.mark.parametrize("place", RECORDED)
def test_a_lone_surrogate_is_recorded_as_the_replacement_character(place: str, tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    app = RECORDED[place](SURROGATE)
    with Execution(app, store=path) as ex:
        result = run(ex)
        while names := run_behind(ex).publish().names:
            ex.answer(names[0], ex.df.approvals.options[0][0], comment=SURROGATE)
            result = run(ex)
        assert result.status in ("finished", "failed", "stopped", "stalled")
        assert not ex.running and not [id for id, status in ex.tasks.items() if status == "pending"]
        assert ex.frame is not None and ex.at(ex.frame.number).xml == ex.frame.xml
        said = [*(problem.message for problem in result.problems), str(ex.state.get("got")), result.reason]
        # The machinery's own words about it stand nowhere.
        assert not [words for words in said if "codec" in words or "surrogate" in words], said
        for name in TABLES:
            getattr(ex.df, name)
    held = texts_in(path)
    held.encode()
    assert "a\ufffdb" in held and "a?b" not in held and "\\ud800" not in held
    sound(path)
    with Execution.resume(app, store=path, id=ex.execution_id) as again:
        assert run(again).status in ("finished", "failed", "stopped", "stalled")


def test_what_is_looked_for_may_hold_a_lone_surrogate(run_of: Any) -> None:
    ex = run_of(Phase(name=SURROGATE)[Step(id=SURROGATE)], name=SURROGATE)
    run(ex)
    store = Store(ex.store.path)
    assert store.open(SURROGATE).df.executions.name[0] == "a\ufffdb"
    assert len(store.sql("SELECT * FROM nodes WHERE node_id = ?", (SURROGATE,))) == 1
    assert len(store.sql(f"SELECT * FROM nodes WHERE node_id = '{SURROGATE}'")) == 1
    assert "nothing had written it" in ex.df.why(SURROGATE).text[0]
    with pytest.raises(UnknownExecutionError):
        store.open(f"{SURROGATE}!")


@pytest.mark.parametrize("what", ["handler", "effect", "task", "printed"])
def test_a_text_that_is_too_long_for_a_row_is_cut_and_stops_nothing(
    what: str, run_of: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    most, text = 2_000_000, "x" * 5_000_000
    apps: dict[str, Any] = {
        "handler": lambda: Task(id="t", run=lambda: 1, on_finished=raises(text)),
        "effect": lambda: Effect(id="e", run=raises(text)),
        "task": lambda: Task(id="t", run=raises(text), on_error=lambda r: None),
        "printed": lambda: Task(id="t", run=lambda: [print(text) for _ in range(50)][:0]),
    }
    # SQLite's limit is 1,000,000,000 bytes: a lower one shows the same in less time.
    monkeypatch.setattr(recordable, "LONGEST", most // 2)
    ex = run_of(apps[what]())
    engine.call(_limited(ex, most))
    assert run(ex).status in ("finished", "failed")
    assert (what == "printed") == ("more characters are not stored" not in texts_in(tmp_path / "t.db"))
    ex.close()
    sound(tmp_path / "t.db")


async def _limited(ex: Execution, most: int) -> None:
    connection = run_behind(ex).live.services.database.shared._connection
    await connection._execute(connection._conn.setlimit, sqlite3.SQLITE_LIMIT_LENGTH, most)


def test_a_value_that_is_too_long_for_a_row_is_refused_where_it_is_set(
    run_of: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(values, "LONGEST", 1000)
    ex = run_of(by_handler("x" * 2000))
    with pytest.raises(NotStorableError, match=r"'key' can't hold this str.*: it has 2,002 bytes, at most 1,000"):
        ex.state.set("key", "x" * 2000)
    result = run(ex)
    assert result.status == "finished" and "at most 1,000 are stored" in result.problems[0].message
    ex.ctx.vol.set("key", "x" * 2000)  # It is in memory only, and shown in short.
    assert run(ex).status == "finished" and ex.df.transitions.new.tolist()[-1] == "str(…)"
    ex.close()
    sound(tmp_path / "t.db")


@pytest.mark.parametrize("text", [NUL, SURROGATE], ids=["NUL", "surrogate"])
def test_an_execution_may_be_called_anything_and_a_key_is_refused(text: str, tmp_path: Path) -> None:
    for options in ({"name": text}, {"state": {text: 1}}):
        try:
            with Execution(Step(), store=tmp_path / "t.db", **options) as ex:
                assert run(ex).status == "finished"
                assert ex.name == text.replace("\ud800", "\ufffd") or dict(ex.state) == {text: 1}
        except NotStorableError:
            assert text == SURROGATE and "state" in options
    sound(tmp_path / "t.db")
