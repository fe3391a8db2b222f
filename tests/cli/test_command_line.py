"""The command line: its words on real files and processes, exit codes, JSON, notebooks, and hostile text."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from smithers_nb import Execution, Store, Task, component
from smithers_nb.cli import main
from smithers_nb.cli.grammar import parser_of
from smithers_nb.cli.words import WORDS, handler_of

HOSTILE = "\x1b[31mred</script>\u2028<!-- \u202e \x07"
PROGRAM = f"""
from smithers_nb import *

HOSTILE = {HOSTILE!r}

def write(topic):
    return f"1. {{topic}} {{HOSTILE}}"

@component
def App(ctx, topic="tides"):
    return [
        Phase(name="write")[
            Task(id="notes", run=write, args=[topic], on_finished=lambda r: ctx.state.set("notes", r.output))
        ],
        Phase(name="ask")[
            Approval(id="ok", prompt=f"Publish {{HOSTILE}}?", on_finished=lambda r: ctx.state.set("said", r.output))
        ],
        Phase(name="end")[End(value={{"said": ctx.state.get("said"), "notes": ctx.state.get("notes")}})],
    ]

@component
def Fails(ctx):
    return Task(run=lambda: 1 / 0)

@component
def Sleeps(ctx):
    import time
    return Task(run=lambda: time.sleep(600))

@component
def Counts(ctx):
    return Task(key=str(ctx.state.get("n", 0)), run=lambda: 1, on_finished=lambda r: ctx.state.update("n", lambda n: (n or 0) + 1))
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a module of apps, in which the words are typed."""
    (tmp_path / "cli_apps.py").write_text(PROGRAM)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "cli_apps", raising=False)
    return tmp_path


@pytest.fixture
def smithers(folder: Path, capfd: Any) -> Any:
    """Execute a line of words here; return the exit code, what was printed, and what was complained."""

    def execute(*words: str) -> tuple[int, str, str]:
        try:
            code = main(words)
        except SystemExit as ended:  # argparse ends a process that is used wrongly.
            code = int(ended.code or 0)
        out, err = capfd.readouterr()
        return code, out, err

    return execute


def rows(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


@pytest.mark.parametrize("word", WORDS)
def test_each_word_has_a_handler_and_a_parser_with_help(word: str) -> None:
    handler = handler_of(word)
    text = " ".join(parser_of(word, handler).format_help().split())
    doc = " ".join((handler.__doc__ or "").split())
    _, line = WORDS[word]
    assert doc.startswith(line.removesuffix(".")), "the help of all words says what that of the word says"
    assert doc[:30] in text
    undescribed = [action.dest for action in parser_of(word, handler)._actions if not action.help]
    assert not undescribed


def test_a_run_asks_and_is_answered_and_resumed_from_the_shell(smithers: Any) -> None:
    code, out, _ = smithers("run", "cli_apps:App", "--props", '{"topic": "reefs"}')
    assert code == 3 and "waiting after 3 frames" in out
    (listed,) = rows(smithers("list", "--json")[1])
    assert (listed["name"], listed["status"], listed["waits_for"]) == ("app", "waiting", "approval ok@3")
    code, out, _ = smithers("show", "app")
    assert code == 0 and f"smithers answer {listed['execution_id']} ok@3 approve|deny" in out
    assert smithers("answer", "app", "ok", "maybe")[0] == 2
    code, out, _ = smithers("answer", "app", "ok", "approve", "--comment", "fine")
    assert code == 0 and "resume it" in out
    assert smithers("answer", "app", "ok", "approve")[0] == 2, "it is answered"
    (listed,) = rows(smithers("list", "--json")[1])
    assert (listed["status"], listed["waits_for"]) == ("paused", None)
    (asked,) = rows(smithers("approvals", "app", "--json")[1])
    assert (asked["status"], asked["choice"], asked["comment"]) == ("answered", "approve", "fine")
    code, out, _ = smithers("resume", "cli_apps:App", "--json")
    (ended,) = rows(out)
    assert code == 0 and ended["status"] == "finished"
    assert ended["result"] == {"said": "approve", "notes": f"1. reefs {HOSTILE}"}
    assert Store("smithers.db").check().ok


def test_the_state_is_set_and_a_branch_is_made_from_the_shell(smithers: Any) -> None:
    assert smithers("run", "cli_apps:Counts", "--max-frames", "4", "--name", "counts")[0] == 5
    code, out, _ = smithers("set-state", "counts", "n", "40", "--json")
    assert code == 0 and json.loads(out)["name"] == "counts"
    assert smithers("set-state", "counts", "n", "forty")[0] == 2
    code, out, _ = smithers("fork", "counts", "--frame", "2", "--branch", "other", "--state", '{"n": 7}')
    assert code == 0 and "begins after frame 2 of counts" in out
    assert smithers("fork", "counts", "--frame", "99")[0] == 2
    for name, frame, expected in (("counts", 5, 40), ("other", 3, 7)):
        assert smithers("resume", "cli_apps:Counts", name, "--max-frames", "1")[0] == 5
        _, out, _ = smithers("state-at", name, str(frame), "--json")
        assert [json.loads(line) for line in out.splitlines()] == [{"key": "n", "value": expected}]
    _, out, _ = smithers("timeline", "other", "--json")
    assert any("an operator wrote n = 7" in json.loads(line)["text"] for line in out.splitlines())


def test_a_task_is_run_again_when_it_is_resumed(smithers: Any) -> None:
    assert smithers("run", "cli_apps:Fails")[0] == 1
    assert smithers("retry", "fails", "nothing")[0] == 2
    node = rows(smithers("tasks", "fails", "--json")[1])[0]["node_id"]
    assert smithers("retry", "fails", node)[0] == 0
    assert rows(smithers("list", "--json")[1])[0]["status"] == "paused"
    assert smithers("resume", "cli_apps:Fails")[0] == 1
    assert [row["status"] for row in rows(smithers("tasks", "fails", "--json")[1])] == ["failed", "failed"]


LOOKS = [
    ("list",),
    ("show", "app"),
    ("tree-at", "app", "2"),
    ("state-at", "app", "3"),
    ("errors", "app"),
    ("needs", "app", "end", "--app", "cli_apps:App"),
    ("timeline", "app"),
    ("timeline", "app", "--first", "2", "--last", "2"),
    ("why", "app"),
    ("why", "app", "state:notes"),
    ("why", "app", "2"),
    ("why-not", "app", "ok.on_finished"),
    ("why-not", "app", "end", "--app", "cli_apps:App"),
    ("follow", "app", "1. tides"),
    ("diff", "app", "1", "3"),
    ("compare", "app", "app"),
    ("tasks", "app"),
    ("approvals", "app"),
    ("check",),
    ("sql", "SELECT * FROM transitions"),
    ("version",),
]


def test_each_look_is_text_without_escapes_or_one_json_object_a_line(smithers: Any, folder: Path) -> None:
    smithers("run", "cli_apps:App")
    before = {file.name: file.read_bytes() for file in folder.glob("smithers.db*") if not file.name.endswith("-shm")}
    for words in LOOKS:
        code, out, err = smithers(*words)
        assert (code, err) == (0, ""), words
        assert "\x1b" not in out and "\x07" not in out and "\u202e" not in out, words
        code, out, err = smithers(*words, "--json")
        assert (code, err) == (0, ""), words
        assert all(isinstance(row, dict) for row in rows(out)), words
    after = {name: (folder / name).read_bytes() for name in before}
    assert after == before, "a word that looks has written"
    assert rows(smithers("timeline", "app", "--first", "2", "--last", "2", "--json")[1])[0]["frame"] == 2
    assert {row["frame"] for row in rows(smithers("timeline", "app", "--last", "1", "--json")[1])} == {0, 1}
    stored = rows(smithers("state-at", "app", "3", "--json")[1])
    assert stored == [{"key": "notes", "value": f"1. tides {HOSTILE}"}]


def test_an_execution_is_exported_as_a_page_and_as_lines(smithers: Any, folder: Path) -> None:
    smithers("run", "cli_apps:App")
    code, out, _ = smithers("export", "app", "run.html", "--redact", "notes")
    assert code == 0 and "run.html" in out and "\x1b" not in out
    assert rows(smithers("show", "app", "--db", "run.html", "--json")[1])[0]["name"] == "app"
    assert "tides" not in smithers("state-at", "app", "3", "--db", "run.html", "--json")[1]
    (found,) = rows(smithers("export", "app", "run.html", "--json")[1])
    assert found["path"].endswith("run.html")
    assert rows(smithers("export", "app", "run.ndjson", "--json")[1]) == [{"path": "run.ndjson"}]
    assert (folder / "run.ndjson").read_text().count("\n") > 10
    assert smithers("export", "app", "run.txt.html", "--redact", "nothing")[0] == 2


WRONG = {
    "no word": ((), "list"),
    "a misspelt word": (("lst",), "Did you mean 'list'?"),
    "an execution that is not there": (("show", "nothing"), "no execution 'nothing'"),
    "a file that is not there": (("list", "--db", "gone.db"), "there is no file"),
    "a missing argument": (("why",), "ID"),
    "a misspelt option": (("list", "--jsn"), "--jsn"),
    "a frame that is not there": (("tree-at", "app", "99"), "99"),
    "a target that is nothing": (("why", "app", "nots"), "nots"),
    "a query that writes": (("sql", "DELETE FROM frames"), "reading only"),
    "an app without a module": (("run", "App"), "MODULE:App"),
    "a module that is not there": (("run", "cli_aps:App"), "no module 'cli_aps'"),
    "a component that is not there": (("run", "cli_apps:Ap"), "Did you mean 'App'?"),
    "props that are no JSON": (("run", "cli_apps:App", "--props", "{topic: 1}"), "no JSON"),
    "props that are no object": (("run", "cli_apps:App", "--props", "[1]"), "JSON object"),
    "a model without an id": (("run", "cli_apps:App", "--model", "sonnet"), "NAME=ID"),
    "a notebook that is not there": (("run", "gone.ipynb"), "no file"),
    "a notebook that is none": (("run", "cli_apps.ipynb"), "no notebook"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_words_are_told_in_a_line_and_end_with_2(name: str, smithers: Any, folder: Path) -> None:
    words, told = WRONG[name]
    (folder / "cli_apps.ipynb").write_text("[]")
    smithers("run", "cli_apps:App")
    code, out, err = smithers(*words)
    assert code == 2 and told in out + err and "Traceback" not in err


def test_what_the_users_own_code_raises_is_shown_with_its_line(smithers: Any, folder: Path) -> None:
    (folder / "cli_raises.py").write_text("def f():\n    return {}['gone']\n\nf()\n")
    code, _, err = smithers("run", "cli_raises:App")
    assert code == 1 and "Traceback" in err and "cli_raises.py" in err and "KeyError: 'gone'" in err
    notebook(folder / "r.ipynb", "%load_ext smithers_nb\nint('x')", CELL.format(name="one"))
    code, _, err = smithers("run", "r.ipynb")
    assert code == 1 and "Traceback" in err and "int('x')" in err and "ValueError" in err


def test_without_a_word_the_help_is_shown_line_by_line(smithers: Any) -> None:
    code, out, err = smithers()
    assert (code, out) == (2, "") and len(err.splitlines()) > len(WORDS)


def test_the_exit_code_tells_how_a_run_ended(smithers: Any) -> None:
    assert smithers("run", "cli_apps:Counts", "--until", "n")[0] == 5
    assert smithers("run", "cli_apps:Counts", "--max-frames", "2")[0] == 5
    code, _, err = smithers("run", "cli_apps:Fails", "--name", "broken")
    assert code == 1 and "ZeroDivisionError" in err
    assert any("ZeroDivisionError" in row["error"] for row in rows(smithers("errors", "broken", "--json")[1]))


def test_another_process_that_has_it_is_named(smithers: Any, run_of: Any) -> None:
    @component
    def App(ctx: Any) -> Any:
        return Task(id="t", run=lambda: 1)

    ex = run_of(App(), name="open")
    ex.run_sync()
    code, _, err = smithers("retry", "open", "t", "--db", ex.store.path)
    assert code == 4 and f"pid {os.getpid()}" in err


def test_ctrl_c_ends_a_run_that_can_be_resumed(folder: Path, wait_until: Any) -> None:
    command = [sys.executable, "-m", "smithers_nb", "run", "cli_apps:Sleeps"]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)

    def begun() -> bool:
        file = folder / "smithers.db"
        return file.exists() and bool(Store(file).reader.query("SELECT 1 FROM tasks WHERE status = 'running'").rows)

    def sleeps() -> bool:
        try:
            return begun()
        except Exception:  # noqa: BLE001  # The file is being made.
            return False

    wait_until(sleeps)
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 130 and "resume it" in err and "Traceback" not in err
    assert Store("smithers.db").open("sleeps").status == "stopped"


def test_the_installed_script_lists_without_heavy_packages(folder: Path, python: Any) -> None:
    with_script = Path(sys.executable).with_name("smithers")
    assert subprocess.run([with_script, "version"], capture_output=True, text=True, check=True).stdout.strip()
    Execution(Task(run=lambda: 1), store=folder / "smithers.db").close()
    heavy = ["pandas", "pydantic_ai", "IPython", "ipywidgets", "smithers_nb.execution"]
    done = python(
        f"import sys\nfrom smithers_nb.cli import main\nmain(['list'])\nprint([n for n in {heavy} if n in sys.modules])"
    )
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def notebook(path: Path, *cells: str) -> None:
    made = [{"cell_type": "code", "source": text.splitlines(keepends=True), "outputs": []} for text in cells]
    path.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": made}))


CELL = """%%smithers {name} --props {{"word":WORD}}
@component
def App(ctx, word):
    return <Phase name="a"><Task run={{lambda: word}} on_finished={{lambda r: ctx.state.set("w", r.output)}}/></Phase>"""


def test_a_notebook_runs_without_jupyter(smithers: Any, folder: Path) -> None:
    first, second = CELL.format(name="one"), CELL.format(name="two")
    notebook(folder / "n.ipynb", "%load_ext smithers_nb\nWORD = 'tides'", first, "!ls", second)
    code, _, err = smithers("run", "n.ipynb")
    assert code == 2 and "n.ipynb:one, n.ipynb:two" in err
    assert smithers("run", "n.ipynb:one")[0] == 0
    assert rows(smithers("state-at", "one", "3", "--json")[1]) == [{"key": "w", "value": "tides"}]
    code, _, err = smithers("run", "n.ipynb:two")
    assert code == 2 and "cell 3 of n.ipynb has the line '!ls'" in err
    code, _, err = smithers("run", "n.ipynb:tow")
    assert code == 2 and "Did you mean 'two'?" in err
