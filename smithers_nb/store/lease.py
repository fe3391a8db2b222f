"""The lease on an execution: one process at a time may write it, and its name lets a person find it."""

from __future__ import annotations

import os
import secrets
import socket
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

# A lease, not a lock of the file system: a lock says nothing of its owner, does not hold on network disks, and all
# executions of a file would share it. The price is the wait for the end of a lease whose owner died on another machine.
LEASE_S = 30.0
"""The time from the last renewal of a lease to its end."""
FRESH_S = 29.0
"""The time for which a lease is to hold: one that ends sooner is renewed by the next transaction. A flood of frames
writes that row once a second, and not a page of the log in each.
"""


def _this_process() -> str:
    # A pid is given again to a later process, and one process may open an execution twice: the random part differs.
    return f"pid {os.getpid()} on {socket.gethostname()} ({secrets.token_hex(3)})"


@dataclass(frozen=True, slots=True)
class Lease:
    """Our side of a lease."""

    owner: str = field(default_factory=_this_process)
    """``pid 4711 on host (a1b2c3)``; the last part tells two executions of one process apart."""


def expiry(left_s: float | None = None) -> str:
    """Return when a lease runs out that holds for so long, as ISO 8601 in UTC; by default one that is renewed now."""
    if left_s is None:
        left_s = LEASE_S
    return (datetime.now(UTC) + timedelta(seconds=left_s)).isoformat(timespec="microseconds")


def is_dead(owner: str) -> bool:
    """Return whether the owner was a process of this machine that has ended: its lease need not be waited for."""
    words = owner.split()
    if len(words) < 4 or words[3] != socket.gethostname():
        return False
    try:
        # Signal 0 is not sent; the call only looks for the process. Where its number has been given to another
        # process since, the owner counts as alive, and the end of the lease decides.
        os.kill(int(words[1]), 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # It is alive, and another user's.
        return False
    return False
