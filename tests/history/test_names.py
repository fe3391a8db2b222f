"""The names of nodes: in the plan, gone from it, in texts, and without a name of their own."""

from __future__ import annotations

from typing import Any

from smithers_nb import Claude, Phase, Ralph, Task, component, scripted
from smithers_nb.history.names import Names
from smithers_nb.notebook.view_of import view_of
from smithers_nb.records.words import closed, standing_of


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
