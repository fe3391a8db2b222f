"""Output of user code: shown where it is printed, and kept for the stepper with frame, phase and place.

While a phase or a task runs, ``sys.stdout`` and ``sys.stderr`` are replaced by a tee. It passes everything on, and
keeps the output of a component, a handler, an effect or a task, in its worker thread, too. Output of other code is
passed on and not kept. A thread that user code starts itself has no scope: its output is not kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from threading import Lock

from ...errors import clean
from ...printing import Stream, heard
from ...records import Event
from ..draft import Draft
from .context import Context
from .host import Host
from .scope import TaskScope, node_of, scope_of, words

OUTPUT = "output"
"""Kind of the events that hold output."""
PIECE_CHARS = 100_000
"""Length at which a piece is cut, in characters."""
PIECES = 500
"""Number of pieces of one frame that are kept; further output is shown only."""


def keeping(printed: Printed, draft: Draft | None = None, where: str = "") -> heard:
    """Keep the output of this context until the block ends; ``where`` names code that has no scope of its own."""
    return heard(lambda stream, text: printed.take(stream, text, draft, where))


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

    def take(self, stream: Stream, text: str, draft: Draft | None, unscoped: str) -> None:
        """Keep a piece, if code with a scope printed it, or code that is named; from any thread."""
        node_id, where = self._scope_words()
        if not where and not (where := unscoped):
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

    def from_worker(self, pieces: Iterable[tuple[Stream, str]], scope: TaskScope) -> list[Event]:
        """Return what a task printed on a worker, to be recorded."""
        found = []
        for stream, text in pieces:
            piece = _Piece((stream, self._host.frame, None, scope.node_id, words(scope)))
            piece.add(text)
            self.heard += len(text)
            found.append(piece.event())
        return found

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
