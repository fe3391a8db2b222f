"""A run as a page that is a file: opened in Chromium from `file:` with the network off."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from smithers_nb import Claude, Execution, Phase, Store, Task, component, scripted
from smithers_nb.errors import StoreError
from smithers_nb.execution import run_behind
from smithers_nb.history.panes import protocol as p
from smithers_nb.history.panes.view import View
from smithers_nb.history.recorded import RecordedSource
from smithers_nb.recording import History
from tests.bench.player import Board
from tests.browser.lab import make_notebook
from tests.history.programs import PROGRAMS

PATIENCE_MS = 60_000
NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
PANES = ("frame", "plan", "xml", "pending", "handlers", "state", "tasks", "breakpoints", "output", "problems")
OTHERS = ("SNAPSHOT", "RENDER", "RECONCILE", "COMMIT", "EXECUTE", "FLUSH")
ASK = """gets => gets.map(get => {
  try { return JSON.stringify(smithers.pane(get)); } catch (error) { return JSON.stringify({error: String(error)}); }
})"""

Open = Callable[..., "File"]


class File:
    """An exported run in the browser, beside the panes that Python makes of the same file."""

    def __init__(self, page: Page, path: Path, name: str) -> None:
        self.page = page
        self.history: History = Store(path).open(name)
        self.view = View(RecordedSource(self.history.reader, self.history.execution_id))
        self.stepper = page.locator(".smithers-stepper")

    def panes(self, gets: list[dict[str, Any]]) -> list[Any]:
        """Return what the page has for some requests."""
        return [json.loads(answer) for answer in self.page.evaluate(ASK, gets)]

    def expected(self, get: dict[str, Any]) -> Any:
        """Return what Python has for a request, as the page would get it."""
        asked = p.Get.model_validate({"type": "get", "id": "", "limit": 100_000, **get})
        try:
            return json.loads(json.dumps(self.view.pane(asked)))
        except StoreError as error:
            return {"error": str(error)}

    def requests(self, frames: Iterable[int] | None = None) -> Iterator[dict[str, Any]]:
        """Yield a request for every pane, node, task and key, at each frame's rest and after two of its phases.

        ``frames`` are those of a long run that are looked at: only at their rest, which all of its frames have.
        """
        phased = frames is None
        for frame in frames or range(1, self.history.frames + 1):
            for phase in (None, OTHERS[frame % 6], OTHERS[(frame + 3) % 6])[: 3 if phased else 1]:
                at = {"at": frame, "phase": phase}
                yield from ({"pane": pane, **at} for pane in PANES)
                for pane, rows, name, about in (
                    ("plan", "nodes", "id", "node"),
                    ("tasks", "tasks", "task_id", "task"),
                    ("state", "entries", "key", "last_change"),
                ):
                    found = {row[name] for row in self.expected({"pane": pane, **at})[rows]}
                    yield from ({"pane": about, "of": of, **at} for of in sorted(found))
                yield from ({"pane": "hit", "direction": way, **at} for way in ("back", "forward"))
                yield from ({"pane": "search", "of": text, **at} for text in ("A", "task", "on_", "%"))
            yield from ({"pane": "why", "of": of, "at": frame} for of in [None, *self.targets({"at": frame})])
        yield from ({"pane": pane} for pane in ("timeline", "branches", "notes", "why"))

    def targets(self, at: dict[str, Any]) -> list[str]:
        """Return everything that a frame shows and that can be asked about."""
        found = []
        for row in self.expected({"pane": "plan", **at})["nodes"]:
            node = self.expected({"pane": "node", "of": row["id"], **at})
            names = [*row["events"], *(prop["name"] for prop in node["props"]), *["prompt"][: node["text"] is not None]]
            found += [row["id"], *(f"{row['id']}.{name}" for name in names if not node["removed"])]
        for pane, rows, name, prefix in (
            ("state", "entries", "key", "state:"),
            ("tasks", "tasks", "task_id", ""),
            ("pending", "writes", "id", ""),
            ("handlers", "calls", "id", ""),
        ):
            found += [prefix + row[name] for row in self.expected({"pane": pane, **at})[rows]]
        return found


@pytest.fixture
def opened(chromium: Browser, tmp_path: Path) -> Iterator[Open]:
    """Exports an execution and opens the file: no request, no error, no console message may come of it."""
    context = chromium.new_context(offline=True, viewport={"width": 1280, "height": 800})
    page = context.new_page()
    noise: list[str] = []
    page.on("console", lambda message: noise.append(message.text))
    page.on("pageerror", lambda error: noise.append(str(error)))
    page.on("request", lambda request: noise.append(request.url))

    def open_file(ex: Execution | History, address: str = "") -> File:
        path = tmp_path / "run.html"
        ex.export(path, show=False)
        page.goto(f"file://{path}{address}")
        expect(page.locator(".smithers-stepper")).to_be_visible(timeout=PATIENCE_MS)
        # The file itself is the one thing that is asked for.
        assert noise.pop(0).startswith(f"file://{path}")
        return File(page, path, ex.name)

    yield open_file
    assert noise == []
    context.close()


def whole(shown: Any, value: Callable[[str], Any]) -> Any:
    """Return a pane with each cut value whole: the names by which it is asked for differ."""
    if isinstance(shown, list):
        return [whole(one, value) for one in shown]
    if not isinstance(shown, dict):
        return shown
    if shown.get("ref") and "chars" in shown:
        return {**shown, "text": value(shown["ref"])["text"], "ref": None}
    return {name: whole(one, value) for name, one in shown.items() if name != "ref"}


def without_clock(get: dict[str, Any], shown: dict[str, Any]) -> dict[str, Any]:
    """Return a pane without what tells the answers apart: their number, and the time and place of asking."""
    drop = {"plan": "version", "tasks": "now", "branches": "store"}.get(get["pane"])
    if get["pane"] == "hit" and shown["found"] is None:
        drop = "before"
    return {name: value for name, value in shown.items() if name != drop}


def run(ex: Execution) -> None:
    """Run a program, and answer what it asks once."""
    ex.run_sync(max_frames=3)
    for question in run_behind(ex).publish().names:
        ex.answer(question, "deny" if question == "no" else "approve", "because")
    ex.run_sync(max_frames=2)


SHORT = ("Loops", "Agents", "Approvals", "Children", "Unmounts")
"""The programs of which each pane is compared in the gate: the others take minutes, and are alike."""


@pytest.mark.parametrize(
    "name", [name if name in SHORT else pytest.param(name, marks=pytest.mark.long) for name in PROGRAMS]
)
def test_every_pane_in_the_file_is_the_one_that_python_makes(name: str, run_of: Any, opened: Open) -> None:
    ex = run_of(PROGRAMS[name](), state={"old": [1], "k": "y"}, name=name)
    run(ex)
    ex.breakpoints.add(key="k")
    file = opened(ex)
    assert_same(file)


def assert_same(file: File, frames: Iterable[int] | None = None) -> None:
    """Hold all panes of the page against those that Python makes of the file."""
    gets = list(file.requests(frames))
    for get, shown in zip(gets, file.panes(gets), strict=True):
        mine = whole(file.expected(get), lambda ref: file.expected({"pane": "value", "of": ref}))
        its = whole(shown, lambda ref: file.panes([{"pane": "value", "of": ref, "limit": 100_000}])[0])
        if mine.keys() == {"error"}:
            assert get["pane"] == "why" and "no answer" in its["error"], get
        else:
            assert without_clock(get, its) == without_clock(get, mine), get


@component
def Report(ctx: Any, topic: str = "tidal energy") -> Any:
    notes = ctx.state.get("notes")
    return [
        Phase(name="research")[
            Claude(
                id="notes",
                model=scripted("1. tides 2. turbines"),
                on_finished=lambda r: ctx.state.set("notes", r.output),
            )["Give two notes on ", topic, "."]
        ],
        Phase(name="write")[
            Claude(
                id="draft", model=scripted("A short draft."), on_finished=lambda r: ctx.state.set("draft", r.output)
            )["Write it up: ", notes]
        ],
    ]


def test_the_report_is_the_same_in_the_file(run_of: Any, opened: Open) -> None:
    ex = run_of(Report, name="report")
    ex.run_sync()
    file = opened(ex)
    assert_same(file)
    frames, last = file.history.df.frames, file.history.frames
    for n, writes in zip(frames.frame, frames.writes, strict=True):
        assert file.panes([{"pane": "frame", "at": int(n)}])[0]["counts"]["writes"] == writes
    state = {row["key"]: row["value"]["text"] for row in file.panes([{"pane": "state", "at": last}])[0]["entries"]}
    recorded = file.history.df.state_at(last)
    assert state == {key: json.dumps(value) for key, value in zip(recorded.key, recorded.value, strict=True)}


def test_a_run_that_was_killed_and_resumed_is_the_same_in_the_file(
    resumed: Any, opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = json.loads((NOTEBOOKS / "05_kill_and_resume.ipynb").read_text(encoding="utf-8"))["cells"]
    [code] = [text for cell in cells if (text := "".join(cell["source"])).startswith("%%writefile essay.py")]
    (tmp_path / "essay.py").write_text(code.partition("\n")[2], encoding="utf-8")
    died = subprocess.run([sys.executable, "essay.py"], cwd=tmp_path, check=False)
    assert died.returncode == -9
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    ex = resumed(__import__("essay").Essay, store=tmp_path / "crash.db", name="essay")
    assert ex.run_sync().status == "finished"
    file = opened(ex)
    # The frame in which the process died has stayed open.
    assert "open" in set(file.history.df.frames.status)
    assert_same(file)


@pytest.mark.long
def test_a_long_run_is_the_same_in_the_file(run_of: Any, opened: Open) -> None:
    ex = run_of(Board, name="board")
    ex.run_sync(max_frames=1000)
    file = opened(ex)
    assert_same(file, [1, 2, 20, 333, 500, 899, 900, 999, 1000])


# ---- what one sees ---------------------------------------------------------------------------------------------


LONG = "long " * 20_000
NASTY = (
    "</script><script>window.hit = 1</script>",
    "<!-- <img src=x onerror='window.hit = 2'>",
    "\u2028javascript:window.hit=3\u2029",
    "&lt;b&gt; \\u003c/script>",
)


@component
def Hostile(ctx: Any, words: tuple[str, ...] = NASTY) -> Any:
    for text in words:
        print(text)
    return [
        Phase(name=words[0])[Claude(id="c", model=scripted(words[1]), on_finished=kept)[f"{words[2]} {LONG}"]],
        Task(id="t", key=words[3], run=fails, on_error=lambda result: print(result.error)),
    ]


def kept(result: Any, ctx: Any) -> None:
    ctx.state.set(NASTY[0], [result.output, LONG, *NASTY])


def fails() -> None:
    raise ValueError(NASTY[0])


def test_hostile_text_in_every_field_is_inert_and_literal(run_of: Any, opened: Open) -> None:
    ex = run_of(Hostile(), name=NASTY[0])
    ex.run_sync(max_frames=5)
    file = opened(ex, "#frame=2&node=c&tab=XML")
    expect(file.stepper).to_have_attribute("data-cursor", "2")
    # The name, the plan, a value and the output are there as they were written.
    expect(file.stepper.locator(".ss-name")).to_have_text(NASTY[0])
    expect(file.stepper.get_by_role("treeitem")).to_have_count(0)
    for tab, text in (("Tree", NASTY[0]), ("State", NASTY[0]), ("Output", NASTY[1]), ("Problems", NASTY[0])):
        file.stepper.get_by_role("tab", name=tab).first.click()
        expect(file.stepper.get_by_text(text).first).to_be_visible()
    assert file.page.evaluate("[window.hit, document.images.length, document.links.length]") == [None, 0, 0]
    # The page's script, the one that unpacks it, and the four blocks.
    assert file.page.locator("script").count() == 6


def test_the_file_is_looked_through_and_offers_nothing_that_executes(run_of: Any, opened: Open) -> None:
    ex = run_of(PROGRAMS["Approvals"](), name="asks")
    run(ex)
    file = opened(ex)
    stepper, last = file.stepper, file.history.frames
    expect(stepper.get_by_role("toolbar", name="Stepping").get_by_role("button")).to_have_text(
        ["First frame", "Back", "Forward", "Last frame"]
    )
    words = stepper.get_by_role(
        "button", name=re.compile("^(Step|Continue|Until|Pause|Stop|Branch|Approve|approve|Edit)")
    )
    expect(words).to_have_count(0)
    expect(stepper.locator("input[type=checkbox][aria-label*=Once], .ss-dot:is(button)")).to_have_count(0)
    # Keys walk, a phase at a time too, and the address follows.
    stepper.press("Home")
    expect(stepper).to_have_attribute("data-cursor", "1")
    stepper.press("s")
    expect(stepper.locator(".ss-place")).to_contain_text("f1 FLUSH")
    stepper.press("n")
    expect(stepper).to_have_attribute("data-cursor", "2")
    expect(file.page).to_have_url(re.compile("#frame=2"), timeout=PATIENCE_MS)
    stepper.press("End")
    expect(stepper).to_have_attribute("data-cursor", "live")
    # A link that is pasted leads there, and to its tab: why of a node is answered.
    file.page.evaluate("location.hash = '#frame=2&node=ok&tab=why'")
    expect(stepper).to_have_attribute("data-cursor", "2")
    expect(stepper.get_by_role("tabpanel", name="Why")).to_contain_text("Approvals put it into the first frame")
    stepper.press("/")
    stepper.get_by_role("searchbox", name="Search").fill("ok")
    expect(stepper.get_by_role("list", name="Results")).to_contain_text("ok")
    assert last > 1


def test_a_branch_is_shown_along_its_line_and_a_long_value_whole(run_of: Any, opened: Open) -> None:
    ex = run_of(PROGRAMS["Loops"](), name="trunk", state={"big": "x" * 5_000_000})
    ex.run_sync(max_frames=4)
    branch = ex.fork(3, state={"n": 1}, name="twig")
    branch.run_sync(max_frames=2)
    file = opened(branch)
    assert_same(file)
    frames = file.history.df.frames
    assert list(frames.execution_id.unique()) == [ex.execution_id, branch.execution_id]
    answers = file.panes([{"pane": "frame", "at": int(frame)} for frame in frames.frame])
    assert [answer["counts"]["writes"] for answer in answers] == list(frames.writes)
    assert [part["name"] for part in file.panes([{"pane": "branches"}])[0]["line"]] == ["trunk", "twig"]
    file.stepper.get_by_role("tab", name="State").click()
    file.stepper.get_by_role("button", name="load all").click()
    expect(file.stepper.get_by_text("of 5,000,002")).to_be_visible()
    [row] = [row for row in file.panes([{"pane": "state"}])[0]["entries"] if row["key"] == "big"]
    [whole_value] = file.panes([{"pane": "value", "of": row["value"]["ref"], "since": 4_999_000}])
    assert whole_value["text"] == "x" * 1002 + '"'


NOTEBOOK = """%%smithers report --run
@component
def App(ctx):
    n = ctx.state.get("n", 0)
    return <Task id={f"t{n}"} run={lambda: n} on_finished={lambda r: ctx.state.set("n", n + 1) if n < 2 else None}/>
"""


def test_html_of_a_notebook_has_the_run_in_it_and_needs_no_network(chromium: Browser, tmp_path: Path) -> None:
    cells = ["%load_ext smithers_nb", NOTEBOOK, "report.recorded"]
    notebook = tmp_path / "run.ipynb"
    notebook.write_text(json.dumps(make_notebook(cells)))
    convert = [sys.executable, "-m", "nbconvert", "--execute", "--to", "html", str(notebook)]
    subprocess.run(convert, check=True, capture_output=True, cwd=tmp_path, env={**os.environ, "SMITHERS_EMBED": "1"})
    page = chromium.new_context(offline=True).new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"file://{tmp_path}/run.html")
    # nbconvert's own page asks a CDN for MathJax; the run asks nobody.
    run = page.frame_locator("iframe[title='Run report']").locator(".smithers-stepper")
    expect(run).to_have_attribute("data-status", "finished", timeout=PATIENCE_MS)
    run.get_by_role("button", name="First frame").click()
    expect(run).to_have_attribute("data-cursor", "1")
    expect(run.get_by_role("treeitem")).to_contain_text(["t0"])
    expect(page.locator(".smithers-static").first).to_contain_text('report.export("run.html")')
    assert not [error for error in errors if "smithers" in error]
    page.context.close()
