"""Queries that Ctrl-C ends, those that are refused, and those that take too long."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from types import CodeType
from typing import Any

import pytest

from smithers_nb import Store, Task
from smithers_nb.errors import StoreError
from smithers_nb.store.reader import Reader, _Guard

LONG = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < {}) SELECT max(x) FROM n"


@pytest.fixture
def store(run_of: Any) -> Store:
    ex = run_of(Task(id="t", run=lambda: 1))
    ex.run_sync()
    return ex.store


@pytest.fixture
def ctrl_c() -> Iterator[Any]:
    """Presses Ctrl-C once, the next time that a function is called."""
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)

    def pressed(code: CodeType) -> None:
        def profile(frame: Any, event: str, _: object) -> None:
            if event == "call" and frame.f_code is code:
                sys.setprofile(None)
                signal.raise_signal(signal.SIGINT)

        sys.setprofile(profile)

    yield pressed
    sys.setprofile(None)
    signal.signal(signal.SIGINT, handler)


def test_ctrl_c_while_a_query_is_compiled_is_no_refusal(store: Store, ctrl_c: Any) -> None:
    ctrl_c(_Guard.allows.__code__)
    with pytest.raises(KeyboardInterrupt):
        store.open(store.executions().name[0]).df.tasks  # noqa: B018  # it is read here
    assert len(store.df.tasks) == 1, "and what is read next is read"


def test_ctrl_c_ends_a_query_that_takes_long(store: Store, ctrl_c: Any) -> None:
    ctrl_c(_Guard.is_over.__code__)
    with pytest.raises(KeyboardInterrupt):
        store.sql(LONG.format(10**12))


def test_a_refusal_and_a_query_that_takes_too_long_are_told_as_such(store: Store) -> None:
    for query in ("ATTACH 'other.db' AS other", "PRAGMA query_only = 0", "DELETE FROM tasks"):
        with pytest.raises(StoreError, match="a query writes"):
            store.sql(query)
    reader = Reader(store.path)
    with reader.together():
        with pytest.raises(StoreError, match=r"took longer than 0\.001 s"):
            reader.query(LONG.format(10**12), most_s=0.001)
        # The connection is shared with the query that was ended, and its limit is not.
        assert reader.query(LONG.format(10**6)).rows == [(10**6,)]
