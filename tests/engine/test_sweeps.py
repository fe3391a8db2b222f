"""Sweeps: many executions side by side, all that can be asked for wrong, limits, scores, and taking one up again."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from smithers_nb import Approval, Claude, End, Execution, If, Phase, Step, Store, Task, component, scripted, sweep
from smithers_nb.agents.pydantic_ai import PydanticAiRunner
from smithers_nb.bridge import engine
from smithers_nb.errors import AppChangedWarning, SweepError, UnknownExecutionError
from smithers_nb.execution import run_behind
from smithers_nb.sweeps import opening
from tests.agents.conftest import model_at, provider  # noqa: F401  # the fixture
from tests.agents.fake_replies import say

Made = Callable[..., Execution]


@component
def App(ctx: Any, n: int = 1) -> Any:
    """One agent, whose answer is the end, with the topic."""

    def finished(result: Any) -> None:
        ctx.state.set("notes", result.output)

    notes = ctx.state.get("notes")
    return [
        Phase(name="write")[
            Claude(id="w", model="sonnet", on_finished=finished)[f"{ctx.state.get('topic')} times {n}"]
        ],
        If(condition=notes is not None)[End(value={"notes": notes, "topic": ctx.state.get("topic"), "n": n})],
    ]


@component
def Loud(ctx: Any, n: int = 1) -> Any:
    def finished(result: Any) -> None:
        ctx.state.set("notes", result.output.upper())

    notes = ctx.state.get("notes")
    return [
        Claude(id="w", model="sonnet", on_finished=finished)["loud"],
        If(condition=notes is not None)[End(value=notes)],
    ]


def words(text: str = "ok") -> Any:
    """A model that answers as often as it is asked."""
    return scripted(lambda _messages: text)


@pytest.fixture
def ex(run_of: Made) -> Execution:
    ex = run_of(App(n=1), name="app", state={"topic": "bees"}, models={"sonnet": words()})
    assert ex.run_sync().status == "finished"
    return ex


def rows_of(path: str, execution_id: str) -> dict[str, list[Any]]:
    """All rows of an execution."""
    with closing(sqlite3.connect(path)) as db:
        names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        having = [
            name for name in names if any(row[1] == "execution_id" for row in db.execute(f"PRAGMA table_info({name})"))
        ]
        return {
            name: db.execute(f"SELECT * FROM {name} WHERE execution_id = ?", (execution_id,)).fetchall()
            for name in having
        }


# ---- what runs ---------------------------------------------------------------------------------------------------


def test_a_dict_makes_the_product_and_the_parent_stays_as_it_is(ex: Execution) -> None:
    before = rows_of(ex.store.path, ex.execution_id)
    found = ex.sweep(
        {
            "state.topic": ["ants", "wasps"],
            "models.sonnet": {"short": words("s"), "long": words("l" * 9)},
            "props.n": [1, 2],
        },
        frame=0,
        progress=False,
    )
    assert rows_of(ex.store.path, ex.execution_id) == before
    df = found.df
    assert [*df.columns] == [
        "branch", "execution_id", "state.topic", "models.sonnet", "props.n", "repeat", "status", "reason", "frames",
        "tokens", "cost_usd", "seconds", "result", "diverged_at",
    ]  # fmt: skip
    cases = df[["state.topic", "models.sonnet", "props.n"]].itertuples(index=False, name=None)
    assert [*cases] == [(topic, model, n) for topic in ("ants", "wasps") for model in ("short", "long") for n in (1, 2)]
    assert [*df.result] == [
        {"notes": answer, "topic": topic, "n": n}
        for topic in ("ants", "wasps")
        for answer in ("s", "l" * 9)
        for n in (1, 2)
    ]
    assert {*df.status} == {"finished"} and {*df.repeat} == {1} and {*df.branch} == {*range(8)}
    assert (df.tokens > 0).all() and (df.seconds > 0).all() and (df.frames == 3).all()
    assert [found[i].execution_id for i in range(8)] == [*df.execution_id] and found[-1].result == df.result[7]
    assert len(found) == 8
    assert ex.store.check().ok


def test_a_list_makes_just_its_cases_and_apps_are_told_by_their_names(ex: Execution) -> None:
    found = ex.sweep([{"app": Loud}, {"state.topic": "ants", "props.n": 3}, {}], frame=0, progress=False)
    assert [h.result for h in found] == [
        "OK",
        {"notes": "ok", "topic": "ants", "n": 3},
        {"notes": "ok", "topic": "bees", "n": 1},
    ]
    assert [*found.df["app"]] == ["Loud", None, None]
    by_name = ex.sweep({"app": {"quiet": App, "loud": Loud}}, frame=0, progress=False)
    assert [*by_name.df["app"]] == ["quiet", "loud"]
    assert by_name.df.result[0]["n"] == 1


def test_branches_reuse_answers_and_repeats_are_fresh(run_of: Made) -> None:
    asked: list[str] = []

    def answer(messages: Any) -> str:
        asked.append(str(messages))
        return f"answer {len(asked)}"

    ex = run_of(App(n=1), state={"topic": "bees"}, models={"sonnet": scripted(answer)})
    ex.run_sync()
    once = ex.sweep({"state.topic": ["bees", "ants"]}, frame=0, progress=False)
    assert len(asked) == 2
    assert once.df.result[0]["notes"] == "answer 1"
    assert [*ex.store.open(once.df.execution_id[0]).df.model_calls.answered_by] == ["recording"]
    fresh = ex.sweep({}, frame=0, repeat=3, progress=False)
    assert len(asked) == 5
    assert sorted(h.result["notes"] for h in fresh) == ["answer 3", "answer 4", "answer 5"]
    assert [*fresh.df.repeat] == [1, 2, 3]
    with pytest.raises(SweepError, match=r"repeat=2 asks for fresh answers, and reuse= has 'agents'"):
        ex.sweep({}, repeat=2, reuse=["agents"], progress=False)


def test_what_a_person_answered_goes_with_repeats(run_of: Made) -> None:
    def app() -> Any:
        return [Approval(id="ok", prompt="go?"), Claude(id="w", model="sonnet")["x"]]

    ex = run_of(app(), models={"sonnet": words()})
    ex.run_sync()
    ex.answer("ok", "approve")
    ex.run_sync()
    waiting = ex.sweep({}, frame=0, repeat=2, progress=False)
    assert [*waiting.df.status] == ["waiting", "waiting"] and "2 to run" in repr(waiting)
    found = ex.sweep({}, frame=0, repeat=2, reuse=["approvals"], progress=False)
    assert [*found.df.status] == ["finished", "finished"]


def test_a_branch_that_waits_for_a_person_continues_after_the_answer(run_of: Made) -> None:
    ex = run_of(Approval(id="ok", prompt="go?"), name="asks")
    found = ex.sweep({}, frame=0, progress=False)
    with Execution.resume(Approval(id="ok", prompt="go?"), store=ex.store, id=found.df.execution_id[0]) as branch:
        branch.answer("ok", "approve")
    assert [*found.resume().df.status] == ["finished"]


def test_new_executions_have_seeds_of_their_own(tmp_path: Path) -> None:
    @component
    def Dice(ctx: Any, sides: int) -> Any:
        return End(value=ctx.rand().randint(1, sides))

    found = sweep(Dice, {"props.sides": [10**9]}, repeat=3, seed=5, store=tmp_path / "d.db", progress=False)
    results = [h.result for h in found]
    assert len({*results}) == 3
    alone = [Execution(Dice(sides=10**9), seed=5 + n, store=tmp_path / "e.db") for n in range(3)]
    for one in alone:
        one.run_sync()
    assert [one.result for one in alone] == results
    for one in alone:
        one.close()
    assert found.name == "Dice sweep" and [*found.df.diverged_at[1:]] == [1, 1]


def test_executions_run_side_by_side_and_no_more_than_allowed(tmp_path: Path) -> None:
    running: list[int] = []
    most: list[int] = []

    async def work(n: int) -> int:
        import asyncio

        running.append(n)
        most.append(len(running))
        await asyncio.sleep(0.02)
        running.remove(n)
        return n

    @component
    def Busy(n: int) -> Any:
        return Task(id="t", run=work, args=[n])

    found = sweep(Busy, {"props.n": [*range(9)]}, store=tmp_path / "b.db", max_parallel=3, progress=False)
    assert max(most) == 3
    assert {*found.df.status} == {"finished"}


def test_until_ends_a_branch_for_good(run_of: Made) -> None:
    @component
    def Counts(ctx: Any) -> Any:
        n = ctx.state.get("n", 0)
        return Task(id=f"t{n}", run=lambda: n, on_finished=lambda _: ctx.state.set("n", n + 1))

    ex = run_of(Counts())
    found = ex.sweep({"state.n": [0, 10]}, frame=0, until="state['n'] >= 12", progress=False)
    df = found.df
    assert [*df.status] == ["paused", "paused"]
    assert {*df.reason} == {"state['n'] >= 12 is true"}
    assert [h.state["n"] for h in found] == [12, 12]
    frames = [h.frames for h in found]
    assert [h.frames for h in found.resume()] == frames
    with pytest.raises(SweepError, match="is no expression over state and frame"):
        ex.sweep({"state.n": [0]}, until="state[", progress=False)


# ---- wrong calls -------------------------------------------------------------------------------------------------


def test_everything_wrong_is_named_at_once_before_anything_runs(ex: Execution) -> None:
    before = ex.store.executions().shape
    with pytest.raises(SweepError) as caught:
        ex.sweep(
            {
                "state.topik": ["a"],
                "models.sonet": ["haiku"],
                "props.m": [1],
                "stat.x": [1],
                "state.topic": [],
                "state.notes": [object()],
                "models.sonnet": [words()],
                "app": [5],
                3: [1],
            },
            repeat=0,
            score="good",
            until="state[",
            progress=False,
        )
    for said in (
        "nothing reads or writes the state key 'topik'. Did you mean 'topic'?",
        "no agent names the model 'sonet'. Did you mean 'sonnet'?",
        "<App> has no prop 'm'. It takes: n",
        "'stat.x' can't be varied: a key is 'state.KEY', 'models.NAME', 'props.NAME' or 'app'. Did you mean 'state'?",
        "state.topic has no value: an empty list makes no branch",
        "state.notes[0] can't be stored",
        "models.sonnet[0] is a Scripted and has no name",
        "app[0] is an int and has no name",
        "vary has the key 3, which is an int",
        "repeat=0 is too small",
        "score='good' is a str; it takes a function of a History",
        "until='state[' is no expression",
    ):
        assert said in str(caught.value)
    assert ex.store.executions().shape == before
    assert ex.store.sql("SELECT count(*) AS n FROM sweeps").n[0] == 0


@pytest.mark.parametrize(
    ("vary", "said"),
    [
        ([], "vary=[] has no case"),
        (5, "vary=5 is an int; it takes a dict of lists"),
        ("state.topic", "it takes a dict of lists"),
        ({"state.topic": "ants"}, "state.topic='ants' is a str; it takes a list of values"),
        ({"state.topic": ["a", "a"]}, "the case state.topic=a is there twice"),
        ([{"state.topic": "a"}, {"state.topic": "a"}], "is there twice; repeat= runs each several times"),
        ([5], "vary[0]=5 is an int; each case is a dict"),
        ([{"app": {"a": App, "b": App}}], "vary[0]['app'] has 2 names"),
        ({"app": {"a": 5}}, "app['a'] is an int; an app is a component"),
        ({"state.topic": {"": 1}}, "has the name ''"),
        ({"state.topic": range(1000), "props.n": range(1000)}, "vary makes 1,000,000 cases"),
        ({"models.sonnet": [""]}, "is an empty text"),
    ],
)
def test_a_wrong_vary_is_told(vary: Any, said: str, ex: Execution) -> None:
    with pytest.raises(SweepError) as caught:
        ex.sweep(vary, progress=False)
    assert said in str(caught.value)


def test_one_true_and_a_text_are_three_cases(ex: Execution) -> None:
    found = ex.sweep({"state.topic": [1, "1", True, 1.0]}, frame=0, progress=False)
    assert [type(h.result["topic"]) for h in found] == [int, str, bool, float]
    assert len(found.rates()) == 4


def test_a_refused_sweep_leaves_no_file_behind(tmp_path: Path) -> None:
    with pytest.raises(SweepError, match="has no prop 'm'"):
        sweep(App, {"props.m": [1]}, store=tmp_path / "new.db", progress=False)
    with pytest.raises(SweepError, match="state key 'topik'"):
        sweep(App, {"state.topik": [1]}, store=tmp_path / "new.db", progress=False)
    assert not [*tmp_path.iterdir()]


# ---- scores ------------------------------------------------------------------------------------------------------


def test_a_score_that_raises_says_so_in_its_row_and_the_others_are_scored(ex: Execution) -> None:
    def score(history: Any) -> Any:
        if history.result["topic"] == "ants":
            raise ValueError("no ants")
        return {"letters": len(history.result["topic"]), "good": history.result["topic"] != "moths"}

    found = ex.sweep({"state.topic": ["wasps", "ants", "moths"]}, frame=0, score=score, progress=False)
    df = found.df
    assert df.letters.isna().tolist() == [False, True, False] and [*df.letters.dropna()] == [5, 5]
    assert str(df.good.dtype) == "boolean" and df.good[0] and not df.good[2]
    assert [*df.score_error] == [None, "ValueError: no ants", None]
    assert {*df.status} == {"finished"}
    assert found.best("letters").execution_id == df.execution_id[0]
    with pytest.raises(SweepError, match=r"has no score 'leters'. Did you mean 'letters'\?"):
        found.best("leters")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("good", "a score is a number"),
        ([1], "a score is a number"),
        (float("nan"), "is nan, which is no number"),
        ({"status": 1}, "a score can't be named 'status'"),
        ({3: 1}, "a score is named 3"),
    ],
)
def test_a_score_that_is_none_is_told(value: Any, said: str, ex: Execution) -> None:
    found = ex.sweep({}, frame=0, score=lambda _: value, progress=False)
    assert said in found.df.score_error[0]


def test_scores_may_be_awaited_and_a_new_score_is_made_of_what_is_there(ex: Execution) -> None:
    async def slow(history: Any) -> int:
        return len(history.result["topic"])

    found = ex.sweep({"state.topic": ["a", "bb"]}, frame=0, score=slow, progress=False)
    assert [*found.df.score] == [1, 2]
    calls = run_count(ex.store)
    again = ex.sweep({"state.topic": ["a", "bb"]}, frame=0, score=lambda h: h.result["topic"] == "bb", progress=False)
    assert [*again.df.score] == [False, True] and run_count(ex.store) == calls
    rates = again.rates(by=[])
    assert (rates["mean"][0], rates["n"][0]) == (0.5, 2)
    assert rates["low"][0] == pytest.approx(0.0945, abs=1e-4) and rates["high"][0] == pytest.approx(0.9055, abs=1e-4)


def run_count(store: Store) -> int:
    return int(store.sql("SELECT count(*) AS n FROM model_calls").n[0])


def test_rates_have_students_interval_for_numbers(ex: Execution) -> None:
    found = ex.sweep(
        {"state.topic": ["a", "bb", "ccc"]}, frame=0, score=lambda h: len(h.result["topic"]), progress=False
    )
    rates = found.rates(by=[])
    # 2 ± 4.302653 · 1 / √3
    assert rates["mean"][0] == 2
    assert (rates["low"][0], rates["high"][0]) == pytest.approx((2 - 2.484138, 2 + 2.484138), abs=1e-5)
    each = found.rates()
    assert [*each["state.topic"]] == ["a", "bb", "ccc"] and each.low.isna().all() and [*each["mean"]] == [1, 2, 3]
    with pytest.raises(SweepError, match=r"by='topic' is not varied .* Did you mean 'state.topic'\?"):
        found.rates(by="topic")


# ---- failures, limits and Stop -------------------------------------------------------------------------------------


def test_a_branch_that_fails_is_one_row_and_runs_again_later(run_of: Made) -> None:
    broken = [True]

    def work(n: int) -> int:
        if n == 1 and broken:
            raise ValueError("not yet")
        return n

    @component
    def Works(ctx: Any) -> Any:
        return Task(id="t", run=work, args=[ctx.state.get("n")])

    ex = run_of(Works(), state={"n": 0})
    found = ex.sweep({"state.n": [0, 1, 2]}, frame=0, progress=False)
    assert [*found.df.status] == ["finished", "failed", "finished"]
    assert found.df.reason[1] == "t failed and has no on_error"
    assert found.notes == ("1 failed: t failed and has no on_error",)
    broken.clear()
    frames = [h.frames for h in found]
    assert [*found.resume().df.status] == ["finished"] * 3
    assert [h.frames for h in found][::2] == frames[::2]


def test_a_component_that_raises_ends_its_branch_alone(run_of: Made) -> None:
    @component
    def Raises(ctx: Any) -> Any:
        if ctx.state.get("n") == 1:
            raise ValueError("one")
        return Step()

    ex = run_of(Raises(), state={"n": 0})
    df = ex.sweep({"state.n": [0, 1]}, frame=0, progress=False).df
    assert [*df.status] == ["finished", "failed"]
    assert "ValueError: one" in df.reason[1]


def test_a_limit_of_all_together_starves_the_others_and_a_higher_one_continues(tmp_path: Path) -> None:
    options: dict[str, Any] = {
        "store": tmp_path / "l.db", "models": {"sonnet": words()}, "name": "limited", "max_parallel": 1, "progress": False,
    }  # fmt: skip
    vary = {"state.topic": ["a", "b", "c", "d"]}
    found = sweep(App, vary, limits={"turns": 2}, **options)
    assert [*found.df.status] == ["finished", "finished", "failed", "failed"]
    assert {*found.df.reason[2:]} == {"limit: turns of the sweep"}
    with pytest.raises(UnknownExecutionError, match="branch 3 of sweep 'limited' has no history"):
        found[3]
    assert run_count(Store(tmp_path / "l.db")) == 2
    more = sweep(App, vary, limits={"turns": 3}, **options)
    assert [*more.df.status] == ["finished"] * 3 + ["failed"]
    assert [*sweep(App, vary, **options).df.status] == ["finished"] * 4
    assert run_count(Store(tmp_path / "l.db")) == 4


def test_a_branch_that_handles_its_starving_is_failed_all_the_same(tmp_path: Path) -> None:
    @component
    def Handles(ctx: Any, n: int) -> Any:
        agents = [Claude(id=f"w{i}", model="sonnet", on_error=lambda _: None)[f"{n} {i}"] for i in range(3)]
        return Phase(name="p")[*agents]

    options: dict[str, Any] = {
        "store": tmp_path / "h.db", "models": {"sonnet": words()}, "max_agents": 1, "progress": False,
    }  # fmt: skip
    found = sweep(Handles, {"props.n": [1]}, limits={"turns": 2}, **options)
    assert (found.df.status[0], found.df.reason[0]) == ("failed", "limit: turns of the sweep")
    assert found[0].status == "finished"
    again = sweep(Handles, {"props.n": [1]}, limits={"turns": 9}, **options)
    assert (again.df.status[0], run_count(Store(tmp_path / "h.db"))) == ("finished", 3)


def test_stop_of_the_parent_ends_it_and_keeps_what_is_done(run_of: Made, gate: Any, wait_until: Any) -> None:
    gates = [gate() for _ in range(6)]
    gates[0].open()
    gates[1].open()
    calls: list[int] = []

    async def work(n: int) -> int:
        calls.append(n)
        await gates[n].passed()
        return n

    @component
    def Works(ctx: Any) -> Any:
        return Task(id="t", run=work, args=[ctx.state.get("n")])

    ex = run_of(Works(), state={"n": 0})
    results: list[Any] = []

    def run() -> None:
        results.append(ex.sweep({"state.n": [*range(6)]}, frame=0, max_parallel=2, progress=False))

    thread = Thread(target=run)
    thread.start()
    wait_until(lambda: {2, 3} <= {*calls})
    ex.stop()
    thread.join(60)
    [found] = results
    assert [*found.df.status[:2]] == ["finished"] * 2 and [*found.df.status[4:]] == ["pending"] * 2
    assert "4 to run: .resume()" in repr(found)
    for one in gates:
        one.open()
    assert [*found.resume().df.status] == ["finished"] * 6
    assert sorted(calls) == [0, 1, 2, 2, 3, 3, 4, 5]
    assert not run_behind(ex).sweeps


def test_an_interrupt_ends_it_and_the_same_call_takes_it_up(tmp_path: Path) -> None:
    scores: list[int] = []

    def score(history: Any) -> int:
        scores.append(1)
        if len(scores) == 3:
            raise KeyboardInterrupt
        return 1

    @component
    def Ends(n: int) -> Any:
        return End(value=n)

    options: dict[str, Any] = {"store": tmp_path / "i.db", "max_parallel": 1, "progress": False}
    with pytest.raises(KeyboardInterrupt):
        sweep(Ends, {"props.n": [*range(300)]}, score=score, **options)
    store = Store(tmp_path / "i.db")
    done = store.sweep("Ends sweep").df.status.value_counts()
    assert 0 < done["finished"] < 300
    found = sweep(Ends, {"props.n": [*range(300)]}, score=score, **options)
    assert [h for h in found.df.status if h != "finished"] == [] and found.df.score.sum() == 300
    assert len(scores) == 301
    assert [*found.df.result] == [*range(300)]


# ---- taking it up again ------------------------------------------------------------------------------------------


def test_the_same_call_again_runs_nothing_and_another_name_all(ex: Execution) -> None:
    first = ex.sweep({"state.topic": ["a", "b"]}, frame=0, repeat=2, progress=False)
    calls = run_count(ex.store)
    again = ex.sweep({"state.topic": ["a", "b"]}, frame=0, repeat=2, progress=False)
    assert (again.name, [*again.df.execution_id]) == (first.name, [*first.df.execution_id])
    assert run_count(ex.store) == calls
    other = ex.sweep({"state.topic": ["a", "b"]}, frame=0, repeat=2, name="other", progress=False)
    assert run_count(ex.store) == calls + 4
    assert not {*other.df.execution_id} & {*first.df.execution_id}
    with pytest.raises(SweepError, match=r"has a sweep 'other' over frame 0 of .* already, of another call"):
        ex.sweep({"state.topic": ["a"]}, frame=0, name="other", progress=False)
    unnamed = ex.sweep({"state.topic": ["a"]}, frame=0, progress=False)
    assert unnamed.name == "app sweep~2"


def test_a_sweep_is_read_and_taken_up_from_its_file(ex: Execution) -> None:
    models = {"fast": words("f"), "slow": words("s")}
    made = ex.sweep({"models.sonnet": models, "state.topic": [("a", 1), {"b": 2}]}, frame=0, name="m", progress=False)
    with closing(sqlite3.connect(ex.store.path)) as db:
        db.execute("UPDATE sweep_branches SET ended_at = NULL, status = NULL WHERE branch = 0")
        db.commit()
    read = ex.store.sweep("m")
    assert [*read.df.result] == [*made.df.result]
    with pytest.raises(SweepError, match="was opened to be read"):
        read.resume()
    with pytest.raises(SweepError, match=r"has the value 'fast', which is not in the file: give it again, models="):
        ex.store.sweep("m", app=App)
    with pytest.raises(UnknownExecutionError, match=r"has no sweep 'n'. .*It has 'm'."):
        ex.store.sweep("n")
    calls = run_count(ex.store)
    found = ex.store.sweep("m", app=App, models={"sonnet": models}, progress=False).resume()
    assert {*found.df.status} == {"finished"} and run_count(ex.store) == calls


def test_changed_code_is_told_where_a_name_takes_a_sweep_up(run_of: Made) -> None:
    @component
    def Ends() -> Any:
        return End(value=1)

    ex = run_of(Ends(), name="e")
    ex.sweep({}, frame=0, name="s", progress=False)

    @component
    def Ends() -> Any:
        return End(value=1 + 1)

    ex.swap(Ends())
    with pytest.warns(AppChangedWarning, match="the code of sweep 's' is not what ran before"):
        found = ex.sweep({}, frame=0, name="s", progress=False)
    assert [h.result for h in found] == [1]
    assert [h.result for h in ex.sweep({}, frame=0, progress=False)] == [2]


def test_paths_say_which_nodes_ran_in_which_order(run_of: Made) -> None:
    @component
    def Ways(ctx: Any) -> Any:
        way = ctx.state.get("way", "left")
        steps = [Task(id="first", run=lambda: 1), Task(id=way, run=lambda: 2)]
        return [Phase(name="one")[steps[0]], Phase(name="two")[steps[1]]]

    ex = run_of(Ways())
    ex.run_sync()
    found = ex.sweep([{"state.way": "left"}, {"state.way": "right"}, {"state.way": "up"}, {}], frame=0, progress=False)
    paths = found.paths()
    assert [tuple(path) for path in paths.path] == [("first", "left"), ("first", "right"), ("first", "up")]
    assert [*paths.n] == [2, 1, 1] and [*paths.branches] == [[0, 3], [1], [2]] and paths.share.sum() == 1
    assert found.df.diverged_at.isna().tolist() == [True, False, False, True]
    assert found.df.diverged_at[1] == 1


def test_a_sweep_over_a_later_frame_shares_what_lies_before(run_of: Made) -> None:
    asked: list[int] = []

    @component
    def Two(ctx: Any) -> Any:
        def finished(result: Any) -> None:
            ctx.state.set("draft", result.output)

        draft = ctx.state.get("draft")
        return [
            Claude(id="draft", model="sonnet", on_finished=finished)["draft"],
            If(condition=draft is not None)[Claude(id="judge", model="judge")[f"judge {draft}"]],
        ]

    def answer(_messages: Any) -> str:
        asked.append(1)
        return "d"

    ex = run_of(Two(), models={"sonnet": scripted(answer), "judge": words("fine")})
    ex.run_sync()
    frame = int(ex.df.transitions.query("key == 'draft'").frame.iloc[0])
    found = ex.sweep({"models.judge": {"mild": words("m"), "stern": words("s")}}, frame=frame, repeat=2, progress=False)
    assert len(asked) == 1
    assert [[*path] for path in found.paths().path] == [["judge"]]
    assert (found.df.diverged_at > frame).all()


# ---- how it looks ------------------------------------------------------------------------------------------------


def test_hostile_text_is_inert_in_the_table(ex: Execution) -> None:
    def score(_history: Any) -> int:
        raise ValueError("<img src=x onerror=alert(1)>\ud800")

    topics = ["<script>alert(1)</script>", "&amp;\x00"]
    found = ex.sweep({"state.topic": topics}, frame=0, score=score, name="<b>", progress=False)
    html = found._repr_html_()
    assert "<script" not in html and "<img" not in html and "<b>" not in html and "&lt;script&gt;" in html
    html.encode()
    assert "2 branches, 2 finished" in html


def test_plots_have_means_with_intervals_and_paths(ex: Execution) -> None:
    pytest.importorskip("matplotlib").use("agg")
    found = ex.sweep(
        {"state.topic": ["a$", "bb"]}, frame=0, repeat=2, score=lambda h: len(h.result["topic"]), progress=False
    )
    axes = found.plot()
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a$", "bb"]
    assert [line.get_xdata()[0] for line in axes.lines] == [2.0, 2.0]
    assert found.plot("cost_usd").get_xlabel() == "cost_usd: mean and 95 % interval"
    paths = found.plot("paths")
    assert [text.get_text() for text in paths.texts] == ["w (4)"]
    with pytest.raises(SweepError, match=r"has no 'scor' to draw. Did you mean 'score'\?"):
        found.plot("scor")
    axes.figure.canvas.draw()
    paths.figure.canvas.draw()


def test_the_bar_shows_what_is_done_and_what_failed(ex: Execution, capsys: pytest.CaptureFixture[str]) -> None:
    ex.sweep({"state.topic": ["a", "b"]}, frame=0)
    assert "2/2" in (said := capsys.readouterr().err) and "failed=0" in said and "cost=$" in said


def test_pruned_sweeps_are_gone_whole(ex: Execution) -> None:
    ex.sweep({"state.topic": ["a", "b"]}, frame=0, progress=False)
    ex.close()
    with Execution(Step(), store=ex.store) as newest:
        newest.run_sync()
    ex.store.prune(keep_executions=1)
    assert ex.store.sql("SELECT count(*) AS n FROM sweep_branches").n[0] == 0


def test_nothing_of_a_sweep_stays_open(ex: Execution) -> None:
    before = len(engine._closers)
    ex.sweep({"state.topic": ["a", "b", "c"]}, frame=0, progress=False)
    assert len(engine._closers) == before
    owners: Mapping[str, Any] = ex.store.executions().owner.isna().value_counts().to_dict()
    assert owners == {False: 1, True: 3}


def test_the_same_sweep_of_two_files_side_by_side_asks_in_each(provider: Any, tmp_path: Path) -> None:  # noqa: F811
    server = provider(say("done", delay_s=1.0))
    found: dict[str, Any] = {}

    def run(file: str) -> None:
        given: dict[str, Any] = {"store": tmp_path / file, "models": {"sonnet": model_at(server)}, "progress": False}
        found[file] = sweep(App, {"props.n": [1, 2]}, state={"topic": "bees"}, **given)

    running = [Thread(target=run, args=(file,)) for file in ("one.db", "two.db")]
    for one in running:
        one.start()
    for one in running:
        one.join()
    for made in found.values():
        assert [calls.status.tolist() for calls in (one.df.model_calls for one in made)] == [["ok"], ["ok"]]
    assert len(server.requests) == 4


def test_a_call_that_is_made_twice_at_once_takes_the_same_sweep_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find, made = opening.sweeps.find_sweep, []

    def call() -> Any:
        models = {"sonnet": words()}
        return sweep(App, {"props.n": [1, 2]}, store=tmp_path / "s.db", name="s", models=models, progress=False)

    def find_sweep(*args: Any, **named: Any) -> Any:
        found = find(*args, **named)
        if not made:  # Another process makes it between this look and the row.
            made.append(None)
            made[0] = call()
        return found

    monkeypatch.setattr(opening.sweeps, "find_sweep", find_sweep)
    again = call()
    assert again.df.execution_id.tolist() == made[0].df.execution_id.tolist()
    assert again.df.status.tolist() == ["finished"] * 2 and len(Store(tmp_path / "s.db").executions()) == 2


def test_a_runner_is_that_of_the_branches(ex: Execution) -> None:
    class Counting(PydanticAiRunner):
        asked = 0

        async def submit(self, task: Any, ledger: Any) -> Any:
            Counting.asked += 1
            return await super().submit(task, ledger)

    found = ex.sweep({"state.topic": ["ants", "wasps"]}, frame=0, runner=Counting(), progress=False)
    assert found.df.status.tolist() == ["finished"] * 2 and Counting.asked == 2
