"""The questions that wait for people."""

from __future__ import annotations

from ...records import Question
from ...records.question import EXTERNAL, RESULT
from ...records.words import short
from ..names import Names
from . import protocol as p

QUESTIONS = 10


def pressable(question: Question) -> list[str]:
    """Return the options that need nothing more than to be pressed: a result has to be written."""
    if question.kind == EXTERNAL:
        return [option for option in question.options if option != RESULT]
    return list(question.options)


def questions(asked: list[Question], names: Names) -> list[p.QuestionRow]:
    """Return the questions that wait for people."""
    return [
        {
            "approval_id": one.approval_id,
            "node_id": one.node_id,
            "node": names.word(one.node_id),
            "kind": one.kind,
            "prompt": short(one.prompt, 500),
            # The summary must stay small, and more buttons than this are not read.
            "options": pressable(one)[:20],
        }
        for one in asked[:QUESTIONS]
    ]
