"""The names of nodes: in the plan, gone from it, in texts, and without a name of their own."""

from __future__ import annotations

import re
from typing import Any

import pytest

from smithers_nb import Claude, Parallel, Phase, Ralph, Sequence, Store, Task, component, scripted
from smithers_nb.history.names import Names
from smithers_nb.history.panes.handlers import handlers
from smithers_nb.history.panes.tasks import tasks
from smithers_nb.history.panes.timeline import gantt
from smithers_nb.looks import LOOKS
from smithers_nb.notebook.view_of import view_of
from smithers_nb.records.words import closed, standing_of

HASH = re.compile(r"(?<![0-9A-Za-z_/])(?<!\(['\"])[0-9a-f]{12}(?![0-9A-Za-z_])")
"""A generated id, but for one in a call that people copy."""


def test_nodes_are_named_by_id_key_name_and_place(run_of: Any) -> None:
    @component
    def App(ctx: Any) -> Any:
        gone = ctx.state.get("gone")
        return Phase(name="all")[
            Claude(id="notes", model=scripted("a"))["Say a."],
            Claude(key="tides", model=scripted("a"))["Say b."],
            Task(run=lambda: 1),
            Task(run=lambda: 2),
            None if gone else Task(run=lambda: 3),
            None if gone else Task(key="last", run=lambda: 4),
        ]

    ex = run_of(App)
    view = view_of(ex)
    ex.step_sync()
    ids = [node.id for node in ex.frame.tree.walk()]
    assert named(view, ids) == [
        'phase "all"', "claude #notes", "the text of claude #notes", 'claude "tides"', 'the text of claude "tides"',
        "task", "task (2nd)", "task (3rd)", 'task "last"',
    ]  # fmt: skip
    ex.state.set("gone", True)
    ex.step_sync(), ex.step_sync()
    assert named(view, ids)[5:] == ["task", "task (2nd)", "task (3rd)", 'task "last"']


def test_a_text_gets_names_for_the_ids_of_nodes_and_nothing_else(run_of: Any) -> None:
    ex = run_of(component(lambda ctx: Task(key="a", run=lambda: 1)))
    view = view_of(ex)
    ex.step_sync()
    (id,) = (node.id for node in ex.frame.tree.walk())
    names = names_of(view)
    assert names.in_text(f"{id}@1 settled, x{id}, {id[::-1]}") == f'task "a" settled, x{id}, {id[::-1]}'
    assert names.in_text(f"ex.retry({id!r}) of {id}") == f'ex.retry({id!r}) of task "a"'
    assert names.word(id) == 'task "a"'
    assert names.of("nowhere") == "nowhere"


def test_from_the_second_iteration_on_a_name_has_its_number(run_of: Any) -> None:
    @component
    def Loop(ctx: Any) -> Any:
        n = ctx.iteration("polish")
        return Ralph(id="polish", until=n == 2)[Task(id="t", run=lambda: n)]

    ex = run_of(Loop)
    view = view_of(ex)
    ex.step_sync()
    assert named(view, ["t"]) == ["task #t"]
    ex.run_sync()
    assert named(view, ["t"]) == ["task #t (2nd)"]


def fails() -> None:
    raise ValueError("no wind")


@component
def Notes(ctx: Any) -> Any:
    """Nodes that are known by a key, by their places, and by an id in a loop; one fails."""
    n = ctx.iteration("polish")
    return Sequence()[
        Claude(key="tides", model=scripted("a"), on_finished=lambda r: ctx.state.set("said", r.output))["Say."],
        Parallel()[[Task(run=lambda i=i: i, on_finished=lambda r: ctx.state.set("t", r.output)) for i in range(2)]],
        Ralph(id="polish", until=n == 2)[
            Claude(id="notes", model=scripted("x"), on_finished=lambda r: ctx.state.set("notes", n))["Note."],
            Task(run=lambda: n, on_finished=lambda r: ctx.state.set("k", n)),
        ],
        Task(run=fails),
    ]


@pytest.fixture
def ended(run_of: Any) -> Any:
    ex = run_of(Notes)
    ex.run_sync()
    return ex


def test_the_timeline_and_the_columns_of_words_name_nodes_and_have_no_hashes(ended: Any) -> None:
    df = ended.df
    story = df.timeline()
    assert [*story.text[story.what == "task started"]] == [
        'claude "tides" started', "task started", "task (2nd) started", "claude #notes started", "task (3rd) started",
        "claude #notes (2nd) started", "task (3rd, iteration 2) started", "task (4th) started",
    ]  # fmt: skip
    reasons = [one for reason in df.frames.reason for one in reason]
    assert 'claude "tides" succeeded' in reasons and "claude #notes (2nd) settled" in reasons
    assert {'claude "tides" succeeded', "task (2nd) succeeded", "task (3rd, iteration 2) succeeded"} <= {
        *df.transitions.trigger
    }
    assert [*df.executions.reason] == ["task (4th) failed and has no on_error"] == [ended.reason]
    words = [
        *story.text, *reasons, *df.transitions.trigger, *df.tasks.reason, *df.tasks.error, *df.handlers.error,
        *(problem.message for problem in ended.run_sync().problems), *(one.message for one in ended.lint()),
    ]  # fmt: skip
    assert [text for text in words if text and HASH.search(text)] == []
    ids = {*df.nodes.node_id}
    assert {*df.tasks.node_id} <= ids and {*df.transitions.node_id} <= ids and {*story.node_id.dropna()} <= ids


def test_a_problem_names_the_node_and_has_the_id_in_the_call_that_people_copy(run_of: Any) -> None:
    ex = run_of(Sequence()[Task(run=fails), Task(run=fails)])
    (problem,) = ex.run_sync().problems
    assert problem.message.startswith("task failed and has no on_error: ValueError: no wind.")
    assert f"ex.retry({problem.node_id!r})" in problem.message and ex.reason == "task failed and has no on_error"


def test_what_the_shell_and_the_server_list_has_the_names_beside_the_ids(ended: Any) -> None:
    history = Store(ended.store.path).open(ended.name)
    shown = {name: LOOKS[name](history) for name in ("show", "timeline", "tasks", "errors", "why")}
    shown["diff"] = LOOKS["diff"](history, 1, history.frames)
    for name, found in shown.items():
        columns = [column for column in found.columns if column != "task_id"]
        told = found.text or "\n".join(str([row[column] for column in columns]) for row in found.rows)
        # What can be asked further, and the execution, are named by their ids.
        told = re.sub(r"ask why of \S+", "", told.replace(history.execution_id, ""))
        assert told and not HASH.search(told), (name, told)
    assert [row["node"] for row in shown["errors"].rows] == ["task (4th)"] * 2
    assert {row["node_id"] for row in shown["tasks"].rows} == {*ended.df.tasks.node_id}
    assert {row["node"] for row in shown["diff"].rows} >= {"claude #notes (2nd)", "task (3rd, iteration 2)"}


def test_each_task_of_a_loop_is_named_with_the_iteration_of_its_own(ended: Any) -> None:
    source = view_of(ended).source()
    cursor = source.cursor()
    assert gantt(source, cursor)["nodes"] == [
        'claude "tides"', "task", "task (2nd)", "claude #notes", "task (3rd)", "claude #notes (2nd)",
        "task (3rd, iteration 2)", "task (4th)",
    ]  # fmt: skip
    pane = tasks(source, cursor)
    rows = [(pane["names"][row["task_id"]], row["iteration"]) for row in reversed(pane["tasks"])]
    assert rows == [
        ('claude "tides"', None), ("task", None), ("task (2nd)", None), ("claude #notes", 1), ("task (3rd)", 1),
        ("claude #notes (2nd)", 2), ("task (3rd, iteration 2)", 2), ("task (4th)", None),
    ]  # fmt: skip


def test_each_call_of_a_handler_is_named_with_the_iteration_of_its_own(ended: Any) -> None:
    source = view_of(ended).source()
    pane = handlers(source, source.cursor())
    named = [pane["names"][call["task_id"]] for call in reversed(pane["calls"])]
    assert [name for name in named if "notes" in name] == ["claude #notes", "claude #notes (2nd)"]
    assert [name for name in named if "3rd" in name] == ["task (3rd)", "task (3rd, iteration 2)"]


def test_rest_is_no_pause_and_a_mark_is_no_full_stop() -> None:
    assert [standing_of("paused", reason) for reason in ("", "max_frames=2 were rendered", "paused by hand")] == [
        "at rest", "at rest", "paused",
    ]  # fmt: skip
    assert [standing_of("paused", "", phase) for phase in ("EFFECTS", "RENDER", "FLUSH")] == [
        "at rest", "paused", "paused",
    ]  # fmt: skip
    assert closed("cut…") == "cut…"


def names_of(view: Any) -> Names:
    source = view.source()
    return Names(source.cursor(), source.file, source.tree)


def named(view: Any, ids: list[str]) -> list[str]:
    names = names_of(view)
    return [names.of(id) for id in ids]
