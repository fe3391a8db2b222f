"""A kernel that sweeps, and that a test kills: ``python -m tests.workers.sweeping sweep|singles FILE CASES [URL]``.

It prints a line of JSON: the CPU seconds of the cases, and the memory that they took in megabytes.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from pathlib import Path
from typing import Any

from smithers_nb import DbosRunner, Execution, sweep
from tests.workers.remote_app import Asking

LOST_S = 15.0


def resident_mb(of: str = "VmRSS") -> float:
    """Return the memory of this process: that of now, or the most since it was forgotten (``VmHWM``)."""
    found = re.search(rf"^{of}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024 / 1e6


def forget_most() -> None:
    # Not getrusage: its most is also that of the process that has started this one.
    Path("/proc/self/clear_refs").write_text("5")


def swept(file: Path, cases: range, url: str | None, name: str = "s") -> Any:
    runner = DbosRunner(url, lost_after_s=LOST_S) if url else None
    return sweep(Asking, {"props.n": [*cases]}, store=file, name=name, runner=runner, progress=False)


def singles(file: Path, cases: range) -> None:
    for n in cases:
        with Execution(Asking, props={"n": n}, store=file) as ex:
            assert ex.run_sync().status == "finished"


def main(what: str, file: Path, cases: int, url: str | None = None) -> None:
    # What is imported and made once is no cost of a case.
    first = -1000 * os.getpid()
    warm = file.with_name(f"warm-{os.getpid()}.db")
    if what == "singles":
        singles(warm, range(first, first + 3))
    else:
        swept(warm, range(first, first + 3), url, name=f"warm {os.getpid()}")
    forget_most()
    cpu, memory, began = time.process_time(), resident_mb(), time.monotonic()
    if what == "singles":
        singles(file, range(cases))
    else:
        swept(file, range(cases), url)
    found = {
        "cpu_s": round(time.process_time() - cpu, 2),
        "grown_mb": round(resident_mb("VmHWM") - memory, 1),
        "seconds": round(time.monotonic() - began, 1),
    }
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:])
