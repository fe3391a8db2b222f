"""``%smithers``: what the buttons of the stepper do, as words. Each subcommand is one call of the execution's own."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ..errors import StoreError, did_you_mean
from ..execution import Execution, run_behind
from ..history.matching import HANDLERS, KEY_EVENTS, NODE_EVENTS
from ..nodes.element import Component
from ..nodes.xml import visible
from ..records import ExecutionRecord, Phase
from ..store.store import Store
from .options import FILE, OptionError, words
from .static_view import write_line
from .view_of import view_of

EVENTS = {"break": NODE_EVENTS, "watch": KEY_EVENTS[:2]}


class Lines(str):
    """Text that shows itself as it is, not in quotes."""

    def __repr__(self) -> str:
        return str(self)


# ---- of one execution: (it, what follows) -> what the cell shows ---------------------------------------------------


def _status(ex: Execution, rest: str) -> object:
    _nothing(rest)
    return Lines(f"{ex!r}\n{view_of(ex).sentence(buttons=False)}")


def _step(ex: Execution, rest: str) -> object:
    frame = None
    for _ in range(_number(rest, 1)):
        frame = ex.step_sync()
        if ex.over or run_behind(ex).hit is not None:
            break
    return frame


def _phase(ex: Execution, rest: str) -> object:
    _nothing(rest)
    return ex.step_phase_sync()


def _run(ex: Execution, rest: str) -> object:
    return ex.run_sync(max_frames=_number(rest, None))


def _until(ex: Execution, rest: str) -> object:
    if not rest:
        raise OptionError("until needs to know what: a state key, or an expression such as state['n'] > 3")
    return ex.run_sync(until=rest)


def _pause(ex: Execution, rest: str) -> object:
    _nothing(rest)
    ex.pause()
    return None


def _stop(ex: Execution, rest: str) -> object:
    _nothing(rest)
    ex.stop()
    return _status(ex, "")


def _at(ex: Execution, rest: str) -> object:
    if not rest:
        raise OptionError("at needs the number of a frame")
    return ex.at(_number(rest, 1))


def _break(ex: Execution, rest: str) -> object:
    """Set what ``ex.breakpoints.add`` would: ``key=n`` names what a breakpoint is on, and a word alone is a node, a
    phase or a handler.
    """
    condition = re.search(r"(?:^|\s)if(?:\s+(.*))?$", rest)
    plain, named = _named(rest[: condition.start()] if condition else rest)
    if condition:
        named["when"] = condition[1] or ""
    if named:
        return ex.breakpoints.add(**_target(plain, "break"), **named)
    if not plain:
        return ex.breakpoints
    if plain[0] == "remove" and len(plain) == 2:
        ex.breakpoints.remove(plain[1])
        return ex.breakpoints
    return ex.breakpoints.add(**_target(plain, "break"))


def _watch(ex: Execution, rest: str) -> object:
    plain, named = _named(rest)
    key, event = _two(plain, "watch")
    if key is None and not named:
        return ex.breakpoints
    return ex.breakpoints.add(**{"key": key, "event": event, **named})


def _target(given: list[str], what: str) -> dict[str, Any]:
    """Return what a breakpoint is on: a node, a phase, a handler or any error, and the event."""
    target, event = _two(given, what)
    if target is None:
        return {}
    if target == "error" and event is None:
        return {"error": True}
    if target in set(Phase):
        return {"phase": target, "event": event}
    if target in HANDLERS or event in HANDLERS:
        return {"handler": target, "event": event}
    return {"node": target, "event": event}


def _named(rest: str) -> tuple[list[str], dict[str, Any]]:
    """Return the plain words of a line, and those that name an argument of ``ex.breakpoints.add``."""
    plain, named = [], {}
    for word in words(rest):
        name, is_named, value = word.partition("=")
        if is_named and name in _ARGUMENTS:
            named[name] = _ARGUMENTS[name](value)
        else:
            plain.append(word)
    return plain, named


def _switch(text: str) -> bool:
    if text.lower() not in _SWITCHES:
        raise OptionError(f"{text!r} is neither true nor false")
    return _SWITCHES[text.lower()]


def _literal(text: str) -> object:
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text


_SWITCHES = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_ARGUMENTS: dict[str, Callable[[str], object]] = {
    **dict.fromkeys(("node", "key", "handler", "phase", "event", "when"), str),
    **dict.fromkeys(("error", "once", "log"), _switch),
    "equals": _literal,
    "hits": lambda text: _number(text, 1),
}
"""The arguments of ``ex.breakpoints.add``, and how each is read."""


def _pending(ex: Execution, rest: str) -> object:
    _nothing(rest)
    lines = [f"{write.id}: {visible(write_line(write))}" for write in ex.pending]
    return Lines("\n".join(lines) or "Nothing is pending.")


def _xml(ex: Execution, rest: str) -> object:
    if rest:
        return Lines(visible(ex.at(_number(rest, 1)).xml))
    frame = ex.frame
    return Lines(visible(frame.xml if frame is not None else ex.preview().xml))


def _export(ex: Execution, rest: str) -> object:
    return Lines(ex.export(_path(rest) or f"{ex.name}.ndjson"))


# ---- of the file, or of several ------------------------------------------------------------------------------------


def _list(line: Line, rest: str) -> object:
    found = line.store(_path(rest)).df.executions
    return found[["execution_id", "name", "parent_id", "status", "reason", "app", "created_at", "updated_at"]]


def _sql(line: Line, rest: str) -> object:
    if not rest:
        raise OptionError("sql needs a query: %smithers sql select * from frames")
    return line.store("").sql(rest)


def _resume(line: Line, rest: str) -> object:
    """Take the newest unfinished execution of a name up again, bind it, and show its stepper."""
    name, path = _two(words(rest), "resume")
    if name is None or not name.isidentifier():
        raise OptionError("resume needs the name of an execution, and the file if it is not smithers.db")
    file = line.store(path or "")
    found = unfinished(file, name)
    app = line.names.get(found.app)
    if not isinstance(app, Component):
        raise OptionError(
            f"the app of {name!r} is {found.app!r}, which is no component of this notebook. Run the cell that "
            f"defines it with %%smithers {name} --resume"
        )
    if isinstance(before := line.names.get(name), Execution):
        before.close()
    line.names[name] = ex = Execution.resume(app, store=file, id=found.execution_id)
    line.last = name
    return ex


def _help(_line: Line, rest: str) -> object:
    _nothing(rest)
    return Lines(usage())


@dataclass(frozen=True, slots=True)
class Subcommand:
    """What one word after ``%smithers`` does."""

    does: Callable[[Any, str], object]  # Any: an Execution, or the Line
    takes: str
    """What may follow, for people."""
    says: str
    of_one: bool = True
    """It is about one execution, whose variable may stand first."""


SUBCOMMANDS = {
    "list": Subcommand(_list, "[FILE]", "the executions in the file, as a DataFrame", of_one=False),
    "status": Subcommand(_status, "", "how it stands, and what the next step will do"),
    "step": Subcommand(_step, "[N]", "one frame, or N; returns the Frame"),
    "phase": Subcommand(_phase, "", "one phase of a frame"),
    "run": Subcommand(_run, "[N]", "to the end, or N frames at most; returns the RunResult"),
    "until": Subcommand(_until, "KEY | EXPR", "run until the key of the state, or the expression, is true"),
    "pause": Subcommand(_pause, "", "end the run under way after its phase; tasks go on"),
    "stop": Subcommand(_stop, "", "end it, and interrupt the tasks; a step runs them again"),
    "at": Subcommand(_at, "N", "a recorded frame: its plan and the state that it read"),
    "break": Subcommand(
        _break,
        "[NODE [EVENT] | key=KEY | PHASE | on_error | error] [if EXPR] | remove ID",
        "set or remove a breakpoint, or list them",
    ),
    "watch": Subcommand(_watch, "[KEY [EVENT]]", "stop when the key changes, or list them"),
    "pending": Subcommand(_pending, "", "the writes that wait for FLUSH, with their ids"),
    "xml": Subcommand(_xml, "[N]", "the plan, or that of frame N, as XML"),
    "sql": Subcommand(_sql, "QUERY", "a query of the file, read-only, as a DataFrame", of_one=False),
    "export": Subcommand(_export, "[PATH]", "write all that is recorded to PATH, NAME.ndjson"),
    "resume": Subcommand(_resume, "NAME [FILE]", "go on with the newest unfinished one of this name", of_one=False),
    "help": Subcommand(_help, "", "these lines", of_one=False),
}


@dataclass(slots=True)
class Line:
    """The ``%smithers`` line of one notebook."""

    names: dict[str, Any]  # Any: the notebook's variables
    last: str | None = None
    """The variable of the execution that a cell has made last: the one that is meant where none is named."""

    def do(self, text: str) -> object:
        """Do what a line says and return what it gives.

        Raises:
            OptionError: if it is none of the subcommands, or something is wrong with what follows.
        """
        word, _, rest = text.strip().partition(" ")
        found = SUBCOMMANDS.get(word or "help")
        if found is None:
            raise OptionError(
                f"%smithers: there is no {word!r}.{did_you_mean(word, SUBCOMMANDS)} There are {', '.join(SUBCOMMANDS)}"
            )
        try:
            of: object = self
            rest = rest.strip()
            if found.of_one:
                of, rest = self.target(rest)
            return found.does(of, rest)
        except (OptionError, ValueError) as error:
            raise OptionError(f"%smithers {word}: {error}") from None

    def target(self, rest: str) -> tuple[Execution, str]:
        """Return the execution that is named first, or else the last one, and what follows."""
        first, _, after = rest.partition(" ")
        if isinstance(named := self.names.get(first), Execution):
            return named, after.strip()
        if isinstance(last := self.names.get(self.last or ""), Execution):
            return last, rest
        there = self.executions()
        if len({id(self.names[name]) for name in there}) != 1:
            which = (
                f"say which one: {', '.join(there)}"
                if there
                else "there is no execution yet; a %%smithers cell makes one"
            )
            raise OptionError(which)
        return self.names[there[0]], rest

    def executions(self) -> list[str]:
        """Return the variables that hold one, but for what IPython keeps of outputs."""
        return [name for name, value in self.names.items() if isinstance(value, Execution) and name[:1] != "_"]

    def latest(self) -> Execution | None:
        """Return the execution that a cell has made last, or else the one that was bound last."""
        named = self.names.get(self.last or "")
        bound = [self.names[name] for name in self.executions()]
        return named if isinstance(named, Execution) else bound[-1] if bound else None

    def store(self, path: str) -> Store:
        """Return a file: the one of this name, else that of the last execution, else the default one."""
        if not path and (last := self.latest()) is not None:
            return last.store
        file = Store(path or FILE)
        if not os.path.exists(file.path):
            raise OptionError(f"there is no file {path or FILE} here")
        return file

    def complete(self, line: str) -> list[str]:
        """Return the words that may stand at the end of a line."""
        typed = line.split(" ")[1:]
        if len(typed) < 2:
            return list(SUBCOMMANDS)
        word, *before = typed[:-1]
        if word not in SUBCOMMANDS:
            return []
        named = before[:1] if before and before[0] in self.executions() else []
        targets = self.executions() if SUBCOMMANDS[word].of_one and not before else []
        return [*targets, *self._arguments(word, before[len(named) :], line)]

    def _arguments(self, word: str, before: list[str], line: str) -> Iterable[str]:
        """Return what may follow a subcommand: nodes, keys and their events."""
        try:
            ex, _ = self.target(line.split(" ", 2)[2])
        except OptionError:
            return ()
        if before == ["remove"]:
            return [point.id for point in ex.breakpoints]
        if before:
            return EVENTS.get(word, ())
        if word == "break":
            return [*_node_ids(ex), *(phase.value for phase in Phase), *HANDLERS, "error", "if", "remove"]
        return list(ex.state) if word in ("watch", "until") else ()


def unfinished(file: Store, name: str) -> ExecutionRecord:
    """Return the newest execution of a name that can go on.

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
    file.reader.execution_id(name)  # It says which there are.
    raise StoreError(f"{file.path} has no execution {name!r}.")


def usage() -> str:
    """Return the help text."""
    lines = [
        f"  {f'{word} {one.takes}':<30} {one.says}"
        if len(one.takes) < 24
        else f"  {word} {one.takes}\n{'':33}{one.says}"
        for word, one in SUBCOMMANDS.items()
    ]
    return "\n".join(
        [
            "%smithers SUBCOMMAND [NAME] …",
            "",
            "NAME is the variable of an execution; without it the one is meant that a %%smithers cell made last.",
            "As in every line magic, {name} and $name stand for variables of the notebook, and {{ for a brace.",
            "",
            *(line.rstrip() for line in lines),
        ]
    )


def _node_ids(ex: Execution) -> Iterator[str]:
    frame = ex.frame
    tree = frame.tree if frame is not None else ex.preview()
    return (node.id for node in tree.walk() if node.explicit_id)


def _number(text: str, default: Any) -> Any:  # Any: int, or what the caller takes for none
    if not text:
        return default
    if not text.isdecimal() or int(text) < 1:
        raise OptionError(f"{text!r} is no number from 1")
    return int(text)


def _path(text: str) -> str:
    """Return a path as it is written, with or without quotes around it."""
    return " ".join(words(text))


def _two(given: list[str], what: str) -> tuple[str | None, str | None]:
    if len(given) > 2:
        raise OptionError(f"{' '.join(given[2:])!r} is more than {what} takes: {SUBCOMMANDS[what].takes}")
    one, other, *_ = [*given, None, None]
    return one, other


def _nothing(rest: str) -> None:
    if rest:
        raise OptionError(f"{rest!r} is neither the variable of an execution nor anything that belongs here")
