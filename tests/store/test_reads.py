"""The table of what components read: intervals, as for nodes and values."""

from __future__ import annotations

from typing import Any

from smithers_nb import Execution, Store, component


@component
def Card(ctx: Any, name: str) -> Any:
    return ctx.state.get(name, "-")


@component
def Board(ctx: Any) -> Any:
    ctx.vol.get("zoom")
    return [Card(name=name, key=name) for name in ctx.state.get("shown", [])]


def board(run_of: Any) -> Any:
    ex = run_of(Board(), state={"shown": ["a", "b"]})
    ex.run_sync()  # Frame 1.
    ex.state.set("b", 1)
    ex.run_sync()  # Frame 2: Card b is called again, and reads what it did.
    ex.state.set("shown", ["b"])
    ex.run_sync()  # Frame 3: Card a is gone.
    return ex


def rows(ex: Any) -> list[tuple[Any, ...]]:
    found = ex.df.reads
    return [
        (row.component, row.key, row.from_frame, None if row.to_frame is None else row.to_frame)
        for row in found.astype(object).where(found.notna(), None).itertuples()
    ]


def test_a_read_holds_from_the_frame_of_the_first_call_to_that_of_the_last(run_of: Any) -> None:
    found = rows(board(run_of))
    assert [(key, since, until) for _, key, since, until in found] == [
        ("shown", 1, None), ("a", 1, 3), ("b", 1, None),
    ]  # fmt: skip
    assert len({component for component, *_ in found}) == 3, "each card is a component of its own"


def test_reading_the_volatile_leaves_no_row(run_of: Any) -> None:
    assert "zoom" not in {key for _, key, *_ in rows(board(run_of))}


def test_a_resumed_execution_goes_on_with_the_rows_that_there_are(run_of: Any) -> None:
    ex = board(run_of)
    before = rows(ex)
    ex.close()
    with Execution.resume(Board(), store=Store(ex.store.path), id=ex.execution_id) as again:
        again.run_sync()
        assert rows(again) == before
        again.state.set("shown", ["a", "b"])
        again.run_sync()
        last = again.frame.number
        assert [(key, since, until) for _, key, since, until in rows(again)] == [
            ("shown", 1, None), ("a", 1, 3), ("a", last, None), ("b", 1, None),
        ]  # fmt: skip


def test_a_component_that_is_swapped_for_another_reads_no_more(run_of: Any) -> None:
    ex = board(run_of)

    @component
    def Other(ctx: Any) -> Any:
        return ctx.state.get("b")

    ex.swap(Other())
    ex.run_sync()
    assert [key for _, key, _, until in rows(ex) if until is None] == ["b"]
