"""The cost of a step beside LangGraph, Burr, DBOS and pydantic-graph, all on SQLite, all in turn.

Each runs in a process of its own (``peer_worker.py``), which does so many steps whenever it is told to: one that waits
costs the others nothing. A step calls one function that adds one to a counter, beside so many other keys of state, and
makes that durable: as each library does by default, which is SQLite's ``synchronous=FULL`` for the peers and NORMAL for
us; and with 10 keys all of them at FULL, and all of them at NORMAL. A row says both, ours first. A Task with
``on_finished`` is three frames a step: one starts it, one handles its end, and one finds that its loop is to go round
again.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from tests.bench.table import Missing, Row

ROUNDS = 5
STEPS = {10: 40, 1_000: 40, 10_000: 12, 100_000: 4}
"""Steps a round, by keys of state."""

BY_DEFAULT = "NORMAL beside FULL"
"""SQLite's ``synchronous`` of ours and theirs, where neither is told another."""
PEERS = {
    "langgraph": ("LangGraph, durability='sync'", "langgraph.checkpoint.sqlite"),
    "burr": ("Burr, SQLitePersister", "burr"),
    "dbos": ("DBOS, the state returned by each step", "dbos"),
    "dbos-counter": ("DBOS, only the counter returned", "dbos"),
    "pydantic-graph": ("pydantic-graph, which stores nothing: a row of JSON a step by hand", "pydantic_graph"),
}
EQUAL_KEYS = 10
"""The number of keys at which all are measured at the same durability, too."""
STEP = {"": "a step", "-task": "a Task with on_finished a step"}
"""What a step of ours is, by the end of the worker's name."""


@dataclass
class Found:
    """What was measured of one worker."""

    ms: list[float] = field(default_factory=list)
    written: list[float] = field(default_factory=list)
    """Bytes a step that the process handed to the system, one figure a round."""
    grown: float = 0.0
    """Bytes a step that the file grew."""


def peers() -> Iterator[Row | Missing]:
    there = {name: title for name, (title, module) in PEERS.items() if _installed(module)}
    for name, (title, _) in PEERS.items():
        if name not in there:
            yield Missing(f"a step beside {title}", "not installed: pip install 'smithers_nb[peers]'")
    for keys in STEPS if there else ():
        found = _measured(["ours", *there], keys)
        for name, title in there.items():
            yield from _rows(keys, found, name, title)
    if there:
        for durability in ("full", "normal"):
            yield from _at_equal_durability(there, durability)


def _rows(keys: int, found: dict[str, Found], name: str, title: str) -> Iterator[Row]:
    ours, theirs = found["ours"], found[name]
    yield Row(f"a step with {keys:,} keys, {BY_DEFAULT}", ours.ms, title, theirs.ms, 1)
    if ours.written and theirs.written:
        note = f"the files grow by {ours.grown / 1024:,.1f} and {theirs.grown / 1024:,.1f} KB a step"
        yield Row(f"written a step with {keys:,} keys", ours.written, title, theirs.written, 1, "KB", note)


def _at_equal_durability(there: dict[str, str], durability: str) -> Iterator[Row]:
    ours = {f"ours{kind}": what for kind, what in STEP.items()}
    found = _measured([f"{name}:{durability}" for name in (*ours, *there)], EQUAL_KEYS)
    for kind, what in ours.items():
        for name, title in there.items():
            mine, theirs = found[f"{kind}:{durability}"], found[f"{name}:{durability}"]
            sides = f"{durability.upper()} beside {durability.upper()}"
            yield Row(f"{what} with {EQUAL_KEYS} keys, {sides}", mine.ms, title, theirs.ms, 1)


def _measured(names: list[str], keys: int) -> dict[str, Found]:
    found = {name: Found() for name in names}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        workers = {
            name: stack.enter_context(Worker(name, keys, Path(folder) / f"{name.replace(':', '-')}.db"))
            for name in names
        }
        for worker in workers.values():
            worker.ask(3)
        sizes = {name: worker.size() for name, worker in workers.items()}
        for _ in range(ROUNDS):
            for name, worker in workers.items():
                answer = worker.ask(STEPS[keys])
                found[name].ms += answer["ms"]
                if answer["written"] is not None:
                    found[name].written.append(answer["written"])
        for name, worker in workers.items():
            found[name].grown = (worker.size() - sizes[name]) / (ROUNDS * STEPS[keys])
    return found


class Worker:
    """One process that does steps when it is told to."""

    def __init__(self, name: str, keys: int, path: Path) -> None:
        self._name = name
        command = [sys.executable, "-m", "tests.bench.peer_worker", name, str(keys), str(path)]
        self._errors = path.with_suffix(".log")
        with self._errors.open("w") as errors:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
            )

    def ask(self, steps: int) -> dict:
        """Return {"ms": one figure a step, "written": bytes a step, "size": bytes of the file} of so many steps."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(f"{steps}\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        raise RuntimeError(f"{self._name} ended: {self._errors.read_text()[-2000:]}")

    def size(self) -> int:
        return self.ask(0)["size"]

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False
