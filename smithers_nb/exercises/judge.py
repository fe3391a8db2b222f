"""The judge: checks a learner's cell, in a process of its own that may be killed."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from time import monotonic, process_time, sleep
from typing import Any

from ..errors import said
from ..records import CheckedStatement
from .book import EXERCISES
from .exercise import Check, Seat
from .trial import CellError, CellTrial

LIMIT = "SMITHERS_CHECK_SECONDS"
"""The environment variable with the seconds that the processor may work for all checks of a cell."""
LIMIT_S = 20.0
"""The time without it."""
WAITING_S = 90.0
"""The time that all checks may take by the clock. No exercise waits for anything."""
SHOWN = 300
"""The most characters of an observation."""


def judged(seat: Seat, cell: str) -> Iterator[CheckedStatement]:
    """Yield each statement of an exercise, with its truth for a cell."""
    trial = CellTrial(seat, cell)
    runs = Check("The cell runs.", lambda trial: _none(trial.names()))
    for check in (runs, *seat.variant.checks):
        held = _checked(seat, check, trial)
        yield held
        # Every further statement would fail by the same error.
        if check is runs and not held.holds:
            return


def _none(_names: object) -> None:
    return None


def _checked(seat: Seat, check: Check, trial: CellTrial) -> CheckedStatement:
    try:
        found = check.test(trial)
    except CellError as error:
        found = str(error)
    except BaseException as error:  # noqa: BLE001  # a learner's code may raise anything, exit() too
        found = f"the cell raises {said(error)}"
    says = seat.told(check.says)
    if found is None:
        return CheckedStatement(says, holds=True)
    return CheckedStatement(says, holds=False, found=found[:SHOWN])


def main() -> None:
    """Check the cell that stdin names, and write what holds to the file that it names; ends within the time limit."""
    asked: dict[str, Any] = json.load(sys.stdin)  # Any: JSON
    seat = EXERCISES[asked["exercise"]].seat(asked["seat"])
    target = Path(asked["target"])
    held: list[CheckedStatement] = []
    # A thread: code that loops for ever on the engine's thread can be left behind only with its process.
    threading.Thread(target=_watch, args=(target, seat, held), daemon=True).start()
    held.extend(judged(seat, asked["cell"]))
    _end(target, held)


def _watch(target: Path, seat: Seat, held: list[CheckedStatement]) -> None:
    """End the process with the findings so far, once it has worked or waited for too long."""
    # The processor's time: on a busy machine an honest cell takes long by the clock.
    limit_s = process_time() + float(os.environ.get(LIMIT, LIMIT_S))
    latest = monotonic() + WAITING_S
    while process_time() < limit_s and monotonic() < latest:
        sleep(0.1)
    says = "The cell runs."
    if held:
        says = seat.told(seat.variant.checks[len(held) - 1].says)
    _end(
        target,
        [*held, CheckedStatement(says, holds=False, found="the cell does not end: something in it repeats or waits")],
    )


def _end(target: Path, held: list[CheckedStatement]) -> None:
    # Moved into place: one who reads it finds all of it, whichever of the two threads came first.
    part = target.with_suffix(f".{threading.get_ident()}")
    part.write_text(json.dumps([asdict(one) for one in held]), encoding="utf-8")
    part.replace(target)
    # Not sys.exit: it would wait for threads that the cell has left.
    os._exit(0)
