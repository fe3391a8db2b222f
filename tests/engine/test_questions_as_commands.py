"""Questions are commands of the registry that look: each face gets them, and they are answered while a move runs."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from typing import Any

import pytest

from smithers_nb import End, Execution, Task, component
from smithers_nb.bridge import engine
from smithers_nb.commands import COMMANDS
from smithers_nb.errors import StoreError
from smithers_nb.execution import run_behind


def asked(ex: Execution, name: str, **arguments: object) -> Any:
    """Ask as a face does: with arguments that JSON can hold, on the engine's loop."""
    command = COMMANDS[name]
    return engine.call(command.run(run_behind(ex), command.arguments.model_validate(arguments)))


@component
def App(ctx: Any, run: Any) -> Any:
    return [Task(id="t", run=run, on_finished=lambda r: ctx.state.set("n", r.output)), _end(ctx)]


def _end(ctx: Any) -> Any:
    return ctx.state.get("n", 0) > 6 and End(id="end")


QUESTIONS: dict[str, tuple[dict[str, object], Callable[[Execution], object]]] = {
    "why": ({"target": "t"}, lambda ex: ex.why("t")),
    "why of the execution": ({}, lambda ex: ex.why()),
    "why of a frame": ({"target": "1"}, lambda ex: ex.why(1)),
    "why in a frame": ({"target": "t", "frame": 1}, lambda ex: ex.why("t", 1)),
    "why_not": ({"target": "end"}, lambda ex: ex.why_not("end")),
    "needs": ({"target": "end"}, lambda ex: ex.needs("end").text),
    "follow": ({"text": "t"}, lambda ex: ex.follow("t")),
}


def test_each_question_has_the_answer_of_its_method(run_of: Any) -> None:
    ex = run_of(App(run=lambda: 6))
    ex.run_sync()
    for name, (arguments, ask) in QUESTIONS.items():
        word, _, about = name.partition(" ")
        found = asked(ex, word, **arguments)
        assert (found.text if word == "needs" else found) == ask(ex), name + about
    with pytest.raises(StoreError, match="nothing of the name 'x'"):
        asked(ex, "why", target="x")


def test_a_question_is_answered_while_a_run_waits(run_of: Any, gate: Any) -> None:
    stands = gate()
    ex = run_of(App(run=lambda: stands.passed_in_thread() or 6))
    moves = Thread(target=ex.run_sync)
    moves.start()
    stands.reached()
    assert "the task of task #t is running" in asked(ex, "why", target="t").text
    assert asked(ex, "needs", target="end").state == {"n": 7}
    assert moves.is_alive(), "neither waited for the run, nor ended it"
    stands.open()
    moves.join(30)


def test_questions_change_nothing_and_have_words_and_descriptions() -> None:
    for name, word in {"why": "why", "why_not": "why-not", "needs": "needs", "follow": "follow"}.items():
        command = COMMANDS[name]
        assert (command.effect, command.word) == ("looks", word)
        assert all(field.description for field in command.arguments.model_fields.values())
