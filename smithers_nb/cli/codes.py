"""The exit codes of the command line."""

from __future__ import annotations

# Numbers of their own for what a script does differently: ask a person, wait for a process, resume.
FINISHED = 0
FAILED = 1
USAGE = 2
WAITING = 3
"""The execution waits for people."""
OWNED = 4
"""Another process has the execution."""
EARLY = 5
"""--until or --max-frames ended it, and it can be resumed."""
STOPPED = 130
"""Interrupted: 128 and the number of SIGINT, as shells have it."""
