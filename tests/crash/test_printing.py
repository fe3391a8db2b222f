"""Threads that print while an execution comes to listen, and goes again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PRINTS = """
import sys, threading
from smithers_nb import Execution, Step, component

over = threading.Event()

def prints():
    while not over.is_set():
        print("a", "b", "c")

@component
def Ticks(ctx):
    n = ctx.state.get("n", 0)
    ctx.use_effect("tick", [n], lambda: ctx.state.set("n", n + 1))
    return Step(name=str(n))

sys.setswitchinterval(1e-5)  # Threads take turns as often as they can.
ex = Execution(Ticks, store=sys.argv[1])
threads = [threading.Thread(target=prints) for _ in range(3)]
for thread in threads:
    thread.start()
ex.run_sync(max_frames=200)
over.set()
for thread in threads:
    thread.join()
print(ex.recorded, file=sys.stderr)
"""


def test_threads_that_print_do_not_crash_the_process_when_it_stops_listening(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", PRINTS, str(tmp_path / "t.db")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "200\n")
