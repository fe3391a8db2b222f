"""Transactions of a few rows: they are done on the loop's thread, and nothing on the loop waits for them."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from smithers_nb import Effect, Phase, component
from smithers_nb.execution import run_behind
from smithers_nb.store import connection, writer


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, list[str]]]:
    """The threads on which COMMIT and FLUSH were written, by the name of the function."""
    seen: dict[str, list[str]] = {"commit_frame": [], "flush_frame": []}
    for name, names in seen.items():
        real = getattr(writer, name)

        def spy(db: Any, *args: Any, _real: Any = real, _names: list[str] = names, **named: Any) -> Any:
            _names.append("loop" if threading.current_thread().name == "smithers" else "own")
            return _real(db, *args, **named)

        spy.__name__ = name
        monkeypatch.setattr(writer, name, spy)
    # However slow this machine is.
    monkeypatch.setattr(connection, "SLOW_S", float("inf"))
    yield seen


@component
def Counting(ctx: Any) -> Any:
    n = ctx.state.get("n", 0)
    return Effect(id="add", deps=[n], run=lambda: ctx.state.set("n", n + 1))


def test_a_few_rows_are_written_on_the_loops_thread(run_of: Any, threads: dict[str, list[str]]) -> None:
    ex = run_of(Counting())
    for _ in range(3):
        ex.step_sync()
    assert threads == {"commit_frame": ["loop"] * 3, "flush_frame": ["loop"] * 2}
    assert (ex.state["n"], len(ex.df.frames)) == (2, 3)


def test_many_rows_and_long_texts_are_written_on_the_connections_own(
    run_of: Any, threads: dict[str, list[str]]
) -> None:
    @component
    def Many(ctx: Any) -> Any:
        return [
            *(Phase(name="p", key=place) for place in range(writer.FEW + 1)),
            Effect(id="write", deps=[], run=lambda: ctx.state.set("text", "x" * (writer.SHORT + 1))),
        ]

    ex = run_of(Many())
    ex.step_sync()
    ex.step_phase_sync()
    assert threads == {"commit_frame": ["own"], "flush_frame": ["own"]}


def test_full_durability_waits_for_the_disk_on_the_connections_own(run_of: Any, threads: dict[str, list[str]]) -> None:
    ex = run_of(Counting(), durability="full")
    ex.step_sync()
    ex.step_phase_sync()
    assert threads == {"commit_frame": ["own"], "flush_frame": ["own"]}


def test_after_a_slow_one_the_loop_is_not_held_up_again(
    run_of: Any, threads: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    ex = run_of(Counting())
    ex.step_sync()
    monkeypatch.setattr(connection, "SLOW_S", -1.0)
    monkeypatch.setattr(connection, "SLOW_FOR_S", 3600.0)
    ex.step_phase_sync()
    ex.step_sync()
    assert threads == {"commit_frame": ["loop", "own"], "flush_frame": ["loop"]}


def test_another_process_that_writes_is_waited_for_on_the_connections_own(
    run_of: Any, threads: dict[str, list[str]], tmp_path: Path
) -> None:
    ex = run_of(Counting())
    ex.step_sync()
    database = run_behind(ex).live.services.database.shared
    with closing(sqlite3.connect(tmp_path / "t.db", isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        begin = connection._begin

        def released(taken: sqlite3.Connection, patient: bool) -> None:
            if patient:
                other.execute("COMMIT")
            begin(taken, patient)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(connection, "_begin", released)
            ex.step_phase_sync()
    assert threads["flush_frame"] == ["own"]
    assert database._last_hop is not None and ex.state["n"] == 1


def test_the_log_stays_short_in_a_flood_of_brief_transactions(
    run_of: Any, threads: dict[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "LOG_BYTES", 100_000)
    ex = run_of(Counting())
    longest = 0
    for _ in range(60):
        ex.step_sync()
        longest = max(longest, (tmp_path / "t.db-wal").stat().st_size)
    assert longest < 200_000, "60 frames write 700,000 bytes"
    # Copied into the file on the connection's own thread, and short ones on the loop's again.
    both = threads["flush_frame"]
    assert "own" in both and "loop" in both[both.index("own") :]
