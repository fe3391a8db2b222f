"""The questions that wait for people."""

from __future__ import annotations

from ...records import Question
from ...records.words import short
from . import protocol as p

QUESTIONS = 10


def questions(asked: list[Question]) -> list[p.QuestionRow]:
    """Return the questions that wait for people."""
    return [
        {
            "approval_id": one.approval_id,
            "node_id": one.node_id,
            "kind": one.kind,
            "prompt": short(one.prompt, 500),
            # The summary must stay small, and more buttons than this are not read.
            "options": list(one.options)[:20],
        }
        for one in asked[:QUESTIONS]
    ]
