"""A run kept as a test: written, green as a real pytest process, and red after each edit of the app."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import date
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from smithers_nb import Claude, Phase, Store, Task, component, errors, scripted
from smithers_nb.player.notebook_code import code_of

APP = '''
from smithers_nb import Claude, Phase, Task, call_tool, component, scripted

TOPIC = "tides"


def look(word: str) -> str:
    """Look a word up."""
    return f"{word}: found"


@component
def Report(ctx, notes=2):
    found = ctx.state.get("notes")
    return [
        Phase(name="research")[
            Claude(
                id="notes",
                model=scripted(call_tool("look", word="tide"), "1. tides 2. turbines"),
                tools=[look],
                on_finished=lambda r: ctx.state.set("notes", r.output),
            )[f"Give {notes} notes on {TOPIC}."],
            Task(id="count", run=lambda n: n + 1, args={"n": 1}),
        ],
        Phase(name="write")[
            Claude(
                id="draft", model=scripted("A short draft."), on_finished=lambda r: ctx.state.set("draft", r.output)
            )[f"Write it up: {found}"],
        ],
    ]
'''
RUN = """
from smithers_nb import Execution
from my_app import Report

with Execution(Report, props={"notes": 3}, name="report", store="runs.db") as ex:
    ex.run_sync()
    ex.keep("tests/test_report.py", values=["draft"])
"""


def pytest_run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run pytest as a person does, in a process and a folder of its own."""
    plugin = [] if any(one.name == "smithers_nb" for one in entry_points(group="pytest11")) else ["-p", PLUGIN]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *plugin, *arguments, "tests"]
    # Not the key of whoever runs this: a request would fail, and is not made.
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )


PLUGIN = "smithers_nb.pytest_plugin"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an app, and a test that was written for a run of it."""
    folder = tmp_path_factory.mktemp("kept")
    (folder / "tests").mkdir()
    (folder / "my_app.py").write_text(APP)
    done = subprocess.run(
        [sys.executable, "-c", RUN], cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "tests/test_report.html has report" in done.stdout
    return folder


def test_the_written_test_is_green_in_a_process_of_its_own(kept: Path) -> None:
    text = (kept / "tests" / "test_report.py").read_text()
    assert "from my_app import Report" in text and "assert run.values['draft'] == 'A short draft.'" in text
    assert "Give 3 notes on tides." in text, "the plan can be read in it"
    compile(text, "test_report.py", "exec")
    done = pytest_run(kept)
    assert "1 passed" in done.stdout, done.stdout + done.stderr


EDITS = {
    "a prompt": ('"Write it up: {found}"', '"Write it down: {found}"', (
        "The first difference is in frame 1, the text of claude draft:",
        "It stops in frame", "at draft, turn 1: it asks for something else than was recorded.",
        "  - Write it up: 1. tides 2. turbines", "  + Write it down: 1. tides 2. turbines",
        "The nearest recorded request is turn 1 of draft",
    )),
    "a handler": ('ctx.state.set("draft", r.output)', 'ctx.state.set("draft", r.output.upper())', (
        "a write of draft by on_finished of draft:", "A SHORT DRAFT.", "state draft",
    )),
    "an agent that is added": ('            Task(id="count"', '            Claude(id="more", model="sonnet")["Give 3 notes on tides, please."],\n            Task(id="count"', (
        "The first difference is in frame 1, the plan's claude more:", "at more, it did not run in the recording.",
        "The nearest recorded request is turn 1 of notes, whose task began in frame 1.",
        "  - Give 3 notes on tides.", "  + Give 3 notes on tides, please.",
    )),
    "the arguments of a task": ('args={"n": 1}', 'args={"n": 2}', (
        "the plan's task count", "at count, its function would be called otherwise.", '{"n": 2}',
    )),
    "a tool's docstring": ('"""Look a word up."""', '"""Look it up."""', (
        "at notes, turn 1: it asks for something else than was recorded.",
        "The first difference is in the description of tool look:", "  - Look a word up.", "  + Look it up.",
    )),
    "a phase that is gone": ('Phase(name="write")[', 'ctx.state.get("never") and Phase(name="write")[', (
        "The first difference is in frame 1, the plan's phase", "the plan's claude draft",
    )),
}  # fmt: skip


def test_it_is_red_after_each_edit_and_says_what_differs(kept: Path, tmp_path: Path) -> None:
    """All edits in one process: a copy of the app and of its test for each."""
    test = (kept / "tests" / "test_report.py").read_text()
    (tmp_path / "tests").mkdir()
    for n, (old, new, _) in enumerate(EDITS.values()):
        assert APP.count(old) == 1
        (tmp_path / f"app_{n}.py").write_text(APP.replace(old, new))
        (tmp_path / "tests" / f"test_edit_{n}.py").write_text(
            test.replace("my_app", f"app_{n}")
            .replace("test_report(", f"test_edit_{n}(")
            .replace("test_report.", f"edit_{n}.")
        )
        (tmp_path / "tests" / f"edit_{n}.html").write_bytes((kept / "tests" / "test_report.html").read_bytes())
    done = pytest_run(tmp_path, "--smithers-player", "pages")
    assert f"{len(EDITS)} failed" in done.stdout, done.stdout + done.stderr
    assert "Traceback" not in done.stdout
    told = re.split(r"_{3,} test_edit_(\d) _{3,}", done.stdout)
    by_edit = dict(zip(map(int, told[1::2]), told[2::2], strict=True))
    for n, (edit, (_, _, expected)) in enumerate(EDITS.items()):
        for line in expected:
            assert line in by_edit[n], f"{edit}: {line}\n{by_edit[n]}"
        for what in ("recorded", "now"):
            page = tmp_path / "pages" / f"edit_{n}-{what}.html"
            assert str(page) in by_edit[n] and Store(page).executions().shape[0] >= 1, edit


def test_without_the_option_it_says_that_there_is_one(kept: Path, tmp_path: Path) -> None:
    from smithers_nb.player.kept import Differs, replayed

    @component
    def Report(notes: int = 2) -> Any:
        return Phase(name="research")

    with pytest.raises(Differs, match="pytest --smithers-player DIR writes the pages"):
        replayed(kept / "tests" / "test_report.html", Report)
    assert sorted(path.name for path in (kept / "tests").iterdir() if path.suffix) == [
        "test_report.html",
        "test_report.py",
    ]


def test_a_run_without_kept_tests_imports_nothing_heavy(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_plain.py").write_text(
        "import sys\n\n\ndef test_plain(pytestconfig):\n"
        "    assert pytestconfig.getoption('--smithers-player') is None\n"
        "    ours = {name for name in sys.modules if name.startswith('smithers_nb')}\n"
        "    assert ours == {'smithers_nb', 'smithers_nb.errors', 'smithers_nb.version', 'smithers_nb.pytest_plugin'}\n"
        "    assert not {'pandas', 'pydantic', 'pydantic_ai', 'IPython', 'aiosqlite', 'sqlite3'} & set(sys.modules)\n"
    )
    done = pytest_run(tmp_path)
    assert "1 passed" in done.stdout, done.stdout + done.stderr


# ---- what can't be kept ----------------------------------------------------------------------------------------


@component
def Small(ctx: Any) -> Any:
    return Task(id="t", run=lambda: date(2026, 1, 1), on_finished=lambda r, ctx: ctx.state.set("found", r.output))


def test_what_can_not_be_kept_is_said_and_nothing_is_written(run_of: Any, tmp_path: Path) -> None:
    ex = run_of(Small, name="small", state={"word": "x"})
    ex.run_sync()
    inside = component(lambda: ex)
    for call, kind, message in (
        (lambda: ex.keep(tmp_path / "report.py"), ValueError, "pytest looks for names such as"),
        (lambda: ex.keep(tmp_path / "no" / "test_a.py"), errors.StoreError, "there is no folder"),
        (lambda: ex.keep(tmp_path / "test_a.py", values=["wrd"]), ValueError, "'wrd'.*Did you mean 'word'"),
        (lambda: ex.keep(tmp_path / "test_a.py", values=["found"]), ValueError, "holds a date.*can't be written"),
        (lambda: ex.keep(tmp_path / "test_a.py", app="Small"), ValueError, "package.module:Name"),
        (lambda: ex.store.open("small").keep(tmp_path / "test_a.py", Phase(name="x")), ValueError, "no component"),
        (lambda: ex.store.open("small").keep(tmp_path / "test_a.py", inside), ValueError, "made inside of a function"),
    ):
        with pytest.raises(kind, match=message):
            call()
    branch = ex.fork(1)
    with pytest.raises(
        errors.StoreError, match=rf"frame 1: its first frames are those of {ex.name}.*{ex.execution_id}"
    ):
        branch.keep(tmp_path / "test_a.py")
    branch.close()
    assert not list(tmp_path.glob("*.py")) and not list(tmp_path.glob("*.html"))
    ex.keep(tmp_path / "test_a.py", show=False)
    with pytest.raises(ValueError, match=r"exists already.*replace=True"):
        ex.keep(tmp_path / "test_a.py", show=False)
    assert "def test_a_b_c(kept_run):" in ex.keep(tmp_path / "test_a b-c.py", show=False).test.read_text()
    found = ex.keep(tmp_path / "test_a.py", values=["word"], replace=True, show=False)
    assert "assert run.values['word'] == 'x'" in found.test.read_text()


# ---- a recording as a store: replay, and no request ------------------------------------------------------------


@component
def Asks(ctx: Any, word: str) -> Any:
    key = ctx.state.get("api_key")
    return Claude(id="c", model="sonnet", on_finished=lambda r, ctx: ctx.state.set("said", r.output))[
        f"{word} with {key}"
    ]


def test_an_exported_run_is_replayed_without_a_request_and_without_its_credentials(run_of: Any, tmp_path: Path) -> None:
    given = {"api_key": "sk-ant-" + "api03-0123456789abcdef"}
    ex = run_of(Asks, props={"word": "Say"}, models={"sonnet": scripted("hello")}, state=given, name="asks")
    ex.run_sync()
    assert ex.export(tmp_path / "run.html", show=False).masked >= 3
    before = (tmp_path / "run.html").read_bytes()
    replay = Store(tmp_path / "run.html").open("asks").replay(Asks)
    assert (replay.same, replay.requests, replay.answers, replay.history.state["said"]) == (True, 0, 1, "hello")
    assert (tmp_path / "run.html").read_bytes() == before
    assert Store(tmp_path / "run.html").executions().name.tolist() == ["asks"], "the replay is in a copy"
    again = ex.store.open("asks").replay(Asks, name="again")
    assert again.same and "again" in set(ex.store.executions().name), "of a database it is in the file"


# ---- the code of cells -----------------------------------------------------------------------------------------


CELLS = (
    "import json as j\nfrom pathlib import Path\nTOPIC = 'tides'\nLIMITS = {'turns': 3, 'much': [1.5, None]}",
    """
class Note:
    words: str = "a note"

def wrapped(text):
    return j.dumps({"text": text, "note": Note.words})
""",
    """%%smithers report --quiet
# A comment of the cell.
%pwd
SYSTEM = f"You know {TOPIC}."

@component
def Row(text):
    return <Step name={text}>Don't stop: {wrapped(text)}</Step>

@component
def Report(ctx):
    return (
        <>
            {[<Row text={word} key={word} /> for word in ("a", "b")]}
            <Claude id="notes" model={scripted("1. tides")} system={SYSTEM} limits={{"turns": LIMITS["turns"]}}
                    on_finished={lambda r: ctx.state.set("notes", r.output)}>
                Give notes on {TOPIC} from {Path("a").name}.
            </Claude>
        </>
    )

unused = open
""",
    "TOPIC = 'waves'\nreport.run_sync()\nreport.keep('tests/test_report.py', values=['notes'])",
)


def test_the_code_of_cells_is_written_into_the_test(tmp_path: Path) -> None:
    script = f"""
import sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
sys.modules["__main__"].__dict__.pop("__file__", None)
shell.run_line_magic("load_ext", "smithers_nb")
for cell in {CELLS!r}:
    shell.run_cell(cell, store_history=True).raise_error()
shell.user_ns["report"].close()
"""
    (tmp_path / "tests").mkdir()
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    text = (tmp_path / "tests" / "test_report.py").read_text()
    for line in (
        "import json as j", "from pathlib import Path", "TOPIC = 'waves'", "class Note:", "def wrapped(text):",
        "LIMITS = {'turns': 3, 'much': [1.5, None]}", "from smithers_nb import Claude, component, Fragment, jsx, scripted, Step",
    ):  # fmt: skip
        assert line in text, f"{line}\n{text}"
    assert "unused" not in text and "__smithers" not in text and "%pwd" not in text
    done = pytest_run(tmp_path)
    assert "1 passed" in done.stdout, done.stdout + done.stderr + text


def test_what_no_cell_defines_is_named() -> None:
    names: dict[str, Any] = {"component": component, "handle": object(), "__name__": "__main__"}
    exec("@component\ndef OfNoCell(ctx):\n    return str(handle)", names)
    with pytest.raises(ValueError, match=r"it uses OfNoCell, and no cell defines that\. Put the app into a module"):
        code_of(names["OfNoCell"])
