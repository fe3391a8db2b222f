"""``%smithers`` in a real ipykernel."""

from __future__ import annotations

import pytest

from smithers_nb.notebook.subcommands import SUBCOMMANDS
from tests.notebook.kernel import run_cells
from tests.notebook.test_magics import ONE

COUNT = """%%smithers count --quiet
@component
def Count(ctx):
    n = ctx.state.get("n", 0)
    return (
        <Ralph id="loop" until={n >= 5}>
            <Task id="add" run={lambda: 1} on_finished={lambda r: ctx.state.update("n", lambda n: (n or 0) + 1)} />
        </Ralph>
    )"""

# What is typed, and what the cell shows; they run in this order in one kernel.
SESSION = [
    ("%smithers", "unfinished one of this name"),
    ("%smithers status", "there is no execution yet; a %%smithers cell makes one"),
    ("%smithers list", "there is no file smithers.db here"),
    (ONE, "nothing was executed"),
    (COUNT, ""),
    ("%smithers status", "<Execution 'count'"),
    ("%smithers status one", "Step renders frame 1"),
    ("%smithers xml one", '<phase name="only">'),
    ("f = %smithers step one\nprint(f.number, one.frame.number, count.frame)", "1 1 None"),
    ('%smithers predict 1 {"starts:add": true}', "<Execution 'count'"),
    ("%smithers phase", "<Frame 1 after SNAPSHOT"),
    ("%smithers step 2", "<Frame 2 after EFFECTS"),
    (
        "print(*count.df.predictions[['item', 'said', 'was']].itertuples(index=False, name=None))",
        "('starts:add', True, True)",
    ),
    ("%smithers pending", ": update n: null → computed at flush (on_finished of add, queued)"),
    ("%smithers edit {count.pending[0].id} 1", "<Execution 'count'"),
    ("%smithers pending", ": set n: null → 1 (operator add, edited)"),
    ("%smithers drop {count.pending[0].id}", "<Execution 'count'"),
    ("%smithers pending", "(operator add, dropped)"),
    ("%smithers until n", "state key 'n' is true"),
    ("%smithers until state['n'] > 2", "state['n'] > 2 is true"),
    ("%smithers break add finished", "<Breakpoint b1: node add: finished"),
    ("%smithers watch n", "<Breakpoint b2: key n is changed"),
    ("%smithers break RENDER", "<Breakpoint b3: phase RENDER"),
    ("%smithers break on_error", "<Breakpoint b4: on_error of any node"),
    ("%smithers break if state.n > 4", "<Breakpoint b5: when state.n > 4"),
    ("%smithers break error", "<Breakpoint b6: "),
    ("%smithers break loop on_finished", "<Breakpoint b7: on_finished of loop"),
    ("%smithers break remove b3", "<Breakpoint b4"),
    ("%smithers break", "<Breakpoint b1"),
    ("%smithers break_check state.n > 3", ""),
    ("%smithers break_add key n after=99", "<Breakpoint b8: key n is changed"),
    ("%smithers break_change b8 enabled=false", "<Execution 'count'"),
    ("print(count.breakpoints.list()[-1].enabled)", "False"),
    ("%smithers break_remove b8", "<Execution 'count'"),
    ("%smithers run", "stopped: "),
    ("%smithers xml 1", 'iteration="1"'),
    ("%smithers at 1", "<FrameView 1:"),
    ("%smithers sql select count(*) as frames from frames where frame = 1", "frames\n0       2"),
    ("%smithers list", "count"),
    ("%smithers needs loop", "loop is in the plan of frame"),
    ("%smithers needs nothing", "no component can return nothing"),
    ("%smithers follow state:n", "the value that was written to n is exactly this"),
    ("%smithers follow add", "the result of add is exactly this"),
    ("%smithers export", "count.html has count"),
    ("%smithers export count.ndjson", "count.ndjson"),
    ("%smithers export count.html", "keys of the state: n"),
    ("from smithers_nb import Store; Store('count.html').open('count').frames > 1", "True"),
    ("%smithers keep test_count.py n", "<Kept test_count.py, with test_count.html: pytest test_count.py>"),
    ("'assert run.values' in open('test_count.py').read()", "True"),
    ("%smithers why n", "since frame"),
    ("%smithers why count", 'execution "count" is'),
    ("%smithers why 1", "frame 1 was made, because of: start"),
    ("%smithers why-not add.on_error", "never registered on_error"),
    ("%smithers pause", ""),
    ("%smithers stop", "<Execution 'count'"),
    ("%smithers resume count", "<Execution 'count'"),
    ("[b.id for b in count.breakpoints]", "['b1', 'b2', 'b4', 'b5', 'b6', 'b7']"),
    ("for b in list(count.breakpoints): count.breakpoints.remove(b)", ""),
    ("%smithers run 1", "max_frames=1 were rendered"),
    ("%smithers run", "<RunResult finished"),
    ("dict(count.state)", "{'n': 5}"),
    ("%smithers?", ""),
    ("print(get_ipython().object_inspect_text('%smithers'))", "the executions in the file, as a DataFrame"),
    ("%smithers help", "%smithers SUBCOMMAND [NAME]"),
    ("%smithers watch n written", "<Breakpoint b8"),
    ("%smithers exercise", "lost-write"),
    ("%smithers exercise lost-write --seat 2", "Exercise lost-write, seat 2"),
]

WRONG = [
    ("%smithers stauts", "there is no 'stauts'. Did you mean 'status'?"),
    ("%smithers step two", "'two' is no number from 1"),
    ("%smithers run 0", "'0' is no number from 1"),
    ("%smithers at", "at needs the number of a frame: at FRAME"),
    ("%smithers at 99", "has no frame 99. It has the frames 1 to"),
    ("%smithers until", "until needs a state key, or an expression such as state['n'] > 3"),
    ("%smithers until n >", "is no expression"),
    ("%smithers status nope", "'nope' is neither the variable of an execution"),
    ("%smithers phase 3", "'3' is neither the variable of an execution"),
    ("%smithers break add finishd", "has mount, start, finished, error, unmount, not 'finishd'"),
    ("%smithers break if n >", "is no Python expression"),
    ("%smithers break remove b99", "there is no breakpoint 'b99'"),
    ("%smithers break_check n >", "is no Python expression"),
    ("%smithers break_add sometimes", "'sometimes' is none of node, key, handler, phase, error, expression"),
    ("%smithers break_change b8 enabled=maybe", "'maybe' is neither true nor false"),
    ("%smithers needs", "needs needs the id of a node, or the name of a component: needs TARGET …"),
    ("%smithers follow never written anywhere", "nothing that is recorded of execution"),
    ("%smithers edit", "edit needs the id of a pending write: edit WRITE VALUE …"),
    ("%smithers edit 9o9 1", "no write '9o9' is pending"),
    ("%smithers edit 9o9 {{", "'{' is no JSON"),
    ("%smithers cancel nope", "nope"),
    ("%smithers retry one nope", "nope"),
    ("%smithers answer nope approve", "nope"),
    ("%smithers drop 9o9 now", "'now' is more than drop takes: WRITE"),
    ("%smithers break a b c", "'c' is more than break takes"),
    ("%smithers check", "the cell of lost-write was not run in this kernel"),
    ("%smithers check count", "there is no exercise 'count'"),
    ("%smithers sql", "sql needs a query"),
    ("%smithers sql drop table frames", "open for reading only"),
    ("%smithers export run.txt", ".ndjson"),
    ("%smithers keep", "keep needs the test: %smithers keep tests/test_report.py: keep PATH"),
    ("%smithers keep count.py", "is no test: pytest looks for names such as"),
    ("%smithers keep test_count.py", "test_count.py exists already, and was not changed"),
    ("%smithers list nowhere.db", "there is no file nowhere.db here"),
    ("%smithers resume", "resume needs the name"),
    ("%smithers resume nothing", "has no execution 'nothing'. It has"),
    ("%smithers resume count", "every execution 'count'"),
]

COMPLETED = [
    ("%smithers follow count ", ["n", "add"]),
    ("%smithers s", ["status", "step", "stop", "sql"]),
    ("%smithers step ", ["count", "one"]),
    ("%smithers break one ", ["t", "RENDER", "on_error", "if", "remove"]),
    ("%smithers break t f", ["finished"]),
    ("%smithers watch count ", ["n"]),
    ("%smithers watch n ", ["written", "changed"]),
    ("%smithers break remove ", ["b8"]),
    ("%smithers break_remove ", ["b8"]),
    ("%smithers until ", ["n", "count"]),
    ("%smithers break_add k", ["key"]),
    ("%smithers retry one ", ["t"]),
]

ASKING = """%%smithers asking --quiet
import asyncio

async def wait():
    await asyncio.sleep(600)

@component
def Asking(ctx):
    return (
        <Parallel>
            <Approval id="ok" prompt="ship it?" />
            <Approval id="say" prompt="and this?" />
            <Task id="slow" run={wait} />
            <Task id="quick" run={lambda: 1} />
        </Parallel>
    )"""
STOP_SOON = "import os, signal, threading\nthreading.Timer(2, os.kill, (os.getpid(), signal.SIGINT)).start()\n"
STEERED = [
    (ASKING, ""),
    ("%smithers step 2", "<Frame 2"),
    (f"{STOP_SOON}%smithers run", "KeyboardInterrupt"),
    ("print(asking.status, asking.tasks['slow'])", "running"),
    ("%smithers answer ok approve looks good", "<Execution 'asking'"),
    ("%smithers cancel slow", "<Execution 'asking'"),
    ("%smithers retry quick", "<Execution 'asking'"),
    ("%smithers handle_again say", "nothing to handle again"),
    ('%smithers set-state "the goal" {"price": 7}', "<Execution 'asking'"),
    ("%smithers answer say maybe", "maybe"),
    ("%smithers answer say deny", "<Execution 'asking'"),
    ("%smithers until_idle", "<RunResult "),
    ("%smithers handle_again quick", "<Execution 'asking'"),
    (
        "print(*asking.df.approvals[['choice', 'comment']].itertuples(index=False, name=None))",
        "('approve', 'looks good')",
    ),
    ("print(*zip(asking.df.tasks.node_id, asking.df.tasks.status))", "('slow', 'cancelled')"),
    ("print(list(asking.df.tasks.node_id).count('quick'))", "3"),
    ("print(asking.state['the goal'])", "{'price': 7}"),
]
STEERED_COMPLETED = [
    ("%smithers answer ", ["ok", "say", "asking"]),
    ("%smithers answer ok ", ["approve", "deny"]),
    ("%smithers cancel ", ["slow", "ok"]),
    ("%smithers retry ", ["quick"]),
]
AT = 2
"""The cell behind which the words of ``STEERED_COMPLETED`` are asked for."""


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    asked = "lambda text: get_ipython().complete(None, text, len(text))[1]"
    cells = [cell for cell, _ in [*SESSION, *WRONG]]
    cells += [f"print(({asked})({text!r}))" for text, _ in COMPLETED]
    return run_cells(tmp_path_factory.mktemp("line"), *cells)


@pytest.mark.parametrize("number, typed, shown", [(n, *row) for n, row in enumerate(SESSION)])
def test_a_subcommand_shows(session, number, typed, shown):
    assert shown in session.text(number)
    assert session.failed(number) == shown.startswith("there is no "), typed


@pytest.mark.parametrize("number, typed, message", [(n, *row) for n, row in enumerate(WRONG, len(SESSION))])
def test_a_wrong_line_fails_its_cell_in_one_line(session, number, typed, message):
    text = session.text(number)
    assert session.failed(number) and message in text, typed
    assert "Traceback" not in text and len(text.strip().splitlines()) == 1


@pytest.mark.parametrize("number, typed, words", [(n, *row) for n, row in enumerate(COMPLETED, len(SESSION + WRONG))])
def test_tab_offers_what_may_follow(session, number, typed, words):
    offered = session.text(number)
    assert [word for word in words if f"'{word}'" not in offered] == [], typed


@pytest.fixture(scope="module")
def steered(tmp_path_factory):
    asked = "lambda text: get_ipython().complete(None, text, len(text))[1]"
    cells = [cell for cell, _ in STEERED]
    cells[AT:AT] = [f"print(({asked})({text!r}))" for text, _ in STEERED_COMPLETED]
    return run_cells(tmp_path_factory.mktemp("steered"), *cells)


@pytest.mark.parametrize("number, typed, shown", [(n, *row) for n, row in enumerate(STEERED)])
def test_a_command_steers_as_the_stepper_does(steered, number, typed, shown):
    text = steered.text(number if number < AT else number + len(STEERED_COMPLETED))
    assert shown in text, typed


@pytest.mark.parametrize("number, typed, words", [(n, *row) for n, row in enumerate(STEERED_COMPLETED, AT)])
def test_tab_offers_what_can_be_steered(steered, number, typed, words):
    offered = steered.text(number)
    assert [word for word in words if f"'{word}'" not in offered] == [], typed


def test_every_subcommand_is_typed_in_these_tests():
    typed = {cell.split()[1] for cell, _ in [*SESSION, *STEERED] if cell.startswith("%smithers ")}
    typed |= {"step", "fork", "branch_edited"}  # Branches are typed in test_fork_line.py.
    typed |= {"check"}  # Its cells are run in tests/exercises.
    assert set(SUBCOMMANDS) == typed


def test_only_an_unfinished_execution_is_resumed_and_one_of_this_kernel_is_not_terminated_for_it(tmp_path):
    resumed = ONE.replace("one", "one --resume", 1)
    out = run_cells(
        tmp_path,
        ONE,
        "one.step_sync(); before = one.execution_id",
        resumed,
        "status = one.run_sync().status\nfile = Store('smithers.db').df.executions.status.tolist()\n"
        "print(f'{one.execution_id == before} {status} {file}')",  # One write: an output may be cut between two.
        resumed,
    )
    assert "True finished ['finished']" in out.text(3)
    assert out.failed(4) and "every execution 'one'" in out.text(4)


def test_an_app_that_the_notebook_does_not_have_is_asked_for(tmp_path):
    run_cells(tmp_path, ONE, "one.step_sync()")
    out = run_cells(tmp_path, "%smithers resume one", ONE.replace("one", "one --show xml", 1), "%smithers resume one")
    assert out.failed(0) and "Run the cell that defines it with %%smithers one --resume" in out.text(0)
