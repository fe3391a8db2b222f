"""Output of user code, heard where it is printed: ``sys.stdout`` and ``sys.stderr`` are replaced by a tee meanwhile."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable
from contextvars import ContextVar
from threading import Lock
from typing import Any, Literal

from .threads import after_fork

TEES = 8
"""Number of tees that are kept, each for its stream."""

Stream = Literal["stdout", "stderr"]
Hearing = Callable[[Stream, str], None]
"""Takes printed text; called from any thread."""

# A context variable, and not a stack of listeners: tasks print at the same time, each in a context of its own, and
# copy_context hands the variable on to the thread of a sync function.
_hearing: ContextVar[Hearing | None] = ContextVar("smithers_output", default=None)
_installing = Lock()
_listeners = 0
# CPython's print holds no reference to the object that it found as sys.stdout. A tee that is removed while a thread
# prints into it must stay alive, or the process crashes.
_tees: deque[OutputTee] = deque(maxlen=TEES)


class OutputTee:
    """Stands before a stream: passes everything on."""

    def __init__(self, stream: Any, name: Stream) -> None:  # Any: whatever the kernel or a test has put there
        self._stream = stream
        self._name = name

    def stands_before(self, stream: object, name: Stream) -> bool:
        """Return whether it is the tee of this stream."""
        return self._stream is stream and self._name == name

    def write(self, text: str) -> Any:
        """Pass it on, and tell it to who hears this context."""
        if (hearing := _hearing.get()) is not None and text:
            hearing(self._name, text)
        return self._stream.write(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class heard:  # reads as a statement: with heard(hearing): …
    """Let ``hearing`` have the output of this context until the block ends."""

    def __init__(self, hearing: Hearing) -> None:
        self._hearing = hearing

    def __enter__(self) -> None:
        global _listeners
        with _installing:
            _listeners += 1
            _install()
        self._token = _hearing.set(self._hearing)

    def __exit__(self, *_: object) -> None:
        global _listeners
        _hearing.reset(self._token)
        # The last listener removes the tees: other code then prints without a detour.
        with _installing:
            _listeners -= 1
            if not _listeners:
                _remove()


def _begin_again() -> None:
    """Make a new lock in the child of a fork: the old one may be held by a thread that is not there."""
    global _installing
    _installing = Lock()


after_fork(_begin_again)


def _install() -> None:
    # Every time: someone may have put another stream there meanwhile.
    if not isinstance(sys.stdout, OutputTee | None):
        sys.stdout = _tee(sys.stdout, "stdout")
    if not isinstance(sys.stderr, OutputTee | None):
        sys.stderr = _tee(sys.stderr, "stderr")


def _tee(stream: Any, name: Stream) -> OutputTee:
    for tee in _tees:
        if tee.stands_before(stream, name):
            return tee
    _tees.append(OutputTee(stream, name))
    return _tees[-1]


def _remove() -> None:
    if isinstance(sys.stdout, OutputTee):
        sys.stdout = sys.stdout._stream
    if isinstance(sys.stderr, OutputTee):
        sys.stderr = sys.stderr._stream
