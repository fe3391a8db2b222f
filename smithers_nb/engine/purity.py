"""Rendering is pure, and it is enforced: what a component may do while it is called."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NoReturn

from ..errors import NotStorableError, RenderMutationError, RenderTaskError, RenderWriteError
from ..nodes import source as sources
from ..nodes.effect import Effect
from ..values import IMMUTABLE, Stored, Unstorable, encode
from .state import Cell


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one frame sees. The cells are the committed ones themselves: nothing changes them before FLUSH."""

    frame: int
    cells: Mapping[str, Cell]
    now: float
    """Seconds since 1970, the same for the whole frame."""
    seed: int


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
    _handed_out: list[tuple[str, Any, Stored]] = field(default_factory=list)

    def read(self, key: str, default: Any = None) -> Any:  # Any: it is what the user stored
        """Return the snapshot's value and remember that it was read."""
        cell = self.snapshot.cells.get(key)
        self.reads[key] = cell.stored if cell else None
        if cell is None:
            return default
        value = cell.value()
        if not isinstance(value, IMMUTABLE):
            self._handed_out.append((key, value, cell.stored))
        return value

    def init(self, key: str, value: object) -> None:
        """Ask for a first value; FLUSH applies it if the key is still missing then."""
        if key in self.snapshot.cells or key in self.inits:
            return
        try:
            self.inits[key] = (encode(value), self.name)
        except Unstorable as why:
            raise NotStorableError(
                f"state key {key!r} can't hold this {type(value).__name__}, set by init in {self.name}: {why}."
            ) from None

    def refuse_write(self, key: str) -> NoReturn:
        """Say why state can't be written here."""
        raise RenderWriteError(
            f"state key {key!r} was written while {self.name} was rendering. Rendering must be pure, because it may "
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
        for key, value, stored in self._handed_out:
            try:
                unchanged = encode(value) == stored
            except Unstorable:
                unchanged = False
            if not unchanged:
                raise RenderMutationError(
                    f"the {type(value).__name__} in state key {key!r} was changed in place while {self.name} was "
                    "rendering; the state itself did not change. Make a new value, and set it in a handler or an "
                    "Effect.",
                    path=self.path,
                    frame=self.snapshot.frame,
                    source=self.source,
                )


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
            "be pure, because it may run again for the same state. Use a <Task>, a handler or an Effect."
        )

    loop.set_task_factory(refuse)  # type: ignore[arg-type]  # it returns nothing on purpose
    try:
        yield
    finally:
        loop.set_task_factory(before)
