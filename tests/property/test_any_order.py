"""A law: in whatever order people call what there is, each call ends, with a result or an error that says why.

After it nothing is lost: the execution is replayed as it was, resumed as it stood, and its file is whole.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from smithers_nb import Execution, Store
from smithers_nb.errors import SmithersError
from smithers_nb.notebook import messages as m
from smithers_nb.notebook.view_of import view_of
from tests.conftest import PATIENCE_S
from tests.history.programs import PROGRAMS

VALUES = [1, "x", None, [1], {"a": (1,)}, b"b", float("nan"), object(), "\ud800", {1: 2}, 10**30, "y" * 50_000]
BREAKPOINTS = [{"key": "n", "event": "changed"}, {"frame": 3}, {"phase": "RENDER"}, {"when": "state.n > 1"}]
UNTIL = ["frame > 2", "state.get('n') == 1", "n >", lambda frame: frame.number > 2]
TABLES = ("frames", "transitions", "tasks", "handlers", "events", "model_calls", "approvals", "artifacts")
PANES = ("frame", "plan", "xml", "pending", "handlers", "state", "tasks", "breakpoints", "output", "problems")


class Person:
    """Calls what there is, at random, and often with what makes no sense."""

    def __init__(self, seed: int, path: str) -> None:
        self.random = Random(seed)
        self.path = path
        self.program = self.random.choice(list(PROGRAMS))
        self.ex = Execution(self.app(), store=path, state={"old": [1], "k": "y"})
        self.branches: list[Execution] = []
        self.done: list[str] = []
        self.moves: dict[str, Callable[[], object]] = {
            "step": lambda: self.ex.step_sync(),
            "phase": lambda: self.ex.step_phase_sync(),
            "run": lambda: self.ex.run_sync(max_frames=self.any(1, 2, 3, 60)),
            "run until": lambda: self.ex.run_sync(self.any(*UNTIL), max_frames=20),
            "run and stop": self.run_and_stop,
            "stop": lambda: self.ex.stop(),
            "pause": lambda: self.ex.pause(),
            "set": lambda: self.ex.state.set(self.key(), self.any(*VALUES)),
            "delete": lambda: self.ex.state.delete(self.key()),
            "update": lambda: self.ex.state.update(self.key(), lambda value: value + 1),
            "edit": lambda: self.ex.edit_pending(self.write(), self.any(*VALUES)),
            "drop": lambda: self.ex.drop_pending(self.write()),
            "answer": self.answer,
            "retry": lambda: self.ex.retry(self.node()),
            "cancel": lambda: self.ex.cancel(self.node()),
            "handle again": lambda: self.ex.handle_again(self.node()),
            "predict": lambda: self.ex.predict(self.frame(), {f"starts:{self.node()}": True}),
            "break": lambda: self.ex.breakpoints.add(**self.any({"node": self.node()}, *BREAKPOINTS)),
            "swap": lambda: self.ex.swap(self.app()),
            "fork": self.fork,
            "resume": self.resume,
            "replay": lambda: self.ex.replay(),
            "rerender": lambda: self.ex.rerender(),
            "compare": lambda: self.ex.compare(self.any(self.ex, *self.branches)),
            "export": lambda: self.ex.export(f"{path}.{len(self.done)}.html"),
            "why": lambda: self.ex.why(self.any(self.key(), self.node(), f"{self.node()}.prompt")),
            "why not": lambda: self.ex.why_not(self.any(self.key(), self.node(), None), self.frame()),
            "needs": lambda: self.ex.needs(self.node(), self.frame()),
            "follow": lambda: self.ex.follow(self.key()),
            "ghosts": lambda: self.ex.ghosts(self.frame()),
            "what if": lambda: self.ex.what_if({self.key(): 1}),
            "lint": lambda: self.ex.lint(),
            "preview": lambda: self.ex.preview(),
            "tables": lambda: [getattr(self.ex.df, name) for name in TABLES],
            "state at": lambda: self.ex.df.state_at(self.frame()),
            "tree at": lambda: self.ex.df.tree_at(self.frame()),
            "timeline": lambda: self.ex.df.timeline(),
            "transcript": lambda: self.ex.transcript(self.node()),
            "look": self.look,
        }

    def app(self) -> Any:
        return PROGRAMS[self.program]()

    def any(self, *choices: Any) -> Any:
        return self.random.choice(choices)

    def key(self) -> str:
        return self.any(*self.ex.state.keys(), "n", "nope")

    def node(self) -> str:
        there = self.ex.frame.tree.walk() if self.ex.frame else ()
        return self.any(*(node.id for node in there), "a", "nope")

    def frame(self) -> int | None:
        return self.any(0, 1, 2, self.ex.recorded, self.ex.recorded + 1, -1, None)

    def write(self) -> str:
        return self.any(*(write.id for write in self.ex.pending), "nope")

    def run_and_stop(self) -> None:
        running = threading.Thread(target=self.attempted, args=[lambda: self.ex.run_sync(max_frames=10)], daemon=True)
        running.start()
        running.join(self.random.random() / 20)
        self.ex.stop()
        running.join(PATIENCE_S)
        assert not running.is_alive()

    def answer(self) -> None:
        asked = self.ex.df.approvals.query("status == 'waiting'").approval_id
        self.ex.answer(self.any(*asked, "nope"), self.any("approve", "reject", "x", None))

    def fork(self) -> None:
        self.branches.append(
            self.ex.fork(self.frame(), state={self.key(): 1}, reuse=self.any((), ["agents"], ["agents", "tasks"]))
        )

    def resume(self) -> None:
        self.ex.close()
        self.ex = Execution.resume(self.app(), store=self.path, id=self.ex.execution_id)

    def look(self) -> None:
        at = {"at": self.random.randint(1, self.ex.recorded), "phase": "EFFECTS"} if self.ex.recorded else {}
        pane = self.any(*PANES)
        view_of(self.ex).pane(m.incoming.validate_python({"type": "get", "id": "r1", "pane": pane, **self.any({}, at)}))

    def attempted(self, move: Callable[[], object]) -> None:
        """Do it; an error must say what is wrong."""
        try:
            move()
        except (SmithersError, ValueError, TypeError) as error:
            assert len(str(error)) > 20
        except RuntimeError as error:
            assert "has no frame in this process yet" in str(error)

    def moves_on(self) -> None:
        name = self.any(*self.moves)
        self.done.append(name)
        failures: list[BaseException] = []

        def move() -> None:
            try:
                self.attempted(self.moves[name])
            except BaseException as failure:  # noqa: BLE001  # raised where pytest sees it
                failures.append(failure)

        moving = threading.Thread(target=move, daemon=True)
        moving.start()
        moving.join(PATIENCE_S)
        assert not moving.is_alive(), f"{self.program}: {self.done} does not end"
        if failures:
            raise AssertionError(f"{self.program}: {self.done}") from failures[0]

    @property
    def is_recorded(self) -> bool:
        """Whether all that the person did is in the file, so that a replay can do it again."""
        did = set(self.done)
        # Where in a frame a stop came is not recorded, nor whether a task was run again before the Stop of a frame or
        # after it. Gone after a restart, and not in a replay, are values of vol.
        return "run and stop" not in did and not (
            ("resume" in did and ("phase" in did or self.program == "Effects"))
            or (self.program in ("Stops", "Ends") and not did.isdisjoint({"resume", "retry"}))
        )

    def leaves(self) -> None:
        """Close it, and look at what is left."""
        ex = self.ex
        told = f"{self.program}: {self.done}"
        waits = [write for write in ex.pending if write.origin == "operator" and write.handler is None]
        if not waits and self.is_recorded:
            until = time.monotonic() + PATIENCE_S
            while ex.running and time.monotonic() < until:
                time.sleep(0.01)
            replay = ex.replay()
            # How it stands may be a person's doing, which a replay does not repeat.
            differences = [one for one in map(str, replay.differences) if "the end" not in one]
            assert replay.notes or not differences, f"{told}\n{replay}"
        state = dict(ex.state)
        for one in (ex, *self.branches):
            one.close()
        store = Store(self.path)
        assert store.check().ok, f"{told}\n{store.check()}"
        again = Execution.resume(self.app(), store=self.path, id=ex.execution_id)
        if not waits:
            assert repr(dict(again.state)) == repr(state), told
        again.close()


def lives(seeds: range, folder: Any) -> None:
    for seed in seeds:
        person = Person(seed, str(folder / f"{seed}.db"))
        for _ in range(person.random.randint(8, 28)):
            person.moves_on()
        person.leaves()


def test_whatever_people_do_each_call_ends_and_nothing_is_lost(tmp_path: Any) -> None:
    lives(range(40), tmp_path)


@pytest.mark.long
def test_whatever_many_people_do_each_call_ends_and_nothing_is_lost(tmp_path: Any) -> None:
    lives(range(1_000, 1_600), tmp_path)
