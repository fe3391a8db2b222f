"""Breakpoints, and their hits."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

from .frame import Event

BreakpointKind = Literal["node", "key", "handler", "phase", "error", "expression"]

HIT = "breakpoint"
"""Kind of the events that are hits."""


@dataclass(frozen=True, slots=True)
class Breakpoint:
    """A place at which a run stops, with its condition."""

    id: str
    kind: BreakpointKind
    target: str | None = None
    """A node's id, a key, a phase; None for an error or an expression."""
    event: str | None = None
    """mount, finished, error or unmount of a node; written, changed or equals of a key; the name of a handler, or
    None for any."""
    value: str | None = None
    """The value for ``equals``, as JSON."""
    when: str | None = None
    """An expression that must be true as well."""
    once: bool = False
    enabled: bool = True
    log_only: bool = False
    """A hit is recorded, and nothing stops."""
    # Counted in the record, not in the engine: a resumed execution continues to count.
    after: int = 1
    """The first hit that stops the run."""
    hits: int = 0

    @property
    def text(self) -> str:
        """The event that it waits for, in words: ``key n is changed, when state.n > 3``."""
        # Of an expression the condition is the event itself.
        if not self.when or self.kind == "expression":
            return self._what
        return f"{self._what}, when {self.when}"

    @property
    def _what(self) -> str:
        match self.kind:
            case "node":
                return f"node {self.target}: {self.event}"
            case "key" if self.event == "equals":
                return f"key {self.target} equals {self.value}"
            case "key":
                return f"key {self.target} is {self.event}"
            case "handler":
                return f"{self.event or 'any handler'} of {self.target or 'any node'} was called"
            case "phase":
                return f"phase {self.target} is done"
            case "error":
                return "any error"
            case _:
                return f"when {self.when}"

    def __repr__(self) -> str:
        known = {
            "off": not self.enabled,
            "once": self.once,
            "log only": self.log_only,
            f"from hit {self.after} on": self.after > 1,
        }
        said = ", ".join([self.text, *(mark for mark, applies in known.items() if applies)])
        return f"<Breakpoint {self.id}: {said}; {self.hits} hits>"


@dataclass(frozen=True, slots=True)
class Hit:
    """An event that a breakpoint waited for."""

    breakpoint_id: str
    frame: int
    phase: str
    text: str
    """The event, in words: ``n changed 1 → 2``."""
    node_id: str | None = None
    log_only: bool = False
    stops: bool = True

    def event(self) -> Event:
        """Return it as it is recorded."""
        # The text is kept, not made again from the breakpoint: that may be changed or removed by the time it is read.
        payload = {
            "breakpoint": self.breakpoint_id,
            "phase": self.phase,
            "text": self.text,
            "log_only": self.log_only,
            "stops": self.stops,
        }
        return Event(self.frame, HIT, self.node_id, json.dumps(payload, ensure_ascii=False))
