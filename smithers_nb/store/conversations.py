"""The conversations of agents, read from the file."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..errors import StoreError, did_you_mean, message_of
from ..identity import loop_of
from ..nodes.runnable import AGENT_TYPES
from ..records import Part, TaskConversation, TaskRecord
from ..records.conversation import exchanges_of
from .line import of_line, once
from .reader import TASK_COLUMNS, Reader


def conversations(
    reader: Reader, execution_id: str | None = None, node_id: str | None = None
) -> Iterator[TaskConversation]:
    """Yield the conversation of each task that has asked a model, oldest first: of an execution and its line, or of
    all executions; of one node, or of all.
    """
    where, given = once("tasks"), dict[str, object]()
    if execution_id is not None:
        where, given = of_line(reader.line(execution_id), "tasks")
    if node_id is not None:
        where, given["node"] = f"{where} AND node_id = :node", node_id
    rows = reader.query(
        f"SELECT tasks.execution_id, {_PATH}, {TASK_COLUMNS} FROM tasks WHERE {where} AND EXISTS (SELECT 1 FROM"
        " model_calls c WHERE c.execution_id = tasks.execution_id AND c.task_id = tasks.task_id)"
        " ORDER BY tasks.rowid",
        given,
    ).rows
    for owner, path, *task in rows:
        yield conversation(reader, owner, TaskRecord(*task), path)


def conversation(reader: Reader, execution_id: str, task: TaskRecord, path: str | None) -> TaskConversation:
    """Return the conversation of a task of an execution, whose node stood at ``path``."""
    calls = reader.model_calls(execution_id, task.task_id)
    tools = reader.tool_calls(execution_id, task.task_id)
    return TaskConversation(execution_id, task, iteration_of(path), exchanges_of(calls, tools))


def conversations_of(
    reader: Reader, execution_id: str, node_id: str, iteration: int | None = None
) -> tuple[TaskConversation, ...]:
    """Return the conversations of a node, oldest first; those of one iteration of the loop around it, or all.

    Raises:
        StoreError: if there is no such node, it has not asked a model, or not in this iteration.
    """
    found = tuple(conversations(reader, execution_id, node_id))
    if not found:
        raise StoreError(_nothing(reader, execution_id, node_id))
    if iteration is None:
        return found
    chosen = tuple(one for one in found if one.iteration == iteration)
    if chosen:
        return chosen
    there = sorted({one.iteration for one in found if one.iteration is not None})
    if not there:
        raise StoreError(f"the node {node_id!r} stands in no loop. Leave iteration={iteration} out.")
    raise StoreError(
        f"the node {node_id!r} has asked no model in iteration {iteration}. It has in {', '.join(map(str, there))}."
    )


def iteration_of(path: str | None) -> int | None:
    """Return the iteration of the innermost loop around a path.

    >>> iteration_of("/while[0]/@2/claude[0]"), iteration_of("/claude[0]")
    (2, None)
    """
    found = re.search(r"/@(\d+)$", loop_of(path or ""))
    if found is None:
        return None
    return int(found[1])


_PATH = (
    "(SELECT path FROM nodes n WHERE n.execution_id = tasks.execution_id AND n.node_id = tasks.node_id"
    " AND n.from_frame <= tasks.mounted_at_frame ORDER BY n.from_frame DESC LIMIT 1)"
)


def _nothing(reader: Reader, execution_id: str, node_id: str) -> str:
    """Return why a node has no conversation."""
    where, given = of_line(reader.line(execution_id), "nodes")
    sql = f"SELECT node_id, type, min(from_frame), path FROM nodes WHERE {where} GROUP BY node_id ORDER BY 3, 4"
    rows = [(id, kind) for id, kind, *_ in reader.query(sql, given).rows]
    types = dict(rows)
    agents = [id for id, kind in rows if kind in AGENT_TYPES]
    if node_id not in types:
        there = "No agent was in its plan yet."
        if agents:
            there = f"Its agents are {', '.join(dict.fromkeys(agents))}."
        return f"{execution_id} has no node {node_id!r}.{did_you_mean(node_id, agents)} {there}"
    if types[node_id] not in AGENT_TYPES:
        return f"the node {node_id!r} is a {types[node_id]}, which has no conversation.{did_you_mean(node_id, agents)}"
    return f"the node {node_id!r} has not asked its model yet. Run or step the execution until it has."


MESSAGE_COLUMNS = {
    "execution_id": "TEXT",
    "node_id": "TEXT",
    "iteration": "INTEGER",
    "task_id": "TEXT",
    "turn": "INTEGER",
    "attempt": "INTEGER",
    "role": "TEXT",
    "kind": "TEXT",
    "tool": "TEXT",
    "text": "TEXT",
    "status": "TEXT",
    "tool_call_id": "TEXT",
    "agent": "TEXT",
    "model": "TEXT",
    "waited_s": "REAL",
    "finish_reason": "TEXT",
    "input_tokens": "INTEGER",
    "output_tokens": "INTEGER",
    "cost_usd": "REAL",
    "ms": "REAL",
}
"""The columns of ``DataFrames.messages``, with their types as in ``schema.sql``."""


def messages(reader: Reader, execution_id: str | None) -> list[tuple[object, ...]]:
    """Return the parts of all conversations as rows, in the order of ``MESSAGE_COLUMNS``."""
    with reader.together():
        return [row for found in conversations(reader, execution_id) for row in _rows(found)]


def _rows(found: TaskConversation) -> Iterator[tuple[object, ...]]:
    task = found.task
    for exchange in found.exchanges:
        call = exchange.call
        place = (found.execution_id, task.node_id, found.iteration, task.task_id, call.turn, call.attempt)
        answer = list(exchange.answer)
        if call.status != "ok" or not answer:
            answer.append(Part("assistant", call.status, message_of(call.error or ""), status=call.status))
        rows = [(part, False) for part in exchange.given]
        rows += [(part, part is answer[-1]) for part in answer]
        rows += [(part, False) for part in exchange.results]
        for part, last in rows:
            # Figures of a request stand once, with the end of its answer: their sums are right.
            figures: tuple[object, ...] = (None, None, None, None, part.ms)
            if last:
                figures = (
                    exchange.finish_reason,
                    call.input_tokens,
                    call.output_tokens,
                    call.cost_usd,
                    call.ms,
                )
            yield (
                *place,
                part.role,
                part.kind,
                part.tool,
                part.text,
                part.status,
                part.tool_call_id,
                call.agent,
                call.model,
                exchange.waited_s,
                *figures,
            )
