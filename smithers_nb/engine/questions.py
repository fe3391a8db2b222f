"""What people are asked while a task waits, and what their answers mean."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..agents.runner import Asks, ToolQuestion
from ..errors import ApprovalError
from ..nodes.runnable import Approval
from ..records import Question, TaskEnd, TaskResult
from ..records.question import APPROVE, DENY, GIVE_UP, ORPHAN, RUN_AGAIN, TOOL
from ..values import encode
from .attempt import stored

if TYPE_CHECKING:
    from .tasks import TaskEntry


def of_node(entry: TaskEntry, approval: Approval) -> Question:
    """Return the question of an Approval node."""
    return Question(
        approval_id=entry.task_id,
        task_id=entry.task_id,
        node_id=entry.node.id,
        kind=approval.kind,
        prompt=approval.prompt,
        payload=stored(entry, approval.payload),
        options=approval.options,
    )


def of_orphan(task_id: str, node_id: str, attempt: int, ended: str) -> Question:
    """Return the question about a task that was running when its process ended."""
    return Question(
        approval_id=f"{task_id}:{ORPHAN}{attempt}",
        task_id=task_id,
        node_id=node_id,
        kind=ORPHAN,
        prompt=f"{ended} before {node_id} did. It may have done a part of its work. Run it again?",
        payload=encode(None),
        options=[RUN_AGAIN, GIVE_UP],
    )


def of_tools(entry: TaskEntry, asks: Asks) -> list[Question]:
    """Return the questions about tool calls of an agent; the file gives them their ids."""
    return [_of_tool(entry, asked) for asked in asks.questions]


def _of_tool(entry: TaskEntry, asked: ToolQuestion) -> Question:
    return Question(
        approval_id="",
        task_id=entry.task_id,
        node_id=entry.node.id,
        kind=TOOL,
        prompt=f"{entry.node.id} wants to call {asked.tool} with {asked.input:.300}{'…' * (len(asked.input) > 300)}",
        payload=stored(entry, {"tool": asked.tool, "input": json.loads(asked.input), **asked.shown}),
        options=[APPROVE, DENY],
        turn=asked.turn,
        tool_call_id=asked.tool_call_id,
    )


def names(entry: TaskEntry) -> list[str]:
    """Return by which names its questions are answered: the node's, where it has one question only."""
    return [entry.node.id] if len(entry.questions) == 1 else list(entry.questions)


def find(asking: Sequence[TaskEntry], id: str, choice: str) -> tuple[TaskEntry, Question]:
    """Return the question that an answer is meant for, by its id or, where it is the only one, its node's.

    Raises:
        ApprovalError: if none of that id waits, several of that node do, or it does not offer the choice.
    """
    asked = {}
    for entry in asking:
        for name, question in zip(names(entry), entry.questions.values(), strict=True):
            asked[name] = asked[question.approval_id] = (entry, question)
    if id not in asked:
        waiting = ", ".join(name for entry in asking for name in names(entry)) or "none"
        raise ApprovalError(f"no approval {id!r} waits for an answer. Waiting: {waiting}.", node_id=id)
    entry, question = asked[id]
    if choice not in question.options:
        raise ApprovalError(f"{choice!r} is no choice of {id}: it offers {question.options}.", node_id=entry.node.id)
    return entry, question


def end_by_answer(entry: TaskEntry, question: Question, choice: str, comment: str | None) -> TaskEnd | None:
    """Return how the answer ends the task, and give the task its result; None if it goes on, or is run again."""
    if question.tool_call_id is not None:
        return None
    if question.approval_id != entry.task_id:
        if choice == RUN_AGAIN:
            return None
        error = comment or question.prompt
        entry.result = TaskResult(
            entry.node.id, entry.task_id, "failed", None, error, error, entry.attempt, {}, None, 0.0
        )
        return TaskEnd(entry.task_id, "failed", entry.attempt, error=error)
    entry.result = TaskResult(
        entry.node.id, entry.task_id, "succeeded", choice, comment or choice, None, 1, {}, None, 0.0
    )
    return TaskEnd(entry.task_id, "succeeded", 1, encode(choice))
