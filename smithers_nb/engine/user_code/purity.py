"""The purity guard: everything that a component may do while it is called.

A frame may be rendered any number of times: by a replay, for a preview, after a crash. So a component that writes, or
changes a value in place, is refused, and each read is recorded, because only then a call can be skipped.
"""

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
    """A look of a component at files."""

    kind: Literal["read", "exists", "glob"]
    path: str
    """The path as it was given; of a glob, the pattern."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The values that one frame sees. The cells are the committed ones: nothing changes them before FLUSH."""

    frame: int
    cells: Mapping[str, Cell]
    now: float
    """Seconds since 1970, the same for the whole frame."""
    seed: int
    loops: Mapping[LoopKey, LoopState] = field(default_factory=dict)
    changed: frozenset[str] | None = None
    """Names of reads that changed since the last frame: state keys, ``loop_read``, ``KEYS``; None if all may have."""
    vol: Mapping[str, Cell] = field(default_factory=dict)
    """Volatile values."""
    looks: dict[Look, str | None] = field(default_factory=dict)
    """The looks of components at files in this frame, with their fingerprints; RENDER fills it."""
    lookers: dict[Look, str] = field(default_factory=dict)
    """The path of the component that looked last, by look."""

    def of(self, scope: Scope) -> Mapping[str, Cell]:
        """Return the values of a scope."""
        if scope == "vol":
            return self.vol
        return self.cells


KEYS = "\0keys"
"""The name under which a read of the list of keys is recorded."""


def loop_read(id: str) -> str:
    """Return the name under which a read of a loop's iteration is recorded."""
    return f"\0loop {id}"


_generation = 0


def anything_may_have_changed() -> None:
    """Let the next frame of every execution call every component: a notebook cell has run."""
    # A cell may have changed any global or mutable object that a component closes over, and nothing reports that.
    global _generation
    _generation += 1


def generation() -> int:
    """Return the number of such calls, to be compared with an earlier one."""
    return _generation


@dataclass(slots=True)
class RenderScope:
    """The call of a component."""

    snapshot: Snapshot
    name: str
    path: str
    source: str | None
    inits: dict[str, tuple[Stored, str]]
    """First values that components ask for in this frame, with the component's name."""
    reads: dict[str, Stored | None] = field(default_factory=dict)
    effects: list[Effect] = field(default_factory=list)
    untracked: bool = False
    """True if it read something that has no key, such as the time: it is called in every frame."""
    random: Random | None = None
    around: Mapping[str, int] = field(default_factory=dict)
    """Iteration of each loop around, by id."""
    computed: bool = False
    """True in the function of a computed value of this component."""
    _computed_so_far: int = 0
    _handed_out: list[tuple[str, Any, Stored]] = field(default_factory=list)
    """Values that can be changed in place: their name, the object, and its content when it was handed out."""

    def read(self, key: str, default: Any = None, scope: Scope = "state") -> Any:  # Any: it is what the user stored
        """Return the snapshot's value, and record the read."""
        check_key(key)
        cell = self.snapshot.of(scope).get(key)
        name = read_name(scope, key)
        if cell is None:
            self.reads[name] = None
            return default
        self.reads[name] = cell.stored
        value = cell.value(key)
        if scope == "state" and not isinstance(value, IMMUTABLE):
            self._handed_out.append((f"state key {key!r}", value, cell.stored))
        elif scope == "vol":
            self.hand_out(f"vol key {key!r}", value)
        return value

    def has(self, key: str, scope: Scope = "state") -> bool:
        """Return whether the snapshot has a key, and record the read."""
        check_key(key)
        cell = self.snapshot.of(scope).get(key)
        name = read_name(scope, key)
        if cell is None:
            self.reads[name] = None
            return False
        self.reads[name] = cell.stored
        return True

    def read_keys(self, scope: Scope) -> list[str]:
        """Return the snapshot's keys, sorted, and record the read."""
        self.reads[KEYS] = None
        return sorted(self.snapshot.of(scope))

    def look(self, look: Look, seen: str | None) -> None:
        """Record a look at files. They have no key: the component is called in every frame."""
        self.snapshot.looks[look] = seen
        self.snapshot.lookers[look] = self.path
        self.untracked = True

    def hand_out(self, what: str, value: object) -> None:
        """Record the content of a list or dict, to be compared after the call."""
        # Compared afterwards, and not frozen: a read-only list would be no list to json, pandas and isinstance.
        if isinstance(value, list | dict):
            self._handed_out.append((what, value, readable(value)))

    # A component whose reads hold would return the same elements again, so RENDER does not call it.
    def holds(self, reads: Mapping[str, Stored | None]) -> bool:
        """Return whether all recorded reads would give the same values now."""
        return all(_stored(self.snapshot, name) == stored for name, stored in reads.items())

    def inside(self) -> RenderScope:
        """Return a scope that records the reads of a computed value apart from those of the component."""
        return RenderScope(self.snapshot, self.name, self.path, source=self.source, inits=self.inits, computed=True)

    def include(self, inner: RenderScope) -> None:
        """Add the looks and hand-outs of a computed value's function to those of this component."""
        self.untracked = self.untracked or inner.untracked
        self._handed_out += inner._handed_out

    def next_computed(self) -> int:
        """Return the number of computed values that this call has made before."""
        self._computed_so_far += 1
        return self._computed_so_far - 1

    def init(self, key: str, value: object, scope: Scope = "state") -> None:
        """Ask for a first value; FLUSH applies it if the key is still missing then."""
        check_key(key)
        name = read_name(scope, key)
        if key in self.snapshot.of(scope) or name in self.inits:
            return
        try:
            stored = Held.of(value) if scope == "vol" else encode(value, key)
            self.inits[name] = (stored, self.name)
        except Unstorable as why:
            raise NotStorableError(
                f"state key {key!r} can't hold this {type(value).__name__}, set by init in {self.name}: {why}."
            ) from None

    def refuse_write(self, key: str, scope: Scope = "state") -> NoReturn:
        """Raise the error that says why state can't be written here."""
        raise RenderWriteError(
            f"{scope} key {key!r} was written while {self.name} was rendering. Rendering must be pure, because it may "
            "run again for the same state. Move the write into on_finished or an Effect.",
            path=self.path,
            frame=self.snapshot.frame,
            source=sources.caller() or self.source,
        )

    def check_mutations(self) -> None:
        """Raise if the component has changed a value in place.

        Raises:
            RenderMutationError: naming key and component.
        """
        for what, value, stored in self._handed_out:
            # The text decides quickly. Where it differs, a slow comparison finds out whether the value does.
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
    if cell is None:
        return None
    return cell.stored


@contextmanager
def no_tasks() -> Iterator[None]:
    """Refuse every new asyncio task on the running loop; without a running loop there is nothing to refuse."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        yield
        return
    before = loop.get_task_factory()

    # A task would run after the component has returned: neither this guard nor the record of reads would see it. The
    # factory is the one place that create_task, gather and TaskGroup all use.
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
