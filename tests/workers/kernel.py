"""A kernel that a test kills: ``python -m tests.workers.kernel FILE URL AGENTS``."""

from __future__ import annotations

import sys

from smithers_nb import DbosRunner, Execution
from tests.workers.test_workers import agents

if __name__ == "__main__":
    file, url, count = sys.argv[1:]
    Execution(agents(int(count)), store=file, runner=DbosRunner(url, lost_after_s=15)).run_sync()
