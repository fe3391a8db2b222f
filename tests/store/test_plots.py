"""Pictures of a run: what is drawn is what the DataFrames say."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest
from matplotlib.colors import to_hex

from smithers_nb import Approval, Claude, If, Phase, Ralph, Step, Task, component, scripted
from smithers_nb.store.plots import BLUE, ORANGE, PALE_BLUE, PALE_ORANGE

OUTPUT = Path(__file__).parents[2] / "test-output"


@pytest.fixture(autouse=True)
def no_window() -> Iterator[None]:
    mpl.use("Agg")
    yield
    from matplotlib import pyplot

    pyplot.close("all")


def fails() -> None:
    raise ValueError("no")


@component
def App(ctx: Any) -> Any:
    turns = ctx.state.get("turns", 0)
    return [
        Phase(name="a")[
            Claude(id="notes", model=scripted("x"), on_finished=lambda r: ctx.state.set("said", r.output))["go"],
            Task(id="bad", run=fails, on_error=lambda r: ctx.state.set("problem", r.error)),
        ],
        Phase(name="b")[
            Ralph(id="loop", until=turns >= 3)[
                Task(id="turn", run=int, on_finished=lambda r: ctx.state.set("turns", turns + 1))
            ]
        ],
        If(condition=turns < 2)[Task(id="early", run=int)],
        Approval(id="ask", prompt="?"),
    ]


@pytest.fixture
def ex(run_of: Any) -> Any:
    made = run_of(App())
    made.run_sync()
    return made


def bars(ax: Any) -> list[tuple[str, float, float, str]]:
    """(label of the row, from, to, colour) of each bar."""
    labels = [label.get_text() for label in ax.get_yticklabels()]
    return [
        (labels[round(bar.get_y() + bar.get_height() / 2)], bar.get_x(), bar.get_x() + bar.get_width(), to_hex(bar.get_facecolor()))
        for bar in ax.patches
    ]  # fmt: skip


def saved(ax: Any, name: str) -> None:
    """For people to look at; and drawing it must not warn."""
    OUTPUT.mkdir(exist_ok=True)
    ax.figure.savefig(OUTPUT / f"{name}.png", dpi=80)


def test_tasks_are_bars_from_the_frame_that_started_them_to_the_one_that_dealt_with_them(ex: Any) -> None:
    ax = ex.df.plot_tasks()
    saved(ax, "plot_tasks_over_frames")
    drawn = bars(ax)
    tasks = ex.df.tasks
    assert len(drawn) == len(tasks)
    for task in tasks.itertuples():
        place = (task.node_id, task.mounted_at_frame)
        ((*_, until, colour),) = [bar for bar in drawn if (bar[0].split("#")[1], bar[1]) == place]
        if task.node_id in ("notes", "bad", "turn"):
            assert until == task.settled_at_frame
        assert colour == {"succeeded": BLUE, "failed": ORANGE, "blocked": "#ffffff"}[task.status]
    assert [label.get_text() for label in ax.get_yticklabels()][:2] == ["claude #notes", "task #bad"]
    assert {until for label, _, until, _ in drawn if label == "approval #ask"} == {ex.recorded + 1}, "it is under way"
    assert {"failed", "blocked"} <= {text.get_text() for text in ax.texts}
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "succeeded", "failed, cancelled or abandoned", "running",
    ]  # fmt: skip


def test_over_time_the_bars_are_as_long_as_the_tasks_took(ex: Any) -> None:
    ax = ex.df.plot_tasks(by="time")
    saved(ax, "plot_tasks_over_time")
    tasks = ex.df.tasks
    ended = tasks[tasks.ended_at.notna()]
    drawn = {(label, round(since, 6)): until - since for label, since, until, _ in bars(ax)}
    for task in ended.itertuples():
        since = round((task.started_at - tasks.started_at.min()).total_seconds(), 6)
        (length,) = [
            length for (label, begun), length in drawn.items() if label.endswith(f"#{task.node_id}") and begun == since
        ]
        assert length == pytest.approx((task.ended_at - task.started_at).total_seconds(), abs=1e-5)


def test_words_do_not_cover_other_bars(run_of: Any) -> None:
    ex = run_of(Ralph(id="l", max_iterations=30)[Task(id="t", run=int)])
    ex.run_sync()
    ax = ex.df.plot_tasks()
    saved(ax, "plot_tasks_of_a_long_loop")
    renderer = ax.figure.canvas.get_renderer()
    words = [text.get_window_extent(renderer) for text in ax.texts]
    for word in words:
        covered = [bar for bar in ax.patches if bar.get_window_extent(renderer).overlaps(word)]
        assert len(covered) <= 1
    assert len(words) < 30


@pytest.mark.parametrize("by", ["frame", "time"])
def test_a_run_without_tasks_says_so(by: Any, run_of: Any) -> None:
    ex = run_of(Step())
    ex.run_sync()
    assert [text.get_text() for text in ex.df.plot_tasks(by=by).texts] == ["no task has begun"]


def test_a_task_is_drawn_over_frames_or_time_and_nothing_else(ex: Any) -> None:
    with pytest.raises(ValueError, match="'frame' or 'time'"):
        ex.df.plot_tasks(by="day")


VALUES = [0, 3, 3, 2.5, 7]


def test_numbers_are_a_line_with_steps(run_of: Any) -> None:
    ex = run_of(Step(), state={"n": 0})
    for value in VALUES[1:]:
        ex.state.set("n", value)
        ex.run_sync()
    ex.state.delete("n")
    ex.run_sync()
    ex.state.set("n", 5)
    ex.run_sync()
    ax = ex.df.plot_state("n")
    saved(ax, "plot_state_of_a_number")
    state = ex.df.state.query("to_frame.isna() or to_frame > from_frame")
    level = [tuple(map(tuple, lines.get_segments()[0])) for lines in ax.collections]
    flat = [((x1, x2), y1) for (x1, y1), (x2, y2) in level if y1 == y2]
    assert [span for span, _ in flat] == [
        (row.from_frame, row.to_frame if row.to_frame == row.to_frame and row.to_frame is not None else ex.recorded + 2)
        for row in state.astype(object).where(state.notna(), None).itertuples()
    ]
    assert [value for _, value in flat] == state.value.tolist()
    assert len(level) - len(flat) == len(flat) - 2, "a deleted key has no step to the next value"


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        (["one", "two"], ['"one"', '"two"']),
        ([True, False], ["true", "false"]),
        ([1, None], ["1", "null"]),
        (["costs $5 to $6", {"a": [1]}], ['"costs $5 to $6"', '{"a": [1]}']),
        (["x" * 500, "é 世\n"], ['"xxx', '"é 世\\n"']),
    ],
)
@pytest.mark.filterwarnings("ignore:Glyph:UserWarning")
def test_other_values_are_bands_with_words(values: list[Any], shown: list[str], run_of: Any) -> None:
    ex = run_of(Step(), state={"k": values[0]})
    ex.run_sync()
    ex.state.set("k", values[1])
    ex.run_sync()
    ax = ex.df.plot_state("k")
    saved(ax, "plot_state_of_words")
    assert [to_hex(band.get_facecolor()) for band in ax.patches] == [PALE_BLUE, PALE_ORANGE]
    texts = [text.get_text().strip() for text in ax.texts]
    assert all(text.startswith(start) for text, start in zip(texts, shown, strict=True))
    assert max(map(len, texts)) < 100


def test_a_key_that_is_not_there_is_refused_with_the_nearest(ex: Any) -> None:
    with pytest.raises(KeyError, match=r"no key 'tuns', and never had\. Did you mean 'turns'"):
        ex.df.plot_state("tuns")


def test_it_draws_into_axes_of_the_users_own(ex: Any) -> None:
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2)
    assert ex.df.plot_tasks(ax=left) is left
    assert ex.df.plot_state("turns", ax=right) is right
    assert len(figure.axes) == 2


@pytest.mark.parametrize("draw", [lambda df: df.plot_tasks(), lambda df: df.plot_state("turns")])
def test_without_matplotlib_it_says_what_to_install(draw: Any, ex: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install 'smithers_nb\[plot\]'"):
        draw(ex.df)


def test_plots_belong_to_one_execution(ex: Any) -> None:
    for draw in (ex.store.df.plot_tasks, lambda: ex.store.df.plot_state("turns")):
        with pytest.raises(AttributeError, match="one execution"):
            draw()


def test_matplotlib_is_not_imported_before_something_is_drawn(python: Any) -> None:
    done = python(
        """
        import sys
        from smithers_nb import *
        ex = Execution(Step(), store="t.db")
        ex.df.timeline()
        print("matplotlib" in sys.modules)
        ex.df.plot_tasks()
        print("matplotlib" in sys.modules)
        """,
        MPLBACKEND="Agg",
    )
    assert done.stdout.split() == ["False", "True"], done.stderr
