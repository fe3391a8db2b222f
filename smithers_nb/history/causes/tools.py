"""Why a tool was called: the answer of the model that asked for it, and for an agent in a tool, the call around it."""

from __future__ import annotations

from ...records import ModelCallRecord, Phase, ToolCallRecord
from ...records.words import count
from .book import About, Book
from .facts import Matter, TaskBegan, Told, ToolRan
from .values import value_words


def tool_ran(fact: ToolRan) -> Told:
    """Tell a tool call of an agent's task that wrote something."""
    book, task_id, frame = fact.book, fact.task_id, fact.frame
    call = book.rows.tool_call(task_id, fact.tool_call_id, frame, before=fact.inner)
    if call is None:
        text = f"tool call {fact.tool_call_id} is not recorded any more"
        return Told(book.say(text, evidence=None), (TaskBegan(book, task_id),))
    text = f"{_who(book, fact, call)} called tool {call.tool}({value_words(call.input)}) in turn {call.turn}"
    if call.attempt > 1:
        text += f", attempt {call.attempt}"
    statement = book.say(text, **_about(book, fact, "tool_calls", call.id))
    return Told(statement, _asked_for(fact, call))


def _who(book: Book, fact: ToolRan, call: ToolCallRecord) -> str:
    name = book.name(_node_of(book, fact.task_id), fact.frame)
    return name if call.agent is None else f"agent {call.agent} in {name}"


def _asked_for(fact: ToolRan, call: ToolCallRecord) -> tuple[Matter | Told, ...]:
    """Return the answer that asked for a call, and what led to the request; of an inner agent, the call around it."""
    book, task_id = fact.book, fact.task_id
    led: tuple[Matter, ...] = (TaskBegan(book, task_id),)
    if call.caller is not None:
        led = (ToolRan(book, task_id, call.caller, fact.frame, inner=call.id),)
    answer = book.rows.answer_with(task_id, call)
    if answer is None:
        return led
    about = _about(book, fact, "model_calls", answer.id)
    if call.agent is None:
        about["link"] = f"{_node_of(book, task_id)}.prompt"
    return (Told(book.say(_answered(answer), **about), led),)


def _answered(answer: ModelCallRecord) -> str:
    text = f"{answer.model} asked for it in turn {answer.turn}"
    if answer.answered_by != "model":
        text += f", answered by {answer.answered_by}"
    if answer.output_tokens:
        text += f", with {count(answer.output_tokens, 'token')}"
    return text


def _about(book: Book, fact: ToolRan, table: str, id: int) -> About:
    return {
        "table": table,
        "row_id": str(id),
        "frame": fact.frame,
        "phase": Phase.EXECUTE,
        "node_id": _node_of(book, fact.task_id),
    }


def _node_of(book: Book, task_id: str) -> str | None:
    task = book.task(task_id)
    return None if task is None else task.node_id
