"""``import smithers_nb`` beside ``import pandas``, each in a fresh interpreter, in turn."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from time import perf_counter

from tests.bench.table import Row

ROUNDS = 9


def imports() -> Iterator[Row]:
    found: dict[str, list[float]] = {"smithers_nb": [], "pandas": [], "smithers_nb.execution": []}
    # pip compiles what it installs, but not the sources of an editable install: where PYTHONDONTWRITEBYTECODE is set,
    # pandas would be loaded from bytecode, and ours compiled anew each time.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryDirectory() as compiled:
        environment["PYTHONPYCACHEPREFIX"] = compiled
        for each in range(ROUNDS + 1):
            for module, times in found.items():
                begin = perf_counter()
                subprocess.run([sys.executable, "-c", f"import {module}"], check=True, env=environment)
                if each:  # The first round only compiles.
                    times.append((perf_counter() - begin) * 1000)
    pandas = found["pandas"]
    yield Row("import smithers_nb", found["smithers_nb"], "import pandas", pandas, 0.5)
    yield Row("import smithers_nb, and its Execution", found["smithers_nb.execution"], "import pandas", pandas, 1)
