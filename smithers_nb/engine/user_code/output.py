"""Output of user code: shown where it is printed, and kept for the stepper with frame, phase and place.

While a phase or a task runs, ``sys.stdout`` and ``sys.stderr`` are replaced by a tee. It passes everything on, and
keeps the output of a component, a handler, an effect or a task, in its worker thread, too. Output of other code is
passed on and not kept. A thread that user code starts itself has no scope: its output is not kept.
"""

from __future__ import annotations

import json
import sys
from collections import deque
from contextvars import ContextVar
from dataclasses import dataclass
from threading import Lock
from typing import Any, Literal

from ...errors import clean
from ...records import Event
from ...threads import after_fork
from ..draft import Draft
from .context import Context
from .host import Host
from .scope import node_of, scope_of, words

OUTPUT = "output"
"""Kind of the events that hold output."""
PIECE_CHARS = 100_000
"""Length at which a piece is cut, in characters."""
PIECES = 500
"""Number of pieces of one frame that are kept; further output is shown only."""
TEES = 8
"""Number of tees that are kept, each for its stream."""

Stream = Literal["stdout", "stderr"]

# A context variable, and not a stack of listeners: tasks print at the same time, each in a context of its own, and
# copy_context hands the variable on to the thread of a sync function.
_hearing: ContextVar[_Hearing | None] = ContextVar("smithers_output", default=None)
_installing = Lock()
_listeners = 0
# CPython's print holds no reference to the object that it found as sys.stdout. A tee that is removed while a thread
# prints into it must stay alive, or the process crashes.
_tees: deque[OutputTee] = deque(maxlen=TEES)


@dataclass(frozen=True, slots=True)
class _Hearing:
    printed: Printed
    draft: Draft | None
    where: str


class OutputTee:
    """Stands before a stream: passes everything on."""

    def __init__(self, stream: Any, name: Stream) -> None:  # Any: whatever the kernel or a test has put there
        self._stream = stream
        self._name = name

    def stands_before(self, stream: object, name: Stream) -> bool:
        """Return whether it is the tee of this stream."""
        return self._stream is stream and self._name == name

    def write(self, text: str) -> Any:
        """Pass it on, and keep it if user code of an execution wrote it."""
        if (hearing := _hearing.get()) is not None and text:
            hearing.printed.take(self._name, text, hearing)
        return self._stream.write(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class heard:  # reads as a statement: with heard(printed): …
    """Keep the output of this context until the block ends; ``where`` names code that has no scope of its own."""

    def __init__(self, printed: Printed, draft: Draft | None = None, where: str = "") -> None:
        self._hearing = _Hearing(printed, draft, where)

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


class Printed:
    """The output of one execution that is not in the file yet."""

    def __init__(self, ctx: Context, host: Host) -> None:
        self.ctx = ctx
        self._host = host
        self._lock = Lock()
        self._pieces: list[_Piece] = []
        self.heard = 0
        """Number of characters until now."""
        self._count = (0, 0)
        """A frame, and the number of its pieces."""

    def take(self, stream: Stream, text: str, hearing: _Hearing) -> None:
        """Keep a piece, if code with a scope printed it; from any thread."""
        draft = hearing.draft
        node_id, where = self._scope_words()
        if not where and not (where := hearing.where):
            return
        frame: int
        phase: str | None
        if draft is not None:
            frame, phase = draft.number, draft.phase_under_way
        else:
            frame, phase = self._host.frame, None
        with self._lock:
            self.heard += len(text)
            piece = _Piece((stream, frame, phase, node_id, where))
            # print() writes its text and the end of the line apart: one event for each would be two for every line.
            if self._pieces and (last := self._pieces[-1]).place == piece.place and last.chars < PIECE_CHARS:
                last.add(text)
                return
            known, count = self._count
            if known != frame:
                count = 0
            count += 1
            self._count = (frame, count)
            if count == PIECES:
                text = "… more was printed in this frame; it was shown, and is not kept.\n"
            if count <= PIECES:
                piece.add(text)
                self._pieces.append(piece)
        # In a phase the end of the phase notifies; outside of one nothing else would.
        if draft is None:
            self._host.notify_soon()

    def _scope_words(self) -> tuple[str | None, str]:
        scope = scope_of(self.ctx)
        if scope is None:
            return None, ""
        return node_of(scope), words(scope)

    def take_events(self) -> list[Event]:
        """Return the output since the last call, to be recorded."""
        with self._lock:
            pieces, self._pieces = self._pieces, []
        return [piece.event() for piece in pieces]

    @property
    def waiting(self) -> list[Event]:
        """The output that is not in the file yet."""
        with self._lock:
            return [piece.event() for piece in self._pieces]


class _Piece:
    def __init__(self, place: tuple[str, int, str | None, str | None, str]) -> None:
        self.place = place
        """Stream, frame, phase, node id, and the code that printed it in words."""
        self.texts: list[str] = []
        self.chars = 0

    def add(self, text: str) -> None:
        text = text[: PIECE_CHARS - self.chars]
        self.texts.append(text)
        self.chars += len(text)

    def event(self) -> Event:
        stream, frame, phase, node_id, where = self.place
        payload = {"stream": stream, "phase": phase, "where": where, "text": clean("".join(self.texts))}
        return Event(frame, OUTPUT, node_id, json.dumps(payload, ensure_ascii=False))
