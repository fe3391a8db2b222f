"""The facts by which two executions are compared: nodes, tasks, handlers, writes, calls and ends, each with a name.

The facts of a branch are those of its line.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, takewhile
from typing import Any, Literal, NamedTuple

from ..errors import message_of
from ..identity import child_id, loop_of
from ..records.frame import CONCLUDED
from ..records.words import count
from .line import of_line
from .reader import Reader
from .requests import Assembled, decoded

What = Literal["frame", "node", "tool call", "task", "model call", "handler", "effect", "write", "state", "end"]


class Fact(NamedTuple):
    """Something that happened in an execution, or that held."""

    what: What
    frame: int
    fields: tuple[Any, ...]  # Any: SQLite's values
    """The values that may differ."""
    node_id: str | None = None
    key: str | None = None
    """The state key, the event of a handler, the name of a tool, or the kind of an effect's run."""
    loop: str = ""
    """Path of the loop iteration that its node stands in; "" outside of loops."""
    name: tuple[Any, ...] = ()
    """The values that tell it apart from others of its node and key."""


Facts = dict[tuple[Any, ...], Fact]
"""Facts by the key that two executions share."""


def facts_by_frame(reader: Reader, execution_id: str) -> Facts:
    """Return the facts of an execution under the frames in which they were: for a replay, which repeats these."""
    found: Facts = {}
    counts: Counter[tuple[Any, ...]] = Counter()
    record = _Record(reader, execution_id, _Iterations({}))
    for table in _BY_FRAME:
        for fact in table(record):
            # A task is the n-th of its node, whenever it began.
            place = 0 if fact.what in ("task", "end") else fact.frame
            turn = (fact.what, place, fact.node_id, fact.key, *fact.name)
            # A call that was cut off is made again with the same id: the last one counts.
            if fact.what != "tool call":
                counts[turn] += 1
            found[(*turn, counts[turn])] = fact
    return found


def facts_by_turn(reader: Reader, execution_id: str, *, of_frames: bool = False, since: int = 0) -> Facts:
    """Return the facts of an execution as the n-th of their node and loop iteration, whichever frames they were in.

    With ``of_frames`` only those that tell how far an execution was in a frame; with ``since`` only those of the frames
    from there on: what a branch and its parent have done since the fork.
    """
    record = _Record(reader, execution_id, _Iterations({}), since)
    versions = record.versions()
    record = record._replace(iterations=_Iterations.of(versions))
    found: Facts = {}
    counts: Counter[tuple[Any, ...]] = Counter()
    tables = (table(record) for table in (_OF_FRAMES if of_frames else _BY_TURN))
    for fact in chain(_merged(versions), *tables):
        if fact.frame < since:
            continue
        turn = (fact.what, fact.node_id, fact.key, fact.loop, *fact.name)
        counts[turn] += 1
        found[(*turn, counts[turn])] = fact
    return found


def children(reader: Reader, execution_id: str) -> dict[tuple[str, str, int], str]:
    """Return the ids of the child executions along the line, by the node that ran them, its loop iteration and the
    number of its task there.
    """
    below: set[str] = set()
    for part in reader.line(execution_id):
        sql = "SELECT execution_id FROM executions WHERE parent_id = ? AND kind = 'child'"
        below.update(id for (id,) in reader.query(sql, (part.execution_id,)).rows)
    if not below:
        return {}
    record = _Record(reader, execution_id, _Iterations({}))
    record = record._replace(iterations=_Iterations.of(record.versions()))
    found = {}
    for (owner, task_id), task in record.tasks().items():
        if (id := child_id(owner, task_id)) in below:
            found[task.node_id, task.loop, task.number] = id
    return found


# ---- the iterations of loops -------------------------------------------------------------------------------------


class _Iterations:
    """The loop iteration that a node stood in, by frame."""

    def __init__(self, since: dict[str, tuple[list[int], list[str]]]) -> None:
        self._since = since

    @classmethod
    def of(cls, versions: list[tuple[Any, ...]]) -> _Iterations:
        since: dict[str, tuple[list[int], list[str]]] = {}
        for node_id, from_frame, _, path, *_ in versions:
            if loop := loop_of(path):
                frames, loops = since.setdefault(node_id, ([], []))
                frames.append(from_frame)
                loops.append(loop)
        return cls(since)

    def at(self, node_id: str | None, frame: int) -> str:
        """Return the path of the iteration; "" outside of loops."""
        if node_id not in self._since:
            return ""
        frames, loops = self._since[node_id]
        return loops[max(bisect_right(frames, frame) - 1, 0)]


# ---- the tables --------------------------------------------------------------------------------------------------


class _Task(NamedTuple):
    """A task, as its calls are named by it."""

    node_id: str
    frame: int
    loop: str
    number: int
    """The number among those of its node in its loop iteration."""


class _Record(NamedTuple):
    """The rows of an execution, along its line."""

    reader: Reader
    execution_id: str
    iterations: _Iterations
    since: int = 0
    """Frames before this one don't count: their rows may be left out."""

    def rows(self, table: str, columns: str, order: str) -> list[tuple[Any, ...]]:  # Any: SQLite's values
        where, given = of_line(self.reader.line(self.execution_id), table, since=self.since)
        return self.reader.query(f"SELECT {columns} FROM {table} WHERE {where} ORDER BY {order}", given).rows

    def versions(self) -> list[tuple[Any, ...]]:  # Any: SQLite's values
        """Return the versions of nodes, each node's in turn."""
        columns = "node_id, from_frame, to_frame, path, type, key, parent_id, position, props, text, events"
        return self.rows("nodes", columns, "node_id, from_frame")

    def tasks(self) -> dict[tuple[str, str], _Task]:
        """Return the tasks in their order, by execution and task id: task ids repeat along a line."""
        rows = self.rows("tasks", "execution_id, task_id, node_id, mounted_at_frame", "mounted_at_frame, rowid")
        count: Counter[tuple[str, str]] = Counter()
        found = {}
        for owner, task_id, node_id, frame in rows:
            loop = self.iterations.at(node_id, frame)
            count[node_id, loop] += 1
            found[owner, task_id] = _Task(node_id, frame, loop, count[node_id, loop])
        return found


def _frames(record: _Record) -> Iterator[Fact]:
    for frame, status in record.rows("frames", "frame, status", "frame"):
        yield Fact("frame", frame, (status,))


def _nodes(record: _Record) -> Iterator[Fact]:
    for node_id, from_frame, to_frame, _path, kind, *rest in record.versions():
        end = f"until frame {to_frame}" if to_frame else "to the end"
        yield Fact("node", from_frame, (kind, end, *rest), node_id)


def _merged(versions: Iterable[tuple[Any, ...]]) -> Iterator[Fact]:
    """Yield the nodes' versions: a changed position alone makes no new one, because it may be its siblings' doing."""
    begun: tuple[Any, ...] = ()
    """What the node is known by, and its content, as the open fact has them."""
    frame = position = until = None
    for node_id, from_frame, to_frame, path, kind, key, parent_id, at, *rest in versions:
        content = (node_id, loop_of(path), kind, key, parent_id, *rest)
        follows = begun and begun[0] == node_id and until == from_frame
        if not follows or content != begun:
            if begun:
                # One that another version follows has not left.
                yield _node(begun, frame, position, stays=follows or until is None)
            begun, frame, position = content, from_frame, at
        until = to_frame
    if begun:
        yield _node(begun, frame, position, stays=until is None)


def _node(content: tuple[Any, ...], frame: Any, position: Any, *, stays: bool) -> Fact:  # Any: SQLite's values
    node_id, loop, kind, key, parent_id, *rest = content
    return Fact("node", frame, (kind, key, parent_id, position, *rest, stays), node_id, loop=loop)


def _state(record: _Record) -> Iterator[Fact]:
    columns, found = "from_frame, key, value, type", {}
    for part in record.reader.line(record.execution_id):
        # A branch has copies of what held at its fork, but for the keys that were edited there: those are its
        # parent's. A copy has the from_frame of its original, and stands for it.
        sql = f"SELECT {columns} FROM state WHERE execution_id = ? AND from_frame <= ? ORDER BY from_frame, key"
        for frame, key, value, kind in record.reader.query(sql, (part.execution_id, part.last)).rows:
            found[frame, key] = Fact("state", frame, (value, kind), key=key)
    yield from found.values()


def _writes(record: _Record) -> Iterator[Fact]:
    # Reports of progress are not recorded: a replay makes the writes of on_progress as writes of the task.
    columns = (
        "frame, node_id, key, scope, iif(handler = 'on_progress', 'task', origin), nullif(handler, 'on_progress'),"
        " status, new, origin"
    )
    for frame, node_id, key, scope, origin, handler, status, new, by in record.rows(
        "transitions", columns, "frame, seq"
    ):
        if (by in ("operator", "task") and status == "rolled_back") or (scope == "vol" and by == "operator"):
            continue
        loop = record.iterations.at(node_id, frame)
        yield Fact("write", frame, (status, new), node_id, key=key, loop=loop, name=(scope, origin, handler))


def _handlers(record: _Record) -> Iterator[Fact]:
    for frame, node_id, event, status, writes in record.rows(
        "handlers", "frame, node_id, event, status, writes", "frame, rowid"
    ):
        if event != "on_progress":
            loop = record.iterations.at(node_id, frame)
            yield Fact("handler", frame, (status, count(writes, "write")), node_id, key=event, loop=loop)


def _effects(record: _Record) -> Iterator[Fact]:
    for frame, node_id, kind, status, deps in record.rows(
        "effects", "frame, node_id, kind, status, deps", "frame, rowid"
    ):
        loop = record.iterations.at(node_id, frame)
        yield Fact("effect", frame, (status, deps), node_id, key=kind, loop=loop)


def _tasks(record: _Record) -> Iterator[Fact]:
    """Yield the ends of tasks: one that did not end, or was given up with its node, counts as cancelled with it."""
    columns = (
        "node_id, mounted_at_frame, iif(ended_at IS NULL OR status = 'cancelled', 'not ended', status), result,"
        " result_type, error"
    )
    for node_id, frame, status, result, kind, error in record.rows("tasks", columns, "mounted_at_frame, rowid"):
        outcome = _outcome(status, (result, kind), error)
        yield Fact("task", frame, outcome, node_id, loop=record.iterations.at(node_id, frame))


def _outcome(status: str, result: tuple[Any, ...], error: str | None) -> tuple[Any, ...]:
    """Return the end of a task: status, result and message of its error."""
    # Only the message: the traceback names lines of code that may have moved. After a success the column still holds
    # the error of an earlier attempt, and how many attempts it took does not count.
    if status not in ("failed", "abandoned"):
        return (status, *result, None)
    return ("failed", *result, message_of(error) if error else None)


def _tools(record: _Record, by_frame: bool = True) -> Iterator[Fact]:
    columns = "execution_id, task_id, turn, tool_call_id, tool, input, status, output, caller"
    rows = record.rows("tool_calls", columns, "id")
    tasks = record.tasks() if rows else {}
    for owner, task_id, turn, call_id, tool, given, status, output, caller in rows:
        # A replay does not call the tool, and so not the agent that it runs.
        if by_frame and caller is not None:
            continue
        task = tasks[owner, task_id]
        # Providers make new ids for the calls of each answer; a replay has the recorded ones.
        name = (turn, call_id) if by_frame else (task.number, turn)
        fields = (given, status, output)
        yield Fact("tool call", task.frame, fields, task.node_id, key=tool, loop=task.loop, name=name)


def _tools_by_turn(record: _Record) -> Iterator[Fact]:
    return _tools(record, by_frame=False)


def _requests(record: _Record) -> Iterator[Fact]:
    """Yield the requests to models, each with the messages that it adds to the one before."""
    columns = "execution_id, task_id, turn, model, status, error, id, base_id, request, history, parameters, response"
    rows = record.rows("model_calls", columns, "id")
    tasks = record.tasks() if rows else {}
    assembled, texts = Assembled(), _Contents()
    bases: dict[int, tuple[list[str], list[str]]] = {}
    for owner, task_id, turn, model, status, error, *stored in rows:
        id, base_id, *_, parameters, response = stored
        task = tasks[owner, task_id]
        # As stored, a request is a difference whose form depends on times: only whole messages can be compared.
        made = assembled.read(decoded(dict(zip(_STORED, stored, strict=True))))
        messages = texts.of(made.messages)
        history = messages if made.history is None else texts.of(made.history)
        said, before = bases.get(base_id, ([], []))
        answer = None if response is None else content_of(json.loads(response))
        bases[id] = ([*messages, answer or ""], [*history, answer or ""])
        told = None if made.history is None else _beyond(history, before)
        fields = (model, _beyond(messages, said), told, parameters, answer, status, error and message_of(error))
        yield Fact("model call", task.frame, fields, task.node_id, loop=task.loop, name=(task.number, turn))


class _Contents:
    """The contents of messages; those that several requests share are written once."""

    def __init__(self) -> None:
        self._texts: dict[int, tuple[Any, str]] = {}

    def of(self, messages: Iterable[Any]) -> list[str]:  # Any: JSON
        found = []
        for message in messages:
            # The message is kept with its text: an id is used again when its object is gone.
            if id(message) not in self._texts:
                self._texts[id(message)] = message, content_of(message)
            found.append(self._texts[id(message)][1])
        return found


_STORED = ("id", "base_id", "request", "history", "parameters", "response")


def _beyond(messages: list[str], base: list[str]) -> str:
    """Return the messages after those that the base has, too; where it has others then, with the number of these."""
    kept = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(messages, base, strict=False)))
    cut = [str(kept)] if kept < len(base) else []
    return f"[{', '.join(cut + messages[kept:])}]"


_ACCIDENTAL = frozenset(
    {
        "timestamp", "run_id", "conversation_id", "tool_call_id", "id", "usage", "provider_response_id",
        "provider_details", "provider_url", "provider_name",
    }
)  # fmt: skip
"""Fields of a message, and of its parts, that differ from one answer to the next of the same words."""


def content_of(message: Any) -> str:  # Any: JSON
    """Return a message as JSON without times and ids.

    >>> content_of({"parts": [{"content": "hi", "timestamp": "2026"}], "run_id": "7"})
    '{"parts": [{"content": "hi"}]}'
    """
    return json.dumps(_essential(message), ensure_ascii=False)


def _essential(found: Any) -> Any:  # Any: JSON
    if isinstance(found, list):
        return [_essential(one) for one in found]
    if not isinstance(found, dict):
        return found
    kept = {name: value for name, value in found.items() if name not in _ACCIDENTAL}
    # Only messages and their parts: inside of arguments and content, these names are the user's.
    if "parts" in kept:
        kept["parts"] = _essential(kept["parts"])
    return kept


def _end(record: _Record) -> Iterator[Fact]:
    found, last = record.reader.execution(record.execution_id), record.reader.last_frame(record.execution_id)
    # The other statuses say how a person left the execution, which a replay does not repeat.
    status = "not over"
    if found.status in CONCLUDED:
        status = found.status
    yield Fact("end", last, (status, *(found.result or (None, None))))


_Table = Callable[[_Record], Iterator[Fact]]
_BY_FRAME: tuple[_Table, ...] = (_frames, _nodes, _tools, _tasks, _handlers, _effects, _writes, _state, _end)
_OF_FRAMES: tuple[_Table, ...] = (_tasks, _handlers, _effects, _writes)
_BY_TURN: tuple[_Table, ...] = (_tasks, _requests, _tools_by_turn, _handlers, _effects, _writes, _state, _end)
