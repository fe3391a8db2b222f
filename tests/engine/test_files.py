"""ctx.fs: files that components read are watched, and what handlers write is recorded."""

from __future__ import annotations

import asyncio
import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from smithers_nb import Effect, Step, Task, component
from smithers_nb.bridge import engine
from smithers_nb.errors import RunError
from smithers_nb.execution import run_behind


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The kernel's working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def watching() -> int:
    """How many watchers there are on the engine's loop."""

    async def count() -> int:
        return sum(task.get_name() == "smithers watch" for task in asyncio.all_tasks())

    return engine.call(count())


def shows(look: Any) -> Any:
    @component
    def App(ctx: Any) -> Any:
        return Step(name=str(look(ctx)))

    return App()


def with_task(look: Any, gate: Any) -> Any:
    """An app that waits for a gate, and so keeps on waiting."""

    @component
    def App(ctx: Any) -> Any:
        return [Step(name=str(look(ctx))), Task(id="t", run=gate.passed)]

    return App()


def replaced(path: Path, text: str) -> None:
    new = path.with_name("new.tmp")
    new.write_text(text)
    os.replace(new, path)


LOOKS: dict[str, tuple[Any, Any, str, str]] = {
    "read, written": (lambda ctx: ctx.fs.read("a.txt"), lambda p: p.write_text("two"), "one", "two"),
    "read, replaced": (lambda ctx: ctx.fs.read("a.txt"), lambda p: replaced(p, "two"), "one", "two"),
    "bytes": (lambda ctx: len(ctx.fs.read("a.txt", None)), lambda p: p.write_text("longer"), "3", "6"),
    "gone": (lambda ctx: ctx.fs.exists("a.txt"), lambda p: p.unlink(), "True", "False"),
    "new": (lambda ctx: ctx.fs.exists("b.txt"), lambda p: p.with_name("b.txt").touch(), "False", "True"),
    "in a folder to come": (
        lambda ctx: ctx.fs.exists("d/b.txt"),
        lambda p: made(p.parent / "d" / "b.txt"),
        "False",
        "True",
    ),
    "glob": (
        lambda ctx: ctx.fs.glob("*.txt"),
        lambda p: p.with_name("b.txt").touch(),
        "['a.txt']",
        "['a.txt', 'b.txt']",
    ),
    "deep glob": (lambda ctx: len(ctx.fs.glob("**/*.md")), lambda p: made(p.parent / "x" / "y" / "c.md"), "0", "1"),
}


def made(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def seen_in(ex: Any) -> str:
    return str(ex.frame.tree.roots[0].props["name"])


@pytest.mark.parametrize(("look", "change", "before", "after"), LOOKS.values(), ids=LOOKS)
def test_a_change_of_what_a_component_looked_at_makes_a_frame_due(
    look: Any, change: Any, before: str, after: str, run_of: Any, folder: Path
) -> None:
    (folder / "a.txt").write_text("one")
    ex = run_of(shows(look))
    ex.step_sync()
    assert seen_in(ex) == before
    change(folder / "a.txt")
    ex.run_sync()
    assert seen_in(ex) == after
    assert ex.frame.reason[0].startswith("file ") and ex.frame.reason[0].endswith(" changed")


@pytest.mark.parametrize(("look", "change", "before", "after"), LOOKS.values(), ids=LOOKS)
def test_a_change_is_noticed_while_a_run_waits(
    look: Any, change: Any, before: str, after: str, run_of: Any, gate: Any, folder: Path, wait_until: Any
) -> None:
    (folder / "a.txt").write_text("one")
    door = gate()
    ex = run_of(with_task(look, door))
    running: list[Any] = []
    engine.soon(ex.run(), lambda result, error: running.append(error or result))
    wait_until(lambda: ex.status == "waiting")
    assert seen_in(ex) == before
    change(folder / "a.txt")
    wait_until(lambda: seen_in(ex) == after)
    door.open()
    wait_until(lambda: bool(running))
    assert running[0].status == "finished"


def test_a_change_between_two_steps_is_a_cause_at_once(run_of: Any, gate: Any, folder: Path, wait_until: Any) -> None:
    (folder / "a.txt").write_text("one")
    ex = run_of(with_task(lambda ctx: ctx.fs.read("a.txt"), gate()))
    ex.step_sync()
    (folder / "a.txt").write_text("two")
    wait_until(lambda: "file a.txt changed" in run_behind(ex).publish().causes)


def test_a_watch_keeps_no_execution_alive_and_ends_with_it(run_of: Any, folder: Path, wait_until: Any) -> None:
    (folder / "a.txt").write_text("one")
    ex = run_of(shows(lambda ctx: ctx.fs.read("a.txt")))
    ex.step_sync()
    assert watching() == 1
    assert ex.run_sync().status == "finished"
    wait_until(lambda: watching() == 0)
    (folder / "a.txt").write_text("two")
    result = ex.run_sync()
    assert (result.status, result.frames, seen_in(ex)) == ("finished", 1, "two")
    assert ex.run_sync().frames == 0


def test_close_ends_the_watch(run_of: Any, folder: Path) -> None:
    (folder / "a.txt").write_text("one")
    ex = run_of(shows(lambda ctx: ctx.fs.read("a.txt")))
    ex.step_sync()
    assert watching() == 1
    ex.close()
    assert watching() == 0


def test_there_is_one_watch_however_many_frames_and_files(run_of: Any, folder: Path) -> None:
    for name in "abc":
        (folder / name).write_text(name)
    ex = run_of(shows(lambda ctx: [ctx.fs.read(name) for name in "abc"] + [ctx.state.get("x")]))
    for n in range(3):
        ex.state.set("x", n)
        ex.step_sync()
    assert watching() == 1


def test_a_file_that_is_no_longer_read_is_no_longer_watched(run_of: Any, folder: Path, wait_until: Any) -> None:
    (folder / "a.txt").write_text("one")
    ex = run_of(shows(lambda ctx: None if ctx.state.get("off") else ctx.fs.read("a.txt")))
    ex.step_sync()
    ex.state.set("off", True)
    ex.step_sync()
    wait_until(lambda: watching() == 0)
    (folder / "a.txt").write_text("two")
    assert (ex.run_sync().status, ex.frame.number) == ("finished", 2)


def test_an_app_that_reads_no_file_does_not_load_watchfiles(python: Any) -> None:
    script = """
        import sys
        from smithers_nb import Execution, Step
        Execution(Step(), store="t.db").run_sync()
        print("watchfiles" in sys.modules)
    """
    assert python(script).stdout == "False\n"


def test_a_preview_watches_nothing(run_of: Any, folder: Path) -> None:
    (folder / "a.txt").write_text("one")
    run_of(shows(lambda ctx: ctx.fs.read("a.txt"))).preview()
    assert watching() == 0


# ---- writing ---------------------------------------------------------------------------------------------------


def event(ex: Any) -> dict[str, Any]:
    [row] = [row for row in ex.df.events.to_dict("records") if row["kind"] == "file_written"]
    return dict(row)


CONTENTS: dict[str, tuple[str | bytes, bytes]] = {
    "text": ("Übung\n", "Übung\n".encode()),
    "bytes": (b"\x00\xff", b"\x00\xff"),
    "nothing": ("", b""),
}


@pytest.mark.parametrize(("content", "data"), CONTENTS.values(), ids=CONTENTS)
def test_what_a_handler_writes_is_there_and_is_recorded_with_its_flush(
    content: Any, data: bytes, run_of: Any, folder: Path
) -> None:
    (folder / "out.txt").write_bytes(b"old")
    (folder / "out.txt").chmod(0o640)

    @component
    def App(ctx: Any) -> Any:
        return Effect(id="e", run=lambda: ctx.fs.write("out.txt", content))

    ex = run_of(App())
    ex.step_sync()
    assert (folder / "out.txt").read_bytes() == data
    assert len(ex.df.events) == 0
    ex.run_sync()
    found = event(ex)
    assert (found["kind"], found["node_id"], found["frame"]) == ("file_written", "e", 1)
    assert found["payload"] == {"path": "out.txt", "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    assert (folder / "out.txt").stat().st_mode & 0o777 == 0o640
    assert [path.name for path in folder.iterdir() if path.name.startswith(".smithers")] == []


def test_a_file_is_written_even_if_its_handler_raises_and_the_event_says_so(run_of: Any, folder: Path) -> None:
    def handler(ctx: Any) -> None:
        ctx.fs.write("out.txt", "a")
        ctx.state.set("x", 1)
        raise ValueError

    @component
    def App(ctx: Any) -> Any:
        return Task(id="t", run=lambda: 1, on_finished=lambda r: handler(ctx))

    ex = run_of(App())
    ex.run_sync()
    assert ("x" in ex.state, event(ex)["payload"]["path"]) == (False, "out.txt")


def in_thread(ctx: Any) -> None:
    ctx.fs.write("sub/out.txt", "a")


async def on_the_loop(ctx: Any) -> None:
    ctx.fs.write("sub/out.txt", "a")


@pytest.mark.parametrize("run", [in_thread, on_the_loop])
def test_a_task_writes_and_records_at_once(run: Any, run_of: Any, folder: Path) -> None:
    ex = run_of(Task(id="t", run=run))
    ex.run_sync()
    assert (folder / "sub" / "out.txt").read_text() == "a"
    assert event(ex)["node_id"] == "t"


def test_a_person_writes_and_records_at_once(run_of: Any, folder: Path) -> None:
    ex = run_of(Step())
    ex.ctx.fs.write(folder / "out.txt", "a")
    assert (event(ex)["node_id"], event(ex)["payload"]["bytes"]) == (None, 1)


def test_a_frame_follows_a_write_of_a_file_that_is_read(run_of: Any, folder: Path) -> None:
    """Not only when the system says so: a run might be over by then."""

    @component
    def App(ctx: Any) -> Any:
        text = ctx.fs.read("a.txt") if ctx.fs.exists("a.txt") else "nothing"
        return [Step(name=text), Effect(id="e", run=lambda: ctx.fs.write("a.txt", "something"))]

    ex = run_of(App())
    assert ex.run_sync().status == "finished"
    assert (seen_in(ex), ex.frame.number, ex.frame.reason) == ("something", 2, ("file a.txt changed",))


def test_a_link_goes_on_pointing_where_it_pointed(run_of: Any, folder: Path) -> None:
    (folder / "real.txt").write_text("old")
    (folder / "link.txt").symlink_to("real.txt")
    run_of(Step()).ctx.fs.write("link.txt", "new")
    assert ((folder / "link.txt").is_symlink(), (folder / "real.txt").read_text()) == (True, "new")


def test_a_task_that_has_ended_writes_no_more(run_of: Any, folder: Path) -> None:
    import contextvars

    later: list[Any] = []

    async def run(ctx: Any) -> None:
        context = contextvars.copy_context()
        later.append(lambda: context.run(ctx.fs.write, "late.txt", "a"))

    run_of(Task(id="t", run=run)).run_sync()
    with pytest.raises(RunError, match=r"'late.txt' was written after task t@1 had ended"):
        later[0]()
    assert not (folder / "late.txt").exists()


def test_a_missing_file_is_the_systems_error(run_of: Any) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        run_of(Step()).ctx.fs.read("nowhere.txt")


@pytest.mark.parametrize("content", [1, None, ["a"]])
def test_only_text_and_bytes_are_written(content: Any, run_of: Any, folder: Path) -> None:
    with pytest.raises(TypeError, match="text or bytes"):
        run_of(Step()).ctx.fs.write("out.txt", content)
    assert not (folder / "out.txt").exists()
