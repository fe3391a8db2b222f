"""The two sides of the protocol are pinned to each other by ``tests/golden/protocol.json``."""

from __future__ import annotations

import json

import pytest
from pydantic import TypeAdapter, ValidationError

from smithers_nb.history.panes import protocol as p
from smithers_nb.notebook import messages as m
from tests.golden import write


def test_the_golden_messages_are_what_the_kernel_sends():
    assert write.FILE.read_text(encoding="utf-8") == write.text(), "run: python -m tests.golden.write"


def test_every_golden_message_has_the_declared_type():
    golden = json.loads(write.FILE.read_text(encoding="utf-8"))
    for summary in (golden["summary"], golden["hit"]):
        TypeAdapter(p.Summary).validate_python(summary)
    for reply in golden["replies"]:
        TypeAdapter(p.Reply).validate_python(reply)
        if reply["data"] is not None:
            TypeAdapter(p.PANES[reply["pane"]]).validate_python(reply["data"])
    for message in golden["messages"]:
        m.incoming.validate_python(message)
    for answer in golden["answers"]:
        TypeAdapter(p.Ack | p.Done | p.Replies | p.Pong).validate_python(answer)


@pytest.mark.parametrize(
    "message",
    [
        {"type": "command", "id": "c1", "name": "format_disk"},
        {"type": "get", "id": "r1", "pane": "secrets"},
        {"type": "get", "id": "r1", "pane": "plan", "extra": 1},
        {"type": "hello"},
        "step",
        None,
    ],
    ids=str,
)
def test_a_message_that_is_not_in_the_protocol_is_refused(message):
    with pytest.raises(ValidationError):
        m.incoming.validate_python(message)
