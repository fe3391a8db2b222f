"""What people are asked while a task waits, and what their answers mean."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ...agents.runner import ApprovalRequired, ToolQuestion
from ...errors import ApprovalError
from ...nodes.runnable import Approval
from ...records import Question, TaskEnd, TaskResult
from ...records.question import APPROVE, DENY, GIVE_UP, ORPHAN, RUN_AGAIN, TOOL
from ...values import encode
from .attempt import stored
from .table import TaskEntry


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


def of_tools(entry: TaskEntry, asks: ApprovalRequired) -> list[Question]:
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


class Asking(Protocol):
    """The tasks of an execution, as far as they ask people."""

    @property
    def execution_id(self) -> str:
        """The id of the execution."""

    @property
    def asking(self) -> Sequence[TaskEntry]:
        """Tasks of mounted nodes that wait for a person."""

    @property
    def below(self) -> Mapping[str, Asking]:
        """The tasks of child executions, by node id."""

    async def answer(self, id: str, choice: str, comment: str | None) -> None:
        """Answer a question of this execution."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A question that waits, as the execution sees it that was given the answer: it may be that of a child."""

    tasks: Asking
    """The tasks of the execution that asks."""
    around: tuple[str, ...]
    """The Smithers nodes through which one comes to it; empty for the execution's own."""
    name: str
    """The node's id, where it has one question only."""
    question: Question

    @property
    def ids(self) -> list[str]:
        """The full ids: by nodes (``chapter/ok``), and by the execution that asks; each with both names it has."""
        prefixes = ["/".join(self.around), self.tasks.execution_id]
        names = self.name, self.question.approval_id
        return [f"{prefix}/{name}" if prefix else name for prefix in prefixes for name in names]


def waiting(tasks: Asking, around: tuple[str, ...] = ()) -> list[Waiting]:
    """Return what people are asked, here and in children."""
    found = [
        Waiting(tasks, around, name, question)
        for entry in tasks.asking
        for name, question in zip(names(entry), list(entry.questions.values()), strict=False)
    ]
    for node_id, child in tasks.below.items():
        found += waiting(child, (*around, node_id))
    return found


def meant(asked: Sequence[Waiting], id: str) -> list[Waiting]:
    """Return the questions that an id may mean: the one that has it, else those whose full id ends with it."""
    return [one for one in asked if id in one.ids] or [
        one for one in asked if any(full.endswith(f"/{id}") for full in one.ids)
    ]


def the_one(asked: Sequence[Waiting], id: str) -> Waiting:
    """Return the question that an id means.

    Raises:
        ApprovalError: if none waits, or those of several children do.
    """
    found = meant(asked, id)
    if not found:
        there = ", ".join(shortest(asked)) or "none"
        raise ApprovalError(f"no approval {id!r} waits for an answer. Waiting: {there}.", node_id=id)
    if len(found) > 1:
        full = " or ".join(repr(one.ids[0]) for one in found)
        raise ApprovalError(
            f"approval {id!r} waits in {len(found)} children. Nothing was answered. Say which one: {full}.",
            node_id=found[0].question.node_id,
        )
    return found[0]


def shortest(asked: Sequence[Waiting]) -> list[str]:
    """Return the id by which each is answered: its own, or its full one where several have that."""
    return [one.name if meant(asked, one.name) == [one] else one.ids[0] for one in asked]


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
