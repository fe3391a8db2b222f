"""The words that run an app: ``run`` and ``resume``."""

from __future__ import annotations

import json as plain_json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

from ..execution import Execution, run_behind
from ..recording import Store
from ..records import RunResult
from .codes import EARLY, FAILED, FINISHED, STOPPED, WAITING
from .listing import DB, AsJson
from .programs import load
from .shown import complain, print_json, print_text

if TYPE_CHECKING:
    from ..agents.dbos import DbosRunner

AppPlace = Annotated[str, "MODULE:App, FILE.ipynb, or FILE.ipynb:NAME for one cell of several"]
Models = Annotated[list[str], "NAME=ID: the model of that name in the plan is the provider's ID"]
MaxFrames = Annotated[int | None, "the most frames that are rendered now"]
Until = Annotated[str | None, "a state key, or an expression such as state['n'] > 3, that ends it early"]
Quiet = Annotated[bool, "no line of progress, also on a terminal"]
Engine = Annotated[str | None, "run agents and functions on workers: postgresql://user@host/database"]
REFRESH_S = 0.2


def run(
    app: AppPlace,
    *,
    name: Annotated[str | None, "the name of the execution, by default that of the app or cell"] = None,
    props: Annotated[str | None, "the props of the app as a JSON object"] = None,
    model: Models = (),  # type: ignore[assignment]  # argparse gives a list
    max_frames: MaxFrames = None,
    until: Until = None,
    runner: Engine = None,
    db: DB = "smithers.db",
    json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Runs an app as a new execution, to its end or until it waits for people."""
    program = load(app)
    given = program.props
    if props is not None:
        given = _props(props)
    options: dict[str, Any] = {"name": name or program.name, "store": db, "props": given, "models": _models(model)}
    return _run(Execution(program.app, **options, runner=_runner(runner)), until, max_frames, json=json, quiet=quiet)


def resume(
    app: AppPlace,
    id: Annotated[str | None, "the id or name of the execution, by default the newest of the app's name"] = None,
    *,
    model: Models = (),  # type: ignore[assignment]  # as above
    max_frames: MaxFrames = None,
    until: Until = None,
    runner: Engine = None,
    db: DB = "smithers.db",
    json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Continues an execution of the file, after an answer, a stop or a crash."""
    program = load(app)
    found = Store(db).reader.execution_id(id or program.name)
    ex = Execution.resume(program.app, store=db, id=found, models=_models(model), runner=_runner(runner))
    return _run(ex, until, max_frames, json=json, quiet=quiet)


def _runner(url: str | None) -> DbosRunner | None:
    if url is None:
        return None
    from ..agents.dbos import DbosRunner

    return DbosRunner(url)


def _props(text: str) -> dict[str, Any]:
    try:
        found = plain_json.loads(text)
    except ValueError as error:
        raise ValueError(f"--props {text[:60]!r} is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise ValueError(f"--props is a JSON object of props by name, not {text[:60]!r}")
    return found


def _models(given: list[str]) -> dict[str, str]:
    found = {}
    for one in given:
        name, equals, id = one.partition("=")
        if not (name and equals and id):
            raise ValueError(f"--model {one!r}: write NAME=ID, such as sonnet=anthropic:claude-sonnet-4-5")
        found[name] = id
    return found


def _run(ex: Execution, until: str | None, max_frames: int | None, *, json: bool, quiet: bool) -> int:
    """Run an execution, print how it ended, and return the exit code."""
    try:
        with _progress(ex, shown=not quiet and sys.stderr.isatty()):
            result = ex.run_sync(until=until, max_frames=max_frames)
        _print_result(ex, result, json)
        return _code(result)
    except KeyboardInterrupt:
        ex.stop()
        return complain(f"{ex.name} ({ex.execution_id}) is interrupted after frame {ex.recorded}: resume it.", STOPPED)
    finally:
        # The lease is given back also after an error: the next command must not wait for it to expire.
        ex.close()


def _print_result(ex: Execution, result: RunResult, json: bool) -> None:
    # As stored: the JSON of the file, whatever class the value has.
    stored = run_behind(ex).loop.result
    value = stored and plain_json.loads(stored.text)
    if json:
        facts = {"execution_id": ex.execution_id, "name": ex.name, "status": result.status, "reason": result.reason}
        print_json([{**facts, "frames": ex.recorded, "result": value, "problems": result.problems}])
        return
    print_text(f"{ex.name} ({ex.execution_id}): {result.status} after {ex.recorded} frames")
    if result.reason:
        print_text(result.reason)
    if stored is not None:
        print_text(f"result: {stored.text}")
    for problem in result.problems:
        complain(f"{problem.kind}: {problem.message}")


def _code(result: RunResult) -> int:
    codes = {"finished": FINISHED, "waiting": WAITING, "paused": EARLY, "stopped": STOPPED}
    return codes.get(result.status, FAILED)


@contextmanager
def _progress(ex: Execution, shown: bool) -> Iterator[None]:
    """Show a line on the terminal meanwhile: the frame, the running tasks, the tokens and the cost."""
    if not shown:
        yield
        return
    # A thread of its own: run() holds this one until the end, and the terminal may be slow.
    over = threading.Event()

    def show() -> None:
        while not over.wait(REFRESH_S):
            sys.stderr.write(f"\r\x1b[K{ex.name}: frame {ex.recorded}, {ex.running} running")
            sys.stderr.flush()

    line = threading.Thread(target=show, daemon=True)
    line.start()
    try:
        yield
    finally:
        over.set()
        line.join()
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()


HANDLERS: dict[str, Callable[..., int]] = {"run": run, "resume": resume}
"""The handlers by word."""
