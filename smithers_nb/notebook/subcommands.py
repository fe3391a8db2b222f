"""The words that may follow ``%smithers``: one for each command of the registry, and the notebook's own."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, Field

from ..bridge import engine
from ..commands import COMMANDS, Command, InWords, arguments_of
from ..errors import SmithersError, StoreError
from ..execution import Execution, run_behind
from ..nodes.element import Component
from ..nodes.xml import visible
from ..recording import Store
from ..records import ExecutionRecord
from . import breakpoint_words, exercise_words, grammar
from .options import OptionError, words
from .static_view import write_line
from .variables import Variables
from .view_of import view_of

Completes = Callable[[Any, Sequence[str]], Iterable[str]]  # Any: an Execution, or the Variables
"""Returns what may follow the words that are typed already."""


class Lines(str):
    """Text that shows itself as it is, not in quotes."""

    def __repr__(self) -> str:
        return str(self)


@dataclass(frozen=True, slots=True)
class Subcommand:
    """A word after ``%smithers``."""

    word: str
    doc: str
    """The line of the help."""
    arguments: type[BaseModel]
    call: Callable[[Any, BaseModel], object]  # Any: an Execution, or the Variables
    takes: str
    """The arguments, for the help."""
    of_one: bool = True
    """True if it is about one execution, whose variable may stand first."""
    completes: Completes | None = None
    """Completes the line; without it the arguments' own suggestions do."""

    def offered(self, about: Execution | Variables, before: Sequence[str]) -> Iterable[str]:
        """Return what may follow the words that are typed already."""
        if self.completes is not None:
            return self.completes(about, before)
        if isinstance(about, Variables):
            return ()
        return grammar.offered(self.arguments, len(before), run_behind(about).publish())


def _absent(ex: Execution, before: Sequence[str]) -> Iterable[str]:
    """Return the ids of the nodes that the code can return and that are not in the plan."""
    if before or not ex.recorded:
        return ()
    return (one.id for one in ex.ghosts().nodes if one.id is not None)


COMPLETES: dict[str, Completes] = {"needs": _absent}
"""Completions of commands that need more than the present state: by word."""

SUBCOMMANDS: dict[str, Subcommand] = {}
"""All of them, by word. The notebook's own replace a command's of the same word."""


def order(ex: Execution, name: str, **arguments: object) -> object:
    """Execute a command of the registry and wait for its end; the kernel's Stop button interrupts it."""
    command = COMMANDS[name]
    return _execute(command, ex, command.arguments(**arguments))


def _execute(command: Command, ex: Execution, given: BaseModel) -> object:
    # A cell runs on the kernel's main thread, where Stop raises KeyboardInterrupt. Engine.call turns it into a
    # cancellation on the engine's loop and waits until the command has ended there.
    return engine.call(command.run(run_behind(ex), given))


def _add(command: Command) -> None:
    """Make the word of a command."""

    def call(ex: Execution, given: BaseModel) -> object:
        try:
            result = _execute(command, ex, given)
        except SmithersError as error:
            if command.effect == "moves":  # It is about the user's code: the traceback shows its lines.
                raise
            raise OptionError(str(error)) from None
        if command.effect in ("halts", "writes") and result is None:
            return status(ex)
        if isinstance(result, str):
            return Lines(result)
        return result

    SUBCOMMANDS[command.word] = Subcommand(
        word=command.word,
        doc=command.doc,
        arguments=command.arguments,
        call=call,
        takes=grammar.takes(command.arguments),
        completes=COMPLETES.get(command.word),
    )


for _command in COMMANDS.values():
    _add(_command)

Handler = Callable[..., object]  # ...: an Execution or the Variables, then the arguments by name


def _own(
    of_one: bool = True, takes: str | None = None, completes: Completes | None = None
) -> Callable[[Handler], Handler]:
    """Register a word of the notebook's own: the handler's name with dashes, which ends in "_" where it is a word of
    Python's.
    """

    def register(handler: Handler) -> Handler:
        word = handler.__name__.rstrip("_").replace("_", "-")
        arguments = arguments_of(handler)
        SUBCOMMANDS[word] = Subcommand(
            word=word,
            doc=inspect.getdoc(handler) or "",
            arguments=arguments,
            call=lambda about, given: handler(about, **dict(given)),
            takes=grammar.takes(arguments) if takes is None else takes,
            of_one=of_one,
            completes=completes,
        )
        return handler

    return register


_FRAME = Field(ge=1, description="the number of a frame")
_TEXT = InWords(rest=True)


# ---- about one execution ---------------------------------------------------------------------------------------


@_own()
def status(ex: Execution) -> object:
    """Shows how it stands, and what the next step will do."""
    return Lines(f"{ex!r}\n{view_of(ex).sentence(buttons=False)}")


@_own()
def at(ex: Execution, frame: Annotated[int, _FRAME]) -> object:
    """Shows a recorded frame: its plan and the state that it read."""
    return ex.at(frame)


@_own(takes=breakpoint_words.BREAK, completes=breakpoint_words.after_break)
def break_(ex: Execution, on: Annotated[str, _TEXT] = "") -> object:
    """Sets or removes a breakpoint, or lists them."""
    return breakpoint_words.set_or_remove(ex, on)


@_own(takes=breakpoint_words.WATCH, completes=breakpoint_words.after_watch)
def watch(ex: Execution, on: Annotated[str, _TEXT] = "") -> object:
    """Stops when the key changes, or lists the breakpoints."""
    return breakpoint_words.watch(ex, on)


@_own()
def pending(ex: Execution) -> object:
    """Lists the writes that wait for FLUSH, with their ids."""
    lines = [f"{write.id}: {visible(write_line(write))}" for write in ex.pending]
    return Lines("\n".join(lines) or "Nothing is pending.")


@_own()
def xml(ex: Execution, frame: Annotated[int | None, _FRAME] = None) -> object:
    """Shows the plan, or that of a frame, as XML."""
    if frame is not None:
        return Lines(visible(ex.at(frame).xml))
    now = ex.frame
    if now is None:
        return Lines(visible(ex.preview().xml))
    return Lines(visible(now.xml))


@_own(takes="PATH [KEY …]")
def keep(
    ex: Execution,
    path: Annotated[str, _TEXT, Field(description="the test: %smithers keep tests/test_report.py")],
) -> object:
    """Writes a test that replays the run, with its recording beside it; the values of the keys stand in it."""
    test, *values = words(path)
    return ex.keep(test, values=values)


# ---- about the file, or several executions ---------------------------------------------------------------------


@_own(of_one=False, takes="[FILE]")
def list_(variables: Variables, file: Annotated[str, _TEXT] = "") -> object:
    """Lists the executions in the file, as a DataFrame."""
    found = variables.store(_path(file)).df.executions
    return found[["execution_id", "name", "parent_id", "status", "reason", "app", "created_at", "updated_at"]]


@_own(of_one=False)
def sql(
    variables: Variables,
    query: Annotated[str, _TEXT, Field(description="a query: %smithers sql select * from frames")],
) -> object:
    """Queries the file, read-only, as a DataFrame."""
    return variables.store("").sql(query)


@_own(of_one=False, takes="NAME [FILE]")
def resume(
    variables: Variables,
    name: Annotated[str, Field(description="the name of an execution, and the file if it is not smithers.db")],
    file: Annotated[str, _TEXT] = "",
) -> object:
    """Continues the newest unfinished one of this name: binds it, and shows its stepper."""
    if not name.isidentifier():
        raise OptionError(f"{name!r} can't be a variable, and the execution is bound to one of its name")
    store = variables.store(_path(file))
    found = unfinished(store, name)
    app = variables.names.get(found.app)
    if not isinstance(app, Component):
        raise OptionError(
            f"the app of {name!r} is {found.app!r}, which is no component of this notebook. Run the cell that "
            f"defines it with %%smithers {name} --resume"
        )
    if isinstance(before := variables.names.get(name), Execution):
        before.close()  # It may be the one that is resumed, and a lease has one holder.
    ex = Execution.resume(app, store=store, id=found.execution_id)
    variables.names[name] = ex
    variables.last = name
    return ex


@_own(of_one=False, takes=exercise_words.TAKES, completes=exercise_words.names)
def exercise(variables: Variables, of: Annotated[str, _TEXT] = "") -> object:
    """Puts the cell of an exercise, with a bug to find, in the place of the line; without a name lists them."""
    return Lines(exercise_words.begin(variables, of))


@_own(of_one=False, takes=exercise_words.TAKES, completes=exercise_words.names)
def check(variables: Variables, of: Annotated[str, _TEXT] = "") -> object:
    """Checks the exercise that was begun last, or NAME: says what holds and what does not, and keeps the result."""
    return Lines(exercise_words.check(variables, of))


@_own(of_one=False)
def help_(_variables: Variables) -> object:
    """Shows these lines."""
    return Lines(usage())


def unfinished(file: Store, name: str) -> ExecutionRecord:
    """Return the newest execution of a name that can continue.

    Raises:
        OptionError: if there is none.
        StoreError: if the file can't be read.
    """
    known = file.reader.named(name)
    found = next((one for one in known if one.status not in ("finished", "terminated")), None)
    if found is not None:
        return found
    if known:
        raise OptionError(
            f"every execution {name!r} of {file.path} is over; the newest is {known[0].status}. Run its cell without "
            f"--resume for a new one, or go on with that one: Execution.resume(…, id={known[0].execution_id!r})"
        )
    file.reader.execution_id(name)  # Raises the error that lists those that are there.
    raise StoreError(f"{file.path} has no execution {name!r}.")


def usage() -> str:
    """Return the help text."""
    return "\n".join(
        [
            "%smithers SUBCOMMAND [NAME] …",
            "",
            "NAME is the variable of an execution; without it the one is meant that a %%smithers cell made last.",
            "As in every line magic, {name} and $name stand for variables of the notebook, and {{ for a brace.",
            "",
            *map(_usage_of, sorted(SUBCOMMANDS.values(), key=lambda one: one.word)),
        ]
    )


def _usage_of(one: Subcommand) -> str:
    head = f"{one.word} {one.takes}".rstrip()
    doc = " ".join(one.doc.split())
    if len(head) > 28:
        return f"  {head}\n{'':31}{doc}"
    return f"  {head:<28} {doc}"


def _path(text: str) -> str:
    """Return a path as it is written, with or without quotes around it."""
    return " ".join(words(text))
