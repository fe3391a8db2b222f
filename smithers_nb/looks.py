"""The questions that are asked of a recorded execution, each once: name, arguments, docstring and handler.

The words of the shell and the tools of the MCP server are made from them, and the commands that ask the same of a run
have their words from here. An argument's description is the text in its
``Annotated``; one without a default is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from json import loads
from typing import Annotated

from .recording import History
from .store import listed
from .store import timeline as times
from .store.names import FileNames

Target = Annotated[str | None, "a node, node.prop, node.on_finished, state:KEY, component, frame or id"]
AtFrame = Annotated[int | None, "the frame that is asked about, by default the last one"]
Frame = Annotated[int, "the number of a frame"]


@dataclass(frozen=True, slots=True)
class LookResult:
    """An answer: rows for programs, and for people a table of some of their columns, or a text."""

    rows: Sequence[object]
    """Dicts, or dataclasses, of plain values."""
    columns: tuple[str, ...] = ()
    text: str | None = None
    """The text for people; None where a table is as good."""
    same: bool = True
    """False if a comparison found differences."""


Look = Callable[..., LookResult]
"""A question: a function of a ``History`` and of its arguments by name."""

LOOKS: dict[str, Look] = {}
"""All of them, by name."""


# Apart from the commands: a command acts on a run that a process has, and these read a file that any process may have.
def _look(handler: Look) -> Look:
    LOOKS[handler.__name__] = handler
    return handler


@_look
def show(history: History) -> LookResult:
    """Tells how an execution stands, its result, and what it waits for."""
    found = history.reader.execution(history.execution_id)
    asked = history.reader.questions(history.execution_id)
    lines = [f"{found.name} ({found.execution_id}): {found.status}, {history.frames} frames"]
    reason = FileNames(history.reader).in_text(history.execution_id, found.reason, history.frames)
    if reason:
        lines.append(f"reason: {reason}")
    # As stored, not read back: the class of a value may not be importable in this process.
    result = found.result and loads(found.result.text)
    if found.result is not None:
        lines.append(f"result: {found.result.text}")
    for one in asked:
        lines.append(f"waits for approval {one.approval_id}: {one.prompt}")
        lines.append(f"  smithers answer {found.execution_id} {one.approval_id} {'|'.join(one.options)}")
    waits = [{"approval": one.approval_id, "prompt": one.prompt, "options": one.options} for one in asked]
    row = {**asdict(found), "reason": reason, "result": result, "frames": history.frames, "waits_for": waits}
    return LookResult([row], text="\n".join(lines))


@_look
def timeline(
    history: History,
    *,
    first: Annotated[int, "the first frame"] = 0,
    last: Annotated[int | None, "the last one"] = None,
) -> LookResult:
    """Lists what happened, in order."""
    if last is None:
        last = history.frames
    rows = [row._asdict() for row in times.timeline(history.reader, history.execution_id)]
    return LookResult([row for row in rows if first <= row["frame"] <= last], ("frame", "phase", "what", "text"))


@_look
def why(history: History, target: Target = None, *, frame: AtFrame = None) -> LookResult:
    """Tells why a node, value, handler call, frame or the execution is as it is: its causes, down to the roots."""
    found = history.why(as_target(target), frame)
    return LookResult(found.statements, text=found.text)


@_look
def why_not(history: History, target: Target = None, *, frame: AtFrame = None, app: object = None) -> LookResult:
    """Tells what keeps a node, task, handler, write or frame from being there, outermost first."""
    # Without an app the answer says what only rendering could tell.
    found = history.why_not(as_target(target), frame, app=app)
    return LookResult(found.statements, text=found.text)


@_look
def needs(
    history: History,
    target: Annotated[str, "the id of a node, or the name of a component"],
    *,
    frame: AtFrame = None,
    app: object = None,
) -> LookResult:
    """Tells the smallest edit of the state after which a node or component is in the plan."""
    found = history.needs(target, frame, app=app)
    return LookResult(found.statements, text=found.text)


@_look
def follow(
    history: History, text: Annotated[str, "a text, the id of a node, or a key of the state"], *, frame: AtFrame = None
) -> LookResult:
    """Tells where a text or value came from, and all that holds it."""
    found = history.follow(text, frame)
    return LookResult(found.statements, text=found.text)


@_look
def diff(history: History, one: Frame, other: Annotated[int, "a later frame"]) -> LookResult:
    """Lists the nodes that mounted, unmounted, changed or moved from one frame to another."""
    changes = asdict(history.diff(one, other))
    names = FileNames(history.reader)
    rows = []
    for change, ids in changes.items():
        at = one if change == "unmounted" else other
        owner = history.reader.owner(history.execution_id, at)
        rows += [{"node_id": id, "change": change, "node": names.of(owner, id, at)} for id in ids]
    if rows:
        return LookResult(rows, ("change", "node"))
    return LookResult(rows, text=f"The plans of the frames {one} and {other} are the same.")


@_look
def compare(history: History, other: Annotated[str, "the id or name of another execution of the file"]) -> LookResult:
    """Lists the differences of two executions, by node, iteration and event."""
    found = history.compare(other)
    return LookResult(found.rows, text=found.text, same=found.same)


@_look
def tasks(history: History) -> LookResult:
    """Lists the tasks of an execution."""
    columns = ("node", "task_id", "status", "attempt", "error", "cost_usd")
    return LookResult(listed.tasks(history.reader, history.execution_id), columns)


@_look
def approvals(history: History) -> LookResult:
    """Lists the questions to people, and their answers."""
    columns = ("node", "approval_id", "status", "prompt", "options", "choice")
    return LookResult(listed.questions(history.reader, history.execution_id), columns)


@_look
def errors(history: History) -> LookResult:
    """Lists the problems, the failed tasks and the handlers that raised, in the order of their frames."""
    return LookResult(listed.errors(history.reader, history.execution_id), ("frame", "what", "node", "error"))


@_look
def transcript(
    history: History,
    node: Annotated[str, "the id of the agent's node"],
    *,
    iteration: Annotated[int | None, "the iteration of its loop"] = None,
) -> LookResult:
    """Shows the conversation of an agent with its model."""
    # By lines, which a reader of pages can cut anywhere.
    text = history.transcript(node, iteration).text
    return LookResult([{"line": line} for line in text.split("\n")], text=text)


@_look
def state_at(history: History, frame: Frame) -> LookResult:
    """Lists the state that a frame read, a value a key, as JSON."""
    # The frame of a branch may be one of its ancestors'.
    owner = history.at(frame).execution_id
    state = history.reader.state(owner, frame)
    return LookResult(
        [{"key": key, "value": loads(stored.text)} for key, (stored, _) in state.items()], ("key", "value")
    )


@_look
def tree_at(history: History, frame: Frame) -> LookResult:
    """Shows the plan of a frame as XML."""
    xml = history.at(frame).xml
    return LookResult([{"line": line} for line in xml.split("\n")], text=xml)


def as_target(text: str | None) -> str | int | None:
    """Return a target as it is typed: a number is that of a frame, and nothing is the execution."""
    # A node whose id is a number is asked for as node.prop.
    text = (text or "").strip()
    if text.isdigit():
        return int(text)
    return text or None
