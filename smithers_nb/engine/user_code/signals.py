"""``ctx.signal`` and ``ctx.computed``: state keys, and values computed from them, as objects."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ...captured import captured_by
from ...errors import PurityError
from ...nodes.element import Component
from ...values import JSON_SCALARS, Stored
from .purity import KEYS, RenderScope
from .scope import entered, scope_of

if TYPE_CHECKING:
    from .context import Context

T = TypeVar("T")

MOST_KEPT = 1000
"""Number of values computed while rendering that are kept; the oldest are removed first."""


@dataclass(frozen=True)
class Signal:
    """A key of the state. ``get()`` is ``ctx.state.get``, ``set()`` is ``ctx.state.set``, with the same rules."""

    ctx: Context
    key: str
    default: Any = None  # Any: it is what the user stored

    def get(self) -> Any:
        """Return the value, or the default if the key is missing."""
        return self.ctx.state.get(self.key, self.default)

    def set(self, value: object) -> None:
        """Queue a new value; the next frame sees it."""
        self.ctx.state.set(self.key, value)

    @property
    def value(self) -> Any:
        """The same as ``get()``."""
        return self.get()


@dataclass(frozen=True, slots=True)
class _Known(Generic[T]):
    """A value that was computed, and everything that it depends on."""

    value: T
    reads: dict[str, Stored | None]
    captured: list[object]


class Computed(Generic[T]):
    """A value computed from state. While rendering it is kept until a key that it read changes.

    It is computed again, too, when a variable or global that the function names has another value. A function that
    reads something that is not tracked (files, the database, the clock, a list that it closes over) is called each
    time; so is every one outside of rendering.
    """

    def __init__(self, ctx: Context, function: Callable[[], T]) -> None:
        self._ctx = ctx
        self._function = function
        self._known: _Known[T] | None = None

    def get(self) -> T:
        """Return the value; the keys that it depends on are read by the component that asks."""
        scope = scope_of(self._ctx)
        # Handlers and tasks see their own writes, and a change of any variable: nothing that was kept holds for them.
        if not isinstance(scope, RenderScope):
            return self._called()
        known = self._known
        if known is None or not self._holds(known, scope):
            known = self._computed(scope)
        # The component depends on these keys whether or not the function was called this time.
        scope.reads.update(known.reads)
        scope.hand_out("a ctx.computed value", known.value)
        return known.value

    @property
    def value(self) -> T:
        """The same as ``get()``."""
        return self.get()

    def same_as(self, function: Callable[[], Any]) -> bool:
        """Return whether a function does the same as this one's: the same code over the same variables."""
        # A component makes its lambdas again in each call: only the code object stays the same.
        if self._known is None or getattr(function, "__code__", None) is not getattr(self._function, "__code__", 0):
            return False
        captured = _captured(function)
        return captured is not None and _equal(captured, self._known.captured)

    def _computed(self, scope: RenderScope) -> _Known[T]:
        """Call the function, and keep its value if all that it read is known."""
        inner = scope.inside()
        with entered(self._ctx, inner):
            value = self._called()
        if inner.effects:
            raise PurityError("use_effect was called in a ctx.computed function, which is not called in each frame.")
        scope.include(inner)
        captured = _captured(self._function)
        known = _Known(value, inner.reads, captured or [])
        # KEYS is recorded without a value: keys may come and go while the values of all reads stay the same.
        tracked = captured is not None and not inner.untracked and KEYS not in inner.reads
        self._known = None
        if tracked:
            self._known = known
        return known

    def _called(self) -> T:
        value = self._function()
        if inspect.isawaitable(value):
            if inspect.iscoroutine(value):
                value.close()
            raise PurityError("ctx.computed takes a plain function, not an async one: a component can't await it.")
        return value

    def _holds(self, known: _Known[T], scope: RenderScope) -> bool:
        captured = _captured(self._function)
        if captured is None or not _equal(captured, known.captured):
            return False
        return scope.holds(known.reads)


class ComputedValues:
    """The computed values made while rendering, by component path and order of the calls."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, int], Computed[Any]] = {}

    def of(self, ctx: Context, scope: RenderScope, function: Callable[[], T]) -> Computed[T]:
        """Return the computed value of this place, or a new one if its function has changed."""
        at = (scope.path, scope.next_computed())
        kept = self._kept.pop(at, None)  # It is put back at the end: the first one is the one not used for longest.
        if kept is None or not kept.same_as(function):
            kept = Computed(ctx, function)
        self._kept[at] = kept
        if len(self._kept) > MOST_KEPT:
            del self._kept[next(iter(self._kept))]
        return kept


def _captured(function: object) -> list[object] | None:
    """Return all that a function sees besides its arguments; None if it may change unseen."""
    if not isinstance(function, FunctionType):
        return None
    found = [*captured_by(function), *(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
    if not all(_settled(value) for value in found):
        return None
    return found


def _settled(value: object) -> bool:
    """Return whether a value can't change as long as it is the same object."""
    # A list, a dict or an object of the user's may change inside, and to find that out costs as much as computing it.
    # A function or a class that a cell defines again is a new object.
    from .context import Context  # Only here: context imports this module.

    fixed = (*JSON_SCALARS, FunctionType, BuiltinFunctionType, ModuleType, type, Component, Context, Signal, Computed)
    return isinstance(value, fixed)


def _equal(ones: list[object], others: list[object]) -> bool:
    return len(ones) == len(others) and all(map(_same, ones, others))


def _same(one: object, other: object) -> bool:
    if one is other:
        return True
    # The same type: 1 == True == 1.0, and a function may tell them apart.
    return type(one) is type(other) and isinstance(one, (*JSON_SCALARS, Signal)) and one == other
