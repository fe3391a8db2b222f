"""A sweep in JupyterLab: its bar, Stop, the same call again, and its table."""

from __future__ import annotations

from tests.browser.conftest import OpenLab

APP = """
import asyncio
from smithers_nb import Execution, Task, component, Store

async def work(n):
    await asyncio.sleep(0 if n < 4 else wait_s)
    return n

@component
def Works(ctx):
    return Task(id="t", run=work, args=[ctx.state.get("n")])

wait_s = 60
ex = Execution(Works, name="works", state={"n": 0}, store="sweep.db")
"""
SWEEP = 'ex.sweep({"state.n": [*range(8)]}, frame=0, max_parallel=2, score=lambda h: h.status == "finished")'


def test_stop_keeps_what_is_done_and_the_same_call_continues(lab: OpenLab) -> None:
    read = 'Store("sweep.db").sweep("works sweep").df.status.tolist()'
    nb = lab([APP, SWEEP, read, f"wait_s = 0\n{SWEEP}"])
    nb.run_cell(0)
    nb.start_cell(1)
    nb.cell(1).get_by_text("4/8").wait_for(timeout=60_000)
    nb.interrupt()
    nb.wait_cell(1)
    assert "KeyboardInterrupt" in nb.text(1)
    nb.run_cell(2)
    statuses = nb.text(2)
    assert statuses.count("'finished'") == 4 and statuses.count("'pending'") == 2
    nb.run_cell(3)
    assert "8 branches, 8 finished" in nb.text(3)
    nb.cell(3).get_by_text("8/8").wait_for()
    nb.cell(3).get_by_role("columnheader", name="state.n").wait_for()
    nb.shot("sweep-stopped.png")
