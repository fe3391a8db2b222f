"""``import smithers_nb`` beside ``import pandas``, each in a fresh interpreter, in turn."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator

from tests.bench.table import Row

ROUNDS = 9


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
