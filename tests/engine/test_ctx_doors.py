"""The doors of ctx beside state: vol, signal and computed, db, rand, now and frame."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest

from smithers_nb import Effect, Step, Task, component
from smithers_nb.errors import NotStorableError, PurityError, RenderMutationError, RenderWriteError, StoreError


class Quarrelsome:
    """Its == raises, and so does its name."""

    def __eq__(self, other: object) -> bool:
        raise ArithmeticError

    __hash__ = None  # type: ignore[assignment]


class ManyAnswers:
    """Its == gives something like an array."""

    def __eq__(self, other: object) -> Any:
        return [True, False]

    __hash__ = None  # type: ignore[assignment]


def circular() -> Any:
    value: list[Any] = []
    value.append(value)
    return value


def run_handler(run_of: Any, handler: Any, **options: Any) -> Any:
    """Run an app of one task whose handler is given ctx; the plan shows what is in x of both scopes."""

    @component
    def App(ctx: Any) -> Any:
        shown = f"{ctx.state.get('x')} {type(ctx.vol.get('x')).__name__}"
        return [Step(name=shown), Task(id="t", run=lambda: 1, on_finished=lambda r: handler(ctx))]

    ex = run_of(App(), **options)
    ex.run_sync()
    return ex


# ---- vol -------------------------------------------------------------------------------------------------------

ANYTHING: dict[str, tuple[Any, Any]] = {
    "a list": ([1], [1]),
    "a set": ({1}, "set(…)"),
    "a function": (len, "builtin_function_or_method(len)"),
    "one whose == raises": (Quarrelsome(), "Quarrelsome(…)"),
    "one whose == gives many answers": (ManyAnswers(), "ManyAnswers(…)"),
    "one that contains itself": (circular(), "list(…)"),
    "not a number": (float("nan"), "nan"),
    "a lone surrogate": ("\ud800", "\ufffd"),
}


@pytest.mark.parametrize(("value", "shown"), ANYTHING.values(), ids=ANYTHING)
def test_vol_holds_any_object_itself_and_the_store_what_is_shown_of_it(value: Any, shown: Any, run_of: Any) -> None:
    ex = run_handler(run_of, lambda ctx: ctx.vol.set("x", value))
    assert ex.ctx.vol["x"] is value
    assert f'name="None {type(value).__name__}"' in ex.frame.xml
    [row] = ex.df.transitions.to_dict("records")
    assert (row["scope"], row["key"], row["old"], row["new"], row["status"]) == ("vol", "x", None, shown, "applied")
    assert len(ex.df.state) == 0
    assert "vol x" in ex.frame.reason


def test_state_and_vol_are_two_scopes_with_the_same_keys(run_of: Any) -> None:
    def handler(ctx: Any) -> None:
        ctx.state.set("x", 1)
        ctx.vol.set("x", {2})
        ctx.vol.init("x", "not this")
        ctx.vol.update("x", lambda old: old | {3})
        ctx.vol["gone"] = 1
        del ctx.vol["gone"]
        seen.append((ctx.state["x"], ctx.vol["x"], ctx.vol.keys(), "gone" in ctx.vol, ctx.state.keys()))

    seen: list[Any] = []
    ex = run_handler(run_of, handler)
    assert seen == [(1, {2, 3}, ["x"], False, ["x"])]
    assert (ex.state["x"], ex.ctx.vol["x"], len(ex.ctx.vol)) == (1, {2, 3}, 1)
    df = ex.df.transitions
    assert list(zip(df.seq, df.scope, df.op, df.status, strict=True)) == [
        (1, "state", "set", "applied"),
        (2, "vol", "set", "applied"),
        (3, "vol", "update", "applied"),
        (4, "vol", "set", "overridden"),
        (5, "vol", "delete", "applied"),
    ]


def test_vol_writes_of_a_handler_that_raises_are_rolled_back(run_of: Any) -> None:
    def handler(ctx: Any) -> None:
        ctx.vol.set("x", {1})
        raise ValueError

    ex = run_handler(run_of, handler)
    assert "x" not in ex.ctx.vol
    assert list(ex.df.transitions.status) == ["rolled_back"]


def test_a_vol_update_that_raises_at_flush_takes_the_state_writes_with_it(run_of: Any) -> None:
    def handler(ctx: Any) -> None:
        ctx.state.set("x", 1)
        ctx.vol.update("x", lambda old: old["nothing"])

    ex = run_handler(run_of, handler)
    assert ("x" in ex.state, "x" in ex.ctx.vol) == (False, False)
    assert list(ex.df.handlers.status) == ["raised"]


def test_a_vol_write_is_visible_in_the_next_frame_and_not_before(run_of: Any) -> None:
    seen: list[Any] = []

    @component
    def App(ctx: Any) -> Any:
        seen.append(ctx.vol.get("x"))
        return Effect(id="e", run=lambda: ctx.vol.set("x", 1))

    ex = run_of(App())
    frame = ex.step_sync()
    assert [(w.scope, w.key, w.new, w.status) for w in frame.pending] == [("vol", "x", 1, "queued")]
    assert (seen, "x" in ex.ctx.vol) == ([None], False)
    assert ex.run_sync().status == "finished"
    assert seen == [None, 1]


SAME: dict[str, tuple[Any, Any, bool]] = {
    "the same object": (circular(), None, True),
    "an equal list": ([1], [1], True),
    "1 and true": (1, True, False),
    "objects that can't be compared": (Quarrelsome(), Quarrelsome(), False),
    "arrays": (ManyAnswers(), ManyAnswers(), False),
}


@pytest.mark.parametrize(("one", "other", "same"), SAME.values(), ids=SAME)
def test_an_equal_vol_value_makes_no_frame(one: Any, other: Any, same: bool, run_of: Any) -> None:
    ex = run_of(Step())
    ex.run_sync()
    for value in (one, one if other is None else other):
        ex.ctx.vol.set("x", value)
        frames = ex.run_sync().frames
    assert frames == (0 if same else 1)
    assert ex.df.transitions.status.iloc[-1] == ("noop" if same else "applied")


@pytest.mark.filterwarnings("ignore::smithers_nb.errors.AppChangedWarning")
def test_vol_is_empty_after_a_resume(run_of: Any, resumed: Any) -> None:
    ex = run_handler(run_of, lambda ctx: ctx.vol.set("x", {len}))
    ex.close()
    assert len(resumed(Step()).ctx.vol) == 0


def test_vol_init_while_rendering_applies_at_flush(run_of: Any) -> None:
    seen: list[Any] = []

    @component
    def App(ctx: Any) -> Any:
        ctx.vol.init("x", {1})
        ctx.state.init("x", 2)
        seen.append((ctx.vol.get("x"), ctx.state.get("x")))
        return Step()

    ex = run_of(App())
    ex.run_sync()
    assert seen == [(None, None), ({1}, 2)]


def test_what_is_pending_in_vol_can_be_shown(run_of: Any) -> None:
    from smithers_nb.notebook.static_view import write_line

    @component
    def App(ctx: Any) -> Any:
        return Effect(id="e", run=lambda: ctx.vol.set("x", {len}))

    [write] = run_of(App()).step_sync().pending
    assert 'set x: null → "set(…)"' in write_line(write)


@pytest.mark.parametrize("key", [5, None, b"x", "\ud800"], ids=ascii)
def test_a_vol_key_is_a_text_too(key: Any, run_of: Any) -> None:
    with pytest.raises(NotStorableError, match="can't be a key"):
        run_of(Step()).ctx.vol.set(key, 1)


# ---- purity ----------------------------------------------------------------------------------------------------


def refused(run_of: Any, act: Any, error: type[Exception] = RenderWriteError, **options: Any) -> Any:
    """Return the error with which rendering failed; nothing was stored."""

    @component
    def Impure(ctx: Any) -> Any:
        act(ctx)
        return Step()

    ex = run_of(Step(name="a")[Impure()], **options)
    with pytest.raises(error) as caught:
        ex.step_sync()
    # The problem itself is told, and nothing else: DESIGN 13.
    assert (len(ex.df.frames), len(ex.df.artifacts), list(ex.df.events.kind), ex.pending) == (0, 0, ["problem"], ())
    return caught.value


WRITES: dict[str, tuple[Any, str]] = {
    "vol.set": (lambda ctx: ctx.vol.set("x", 1), "vol key 'x'"),
    "vol.update": (lambda ctx: ctx.vol.update("x", len), "vol key 'x'"),
    "vol.delete": (lambda ctx: ctx.vol.delete("x"), "vol key 'x'"),
    "signal.set": (lambda ctx: ctx.signal("x").set(1), "state key 'x'"),
    "db insert": (lambda ctx: ctx.db.query("DELETE FROM state"), "DELETE FROM state"),
    "db temporary": (lambda ctx: ctx.db.query("CREATE TEMP TABLE t (a)"), "CREATE TEMP"),
    "fs.write": (lambda ctx: ctx.fs.write("no.txt", "a"), "'no.txt'"),
    "artifact.markdown": (lambda ctx: ctx.artifact.markdown("a"), "artifact.markdown"),
    "artifact.table": (lambda ctx: ctx.artifact.table([]), "artifact.table"),
    "artifact.progress": (lambda ctx: ctx.artifact.progress(0.5), "artifact.progress"),
    "artifact.link": (lambda ctx: ctx.artifact.link("a.html"), "artifact.link"),
    "artifact.image": (lambda ctx: ctx.artifact.image(b"GIF89a"), "artifact.image"),
}


@pytest.mark.parametrize(("act", "word"), WRITES.values(), ids=WRITES)
def test_no_door_writes_while_rendering(act: Any, word: str, run_of: Any, tmp_path: Any, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    error = refused(run_of, act)
    assert word in str(error) and "Impure" in str(error)
    assert (error.path, error.frame) == ("/step[0]/Impure[0]", 1)
    assert error.source.startswith("test_ctx_doors.py:")
    assert not (tmp_path / "no.txt").exists()


def test_a_vol_list_that_is_changed_in_place_while_rendering_is_found(run_of: Any) -> None:
    @component
    def App(ctx: Any) -> Any:
        ctx.vol.get("x", []).append(2)
        return Step()

    ex = run_of(App())
    ex.ctx.vol.set("x", [1])
    ex.ctx.vol.set("y", 1)
    with pytest.raises(RenderMutationError, match="vol key 'x'"):
        for _ in range(2):
            ex.step_sync()


# ---- signal and computed ---------------------------------------------------------------------------------------


def test_a_signal_is_a_key_of_the_state(run_of: Any) -> None:
    seen: list[Any] = []

    @component
    def App(ctx: Any) -> Any:
        count = ctx.signal("count", 10)
        seen.append((count.get(), count.value))
        return Task(id="t", run=lambda: 1, on_finished=lambda r: count.set(count.get() + 1))

    ex = run_of(App())
    ex.run_sync()
    assert (seen[0], seen[-1], ex.state["count"]) == ((10, 10), (11, 11), 11)
    assert list(ex.df.transitions.handler) == ["on_finished"]


def counted(run_of: Any, make: Any, changes: list[Any], **state: Any) -> tuple[list[int], list[Any]]:
    """Run an app that shows a computed value through changes of x; return after which frames it was called, and all
    values.
    """
    calls: list[int] = []
    values: list[Any] = []

    @component(always=True)
    def App(ctx: Any) -> Any:
        values.append(ctx.computed(make(ctx, calls)).get())
        return Step(name=str(ctx.state.get("x")))

    ex = run_of(App(), state={"y": 1, **state})
    ex.run_sync()
    numbers = [len(calls)]
    for key, value in changes:
        ex.state.set(key, value)
        ex.run_sync()
        numbers.append(len(calls))
    return numbers, values


CALLS: list[int] = []


def record() -> None:
    CALLS.append(1)


def test_a_computed_value_is_kept_until_a_key_that_it_read_changes(run_of: Any) -> None:
    def make(ctx: Any, calls: list[int]) -> Any:
        def double() -> Any:
            record()
            return 2 * ctx.state.get("y")

        return double

    CALLS.clear()
    _, values = counted(run_of, make, [("x", 1), ("x", 2), ("y", 5), ("x", 3)])
    assert (values, len(CALLS)) == ([2, 2, 2, 10, 10], 2)


def test_a_computed_value_follows_the_variables_of_its_function(run_of: Any) -> None:
    values: list[Any] = []

    @component
    def App(ctx: Any) -> Any:
        factor = ctx.state.get("x")
        values.append(ctx.computed(lambda: factor * ctx.state.get("y")).get())
        return Step()

    ex = run_of(App(), state={"x": 1, "y": 10})
    for x in (1, 2, 3):
        ex.state.set("x", x)
        ex.run_sync()
    assert values[-2:] == [20, 30]


def test_a_computed_value_over_a_list_is_never_stale(run_of: Any) -> None:
    _, values = counted(run_of, lambda ctx, calls: lambda: calls.append(1) or len(calls), [("x", 1), ("x", 2)])
    assert values == [1, 2, 3]


UNTRACKED: dict[str, Any] = {
    "the frame": lambda ctx: ctx.frame,
    "the time": lambda ctx: ctx.now(),
    "the store": lambda ctx: ctx.db.query("SELECT max(frame) AS n FROM frames")[0]["n"],
}


@pytest.mark.parametrize("read", UNTRACKED.values(), ids=UNTRACKED)
def test_a_computed_value_over_what_no_key_stands_for_is_computed_each_time(read: Any, run_of: Any) -> None:
    _, values = counted(run_of, lambda ctx, calls: lambda: read(ctx), [("x", 1), ("x", 2)])
    assert len(set(values)) == 3


def test_the_keys_that_a_computed_value_reads_are_read_by_its_component(run_of: Any) -> None:
    """Else the component would not be called again when they change."""

    @component
    def Shows(ctx: Any) -> Any:
        total = ctx.computed(lambda: ctx.state.get("y") + ctx.vol.get("y", 0))
        return Step(name=f"{total.get()} {ctx.computed(lambda: total.get() * 2).value}")

    ex = run_of([Shows(), Step()], state={"y": 1})
    ex.run_sync()
    assert 'name="1 2"' in ex.frame.xml
    ex.state.set("y", 2)
    ex.run_sync()
    assert 'name="2 4"' in ex.frame.xml
    ex.ctx.vol.set("y", 10)
    ex.run_sync()
    assert 'name="12 24"' in ex.frame.xml


def test_a_computed_object_that_is_made_once_keeps_its_value_itself(run_of: Any) -> None:
    made: list[Any] = []
    values: list[Any] = []

    @component(always=True)
    def App(ctx: Any) -> Any:
        values.append(made[0].get())
        return Step()

    ex = run_of(App(), state={"y": 1})
    ctx = ex.ctx
    CALLS.clear()
    made.append(ctx.computed(lambda: record() or ctx.state.get("y")))
    for x in (1, 2):
        ex.state.set("x", x)
        ex.run_sync()
    assert (values[-2:], len(CALLS)) == ([1, 1], 1)
    ex.state.set("y", 5)
    ex.run_sync()
    assert (values[-1], made[0].get(), len(CALLS)) == (5, 5, 3)


COMPUTED_WRONG: dict[str, tuple[Any, type[Exception], str]] = {
    "a write": (lambda ctx: lambda: ctx.state.set("x", 1), RenderWriteError, "'x'"),
    "an effect": (lambda ctx: lambda: ctx.use_effect("e", [], len), PurityError, "use_effect"),
}


@pytest.mark.parametrize(("make", "error", "word"), COMPUTED_WRONG.values(), ids=COMPUTED_WRONG)
def test_a_computed_function_is_as_pure_as_a_component(make: Any, error: Any, word: str, run_of: Any) -> None:
    assert word in str(refused(run_of, lambda ctx: ctx.computed(make(ctx)).get(), error))


def test_a_computed_function_is_not_async(run_of: Any) -> None:
    async def later() -> int:
        return 1

    assert "async" in str(refused(run_of, lambda ctx: ctx.computed(later).get(), PurityError))


# ---- db --------------------------------------------------------------------------------------------------------


def test_a_query_gives_dicts_in_components_handlers_tasks_and_in_the_notebook(run_of: Any) -> None:
    seen: dict[str, Any] = {}

    def ask(ctx: Any, who: str) -> None:
        seen[who] = ctx.db.query("SELECT key, value FROM state WHERE key = :key", {"key": "x"})

    @component
    def App(ctx: Any) -> Any:
        ask(ctx, "component")
        return [
            Task(id="t", run=lambda ctx: ask(ctx, "task"), on_finished=lambda r: ask(ctx, "handler")),
            Effect(id="e", run=lambda: ask(ctx, "effect")),
        ]

    ex = run_of(App(), state={"x": 1})
    ex.run_sync()
    ask(ex.ctx, "notebook")
    assert set(seen) == {"component", "task", "handler", "effect", "notebook"}
    assert all(rows == [{"key": "x", "value": "1"}] for rows in seen.values())


REFUSED = [
    "INSERT INTO loops SELECT * FROM loops",
    "DELETE FROM state",
    "DROP TABLE state",
    "PRAGMA user_version = 7",
    "PRAGMA journal_mode = DELETE",
    "CREATE TEMP TABLE t (a)",
    "VACUUM INTO 'copy.db'",
    "ATTACH 'other.db' AS other",
    "BEGIN IMMEDIATE",
]


@pytest.mark.parametrize("sql", REFUSED)
def test_a_query_that_writes_is_refused_everywhere(sql: str, run_of: Any, tmp_path: Any, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    ex = run_of(Step(), state={"x": 1})
    files = sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith("t.db-"))
    for ask in (ex.ctx.db.query, ex.store.sql):
        with pytest.raises(StoreError, match="a query writes"):
            ask(sql)
    refused(run_of, lambda ctx: ctx.db.query(sql))
    caught: list[Any] = []

    def handler(ctx: Any) -> None:
        with pytest.raises(StoreError) as error:
            ctx.db.query(sql)
        caught.append(error.value)

    run_handler(run_of, handler)
    assert len(caught) == 1 and not isinstance(caught[0], RenderWriteError)
    assert sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith("t.db-")) == files
    assert dict(ex.state) == {"x": 1}


def test_wrong_sql_is_a_store_error_that_names_the_component(run_of: Any) -> None:
    error = refused(run_of, lambda ctx: ctx.db.query("SELEC 1"), StoreError)
    assert "SELEC" in str(error) and error.path == "/step[0]/Impure[0]"


def test_tables_functions_and_plans_can_be_asked_for(run_of: Any) -> None:
    query = run_of(Step()).ctx.db.query
    assert query("SELECT value FROM json_each('[1, 2]')") == [{"value": 1}, {"value": 2}]
    assert "execution_id" in [row["name"] for row in query("PRAGMA table_info(state)")]
    assert query("EXPLAIN QUERY PLAN SELECT * FROM state")


def test_a_component_that_queries_is_called_in_every_frame(run_of: Any) -> None:
    @component
    def Counts(ctx: Any) -> Any:
        return Step(name=str(ctx.db.query("SELECT count(*) AS n FROM frames")[0]["n"]))

    ex = run_of([Counts(), Step(name="x")])
    ex.run_sync()
    ex.state.set("unrelated", 1)
    ex.run_sync()
    assert 'name="1"' in ex.frame.xml


# ---- rand, now and frame ---------------------------------------------------------------------------------------


def test_rand_is_the_same_for_the_same_seed_and_frame_and_goes_on_within_it(run_of: Any) -> None:
    def numbers(seed: int, name: str) -> list[list[float]]:
        seen: list[list[float]] = []

        @component
        def App(ctx: Any) -> Any:
            seen.append([ctx.rand().random(), ctx.rand().random()])
            return Effect(id="e", deps=[ctx.frame], run=lambda: ctx.frame < 3 and ctx.state.set("n", ctx.frame))

        ex = run_of(App(), seed=seed, name=name)
        ex.run_sync()
        return seen

    one, again, other = numbers(1, "a"), numbers(1, "b"), numbers(2, "c")
    assert one == again != other
    assert len({number for frame in one for number in frame}) == 2 * len(one) >= 6


def test_the_clock_and_the_frame_stand_still_within_a_frame(run_of: Any) -> None:
    seen: list[Any] = []

    @component
    def App(ctx: Any) -> Any:
        seen.append((ctx.frame, ctx.now()))
        return Effect(id="e", deps=[ctx.frame], run=lambda: seen.append((ctx.frame, ctx.now())))

    ex = run_of(App())
    ex.run_sync()
    ex.state.set("x", 1)
    ex.run_sync()
    assert seen[0] == seen[1] and seen[2] == seen[3] and seen[0][1] < seen[2][1]
    assert [frame for frame, _ in seen] == [1, 1, 2, 2]
    assert seen[0][1].tzinfo is not None


def test_a_tasks_random_numbers_follow_from_the_seed_and_the_task(run_of: Any) -> None:
    seen: list[Any] = []
    for name in ("a", "b"):
        ex = run_of(Task(id="t", run=lambda ctx: seen.append(ctx.rand().random())), seed=3, name=name)
        ex.run_sync()
    assert seen[0] == seen[1]


def test_the_files_rows_are_what_the_dataframes_show(run_of: Any) -> None:
    ex = run_handler(run_of, lambda ctx: ctx.vol.set("x", {len}))
    with sqlite3.connect(ex.store.path) as db:
        assert db.execute("SELECT scope, new FROM transitions").fetchall() == [("vol", '"set(…)"')]
    db.close()


def test_a_state_is_printed_with_its_values_in_the_notebook_and_read_by_no_one_elsewhere(run_of: Any) -> None:
    said: list[str] = []

    @component
    def App(ctx: Any) -> Any:
        said.append(repr(ctx.state))
        return Task(id="t", run=lambda ctx: ctx.state.set("n", repr((ctx, ctx.vol))))

    ex = run_of(App())
    assert repr(ex.state) == "<state: empty>"
    ex.run_sync()
    assert repr(ex.state) == "<state: n='(<ctx>, <ctx.vol>)'>" and set(said) == {"<ctx.state>"}
    assert ex.df.reads.empty
    for n in range(30):
        ex.state.set(f"k{n:02}", "v" * 1000)
    ex.run_sync()
    assert repr(ex.state).endswith("and 21 more>") and len(repr(ex.state)) < 600
