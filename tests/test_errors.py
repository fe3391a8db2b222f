"""The error tree, and what every error says."""

from __future__ import annotations

import copy
import inspect
import pickle
import traceback
from pathlib import Path
from typing import Any

import pytest

from smithers_nb import errors

TREE = {
    "SmithersError": "Exception",
    "PlanError": "SmithersError",
    "UnknownTagError": "PlanError",
    "PropError": "PlanError",
    "EventPropError": "PropError",
    "DuplicateIdError": "PlanError",
    "DuplicateKeyError": "PlanError",
    "MissingKeyError": "PlanError",
    "PurityError": "SmithersError",
    "RenderWriteError": "PurityError",
    "RenderTaskError": "PurityError",
    "RenderMutationError": "PurityError",
    "RunError": "SmithersError",
    "ComponentError": "RunError",
    "HandlerError": "RunError",
    "EffectError": "RunError",
    "EffectLoopError": "RunError",
    "StalledError": "RunError",
    "RepeatRefusedError": "RunError",
    "UserCodeError": "RunError",
    "StoreError": "SmithersError",
    "NotStorableError": "StoreError",
    "ExecutionOwnedError": "StoreError",
    "UnknownExecutionError": "StoreError",
    "SchemaVersionError": "StoreError",
    "EngineVersionError": "StoreError",
    "StoreBusyError": "StoreError",
    "StoreDamagedError": "StoreError",
    "SweepError": "SmithersError",
    "AgentError": "SmithersError",
    "AgentConfigError": "AgentError",
    "ApprovalError": "AgentError",
    "AppChangedWarning": "UserWarning",
    "NewerExportWarning": "UserWarning",
    "BudgetExceededError": "AgentError",
    "ReplayMismatchError": "AgentError",
}


def test_the_tree_of_errors_is_this() -> None:
    found = {
        name: error.__bases__[0].__name__
        for name, error in inspect.getmembers(errors, inspect.isclass)
        if issubclass(error, BaseException)
    }
    assert found == TREE
    assert sorted(errors.__all__) == sorted(TREE)


@pytest.mark.parametrize("name", TREE)
def test_every_error_is_in_the_drawing_and_has_a_docstring(name: str) -> None:
    assert f" {name}" in f" {errors.__doc__}".replace("─", " ").replace("\n", " ")
    assert getattr(errors, name).__doc__


PLACES: dict[str, tuple[dict[str, Any], str]] = {
    "nowhere": ({}, "what"),
    "frame 0 counts": ({"frame": 0}, "what (frame 0)"),
    "all": ({"path": "/a[0]", "frame": 3, "source": "cell:1:2", "node_id": "x"}, "what (/a[0], frame 3, cell:1:2)"),
}


@pytest.mark.parametrize(("place", "text"), PLACES.values(), ids=PLACES)
def test_the_place_is_in_the_message_and_in_the_attributes(place: dict[str, Any], text: str) -> None:
    error = errors.PlanError("what", **place)
    assert str(error) == text
    assert {name: getattr(error, name) for name in place} == place


def test_what_is_known_of_the_place_stays() -> None:
    error = errors.PlanError("what", frame=0, path="/a[0]")
    error.at(frame=1, path="/b[0]", source="s")
    assert (error.frame, error.path, error.source) == (0, "/a[0]", "s")


@pytest.mark.parametrize(
    ("word", "near"),
    [("cluade", " Did you mean 'claude'?"), ("Phase", " Did you mean 'phase'?"), ("zzzz", "")],
)
def test_the_nearest_word_is_suggested(word: str, near: str) -> None:
    assert errors.did_you_mean(word, ["claude", "phase"]) == near


def test_ipython_is_shown_the_users_lines_only(run_of: Any) -> None:
    from smithers_nb import component

    @component
    def App() -> Any:
        return 1 / 0

    with pytest.raises(errors.ComponentError) as caught:
        run_of(App()).step_sync()
    shown = "\n".join(caught.value._render_traceback_())
    assert "return 1 / 0" in shown and "ZeroDivisionError" in shown
    assert "smithers_nb/" not in shown


def test_the_way_through_a_magic_and_through_libraries_is_not_shown(run_of: Any) -> None:
    import json

    from smithers_nb import component

    def run_cell_magic(_text: str) -> None:
        run_of(App()).step_sync()

    @component
    def App() -> Any:
        return json.loads("{")

    with pytest.raises(errors.ComponentError) as caught:
        run_cell_magic("the whole cell")
    shown = "\n".join(caught.value._render_traceback_())
    line = App.function.__code__.co_firstlineno + 2
    assert caught.value.source.startswith(f"test_errors.py:{line}:"), "the user's line, not one of the json module"
    assert "decoder.py" in shown, "where the library failed is of help"
    assert "contextlib" not in shown


def test_what_a_library_did_with_a_damaged_file_is_not_shown(run_of: Any, tmp_path: Path) -> None:
    (tmp_path / "no.db").write_text("this is no database" * 100)
    with pytest.raises(errors.StoreDamagedError) as caught:
        run_of(None, store=tmp_path / "no.db")
    shown = "\n".join(caught.value._render_traceback_())
    assert "test_errors.py" in shown and "is not a usable SQLite database" in shown
    assert "aiosqlite" not in shown and "sqlite3." not in shown


@pytest.mark.parametrize(
    ("noun", "behind"),
    [
        ("object", "an object"),
        ("int", "an int"),
        ("dict", "a dict"),
        ("UUID", "a UUID"),
        ("UserError", "a UserError"),
        ("<if>", "an <if>"),
        ("<step>", "a <step>"),
    ],
)
def test_a_noun_stands_behind_its_article(noun: str, behind: str) -> None:
    assert errors.an(noun) == behind


def test_a_run_without_a_reason_shows_none() -> None:
    from smithers_nb import RunResult

    assert repr(RunResult("finished", "", 0, None)) == "<RunResult finished; 0 frames>"
    assert repr(RunResult("waiting", "for a", 0, None)) == "<RunResult waiting: for a; 0 frames>"


class Box(errors.NamesNearest):
    def __init__(self) -> None:
        self.lid = "shut"

    @property
    def broken(self) -> str:
        raise AttributeError("what the property itself says")


def test_an_attribute_that_is_not_there_is_answered_with_the_nearest() -> None:
    box: Any = Box()
    with pytest.raises(
        AttributeError, match=r"^'Box' object has no attribute 'lidd'\. Did you mean 'lid'\?$"
    ) as raised:
        _ = box.lidd
    shown = "".join(traceback.format_exception(raised.value))
    assert shown.count("Did you mean") == 1, "Python's own traceback does not say it again"
    with pytest.raises(AttributeError, match=r"no attribute 'wheels'\. It has broken, lid$"):
        _ = box.wheels
    with pytest.raises(AttributeError, match=r"^what the property itself says$"):
        _ = box.broken
    assert copy.copy(box).lid == pickle.loads(pickle.dumps(box)).lid == "shut"
    assert not hasattr(box, "_repr_html_")
