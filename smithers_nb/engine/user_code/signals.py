"""``ctx.signal`` and ``ctx.computed``: state keys, and what is computed from them, as objects."""

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
"""How many values computed while rendering are kept; the oldest go first."""


@dataclass(frozen=True)
class Signal:
    """One key of the state. ``get()`` is ``ctx.state.get``, ``set()`` is ``ctx.state.set``, with the same rules."""

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
    """A value that was computed, and what it depends on."""

    value: T
    reads: dict[str, Stored | None]
    captured: list[object]


class Computed(Generic[T]):
    """A value computed from state. While rendering it is kept until a key that it read changes.

    It is computed again, too, when a variable or global that the function names has another value. A function that
    reads what is not tracked (files, the database, the clock, a list that it closes over) is called each time; so is
    every one outside of rendering.
    """

    def __init__(self, ctx: Context, function: Callable[[], T]) -> None:
        self._ctx = ctx
        self._function = function
        self._known: _Known[T] | None = None

    def get(self) -> T:
        """Return the value; the keys that it depends on are read by the component that asks."""
        scope = scope_of(self._ctx)
        if not isinstance(scope, RenderScope):
            return self._called()
        known = self._known
        if known is None or not self._holds(known, scope):
            known = self._computed(scope)
        scope.reads.update(known.reads)
        scope.hand_out("a ctx.computed value", known.value)
        return known.value

    @property
    def value(self) -> T:
        """The same as ``get()``."""
        return self.get()

    def same_as(self, function: Callable[[], Any]) -> bool:
        """Whether this is the same function over the same variables, and so may stand for it."""
        if self._known is None or getattr(function, "__code__", None) is not getattr(self._function, "__code__", 0):
            return False
        captured = _captured(function)
        return captured is not None and _equal(captured, self._known.captured)

    def _computed(self, scope: RenderScope) -> _Known[T]:
        """Call the function, and keep what it returns if all that it read is known."""
        inner = scope.inside()
        with entered(self._ctx, inner):
            value = self._called()
        if inner.effects:
            raise PurityError("use_effect was called in a ctx.computed function, which is not called in each frame.")
        scope.include(inner)
        captured = _captured(self._function)
        known = _Known(value, inner.reads, captured or [])
        kept = captured is not None and not inner.untracked and KEYS not in inner.reads
        self._known = known if kept else None
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
    """Those made while rendering, by component path and order of the calls."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, int], Computed[Any]] = {}

    def of(self, ctx: Context, scope: RenderScope, function: Callable[[], T]) -> Computed[T]:
        """Return the one that stands here, or a new one if it is another function by now."""
        at = (scope.path, scope.next_computed())
        kept = self._kept.pop(at, None)
        if kept is None or not kept.same_as(function):
            kept = Computed(ctx, function)
        self._kept[at] = kept
        if len(self._kept) > MOST_KEPT:
            del self._kept[next(iter(self._kept))]
        return kept


def _captured(function: object) -> list[object] | None:
    """Return what a function sees besides its arguments; None if that may change unseen."""
    if not isinstance(function, FunctionType):
        return None
    found = [*captured_by(function), *(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
    return found if all(_settled(value) for value in found) else None


def _settled(value: object) -> bool:
    """Whether a value is the same as long as it is the same object."""
    from .context import Context

    fixed = (*JSON_SCALARS, FunctionType, BuiltinFunctionType, ModuleType, type, Component, Context, Signal, Computed)
    return isinstance(value, fixed)


def _equal(ones: list[object], others: list[object]) -> bool:
    return len(ones) == len(others) and all(
        one is other or (type(one) is type(other) and isinstance(one, (*JSON_SCALARS, Signal)) and one == other)
        for one, other in zip(ones, others, strict=True)
    )
