"""Recorded frames rendered again by edited code: nothing runs, nothing is written, and the first difference is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from smithers_nb import Approval, Claude, Execution, Phase, Ralph, Store, Task, component, errors, scripted
from tests.engine.test_branches import rows
from tests.history import programs

Made = Callable[..., Execution]


def story(first: str = "Plan", second: str = "Draft {}", third: str = "Check", model: str = "m") -> Any:
    """Three agents in three phases; the second one's prompt holds the first one's answer."""

    @component
    def Story(ctx: Any) -> Any:
        return [
            Phase(name="plan")[
                Claude(id="plan", model=model, on_finished=lambda r: ctx.state.set("plan", r.output))[first]
            ],
            Phase(name="draft")[
                Claude(id="draft", model=model, on_finished=lambda r: ctx.state.set("text", r.output))[
                    second.format(ctx.state.get("plan", "…"))
                ]
            ],
            Phase(name="check")[Claude(id="check", model=model)[third]],
        ]

    return Story


def told(run_of: Made, app: Any = None, **options: Any) -> Execution:
    ex = run_of(app or story(), models={"m": scripted("a"), "n": scripted("a")}, **options)
    ex.run_sync()
    return ex


@pytest.mark.parametrize(
    "app", [one for name, one in programs.PROGRAMS.items() if name != "Effects"], ids=lambda app: app.name
)
def test_the_same_code_renders_what_was_recorded(app: Any, run_of: Made) -> None:
    ex = run_of(app)
    programs.ran(ex)
    before = rows(ex.store.path, ex.execution_id)
    again = ex.rerender()
    assert again.first is None and all(frame.same for frame in again.frames), again
    assert [frame.frame for frame in again.frames] == list(ex.df.frames.frame)
    assert set(again.requests.fate) <= {"reused"} and again.cost_usd == 0
    assert rows(ex.store.path, ex.execution_id) == before


def test_the_first_frame_is_not_one_in_which_the_phase_has_not_begun(run_of: Made) -> None:
    ex = told(run_of)
    started = int(ex.df.tasks.set_index("node_id").loc["draft"].mounted_at_frame)
    again = ex.rerender(story(second="Write {}"))
    assert started > 1 and again.first == started, again
    assert [frame.pending for frame in again.frames] == [n < started for n in range(1, ex.recorded + 1)]
    assert not again.df.same.any()
    assert f"Frame {started} is the first that differs: draft's prompt." in again.text
    assert "From frame 1 on, phases that have not begun differ: draft's prompt." in again.text
    assert "A branch reuses 2 of 3 answers, asks 1 again" in again.text
    assert dict(zip(again.requests.node_id, again.requests.fate, strict=True)) == {
        "plan": "reused", "draft": "asked again", "check": "reused",
    }  # fmt: skip
    assert "&#x27;s prompt" in again._repr_html_() and "<script" not in again._repr_html_()


def test_a_prop_and_a_node_that_is_new_or_gone_are_named(run_of: Made) -> None:
    ex = told(run_of)
    again = ex.rerender(story(model="n"))
    assert again.first == 1 and "Frame 1 is the first that differs: plan's model" in again.text
    assert again.requests.why[0] == "plan's model"

    @component
    def Other(ctx: Any) -> Any:
        return Phase(name="plan")[
            Claude(id="plan", model="m", on_finished=lambda r: None)["Plan"], Claude(id="more", model="m")["More"]
        ]

    again = ex.rerender(Other)
    assert again.first == 1 and "more is new" in again.text
    assert list(zip(again.requests.node_id, again.requests.fate, strict=True)) == [
        ("more", "new"), ("plan", "reused"), ("draft", "gone"), ("check", "gone"),
    ]  # fmt: skip
    changes = again.changes(1)
    assert "more" in changes.mounted and "draft" in changes.unmounted
    with pytest.raises(errors.StoreError, match="has no frame 99"):
        again.changes(99)


def test_code_that_raises_in_one_frame_fails_that_frame_only(run_of: Made) -> None:
    ex = told(run_of, programs.Loops)

    @component
    def Fragile(ctx: Any) -> Any:
        if ctx.frame == 3:
            raise ValueError("three")
        return programs.Loops()

    again = ex.rerender(Fragile)
    failed = [frame.frame for frame in again.frames if frame.error]
    assert failed == [3] and "ValueError: three" in str(again.df.error[2])
    with pytest.raises(errors.ComponentError, match="three"):
        again.changes(3)


def test_frames_after_one_that_failed_are_compared_again(run_of: Made) -> None:
    ex = told(run_of)

    def app(fails: int) -> Any:
        inner = story()

        @component
        def Story(ctx: Any) -> Any:
            if ctx.frame == fails:
                raise ValueError("no")
            return inner.function(ctx)

        return Story

    again = ex.rerender(app(2))
    assert [frame.same for frame in again.frames] == [n != 2 for n in range(1, ex.recorded + 1)], again
    assert again.first == 2 and "it can't be rendered" in again.text


def test_clock_seed_and_loops_are_those_of_the_frame(run_of: Made) -> None:
    @component
    def Clock(ctx: Any) -> Any:
        n = ctx.state.get("n", 0)
        return [
            Phase(name=f"{ctx.now().isoformat()} {ctx.rand().random()} {ctx.frame}")["x"] if False else None,
            Phase(name=f"{ctx.now().isoformat()} {ctx.rand().random()} {ctx.frame} {ctx.iteration('loop')}")[
                Ralph(id="loop", until=n >= 3, max_iterations=5)[
                    Task(id="t", run=lambda: n + 1, on_finished=lambda r: ctx.state.set("n", r.output))
                ]
            ],
        ]

    ex = run_of(Clock, seed=7)
    ex.run_sync()
    assert ex.recorded > 5 and all(frame.same for frame in ex.rerender().frames), ex.rerender()


def test_what_is_not_recorded_is_named(run_of: Made, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")

    @component
    def Looks(ctx: Any) -> Any:
        ctx.fs.exists(tmp_path / "a.txt")
        ctx.db.query("select 1")
        return Phase(name=str(ctx.vol.get("v")))

    ex = run_of(Looks)
    ex.run_sync()
    unknown = ex.rerender().unknown
    assert len(unknown) == 3 and all(one.startswith("Looks reads ") for one in unknown), unknown
    assert "ctx.vol 'v'" in ex.rerender().text


def test_some_frames_are_rendered_alone(run_of: Made) -> None:
    ex = told(run_of)
    again = ex.rerender(story(second="Write {}"), frames=[2, 3])
    assert list(again.df.frame) == [2, 3]
    assert list(ex.rerender(frames=range(1, 3)).df.frame) == [1, 2]
    assert list(ex.rerender(frames=1).df.frame) == [1]
    whole = {frame.frame: frame for frame in ex.rerender(story(second="Write {}")).frames}
    assert all(frame == whole[frame.frame] for frame in again.frames)
    with pytest.raises(errors.StoreError, match=r"has no frame 50\. It has the frames 1 to"):
        ex.rerender(frames=50)
    with pytest.raises(TypeError, match="the number of a frame"):
        ex.rerender(frames="2")  # type: ignore[arg-type]


def test_a_branch_begins_before_the_first_that_differs(run_of: Made) -> None:
    ex = told(run_of)
    before = rows(ex.store.path, ex.execution_id)
    again = ex.rerender(story(second="Write {}"))
    with again.fork(name="edited") as branch:
        assert branch.name == "edited" and again.first is not None
        found = ex.store.reader.execution(branch.execution_id)
        assert (found.parent_id, found.forked_at_frame) == (ex.execution_id, again.first - 1)
        branch.run_sync()
        assert "Write a" in str(list(branch.df.nodes.text))
        # The branch is read along its line: its own code renders all of its frames.
        assert branch.rerender(story(second="Write {}"), frames=range(again.first, branch.recorded + 1)).first is None
        compared = ex.compare(branch)
        assert {row.node_id for row in compared.rows if row.node_id} == {"draft"}, compared
    with ex.rerender().fork() as last:
        assert ex.store.reader.execution(last.execution_id).forked_at_frame == ex.recorded
    assert rows(ex.store.path, ex.execution_id) == before


def test_the_frames_before_a_fork_are_those_of_the_parent(run_of: Made) -> None:
    @component
    def Counts(ctx: Any) -> Any:
        n = ctx.state.get("n", 0)
        return Phase(name=f"{n} {ctx.state.get('k')}")[
            Ralph(id="loop", until=n >= 4, max_iterations=9)[
                Task(id="t", run=lambda: n + 1, on_finished=lambda r: ctx.state.set("n", r.output))
            ]
        ]

    ex = run_of(Counts, state={"k": 1})
    ex.run_sync()
    for frame in range(ex.recorded + 1):
        with ex.fork(frame, state={"k": 5}) as branch:
            branch.run_sync()
            assert all(one.same for one in branch.rerender().frames), (frame, branch.rerender())
            with branch.fork(frame + 1, state={"k": 6}) as further:
                further.run_sync()
                assert all(one.same for one in further.rerender().frames), (frame, further.rerender())


def test_a_file_alone_can_be_rendered_again(run_of: Made) -> None:
    ex = told(run_of, name="story")
    ex.close()
    history = Store(ex.store.path).open("story")
    again = history.rerender(story(second="Write {}"))
    assert again.first is not None and again.first > 1
    with again.fork() as branch:
        assert branch.name == "story~2"


def test_recorded_props_are_those_of_the_frames(run_of: Made) -> None:
    @component
    def Named(ctx: Any, name: str) -> Any:
        return Phase(name=name)[Task(id="t", run=lambda: 1)]

    ex = run_of(Named, props={"name": "a"}, name="named")
    ex.run_sync()
    assert ex.rerender(Named).first is None
    assert ex.store.open("named").rerender(Named).first is None
    again = ex.rerender(Named, props={"name": "b"})
    assert again.first == 1 and "'s name" in again.text
    with pytest.raises(errors.PropError):
        ex.rerender(Named, props={"nam": "b"})


def test_an_answer_of_a_person_counts_too(run_of: Made) -> None:
    def app(prompt: str) -> Any:
        @component
        def Asks(ctx: Any) -> Any:
            return Approval(id="ok", prompt=prompt, on_finished=lambda r: ctx.state.set("ok", r.output))

        return Asks

    ex = run_of(app("Send?"))
    ex.run_sync()
    ex.answer("ok", "approve")
    ex.run_sync()
    assert list(ex.rerender(app("Send?")).requests.fate) == ["reused"]
    again = ex.rerender(app("Really send?"))
    assert list(again.requests.fate) == ["asked again"] and list(again.requests.why) == ["ok's prompt"]


def test_an_execution_without_frames_has_nothing_to_differ(run_of: Made) -> None:
    ex = run_of(story())
    assert ex.rerender().text == "No frame is recorded yet." and ex.rerender().df.empty
