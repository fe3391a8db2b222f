"""Each exercise on two seats: the planted cell fails, the mended one is accepted, a wrong fix is not."""

from __future__ import annotations

import pytest

from smithers_nb.exercises.book import EXERCISES
from smithers_nb.exercises.exercise import Seat
from smithers_nb.exercises.judge import judged
from smithers_nb.records import CheckedStatement
from tests.exercises.answers import ANSWERS, Answers, Edit

SEATS = [
    pytest.param(exercise.seat(number), id=f"{name}-{number}")
    for name, exercise in EXERCISES.items()
    for number in (1, 2)
]
FURTHER = [
    pytest.param(exercise.seat(number), id=f"{name}-{number}")
    for name, exercise in EXERCISES.items()
    for number in (3, 6)
]


def answers(seat: Seat) -> Answers:
    return ANSWERS[seat.exercise.name][seat.exercise.variants.index(seat.variant)]


def cell(seat: Seat, edits: tuple[Edit, ...] = ()) -> str:
    """The cell of a seat without the line of the magic, after edits."""
    text = seat.cell.split("\n", 1)[1]
    for old, new in edits:
        was = old
        for name, word in sorted(seat.words.items(), reverse=True):
            was, new = was.replace(f"${name}", word), new.replace(f"${name}", word)
        assert was in text, was
        text = text.replace(was, new)
    return text


def missed(seat: Seat, text: str) -> dict[str, str]:
    """What does not hold for a cell, with what was found instead."""
    held = list(judged(seat, text))
    assert held[0] == CheckedStatement("The cell runs.", holds=True), held
    assert len(held) == 1 + len(seat.variant.checks)
    return {one.says: one.found for one in held if not one.holds}


@pytest.mark.parametrize("seat", SEATS)
def test_a_planted_cell_runs_and_fails_a_check(seat: Seat) -> None:
    found = missed(seat, cell(seat))
    assert found
    # What was found is told of the run, not of an error in the check.
    own = ("AttributeError", "IndexError", "KeyError", "NameError", "TypeError", "ValueError", "AssertionError")
    assert not any(f"raises {error}" in one for one in found.values() for error in own), found


@pytest.mark.parametrize("seat", [*SEATS, *FURTHER])
def test_the_mended_cell_is_accepted(seat: Seat) -> None:
    assert missed(seat, cell(seat, answers(seat).fix)) == {}


@pytest.mark.parametrize("seat", SEATS)
def test_a_wrong_fix_is_refused(seat: Seat) -> None:
    refused = seat.told(answers(seat).refused)
    assert any(refused in says for says in missed(seat, cell(seat, answers(seat).wrong)))


@pytest.mark.parametrize("exercise", EXERCISES.values(), ids=list(EXERCISES))
def test_two_seats_have_different_bugs_and_words(exercise) -> None:
    one, two, later = (exercise.seat(number) for number in (1, 2, 1 + len(exercise.variants)))
    assert one.variant is not two.variant
    assert one.cell != later.cell
    assert cell(one).split("\n@component")[0] != cell(later).split("\n@component")[0]


def test_every_exercise_has_answers_for_each_variant() -> None:
    assert {name: len(found) for name, found in ANSWERS.items()} == {
        name: len(exercise.variants) for name, exercise in EXERCISES.items()
    }
