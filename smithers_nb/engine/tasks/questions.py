"""Questions that people are asked while a task waits, and the effects of their answers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ...agents.runner import ApprovalRequired, ToolQuestion
from ...credentials import masked, masked_json
from ...errors import ApprovalError
from ...nodes.runnable import Approval
from ...records import Answer, Question, TaskEnd, TaskResult, TaskStatus
from ...records.question import APPROVE, DENY, EXTERNAL, FAIL, GIVE_UP, ORPHAN, RESULT, RUN_AGAIN, TOOL
from ...values import Stored, encode
from .answers import refuse_wrong
from .attempt import stored
from .entry import TaskEntry


def of_node(entry: TaskEntry, approval: Approval) -> Question:
    """Return the question of an Approval node, without the credentials in its props."""
    payload = stored(entry, approval.payload)
    return Question(
        approval_id=entry.task_id,
        task_id=entry.task_id,
        node_id=entry.node.id,
        kind=approval.kind,
        prompt=masked(approval.prompt),
        payload=Stored(masked_json(payload.text), payload.type),
        options=approval.options,
    )


def of_orphan(task_id: str, node_id: str, attempt: int, ended: str) -> Question:
    """Return the question about a task that was running when its process ended."""
    # The attempt is part of the id: a task that is cut off once more asks again, and an old answer does not count.
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
    kind, options, wants = TOOL, [APPROVE, DENY], "wants to call"
    if asked.external:
        kind, options, wants = EXTERNAL, [RESULT, FAIL], "waits for the result of"
    # No id: the transaction counts the questions that the task has asked before, in any process.
    return Question(
        approval_id="",
        task_id=entry.task_id,
        node_id=entry.node.id,
        kind=kind,
        prompt=f"{entry.node.id} {wants} {asked.tool} with {_beginning(asked.input)}",
        payload=stored(entry, {"tool": asked.tool, "input": json.loads(asked.input), **asked.shown}),
        options=options,
        turn=asked.turn,
        tool_call_id=asked.tool_call_id,
        schema=asked.schema,
    )


def _beginning(text: str) -> str:
    if len(text) > 300:
        return f"{text[:300]}…"
    return text


def names(entry: TaskEntry) -> list[str]:
    """Return the names by which its questions are answered: the node's, where it has one question only."""
    if len(entry.questions) == 1:
        return [entry.node.id]
    return list(entry.questions)


def find(asking: Sequence[TaskEntry], id: str, answer: Answer) -> tuple[TaskEntry, Question]:
    """Return the question of an id; where it is the only one of its node, the node's id means it, too.

    Raises:
        ApprovalError: if none of that id waits, several of that node do, or the answer is none to it.
    """
    asked = {}
    for entry in asking:
        for name, question in zip(names(entry), entry.questions.values(), strict=True):
            asked[name] = asked[question.approval_id] = (entry, question)
    if id not in asked:
        waiting = ", ".join(name for entry in asking for name in names(entry)) or "none"
        raise ApprovalError(f"no approval {id!r} waits for an answer. Waiting: {waiting}.", node_id=id)
    entry, question = asked[id]
    refuse_wrong(question, answer, id)
    return entry, question


class Asking(Protocol):
    """The questions of an execution's tasks, and of its children's."""

    @property
    def execution_id(self) -> str:
        """The id of the execution."""

    @property
    def asking(self) -> Sequence[TaskEntry]:
        """Tasks of mounted nodes that wait for a person."""

    @property
    def below(self) -> Mapping[str, Asking]:
        """The tasks of child executions, by node id."""

    async def answer(self, id: str, answer: Answer) -> None:
        """Answer a question of this execution."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A question that waits for an answer, seen from the execution that gets the answer: it may be a child's."""

    tasks: Asking
    """The tasks of the execution that asks."""
    around: tuple[str, ...]
    """The ids of the Smithers nodes that lead to it, outermost first; empty for the execution's own."""
    name: str
    """The node's id, where it has one question only."""
    question: Question

    @property
    def ids(self) -> list[str]:
        """The full ids: by nodes (``chapter/ok``), and by the execution that asks; each with both of its names."""
        prefixes = ["/".join(self.around), self.tasks.execution_id]
        names = self.name, self.question.approval_id
        return [f"{prefix}/{name}" if prefix else name for prefix in prefixes for name in names]


def waiting(tasks: Asking, around: tuple[str, ...] = ()) -> list[Waiting]:
    """Return the questions that people are asked, here and in children."""
    found = []
    for entry in tasks.asking:
        # Other threads call this, too. Between the names and the values, the engine may take an answered question away.
        for name, question in zip(names(entry), list(entry.questions.values()), strict=False):
            found.append(Waiting(tasks, around, name, question))
    for node_id, child in tasks.below.items():
        found += waiting(child, (*around, node_id))
    return found


def meant(asked: Sequence[Waiting], id: str) -> list[Waiting]:
    """Return the questions that an id may mean: the one that has it, else those whose full id ends with it."""
    exact = [one for one in asked if id in one.ids]
    return exact or [one for one in asked if any(full.endswith(f"/{id}") for full in one.ids)]


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
        # Guessing would approve what the person has not read.
        full = " or ".join(repr(one.ids[0]) for one in found)
        raise ApprovalError(
            f"approval {id!r} waits in {len(found)} children. Nothing was answered. Say which one: {full}.",
            node_id=found[0].question.node_id,
        )
    return found[0]


def shortest(asked: Sequence[Waiting]) -> list[str]:
    """Return the id by which each is answered: its own, or its full one where several have the same."""
    ids = []
    for one in asked:
        if meant(asked, one.name) == [one]:
            ids.append(one.name)
        else:
            ids.append(one.ids[0])
    return ids


def end_by_answer(entry: TaskEntry, question: Question, answer: Answer) -> TaskEnd | None:
    """Give the task its result and return its end; None if it continues with the answer, or is run again."""
    choice, comment = answer.choice, answer.comment
    # An answer about a tool goes to the agent, which continues with it. Of the others, only an Approval's own question
    # has the id of its task; the rest is about orphans.
    if question.tool_call_id is not None:
        return None
    if question.approval_id == entry.task_id:
        entry.result = _result(entry, status="succeeded", attempts=1, output=choice, text=comment or choice)
        return TaskEnd(entry.task_id, "succeeded", 1, encode(choice))
    if choice == RUN_AGAIN:
        return None
    error = comment or question.prompt
    entry.result = _result(entry, status="failed", attempts=entry.attempt, text=error, error=error)
    return TaskEnd(entry.task_id, "failed", entry.attempt, error=error)


def _result(
    entry: TaskEntry,
    *,
    status: TaskStatus,
    attempts: int,
    text: str,
    output: str | None = None,
    error: str | None = None,
) -> TaskResult:
    return TaskResult(
        node_id=entry.node.id,
        task_id=entry.task_id,
        status=status,
        output=output,
        text=text,
        error=error,
        attempts=attempts,
        usage={},
        cost_usd=None,
        duration_s=0.0,
    )
