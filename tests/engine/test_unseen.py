"""What a component depends on: seen by the engine, which calls it again; or named by ``ex.lint()``."""

from __future__ import annotations

import datetime
import os
import random
import time
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from os import environ, getenv
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import BaseModel

from smithers_nb import Each, Parallel, Phase, Step, Task, component


@dataclass
class Settings:
    word: str
    more: list[str]


class Slotted:
    __slots__ = ("word",)

    def __init__(self, word: str) -> None:
        self.word = word


class Model(BaseModel):
    word: str


def change_list(value: Any) -> None:
    value.append("two")


def change_word(value: Any) -> None:
    value.word = "two"


CHANGES: dict[str, tuple[Callable[[], Any], Callable[[Any], None]]] = {
    "list": (lambda: ["one"], change_list),
    "dict": (lambda: {"a": "one"}, lambda value: value.update(a="two")),
    "set": (lambda: {"one"}, lambda value: value.add("two")),
    "deque": (lambda: deque(["one"]), change_list),
    "deep inside": (lambda: {"a": [{"b": ["one"]}]}, lambda value: change_list(value["a"][0]["b"])),
    "many": (lambda: list(range(10_000)), change_list),
    "many keys": (lambda: dict.fromkeys(range(10_000)), lambda value: value.pop(5000)),
    "inside a tuple": (lambda: (["one"],), lambda value: change_list(value[0])),
    "True for 1": (lambda: [1], lambda value: value.__setitem__(0, True)),
    "dataclass": (lambda: Settings("one", []), change_word),
    "list of a dataclass": (lambda: Settings("one", []), lambda value: change_list(value.more)),
    "slots": (lambda: Slotted("one"), change_word),
    "model": (lambda: Model(word="one"), change_word),
}


def shown(value: Any) -> str:
    return repr(value.word) if isinstance(value, Slotted) else repr(value)


GLOBAL: Any = None


@pytest.mark.parametrize("how", ["global", "closure", "prop", "prop of the root", "props of the execution"])
@pytest.mark.parametrize(("make", "change"), CHANGES.values(), ids=CHANGES)
def test_a_value_that_is_changed_in_place_is_seen_by_the_next_frame(
    make: Any, change: Any, how: str, run_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    value = make()
    monkeypatch.setitem(globals(), "GLOBAL", value)
    calls: list[str] = []

    @component
    def Global() -> Any:
        return Phase(name=shown(GLOBAL))

    @component
    def Closure() -> Any:
        return Phase(name=shown(value))

    @component
    def Prop(given: Any) -> Any:
        calls.append("prop")
        return Phase(name=shown(given))

    @component
    def App(ctx: Any) -> Any:
        ctx.state.get("n")
        return Parallel()[Prop(given=value), Phase(name="beside")]

    app, props = {
        "global": (Global(), None),
        "closure": (Closure(), None),
        "prop": (App(), None),
        "prop of the root": (Prop(given=value), None),
        "props of the execution": (Prop, {"given": value}),
    }[how]
    ex = run_of(app, props=props)
    ex.run_sync()
    before = ex.frame.xml
    calls.clear()
    ex.state.set("n", 1)
    ex.run_sync()
    assert calls == [], "nothing has changed"
    change(value)
    ex.state.set("n", 2)
    ex.run_sync()
    assert ex.frame.xml != before
    assert ex.frame.tree == ex.preview()


def test_equal_values_that_are_made_anew_call_nothing_again(run_of: Any) -> None:
    calls: list[str] = []

    @component
    def Leaf(given: Any) -> Any:
        calls.append("leaf")
        return Phase(name=repr(given))

    @component
    def App(ctx: Any) -> Any:
        ctx.state.get("n")
        day = datetime.date(2026, 1, 1)
        values = [["a"], {"a": [day]}, (1, 2), Settings("one", ["a"]), Model(word="a"), day]
        return Parallel()[[Leaf(given=value, key=str(place)) for place, value in enumerate(values)]]

    ex = run_of(App())
    ex.run_sync()
    calls.clear()
    ex.state.set("n", 1)
    ex.run_sync()
    assert calls == []


# ---- what is named by lint -------------------------------------------------------------------------------------

TABLE = pd.DataFrame({"a": [1]})
ARRAY = np.array([1])
WORDS = ["one"]
FROZEN = ("one", 2)
CONFIG = Settings("one", [])


def helper() -> Any:
    return len(WORDS)


def outer() -> Any:
    return os.getenv("HOME")


def pure() -> int:
    return 1


class Holder:
    words = ["one"]  # noqa: RUF012  # it is what the test is about

    def read(self) -> Any:
        return time.time()


HOLDER = Holder()
UNSEEN: dict[str, tuple[Callable[[Any], Any], str, str]] = {
    "environ": (lambda ctx: os.environ["HOME"], "os.environ", "as a prop or in the state"),
    "environ.get": (lambda ctx: os.environ.get("HOME"), "os.environ", "as a prop"),
    "environ by name": (lambda ctx: "HOME" in environ, "os.environ", "as a prop"),
    "getenv": (lambda ctx: os.getenv("HOME"), "os.getenv()", "as a prop"),
    "getenv by name": (lambda ctx: getenv("HOME"), "os.getenv()", "as a prop"),
    "open": (lambda ctx: open("x").read(), "open()", "ctx.fs.read"),  # noqa: SIM115  # never called
    "read_text": (lambda ctx: Path("x").read_text(), "read_text()", "ctx.fs.read"),
    "read_bytes": (lambda ctx: (Path("a") / "b").read_bytes(), "read_bytes()", "ctx.fs.read"),
    "listdir": (lambda ctx: os.listdir("."), "os.listdir()", "ctx.fs"),
    "exists": (lambda ctx: os.path.exists("."), "os.path.exists()", "ctx.fs"),
    "read_csv": (lambda ctx: pd.read_csv("x"), "pd.read_csv()", "ctx.fs.read"),
    "time": (lambda ctx: time.time(), "time.time()", "ctx.now()"),
    "now": (lambda ctx: datetime.datetime.now(), "datetime.datetime.now()", "ctx.now()"),
    "today": (lambda ctx: datetime.date.today(), "datetime.date.today()", "ctx.now()"),
    "random": (lambda ctx: random.random(), "random.random()", "ctx.rand()"),
    "choice": (lambda ctx: random.choice([1]), "random.choice()", "ctx.rand()"),
    "numpy's random": (lambda ctx: np.random.rand(), "np.random.rand()", "ctx.rand()"),
    "uuid": (lambda ctx: uuid.uuid4(), "uuid.uuid4()", "ctx.rand()"),
    "table": (lambda ctx: len(TABLE), "what stands in TABLE (DataFrame)", "in the state"),
    "array": (lambda ctx: ARRAY[0], "what stands in ARRAY (ndarray)", "in the state"),
    "of a class": (lambda ctx: Holder.words, "the list Holder.words", "in the state"),
    "through a helper": (lambda ctx: helper(), "what stands in WORDS (list)", "in the state"),
    "clock through a method": (lambda ctx: HOLDER.read(), "time.time()", "ctx.now()"),
    "through two": (lambda ctx: [outer() for _ in range(2)], "os.getenv()", "as a prop"),
    "in a generator": (lambda ctx: sum(time.time() for _ in range(2)), "time.time()", "ctx.now()"),
}


def findings(app: Any, run_of: Any) -> list[Any]:
    ex = run_of(app)
    ex.run_sync()
    return [problem for problem in ex.lint() if problem.kind == "UnseenDependency"]


@pytest.mark.parametrize(("read", "what", "way"), UNSEEN.values(), ids=UNSEEN)
def test_what_the_engine_can_not_see_is_named(read: Any, what: str, way: str, run_of: Any) -> None:
    """The code is looked at, not run: so that a file need not be there."""

    @component
    def App(ctx: Any) -> Any:
        if ctx.state.get("on"):
            read(ctx)
        return Step()

    [found] = findings(App(), run_of)
    assert found.message.startswith(f"App depends on {what}") or what in found.message
    assert way in found.message and "@component(always=True)" in found.message
    assert found.severity == "hint"
    assert found.source.startswith("test_unseen.py:")


def test_imports_and_functions_inside_of_a_component_are_looked_at(run_of: Any) -> None:
    @component
    def App(ctx: Any) -> Any:
        import time as clock
        from os import environ as settings

        def inner() -> Any:
            return random.random()

        if ctx.state.get("on"):
            return Phase(name=f"{clock.time()} {settings['HOME']} {inner()}")
        return Step()

    found = "".join(problem.message for problem in findings(App(), run_of))
    assert all(what in found for what in ("clock.time()", "os.environ", "random.random()")) or found.count("App ") == 3


def handler(_: Any) -> Any:
    return os.environ, time.time(), open


SEEN: dict[str, Callable[[Any], Any]] = {
    "handler": lambda ctx: Task(id="t", run=pure, on_finished=lambda _: time.time()),
    "handler by name": lambda ctx: Task(id="t", run=pure, on_finished=handler),
    "task": lambda ctx: Task(id="t", run=lambda: os.environ["HOME"] and time.time()),
    "ctx": lambda ctx: Phase(name=str(ctx.state.get("x"))),
    "list": lambda ctx: Phase(name=str(WORDS)),
    "tuple": lambda ctx: Phase(name=str(FROZEN)),
    "settings": lambda ctx: Phase(name=CONFIG.word),
    "pure helper": lambda ctx: Phase(name=str(pure())),
    "each": lambda ctx: Each(items=[1], key=str, render=lambda item: Phase(name=str(item))),
    "path": lambda ctx: Phase(name=str(Path("a") / "b") + os.path.join("a", "b")),
    "dates": lambda ctx: Phase(name=str(datetime.timedelta(days=1) + datetime.datetime(2026, 1, 1))),
}


@pytest.mark.parametrize("plan", SEEN.values(), ids=SEEN)
def test_what_runs_elsewhere_or_is_seen_is_not_named(plan: Any, run_of: Any) -> None:
    assert findings(component(plan)(), run_of) == []


def test_a_component_that_is_called_in_every_frame_depends_on_what_it_likes(run_of: Any) -> None:
    @component(always=True)
    def Always() -> Any:
        return Phase(name=str(time.time()))

    @component
    def Reads(ctx: Any) -> Any:
        return Phase(name=f"{ctx.now()} {time.time()}")

    assert findings([Always(), Reads()], run_of) == []
