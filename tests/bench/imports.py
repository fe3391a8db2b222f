"""What is paid once in an interpreter: ``import smithers_nb`` beside ``import pandas``, and the first step beside the tenth.

Each in a fresh interpreter, in turn.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator

from tests.bench.table import Row

ROUNDS = 9

# Every step starts an agent. A stepper that shows the plan begins the import; a person reads before the first click.
STEPS = """
import json, time
from smithers_nb import Claude, Execution, Stepper, component, scripted
from smithers_nb.agents.imports import imports

@component
def App(ctx):
    n = ctx.state.get("n", 0)
    return Claude(key=str(n), model=scripted("hi"))[f"Say {n}"]

with Execution(App, store="t.db") as ex:
    stepper, times = Stepper(ex), []
    imports.settle()
    for n in range(10):
        begin = time.perf_counter()
        ex.step_sync()
        times.append((time.perf_counter() - begin) * 1000)
        time.sleep(0.2)
        ex.state.set("n", n + 1)
print(json.dumps(times))
"""


def cpu_ms(command: list[str], environment: dict[str, str]) -> float:
    """Return the CPU time of a command: what else runs on the machine shows less in it than in what passes."""
    _, status, used = os.wait4(subprocess.Popen(command, env=environment).pid, 0)
    if status:
        raise RuntimeError(f"{command} ended with status {status}")
    return (used.ru_utime + used.ru_stime) * 1000


def imports() -> Iterator[Row]:
    found: dict[str, list[float]] = {"smithers_nb": [], "pandas": [], "smithers_nb.execution": []}
    # pip compiles what it installs, but not the sources of an editable install: where PYTHONDONTWRITEBYTECODE is set,
    # pandas would be loaded from bytecode, and ours compiled anew each time.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryDirectory() as compiled:
        environment["PYTHONPYCACHEPREFIX"] = compiled
        for each in range(ROUNDS + 1):
            for module, times in found.items():
                spent = cpu_ms([sys.executable, "-c", f"import {module}"], environment)
                if each:  # The first round only compiles.
                    times.append(spent)
    pandas = found["pandas"]
    yield Row("import smithers_nb", found["smithers_nb"], "import pandas", pandas, 0.5)
    yield Row("import smithers_nb, and its Execution", found["smithers_nb.execution"], "import pandas", pandas, 1)


def first_step() -> Iterator[Row]:
    first, tenth = [], []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([sys.executable, "-c", STEPS], cwd=folder, capture_output=True, check=True)
        times = json.loads(done.stdout.splitlines()[-1])
        first.append(times[0])
        tenth.append(times[-1])
    yield Row("the first step of a kernel, which starts an agent, its packages imported", first, "the tenth", tenth, 3)
