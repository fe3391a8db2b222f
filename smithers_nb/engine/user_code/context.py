"""``ctx``: the one object that components, handlers, effects and tasks are given.

It is the same object everywhere. Its behaviour depends on the scope in which it is used: a context variable holds it.
"""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from random import Random
from typing import Any, TypeVar

from ...errors import PurityError, RunError, did_you_mean
from ...nodes.effect import Effect
from ...records import LoopKey, LoopState, Scope
from ..state import TaskAuthor, Transaction
from .artifacts import ArtifactApi
from .files import FileApi
from .host import Host
from .purity import RenderScope, loop_read
from .query import QueryApi
from .scope import CodeScope, TaskScope, refuse_when_closed, rendering, scope_of, tool_call_here
from .sealed import Sealed
from .signals import Computed, ComputedValues, Signal

T = TypeVar("T")

SHOWN = 10
"""The most keys that the text form of a state shows."""


class Context(Sealed):
    """The interface of user code to its execution."""

    __slots__ = ("__weakref__", "_computed", "_host", "artifact", "db", "fs", "state", "vol")
    _name = "ctx"

    def __init__(self, host: Host) -> None:
        self._host = host
        self._computed = ComputedValues()
        self.state = StateApi(self, host, "state")
        """The execution's state: see ``StateApi``."""
        self.vol = StateApi(self, host, "vol")
        """Volatile state: any Python objects, in memory only. Same rules as ``state``; empty after a resume.

        An object that is changed in place changes no frame: set a new one.
        """
        self.db = QueryApi(self, host)
        """The store, to be queried: see ``QueryApi``."""
        self.fs = FileApi(self, host)
        """Files: see ``FileApi``."""
        self.artifact = ArtifactApi(self, host)
        """Artifacts, which people see: see ``ArtifactApi``."""

    def __repr__(self) -> str:
        return "<ctx>"

    def _way(self, name: str) -> str:
        if name in ("state", "vol"):
            return f"Set its keys one by one: ctx.{name}.set(key, value)."
        return super()._way(name)

    @property
    def _execution(self) -> str:
        return self._host.name

    @property
    def frame(self) -> int:
        """The number of the present frame: of the one that is rendering, else of the last one that was committed."""
        scope = self._untracked()
        if isinstance(scope, RenderScope):
            return scope.snapshot.frame
        return self._host.frame

    def now(self) -> datetime:
        """The time at which the frame began, in UTC: the same everywhere in the frame."""
        scope = self._untracked()
        if isinstance(scope, RenderScope):
            return datetime.fromtimestamp(scope.snapshot.now, UTC)
        return datetime.fromtimestamp(self._host.snapshot_time, UTC)

    def rand(self) -> Random:
        """A random generator, seeded by execution, frame and scope: the same frame gives the same numbers.

        All calls in one component, handler, effect or task give the same generator.
        """
        scope = self._untracked()
        if scope is None:
            return Random(f"{self._host.seed}/{self._host.frame}/None")
        if scope.random is None:
            seed = self._host.seed
            match scope:
                case RenderScope():
                    # The snapshot's, and not the host's: a past frame can be rendered again at any time.
                    seed = scope.snapshot.seed
                    where = f"{scope.snapshot.frame}/{scope.path}"
                case Transaction():
                    where = f"{self._host.frame}/{scope.node_id}"
                case TaskScope():
                    where = scope.task_id  # Its frame is in it; the execution has later ones while it runs.
            scope.random = Random(f"{seed}/{where}")
        return scope.random

    def signal(self, key: str, default: Any = None) -> Signal:
        """Return one key of the state as an object with ``get`` and ``set``."""
        return Signal(self, key, default)

    def computed(self, function: Callable[[], T]) -> Computed[T]:
        """Return an object whose ``get()`` is ``function()``, kept until a key that it reads changes."""
        scope = scope_of(self)
        if isinstance(scope, RenderScope) and not scope.computed:
            return self._computed.of(self, scope, function)
        return Computed(self, function)

    def _untracked(self) -> CodeScope | None:
        """Return the present scope. A component that asks reads without a key, and is called in every frame."""
        scope = scope_of(self)
        if isinstance(scope, RenderScope):
            scope.untracked = True
        return scope

    def iteration(self, id: str) -> int:
        """The iteration that a loop is in, or will begin with: from 1."""
        scope = scope_of(self)
        loops: Mapping[LoopKey, LoopState] = self._host.loops
        if isinstance(scope, RenderScope):
            if id in scope.around:
                # Not recorded as a read: the path has the iteration in it, so the next one mounts another component.
                return scope.around[id]
            scope.reads[loop_read(id)] = None
            loops = scope.snapshot.loops
        return max((state.iteration for (_, name), state in loops.items() if name == id), default=1)

    def progress(self, output: object) -> None:
        """Report the progress of a task; its node's ``on_progress`` gets the newest report.

        Raises:
            RunError: outside of a task.
            NotStorableError: if ``output`` is no storable value.
        """
        scope = scope_of(self)
        if not isinstance(scope, TaskScope):
            raise RunError("ctx.progress() reports the progress of a task: call it in the function of a <Task>.")
        self._host.reported(scope.node_id, scope.task_id, output)

    def use_effect(self, id: str, deps: list[Any], run: Callable[..., Any]) -> None:
        """Declare an effect of the component that is rendering, like ``Effect(id=id, deps=deps, run=run)``."""
        scope = scope_of(self)
        if not isinstance(scope, RenderScope):
            raise PurityError(f"use_effect({id!r}) belongs in a component: it declares a node of the plan.")
        scope.effects.append(Effect(id=id, deps=deps, run=run))


class StateApi(Sealed):
    """``ctx.state`` and ``ctx.vol``.

    While rendering: the frame's snapshot, and every read is recorded; writes raise ``RenderWriteError``.
    In a handler, an effect or a task: the latest committed values with its own writes on top; writes are queued
    and applied together, or not at all if it raises. In the notebook: committed values; writes are an operator's.
    """

    __slots__ = ("_ctx", "_host", "_scope")

    def __init__(self, ctx: Context, host: Host, scope: Scope) -> None:
        self._ctx = ctx
        self._host = host
        self._scope = scope

    @property
    def _called(self) -> str:
        return f"ctx.{self._scope}"

    def _read(self, name: str) -> str:
        return f" The value of a key is {self._called}.get({name!r})."

    def _way(self, name: str) -> str:
        called = self._called
        return (
            f"Values have keys: {called}.set({name!r}, value) sets one, {called}.get({name!r}) reads it, "
            f"{called}.delete({name!r}) removes it."
        )

    def __repr__(self) -> str:
        # In a component the values would be read, and in a handler a printed door says enough.
        if scope_of(self._ctx) is not None:
            return f"<{self._called}>"
        keys = self.keys()
        shown = [f"{key}={reprlib.repr(self.get(key))}" for key in keys[:SHOWN]]
        if len(keys) > SHOWN:
            shown.append(f"and {len(keys) - SHOWN:,} more")
        return f"<{self._scope}: {', '.join(shown) or 'empty'}>"

    def get(self, key: str, default: Any = None) -> Any:  # Any: it is what the user stored
        """Return the value, or ``default`` if the key is missing."""
        scope = scope_of(self._ctx)
        if isinstance(scope, RenderScope):
            return scope.read(key, default, self._scope)
        if isinstance(scope, Transaction):
            return scope.read(key, default, self._scope)
        cell = self._host.values(self._scope).get(key)
        if cell is None:
            return default
        value = cell.value(key)
        if isinstance(scope, TaskScope) and self._scope == "state":
            # A change of it in place would be lost; the end of the task compares and says so.
            scope.handed_out.add(key, value, cell.stored, len(scope.queued))
        return value

    def __getitem__(self, key: str) -> Any:
        """Return the value.

        Raises:
            KeyError: if it is missing.
        """
        if key not in self:
            # Not its keys(): a component would read them all.
            near = did_you_mean(key, self._host.values(self._scope))
            raise KeyError(f"{self._scope} has no key {key!r}; .get({key!r}) is None where nothing is set.{near}")
        return self.get(key)

    def __contains__(self, key: object) -> bool:
        if not isinstance(key, str):
            return False
        scope = scope_of(self._ctx)
        if isinstance(scope, RenderScope):
            return scope.has(key, self._scope)
        if isinstance(scope, Transaction):
            return scope.lookup(key, self._scope) is not None
        return key in self._host.values(self._scope)

    def keys(self) -> list[str]:
        """Return the keys, sorted."""
        scope = scope_of(self._ctx)
        if isinstance(scope, RenderScope):
            return scope.read_keys(self._scope)
        if isinstance(scope, Transaction):
            return scope.keys(self._scope)
        return sorted(self._host.values(self._scope))

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __len__(self) -> int:
        return len(self.keys())

    def set(self, key: str, value: object) -> None:
        """Queue a new value; the next frame sees it.

        Raises:
            NotStorableError: if the store can't give it back equal.
            RenderWriteError: while rendering.
        """
        self._write(key, lambda transaction: transaction.set(key, value, self._scope))

    __setitem__ = set

    def update(self, key: str, function: Callable[[Any], Any]) -> None:
        """Queue ``function(value so far)``; it is called at FLUSH, so three ``+ 1`` add three.

        The value so far is None where the key is missing.
        """
        if not callable(function):
            raise TypeError(f"update({key!r}, …) takes a function of the value so far; to set a value, use set().")
        self._write(key, lambda transaction: transaction.update(key, function, self._scope))

    def delete(self, key: str) -> None:
        """Queue the removal of a key; one that is missing stays missing."""
        self._write(key, lambda transaction: transaction.delete(key, self._scope))

    __delitem__ = delete

    def init(self, key: str, value: object) -> None:
        """Queue a first value, unless there is one already. Allowed while rendering, too."""
        scope = scope_of(self._ctx)
        if isinstance(scope, RenderScope):
            scope.init(key, value, self._scope)
        else:
            self._write(key, lambda transaction: transaction.init(key, value, self._scope))

    def _write(self, key: str, queue: Callable[[Transaction], object]) -> None:
        if (
            component := rendering()
        ):  # Of whichever execution: the write would be made as often as the component is called.
            component.refuse_write(key, self._scope)
        scope = scope_of(self._ctx)
        refuse_when_closed(scope, f"{self._scope} key {key!r}")
        if isinstance(scope, Transaction):
            queue(scope)
        elif isinstance(scope, TaskScope):
            # A task may run for hours: its writes do not wait for its end, each is a transaction of its own.
            transaction = self._host.outside(queue, TaskAuthor(scope.task_id, scope.node_id, tool_call_here()))
            if scope.handed_out:
                scope.queued += transaction.queued
        else:
            self._host.outside(queue)
