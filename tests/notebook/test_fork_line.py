"""``%smithers fork`` in a real ipykernel."""

from __future__ import annotations

import pytest

from tests.notebook.kernel import run_cells
from tests.notebook.test_line_magic import COUNT

# count_3 is a variable of another execution by now.
COUNT_BRANCHED = """count_3_2 is the execution 'count~3', a branch of count.
Frame 12 is the first that differs: loop's until."""
FORKED = [
    (COUNT, ""),
    ("%smithers run", "<RunResult finished"),
    ("%smithers fork 3", "count_2 is the execution 'count~2'."),
    ("print(count_2.name, count_2.recorded)", "count~2 3"),
    ("count_2.at(2).number", "2"),
    ("%smithers status", "<Execution 'count~2'"),
    ('%smithers fork count 3 other {{"n": 9}}', "other is the execution 'other'."),
    ("print(dict(other.state))", "{'n': 9}"),
    ("%smithers fork count branch=class", "_class is the execution 'class'."),
    ("%smithers fork count branch=count", "count_3 is the execution 'count'."),
    ("%smithers run other", "<RunResult finished"),
    ("print(other.state['n'], count.state['n'])", "10 5"),
    ("print(*count.store.branches('count').name)", "count count~2 other class count"),
    ("print(*get_ipython().complete(None, '%smithers fork count ', 21)[1])", "16 15 14"),
    (COUNT.replace("count --quiet", "count --branch").replace("5", "4"), COUNT_BRANCHED),
    ("%smithers help", "fork [FRAME] [BRANCH] [STATE …] [REUSE] [ALLOW_REPEAT]"),
    ('%smithers fork count 2 again reuse=agents,tasks allow_repeat=* {{"n": 7}}', "again is the execution 'again'."),
    (
        "print(dict(again.state), *count.store.sql(\"SELECT reuse FROM executions WHERE name = 'again'\").reuse)",
        "'n': 7",
    ),
    (COUNT.replace("--quiet", "--dry"), "None of the"),
    ("%smithers branch_edited count dried", "dried is the execution 'dried'."),
    ("print(dried.recorded == count.recorded)", "True"),
]
WRONG = [
    (
        "%smithers branch_edited other",
        "there is no edited code of other: %%smithers other --dry, above the edited cell",
    ),
    ("%smithers fork count 99", "The nearest that can be forked is frame"),
    ("%smithers fork count -1", "'-1' is no number from 0"),
    ("%smithers fork count 1 x [1]", "the state of a branch is a JSON object of values by key, not '[1]'."),
    ("%smithers fork count 1 x {{n", "is no JSON"),
    (
        "%smithers fork count 1 reuse=agent",
        "'agent' is none of agents, tools, approvals, tasks. Did you mean 'agents'?",
    ),
    ("%smithers fork count 1 allow_repeat=pay", "allow_repeat names 'pay', and no task of count"),
]


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    return run_cells(tmp_path_factory.mktemp("fork"), *(cell for cell, _ in [*FORKED, *WRONG]))


@pytest.mark.parametrize("number, typed, shown", [(n, *row) for n, row in enumerate(FORKED)])
def test_a_fork_is_bound_and_shown(session, number, typed, shown):
    assert shown in session.text(number) and not session.failed(number), typed


@pytest.mark.parametrize("number, typed, message", [(n, *row) for n, row in enumerate(WRONG, len(FORKED))])
def test_a_fork_that_is_not_possible_fails_its_cell_in_one_line(session, number, typed, message):
    text = session.text(number)
    assert session.failed(number) and message in text, typed
    assert "Traceback" not in text and len(text.strip().splitlines()) == 1


def test_a_cell_that_branches_says_what_may_be_done_again(session):
    (number,) = [number for number, (_, shown) in enumerate(FORKED) if shown == COUNT_BRANCHED]
    assert "count ran tasks after frame 11, and the branch may do so again: add." in session.text(number)
