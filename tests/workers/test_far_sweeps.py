"""Sweeps whose executions run on workers, whole: each in a file of its worker, merged into that of the kernel."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from typing import Any

import psycopg
import pytest

from smithers_nb import DbosRunner, End, Execution, Store, Task, component, sweep
from smithers_nb.errors import StoreError, SweepError
from smithers_nb.sweeps.progress import Bar
from tests.agents.fake_replies import Hang, by_turn, call, say
from tests.workers.conftest import PATIENCE_S, age, until_alive, until_it_gave_up
from tests.workers.remote_app import Asking, Counting, Noting, Saying, square

CASES = {"props.n": [*range(6)]}
"""Six executions with two agents of two turns each: 24 requests."""


ROWS = {
    "tasks": ["task_id", "node_id", "status", "attempt", "result", "requests"],
    "model_calls": ["task_id", "turn", "attempt", "model", "status", "input_tokens", "output_tokens"],
    "tool_calls": ["task_id", "turn", "tool", "input", "output", "status"],
    "transitions": ["frame", "seq", "key", "op", "new", "status"],
}
"""Tables, with the columns that are the same wherever an execution runs."""


def acts(delay_s: float = 0.0) -> Any:
    return by_turn(*(replace(act, delay_s=delay_s) for act in (call("look", n=1), say("done"))))


def swept(url: str, path: Path, **more: Any) -> Any:
    given = {"store": path, "progress": False, "runner": DbosRunner(url, lost_after_s=15), **more}
    return sweep(Asking, CASES, **given)


def paid_once(server: Any, found: Any, allowed: int = 0) -> None:
    """Check that all is there, and that at most so many requests were made again that a killed worker had in flight."""
    assert found.df.status.tolist() == ["finished"] * 6
    assert found.df.result.tolist() == [f"{n}: done, done" for n in range(6)]
    answered = [(entry.asked.prompt, entry.asked.turn) for entry in server.requests if entry.outcome == "sent"]
    assert len(set(answered)) == 24 and len(answered) <= 24 + allowed
    assert Store(found.reader.path).check().ok


def test_executions_run_on_workers_and_come_back_whole(url: str, worker: Any, model: Any, tmp_path: Path) -> None:
    server = model(acts())
    worker("w0", "--dir", str(tmp_path / "shards"))
    there = swept(url, tmp_path / "there.db")
    paid_once(server, there)
    assert len([*(tmp_path / "shards").glob("*.db")]) == 6, "they were whole executions"
    here = swept(url, tmp_path / "here.db", runner=None)
    columns = ["branch", "execution_id", "props.n", "repeat", "status", "reason", "tokens", "frames", "result"]
    assert there.df[columns].to_dict() == here.df[columns].to_dict()
    for one, other in zip(there, here, strict=True):
        for table, names in ROWS.items():
            assert getattr(one.df, table)[names].to_dict() == getattr(other.df, table)[names].to_dict()
    swept(url, tmp_path / "there.db")
    assert len(server.requests) == 48, "the same call again finds all of it"
    # The same sweep in another file asks again: its ids are the same, and its items are not.
    assert swept(url, tmp_path / "second.db").df.status.tolist() == ["finished"] * 6
    assert len(server.requests) == 72


def test_a_moved_execution_pays_nothing_twice(url: str, worker: Any, model: Any, tmp_path: Path) -> None:
    server = model(acts(0.3))
    first = worker("w0", "--concurrency", "3", "--executions", "3", wait=False)
    worker("w1", "--concurrency", "3", "--executions", "3")
    until_alive(url, "w0", first)

    def kill() -> None:
        server.wait_for(lambda seen: len(seen) >= 9, PATIENCE_S)
        first.kill()
        age(url, "w0")

    killing = Thread(target=kill)
    killing.start()
    found = swept(url, tmp_path / "t.db")
    killing.join()
    paid_once(server, found, allowed=3)


def test_what_needs_the_kernel_runs_there_with_its_agents_on_workers(
    url: str, worker: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    @component
    def Local(ctx: Any, n: int) -> Any:
        if (done := ctx.state.get("done")) is not None:
            return End(value=done)
        return Task(id="t", run=square, args=[n], on_finished=lambda r: ctx.state.set("done", r.output))

    worker("w0")
    given: dict[str, Any] = {"progress": False, "runner": DbosRunner(url)}
    found = sweep(Local, {"props.n": [2, 3]}, store=tmp_path / "local.db", **given)
    assert found.df.result.tolist() == [4, 9] and set(found[0].df.tasks.worker) == {"w0"}
    assert "stay in this process" in caplog.text and "the app Local of Local sweep[0] can't leave" in caplog.text
    limited = sweep(Counting, {"props.n": [2]}, store=tmp_path / "limited.db", limits={"turns": 5}, **given)
    assert limited.df.result.tolist() == [4] and set(limited[0].df.tasks.worker) == {"w0"}

    # One that has failed on a worker is taken up here.
    file = tmp_path / "flag"
    given |= {"store": tmp_path / "failing.db"}
    found = sweep(Counting, [{"props.n": 2, "props.needs": str(file)}], **given)
    assert found.df.status.tolist() == ["failed"]
    file.touch()
    again = sweep(Counting, [{"props.n": 2, "props.needs": str(file)}], **given)
    assert again.df.status.tolist() == ["finished"] and again.df.result.tolist() == [4]
    assert again[0].df.tasks.attempt.tolist() != [1], "the failed attempt is in the history"


def test_a_sweep_that_is_stopped_goes_on_at_once_where_it_was(
    url: str, worker: Any, model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = model(acts(0.4))
    worker("w0")
    stops = Event()

    class Stop(Bar):
        """A bar, and the person who interrupts the kernel."""

        def show(self) -> None:
            if len(server.requests) >= 9 and not stops.is_set():
                stops.set()
                raise KeyboardInterrupt

    monkeypatch.setattr("smithers_nb.sweeps.sweep.Bar", Stop)
    with pytest.raises(KeyboardInterrupt):
        swept(url, tmp_path / "t.db", progress=True)
    assert stops.is_set()
    found = swept(url, tmp_path / "t.db", progress=True)
    # Six at a time: what was asked at the stop, and had no answer yet, is asked again.
    paid_once(server, found, allowed=6)
    store = Store(tmp_path / "t.db")
    calls = store.df.model_calls
    assert "running" not in set(calls.status) | set(store.df.tasks.status)
    assert len(server.requests) <= 24 + calls.status.isin(["interrupted", "cancelled"]).sum()
    assert open_items(url) == []


def open_items(url: str, *status: str) -> list[str]:
    """The items that workers have begun, or are to begin."""
    with psycopg.connect(url) as db:
        sql = "SELECT workflow_uuid FROM dbos.workflow_status WHERE status = ANY(%s)"
        return [id for (id,) in db.execute(sql, ([*(status or ("ENQUEUED", "PENDING", "DELAYED"))],))]


def test_a_worker_that_is_ended_hands_its_executions_back(url: str, worker: Any, model: Any, tmp_path: Path) -> None:
    server = model(acts(0.4))
    first = worker("w0")
    found: list[Any] = []
    sweeping = Thread(target=lambda: found.append(swept(url, tmp_path / "t.db")))
    sweeping.start()
    server.wait_for(lambda seen: len(seen) >= 9, PATIENCE_S)
    first.signal(signal.SIGTERM)
    assert first.process.wait(PATIENCE_S) == 0, first.said()
    server.wait_for(lambda seen: all(entry.outcome != "open" for entry in seen), PATIENCE_S)
    assert open_items(url, "PENDING") == [] and len(open_items(url)) > 6, (
        "its executions and their agents are in the queue"
    )
    worker("w1")
    sweeping.join(PATIENCE_S)
    paid_once(server, found[0], allowed=6)
    assert "running" not in set(Store(tmp_path / "t.db").df.tasks.status)


@pytest.mark.parametrize("agents_die", [True, False], ids=["with its agents", "without them"])
def test_an_execution_that_is_moved_joins_its_agents(
    url: str, worker: Any, model: Any, tmp_path: Path, agents_die: bool
) -> None:
    hangs, answers = Event(), acts()

    def script(asked: Any) -> Any:
        if asked.prompt.startswith("More") and asked.turn == 2:
            hangs.set()
            return Hang() if agents_die and asked.number <= 4 else replace(say("done"), delay_s=3.0)
        return answers(asked)

    server = model(script)
    if agents_die:
        victim = worker("w0")
    else:
        victim = worker("w0", "--concurrency", "0")
        worker("agents", "--executions", "0")
    found: list[Any] = []
    given: dict[str, Any] = {"store": tmp_path / "t.db", "progress": False, "runner": DbosRunner(url, lost_after_s=15)}
    sweeping = Thread(target=lambda: found.append(sweep(Asking, {"props.n": [7]}, **given)))
    sweeping.start()
    assert hangs.wait(PATIENCE_S)
    victim.kill()
    worker("w1")
    sweeping.join(PATIENCE_S)
    [outcome] = found
    assert outcome.df.result.tolist() == ["7: done, done"]
    first, second = "Look up 7.", "More about 7, after done."
    # Only the request that had no answer when its worker died is made again.
    asked = [(entry.asked.prompt, entry.asked.turn) for entry in server.requests]
    assert asked == [(first, 1), (first, 2), (second, 1), (second, 2)] + [(second, 2)] * agents_die
    calls = outcome[0].df.model_calls
    assert calls[calls.status == "ok"].turn.tolist() == [1, 2, 1, 2]
    assert (calls.status == "interrupted").sum() == agents_die
    assert outcome[0].df.tool_calls.status.tolist() == ["ok", "ok"], "no tool ran again"
    assert Store(tmp_path / "t.db").check().ok


def test_a_thawed_worker_gives_its_executions_up_before_it_calls_their_functions(
    url: str, worker: Any, model: Any, tmp_path: Path
) -> None:
    marks = tmp_path / "marks"
    server = model(say("done", delay_s=4.0))
    frozen = worker("w0", "--concurrency", "0")
    worker("agents", "--executions", "0")
    found: list[Any] = []
    given: dict[str, Any] = {"store": tmp_path / "t.db", "progress": False, "runner": DbosRunner(url, lost_after_s=15)}
    cases = {"props.n": [1], "props.file": [str(marks)]}
    sweeping = Thread(target=lambda: found.append(sweep(Noting, cases, **given)))
    sweeping.start()
    server.wait_for(lambda seen: len(seen) == 1, PATIENCE_S)
    frozen.signal(signal.SIGSTOP)
    worker("w1", "--concurrency", "0")
    age(url, "w0")
    sweeping.join(PATIENCE_S)
    assert found[0].df.result.tolist() == ["done"] and marks.read_text() == "x"
    frozen.signal(signal.SIGCONT)
    until_it_gave_up(url, frozen)
    assert marks.read_text() == "x", "it did not continue what another worker has done"
    assert "given up here" in frozen.said() and len(server.requests) == 1


def test_a_sweep_says_at_once_that_no_worker_takes_the_tasks_of_its_executions(
    url: str, worker: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[str] = []

    class Seen(Bar):
        """A bar, and the person who looks at it."""

        def show(self) -> None:
            if self._progress.stalled not in shown[-1:]:
                shown.append(self._progress.stalled)

    monkeypatch.setattr("smithers_nb.sweeps.sweep.Bar", Seen)
    worker("w0", "--concurrency", "0")
    found: list[Any] = []
    given: dict[str, Any] = {"store": tmp_path / "t.db", "name": "s", "runner": DbosRunner(url, lost_after_s=15)}
    sweeping = Thread(target=lambda: found.append(sweep(Counting, {"props.n": [2, 3]}, **given)))
    sweeping.start()
    why = (
        f"no worker of queue 'agents' of {url.partition('@')[2]} takes tasks of agents and functions: w0 runs with "
        "--concurrency 0. Start one where the same code is: python -m smithers_nb worker URL --id w1 --queue agents"
    )
    for _ in range(int(PATIENCE_S / 0.1)):
        if why in shown and why in caplog.text:
            break
        Event().wait(0.1)
    assert why in shown and why in caplog.text
    worker("w1", "--executions", "0")
    sweeping.join(PATIENCE_S)
    assert found[0].df.result.tolist() == [4, 9]
    assert shown[-1] == "", "it is no longer shown once a worker is there"


def test_a_recorded_sweep_is_taken_up_by_workers(url: str, worker: Any, model: Any, tmp_path: Path) -> None:
    server, file = model(acts()), tmp_path / "t.db"
    # Nothing has begun: the limit was reached before.
    sweep(Asking, CASES, store=file, name="s", progress=False, limits={"turns": 4}, max_parallel=1)
    paid = len(server.requests)
    assert Store(file).sweep("s").df.status.tolist().count("finished") == 1 and paid == 4
    worker("w0", "--dir", str(tmp_path / "shards"))
    given: dict[str, Any] = {"app": Asking, "runner": DbosRunner(url, lost_after_s=15), "progress": False}
    found = Store(file).sweep("s", limits={}, **given).resume()
    paid_once(server, found)
    assert len([*(tmp_path / "shards").glob("*.db")]) == 5, "the missing executions ran there, whole"
    assert Store(file).sweep("s", **given).resume().df.status.tolist() == ["finished"] * 6
    assert len(server.requests) == 24


def test_branches_of_an_execution_run_here_and_workers_are_refused(url: str, model: Any, tmp_path: Path) -> None:
    server, runner = model(acts()), DbosRunner(url)
    with Execution(Asking, props={"n": 1}, store=tmp_path / "t.db") as ex:
        ex.run_sync()
        with pytest.raises(SweepError, match=r"take answers .* which workers can't read.*smithers_nb\.sweep\("):
            ex.sweep({"props.n": [1]}, runner=runner)
        ex.sweep({"props.n": [1]}, frame=0, name="s", progress=False)
        with pytest.raises(SweepError, match="which workers can't read"):
            ex.store.sweep("s", app=Asking, runner=runner)
    assert len(server.requests) == 4
    # Those of an execution whose own agents run on workers, too.
    with Execution(Asking, props={"n": 1}, store=tmp_path / "far.db", runner=runner) as ex:
        found = ex.sweep({"props.n": [1, 2]}, frame=0, reuse=[], progress=False)
        assert found.df.result.tolist() == ["1: done, done", "2: done, done"] and len(server.requests) == 12
        assert found[0].df.tasks.worker.isna().all()


def test_a_sweep_of_two_files_and_one_of_two_kernels_run_side_by_side(
    url: str, worker: Any, model: Any, tmp_path: Path
) -> None:
    server = model(acts(0.2))
    worker("w0", "--executions", "30", "--dir", str(tmp_path / "shards"))
    found: dict[int, Any] = {}

    def run(number: int, file: str) -> None:
        found[number] = swept(url, tmp_path / file)

    files = ["one.db", "two.db", "both.db", "both.db"]
    running = [Thread(target=run, args=(number, file)) for number, file in enumerate(files)]
    for one in running:
        one.start()
    for one in running:
        one.join(PATIENCE_S)
    ends = [end for number in range(4) for end in zip(found[number].df.status, found[number].df.reason, strict=True)]
    assert {status for status, _ in ends} == {"finished"}, ends
    for file in {*files}:
        store = Store(tmp_path / file)
        assert len(store.executions()) == 6 and len(store.df.model_calls) == 24 and store.check().ok
    assert len(server.requests) == 3 * 24, "two kernels with one file share what they ask"
    # By hand, the shards of its workers are what the file has already, or the same executions of another file.
    shards = [*(tmp_path / "shards").glob("*.db")]
    assert len(shards) == 18
    same = sum(bool(Store(tmp_path / "both.db").merge(shard).there) for shard in shards if merges(tmp_path, shard))
    assert same == 6


def merges(folder: Path, shard: Path) -> bool:
    try:
        Store(folder / "both.db").merge(shard)
    except StoreError as error:
        assert "with different rows" in str(error)
        return False
    return True


def test_a_sweep_says_at_once_that_no_worker_is_there_or_the_engine_is_not(
    url: str, worker: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found: list[Any] = []

    def run(at: str, file: str, name: str) -> None:
        given: dict[str, Any] = {"store": tmp_path / file, "name": name, "progress": False}
        found.append(sweep(Counting, {"props.n": [2, 3]}, runner=DbosRunner(at, lost_after_s=15), **given))

    def says(text: str) -> None:
        for _ in range(int(PATIENCE_S / 0.1)):
            if text in caplog.text:
                return
            Event().wait(0.1)
        raise AssertionError(caplog.text)

    nowhere = url.replace("smithers@", "smithers:secret@") + "x"
    lost = Thread(target=run, args=(nowhere, "lost.db", "lost"), daemon=True)
    lost.start()
    waits = Thread(target=run, args=(url, "waits.db", "waits"))
    waits.start()
    says("no worker listens to queue 'agents'")
    says("does not exist")
    assert "secret" not in caplog.text and caplog.text.count("does not exist") == 1
    worker("w0", "--executions", "0")
    says("takes whole executions: w0 runs with --executions 0. Start one where the same code is: ")
    worker("w1", "--concurrency", "1")
    waits.join(PATIENCE_S)
    assert found[0].df.result.tolist() == [4, 9]
    with psycopg.connect(url.rpartition("/")[0] + "/postgres", autocommit=True) as db:
        db.execute(f"CREATE DATABASE {nowhere.rpartition('/')[2]}")
    worker("w2", at=nowhere)
    lost.join(PATIENCE_S)
    assert found[1].df.result.tolist() == [4, 9]


def test_an_app_that_workers_lack_fails_by_name_and_runs_once_they_have_it(
    url: str, worker: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
    (here / "lacking_app.py").write_text(
        "from smithers_nb import End, component\n@component\ndef App(n):\n    return End(value=1 / n)\n"
    )
    monkeypatch.syspath_prepend(here)
    from lacking_app import App  # type: ignore[import-not-found]

    worker("w0", PYTHONPATH=str(there))
    given: dict[str, Any] = {"store": tmp_path / "t.db", "name": "s", "progress": False, "runner": DbosRunner(url)}
    found = sweep(App, {"props.n": [2, 4]}, **given)
    assert found.df.status.tolist() == ["failed"] * 2 and "can't import 'lacking_app:App'" in found.df.reason[0]
    (there / "lacking_app.py").write_text((here / "lacking_app.py").read_text())
    again = sweep(App, {"props.n": [2, 4]}, **given)
    assert again.df.status.tolist() == ["finished"] * 2 and again.df.result.tolist() == [0.5, 0.25]


HOSTILE = [
    "\x00",
    "'; DROP TABLE executions; --",
    "../../../etc/passwd",
    "\u202e<script>alert(1)</script>",
    "x" * 100_000,
]


def test_hostile_texts_are_cases_like_others_and_one_that_raises_fails_alone(
    url: str, worker: Any, tmp_path: Path
) -> None:
    worker("w0", "--dir", str(tmp_path / "shards"))
    given: dict[str, Any] = {"progress": False, "runner": DbosRunner(url)}
    cases = [{"props.text": text} for text in [*HOSTILE, "raise"]]
    found = sweep(Saying, cases, store=tmp_path / "t.db", name="../'; \x1b[31m <b>", **given)
    assert found.df.status.tolist() == ["finished"] * 5 + ["failed"]
    assert found.df.result[:5].tolist() == HOSTILE and "ValueError: raise" in found.df.reason[5]
    assert Store(tmp_path / "t.db").check().ok and {*tmp_path.iterdir()} >= {tmp_path / "shards", tmp_path / "t.db"}
