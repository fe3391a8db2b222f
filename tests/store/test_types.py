"""Values keep their type, at every depth and over a restart; what would not is refused where it is set, with its place."""

from __future__ import annotations

import enum
import re
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from fractions import Fraction
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Annotated, Any, List, Union  # noqa: UP035  # users write it so
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from smithers_nb import End, Step, Task, component
from smithers_nb.errors import NotStorableError, RenderMutationError
from smithers_nb.values import Unstorable, decode, encode
from tests.store import kept as k
from tests.store.checks import run, sound

BERLIN = ZoneInfo("Europe/Berlin")
SUMMER = timezone(timedelta(hours=2, seconds=30))

KEPT: dict[str, Any] = {
    "tuple": (1, 2),
    "empty tuple": (),
    "tuple in a dict in a list": [{"a": (1, [()])}],
    "set": {3, 1, 2},
    "set of text": {"b", "a", "c"},
    "frozenset": frozenset({1.5}),
    "tuple of sets": ({1}, frozenset(), {frozenset({1, 2})}),
    "set of enums": {k.Colour.RED, k.Colour.BLUE},
    "set of what can't be ordered": {"1", 1, Decimal("1.5"), None, (1, "a")},
    "datetime": datetime(2026, 1, 2, 3, 4, 5, 6),
    "datetime in UTC": datetime(2026, 1, 2, tzinfo=timezone.utc),  # noqa: UP017  # users write it so
    "datetime at an offset": datetime(2026, 1, 2, tzinfo=SUMMER),
    "datetime in a zone": datetime(2026, 7, 2, tzinfo=BERLIN),
    "datetime in the second 2:30 of a night": datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=1),
    "datetime in an hour that the clocks skip": datetime(2026, 3, 29, 2, 30, tzinfo=BERLIN),
    "datetime in an hour that the clocks skip, by the later offset": datetime(
        2026, 3, 29, 2, 30, tzinfo=BERLIN, fold=1
    ),
    "date": date(2026, 1, 2),
    "dates and none": [date(2026, 1, 2), None, date(2026, 1, 3)],
    "date beside plain values": {"a": date(2026, 1, 2), "b": 1, "c": [1, date(2026, 1, 2)]},
    "a key that needs quotes": {'a "b": [c]?,': date(2026, 1, 2), "d": 1},
    "time": time(1, 2, 3),
    "time in a zone": time(1, tzinfo=BERLIN),
    "timedelta": timedelta(days=-1, microseconds=1),
    "decimal": Decimal("1.50"),
    "decimal infinity": Decimal("-Infinity"),
    "decimals by name": {"a": Decimal(1), "b": Decimal("2.0")},
    "UUID": UUID(int=7),
    "bytes": b"\xff\x00a",
    "bytes and none": [b"a", None],
    "path": Path("a/b"),
    "pure path": PurePosixPath("a"),
    "path of Windows": PureWindowsPath("c:/a"),
    "complex": 1 + 2j,
    "fraction": Fraction(1, 3),
    "StrEnum": k.Colour.RED,
    "StrEnum in a list": ["red", k.Colour.RED],
    "IntEnum": {"a": k.Level.HIGH, "b": 2},
    "Flag": k.Right.READ | k.Right.WRITE,
    "Enum of a tuple": k.Planet.EARTH,
    "Enum of a Decimal": [k.Planet.MARS, Decimal("1.50")],
    "Enum of None": [k.Planet.NONE, None],
    "Enum of a date": k.Planet.DAY,
    "Enum of an object": k.Planet.OBJECT,
    "OrderedDict": OrderedDict(b=1, a=2),
    "Counter": [Counter("aab")],
    "deque": deque([1, 2]),
    "model": k.Todo(title="a", due=date(2026, 1, 2), tags={"x", "y", "z"}, price=Decimal("1.0")),
    "list of models": [k.Todo(title="a"), k.Todo(title="b")],
    "models and none": [k.Todo(title="a"), None],
    "models of two classes": [k.Todo(title="a"), k.Base(), k.Derived()],
    "dict of models": {"a": k.Todo(title="a"), "n": 1},
    "tuple of a list of models": ([k.Todo(title="a")], 1),
    "inner class": k.Outer.Inner(a=2),
    "generic model": k.Page[k.Todo](items=[k.Todo(title="a")]),
    "generic model of a generic model": [k.Page[k.Page[k.Todo]](items=[k.Page[k.Todo](items=[])])],
    "generic model of a list": k.Page[list[int]](items=[[1]]),
    "generic model of a tuple": k.Page[tuple[int, ...]](items=[(1, 2)]),
    "generic model of a choice": k.Pair[k.Choice, dict[str, Decimal]](one="a", other={"a": Decimal("1.0")}),
    "generic model of a union": k.Pair[int, k.Todo | None](one=1, other=None),
    "generic model of a Union": k.Page[Union[int, k.Todo]](items=[1]),  # noqa: UP007  # another class for pydantic
    "generic model of anything": k.Page[Any](items=[1]),
    "root model": k.Words(["a"]),
    "model with extra fields": k.Extra(a=1, b=[2]),  # type: ignore[call-arg]
    "model with a computed field": k.Closed(a=2),
    "model with aliases": k.Aliased(**{"theName": "a", "in": 2}),
    "model with private attributes": k.Private(),
    "model with bytes": k.Raw(data=b"a"),
    "model with anything": k.Holder(anything=[{"a": 1}]),
    "dataclass": k.Item("abc", datetime(2026, 1, 2, tzinfo=BERLIN), [k.Todo(title="t", tags={"q", "r"})]),
    "frozen dataclass": [k.Frozen((1, 2), k.Colour.RED)],
    "NamedTuple": k.Point(1, Decimal("1.50")),
    "NamedTuple in a list": [k.Point(1), (1, Decimal(1))],
    "namedtuple": k.Plain(1, ["a"]),
}


def types_of(value: Any) -> Any:
    """The types in a value, at every depth."""
    inner: list[Any] = []
    if isinstance(value, dict):
        inner = [types_of(part) for pair in value.items() for part in pair]
    elif isinstance(value, list | tuple | deque):
        inner = [types_of(item) for item in value]
    elif isinstance(value, set | frozenset):
        inner = sorted((types_of(item) for item in value), key=repr)
    elif hasattr(value, "__dict__") and not isinstance(value, enum.Enum | type):
        inner = [types_of(item) for _, item in sorted(vars(value).items())]
    return (type(value), inner) if inner else type(value)


def same(one: Any, other: Any) -> bool:
    return bool(one == other) and types_of(one) == types_of(other)


@pytest.mark.parametrize("value", KEPT.values(), ids=KEPT)
def test_a_value_comes_back_as_it_was(value: Any) -> None:
    stored = encode(value)
    back = decode(stored)
    assert same(back, value)
    assert encode(back) == stored, "else a component that reads it would be said to have changed it"
    assert getattr(back, "tzinfo", None) == getattr(value, "tzinfo", None)
    assert back is value or back is not decode(stored) or isinstance(value, tuple | frozenset), "it is a fresh one"


def test_values_keep_their_type_in_a_handler_a_component_a_restart_and_every_view(
    run_of: Any, resumed: Any, tmp_path: Path
) -> None:
    rendered: dict[str, Any] = {}

    @component
    def App(ctx: Any) -> Any:
        rendered.update({key: ctx.state.get(key) for key in KEPT})
        return [
            Task(id=f"t{number}", run=lambda value=value: value, on_finished=lambda r, key=key: ctx.state.set(key, r.output))
            for number, (key, value) in enumerate(KEPT.items())
        ]  # fmt: skip

    ex = run_of(App())
    assert run(ex).status == "finished"
    frames = ex.frame.number
    assert all(same(ex.state[key], value) for key, value in KEPT.items())
    assert all(same(rendered[key], value) for key, value in KEPT.items())
    assert all(same(ex.at(frames).state[key], value) for key, value in KEPT.items())
    assert set(ex.df.state.key) == set(KEPT) and len(ex.df.state_at(frames)) == len(KEPT)
    assert ex.store.check().ok
    ex.close()
    ex = resumed(App())
    assert all(same(ex.state[key], value) for key, value in KEPT.items())
    rendered.clear()
    ex.state.set("again", 1)
    assert run(ex).status == "finished"
    assert all(same(rendered[key], value) for key, value in KEPT.items())
    ex.close()
    sound(tmp_path / "t.db")


def test_the_first_state_and_the_value_of_an_end_keep_their_type(run_of: Any) -> None:
    ex = run_of(End(value=(k.Todo(title="a"), {"due": date(2026, 1, 2)})), state={"x": {k.Colour.RED}})
    assert run(ex).status == "finished"
    assert same(ex.result, (k.Todo(title="a"), {"due": date(2026, 1, 2)}))
    assert same(ex.state["x"], {k.Colour.RED})


def made_in_a_function() -> dict[str, Any]:
    class Local(BaseModel):
        a: int = 1

    @dataclass
    class Data:
        a: int = 1

    class Kind(enum.Enum):
        A = 1

    return {
        "local model": (Local(), "k"),
        "local model in a list": ([0, Local()], "k[1]"),
        "local dataclass": (Data(), "k"),
        "local Enum": (Kind.A, "k", "store its .value"),
        "generic model of a local one": (k.Page[Local](items=[]), "k"),
    }


class Seasons(tzinfo):
    """A time zone that only its own class knows."""

    def utcoffset(self, at: datetime | None) -> timedelta | None:
        return at and timedelta(hours=at.month // 6)

    def dst(self, at: datetime | None) -> None: ...


def hidden() -> k.Private:
    value = k.Private()
    value._hidden = 1
    return value


REFUSED: dict[str, tuple[Any, ...]] = {
    **made_in_a_function(),
    "class without a name": (type("Nameless", (BaseModel,), {})(), "can't be found again"),
    "generic model of an annotation": (k.Page[Annotated[int, Field(gt=0)]](items=[1]), "Give it one"),
    "generic model of a List": (k.Page[List[int]](items=[[1]]), "can't be found again"),  # noqa: UP006
    "str subclass": ([k.Text("a")], "k[0]", "use str(…)"),
    "float subclass": ({"a": [k.Number(1)]}, "k['a'][0]", "use float(…)"),
    "list subclass": ({"a": k.Names()}, "k['a']", "use list(…)"),
    "defaultdict": ([defaultdict(list, a=[1])], "k[0]", "use dict(…)"),
    "deque with an end": (deque([1], 3), "maxlen"),
    "key of an Enum": ({"a": {k.Colour.RED: 1}}, "in k['a']", "str(…)"),
    "key of an int": ([{1: "a"}], "in k[0]", "str(…)"),
    "np.float64": ([np.float64(1.5)], "k[0]", ".item()"),
    "np.int64": ({"a": (1, np.int64(1))}, "k['a'][1]", ".item()"),
    "np.bool_": ([np.bool_(True)], "k[0]", ".item()"),
    "np.str_": ([np.str_("a")], "k[0]", ".item()"),
    "np.datetime64": (np.datetime64("2026-01-01"), ".item()"),
    "np.ndarray": ({"a": np.zeros(2)}, "k['a']", ".tolist()"),
    "pd.Timestamp": ([pd.Timestamp("2026-01-01")], "k[0]", ".isoformat()"),
    "DataFrame": (pd.DataFrame({"a": [1]}), ".to_dict()"),
    "bytearray": ([bytearray(b"a")], "k[0]", "bytes(…)"),
    "function": ({"a": len}, "k['a']"),
    "exception": (ValueError("a"), "k"),
    "pattern with flags": (re.compile("a", re.IGNORECASE), "k"),
    "NaN": ([float("nan")], "k[0]", "use None, or text"),
    "infinity": ({"a": (1, float("inf"))}, "k['a'][1]", "use None, or text"),
    "lone surrogate": ({"a": ["\ud800"]}, "k['a'][0]", "no valid text"),
    "lone surrogate in a model": ([k.Todo(title="\ud800")], "k[0]", "no valid text"),
    "bytes of a model": (k.Raw(data=b"\xff"), "ser_json_bytes"),
    "derived where base is declared": (k.Holder(base=k.Derived()), "k.base", "Derived", "Base"),
    "tuple where anything is declared": ([k.Holder(anything=(1,))], "k[0].anything", "tuple"),
    "Enum where anything is declared": (k.Holder(anything=k.Colour.RED), "k.anything", "Colour"),
    "OrderedDict deep in anything": (k.Holder(anything=[{"a": OrderedDict()}]), "k.anything[0]['a']", "OrderedDict"),
    "model in a dataclass's Any": (k.Loose(k.Todo(title="a")), "k.any", "Todo"),
    "Decimal in a namedtuple": ([k.Plain(1, Decimal(1))], "k[0].b", "Decimal"),
    "Decimal in an OrderedDict": (OrderedDict(a=Decimal(1)), "k['a']", "Decimal"),
    "secret": (k.Secret(token="a"), "k.token", "SecretStr"),
    "excluded field": (k.Excluded(lost=1), "k.lost"),
    "private attribute": ([hidden()], "k[0]._hidden"),
    "zone without a name": ([datetime(2026, 1, 1, tzinfo=Seasons())], "time zone of k[0]"),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_a_value_that_would_come_back_as_another_is_refused_with_its_place(case: Any, run_of: Any) -> None:
    value, *words = case
    ex = run_of(Step())
    with pytest.raises(NotStorableError, match="'k'") as error:
        ex.state.set("k", value)
    assert [word for word in words if word not in str(error.value)] == [], str(error.value)
    assert ex.pending == ()


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
    | st.dates()
    | st.datetimes(timezones=st.none() | st.just(BERLIN) | st.just(SUMMER))
    | st.timedeltas()
    | st.decimals(allow_nan=False)
    | st.uuids()
    | st.binary(max_size=5)
    | st.sampled_from([*k.Colour, *k.Level, *k.Planet, k.Right(3)])
    | st.builds(k.Todo, title=st.text(max_size=3), tags=st.sets(st.text(max_size=2)))
    | st.builds(k.Point, st.integers(), st.just(Decimal("1.0")))
)
HASHABLE = st.integers() | st.text(max_size=3) | st.dates() | st.sampled_from([*k.Colour])
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text(max_size=3), inner, max_size=4)
        | st.sets(HASHABLE, max_size=4)
        | st.frozensets(HASHABLE, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(VALUES)
def test_any_value_of_these_types_comes_back_equal_and_of_the_same_types(value: Any) -> None:
    try:
        stored = encode(value)
    except Unstorable as why:
        assert "surrogate" in str(why)
        return
    back = decode(stored)
    assert same(back, value)
    assert encode(back) == stored


WRITES_A_SET = """
import sys
from datetime import date
from smithers_nb import Execution, Step, Task, component
from tests.store.kept import Todo, Item

def todo():
    return Todo(title="a", tags=set("abcdefgh"))

@component
def App(ctx):
    found = [ctx.state.get(key) for key in ("model", "models", "set", "deep")]
    return Task(id=f"t{len(found)}", run=todo, on_finished=lambda r: ctx.state.set("model", r.output))

if sys.argv[1] == "first":
    state = {"models": {"a": [todo()]}, "set": set("abcdefgh"), "deep": Item("x", None, [todo()])}
    ex = Execution(App, store="t.db", state=state)
else:
    ex = Execution.resume(App, store="t.db")
    ex.state.set("model", todo())
    ex.state.set("set", set("hgfedcba"))
ex.run_sync()
print(*ex.df.state[["key", "from_frame", "to_frame"]].itertuples(index=False), sep="\\n")
print(*[ex.df.state.value[n] for n in range(len(ex.df.state))], sep="\\n")
assert not ex.df.frames.status.isin(["open"]).any()
"""


def test_sets_are_written_alike_under_any_hash_seed_and_read_in_a_component(python: Any, tmp_path: Path) -> None:
    seen = [python(WRITES_A_SET, "first", PYTHONHASHSEED="1").stdout]
    seen += [python(WRITES_A_SET, "again", PYTHONHASHSEED=seed).stdout for seed in ("2", "3")]
    assert seen[0] == seen[1] == seen[2], "an equal value is no change, whatever order its set is in"


def test_a_value_of_another_type_with_the_same_text_is_a_change(run_of: Any) -> None:
    ex = run_of(Step(), state={"x": "1.5"})
    assert run(ex).status == "finished"
    ex.state.set("x", Decimal("1.5"))
    assert run(ex).status == "finished"
    assert same(ex.state["x"], Decimal("1.5"))
    assert [type(ex.at(n).state["x"]) for n in (1, 2)] == [str, Decimal]
    assert list(ex.df.state.type) == ["str", "Decimal"]


CHANGED_IN_PLACE: dict[str, tuple[Any, Callable[[Any], object]]] = {
    "set": ({1}, lambda value: value.add(2)),
    "list in a tuple": (([1],), lambda value: value[0].append(2)),
    "model": (k.Todo(title="a"), lambda value: value.tags.add("x")),
    "dataclass": (k.Item("a"), lambda value: value.parts.append(k.Todo(title="b"))),
    "list of models": ([k.Todo(title="a")], lambda value: setattr(value[0], "title", "b")),
}


@pytest.mark.parametrize(("value", "change"), CHANGED_IN_PLACE.values(), ids=CHANGED_IN_PLACE)
def test_a_value_that_a_component_changes_in_place_is_found_and_no_other_reader_sees_it(
    value: Any, change: Callable[[Any], object], run_of: Any
) -> None:
    @component
    def App(ctx: Any) -> Any:
        change(ctx.state["x"])

    ex = run_of(App(), state={"x": value})
    before = encode(value)
    with pytest.raises(RenderMutationError, match="'x' was changed in place"):
        ex.step_sync()
    assert encode(ex.state["x"]) == before
