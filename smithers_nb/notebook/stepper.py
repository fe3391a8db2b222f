"""The stepper's Python side: takes the browser's messages in, and keeps one small summary up to date."""

from __future__ import annotations

import logging
import os
import threading
import traceback
from asyncio import TimerHandle
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from importlib.resources import files
from time import monotonic
from typing import Any

import anywidget
import traitlets
from pydantic import ValidationError

from ..bridge import engine
from ..errors import SmithersError, StoreError, kind_of
from ..execution import Execution, execution_of
from ..history.panes import protocol as p
from ..history.panes.predict import predicting, refused
from ..history.panes.view import RECORDED, View
from ..predicting import LEARNER
from ..recording import History
from ..records import Breakpoint
from ..run import Run, run_of
from ..syntax.expression import ExpressionError
from ..threads import Threads
from . import messages as m
from .shown import Shown, shown_of
from .static_view import as_html, as_page, as_text
from .variables import Variables
from .view_of import notebook_names

logger = logging.getLogger(__name__)

PUSH_S = 0.1
"""The time whose events make one summary."""

MOVE_S = 0.2
"""The time for which the message of a move is handled; a move that ends in it is acknowledged by its end alone."""
# The kernel is busy while a message is handled. Once it is idle, Lab draws the page, in the time that the frame needs.

PUSHES = 10
"""The most summaries a second."""
# jupyter_server drops messages of a comm, without a word, when it is flooded: 1,000 a second, or 1 MB.

PAGE_S = 1.0
"""The time without events after which the static page is written again."""

REMEMBERED = 256
"""Commands whose id is remembered: one that comes twice is done once."""

_answers = Threads("smithers answers", most=2)
"""The threads for requests that may take long."""

_static = files("smithers_nb.notebook") / "static"


class Stepper(anywidget.AnyWidget):
    """The widget that steps an execution and shows it: ``Stepper(ex)``. Several of one execution agree.

    Parameters
    ----------
    execution : Execution or History
        The running execution to step, or a recorded one to look through: ``Stepper(store.open(ID))``. Nothing
        executes there.
    predict : bool
        True to ask what the next frame will do before each step.
    learner : str, optional
        The name of the one who predicts; by default $JUPYTERHUB_USER, or "learner".

    Raises
    ------
    TypeError
        If it is neither.
    """

    _esm = (_static / "stepper.js").read_text(encoding="utf-8")
    _css = (_static / "stepper.css").read_text(encoding="utf-8")
    summary = traitlets.Dict().tag(sync=True)

    def __init__(self, execution: Execution | History, *, predict: bool = False, learner: str | None = None) -> None:
        if not isinstance(execution, Execution | History):
            raise TypeError(
                f"Stepper() shows an Execution, or a recorded one from Store.open(id); this is {kind_of(execution)}."
            )
        self.execution = execution
        """The execution that it was made for; the page may show a branch of it by now."""
        self._shown = Shown(execution)
        self._learner = None
        if predict:
            self._learner = learner or os.environ.get("JUPYTERHUB_USER") or LEARNER
        # An error or a running move of an execution is there again when its branch was looked at meanwhile.
        self._known = {execution.execution_id: self._shown}
        self._seq = 0
        # With ipykernel 7 messages arrive on a subshell's thread, the first of them on the main one; pushes come from
        # the engine's. Setting the trait calls its observers under the lock, which may push in turn.
        self._lock = threading.RLock()
        self._due = False
        self._owed: p.Summary | None = None
        """A summary that the page has, and the trait has not yet."""
        self._pushed: deque[float] = deque(maxlen=PUSHES)
        # After a lost connection the page sends again what was not acknowledged: a step must not be taken twice.
        self._taken: deque[str] = deque(maxlen=REMEMBERED)
        self._show_page: Callable[[str], None] | None = None
        self._page = ""
        self._page_due: TimerHandle | None = None
        super().__init__(summary=self._summary())
        self.on_msg(self._received)
        self._follow(self._shown.run)

    def _follow(self, run: Run | None) -> None:
        """Hear of the changes of a run."""
        if run is not None:
            if self._learner is not None:
                run.predictions.watch()
            run.prepare(self._view.source().cursor().tree)
            run.observe(self._changed)

    @property
    def _view(self) -> View:
        return self._shown.view

    # ---- kernel to browser -------------------------------------------------------------------------------------

    def _summary(self) -> p.Summary:
        self._seq += 1
        shown = self._shown
        error = shown.error_now()
        if error is None and shown.lost is not None:
            error = _words(shown.lost)
        self._last = shown.view.summary(self._seq, shown.moves, error, self._learner)
        return self._last

    def _changed(self, wait: float = PUSH_S) -> None:
        """Push soon, but not more often than ``PUSH_S``; on the engine's thread, after each phase and task."""
        if not self._due:
            self._due = True
            engine.loop.call_later(wait, self._push_what_is_due)
            self._page_soon()

    def _push_what_is_due(self) -> None:
        if self._due:
            self._push()

    def _push(self) -> None:
        """Send a fresh summary now, or as soon as there may be another; from any thread."""
        with self._lock:
            summary = self._fresh()
            if summary is not None:
                self._keep(summary)
                self._pushed.append(monotonic())  # Once it is sent: ten before it count from their own sending.

    def _keep(self, summary: p.Summary) -> None:
        self._owed = None
        self.summary = dict(summary)

    def _keep_what_is_owed(self) -> None:
        with self._lock:
            if self._owed is not None:
                self._keep(self._owed)

    def _fresh(self) -> p.Summary | None:
        """Return a new summary; None where there may be none now: it is pushed as soon as there may."""
        wait = 0.0
        if len(self._pushed) == PUSHES:
            wait = 1.0 - (monotonic() - self._pushed[0])
        if wait > 0:
            self._due = True
            engine.do(lambda: engine.loop.call_later(wait, self._push_what_is_due))
            return None
        self._due = False
        try:
            return self._summary()
        except StoreError as error:  # The file is gone, or busy: the page keeps what it has, and is told.
            words = _words(self._shown.lost or error)
            self._last = {**self._last, "seq": self._seq, "busy": self._shown.moves, "error": words}
            return self._last
        except Exception:
            logger.exception("the stepper of %s could not be updated", self._view.name)
            return None

    def open(self) -> None:
        super().open()
        # ipykernel 7.4 sends what comes in on a comm to the shell that sent on it last. That is the main one here, and
        # a click on Pause would wait for the cell that is running. The click has its subshell: it shall go there.
        if self.comm is not None and hasattr(self.comm, "_reply_subshell_for"):
            self.comm._reply_subshell_for = lambda _data, subshell: subshell

    # ---- browser to kernel -------------------------------------------------------------------------------------

    def _received(self, _widget: object, content: object, _buffers: object) -> None:
        """Take a message. An exception here would be seen nowhere, so it is shown in the widget."""
        try:
            self._handle(m.incoming.validate_python(content))
        except ValidationError as error:
            self._show(f"the browser sent a message that this kernel does not know: {error.errors()[0]['msg']}")
        except Exception as error:  # noqa: BLE001  # the widget is the only place where it can be seen
            self._show(_words(error))

    def _handle(self, message: m.Hello | m.Ping | m.Show | m.CommandMessage | p.Get | m.LookMessage) -> None:
        match message:
            case m.Hello():
                self._push()
            case m.Ping():
                self.send({"type": "pong", "id": message.id})
                # At rest nothing else looks at the file.
                if self._last["error"] is None and (self._shown.lost is not None or self._view.has_grown()):
                    self._push()
            case m.Show():
                self._turn_to(message.execution_id)
            case p.Get() if message.pane in p.APART:
                self._answer_apart(message)
            case p.Get():
                self.send(self._reply(message))
            case m.LookMessage():
                self._look(message.gets)
            case _ if message.id in self._taken:
                self._acknowledge(message, p.TAKEN)
            case _ if message.execution_id not in (None, self._shown.execution_id):
                self._acknowledge(message, f"this stepper shows {self._view.name} by now")
            case _ if self._shown.run is None:
                self._acknowledge(message, RECORDED)
            case _ if why := self._locked(message):
                self._acknowledge(message, why)
            case _:
                self._command(self._shown.run, message)

    def _locked(self, message: m.CommandMessage) -> str:
        """Return why a move has to wait for a prediction; "" where it has not."""
        if self._learner is None or message.command.effect != "moves":
            return ""
        return refused(predicting(self._view.source(), self._learner), message.name)

    def _look(self, gets: Sequence[p.Get]) -> None:
        """Answer requests together, but for those that may take long."""
        at_once = [get for get in gets if get.pane not in p.APART]
        for get in gets:
            if get.pane in p.APART:
                self._answer_apart(get)
        if at_once:
            with self._view.together():
                replies = [self._reply(get) for get in at_once]
            self.send({"type": "replies", "replies": replies})

    def _answer_apart(self, get: p.Get) -> None:
        """Answer a request on a thread of its own: commands come in on this one, and a Pause must not wait."""
        shown = self._shown
        _answers.submit(lambda: self.send(self._reply(get, shown))).add_done_callback(_log_failure)

    def _turn_to(self, execution_id: str) -> None:
        """Show another execution of the file: on all pages of this stepper."""
        run = run_of(self._shown.reader.path, execution_id)
        shown = self._known.get(execution_id)
        if shown is None or shown.run is not run:
            shown = shown_of(self._shown.reader, execution_id)
        with self._lock:
            before = self._shown.run
            self._shown = self._known[execution_id] = shown
        if before is not None:
            before.unobserve(self._changed)
        self._follow(shown.run)
        engine.do(self._page_soon)
        self._push()

    def _command(self, run: Run, message: m.CommandMessage) -> None:
        if message.command.effect == "moves":
            self._move(run, message)
        else:
            self._take(message)
            self._begin(message, message.command.run(run, message))

    def _move(self, run: Run, message: m.CommandMessage) -> None:
        with self._lock:
            if (busy := self._shown.moves) is not None:
                self._acknowledge(message, f"{busy.replace('_', ' ')} is still running")
                return
            self._shown.busy = message.name
            self._shown.error = None
        self._taken.append(message.id)
        engine.do(lambda: self._changed(MOVE_S))
        if not self._begin(message, message.command.run(run, message)).wait(MOVE_S):
            self._acknowledge(message)

    def _begin(self, message: m.CommandMessage, work: Coroutine[Any, Any, object]) -> threading.Event:
        """Begin it on the engine's thread; the event that is returned is set once the page knows the end."""
        ended = threading.Event()
        about = self._shown

        def done(result: object, error: BaseException | None) -> None:
            if message.command.effect == "moves":
                about.busy = None
            words = _words(error) if error is not None else None
            if words is None or isinstance(message, m.Move):
                about.fail(words)
            if words is not None and about is not self._shown:
                words = f"{about.view.name}: {words}"
            self._done(message, words, _told(result))
            ended.set()

        # Never a task of the loop that runs here: a subshell has another one than the engine and its clients.
        engine.soon(work, done)
        return ended

    def _take(self, message: m.CommandMessage) -> None:
        self._taken.append(message.id)
        self._acknowledge(message)

    def _acknowledge(self, message: m.CommandMessage, why: str = "") -> None:
        self.send({"type": "ack", "id": message.id, "name": message.name, "accepted": not why, "why": why})

    def _done(self, message: m.CommandMessage, error: str | None, result: str | None = None) -> None:
        """Say how a command ended. One message has all that the page shows then: it draws the new frame at once."""
        with self._lock:
            with self._view.together():
                summary = self._fresh()
                replies = self._replies(message, summary)
            self.send(
                {
                    "type": "done",
                    "id": message.id,
                    "name": message.name,
                    "ok": error is None,
                    "error": error,
                    "result": result,
                    "summary": summary,
                    "replies": replies,
                }
            )
            if summary is not None:
                # The page has it. Who looks later gets it from the trait, which can wait until the frame is drawn.
                self._pushed.append(monotonic())
                self._owed = summary
                engine.do(lambda: engine.loop.call_later(PUSH_S, self._keep_what_is_owed))

    def _replies(self, message: m.CommandMessage, summary: p.Summary | None) -> list[p.Reply]:
        """Answer the requests that came with a move, but for those whose answers the page has."""
        if summary is None or not isinstance(message, m.Move):
            return []
        versions = summary["versions"]
        asked = [get for get in message.ask if get.pane not in p.APART]
        return [self._reply(get) for get in asked if get.seen is None or get.seen != versions.get(get.pane)]

    def _reply(self, get: p.Get, shown: Shown | None = None) -> p.Reply:
        data, error = None, None
        shown = shown or self._shown
        try:
            data = shown.view.pane(get)
        except SmithersError as failure:
            error = _words(shown.lost or failure)  # What a reader says of another file is beside the point.
        except Exception as failure:
            logger.exception("the %s pane of %s could not be read", get.pane, shown.view.name)
            error = _words(failure)
        return {
            "type": "reply",
            "id": get.id,
            "pane": get.pane,
            "at": get.at,
            "phase": get.phase,
            "data": data,
            "error": error,
        }

    def _show(self, error: str) -> None:
        self._shown.fail(error)
        self._push()

    # ---- without a browser -------------------------------------------------------------------------------------

    def keep_page(self, show: Callable[[str], None]) -> None:
        """Give the static page to ``show``, now and whenever the execution has come to rest: on the engine's thread.

        A saved notebook has no widget, or one that says "model not found"; the page can be read all the same.
        """
        self._show_page = show
        engine.do(self._write_page)

    def _page_soon(self) -> None:
        if self._show_page is not None:
            if self._page_due is not None:
                self._page_due.cancel()
            self._page_due = engine.loop.call_later(PAGE_S, self._write_page)

    def _write_page(self) -> None:
        try:
            page = as_page(self._view)
            if self._show_page is not None and page != self._page:
                self._page = page
                self._show_page(page)
        except Exception:
            logger.exception("the static page of %s could not be written", self._view.name)

    def _repr_mimebundle_(self, **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        # None for a widget without a view, says anywidget's type; page and text don't need one.
        data, metadata = super()._repr_mimebundle_(**options) or ({}, {})
        return {**data, "text/plain": as_text(self._view), "text/html": as_html(self._view)}, metadata


def _log_failure(answer: Future[None]) -> None:
    # A page that has gone takes no answers; anything else would be seen nowhere.
    if not answer.cancelled() and (error := answer.exception()) is not None:
        logger.error("an answer could not be sent", exc_info=error)


def _told(result: object) -> str | None:
    """Return what the page gets of a command's result: the id of a new breakpoint or branch, or what was exported."""
    if isinstance(result, str):
        return result
    if isinstance(result, Breakpoint):
        return result.id
    if isinstance(result, Run):
        # As by %smithers fork: a variable holds it, so that cells can use it, and it does not go away.
        Variables(notebook_names()).bind(execution_of(result))
        return result.execution_id
    return None  # A Frame or RunResult would be sent twice: the summary and the panes have what they say.


def _words(error: BaseException) -> str:
    """Return an error as the widget shows it: ours in its own words, another with its traceback."""
    if isinstance(error, ExpressionError):
        return str(error)
    if isinstance(error, SmithersError):
        return f"{type(error).__name__}: {error}"
    if type(error) is ValueError:  # Ours, too: what was given is wrong.
        return str(error)
    return "".join(traceback.format_exception(error)) or type(error).__name__
