"""Outputs of agents and tasks keep their type; what could not be stored is refused before a model is paid."""

from __future__ import annotations

import enum
from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pytest
from pydantic import BaseModel, Field
from pydantic_ai import Agent as OwnAgent
from pydantic_ai import NativeOutput, PromptedOutput, TextOutput, ToolOutput
from pydantic_ai.models.test import TestModel
from typing_extensions import TypedDict

from smithers_nb import Agent, Claude, Execution, Task, component, scripted
from smithers_nb.errors import PropError
from tests.store import kept as k
from tests.store.checks import run


class Row(TypedDict):
    due: date
    todo: k.Todo


def shout(text: str) -> list[k.Todo]:
    return [k.Todo(title=text.upper())]


def keep(todo: k.Todo) -> k.Item:
    return k.Item(todo.title)


TODO = {"title": "a", "due": "2026-01-02", "tags": ["x", "y"], "price": "1.50"}
A_TODO = k.Todo(title="a", due=date(2026, 1, 2), tags={"x", "y"}, price=Decimal("1.50"))
OUTPUTS: dict[str, tuple[Any, Any, Any]] = {
    "model": (k.Todo, TODO, A_TODO),
    "list of models": (list[k.Todo], {"response": [TODO, TODO]}, [A_TODO, A_TODO]),
    "dict of models": (dict[str, k.Todo], {"response": {"a": TODO}}, {"a": A_TODO}),
    "tuple": (tuple[int, k.Todo], {"response": [1, TODO]}, (1, A_TODO)),
    "set": (set[k.Colour], {"response": ["red", "blue"]}, {k.Colour.RED, k.Colour.BLUE}),
    "dataclass": (k.Item, {"name": "a", "parts": [TODO]}, k.Item("a", None, [A_TODO])),
    "Enum": (k.Colour, {"response": "red"}, k.Colour.RED),
    "date": (date, {"response": "2026-01-02"}, date(2026, 1, 2)),
    "Decimal": (Decimal, {"response": "1.50"}, Decimal("1.50")),
    "list of dates": (list[datetime], {"response": ["2026-01-02T03:04:05"]}, [datetime(2026, 1, 2, 3, 4, 5)]),
    "NamedTuple": (k.Point, {"response": [1, "2"]}, k.Point(1, Decimal(2))),
    "TypedDict": (Row, {"due": "2026-01-02", "todo": TODO}, {"due": date(2026, 1, 2), "todo": A_TODO}),
    "generic model": (k.Page[k.Todo], {"items": [TODO]}, k.Page[k.Todo](items=[A_TODO])),
    "union": (k.Todo | k.Base, TODO, A_TODO),
    "list of types": ([k.Base, k.Todo], {"a": 2}, k.Base(a=2)),
    "Literal": (Literal["a", "b"], {"response": "a"}, "a"),
    "Annotated": (Annotated[int, Field(gt=0)], {"response": 2}, 2),
    "ToolOutput": (ToolOutput(list[k.Todo], name="todos"), {"response": [TODO]}, [A_TODO]),
    "PromptedOutput": (PromptedOutput([k.Todo]), TODO, A_TODO),
    "NativeOutput": (NativeOutput(k.Todo), TODO, A_TODO),
    "TextOutput": (TextOutput(shout), "a", [k.Todo(title="A")]),
    "function": (keep, TODO, k.Item("a")),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "reply", "output"), OUTPUTS.values(), ids=OUTPUTS)
def test_an_output_is_stored_with_its_type(kind: Any, reply: Any, output: Any, run_of: Any, resumed: Any) -> None:
    @component
    def App(ctx: Any) -> Any:
        ctx.state.get("out")
        return Claude(
            id="c", model=scripted(reply), output_type=kind, on_finished=lambda r: ctx.state.set("out", r.output)
        )["hi"]

    ex = run_of(App)
    result = run(ex)
    assert (result.status, result.problems) == ("finished", ())
    ex.close()
    ex = resumed(App)
    assert ex.state["out"] == output and type(ex.state["out"]) is type(output)
    assert ex.tasks["c"] == "succeeded"


def local_types() -> dict[str, tuple[Any, str]]:
    class Local(BaseModel):
        a: int = 1

    @dataclass
    class Data:
        a: int = 1

    class Kind(enum.Enum):
        A = 1

    return {
        "model": (Local, "Local"),
        "list of models": (list[Local], "Local"),
        "dict of a union": (dict[str, int | Local], "Local"),
        "dataclass": (Data, "Data"),
        "Enum": (Kind, "Kind"),
        "generic model": (k.Page[Local], "Local"),
        "one of several": ([k.Todo, Local], "Local"),
        "ToolOutput": (ToolOutput(Local), "Local"),
        "NativeOutput": (NativeOutput([k.Todo, Local]), "Local"),
        "PromptedOutput": (PromptedOutput(Local), "Local"),
    }


REFUSED: dict[str, tuple[Any, str]] = {
    **{f"{name} made in a function": case for name, case in local_types().items()},
    "secret": (k.Secret, "SecretStr"),
    "secret deep inside": (list[k.Page[k.Secret]], "SecretStr"),
    "excluded field": (k.Excluded, "lost"),
    "keys that are no text": (dict[int, str], "keys"),
    "defaultdict": (defaultdict[str, list[int]], "dict"),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "word"), REFUSED.values(), ids=REFUSED)
def test_an_output_type_that_could_not_be_stored_is_refused_while_rendering_and_nothing_is_paid(
    kind: Any, word: str, run_of: Any
) -> None:
    model = scripted({})

    @component
    def App() -> Any:
        return Claude(id="c", model=model, output_type=kind)["hi"]

    with pytest.raises(PropError, match="'output_type' of <claude>") as error:
        run_of(App).step_sync()
    assert word in str(error.value) and "could not be stored" in str(error.value)
    assert model.calls == []
    with pytest.raises(PropError, match="'agent' of <agent>"):
        Agent(id="a", agent=OwnAgent(TestModel(), output_type=kind))


def test_what_a_task_returned_is_told_where_it_can_not_be_stored(run_of: Any) -> None:
    results: list[Any] = []
    run(run_of(Task(id="t", run=lambda: {"rows": [1, np.float64(2.5)]}, on_error=results.append)))
    for words in ("output['rows'][1]", "use .item()", "np.float64(2.5)", "task t returned (dict)", "ctx.vol"):
        assert words in results[0].error


def test_a_task_returns_any_value_that_is_kept(run_of: Any, resumed: Any) -> None:
    app = Task(
        id="t", run=lambda: [A_TODO, (k.Colour.RED, Path("a"))], on_finished=lambda r, ctx: ctx.state.set("x", r.output)
    )
    ex: Execution = run_of(app)
    assert run(ex).status == "finished"
    ex.close()
    assert resumed(app).state["x"] == [A_TODO, (k.Colour.RED, Path("a"))]
    assert ex.df.tasks.result_type[0].startswith("list[")
