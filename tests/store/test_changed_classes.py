"""A class that is not what it was when a value was stored: its cell was run again, or its module was edited."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from smithers_nb import End, Execution, Task, component
from smithers_nb.errors import RenderMutationError, SmithersError, StoreError
from smithers_nb.notebook import messages
from smithers_nb.notebook.view_of import view_of
from smithers_nb.recording import Store
from tests.store.checks import run, sound

BEFORE = """
import enum
from dataclasses import dataclass
from typing import NamedTuple
from uuid import uuid4
from pydantic import BaseModel, Field, field_validator

class Todo(BaseModel):
    title: str
    count: int = 1

@dataclass
class Item:
    name: str
    size: int = 1

class Point(NamedTuple):
    x: int
    y: int = 0

class Kind(enum.Enum):
    A = "a"
    B = "b"

def values():
    return {
        "model": Todo(title="a", count=20),
        "models": [Todo(title="a"), Todo(title="b")],
        "deep": {"a": ([Todo(title="a")], 1), "b": None},
        "item": Item("a", 20),
        "point": Point(1, 20),
        "kind": Kind.B,
        "kinds": {"k": {Kind.A, Kind.B}},
        "plain": [1],
    }
"""
READABLE = {
    "a new field with a default": ("count: int = 1", "count: int = 1\n    due: str | None = None"),
    "a new field with a default made anew": ("count: int = 1", "count: int = 1\n    id: str = Field(default_factory=lambda: uuid4().hex)"),
    "a field removed": ("    count: int = 1\n\n@dataclass", "\n@dataclass"),
    "a type that is wider": ("count: int", "count: float"),
    "a field renamed with an alias": ("    title: str\n", "    name: str = Field(validation_alias='title')\n"),
    "a new field of a dataclass": ("size: int = 1", "size: int = 1\n    more: tuple = ()"),
    "a field of a NamedTuple with a default": ("y: int = 0", "y: int = 0\n    z: int = 0"),
    "a new member": ('B = "b"', 'B = "b"\n    C = "c"'),
}  # fmt: skip
UNREADABLE: dict[str, tuple[str, str, dict[str, str]]] = {
    "a new field without a default": ("    count: int = 1\n", "    count: int = 1\n    due: str\n", dict.fromkeys(["model", "models", "deep"], "due: Field required")),
    "a type that is narrower": ("count: int = 1", "count: int = Field(1, lt=10)", {"model": "count: Input should be less than 10"}),
    "a validator that raises": ("    count: int = 1\n", "    count: int = 1\n    @field_validator('count')\n    def small(cls, n):\n        return 1 // (n < 10)\n", {"model": "ZeroDivisionError"}),
    "a dataclass": ("    size: int = 1\n", "    size: int\n    more: str\n", {"item": "more: Field required"}),
    "a class that is gone": ("class Todo", "class Other", dict.fromkeys(["model", "models", "deep"], "is not defined in this process")),
    "a member that is gone": ('    B = "b"\n', "", {"kind": "Input should be", "kinds": "Input should be"}),
}  # fmt: skip


@pytest.fixture
def evolving() -> Iterator[Callable[[str], ModuleType]]:
    """Run a source as the module ``evolving``, in the place of the one before: as a cell that is run again."""
    module = ModuleType("evolving")
    sys.modules["evolving"] = module

    def define(source: str) -> ModuleType:
        for name in [name for name in vars(module) if not name.startswith("__")]:
            delattr(module, name)
        exec(compile(source, "evolving", "exec", dont_inherit=True), vars(module))
        return module

    yield define
    del sys.modules["evolving"]


def changed(pair: tuple[str, ...]) -> str:
    old, new = pair[:2]
    assert old in BEFORE
    source = BEFORE.replace(old, new)
    return source[: source.index("def values")]


def reads(seen: dict[str, Any]) -> Any:
    @component
    def App(ctx: Any) -> Any:
        for key in ("model", "models", "deep", "item", "point", "kind", "kinds"):
            seen[key] = ctx.state.get(key)
        return Task(id="t", run=lambda: 1, on_finished=lambda r, ctx: ctx.state.set("done", ctx.state["plain"]))

    return App


@pytest.mark.parametrize("how", ["resume", "go on"])
@pytest.mark.parametrize("change", READABLE.values(), ids=READABLE)
def test_a_changed_class_reads_what_was_stored_and_no_component_is_blamed(
    change: tuple[str, str], how: str, run_of: Any, resumed: Any, evolving: Any, tmp_path: Path
) -> None:
    seen: dict[str, Any] = {}
    ex = run_of(reads(seen), state=evolving(BEFORE).values())
    if how == "resume":
        ex.close()
    module = evolving(changed(change))
    if how == "resume":
        ex = resumed(reads(seen))
    assert run(ex).status == "finished" and run(ex).problems == ()
    assert type(seen["model"]) is module.Todo and [type(one) for one in seen["models"]] == [module.Todo] * 2
    assert type(seen["deep"]["a"][0][0]) is module.Todo
    assert (type(seen["item"]), type(seen["point"])) == (module.Item, module.Point)
    assert seen["kind"] is module.Kind.B and seen["kinds"] == {"k": {module.Kind.A, module.Kind.B}}
    assert type(ex.state["model"]) is module.Todo and ex.state["done"] == [1]
    ex.close()
    sound(tmp_path / "t.db")


@pytest.mark.parametrize("change", [BEFORE, changed(READABLE["a new field with a default"])], ids=["same", "changed"])
def test_a_component_that_changes_such_a_value_in_place_is_still_found(change: str, run_of: Any, evolving: Any) -> None:
    @component
    def App(ctx: Any) -> Any:
        ctx.state["model"].count += 1

    ex = run_of(App, state=evolving(BEFORE).values())
    evolving(change)
    with pytest.raises(RenderMutationError, match="'model'"):
        ex.step_sync()


@pytest.mark.parametrize("change", UNREADABLE.values(), ids=UNREADABLE)
def test_what_a_changed_class_can_not_read_raises_where_it_is_read_and_all_else_goes_on(
    change: Any, run_of: Any, resumed: Any, evolving: Any, tmp_path: Path
) -> None:
    broken: dict[str, str] = change[2]
    known: list[Any] = []

    @component
    def App(ctx: Any) -> Any:
        known.append(sorted(key for key in VALUES if key in ctx.state))
        return Task(id="t", run=lambda: 1, on_finished=lambda r: None)

    VALUES = evolving(BEFORE).values()
    run_of(App, state=VALUES).close()
    evolving(changed(change))
    ex = resumed(App)
    assert run(ex).status == "finished"
    views = (ex.state, ex.at(1).state, Store(tmp_path / "t.db").open(ex.execution_id).at(1).state)
    for state in views:
        for key in VALUES:
            assert key in state
            if key not in broken:
                state[key]
                continue
            with pytest.raises(StoreError) as error:
                state[key]
            for words in (f"state key {key!r}", "evolving:", broken[key], f"ex.state.delete({key!r})", "ex.state.set("):
                assert words in str(error.value)
    with pytest.raises(StoreError, match="can't be read"):
        ex.ctx.state.get(next(iter(broken)))
    assert known == [sorted(VALUES)]
    assert set(ex.df.state.key) == set(VALUES) and len(ex.df.state_at(1)) == len(VALUES)
    assert ex.df.timeline() is not None and ex.store.check().ok and repr(ex.at(1).state)
    assert ex.export(tmp_path / "x.ndjson").exists()
    shown = view_of(ex).pane(messages.incoming.validate_python({"type": "get", "id": "r", "pane": "state"}))
    assert {entry["key"] for entry in shown["entries"]} == set(VALUES)
    for key in broken:
        ex.state.set(key, "mended")
    first, *others = broken
    ex.state.delete(first)
    assert run(ex).status == "finished"
    assert first not in ex.state and all(ex.state[key] == "mended" for key in others)
    ex.close()
    sound(tmp_path / "t.db")


def test_a_component_and_a_handler_that_read_it_are_told_with_its_name(
    run_of: Any, resumed: Any, evolving: Any
) -> None:
    @component
    def App(ctx: Any) -> Any:
        if "go" in ctx.state:
            ctx.state["model"]
        return Task(id="t", run=lambda: 1, on_finished=lambda r: ctx.state.update("model", lambda old: old))

    run_of(App, state=evolving(BEFORE).values()).close()
    evolving(changed(UNREADABLE["a class that is gone"]))
    ex = resumed(App)
    (problem,) = run(ex).problems
    assert "state key 'model' can't be read" in problem.message
    ex.state.set("go", 1)
    with pytest.raises(SmithersError, match="state key 'model' can't be read"):
        run(ex)
    ex.state.delete("model")
    ex.state.delete("go")
    assert run(ex).status == "finished"


def test_a_result_that_can_not_be_read_is_told_by_its_handler_and_can_be_run_again(
    run_of: Any, resumed: Any, evolving: Any
) -> None:
    module = evolving(BEFORE)
    handled: list[Any] = []

    def make() -> Any:
        return Task(id="t", run=lambda: sys.modules["evolving"].Todo(title="a"), on_finished=handled.append)

    ex = run_of(make())
    ex.step_sync()
    ex.step_sync()
    assert [type(result.output) for result in handled] == [module.Todo]
    handled.clear()
    ex.close()  # Before the FLUSH that would have marked it as handled.
    evolving(changed(UNREADABLE["a new field without a default"][:2]))
    ex = resumed(make())
    (problem,) = run(ex).problems
    assert "the output of t can't be read" in problem.message and "ex.retry('t')" in problem.message
    assert handled == []
    evolving(BEFORE)
    ex.retry("t")
    assert run(ex).status == "finished" and handled[0].output.title == "a"


def test_the_value_of_an_end_that_can_not_be_read_is_told(run_of: Any, evolving: Any) -> None:
    ex = run_of(End(value=evolving(BEFORE).Todo(title="a")))
    assert run(ex).status == "finished"
    evolving(changed(UNREADABLE["a class that is gone"]))
    with pytest.raises(StoreError, match="the value of the End can't be read"):
        ex.result  # noqa: B018  # the property raises
    assert "Todo" in ex.df.executions.result_type[0]


def test_a_replay_knows_the_types_of_what_a_person_set(run_of: Any, evolving: Any) -> None:
    module = evolving(BEFORE)
    ex: Execution = run_of(reads({}), state={"plain": 1})
    assert run(ex).status == "finished"
    for _ in range(2):
        ex.state.set("model", module.Todo(title="a"))
        ex.state.set("point", module.Point(1))
        assert run(ex).status == "finished"
    assert ex.replay().same
