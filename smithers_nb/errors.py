"""Every error that smithers_nb raises.

SmithersError
├── PlanError               the tree was built wrong
│   ├── UnknownTagError
│   ├── PropError
│   ├── EventPropError
│   ├── DuplicateIdError
│   ├── DuplicateKeyError
│   └── MissingKeyError
├── PurityError             rendering did something other than render
│   ├── RenderWriteError
│   ├── RenderTaskError
│   └── RenderMutationError
├── RunError                the user's code failed while running
│   ├── ComponentError
│   ├── HandlerError
│   ├── EffectError
│   ├── EffectLoopError
│   ├── StalledError
│   ├── RepeatRefusedError
│   └── UserCodeError
├── StoreError              the file, or a value that it should store
│   ├── NotStorableError
│   ├── ExecutionOwnedError
│   ├── UnknownExecutionError
│   ├── SchemaVersionError
│   ├── EngineVersionError
│   ├── StoreBusyError
│   └── StoreDamagedError
├── SweepError              a sweep was asked for that can't be run
└── AgentError
    ├── AgentConfigError
    ├── BudgetExceededError
    ├── ReplayMismatchError
    └── ApprovalError

UserWarning
├── AppChangedWarning       an execution continues with other code
└── NewerExportWarning      a newer release has exported a run, and not all of it can be shown

Errors in the JSX of a cell are Python's own ``SyntaxError``, at the line and column of the cell.

A message says what happened, why that is wrong and what to do; the place is in the attributes too.
"""

from __future__ import annotations

import os
import re
import sysconfig
import traceback
from collections.abc import Iterable
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, NoReturn

__all__ = [
    "AgentConfigError",
    "AgentError",
    "AppChangedWarning",
    "ApprovalError",
    "BudgetExceededError",
    "ComponentError",
    "DuplicateIdError",
    "DuplicateKeyError",
    "EffectError",
    "EffectLoopError",
    "EngineVersionError",
    "EventPropError",
    "ExecutionOwnedError",
    "HandlerError",
    "MissingKeyError",
    "NewerExportWarning",
    "NotStorableError",
    "PlanError",
    "PropError",
    "PurityError",
    "RenderMutationError",
    "RenderTaskError",
    "RenderWriteError",
    "RepeatRefusedError",
    "ReplayMismatchError",
    "RunError",
    "SchemaVersionError",
    "SmithersError",
    "StalledError",
    "StoreBusyError",
    "StoreDamagedError",
    "StoreError",
    "SweepError",
    "UnknownExecutionError",
    "UnknownTagError",
    "UserCodeError",
]

LONGEST_PATH = 300
"""Characters of a path that a message shows; the attribute has all of it."""

MOST_CAUSES = 10
"""The most causes that the text of a group of errors names."""

PACKAGE = os.path.dirname(__file__)
LIBRARIES = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})
"""The folders of Python's own modules and of installed packages."""


class SmithersError(Exception):
    """The base class of the errors. Its parameters are the message and, by keyword, the place."""

    path: str | None
    """Path of the node or component, e.g. ``/Report[0]/phase[0.1]``."""

    node_id: str | None
    """Id of the node, where there is one."""

    frame: int | None
    """Number of the running frame; None outside of one."""

    source: str | None
    """Position in the user's code as ``file:line:column``, e.g. ``report:14:9``."""

    def __init__(
        self,
        message: str,
        *,
        path: str | None = None,
        node_id: str | None = None,
        frame: int | None = None,
        source: str | None = None,
    ) -> None:
        super().__init__(clean(message))
        self.path = path
        self.node_id = node_id
        self.frame = frame
        self.source = source

    def at(
        self,
        *,
        path: str | None = None,
        node_id: str | None = None,
        frame: int | None = None,
        source: str | None = None,
    ) -> None:
        """Fill in the parts of the place that the raiser could not know; the known ones stay."""
        self.path = self.path or path
        self.node_id = self.node_id or node_id
        self.source = self.source or source
        if self.frame is None:
            self.frame = frame

    def _render_traceback_(self) -> list[str]:
        """Return the traceback for IPython: the user's own lines and the message, without this package's frames."""
        lines = []
        if self.__cause__ is not None:
            cause = traceback.extract_tb(self.__cause__.__traceback__)
            first = next((place for place, frame in enumerate(cause) if _users(frame)), None)
            # A cause without a line of the user's is in our message already.
            if first is not None:
                lines += traceback.format_list([frame for frame in cause[first:] if not _inside(frame.filename)])
                lines += [*traceback.format_exception_only(self.__cause__), "\n"]
        lines += traceback.format_list([frame for frame in traceback.extract_tb(self.__traceback__) if _users(frame)])
        return ["".join(lines).rstrip("\n"), f"{type(self).__name__}: {self}"]

    def __str__(self) -> str:
        place = []
        if self.path:
            place.append(_middle_cut(self.path))
        if self.frame is not None:
            place.append(f"frame {self.frame}")
        if self.source:
            place.append(self.source)
        message = super().__str__()
        if not place:
            return message
        return f"{message} ({', '.join(place)})"


def _middle_cut(path: str) -> str:
    # The middle is cut, because the root and the node itself say most.
    if len(path) <= LONGEST_PATH:
        return path
    return f"{path[: LONGEST_PATH // 2]}…{path[-LONGEST_PATH // 2 :]}"


class PlanError(SmithersError):
    """The tree was built wrong; nothing of it was committed."""


class UnknownTagError(PlanError):
    """A tag that is neither a node nor a component."""


class PropError(PlanError):
    """A prop that the node does not have, or a value of the wrong type."""


class EventPropError(PropError):
    """An ``on…`` prop that is no handler of this node."""


class DuplicateIdError(PlanError):
    """Two nodes of one tree with the same id."""


class DuplicateKeyError(PlanError):
    """Two siblings with the same key."""


class MissingKeyError(PlanError):
    """An item of an Each without a key."""


class PurityError(SmithersError):
    """A component did something other than compute its nodes; the frame was not committed."""


class RenderWriteError(PurityError):
    """State was written while rendering."""


class RenderTaskError(PurityError):
    """A task was started, or something awaited, while rendering."""


class RenderMutationError(PurityError):
    """A value read from state was changed in place while rendering."""


class RunError(SmithersError):
    """The user's code failed while running; the traceback is in ``__cause__``."""


class ComponentError(RunError):
    """A component raised; the frame was not committed."""


class HandlerError(RunError):
    """A handler raised; none of its writes was applied."""


class EffectError(RunError):
    """An effect or its cleanup raised; none of its writes was applied."""


class EffectLoopError(RunError):
    """An effect keeps causing itself."""


class StalledError(RunError):
    """The same plan over the same state came again, and nothing from outside can change it: nothing is lost."""


class RepeatRefusedError(RunError):
    """A branch or a replay was to make a call again that is not to be repeated. It was not made."""

    def __init__(self, message: str, *, name: str, node_id: str | None = None, source: str | None = None) -> None:
        super().__init__(message, node_id=node_id, source=source)
        self.name = name
        """The name for ``allow_repeat``: the id of the task's node, or the name of the tool."""


class UserCodeError(RunError):
    """Carries an exception of user code that is no ordinary one: StopIteration, SystemExit, a cancellation."""

    def __init__(self, message: str, raised: BaseException) -> None:
        super().__init__(message)
        self.raised = raised
        """The exception itself."""


class StoreError(SmithersError):
    """The database file, or a value that it should store, is at fault."""


class NotStorableError(StoreError):
    """A value that would not come back from the store unchanged."""


class ExecutionOwnedError(StoreError):
    """Another process is running this execution."""

    def __init__(
        self, message: str, *, owner: str | None = None, since: str | None = None, until: str | None = None
    ) -> None:
        super().__init__(message)
        self.owner = owner
        """The process that has it: ``pid 4711 on host (a1b2c3)``; None if it was closed there, or deleted."""
        self.since = since
        """The time at which it was taken, as ISO 8601 in UTC."""
        self.until = until
        """The time at which its lease runs out, unless it is renewed, as ISO 8601 in UTC."""


class UnknownExecutionError(StoreError):
    """No execution of that id or name in the file."""


class SchemaVersionError(StoreError):
    """The file was written by a newer release."""


class EngineVersionError(StoreError):
    """The execution was last run by a newer release."""


class AppChangedWarning(UserWarning):
    """An execution continues with other code than it ran with."""


class NewerExportWarning(UserWarning):
    """A newer release has exported a run, and this one can't show all of it."""


class StoreBusyError(StoreError):
    """Another process held the file's write lock for longer than we wait."""


class StoreDamagedError(StoreError):
    """The file is not a database, or a damaged one."""


class SweepError(SmithersError, ValueError):
    """A sweep was asked for that can't be run: nothing has begun. The message names everything that is wrong."""


class AgentError(SmithersError):
    """An agent node could not run."""


class AgentConfigError(AgentError):
    """A model, provider package or key that is missing or misspelt. Nothing was sent and nothing paid for."""


class BudgetExceededError(AgentError):
    """A limit of an agent, or of all agents of an execution, is reached."""

    def __init__(self, message: str, *, limit: str, node_id: str | None = None, source: str | None = None) -> None:
        super().__init__(message, node_id=node_id, source=source)
        self.limit = limit
        """turns, tokens, tool_calls, cost_usd or seconds, perhaps with ``of the execution``."""


class ReplayMismatchError(AgentError):
    """A replay needs an answer that its recording does not have. The recorded execution was not changed."""

    def __init__(
        self,
        message: str,
        *,
        difference: str,
        turn: int | None = None,
        node_id: str | None = None,
        source: str | None = None,
    ) -> None:
        super().__init__(message, node_id=node_id, source=source)
        self.difference = difference
        """The first difference: the recorded side, and the side of the replay."""
        self.turn = turn
        """The turn of the agent; None if the error is about the node."""
        self.asked: Any = None  # Any: a request of agents/, which is above this floor
        """The request that has no answer; None if it has not come to one."""


class ApprovalError(AgentError):
    """An answer to an approval that does not wait, or a choice that it does not offer."""


def traceback_of(error: BaseException) -> str:
    """Return the traceback of an error as text, without the frames of this package and of the machinery below it; the
    error's message if Python can't make a traceback.
    """
    try:
        return clean(_formatted(error))
    except Exception:  # noqa: BLE001  # the user's __str__, or a file name that the system can't take; the error counts
        return said(error)


def _formatted(error: BaseException) -> str:
    found = traceback.TracebackException.from_exception(error)
    shown: traceback.TracebackException | None = found
    while shown is not None:
        user = [frame for frame in shown.stack if not _inside(frame.filename)]
        # An error that this package makes itself has no frame of the user's: then all are shown.
        shown.stack = traceback.StackSummary.from_list(user or list(shown.stack))
        shown = shown.__cause__ or shown.__context__
    return "".join(found.format())


def said(error: BaseException) -> str:
    """Return the class and message of an error, even if its ``__str__`` raises; with advice for a missing ``ctx``.

    >>> said(ValueError("a\\ud800b"))
    'ValueError: a\ufffdb'
    >>> said(StopIteration())
    'StopIteration'
    >>> said(ExceptionGroup("all failed", [ValueError("a"), KeyError("b")]))
    "ExceptionGroup: all failed (2 sub-exceptions): ValueError: a; KeyError: 'b'"
    """
    try:
        words = f"{error}"
    except BaseException as why:  # noqa: BLE001  # the user's __str__
        words = f"its message can't be read, {type(why).__name__} was raised"
    if isinstance(error, NameError) and error.name == "ctx":
        words += ". ctx is an argument: name it in the function's parameters, as in def Report(ctx)"
    if isinstance(error, BaseExceptionGroup):
        # Its own text only counts them, and the causes are what a person needs.
        words += f": {'; '.join(said(cause) for cause in error.exceptions[:MOST_CAUSES])}"
        words += " …" * (len(error.exceptions) > MOST_CAUSES)
        return clean(f"{type(error).__name__}: {words}")
    words += _of_another_loop(error)
    if not words:
        return type(error).__name__
    return clean(f"{type(error).__name__}: {words}")


_ANOTHER_LOOP = re.compile(
    r"(<(?P<kind>[\w.]+) .*> is bound to a different event loop|to a different loop|Event loop is closed)", re.DOTALL
)


def _of_another_loop(error: BaseException) -> str:
    """Return advice for an error about an object that is shared by two event loops; "" for other errors."""
    # asyncio's own message names neither of the loops, and users do not know that there are two.
    found: BaseException | None = error
    while found is not None:
        # Not its text, which may be made by code of the user's.
        words = " ".join(arg for arg in found.args if isinstance(arg, str))
        if isinstance(found, RuntimeError | ValueError) and (matched := _ANOTHER_LOOP.search(words)):
            break
        found = found.__cause__ or found.__context__
    else:
        return ""
    shared = "A future or connection"
    if matched["kind"]:
        shared = f"An asyncio.{matched['kind'].rpartition('.')[2]}"
    if library := _innermost_package(found):
        shared += f" of {library}"
    return (
        f". {shared} is shared by two event loops: that of a "
        "notebook cell (or of asyncio.run) and the engine's, on which async tasks, tools, handlers and effects run. "
        "Make what has it (a client, lock or queue) in the function that uses it, one for each loop; across them, use "
        "threading and queue"
    )


def _innermost_package(error: BaseException) -> str | None:
    """Return the installed package in which an error was raised, libraries for waiting aside; None if it was raised in
    the user's own code.
    """
    for frame, _ in reversed(list(traceback.walk_tb(error.__traceback__))):
        file = frame.f_code.co_filename
        if whose(file) is None:
            return None
        package = re.split(r"[\\/]", file.partition("site-packages")[2].strip("\\/"))[0]
        if package not in ("", "anyio", "sniffio"):
            return package
    return None


def without_place(message: str) -> str:
    """Return a message without the place at its end, for where that is shown beside it.

    >>> without_place("<task> has no prop 'a'. (/App[0]/task[0], frame 1, app:3:5)")
    "<task> has no prop 'a'."
    """
    return _PLACE.sub("", message)


_PLACE = re.compile(r" \((?:/|frame \d|\S+:\d+:\d+)[^()]*\)$")


def message_of(trace: str) -> str:
    """Return the class name and message, with all its lines, of the error at the end of a traceback.

    >>> message_of('Traceback …:\\n  File "a.py", line 1\\n    f()\\njson.decoder.JSONDecodeError: no\\nJSON')
    'JSONDecodeError: no\\nJSON'
    """
    lines = trace.strip().split("\n")
    if lines[0].startswith("+ Exception Group Traceback "):
        return _message_of_group(lines)
    if lines[0].startswith("Traceback "):
        last = max((n for n, line in enumerate(lines) if line.startswith('  File "')), default=0)
        lines = lines[next((n for n in range(last + 1, len(lines)) if not lines[n].startswith("    ")), -1) :]
    name, separator, words = "\n".join(lines).partition(": ")
    # Without its module, as ``said`` writes it. A message without a class is left unchanged.
    if name.replace(".", "").isidentifier():
        name = name.rpartition(".")[2]
    return f"{name}{separator}{words}"


def _message_of_group(lines: list[str]) -> str:
    """Return the message of an exception group, and those of the errors in it.

    >>> lines = ["+ Exception Group Traceback (most recent call last):", "  | ExceptionGroup: both failed"]
    >>> lines += ["  +-+---- 1 ----", "    | ValueError: no", "    +---- 2 ----", "    | KeyError: 'b'"]
    >>> _message_of_group(lines)
    "ExceptionGroup: both failed: ValueError: no; KeyError: 'b'"
    """
    blocks: list[list[str]] = [["Traceback (most recent call last):"]]
    for line in lines[1:]:
        if re.match(r" *\+(-\+)?-+ [\d.]+ -+$", line):
            blocks.append([])
        elif "|" in line[:6]:
            blocks[-1].append(line.partition("|")[2][1:])
    own, *inner = (message_of("\n".join(block)) for block in blocks)
    return f"{own}: {'; '.join(inner)}"


def clean(text: str) -> str:
    """Return text that UTF-8 can hold: a lone surrogate becomes U+FFFD, and a pair of them the character that it means.

    >>> clean("a\\ud800b")
    'a\ufffdb'
    """
    try:
        if text.isascii() or text.encode():
            return text
    except UnicodeEncodeError:
        pass
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def whose(filename: str) -> str | None:
    """Return the owner of a file's code: ``us``, ``library``, or None for the user."""
    if filename.startswith(PACKAGE):
        return "us"
    # The folders by name, too: an environment may be reached by a link, or belong to another installation.
    installed = "site-packages" in filename or "dist-packages" in filename
    if installed or filename.startswith((*LIBRARIES, "<frozen ")):
        return "library"
    return None


def _users(frame: traceback.FrameSummary) -> bool:
    """Return True if a frame shows code of the user's; the call of a magic would repeat the whole cell in one line."""
    return whose(frame.filename) is None and not (frame.line or "").startswith("get_ipython().run_cell_magic(")


def _inside(filename: str) -> bool:
    """Return True if a traceback's frame is ours or the machinery's, not the user's."""
    parts = ("/concurrent/futures/", "/asyncio/", "/IPython/", "/ipykernel/", "/nest_asyncio")
    return filename.startswith(PACKAGE) or any(part in filename.replace(os.sep, "/") for part in parts)


def an(noun: str) -> str:
    """Return a noun behind its article.

    >>> an("object"), an("dict"), an("UUID")
    ('an object', 'a dict', 'a UUID')
    """
    spoken = noun.lower().lstrip("<")
    vowel = spoken[:1] in {"a", "e", "i", "o", "u"} and not spoken.startswith(("uni", "use", "uu", "uri", "eu", "one"))
    if vowel:
        return f"an {noun}"
    return f"a {noun}"


def kind_of(value: object) -> str:
    """Return the name of a value's class behind its article: ``a dict``."""
    return an(type(value).__name__)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `` Did you mean 'claude'?`` for the nearest known word, or ``""``.

    >>> did_you_mean("cluade", ["claude", "phase"])
    " Did you mean 'claude'?"
    """
    near = get_close_matches(word, list(known), n=1) or get_close_matches(word.lower(), list(known), n=1)
    if not near:
        return ""
    return f" Did you mean {near[0]!r}?"


LISTED = 16
"""The most names that are all listed where none is near."""


class NamesNearest:
    """A base of what users hold: for an attribute that it does not have, the error names the nearest one.

    Python's own tracebacks do so, and IPython's do not.
    """

    __slots__ = ()

    # For a type checker, an object with __getattr__ has every attribute.
    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> NoReturn:
            __tracebackhide__ = True  # IPython's tracebacks end at the line that asked.
            # A property that raised AttributeError comes here, too: its own error is the one to see.
            if hasattr(type(self), name):
                object.__getattribute__(self, name)
            missing = f"{type(self).__name__!r} object has no attribute {name!r}"
            # Python and IPython ask for such names to find out what an object can do.
            if name.startswith("_"):
                raise AttributeError(missing, name=name, obj=self)
            has = [known for known in dir(self) if not known.startswith("_")]
            near = did_you_mean(name, has)
            if not near and len(has) <= LISTED:
                near = f" It has {', '.join(has)}"
            # Without obj=, for which Python's traceback would say it again.
            raise AttributeError(f"{missing}.{near}", name=name)
