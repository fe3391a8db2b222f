"""``import smithers_nb`` beside ``import pandas``, each in a fresh interpreter, in turn."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from time import perf_counter

from tests.bench.table import Row

ROUNDS = 9


def imports() -> Iterator[Row]:
    found: dict[str, list[float]] = {"smithers_nb": [], "pandas": [], "smithers_nb.execution": []}
    for _ in range(ROUNDS):
        for module, times in found.items():
            begin = perf_counter()
            subprocess.run([sys.executable, "-c", f"import {module}"], check=True)
            times.append((perf_counter() - begin) * 1000)
    pandas = found["pandas"]
    yield Row("import smithers_nb", found["smithers_nb"], "import pandas", pandas, 0.5)
    yield Row("import smithers_nb, and its Execution", found["smithers_nb.execution"], "import pandas", pandas, 1)
