"""The campaign: runs of the workflow that are killed up to three times each, compared with one that was not."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path
from queue import Queue
from typing import Any

from smithers_nb.store.connection import PAGE_BYTES
from smithers_nb.store.reader import Reader
from smithers_nb.store.requests import Assembled, decoded
from tests.crash.launcher import POINTS, STATEMENT
from tests.crash.workflow import AGAIN, FILE, SIDE, look

ROOT = Path(__file__).parents[2]
AT_RANDOM = "at a random time"
POWER_CUT = "power cut"
TORN = "power cut that tears the WAL"
MOST_KILLS = 3
"""In one run."""
OFTEN = 4
"""How often a random time and a random statement come in a round of all kinds of kills, and power cuts half as often."""

Kill = dict[str, Any]
Done = Counter[tuple[str, str]]
"""(kind, name) of what was done outside, and how often."""


# ---- the processes ---------------------------------------------------------------------------------------------


class Launchers:
    """One launcher a core, each with one process at a time."""

    def __init__(self, processes: list[subprocess.Popen[str]]) -> None:
        self._free: Queue[subprocess.Popen[str]] = Queue()
        self.count = len(processes)
        for process in processes:
            self._free.put(process)

    def run(self, folder: Path, kill: Kill | None, program: str = "workflow") -> dict[str, Any]:
        """Run a process to its end, whatever that is."""
        launcher = self._free.get()
        try:
            assert launcher.stdin is not None and launcher.stdout is not None
            launcher.stdin.write(json.dumps({"folder": str(folder), "kill": kill, "program": program}) + "\n")
            launcher.stdin.flush()
            outcome: dict[str, Any] = json.loads(launcher.stdout.readline())
            return outcome
        finally:
            self._free.put(launcher)


@contextmanager
def launchers() -> Iterator[Launchers]:
    """Start launchers, and end them."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.crash.launcher"],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for _ in range(os.cpu_count() or 1)
    ]  # fmt: skip
    try:
        yield Launchers(processes)
    finally:
        for process in processes:
            process.communicate(timeout=60)


# ---- power cuts ------------------------------------------------------------------------------------------------


def cut(folder: Path, kill: Kill) -> str:
    """Leave what a power cut leaves, and say what it was.

    A process that was killed leaves what a copy of its files at that moment would hold. After a power cut its shared
    memory is gone, too, and of the WAL the end, which nobody has synced: it ends anywhere, with rubbish perhaps.
    """
    rng = random.Random(kill["cut"])
    (folder / f"{FILE}-shm").unlink(missing_ok=True)
    file, wal = folder / FILE, folder / f"{FILE}-wal"
    # What was checkpointed had been synced before: then the WAL is not torn.
    if rng.random() < 0.5 or not wal.exists() or file.stat().st_size > PAGE_BYTES:
        return POWER_CUT
    data = wal.read_bytes()
    wal.write_bytes(data[: rng.randint(0, len(data))] + rng.randbytes(rng.choice([0, 100, 3 * PAGE_BYTES])))
    return TORN


# ---- what is found ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Found:
    """What the file holds of a run, without ids and frame numbers: two runs of the same app have the same."""

    status: str
    state: dict[str, str]
    writes: Counter[tuple[Any, ...]]
    """Applied writes: (scope, key, op, origin, node_id, handler)."""
    values: Counter[tuple[Any, ...]]
    """The same: (key, old, new)."""
    tasks: Counter[tuple[Any, ...]]
    handlers: Counter[tuple[Any, ...]]
    effects: Counter[tuple[Any, ...]]
    calls: Counter[tuple[Any, ...]]
    """Requests to models that were answered: (node id, last message, response)."""
    loops: list[tuple[Any, ...]]
    xml: str
    faults: list[str]
    """What no run may have, killed or not."""


def side(folder: Path) -> Done:
    """Return what was done outside so far."""
    path = folder / SIDE
    lines = path.read_text().splitlines() if path.exists() else []
    return Counter((kind, name) for kind, _, name in (line.partition("\t") for line in lines))


def done(folder: Path) -> set[tuple[str, str]]:
    """Return what the file says is done: nobody may do it again."""
    named = "coalesce(json_extract(result, '$.name'), json_extract(result, '$'), tasks.node_id)"
    with look(folder) as db:
        if db is None:
            return set()
        asked = [("asked", _prompt(one.messages)) for one in _requests(db) if one.response is not None]
        ran = db.execute(f"SELECT 'ran', {named} FROM tasks WHERE ended_at IS NOT NULL AND requests IS NULL")
        handled = db.execute(f"SELECT 'handled', {named} FROM handlers JOIN tasks USING (execution_id, task_id)")
        effects = db.execute("SELECT 'effect', node_id || ' ' || deps FROM effects")
        answered = db.execute("SELECT 'answered', node_id FROM approvals WHERE status = 'answered'")
        return {*asked, *ran, *handled, *effects, *answered}


@dataclass(frozen=True)
class Asked:
    """A request that was recorded."""

    node_id: str
    messages: list[Any]
    response: str | None
    answered_by: str
    status: str


def _requests(db: sqlite3.Connection) -> list[Asked]:
    """Return the requests with whole conversations: each row has only what it adds to an earlier one."""
    names = ("id", "base_id", "request", "history", "parameters", "response")
    assembled = Assembled()
    found = []
    for node_id, by, status, *row in db.execute(
        f"SELECT node_id, answered_by, model_calls.status, {', '.join(names)} FROM model_calls JOIN tasks USING (execution_id, task_id)"
        " ORDER BY id"
    ):
        whole = assembled.read(decoded(dict(zip(names, row, strict=True))))
        found.append(Asked(node_id, whole.messages, response=row[-1], answered_by=by, status=status))
    return found


def _prompt(messages: list[Any]) -> str:
    """Return what a request's side line says: its prompt, and whether it was sent again."""
    first = next(part for part in messages[0]["parts"] if part["part_kind"] == "user-prompt")
    again = messages[-1]["parts"][-1]["part_kind"] == "retry-prompt"
    return f"{first['content']} again" if again else str(first["content"])


def found(folder: Path) -> Found:
    """Read a run that has come to its end."""
    path = folder / FILE
    with closing(sqlite3.connect(path)) as db:

        def rows(sql: str) -> list[tuple[Any, ...]]:
            return db.execute(sql).fetchall()

        ((id, status, last),) = rows("SELECT execution_id, status, (SELECT max(frame) FROM frames) FROM executions")
        applied = f"FROM transitions WHERE status = 'applied' AND key != '{AGAIN}'"
        return Found(
            status=status,
            state=dict(rows(f"SELECT key, value FROM state WHERE to_frame IS NULL AND key != '{AGAIN}'")),
            writes=Counter(rows(f"SELECT scope, key, op, origin, node_id, handler {applied}")),
            values=Counter(rows(f"SELECT key, old, new {applied}")),
            tasks=Counter(rows("SELECT node_id, status, result, max_attempts FROM tasks")),
            handlers=Counter(rows("SELECT node_id, event, status, writes FROM handlers")),
            effects=Counter(rows("SELECT node_id, kind, status, deps, writes FROM effects")),
            calls=Counter(
                (one.node_id, _prompt(one.messages), _text(one.response))
                for one in _requests(db)
                # A kill leaves the row of a request that was on its way; the next process closes it, and asks again.
                if one.answered_by == "model" and one.status != "interrupted"
            ),
            loops=sorted(rows("SELECT node_id, iteration, status FROM loops WHERE to_frame IS NULL")),
            xml=Reader(str(path)).tree(id, last)[0].xml,
            faults=list(_faults(rows)),
        )


def _text(response: str | None) -> str | None:
    return (
        None
        if response is None
        else json.dumps([part.get("content", part.get("args")) for part in json.loads(response)["parts"]])
    )


def _faults(rows: Any) -> Iterator[str]:
    if (integrity := rows("PRAGMA integrity_check")) != [("ok",)]:
        yield f"integrity_check: {integrity[:3]}"
    if dangling := rows("PRAGMA foreign_key_check"):
        yield f"foreign_key_check: {dangling[:3]}"
    frames = [frame for (frame,) in rows("SELECT frame FROM frames ORDER BY frame")]
    if frames != list(range(1, len(frames) + 1)):
        yield f"frames have holes: {frames}"
    if running := rows("SELECT task_id, turn FROM model_calls WHERE status = 'running'"):
        yield f"requests were never closed: {running}"
    if unsettled := rows("SELECT task_id, status FROM tasks WHERE settled_at_frame IS NULL"):
        yield f"tasks were never dealt with: {unsettled}"
    for table, name in (("state", "key"), ("nodes", "node_id")):
        clash = rows(
            f"SELECT a.{name}, a.from_frame, a.to_frame, b.from_frame FROM {table} a JOIN {table} b ON"
            f" a.execution_id = b.execution_id AND a.{name} = b.{name} AND a.from_frame < b.from_frame"
            " WHERE a.to_frame IS NULL OR a.to_frame > b.from_frame"
        )
        if clash:
            yield f"versions overlap in {table}: {clash[:3]}"
    chain = rows(
        "SELECT key, old, new, value FROM (SELECT t.key, t.old, lag(t.new) OVER w AS new, s.value, lead(1) OVER w AS"
        " later, t.new AS last FROM transitions t LEFT JOIN state s ON s.key = t.key AND s.to_frame IS NULL WHERE"
        " t.status = 'applied' WINDOW w AS (PARTITION BY t.key ORDER BY t.frame, t.seq)) WHERE old IS NOT new OR"
        " (later IS NULL AND last IS NOT value)"
    )
    if chain:
        yield f"a value is not what the write before it left: {chain[:3]}"


# ---- a run, and its judgement -----------------------------------------------------------------------------------


@dataclass
class Run:
    """One run with its kills, and what is wrong with it."""

    number: int
    kills: list[str] = field(default_factory=list)
    """The kinds of those that came about."""
    lost: int = 0
    doubled: int = 0
    asked_again: int = 0
    """Requests whose answer was in the file, and that were made again."""
    done_again: int = 0
    """Tasks, handlers and effects whose end was in the file, and that ran again."""
    other: list[str] = field(default_factory=list)
    """Everything else that is wrong, in words."""

    @property
    def clean(self) -> bool:
        return not (self.lost or self.doubled or self.asked_again or self.done_again or self.other)


def run(number: int, plan: list[Kill], folder: Path, start: Launchers, reference: Found) -> Run:
    """Run the workflow with these kills, resume it each time, and compare."""
    folder.mkdir()
    result = Run(number)
    seen: list[tuple[set[tuple[str, str]], Done]] = []
    for kill in [*plan, None]:
        code = start.run(folder, kill)["code"]
        if code == 0:
            break
        if code != -signal.SIGKILL or kill is None:
            result.other.append(f"a process ended with {code}: {(folder / 'output.txt').read_text()[-3000:]}")
            return result
        result.kills.append(kill.get("point") or (cut(folder, kill) if "cut" in kill else AT_RANDOM))
        # A power cut takes back what nobody had synced.
        now = done(folder)
        seen = [*((known & now, before) for known, before in seen), (now, side(folder))]
    judge(result, found(folder), reference, seen, side(folder))
    if result.clean:
        shutil.rmtree(folder)
    return result


def judge(
    result: Run, end: Found, reference: Found, seen: list[tuple[set[tuple[str, str]], Done]], after: Done
) -> None:
    """Put down what differs from the run that was not killed."""
    lost, doubled = reference.writes - end.writes, end.writes - reference.writes
    result.lost, result.doubled = lost.total(), doubled.total()
    if lost or doubled:
        result.other.append(f"writes lost {dict(lost)}, doubled {dict(doubled)}")
    again = {what for known, before in seen for what in known if after[what] > before[what]}
    result.asked_again = sum(kind == "asked" for kind, _ in again)
    result.done_again = len(again) - result.asked_again
    if again:
        result.other.append(f"done again although the file had it: {sorted(again)}")
    result.other += end.faults
    for name in ("status", "state", "values", "tasks", "handlers", "effects", "calls", "loops", "xml"):
        ours, theirs = getattr(end, name), getattr(reference, name)
        if ours != theirs:
            result.other.append(f"{name} differ: {_difference(ours, theirs)}")


def _difference(ours: Any, theirs: Any) -> str:
    if isinstance(ours, Counter):
        return f"more {dict(ours - theirs)}, less {dict(theirs - ours)}"
    return f"{ours!r}, and without a kill {theirs!r}"


# ---- the campaign -----------------------------------------------------------------------------------------------


def campaign(kills: int, folder: Path, seed: int, kind: str | None = None) -> list[Run]:
    """Make runs until that many kills have come about, of one kind or of all."""
    rng = random.Random(seed)
    with launchers() as start:
        reference, points, seconds = _reference(folder, start)
        kinds = repeat(kind) if kind else _kinds(points, rng)
        runs: list[Run] = []
        with ThreadPoolExecutor(start.count) as pool:
            while (left := kills - sum(len(one.kills) for one in runs)) > 0:
                plans = _plans(left, kinds, points, seconds, rng)
                numbers = range(len(runs), len(runs) + len(plans))
                runs += pool.map(
                    lambda number, plan: run(number, plan, folder / str(number), start, reference), numbers, plans
                )
    return runs


def _reference(folder: Path, start: Launchers) -> tuple[Found, Counter[str], float]:
    """Return a run without a kill; with the points that a process comes by, of one that resumes, too."""
    points: Counter[str] = Counter()
    for name, kill in (("reference", None), ("resumed", {"point": "after EXECUTE", "count": 12})):
        (folder / name).mkdir(parents=True)
        outcome = start.run(folder / name, kill)
        if kill is not None:
            assert outcome["code"] == -signal.SIGKILL
            outcome = start.run(folder / name, None)
        else:
            seconds = outcome["seconds"]
        assert outcome["code"] == 0, (folder / name / "output.txt").read_text()[-3000:]
        points |= Counter(json.loads((folder / name / POINTS).read_text()))
    reference = found(folder / "reference")
    assert not reference.faults, reference.faults
    return reference, points, seconds


def _kinds(points: Iterable[str], rng: random.Random) -> Iterator[str]:
    """Give every kind of kill in turn, in an order that changes from round to round."""
    while True:
        deck = [*sorted(points), *[STATEMENT] * (OFTEN - 1), *[AT_RANDOM] * OFTEN, *[POWER_CUT] * (OFTEN // 2)]
        rng.shuffle(deck)
        yield from deck


def _plans(
    kills: int, kinds: Iterator[str], points: Counter[str], seconds: float, rng: random.Random
) -> list[list[Kill]]:
    """Return the kills of as many runs as it takes: one to three each."""
    plans = []
    while kills > 0:
        size = min(rng.randint(1, MOST_KILLS), kills)
        # A process that goes on has less before it than the first one.
        plans.append([_kill(next(kinds), points, seconds, rng, size) for _ in range(size)])
        kills -= size
    return plans


def _kill(kind: str, points: Counter[str], seconds: float, rng: random.Random, size: int) -> Kill:
    if kind in (AT_RANDOM, POWER_CUT):
        after = {"after_s": rng.uniform(0, seconds / size)}
        return after if kind == AT_RANDOM else {**after, "cut": rng.random()}
    return {"point": kind, "count": rng.randint(1, max(1, points[kind] // size))}


def table(runs: list[Run]) -> str:
    """Return a row for each kind of kill: how many there were, and what was wrong with the runs that had one."""
    kinds: dict[str, list[Run]] = {}
    for one in runs:
        for kind in one.kills:
            kinds.setdefault(kind, []).append(one)
    heads = ("kills", "lost", "doubled", "asked again", "done again", "other")
    lines = [f"{'kill':<38}" + "".join(f"{head:>13}" for head in heads)]
    for kind, theirs in [*sorted(kinds.items()), (f"all, in {len(runs)} runs", list(runs))]:
        one_each = {id(run): run for run in theirs}.values()
        count = len(theirs) if kind in kinds else sum(len(run.kills) for run in runs)
        figures = (
            count,
            sum(run.lost for run in one_each),
            sum(run.doubled for run in one_each),
            sum(run.asked_again for run in one_each),
            sum(run.done_again for run in one_each),
            sum(bool(run.other) for run in one_each),
        )
        lines.append(f"{kind:<38}" + "".join(f"{figure:>13}" for figure in figures))
    lines += [
        f"\nrun {run.number}, killed {', '.join(run.kills)}:\n  " + "\n  ".join(run.other) for run in runs if run.other
    ]
    return "\n".join(lines) + "\n"
