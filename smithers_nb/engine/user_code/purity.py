"""Rendering is pure, and it is enforced: what a component may do while it is called."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal, NamedTuple, NoReturn

from ...errors import NotStorableError, RenderMutationError, RenderTaskError, RenderWriteError
from ...nodes import source as sources
from ...nodes.effect import Effect
from ...records import LoopKey, LoopState, Scope
from ...values import IMMUTABLE, Held, Stored, Unstorable, encode, readable
from ..state import Cell, changed_in_place, check_key, read_name


class Look(NamedTuple):
    """One way in which a component looked at files."""

    kind: Literal["read", "exists", "glob"]
    path: str
    """As it was given; of a glob, the pattern."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one frame sees. The cells are the committed ones themselves: nothing changes them before FLUSH."""

    frame: int
    cells: Mapping[str, Cell]
    now: float
    """Seconds since 1970, the same for the whole frame."""
    seed: int
    loops: Mapping[LoopKey, LoopState] = field(default_factory=dict)
    changed: frozenset[str] | None = None
    """What changed since the last frame: state keys, and ``loop_read`` and ``KEYS``; None if anything may have."""
    vol: Mapping[str, Cell] = field(default_factory=dict)
    """Volatile values."""
    looks: dict[Look, str | None] = field(default_factory=dict)
    """What components looked at in this frame, with its fingerprint; RENDER fills it."""

    def of(self, scope: Scope) -> Mapping[str, Cell]:
        """Return the values of a scope."""
        return self.vol if scope == "vol" else self.cells


KEYS = "\0keys"
"""Read by who looks at which keys there are."""


def loop_read(id: str) -> str:
    """Return the name under which a read of a loop's iteration is recorded."""
    return f"\0loop {id}"


_generation = 0


def anything_may_have_changed() -> None:
    """A notebook cell has run: the next frame of every execution calls every component."""
    global _generation
    _generation += 1


def generation() -> int:
    """Return how often that was said."""
    return _generation


@dataclass(slots=True)
class RenderScope:
    """One call of one component."""

    snapshot: Snapshot
    name: str
    path: str
    source: str | None
    inits: dict[str, tuple[Stored, str]]
    """First values that components ask for in this frame, with the component's name."""
    reads: dict[str, Stored | None] = field(default_factory=dict)
    effects: list[Effect] = field(default_factory=list)
    untracked: bool = False
    """It read what no key stands for, such as the time: it is called in every frame."""
    random: Random | None = None
    around: Mapping[str, int] = field(default_factory=dict)
    """Iteration of each loop around, by id."""
    computed: bool = False
    """It is the inside of a computed value of this component."""
    _computed_so_far: int = 0
    _handed_out: list[tuple[str, Any, Stored]] = field(default_factory=list)
    """(what, value, what it was when it was handed out) of what can be changed in place."""

    def read(self, key: str, default: Any = None, scope: Scope = "state") -> Any:  # Any: it is what the user stored
        """Return the snapshot's value and remember that it was read."""
        check_key(key)
        cell = self.snapshot.of(scope).get(key)
        self.reads[read_name(scope, key)] = cell.stored if cell else None
        if cell is None:
            return default
        value = cell.value(key)
        if scope == "state" and not isinstance(value, IMMUTABLE):
            self._handed_out.append((f"state key {key!r}", value, cell.stored))
        elif scope == "vol":
            self.hand_out(f"vol key {key!r}", value)
        return value

    def has(self, key: str, scope: Scope = "state") -> bool:
        """Return whether the snapshot has a key, and remember that it was read."""
        check_key(key)
        cell = self.snapshot.of(scope).get(key)
        self.reads[read_name(scope, key)] = cell.stored if cell else None
        return cell is not None

    def read_keys(self, scope: Scope) -> list[str]:
        """Return the snapshot's keys, sorted, and remember that they were looked at."""
        self.reads[KEYS] = None
        return sorted(self.snapshot.of(scope))

    def look(self, look: Look, seen: str | None) -> None:
        """Remember that files were looked at. They have no key: the component is called in every frame."""
        self.snapshot.looks[look] = seen
        self.untracked = True

    def hand_out(self, what: str, value: object) -> None:
        """Remember what a list or dict looked like, to see later whether it was changed in place."""
        if isinstance(value, list | dict):
            self._handed_out.append((what, value, readable(value)))

    def holds(self, reads: Mapping[str, Stored | None]) -> bool:
        """Whether all that was read is still as it was."""
        return all(_stored(self.snapshot, name) == stored for name, stored in reads.items())

    def inside(self) -> RenderScope:
        """Return a scope that tells what a computed value reads, for itself."""
        return RenderScope(self.snapshot, self.name, self.path, self.source, self.inits, computed=True)

    def include(self, inner: RenderScope) -> None:
        """Count as this component's own what a computed value of it did."""
        self.untracked = self.untracked or inner.untracked
        self._handed_out += inner._handed_out

    def next_computed(self) -> int:
        """Return how many computed values this call has made before."""
        self._computed_so_far += 1
        return self._computed_so_far - 1

    def init(self, key: str, value: object, scope: Scope = "state") -> None:
        """Ask for a first value; FLUSH applies it if the key is still missing then."""
        check_key(key)
        name = read_name(scope, key)
        if key in self.snapshot.of(scope) or name in self.inits:
            return
        try:
            self.inits[name] = (Held.of(value) if scope == "vol" else encode(value, key), self.name)
        except Unstorable as why:
            raise NotStorableError(
                f"state key {key!r} can't hold this {type(value).__name__}, set by init in {self.name}: {why}."
            ) from None

    def refuse_write(self, key: str, scope: Scope = "state") -> NoReturn:
        """Say why state can't be written here."""
        raise RenderWriteError(
            f"{scope} key {key!r} was written while {self.name} was rendering. Rendering must be pure, because it may "
            "run again for the same state. Move the write into on_finished or an Effect.",
            path=self.path,
            frame=self.snapshot.frame,
            source=sources.caller() or self.source,
        )

    def check_mutations(self) -> None:
        """Find values that the component changed in place.

        Raises:
            RenderMutationError: naming key and component.
        """
        for what, value, stored in self._handed_out:
            if readable(value).text != stored.text and changed_in_place(value, stored):
                raise RenderMutationError(
                    f"the {type(value).__name__} in {what} was changed in place while {self.name} was "
                    "rendering; the state itself did not change. Make a new value, and set it in a handler or an "
                    "Effect.",
                    path=self.path,
                    frame=self.snapshot.frame,
                    source=self.source,
                )


def _stored(snapshot: Snapshot, name: str) -> Stored | None:
    vol = name.removeprefix(read_name("vol", ""))
    cell = snapshot.cells.get(name) if vol == name else snapshot.vol.get(vol)
    return cell.stored if cell else None


@contextmanager
def no_tasks() -> Iterator[None]:
    """Refuse every new asyncio task on the running loop; without a running loop there is nothing to refuse."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        yield
        return
    before = loop.get_task_factory()

    def refuse(_loop: object, coroutine: Coroutine[Any, Any, Any], **_options: object) -> NoReturn:
        coroutine.close()
        raise RenderTaskError(
            f"a task ({getattr(coroutine, '__qualname__', 'coroutine')}) was started while rendering. Rendering must "
            "be pure, because it may run again for the same state. Use a <Task>, a handler or an Effect.",
            source=sources.caller(),
        )

    loop.set_task_factory(refuse)  # type: ignore[arg-type]  # it returns nothing on purpose
    try:
        yield
    finally:
        loop.set_task_factory(before)
