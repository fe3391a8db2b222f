"""Why a task started, and why it ended as it did."""

from __future__ import annotations

import re
from datetime import datetime

from ...errors import message_of
from ...nodes.schedule import ORDERED, RUNNABLE
from ...nodes.tree import Tree, TreeNode
from ...records import ModelCallRecord, Phase, QuestionRecord, Statement, TaskRecord, ToolCallRecord
from ...records.words import count, short
from .book import About, Book
from .facts import Matter, NodeAt, NodeGone, Stands, TaskBegan, TaskEnded, TaskStands, Told
from .values import value_words

AGENTS = ("claude", "agent")
AGAIN = re.compile(r"@\d+([rh])\d+$")
"""The end of the id of a task that a person had run, or handled, again."""
LIMIT = "limit: "
"""The beginning of the reason of a task that a limit ended."""
MOST_SPENT = 3
"""The most agents that are named as those that used up a limit."""
MOST_TOOLS = 5
"""The most tool calls that an answer names."""
_ANSWERED = {
    "recording": "the recorded answer of its family was used",
    "cache": "the answer came from the cache: the same request had been answered before",
    "replay": "the recorded answer was replayed",
}


def task_stands(fact: TaskStands) -> Told:
    """Tell how a task stands, and what led there."""
    book = fact.book
    task = book.task(fact.task_id)
    if task is None:
        return _unknown(book, fact.task_id)
    if task.ended:
        told = task_ended(TaskEnded(book, task.task_id))
        return Told(told.statement, (*told.causes, TaskBegan(book, task.task_id)))
    if task.status == "blocked":
        first, *others = waits(book, task)
        return Told(first, (*(Told(one) for one in others), TaskBegan(book, task.task_id)))
    text = f"the task of {book.name(task.node_id, book.last)} is {task.status}"
    if task.reason:
        text += f": {task.reason}"
    about: About = _about(book, task, task.mounted_at_frame)
    return Told(book.say(text, **about), (TaskBegan(book, task.task_id),))


def _unknown(book: Book, task_id: str) -> Told:
    return Told(book.say(f"task {task_id} is not recorded any more", evidence=None))


def waits(book: Book, task: TaskRecord) -> list[Statement]:
    """Return what a blocked task waits for: the answers of people, or a time."""
    about: About = _about(book, task, task.mounted_at_frame)
    name = book.name(task.node_id, book.last)
    found = []
    for one in book.rows.asked(task.task_id):
        if one.answered_at is None:
            text = f"{name} waits for a person: {short(one.prompt, 100)} (approval {one.approval_id})"
            row: About = about | {"table": "approvals", "row_id": one.approval_id}
            found.append(book.say(text, **row))
    if found:
        return found
    # Blocked without a question is a wait for a time: a rate limit, or a retry.
    text = f"{name} is blocked"
    if task.next_retry_at is not None:
        text += f" until {datetime.fromisoformat(task.next_retry_at):%H:%M:%S} UTC"
    # From the row: as it stood at a cursor, a task that has not ended has no error yet.
    stored = book.rows.task(task.task_id) or task
    why = message_of(stored.error or "") or stored.reason or "it tries again"
    return [book.say(f"{text}: {short(' '.join(why.split()), 200)}", **about)]


def _about(book: Book, task: TaskRecord, frame: int) -> About:
    return {"table": "tasks", "row_id": task.task_id, "frame": frame, "phase": Phase.EXECUTE, "node_id": task.node_id}


# ---- how it began ------------------------------------------------------------------------------------------------


def task_began(fact: TaskBegan) -> Told:
    """Tell why a task started when it did."""
    book = fact.book
    task = book.task(fact.task_id)
    if task is None:
        return _unknown(book, fact.task_id)
    frame = task.mounted_at_frame
    name = book.name(task.node_id, frame)
    if (again := AGAIN.search(task.task_id)) is not None:
        what = {"r": "run", "h": "handled"}[again[1]]
        text = f"{name} was {what} again by a person, after frame {frame}"
        return Told(book.say(text, **_about(book, task, frame)))
    # Ready is not started: it waits for a thread, or for other agents to end.
    if task.started_at is None:
        text = f"the task of {name} is ready since frame {frame}, and has not started"
        return Told(book.say(text, **_about(book, task, frame)), (NodeAt(book, task.node_id, frame),))
    why, causes = _start_cause(book, task, frame)
    return Told(book.say(f"{name} started in frame {frame}{why}", **_about(book, task, frame)), causes)


def _start_cause(book: Book, task: TaskRecord, frame: int) -> tuple[str, tuple[Matter | Told, ...]]:
    """Return what let a task start in a frame, in words and as facts."""
    held, before = book.node(task.node_id, frame), book.node(task.node_id, frame - 1)
    there = before is not None and held is not None and before.node.path == held.node.path
    if not there:
        return ", in which it was mounted", (NodeAt(book, task.node_id, frame),)
    # It was in the plan before: something that the order puts before it has been settled in the frame before.
    gate = gate_of(book.tree(frame - 1), task.node_id)
    settled = book.rows.settled_in(frame - 1)
    # A phase may have begun because the one before it had nothing left that runs.
    waited = [one for one in settled if gate is None or one.node_id in _below(gate)]
    causes = tuple(TaskEnded(book, one.task_id) for one in waited or settled)
    if gate is None:
        return ", when what it waited for had ended", causes or (NodeAt(book, task.node_id, frame),)
    return f", when {book.name(gate.id, frame - 1)} had ended", causes or (NodeAt(book, task.node_id, frame),)


def _below(node: TreeNode) -> set[str]:
    return {one.id for one in node.walk()}


def gate_of(tree: Tree, node_id: str) -> TreeNode | None:
    """Return the sibling that a node, or something around it, waits for: the one before it in an order.

    That is the phase before the node's phase, or the node before it in a sequence; None outside of any order.
    """
    node = tree.index.get(node_id)
    while node is not None:
        parent = tree.index.get(node.parent_id or "")
        siblings = tree.roots
        if parent is not None:
            siblings = parent.children
        ordered = (parent is not None and parent.type == "sequence") or node.type in ORDERED
        if ordered and (parent is None or parent.type != "parallel"):
            earlier = [
                one
                for one in siblings[: node.position]
                if one.type in ORDERED or (parent is not None and parent.type == "sequence")
            ]
            works = [one for one in earlier if any(inner.type in RUNNABLE for inner in one.walk())]
            if works:
                return works[-1]
        node = parent
    return None


# ---- how it ended ------------------------------------------------------------------------------------------------


def task_ended(fact: TaskEnded) -> Told:
    """Tell how a task ended; its causes end at an answer."""
    book = fact.book
    task = book.task(fact.task_id)
    if task is None:
        return _unknown(book, fact.task_id)
    frame = _end_frame(book, task)
    name = book.name(task.node_id, frame)
    text = f"{name} {task.status}"
    if task.attempt > 1:
        text += f" at attempt {task.attempt} of {task.max_attempts}"
    error = _error(task)
    if error and task.status != "succeeded":
        text += f": {error}"
    elif task.reason and task.status != "succeeded":
        text += f": {task.reason}"
    if not task.ended:
        text = f"{name} is {task.status}"
    statement = book.say(text, **_about(book, task, frame))
    return Told(statement, tuple(_end_causes(book, task, frame)))


def _end_frame(book: Book, task: TaskRecord) -> int:
    """Return the frame in which a task ended: the one after which its end was dealt with."""
    if task.ended_at is None:
        return task.settled_at_frame or task.mounted_at_frame
    # From the frame that settled it backwards: its end is at most a few frames earlier.
    until = task.settled_at_frame or book.last
    return max(book.rows.frame_at(task.ended_at, until), task.mounted_at_frame)


def _error(task: TaskRecord) -> str:
    return short(" ".join(message_of(task.error or "").split()), 200)


def _end_causes(book: Book, task: TaskRecord, frame: int) -> list[Matter | Told]:
    """Return what a task ended with: an answer of a model, a person, a child or a function, an error, a person."""
    held = book.rows.last_node(task.node_id, frame)
    # A pruned plan leaves no type: then the kind of the answer tells itself.
    kind = held.node.type if held is not None else ""
    if task.status == "cancelled":
        return _cancelled(book, task, frame)
    if (again := AGAIN.search(task.task_id)) is not None and again[1] == "h":
        return [TaskBegan(book, task.task_id)]
    # Tools of an agent ask people, too, and so does a task whose process had ended.
    asked = book.rows.asked(task.task_id)
    if kind == "approval":
        return [_answer(book, task, one, frame) for one in asked]
    if kind == "smithers" and (child := book.child(task)) is not None:
        return [Stands(child)]
    found: list[Matter | Told] = [_answer(book, task, one, frame) for one in asked if one.answered_at is not None]
    if kind in AGENTS:
        calls = book.rows.model_calls(task.task_id)
        found += [_model_call(book, task, one, frame) for one in _telling(calls)]
        if (limit := (task.reason or "").removeprefix(LIMIT)) != (task.reason or ""):
            return [*found, _limit(book, task, limit, frame)]
        if calls:
            return found
    about: About = _about(book, task, frame)
    if task.status == "succeeded":
        result = book.rows.result(task.task_id)
        # The chain ends at an answer; why the task ran at all is a further question.
        about["link"] = task.task_id
        return [*found, Told(book.say(f"its function returned {value_words(result)}", **about))]
    if task.status == "abandoned":
        text = f"its process had ended, and it was given up: {task.reason or 'no attempt was left'}"
        return [*found, Told(book.say(text, **about))]
    return [*found, Told(book.say(f"its function raised {_error(task) or 'an error'}", **about))]


def _limit(book: Book, task: TaskRecord, limit: str, frame: int) -> Told:
    """Tell the limit that ended an agent, and the agents that used it up."""
    spent = []
    for id, requests, tokens, cost in book.rows.spent(MOST_SPENT):
        used = f"{count(requests, 'request')} and {count(tokens, 'token')}"
        if cost:
            used += f", ${cost:.4f}"
        user = book.task(id)
        if user is not None:
            about: About = _about(book, user, user.mounted_at_frame)
            spent.append(Told(book.say(f"{book.name(user.node_id, frame)} used {used}", **about)))
    text = f"the limit was reached: {limit}"
    return Told(book.say(text, **_about(book, task, frame)), tuple(spent))


def _cancelled(book: Book, task: TaskRecord, frame: int) -> list[Matter | Told]:
    gone = book.rows.last_node(task.node_id, book.last)
    if task.reason == "its node is gone" or (gone is not None and gone.until is not None and gone.until >= frame > 0):
        return [NodeGone(book, task.node_id, (gone and gone.until) or frame)]
    about: About = _about(book, task, frame)
    if book.execution.status in ("finished", "stopped") and task.settled_at_frame in (None, book.last):
        return [Stands(book)]
    return [Told(book.say(f"a person cancelled it: {_error(task) or task.reason or 'by hand'}", **about))]


def _answer(book: Book, task: TaskRecord, one: QuestionRecord, frame: int) -> Told:
    """Tell the answer of a person."""
    name = book.name(task.node_id, frame)
    about: About = _about(book, task, frame) | {"table": "approvals", "row_id": one.approval_id}
    if one.answered_at is None:
        return Told(book.say(f"{name} asked {short(one.prompt, 80)!r}, and was not answered ({one.status})", **about))
    reused = book.rows.reused_from(one.approval_id)
    text = f"a person answered {name} with {one.choice}"
    if one.comment:
        text += f", saying: {short(one.comment, 100)}"
    if reused is not None:
        text += f"; the answer is that of {reused}"
    return Told(book.say(text, **about))


def _telling(calls: list[ModelCallRecord]) -> list[ModelCallRecord]:
    """Return the requests that tell how an agent ended: the last one, and those of its turn that had failed."""
    if not calls:
        return []
    # Earlier turns led to tool calls, which have sentences of their own.
    last = calls[-1]
    return [last, *(one for one in calls[:-1] if one.error and one.turn == last.turn)]


def _model_call(book: Book, task: TaskRecord, call: ModelCallRecord, frame: int) -> Told:
    # A branch has copies of settled tasks, but not of their calls: those stay with the execution that made them.
    owner = book.rows.owner(max(task.settled_at_frame or frame, 1))
    about: About = _about(book, task, frame) | {"table": "model_calls", "row_id": str(call.id), "execution_id": owner}
    if call.error:
        text = f"attempt {call.attempt} at turn {call.turn} failed: {short(' '.join(message_of(call.error).split()))}"
        return Told(book.say(text, **about))
    text = f"{call.model} answered in turn {call.turn}"
    if call.attempt > 1:
        text += f", at attempt {call.attempt}"
    if call.answered_by != "model":
        text += f"; {_ANSWERED[call.answered_by]}"
    result = book.rows.result(task.task_id)
    if result is not None and task.status == "succeeded":
        text += f": {value_words(result)}"
    tools = [one for one in book.rows.tool_calls(task.task_id) if one.turn < call.turn]
    if tools:
        text += f", after {count(len(tools), 'tool call')}"
    about["link"] = f"{task.node_id}.prompt"
    return Told(book.say(text, **about), tuple(_tool_call(book, task, one, frame) for one in tools[:MOST_TOOLS]))


def _tool_call(book: Book, task: TaskRecord, call: ToolCallRecord, frame: int) -> Told:
    about = _about(book, task, frame) | {"table": "tool_calls", "row_id": str(call.id)}
    text = f"tool {call.tool}({value_words(call.input)}) returned {value_words(call.output)} in turn {call.turn}"
    if call.status != "ok":
        text = f"tool {call.tool}({value_words(call.input)}) in turn {call.turn}: {call.status}"
        if call.error:
            text += f", {short(' '.join(message_of(call.error).split()))}"
    return Told(book.say(text, **about))
