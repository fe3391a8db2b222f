"""What a file tells of branches: their family, what the parent did after a fork, replay and export."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from smithers_nb import Claude, Effect, Execution, Sequence, Store, Task, call_tool, component, scripted
from smithers_nb.errors import StoreError, UnknownExecutionError


def send_mail(to: str) -> str:
    """Send a mail."""
    return f"sent to {to}"


@component
def App(ctx: Any, by: int = 1) -> Any:
    """Runs a task, an agent that sends two mails, and a task that writes a file; then an effect."""
    return Sequence()[
        Task(id="first", run=lambda: by, on_finished=lambda r, ctx: ctx.state.set("first", r.output)),
        Claude(
            id="mail",
            model="m",
            tools=[send_mail],
            on_finished=lambda r, ctx: ctx.state.set("mail", r.output),
        )["Send it."],
        Task(id="note", run=lambda: 1, on_finished=lambda r, ctx: ctx.fs.write("note.txt", f"{ctx.state['first']}")),
        Task(id="last", run=lambda: 1),
        Effect(id="told", run=lambda: None, deps=[ctx.state.get("mail")]),
    ]


def model() -> Any:
    return scripted(call_tool("send_mail", to="a"), call_tool("send_mail", to="b"), "done")


@pytest.fixture
def branch_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., Execution]]:
    monkeypatch.chdir(tmp_path)
    made: list[Execution] = []

    def fork(ex: Any, *args: Any, **kwargs: Any) -> Execution:
        made.append(ex.fork(*args, **kwargs))
        return made[-1]

    yield fork
    for ex in reversed(made):
        ex.close()


def frame_of(ex: Execution, node: str) -> int:
    """Return the frame that handled a node's task."""
    return int(ex.df.tasks.query("node_id == @node").settled_at_frame.iloc[0])


def test_the_family_is_listed_with_what_each_changed(run_of: Any, branch_of: Any) -> None:
    ex = run_of(App, name="report", models={"m": model()})
    ex.run_sync()
    n = frame_of(ex, "first")
    branch_of(ex, n, state={"first": 5, "new": 1}, models={"m": model()})
    other = branch_of(ex, n, props={"by": 2}, name="twice")
    branch_of(other, n, app=Task(id="else", run=lambda: 1))
    unrelated = run_of(Task(id="t", run=lambda: 1), name="unrelated")
    for name in ("report", "twice", "report~2"):
        df = ex.store.branches(name)
        assert df.name.tolist() == ["report", "report~2", "twice", "twice~2"]
    assert df.forked_at_frame.tolist()[1:] == [n] * 3 and df.forked_at_frame.isna()[0]
    assert df.changed.tolist()[:3] == [{}, {"state": ["first", "new"], "models": ["m"]}, {"props": ["by"]}]
    assert "code" in df.changed[3] and df.changed[3]["code"] != df.changed[2].get("code")
    assert df.parent_id.tolist()[1:] == [ex.execution_id] * 2 + [other.execution_id]
    assert df.last_frame.tolist() == [ex.recorded, n, n, n] and df.status[0] == "finished"
    assert ex.store.branches("unrelated").execution_id.tolist() == [unrelated.execution_id]
    with pytest.raises(UnknownExecutionError, match="nothing"):
        ex.store.branches("nothing")


def test_the_family_tells_where_each_branch_first_differs_from_its_parent(run_of: Any, branch_of: Any) -> None:
    ex = run_of(App, name="report", models={"m": model()})
    ex.run_sync()
    n = frame_of(ex, "first")
    same, other, begun, half = (
        branch_of(ex, n, name="same"),
        branch_of(ex, n, name="other", models={"m": scripted("no mail")}),
        branch_of(ex, n, name="begun"),
        branch_of(ex, n, name="half"),
    )
    same.run_sync(), other.run_sync(), half.run_sync(max_frames=1)
    differs = ex.store.branches("report").set_index("name").diverged_at
    assert differs.index.tolist() == ["report", "same", "other", "begun", "half"] and begun.recorded == n
    assert differs[["report", "same", "begun", "half"]].isna().all()
    assert differs["other"] == ex.compare(other).first.frame == n + 1


def test_notes_tell_what_the_parent_did_after_the_fork(run_of: Any, branch_of: Any) -> None:
    ex = run_of(App, name="report", models={"m": model()})
    ex.run_sync()
    n = frame_of(ex, "first")
    notes = branch_of(ex, n).notes
    assert notes == (
        f"report ran tasks after frame {n}, and the branch may do so again: last, note.",
        f"report called tools after frame {n}, and the branch may do so again: send_mail (2 times).",
        f"report called handlers after frame {n}, and the branch may do so again: on_finished of mail, on_finished of note.",
        f"report ran effects after frame {n}, and the branch may do so again: told.",
        f"report wrote files after frame {n}, and the branch may do so again: note.txt.",
    )
    assert ex.notes == ()
    late = branch_of(ex, frame_of(ex, "note"))
    assert not any("note.txt" in note for note in late.notes)
    Path("note.txt").write_text("other")
    wrote = frame_of(ex, "note")
    changed = f"note.txt, which frame {wrote} wrote, has changed since: the branch finds it so."
    assert changed in late.notes
    Path("note.txt").unlink()
    assert changed.replace("has changed", "is gone") in Store(ex.store.path).open(late.execution_id).notes


def test_notes_tell_which_volatile_values_are_shared(run_of: Any, branch_of: Any) -> None:
    ex = run_of(Task(id="t", run=lambda: 1, on_finished=lambda r, ctx: ctx.vol.set("client", object())), name="x")
    ex.run_sync()
    assert branch_of(ex).notes == ("the volatile values client are shared with x: the same objects, no copies.",)
    assert not any("client" in note for note in branch_of(ex, 1).notes)


def test_a_branch_is_not_replayed_and_says_what_can_be(run_of: Any, branch_of: Any) -> None:
    ex = run_of(App, models={"m": model()})
    ex.run_sync()
    for n in (0, 2):
        branch = branch_of(ex, n, models={"m": model()})
        branch.run_sync()
        count = len(ex.store.df.executions)
        with pytest.raises(
            StoreError, match=rf"is a branch, and a replay begins at frame 1: .* {ex.execution_id}\. Rep"
        ):
            branch.replay()
        assert len(ex.store.df.executions) == count


def test_a_branch_is_exported_along_its_line(run_of: Any, branch_of: Any, tmp_path: Path) -> None:
    ex = run_of(App, models={"m": model()})
    ex.run_sync()
    n = frame_of(ex, "mail")
    branch = branch_of(ex, n, state={"first": 9})
    branch.run_sync()
    head, *rows = [json.loads(line) for line in branch.export(tmp_path / "b.ndjson").read_text().splitlines()]
    assert head["execution"]["execution_id"] == branch.execution_id
    [part] = head["line"]
    assert (part["execution"]["execution_id"], part["first_frame"], part["last_frame"]) == (ex.execution_id, 1, n)
    for table in ("frames", "nodes", "reads", "tasks", "model_calls", "tool_calls", "handlers", "effects", "state"):
        found = [row for row in rows if row["table"] == table]
        df = getattr(branch.df, table)
        assert len(found) == len(df), table
        assert sorted({row["execution_id"] for row in found}) == sorted(set(df.execution_id)), table
    assert [row["frame"] for row in rows if row["table"] == "frames"] == list(range(1, branch.recorded + 1))
    assert len([row for row in rows if row["table"] == "tool_calls"]) == 2
    [alone] = [json.loads(line) for line in ex.export(tmp_path / "a.ndjson").read_text().splitlines()][:1]
    assert "line" not in alone


def test_calls_and_totals_of_a_branch_are_those_of_its_line(run_of: Any, branch_of: Any) -> None:
    ex = run_of(App, models={"m": model()})
    ex.run_sync()
    branch = branch_of(ex, frame_of(ex, "mail"))
    branch.run_sync()
    assert branch.df.tool_calls.id.tolist() == ex.df.tool_calls.id.tolist()
    assert len(branch.df.model_calls) == 3 and branch.df.model_calls.node_id.tolist() == ["mail"] * 3
    reader = ex.store.reader
    assert reader.totals(branch.execution_id) == reader.totals(ex.execution_id)
    early = branch_of(ex, frame_of(ex, "first"))
    assert len(early.df.tool_calls) == 0 and reader.totals(early.execution_id)[0] == 0


def test_lint_of_a_branch_knows_what_was_written_before_the_fork(run_of: Any, branch_of: Any) -> None:
    @component
    def Reads(ctx: Any) -> Any:
        ctx.state.get("n")
        step = ctx.state.get("step", 0)
        return [
            Task(id="a", run=lambda: 1, on_finished=lambda r, ctx: ctx.state.set("n", 1)),
            Task(id=f"b{step}", run=lambda: 1, on_finished=lambda r, ctx: ctx.state.set("step", min(step + 1, 3))),
        ]

    ex = run_of(Reads())
    ex.run_sync()
    assert [one.message for one in branch_of(ex).lint()] == [one.message for one in ex.lint()]
