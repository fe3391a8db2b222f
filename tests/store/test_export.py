"""An execution as lines of JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from smithers_nb import Approval, Claude, Phase, Task, call_tool, component, scripted
from smithers_nb.errors import StoreError
from smithers_nb.store.frames import TABLES

HOSTILE = '</script><img onerror="x"> \u2028 \x00 "quoted"\n'


def look(word: str) -> str:
    """Look a word up."""
    return HOSTILE


@component
def App(ctx: Any) -> Any:
    ctx.state.get("found")
    return [
        Phase(name="1")[
            Claude(
                id="c",
                model=scripted(call_tool("look", word="tide"), "done"),
                tools=[look],
                on_finished=lambda r, ctx: ctx.state.set("found", HOSTILE),
            )["Look it up."]
        ],
        Phase(name="2")[
            Task(id="t", run=lambda: print("hi"), on_finished=lambda r, ctx: ctx.artifact.markdown("text")),
            Approval(id="ok", prompt=HOSTILE),
        ],
    ]


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


def exported(run_of: Any, tmp_path: Path) -> tuple[Any, list[dict[str, Any]]]:
    ex = run_of(App())
    ex.run_sync()
    return ex, [json.loads(line) for line in ex.export(tmp_path / "run.ndjson").read_bytes().split(b"\n") if line]


def test_every_row_of_every_table_is_a_line(run_of: Any, tmp_path: Path) -> None:
    ex, found = exported(run_of, tmp_path)
    assert found[0]["format"] == "smithers_nb" and found[0]["execution"]["execution_id"] == ex.execution_id
    tables = [table for table in TABLES if table not in ("executions", "loops", "breakpoints", "rate_windows")]
    assert {table: sum(row["table"] == table for row in found[1:]) for table in tables} == {
        table: len(getattr(ex.df, table)) for table in tables
    }
    assert {row["table"] for row in found[1:]} >= {"tool_calls", "approvals", "artifacts", "stream_events"}


def test_values_come_back_as_they_are_hostile_ones_too(run_of: Any, tmp_path: Path) -> None:
    _, found = exported(run_of, tmp_path)
    assert [row["new"] for row in found if row.get("table") == "transitions" and row["key"] == "found"] == [HOSTILE]
    assert [row["output"] for row in found if row.get("table") == "tool_calls"] == [HOSTILE]
    assert [row["prompt"] for row in found if row.get("table") == "approvals"] == [HOSTILE]


def test_the_lines_go_frame_by_frame(run_of: Any, tmp_path: Path) -> None:
    _, found = exported(run_of, tmp_path)
    frames = [row["frame"] for row in found[1:] if "frame" in row and row["table"] != "state"]
    assert frames == sorted(frames)
    at = {(row["table"], row.get("frame")): place for place, row in enumerate(found) if place}
    assert at["frames", 2] < at["handlers", 2] < at["transitions", 2] < at["frames", 3]


def test_a_recorded_history_is_exported_alike(run_of: Any, tmp_path: Path) -> None:
    ex, found = exported(run_of, tmp_path)
    ex.close()
    again = ex.store.open(ex.execution_id).export(tmp_path / "again.ndjson")
    assert [row for row in lines(again) if row.get("table") == "nodes"] == [
        row for row in found if row.get("table") == "nodes"
    ]


def test_what_can_not_be_exported_is_said_and_nothing_is_left(run_of: Any, tmp_path: Path) -> None:
    ex, _ = exported(run_of, tmp_path)
    with pytest.raises(ValueError, match=r"run\.html, .* or run\.ndjson, .* not 'run\.csv'"):
        ex.export(tmp_path / "run.csv")
    with pytest.raises(StoreError, match="can't be written: No such file or directory"):
        ex.export(tmp_path / "nowhere" / "run.ndjson")
    before = (tmp_path / "run.ndjson").read_bytes()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(StoreError, match="No space left"):
            ex.export(tmp_path / "run.ndjson")
    assert (tmp_path / "run.ndjson").read_bytes() == before, "the old one stands"
    assert list(tmp_path.glob("*.part")) == []
