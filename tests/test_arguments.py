"""Wrong arguments of public functions: each is told by its name, before anything is done with it."""

from __future__ import annotations

import inspect
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from smithers_nb import Execution, Step, Store, call_tool, component, errors, jsx, scripted
from smithers_nb.breakpoints import BreakpointsApi
from smithers_nb.recording import History, Recording
from smithers_nb.store.frames import DataFrames

Made = Callable[..., Execution]


@pytest.fixture
def ex(run_of: Made) -> Execution:
    ex = run_of(Step(), state={"n": 1}, name="one")
    ex.run_sync()
    return ex


LARGE = 2**70

# What is called with what, the class of the error, and words that it says.
TOLD: list[tuple[str, Callable[[Execution], Any], type[Exception], str]] = [
    ("store", lambda ex: Execution(Step(), store=5), TypeError, "store=5 is an int; it takes the path of a file"),  # type: ignore[arg-type]
    ("no store", lambda ex: Execution(Step(), store=""), ValueError, "store='' is no path of a file"),
    ("a path with a null byte", lambda ex: Store("a\0b"), ValueError, "is no path of a file"),
    ("a path of bytes", lambda ex: Store(b"a.db"), TypeError, "path=b'a.db' is a bytes"),  # type: ignore[arg-type]
    (
        "max_frames",
        lambda ex: Execution(Step(), max_frames="x"),
        TypeError,
        "max_frames='x' is a str; it takes a whole number from 1",
    ),  # type: ignore[arg-type]
    ("no frames", lambda ex: Execution(Step(), max_frames=0), ValueError, "max_frames=0 is too small"),
    ("fewer frames", lambda ex: Execution(Step(), max_frames=-1), ValueError, "max_frames=-1 is too small"),
    ("true frames", lambda ex: Execution(Step(), max_frames=True), TypeError, "max_frames=True is a bool"),
    ("seed", lambda ex: Execution(Step(), seed="a"), TypeError, "seed='a' is a str; it takes a whole number"),  # type: ignore[arg-type]
    (
        "a large seed",
        lambda ex: Execution(Step(), seed=LARGE),
        ValueError,
        "it takes at most 9,223,372,036,854,775,807",
    ),
    ("name", lambda ex: Execution(Step(), name=5), TypeError, "name=5 is an int; it takes a text"),  # type: ignore[arg-type]
    ("no name", lambda ex: Execution(Step(), name=""), ValueError, "name='' is empty"),
    ("props", lambda ex: Execution(Step(), props=["a"]), TypeError, "props=['a'] is a list; it takes a dict"),  # type: ignore[arg-type]
    ("props by number", lambda ex: Execution(Step(), props={1: 2}), TypeError, "props has the key 1, which is an int"),  # type: ignore[dict-item]
    ("state", lambda ex: Execution(Step(), state=["a"]), TypeError, "state=['a'] is a list; it takes a dict"),  # type: ignore[arg-type]
    ("state by number", lambda ex: Execution(Step(), state={1: 2}), errors.NotStorableError, "it is an int; use a str"),  # type: ignore[dict-item]
    ("models", lambda ex: Execution(Step(), models="sonnet"), TypeError, "models='sonnet' is a str; it takes a dict"),  # type: ignore[arg-type]
    ("reuse", lambda ex: ex.fork(reuse="agents"), TypeError, "reuse='agents' is a str; it takes a list of 'agents'"),
    ("a word in reuse", lambda ex: ex.fork(reuse=["agent"]), ValueError, "Did you mean 'agents'?"),  # type: ignore[list-item]
    ("limits", lambda ex: Execution(Step(), limits={"turn": 1}), errors.PropError, "Did you mean 'turns'?"),
    ("limits of nothing", lambda ex: Execution(Step(), limits={"turns": 0}), errors.PropError, "each more than 0"),
    ("limits as a number", lambda ex: Execution(Step(), limits=5), TypeError, "limits=5 is an int; it takes a dict"),  # type: ignore[arg-type]
    (
        "durability",
        lambda ex: Execution(Step(), durability="half"),
        ValueError,
        "durability='half' is none of normal, full",
    ),  # type: ignore[arg-type]
    ("runner", lambda ex: Execution(Step(), runner=print), TypeError, "it takes a Runner"),  # type: ignore[arg-type]
    ("strict_effects", lambda ex: Execution(Step(), strict_effects="no"), TypeError, "it takes True or False"),  # type: ignore[arg-type]
    ("id", lambda ex: Execution.resume(Step(), id=5), TypeError, "id=5 is an int; it takes a text"),  # type: ignore[arg-type]
    ("at true", lambda ex: ex.at(True), TypeError, "frame=True is a bool; it takes a whole number"),
    ("at a text", lambda ex: ex.at("x"), TypeError, "frame='x' is a str; it takes a whole number"),  # type: ignore[arg-type]
    ("at a fraction", lambda ex: ex.at(1.0), TypeError, "frame=1.0 is a float"),  # type: ignore[arg-type]
    ("at too large", lambda ex: ex.at(LARGE), errors.StoreError, "It has the frames 1 to 1"),
    ("state_at too large", lambda ex: ex.df.state_at(LARGE), errors.StoreError, "It has the frames 1 to 1"),
    (
        "state_at of no frame",
        lambda ex: ex.df.state_at(2),
        errors.StoreError,
        "has no frame 2. It has the frames 1 to 1",
    ),
    (
        "tree_at before all",
        lambda ex: ex.df.tree_at(-1),
        errors.StoreError,
        "has no frame -1. It has the frames 1 to 1",
    ),
    ("compare", lambda ex: ex.compare(5), TypeError, "other=5 is an int; it takes an Execution, a History, or the id"),  # type: ignore[arg-type]
    ("compare with none", lambda ex: ex.compare("two"), errors.UnknownExecutionError, "no execution 'two'. It has one"),
    ("rerender", lambda ex: ex.rerender(frames="x"), TypeError, "frames='x' is a str; it takes the number of a frame"),  # type: ignore[arg-type]
    ("rerender nothing", lambda ex: ex.rerender(frames=[0]), ValueError, "frames=0 is too small"),
    ("rerender later", lambda ex: ex.rerender(frames=[1, 2]), errors.StoreError, "has no frame 2. It has the frames 1"),
    ("a recorded diff", lambda ex: ex.store.open("one").diff("a", 2), TypeError, "frame='a' is a str"),  # type: ignore[arg-type]
    ("diff", lambda ex: ex.diff("a", 2), TypeError, "frame='a' is a str"),  # type: ignore[arg-type]
    ("diff of no frame", lambda ex: ex.diff(1, 2), errors.StoreError, "has no frame 2. It has the frames 1 to 1"),
    (
        "run",
        lambda ex: ex.run_sync(max_frames=0),
        ValueError,
        "max_frames=0 is too small; it takes a whole number from 1",
    ),
    (
        "until",
        lambda ex: ex.run_sync(until=5),
        TypeError,
        "until=5 is an int; it takes a function of the frame, a state key",
    ),  # type: ignore[arg-type]
    ("until a surrogate", lambda ex: ex.run_sync(until="a\ud800"), ValueError, "is no expression over state and frame"),
    ("open", lambda ex: ex.store.open(5), TypeError, "id_or_name=5 is an int; it takes a text"),  # type: ignore[arg-type]
    ("transcript", lambda ex: ex.transcript(5), TypeError, "node_id=5 is an int; it takes a text"),  # type: ignore[arg-type]
    ("iteration", lambda ex: ex.transcript("a", iteration=0), ValueError, "iteration=0 is too small"),
    (
        "no such node",
        lambda ex: ex.transcript("a"),
        errors.StoreError,
        "has no node 'a'. No agent was in its plan yet.",
    ),
    (
        "a recorded transcript",
        lambda ex: ex.store.open("one").transcript("a", "x"),  # type: ignore[arg-type]
        TypeError,
        "iteration='x' is a str",
    ),
    ("sql", lambda ex: ex.store.sql(5), TypeError, "query=5 is an int; it takes a text"),  # type: ignore[arg-type]
    ("sql that writes", lambda ex: ex.store.sql("delete from frames"), errors.StoreError, "open for reading only"),
    ("no sql", lambda ex: ex.store.sql(" "), ValueError, "query=' ' is empty"),
    ("parameters", lambda ex: ex.store.sql("select ?", "x"), TypeError, "it takes a list for the ? of the query"),
    ("prune", lambda ex: ex.store.prune(keep_frames="x"), TypeError, "keep_frames='x' is a str"),  # type: ignore[arg-type]
    ("merge", lambda ex: ex.store.merge(5), TypeError, "path=5 is an int"),  # type: ignore[arg-type]
    ("answer", lambda ex: ex.answer(5, "approve"), TypeError, "approval_id=5 is an int; it takes a text"),  # type: ignore[arg-type]
    ("args", lambda ex: ex.answer("a", "approve", args=["x"]), TypeError, "args=['x'] is a list; it takes a dict"),  # type: ignore[arg-type]
    ("a result", lambda ex: ex.answer("a", result=object()), errors.NotStorableError, "result of the answer can't be"),
    ("no answer", lambda ex: ex.answer("a"), errors.ApprovalError, "the answer has no choice"),
    ("choice", lambda ex: ex.answer("a", True), TypeError, "choice=True is a bool; it takes a text"),  # type: ignore[arg-type]
    ("retry", lambda ex: ex.retry(5), TypeError, "node_id=5 is an int; it takes a text"),  # type: ignore[arg-type]
    ("handle_again", lambda ex: ex.handle_again(5), TypeError, "node_id=5 is an int; it takes a text"),  # type: ignore[arg-type]
    ("predict", lambda ex: ex.predict("1"), TypeError, "frame='1' is a str; it takes a whole number"),  # type: ignore[arg-type]
    ("cancel", lambda ex: ex.cancel(["a"]), TypeError, "node_id=['a'] is a list"),  # type: ignore[arg-type]
    ("hits", lambda ex: ex.breakpoints.add(key="n", hits="x"), TypeError, "hits='x' is a str; it takes a whole number"),  # type: ignore[arg-type]
    ("many hits", lambda ex: ex.breakpoints.add(key="n", hits=LARGE), ValueError, "it takes at most"),
    (
        "a node",
        lambda ex: ex.breakpoints.add(node=Step()),
        TypeError,
        "node=<step with 0 children> is a Step; it takes a text",
    ),  # type: ignore[arg-type]
    (
        "once",
        lambda ex: ex.breakpoints.add(key="n", once="no"),
        TypeError,
        "once='no' is a str; it takes True or False",
    ),  # type: ignore[arg-type]
    ("remove", lambda ex: ex.breakpoints.remove(5), TypeError, "id=5 is an int; it takes a text"),  # type: ignore[arg-type]
    ("delay", lambda ex: scripted("a", delay_s="1"), TypeError, "delay_s='1' is a str; it takes a number of seconds"),  # type: ignore[arg-type]
    ("a tool", lambda ex: call_tool(print), TypeError, "is a builtin_function_or_method; it takes a text"),  # type: ignore[arg-type]
    ("component", lambda ex: component(5), TypeError, "above a function that returns nodes, and not above an int"),  # type: ignore[call-overload]
    ("always", lambda ex: component(always="no"), TypeError, "always='no' is a str; it takes True or False"),  # type: ignore[call-overload]
    ("props of jsx", lambda ex: jsx("phase", 5), errors.PropError, "are a dict, and not an int"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("call", "kind", "words"), [row[1:] for row in TOLD], ids=[row[0] for row in TOLD])
def test_a_wrong_argument_is_told(
    call: Callable[[Execution], Any], kind: type[Exception], words: str, ex: Execution
) -> None:
    with pytest.raises(kind) as caught:
        call(ex)
    assert words in str(caught.value)


# Everything that takes arguments, with right ones.
RIGHT: dict[str, dict[str, Any]] = {
    "Execution.__init__": {"app": Step()},
    "Execution.resume": {"app": Step()},
    "Execution.run": {},
    "Execution.run_sync": {},
    "Execution.answer": {"approval_id": "a", "choice": "b"},
    "Execution.predict": {"frame": 1},
    "Execution.cancel": {"node_id": "a"},
    "Execution.retry": {"node_id": "a"},
    "Execution.handle_again": {"node_id": "a"},
    "Execution.swap": {"app": Step()},
    "Execution.edit_pending": {"id": "a", "value": 1},
    "Execution.drop_pending": {"id": "a"},
    "Recording.transcript": {"node_id": "a"},
    "Execution.replay": {},
    "Execution.fork": {},
    "Execution.rerender": {},
    "Execution.ghosts": {},
    "Execution.what_if": {},
    "Execution.needs": {"target": "a"},
    "Execution.sweep": {"vary": {"state.n": [1]}, "progress": False},
    "Store.sweep": {"name": "s"},
    "Store.__init__": {"path": "t.db"},
    "Store.open": {"id_or_name": "one"},
    "Store.sql": {"query": "select 1"},
    "Store.prune": {"keep_frames": 9},
    "Store.save": {"path": "copy.db"},
    "Store.merge": {"path": "other.db"},
    "Store.branches": {"id_or_name": "one"},
    "Recording.at": {"frame": 1},
    "Recording.diff": {"one": 1, "other": 1},
    "History.fork": {"app": Step()},
    "History.replay": {"app": Step()},
    "History.keep": {"path": "test_x.py", "app": "tests.app:App"},
    "Execution.keep": {"path": "test_x.py", "app": "tests.app:App"},
    "History.rerender": {"app": Step()},
    "History.ghosts": {"app": Step()},
    "History.what_if": {"app": Step()},
    "History.needs": {"target": "a", "app": Step()},
    "Recording.follow": {"target": "n"},
    "Recording.compare": {"other": "one"},
    "Recording.why": {},
    "Execution.why_not": {},
    "History.why_not": {},
    "Recording.export": {"path": "x.ndjson"},
    "DataFrames.state_at": {"frame": 1},
    "DataFrames.tree_at": {"frame": 1},
    "DataFrames.why": {"key": "n"},
    "DataFrames.plot_tasks": {},
    "DataFrames.plot_state": {"key": "n"},
    "BreakpointsApi.add": {"key": "n"},
    "BreakpointsApi.remove": {"id": "b1"},
    "BreakpointsApi.enable": {"id": "b1"},
    "BreakpointsApi.disable": {"id": "b1"},
}
ANYTHING = {"self", "cls", "app", "value", "equals", "ax", "_"}
"""Arguments that take any object, or that a library checks."""
OURS = [Execution, Recording, Store, History, DataFrames, BreakpointsApi]
INTERNAL = {
    "Execution.prepare",
    "History.__init__",
    "DataFrames.__init__",
    "BreakpointsApi.__init__",
    "Execution.__exit__",
}


def methods() -> dict[str, Callable[..., Any]]:
    found = {
        f"{owner.__name__}.{name}": getattr(owner, name)
        for owner in OURS
        for name, member in vars(owner).items()
        if callable(getattr(owner, name))
        and (name[:1] != "_" or name == "__init__")
        and not isinstance(member, property)
    }
    return {
        name: method
        for name, method in found.items()
        if name not in INTERNAL and set(inspect.signature(method).parameters) - ANYTHING
    }


def test_every_public_method_that_takes_arguments_is_in_the_table() -> None:
    assert set(methods()) == set(RIGHT)


WRONG: list[Any] = [
    object(), 5, LARGE, -LARGE, 1.5, float("nan"), True, "", "x\ud800", "x\0", b"x", [1], {1: 2}, {"turn": 1}, len, ...
]  # fmt: skip
ARGUMENTS = [
    (name, argument)
    for name, method in methods().items()
    for argument in inspect.signature(method).parameters
    if argument not in ANYTHING
]


@pytest.mark.logs_errors
@pytest.mark.parametrize(("name", "argument"), ARGUMENTS)
def test_no_argument_gets_through_to_where_it_fails_raw(
    name: str, argument: str, ex: Execution, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Execution(Step(), name="one", store="smithers.db").close()
    owner, _, attribute = name.partition(".")
    of = {"Execution": ex, "Recording": ex, "Store": ex.store, "History": ex.store.open("one")}.get(owner)
    of = {"DataFrames": ex.df, "BreakpointsApi": ex.breakpoints}.get(owner, of)
    method = {"Execution.__init__": Execution, "Store.__init__": Store}.get(name) or getattr(of, attribute)
    for wrong in WRONG:
        try:
            found = method(**{**RIGHT[name], argument: wrong})
        except (sqlite3.Error, UnicodeError, OverflowError, ValidationError) as error:
            pytest.fail(f"{argument}={wrong!r:.40}: {type(error).__name__}: {error}")
        except errors.SmithersError as error:
            assert "binding parameter" not in str(error) and "constraint failed" not in str(error), wrong
        except (TypeError, ValueError) as error:
            words = [argument, repr(wrong)]
            # The frame is looked at first: of an execution that is over, none can be predicted.
            if name in ("Recording.diff", "Execution.predict"):
                words.append("frame")
            assert any(word in str(error) for word in words), error
        except KeyError as error:
            assert attribute == "plot_state", error
        else:
            if inspect.iscoroutine(found):
                found.close()
            if isinstance(found, Execution):
                found.close()
