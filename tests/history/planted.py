"""The planted scenarios as a table: question, answer, root, evidence and time.

    python -m tests.history.planted

A row per scenario of the tests of ``why``, ``why_not`` and ``needs``. The time is that of the first time it is asked.
"""

from __future__ import annotations

import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

from smithers_nb import Execution
from tests.history import test_causes, test_needs, test_why_not

WIDE = 60
"""The most characters of a sentence in the table."""


class Row(NamedTuple):
    """A scenario, asked once."""

    name: str
    question: str
    answer: str
    root: str
    evidence: str
    ms: float


def rows(folder: Path) -> Iterator[Row]:
    """Yield a row per scenario; the executions are in files of a folder."""
    for place, (name, planted) in enumerate(test_causes.PLANTED.items()):
        state = {"topic": "x"} if planted.app is test_causes.Report else None
        ex = Execution(planted.app(), store=folder / f"why-{place}.db", name="one", state=state)
        yield from _asked(ex, name, planted.act, lambda ex, one=planted: ex.why(one.asked), planted.root[1])
    for place, (name, case) in enumerate(test_why_not.SCENARIOS.items()):
        ex = Execution(case.app, store=folder / f"not-{place}.db", name="one", **case.options)
        act = case.act or Execution.run_sync
        yield from _asked(ex, name, act, lambda ex, one=case: ex.why_not(one.asked), case.root)
    state = {"model": test_needs.Review(score=1), "vote": test_needs.Vote()}
    for place, target in enumerate(test_needs.NEEDED):
        ex = Execution(test_needs.Plan, store=folder / f"needs-{place}.db", state=state)
        name = f"an edit for {target}"
        yield from _asked(ex, name, Execution.run_sync, lambda ex, one=target: ex.needs(one), "")


def _asked(
    ex: Execution, name: str, act: Callable[[Execution], object], ask: Callable[[Execution], Any], root: str
) -> Iterator[Row]:
    with ex:
        # What the scenarios print is not of interest.
        with redirect_stdout(StringIO()):
            act(ex)
        began = perf_counter()
        found = ask(ex)
        ms = (perf_counter() - began) * 1000
        known = Counter(one.evidence or "unknown" for one in found.statements)
        # The planted root: a chain may have others beside it.
        last = next((one for one in found.roots if root in one.text), found.roots[-1])
        evidence = ", ".join(f"{count} {what}" for what, count in known.items())
        yield Row(name, found.question, found.statements[0].text, last.text, evidence, ms)


def main() -> None:
    warnings.simplefilter("ignore")
    print(
        "| scenario | question | answer | root | evidence of the sentences | ms |\n| --- | --- | --- | --- | --- | --- |"
    )
    times = []
    with tempfile.TemporaryDirectory() as folder:
        for row in rows(Path(folder)):
            times.append(row.ms)
            cells = [_cut(row.name), _cut(row.question), _cut(row.answer), _cut(row.root), row.evidence]
            print(f"| {' | '.join(cells)} | {row.ms:.1f} |")
    times.sort()
    print(f"\n{len(times)} scenarios; median {times[len(times) // 2]:.1f} ms, slowest {times[-1]:.1f} ms")


def _cut(text: str) -> str:
    words = " ".join(text.split()).replace("|", "\\|")
    return words if len(words) <= WIDE else f"{words[: WIDE - 1]}…"


if __name__ == "__main__":
    main()
