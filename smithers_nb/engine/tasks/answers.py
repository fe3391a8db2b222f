"""Answers of people, checked before anything is done with them."""

from __future__ import annotations

import json
from enum import Enum
from typing import Literal

from ...agents.json_schema import schema_error
from ...errors import ApprovalError, NotStorableError, clean
from ...records import Answer, Question
from ...records.question import APPROVE, EXTERNAL, RESULT, TOOL
from ...values import Unstorable, encode


class NoResult(Enum):
    """The type of ``NO_RESULT``."""

    NO_RESULT = "NO_RESULT"

    def __repr__(self) -> str:
        return self.value


NO_RESULT: Literal[NoResult.NO_RESULT] = NoResult.NO_RESULT
"""Stands for a result that was not given: None is a result."""


def given(choice: str | None, comment: str | None, args: object = None, result: object = NO_RESULT) -> Answer:
    """Return the answer that a person gave.

    Raises:
        ApprovalError: if it has neither a choice nor a result, or both.
        NotStorableError: if a result, or the arguments, can't be stored.
    """
    if result is not NO_RESULT:
        if choice not in (None, RESULT):
            raise ApprovalError(f"choice={choice!r} and result=… are two answers. Give one of them.")
        choice = RESULT
    if choice is None:
        raise ApprovalError("the answer has no choice: ex.answer(id, 'approve'), or ex.answer(id, result=…).")
    return Answer(
        choice=clean(choice),
        comment=clean(comment) if comment else comment,
        args=None if args is None else _as_json("args", args),
        result=None if result is NO_RESULT else _as_json("result", result),
    )


def _as_json(name: str, value: object) -> str:
    try:
        return encode(value, name).text
    except Unstorable as why:
        raise NotStorableError(f"{name} of the answer can't be stored: {why}. It takes what JSON can hold.") from None


def refuse_wrong(question: Question, answer: Answer, id: str) -> None:
    """Refuse an answer that is none to a question, which the person named ``id``.

    Raises:
        ApprovalError: saying what is wrong with its choice, arguments or result.
    """
    node_id = question.node_id
    if answer.choice not in question.options:
        raise ApprovalError(f"{answer.choice!r} is no choice of {id}: it offers {question.options}.", node_id=node_id)
    if answer.choice == RESULT and question.kind == EXTERNAL and answer.result is None:
        raise ApprovalError(f"{id} waits for a result: ex.answer({id!r}, result=…).", node_id=node_id)
    if answer.args is None:
        return
    if question.kind != TOOL or answer.choice != APPROVE:
        raise ApprovalError(
            f"args= are for a tool call that is approved, and {id} was answered with {answer.choice!r}.",
            node_id=node_id,
        )
    wrong = schema_error(question.schema, json.loads(answer.args)) if question.schema else None
    if wrong:
        tool = json.loads(question.payload.text)["tool"]
        raise ApprovalError(
            f"{tool} does not take these arguments: {wrong}. Nothing was answered, and {id} still waits.",
            node_id=node_id,
        )
