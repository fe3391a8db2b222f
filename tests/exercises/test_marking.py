"""Marking: the judge in a process of its own, the results in the file, and the words of the notebook."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from smithers_nb import Execution, Store, classroom
from smithers_nb.exercises import judge, marking
from smithers_nb.exercises.book import EXERCISES
from smithers_nb.exercises.judge import judged
from smithers_nb.notebook.line import Line
from smithers_nb.notebook.options import OptionError
from smithers_nb.records import CheckedStatement, ExerciseCheck
from tests.exercises.answers import ANSWERS
from tests.exercises.test_exercises import cell
from tests.notebook.kernel import run_cells

SEAT = EXERCISES["lost-write"].seat(1)
FIX = ANSWERS["lost-write"][0].fix
HEAD = SEAT.cell.split("\n@component")[0].split("\n", 1)[1]

# What a learner may leave in the cell, and what is found.
BROKEN = [
    ("def Review(ctx:", "the cell raises SyntaxError"),
    ("Review = None", "the cell has no component Review any more"),
    ("", "the cell has no component Review any more"),
    ("raise KeyError('x')", "the cell raises KeyError: 'x'"),
    ("exit()", "the cell raises SystemExit"),
    ("@component\ndef Review(ctx):\n    raise ZeroDivisionError('oh')", "ZeroDivisionError"),
    ("@component\ndef Review(ctx):\n    return None", "the open questions are []"),
    ("@component\ndef Review(ctx):\n    raise SystemExit(3)", "SystemExit"),
    (
        "@component\ndef Review(ctx):\n    n = ctx.state.get('n', 0)\n"
        "    return <Task key={str(n)} run={lambda: 1} on_finished={lambda r: ctx.state.set('n', n + 1)} />",
        "the open questions are []",
    ),
]


@pytest.mark.parametrize(("text", "found"), BROKEN)
def test_a_broken_cell_is_marked_and_not_raised(text: str, found: str) -> None:
    held = list(judged(SEAT, text))
    assert not all(one.holds for one in held)
    assert any(found in one.found for one in held), held


@pytest.mark.parametrize(
    "line", ["%matplotlib inline", "!ls", "files = !ls", "Review?", "%%timeit", "if 1:\n    %time 1"]
)
def test_the_notebooks_own_lines_do_not_keep_a_cell_from_being_checked(line: str) -> None:
    assert [one for one in judged(SEAT, f"{line}\n{cell(SEAT, FIX)}") if not one.holds] == []


def test_the_same_observation_is_told_once() -> None:
    held = tuple(
        CheckedStatement(says, holds=False, found="the cell raises KeyError: 'x'") for says in ("One.", "Two.")
    )
    told = marking.told(SEAT, ExerciseCheck("lost-write", 1, "learner", attempt=1, held=held, cell=""))
    assert told.count("KeyError") == 1
    assert "Two.\n    Found: the same." in told


def test_a_check_is_told_in_lines_that_lab_need_not_break() -> None:
    held = CheckedStatement(
        "Both remarks are kept.", holds=False, found="remarks is ['a remark'] after " + "'a word', " * 30
    )
    told = marking.told(SEAT, ExerciseCheck("lost-write", 1, "learner", attempt=3, held=(held,), cell=""))
    assert all(len(line) <= 100 for line in told.splitlines())
    assert "\n    Found: remarks is" in told and "\n    'a word'" in told


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("while True: pass", "The cell runs."),
        ("@component\ndef Review(ctx):\n    while True: pass", "Both people are asked at the same time."),
    ],
)
def test_a_cell_that_loops_for_ever_is_marked_in_a_process_of_its_own(text, says, monkeypatch) -> None:
    monkeypatch.setenv(judge.LIMIT, "2")
    held = marking.judge_apart(SEAT, text)
    assert not held[-1].holds
    assert held[-1].says == says
    assert "does not end" in held[-1].found


def test_a_cell_that_ends_the_process_is_marked() -> None:
    [held] = marking.judge_apart(SEAT, "import os\nos._exit(0)")
    assert "ends the process that checks it" in held.found


class Notebook:
    """A notebook's line, without a kernel."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {}
        self.put: list[str] = []
        self.line = Line(self.names, lambda text: None, self.put.append)

    def do(self, text: str) -> str:
        return str(self.line.do(text))

    def run(self, text: str) -> None:
        self.line.variables.cells[SEAT.exercise.variable] = text


@pytest.fixture
def notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Notebook:
    monkeypatch.chdir(tmp_path)
    return Notebook()


def test_an_exercise_is_begun_checked_and_solved_and_all_of_it_is_in_the_file(notebook) -> None:
    assert "Two people look at a text" in notebook.do("exercise lost-write --learner ada")
    assert notebook.put == [SEAT.cell]
    notebook.run(cell(SEAT))
    first = notebook.do("check")
    assert "attempt 1" in first
    assert "✓ Both people are asked at the same time." in first
    assert "✗ Both remarks are in remarks, whoever answers first." in first
    assert "update" not in first
    assert "There is a hint with attempt 3" in first
    assert "Hint" not in notebook.do("check")
    assert "Hint: Step to the frame" in notebook.do("check lost-write")
    notebook.run(cell(SEAT, FIX))
    assert "Solved" in notebook.do("check")
    df = Store("smithers.db").df.exercise_checks
    assert df.attempt.tolist() == [0, 1, 2, 3, 4]
    assert df.solved.tolist() == [0, 0, 0, 0, 1]
    assert set(df.learner) == {"ada"}
    assert df.held[4][0] == {"says": "The cell runs.", "holds": True, "found": ""}


def test_a_restarted_kernel_knows_the_exercise_that_was_begun_last(notebook) -> None:
    notebook.do("exercise never-fired")
    notebook.do("exercise lost-write --seat 1 --learner ada")
    again = Notebook()
    with pytest.raises(OptionError, match="run the cell %%smithers lost_write first"):
        again.do("check")
    again.run(cell(SEAT, FIX))
    assert "lost-write, seat 1, attempt 1" in again.do("check")
    assert Store("smithers.db").df.exercise_checks.learner.tolist()[-1] == "ada"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("exercise lost-wrte", "Did you mean 'lost-write'"),
        ("exercise lost-write --seat 0", "--seat takes a number from 1"),
        ("exercise lost-write --seat", r"exercise takes: \[NAME\]"),
        ("exercise lost-write never-fired", r"exercise takes: \[NAME\]"),
        ("check", "no exercise was begun here"),
        ("check nope", "there is no exercise 'nope'"),
    ],
)
def test_a_wrong_line_says_what_is_right(notebook, line: str, said: str) -> None:
    with pytest.raises(OptionError, match=said):
        notebook.do(line)
    assert not Path("smithers.db").exists()


def test_tab_offers_the_exercises_and_their_options(notebook) -> None:
    assert notebook.line.complete("%smithers exercise ") == list(EXERCISES)
    assert notebook.line.complete("%smithers check lost-write --se") == ["--seat", "--learner"]
    assert notebook.line.complete("%smithers sql ") == []
    assert all(name in notebook.do("exercise") for name in EXERCISES)


def test_a_run_that_is_handed_in_as_a_page_has_its_checks(notebook, tmp_path: Path) -> None:
    notebook.do("exercise lost-write")
    with Execution([], name="lost_write") as ex:
        notebook.names["lost_write"] = ex
        notebook.run(cell(SEAT))
        notebook.do("check")
        ex.run_sync()
        ex.export("run.html", show=False)
    [row] = Store("run.html").df.exercise_checks.itertuples()
    assert (row.exercise, row.seat, row.attempt, row.solved) == ("lost-write", 1, 1, 0)


def test_files_of_two_learners_without_a_name_are_merged(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(marking, "judge_apart", lambda seat, text: (CheckedStatement("The cell runs.", holds=True),))
    for name in ("one.db", "two.db"):
        with Execution([], name="lost_write", store=tmp_path / name) as ex:
            ex.run_sync()
            marking.mark(ex.store.path, SEAT, "learner", cell="", execution_id=ex.execution_id)
    both = Store(tmp_path / "one.db")
    both.merge(tmp_path / "two.db")
    assert both.df.exercise_checks.attempt.tolist() == [1, 1]


def test_a_class_is_collected_with_attempts_and_what_was_missed(tmp_path: Path, monkeypatch) -> None:
    # Judged in this process: three learners, and a process for each attempt, would take long.
    monkeypatch.setattr(marking, "judge_apart", lambda seat, text: tuple(judged(seat, text)))
    for learner, cells in {"ada": [(), FIX, FIX], "ben": [ANSWERS["lost-write"][0].wrong], "cleo": []}.items():
        file = str(tmp_path / f"{learner}.db")
        marking.begin(file, SEAT, "learner")
        for edits in cells:
            marking.mark(file, SEAT, "learner", cell=cell(SEAT, edits), execution_id=None)
    found = classroom(f"{tmp_path}/*.db")
    rows = [tuple(row) for row in found.exercises[["learner", "exercise", "seat", "attempts", "solved"]].values]
    assert rows == [
        ("ada.db", "lost-write", 1, 2, True),
        ("ben.db", "lost-write", 1, 1, False),
        ("cleo.db", "lost-write", 1, 0, False),
    ]
    assert [len(missed) for missed in found.exercises.missed] == [0, 3, 0]
    assert found.exercises.missed[1][0] == "Both people are asked at the same time."
    assert "3 learners in 3 files" in repr(found)
    assert "lost-write: begun by 3 learners, solved by 1, with 2.0 attempts" in found._repr_html_()


def test_a_kernel_puts_the_cell_in_the_place_of_the_line_and_checks_what_was_run(tmp_path: Path) -> None:
    planted, mended = SEAT.cell, SEAT.cell.split("\n")[0] + " --quiet\n" + cell(SEAT, FIX)
    outputs = run_cells(
        tmp_path,
        "%smithers exercise lost-write\nget_ipython().payload_manager.read_payload()",
        planted,
        "%smithers check",
        "%%smithers lost_write\nthis is no Python",
        "%smithers check",
        mended,
        "%smithers check",
        "from smithers_nb import Store; Store('smithers.db').df.exercise_checks[['attempt', 'solved']].values.tolist()",
    )
    assert "'source': 'set_next_input'" in outputs.text(0)
    assert "'replace': True" in outputs.text(0)
    assert "✗ Both remarks are in remarks" in outputs.text(2)
    assert outputs.failed(3)
    assert "✗ The cell runs.\n    Found: the cell raises SyntaxError" in outputs.text(4)
    assert "Solved: all of it holds." in outputs.text(6)
    assert "[[0, 0], [1, 0], [2, 0], [3, 1]]" in outputs.text(7)
