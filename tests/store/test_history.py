"""What was recorded can be read back: tables, frames, states, trees."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from smithers_nb import Claude, Effect, Execution, If, Phase, Step, Store, Task, component, scripted
from smithers_nb.errors import StoreError
from smithers_nb.execution import run_behind
from smithers_nb.store.frames import TABLES

TIMES = {
    "at",
    "created_at",
    "owned_since",
    "updated_at",
    "lease_expires_at",
    "started_at",
    "ended_at",
    "next_retry_at",
    "asked_at",
    "answered_at",
    "opens_at",
    "next_at",
    "limited_at",
}


@component
def App(ctx: Any) -> Any:
    n = ctx.state.get("n", 0)

    def more(r: Any) -> None:
        ctx.state.set("n", n + 1)
        ctx.state.set("list", list(range(n)))

    return [
        Step(id="s", name=f"n is {n}"),
        If(condition=n % 2 == 0)[Claude(key="c", model=scripted("x"))["turn ", n]],
        [Task(key=str(i), run=lambda: 1, on_finished=more if i == n < 3 else None) for i in reversed(range(n + 1))],
        Effect(id="e", deps=[n], run=lambda: None),
    ]


@pytest.fixture(params=["full", "empty"])
def tables(request: Any, run_of: Any) -> Any:
    ex = run_of(App() if request.param == "full" else [])
    if request.param == "full":
        ex.run_sync()
    return ex.df


@pytest.mark.parametrize("table", TABLES)
def test_a_table_has_its_columns_and_dtypes_also_when_it_is_empty(table: str, tables: Any) -> None:
    frame = getattr(tables, table)
    kinds = tables._reader.kinds(table)
    if table in ("model_calls", "tool_calls"):
        # The node of the call is read with it, and requests are put together of what they add to their base.
        kinds = {name: kind for name, kind in kinds.items() if name != "base_id"} | {"node_id": "TEXT"}
        assert list(frame.columns).index("node_id") + 1 == list(frame.columns).index("task_id")
        assert set(frame.columns) == set(kinds)
    else:
        assert list(frame.columns) == list(kinds)
    for column, kind in kinds.items():
        expected = {"INTEGER": "Int64", "REAL": "float64"}.get(kind, "object")
        if column in TIMES:
            expected = "datetime64[ns, UTC]"
        assert str(frame[column].dtype) == expected, column


def test_json_columns_are_decoded(run_of: Any) -> None:
    ex = run_of(App())
    ex.run_sync()
    assert ex.df.frames.reason[0] == ["start"]
    assert ex.df.nodes.set_index(["node_id", "from_frame"]).props["s", 1] == {"name": "n is 0"}
    assert ex.df.state.value.tolist()[-1] == 3
    assert ex.df.transitions.new.tolist()[0] == 1
    agent = run_of(Claude(id="c", model=scripted("x"))["turn"])  # The one in App may be gone before it asks.
    agent.run_sync()
    assert agent.df.model_calls.request[0][0]["kind"] == "request"


def test_a_decoded_null_is_none(run_of: Any) -> None:
    ex = run_of([], state={"x": None, "y": [None]})
    assert ex.df.state.value.tolist() == [None, [None]]


def test_every_frame_reads_back_as_it_was_shown(run_of: Any) -> None:
    ex = run_of(App())
    shown: dict[int, Any] = {}

    def note(frame: Any) -> bool:
        shown[frame.number] = (frame.xml, dict(ex.state), frame.tree)
        return False

    ex.run_sync(until=note)
    assert len(shown) >= 6
    for number, (xml, state, tree) in shown.items():
        view = ex.at(number)
        assert (view.number, view.xml, dict(view.state)) == (number, xml, state)
        assert [(n.id, n.path, n.position, n.parent_id, n.text, n.source) for n in view.tree.walk()] == [
            (n.id, n.path, n.position, n.parent_id, n.text, n.source) for n in tree.walk()
        ]
        assert dict(zip(ex.df.state_at(number).key, ex.df.state_at(number).value, strict=True)) == state
        at = ex.df.tree_at(number)
        assert list(at.node_id) == [node.id for node in tree.walk()]
        assert at.depth.tolist() == [{"text": 2, "claude": 1}.get(node.type, 0) for node in tree.walk()]


@pytest.mark.parametrize("frame", [0, -1, 99])
def test_a_frame_that_is_not_there_is_refused_with_those_that_are(frame: int, run_of: Any) -> None:
    ex = run_of(Step())
    ex.run_sync()
    with pytest.raises(StoreError, match="frames 1 to 1"):
        ex.at(frame)


def test_a_diff_of_two_frames_says_what_changed(run_of: Any) -> None:
    ex = run_of(Phase(id="p", name="a")[If(id="i", condition=True)], state={})
    ex.run_sync()
    assert not ex.store.open(ex.execution_id).diff(1, 1)


def test_what_did_not_change_is_not_written_again(run_of: Any) -> None:
    @component
    def Many(ctx: Any) -> Any:
        return [Step(name=str(ctx.state.get("x"))), [Phase(name=str(n)) for n in range(50)]]

    ex = run_of(Many(), state={"x": 0, **{f"k{n}": n for n in range(50)}})
    ex.run_sync()
    before = len(ex.df.nodes), len(ex.df.state)
    for n in range(1, 6):
        ex.state.set("x", n)
        ex.run_sync()
    assert (len(ex.df.nodes), len(ex.df.state)) == (before[0] + 5, before[1] + 5)


def test_store_sql_reads_and_cannot_write(run_of: Any) -> None:
    ex = run_of(Step(), state={"x": 1})
    found = ex.store.sql("SELECT key, value FROM state WHERE key = ?", ["x"])
    assert isinstance(found, pd.DataFrame)
    assert found.to_dict("records") == [{"key": "x", "value": "1"}]
    assert ex.store.sql("SELECT :a AS a", {"a": 5}).a[0] == 5
    for sql in ("DELETE FROM state", "DROP TABLE state", "CREATE TABLE t (a)", "PRAGMA user_version = 5", "SELEKT"):
        with pytest.raises(StoreError):
            ex.store.sql(sql)
    assert len(ex.df.state) == 1


def test_two_executions_in_one_file_do_not_touch_each_other(run_of: Any) -> None:
    one, other = run_of(App(), name="one"), run_of(App(), name="other")
    for _ in range(40):
        one.step_phase_sync()
        other.step_phase_sync()
    one.run_sync()
    assert len(one.df.frames) > len(other.df.frames) > 0
    assert other.run_sync().status == "finished"
    for table in ("transitions", "handlers", "tasks"):
        assert len(getattr(one.df, table)) == len(getattr(other.df, table)) > 0
    assert dict(one.state) == dict(other.state)
    assert len(one.store.df.frames) == len(one.df.frames) + len(other.df.frames)
    assert list(Store(one.store.path).executions().name) == ["one", "other"]


def test_a_store_can_be_shared_and_given_as_an_object(tmp_path: Any, run_of: Any) -> None:
    store = Store(tmp_path / "t.db")
    ex = run_of(Step(), store=store)
    assert ex.store is store
    assert repr(store.open(ex.execution_id)).startswith("<History of 'execution'")


def test_state_at_of_a_whole_store_is_refused(run_of: Any) -> None:
    with pytest.raises(AttributeError, match="one execution"):
        run_of(Step()).store.df.state_at(1)


def test_reads_work_while_the_engine_writes(run_of: Any) -> None:
    ex = run_of(App())
    lengths: list[int] = []
    run_behind(ex).observe(lambda: lengths.append(len(ex.store.reader.query("SELECT 1 FROM frames").rows)))
    assert ex.run_sync().status == "finished"
    assert lengths == sorted(lengths)


def test_resume_goes_on_where_it_was(tmp_path: Any) -> None:
    ex = Execution(App(), store=tmp_path / "r.db", name="r")
    for _ in range(4):
        ex.step_sync()
    ex.close()
    again = Execution.resume(App(), store=tmp_path / "r.db", name="r")
    assert again.execution_id == ex.execution_id
    assert again.run_sync().status == "finished"
    assert again.state["n"] == 3
    assert list(again.df.frames.frame) == list(range(1, len(again.df.frames) + 1))
    assert list(again.df.transitions[again.df.transitions.key == "n"].new) == [1, 2, 3]
    assert set(again.df.tasks.status) <= {"succeeded", "cancelled"}
    again.close()


def test_a_task_whose_node_was_gone_is_not_run_again_by_the_next_process(
    run_of: Any, resumed: Any, gate: Any, wait_until: Any
) -> None:
    """It was still in its thread when the node went and came back, and when the execution was closed."""
    one, runs, results = gate(), [], []

    def run() -> int:
        runs.append(1)
        one.passed_in_thread()
        return len(runs)

    @component
    def Toggled(ctx: Any) -> Any:
        return If(condition=ctx.state.get("on"))[Task(id="t", run=run, on_finished=results.append)]

    ex = run_of(Toggled(), state={"on": True})
    ex.step_sync()
    one.reached()
    for on in (False, True):
        ex.state.set("on", on)
        ex.step_sync()
    assert ex.step_phase_sync().phase == "FLUSH"
    wait_until(lambda: len(runs) == 2)  # The second one is in its thread, too.
    ex.close()
    one.open()
    again = resumed(Toggled())
    assert again.run_sync().status == "finished"
    assert (len(runs), len(results)) == (3, 1)
