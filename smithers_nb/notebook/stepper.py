"""The stepper's Python side: takes the browser's messages in, and keeps one small summary up to date."""

from __future__ import annotations

import logging
import threading
import traceback
from collections.abc import Callable, Coroutine
from importlib.resources import files
from typing import Any

import anywidget
import traitlets
from pydantic import ValidationError

from ..bridge import engine
from ..errors import SmithersError
from ..execution import Execution
from ..nodes.tree import EMPTY
from . import protocol as p
from .panes import View
from .static_view import as_html, as_text

logger = logging.getLogger(__name__)

PUSH_S = 0.1
"""At most one summary in this time: jupyter_server drops messages when it is flooded."""

_static = files("smithers_nb.notebook") / "static"


class Stepper(anywidget.AnyWidget):
    """The widget that steps an execution and shows it: ``Stepper(ex)``. Several of one execution agree.

    Parameters
    ----------
    execution : Execution
        What it steps.
    """

    _esm = (_static / "stepper.js").read_text(encoding="utf-8")
    _css = (_static / "stepper.css").read_text(encoding="utf-8")
    summary = traitlets.Dict().tag(sync=True)

    def __init__(self, execution: Execution) -> None:
        self._ex = execution
        self._seq = 0
        self._busy: str | None = None
        self._error: str | None = None
        self._lock = threading.RLock()
        self._due = False
        self._view = View(execution, execution.preview() if execution.frame is None else EMPTY)
        super().__init__(summary=self._summary())
        self.on_msg(self._received)
        execution.observe(self._changed)

    # ---- kernel to browser -------------------------------------------------------------------------------------

    def _summary(self) -> p.Summary:
        self._seq += 1
        return self._view.summary(self._seq, self._busy, self._error)

    def _changed(self) -> None:
        """Something happened: push soon, but not more often than ``PUSH_S``. On the engine's thread."""
        if not self._due:
            self._due = True
            engine.loop.call_later(PUSH_S, self._push)

    def _push(self) -> None:
        """Send a fresh summary now; from any thread."""
        with self._lock:
            self._due = False
            try:
                self.summary = dict(self._summary())
            except Exception:
                logger.exception("the stepper of %s could not be updated", self._ex.name)

    def _send(self, msg: Any, buffers: Any = None) -> None:
        super()._send(msg, buffers)
        # ipykernel 7 sends what comes next on this comm to the shell that last replied on it. After a blocking cell
        # updated the widget that is the main one, and a click on Pause would wait for the cell to end.
        if self.comm is not None:
            self.comm.__dict__.pop("_reply_subshell_id", None)

    # ---- browser to kernel -------------------------------------------------------------------------------------

    def _received(self, _widget: object, content: object, _buffers: object) -> None:
        """Take a message. An exception here would be seen nowhere, so it is shown in the widget."""
        try:
            self._handle(p.incoming.validate_python(content))
        except ValidationError as error:
            self._show(f"the browser sent a message that this kernel does not know: {error.errors()[0]['msg']}")
        except Exception as error:  # noqa: BLE001  # the widget is the only place where it can be seen
            self._show("".join(traceback.format_exception(error)))

    def _handle(self, message: p.Hello | p.Command | p.Get) -> None:
        match message:
            case p.Hello():
                self._push()
            case p.Get():
                self.send(self._reply(message))
            case p.Command(name="pause"):
                self._ex.pause()
                self._acknowledge(message)
                self._done(message, None)
            case p.Command(name="stop"):
                self._acknowledge(message)
                self._run(message, self._ex.stop_soon())
            case p.Command():
                self._command(message)

    def _command(self, message: p.Command) -> None:
        with self._lock:
            if self._busy is not None:
                why = f"{self._busy.replace('_', ' ')} is still under way"
                self.send({"type": "ack", "id": message.id, "name": message.name, "accepted": False, "why": why})
                return
            self._busy = message.name
            self._error = None
        self._acknowledge(message)
        self._push()
        moves: dict[str, Callable[[], Coroutine[Any, Any, object]]] = {
            "step_phase": self._ex.step_phase,
            "step_frame": self._ex.step,
            "until_idle": self._ex.run,
        }
        self._run(message, moves[message.name]())

    def _run(self, message: p.Command, work: Coroutine[Any, Any, object]) -> None:
        def done(_result: object, error: BaseException | None) -> None:
            if message.name != "stop":
                self._busy = None
            self._error = None if error is None else _words(error)
            self._done(message, self._error)

        engine.soon(work, done)

    def _acknowledge(self, message: p.Command) -> None:
        self.send({"type": "ack", "id": message.id, "name": message.name, "accepted": True, "why": ""})

    def _done(self, message: p.Command, error: str | None) -> None:
        self._push()
        self.send({"type": "done", "id": message.id, "name": message.name, "ok": error is None, "error": error})

    def _reply(self, get: p.Get) -> p.Reply:
        view = self._view
        panes: dict[str, Callable[[], Any]] = {
            "plan": lambda: view.plan(get.full),
            "xml": lambda: view.xml(get.full),
            "pending": lambda: view.pending(get.full),
            "handlers": view.handlers,
            "state": lambda: view.state(get.full),
        }
        data, error = None, None
        try:
            data = panes[get.pane]()
        except Exception as failure:
            logger.exception("the %s pane of %s could not be read", get.pane, self._ex.name)
            error = _words(failure)
        return {"type": "reply", "id": get.id, "pane": get.pane, "seq": self._seq, "data": data, "error": error}

    def _show(self, error: str) -> None:
        self._error = error
        self._push()

    # ---- without a browser -------------------------------------------------------------------------------------

    def _repr_mimebundle_(self, **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        bundle = super()._repr_mimebundle_(**options)
        data, metadata = bundle if bundle is not None else ({}, {})
        return {**data, "text/plain": as_text(self._view), "text/html": as_html(self._view)}, metadata


def _words(error: BaseException) -> str:
    """Return an error as the widget shows it: ours in its own words, another with its traceback."""
    if isinstance(error, SmithersError):
        return f"{type(error).__name__}: {error}"
    return "".join(traceback.format_exception(error)) or type(error).__name__
