"""What user code prints: shown where it is printed, and kept for the stepper with frame, phase and place.

While a phase or a task runs, ``sys.stdout`` and ``sys.stderr`` stand behind a tee that passes everything on and
listens to what is printed in a component, a handler, an effect or a task, in its worker thread, too. What other code
prints meanwhile is passed on and not kept. A thread that user code starts itself has no scope: its output is not kept.
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
from .purity import RenderScope
from .scope import scope_of, words

OUTPUT = "output"
"""Kind of the events that hold what was printed."""
PIECE_CHARS = 100_000
"""One piece is cut after so many characters."""
PIECES = 500
"""Of one frame; what is printed beyond is shown and not kept."""
TEES = 8
"""So many are kept, each for its stream. CPython's ``print`` does not hold what it found as ``sys.stdout``: a tee that
is taken away while another thread prints into it must live on, or the process crashes.
"""

Stream = Literal["stdout", "stderr"]

_hearing: ContextVar[_Hearing | None] = ContextVar("smithers_output", default=None)
_installing = Lock()
_listeners = 0
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
        """Whether it is the tee of this stream."""
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
    """Keep what is printed in this context until the block ends; ``where`` names code that has no scope of its own."""

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
        with _installing:
            _listeners -= 1
            if not _listeners:
                _remove()


def _begin_again() -> None:
    """Have a lock that no thread holds in the child of a fork."""
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
    """What was printed in one execution and is not in the file yet."""

    def __init__(self, ctx: Context, host: Host) -> None:
        self.ctx = ctx
        self._host = host
        self._lock = Lock()
        self._pieces: list[_Piece] = []
        self.heard = 0
        """How many characters so far."""
        self._count = (0, 0)
        """Frame, and how many pieces of it there were."""

    def take(self, stream: Stream, text: str, hearing: _Hearing) -> None:
        """Keep a piece, if code with a scope printed it; from any thread."""
        draft = hearing.draft
        node_id, where = self._scope_words()
        if not where and not (where := hearing.where):
            return
        frame, phase = (draft.number, draft.phase_under_way) if draft is not None else (self._host.frame, None)
        with self._lock:
            self.heard += len(text)
            last = self._pieces[-1] if self._pieces else None
            piece = _Piece(stream, frame, phase, node_id, where)
            if last is not None and last.same_place(piece) and last.chars < PIECE_CHARS:
                last.add(text)
                return
            known, count = self._count
            self._count = (frame, count + 1 if known == frame else 1)
            if self._count[1] == PIECES:
                text = "… more was printed in this frame; it was shown, and is not kept.\n"
            if self._count[1] <= PIECES:
                piece.add(text)
                self._pieces.append(piece)
        # Outside of a phase nobody else would tell the stepper.
        if draft is None:
            self._host.notify_soon()

    def _scope_words(self) -> tuple[str | None, str]:
        scope = scope_of(self.ctx)
        if scope is None:
            return None, ""
        return (None if isinstance(scope, RenderScope) else scope.node_id), words(scope)

    def take_events(self) -> list[Event]:
        """Return what is to be recorded, and forget it."""
        with self._lock:
            pieces, self._pieces = self._pieces, []
        return [piece.event() for piece in pieces]

    @property
    def waiting(self) -> list[Event]:
        """What is not in the file yet."""
        with self._lock:
            return [piece.event() for piece in self._pieces]


class _Piece:
    def __init__(self, stream: str, frame: int, phase: str | None, node_id: str | None, where: str) -> None:
        self.place = (stream, frame, phase, node_id, where)
        self.texts: list[str] = []
        self.chars = 0

    def same_place(self, other: _Piece) -> bool:
        return self.place == other.place

    def add(self, text: str) -> None:
        text = text[: PIECE_CHARS - self.chars]
        self.texts.append(text)
        self.chars += len(text)

    def event(self) -> Event:
        stream, frame, phase, node_id, where = self.place
        payload = {"stream": stream, "phase": phase, "where": where, "text": clean("".join(self.texts))}
        return Event(frame, OUTPUT, node_id, json.dumps(payload, ensure_ascii=False))
