"""Reading a file: read-only connections, from any thread, never in the way of the writer."""

from __future__ import annotations

import json
import math
import os
import sqlite3
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from threading import local
from time import monotonic
from typing import Any
from urllib.parse import quote

from ..artifacts import Artifact
from ..errors import StoreError, UnknownExecutionError, clean
from ..identity import NodeId, loop_of
from ..identity import Path as NodePath
from ..nodes.tree import Tree, TreeNode
from ..records import (
    Decision,
    ExecutionRecord,
    LoopState,
    ModelCall,
    Question,
    RateWindow,
    ReusedAnswer,
    Stretch,
    TaskRecord,
    ToolCall,
    Usage,
)
from ..records.question import APPROVE, EXTERNAL, RESULT
from ..values import Stored
from .blobs import put_back
from .connection import BUSY_TIMEOUT_S, PAGES, mapped
from .line import of_line
from .recordable import recordable
from .requests import Assembled, Texts, compact, decoded
from .uses import USES

Parameters = Sequence[object] | Mapping[str, object]

_DENIED = frozenset(
    {
        # They would not touch this file, and so a read-only connection allows them.
        sqlite3.SQLITE_ATTACH,
        sqlite3.SQLITE_DETACH,
        sqlite3.SQLITE_CREATE_TEMP_TABLE,
        sqlite3.SQLITE_CREATE_TEMP_VIEW,
        sqlite3.SQLITE_CREATE_TEMP_INDEX,
        sqlite3.SQLITE_CREATE_TEMP_TRIGGER,
        sqlite3.SQLITE_TRANSACTION,
        sqlite3.SQLITE_SAVEPOINT,
    }
)
_ASKING = frozenset({"table_info", "table_xinfo", "table_list", "index_list", "index_info", "foreign_key_list"})
"""Pragmas that change nothing, whatever their argument is."""


_SPANS = ", ".join(f"({4**n})" for n in range(8)) + ", (1000000000)"
"""The spans of closed intervals, as in ``schema.sql``."""


BELOW = (
    "WITH RECURSIVE below(id) AS (SELECT :id"
    " UNION SELECT execution_id FROM executions JOIN below ON parent_id = id AND kind = 'child')"
)
"""An execution and its children, without branches and replays."""
_BELOW_ALL = BELOW.replace("SELECT :id", "SELECT value FROM json_each(:ids)")
"""Several executions and their children."""


_LINE = (
    "WITH RECURSIVE line (id, parent, first, last_write, at, depth) AS (SELECT execution_id,"
    " iif(kind = 'branch', parent_id, NULL), coalesce(forked_at_frame, 0) + 1, forked_at_seq, created_at, 0"
    " FROM executions WHERE execution_id = ?"
    " UNION ALL SELECT execution_id, iif(kind = 'branch', parent_id, NULL), coalesce(forked_at_frame, 0) + 1,"
    " forked_at_seq, created_at, depth + 1 FROM line JOIN executions ON execution_id = line.parent)"
    " SELECT id, first, last_write, at FROM line ORDER BY depth DESC"
)
_EXECUTION = (
    "execution_id, name, parent_id, forked_at_frame, status, reason, app, code_hash, engine_version, seed, owner,"
    " lease_expires_at, created_at, updated_at, result, result_type, owned_since,"
    " durability, kind, props, reuse"
)
TASK_COLUMNS = (
    "tasks.task_id, tasks.node_id, mounted_at_frame, tasks.status, tasks.reason, attempt, max_attempts, next_retry_at,"
    " started_at, ended_at, settled_at_frame, NULL, tasks.error, input_tokens, output_tokens, requests, cost_usd,"
    " worker, leg, ledger_offset"
)
"""The columns of a ``TaskRecord`` up to its offset, without the result."""
_MODEL_CALL = (
    "task_id", "turn", "attempt", "provider", "model", "started_at", "response", "accepted", "partial", "input_tokens",
    "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens", "cost_usd", "unpriced", "ms",
    "error", "status", "answered_by", "signature", "agent", "caller", "same", "reused_id", "saved_usd", "id",
)  # fmt: skip
_REQUEST = ("base_id", "request", "history", "parameters")
_TOOL_CALL = (
    "task_id, turn, attempt, tool_call_id, tool, input, status, started_at, output, ms, error, reused_id, agent,"
    " caller, id"
)
_OF_TASK = "WHERE execution_id = ? AND task_id = ? ORDER BY id"


def held(table: str, columns: str) -> str:
    """Return a query for the versions whose interval holds ``:frame`` in execution ``:id``: at cost of what held then,
    not of the whole history.
    """
    # SQLite has no index for intervals: with one on from_frame alone, a query for frame n would look at every version
    # that began before n. So each closed interval is filed under a span, its length rounded up to a power of four. One
    # of span s that holds n began after n - s: only that stretch of the index is read for each of the nine spans, and
    # more than a quarter of its rows hold n if they begin evenly. Open intervals have no span: all that began by n hold
    # n. INDEXED BY and CROSS JOIN fix the plan: SQLite has no statistics here, and would choose a different index.
    return (
        f"WITH spans (span) AS (VALUES {_SPANS})"
        f" SELECT {columns} FROM {table} INDEXED BY {table}_at"
        " WHERE execution_id = :id AND span IS NULL AND from_frame <= :frame"
        f" UNION ALL SELECT {columns} FROM spans CROSS JOIN {table} INDEXED BY {table}_at USING (span)"
        " WHERE execution_id = :id AND from_frame BETWEEN :frame - span + 1 AND :frame AND to_frame > :frame"
    )


_STEPS = 100_000
"""The steps of SQLite's machine, some milliseconds, after which it looks at the clock."""


class ReadOnlyError(StoreError):
    """A query that writes."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The result of a query."""

    columns: list[str]
    rows: list[tuple[Any, ...]]  # Any: SQLite's values


class Reader:
    """Reads one file. Each call opens and closes a connection of its own, or shares one (``together``) that is closed
    soon: no lock outlives it.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.name = PAGES.get(path, path)
        """The file as a person knows it: that of an exported run is the page, not its database."""
        self._kept = _Kept()

    def query(self, sql: str, parameters: Parameters = (), most_s: float | None = None) -> Rows:
        """Return what a query gives; ``most_s`` seconds are the longest that it takes.

        Raises:
            StoreError: if the SQL is wrong, or writes, or takes longer.
        """
        with mapped(self.name), self._connection() as (connection, guard):
            guard.begin(most_s)
            try:
                cursor = _executed(connection, sql, parameters)
                return Rows([column[0] for column in cursor.description or ()], cursor.fetchall())
            except sqlite3.Error as error:
                if guard.was_interrupted(error):
                    raise KeyboardInterrupt from None
                if guard.late:
                    raise StoreError(
                        f"the query took longer than {most_s:g} s, and was ended: {sql.strip():.60}"
                    ) from error
                if guard.denied or getattr(error, "sqlite_errorname", "") == "SQLITE_READONLY":
                    raise ReadOnlyError(
                        f"a query writes ({sql.strip():.60}), and {self.name} is open for reading only. Nothing was "
                        "changed. State is written with ctx.state.set, or ex.state.set in the notebook."
                    ) from error
                raise

    @contextmanager
    def together(self) -> Iterator[None]:
        """Let this thread's queries share a connection meanwhile: on each new one SQLite reads the schema, which takes
        longer than most queries.
        """
        if self._kept.until is not None:
            yield
            return
        with USES, ExitStack() as self._kept.until:
            try:
                yield
            finally:
                self._kept.until = self._kept.guarded = None

    @contextmanager
    def _connection(self) -> Iterator[tuple[sqlite3.Connection, _Guard]]:
        kept = self._kept
        if kept.until is None:
            with USES, closing(self._connect()) as connection:
                yield connection, _guarded(connection)
            return
        if kept.guarded is None:
            connection = kept.until.enter_context(closing(self._connect()))
            kept.guarded = (connection, _guarded(connection))
        yield kept.guarded

    @contextmanager
    def moment(self) -> Iterator[sqlite3.Connection]:
        """Read the file as it is at one moment, with as many queries as it takes."""
        with mapped(self.name), USES, closing(self._connect()) as connection:
            connection.execute("BEGIN")
            yield connection

    def kinds(self, table: str) -> dict[str, str]:
        """Return the declared type of each column, in order: ``{"frame": "INTEGER", …}``."""
        found = {row[1]: row[2] for row in self.query(f"PRAGMA table_info({table})").rows}
        if not found:
            raise StoreError(f"{self.name} has no table {table}: no Execution has been made in it yet.")
        return found

    def execution_id(self, id_or_name: str) -> str:
        """Return the id of an execution, or of the newest with that name.

        Raises:
            UnknownExecutionError: naming those that there are.
        """
        found = self.query(
            "SELECT execution_id FROM executions WHERE execution_id = ?1 OR name = ?1"
            " ORDER BY execution_id = ?1 DESC, created_at DESC LIMIT 1",
            (id_or_name,),
        ).rows
        if not found:
            names = [f"{name} ({id})" for id, name in self.query("SELECT execution_id, name FROM executions").rows]
            there = "It has none."
            if names:
                there = f"It has {', '.join(names[-5:])}."
            raise UnknownExecutionError(f"{self.name} has no execution {id_or_name!r}. {there}")
        return str(found[0][0])

    def newest(self) -> str | None:
        """Return the id of the newest execution without a parent; None if there is none."""
        rows = self.query(
            "SELECT execution_id FROM executions WHERE parent_id IS NULL ORDER BY created_at DESC LIMIT 1"
        ).rows
        return next((str(id) for (id,) in rows), None)

    def named(self, name: str) -> list[ExecutionRecord]:
        """Return the executions of a name, newest first."""
        return self._executions("name = ? ORDER BY created_at DESC", name)

    def execution(self, execution_id: str) -> ExecutionRecord:
        """Return an execution.

        Raises:
            UnknownExecutionError: if the file has none of this id.
        """
        found = self._executions("execution_id = ?", execution_id)
        if not found:
            raise UnknownExecutionError(f"{self.name} has no execution {execution_id!r}.")
        return found[0]

    def _executions(self, where: str, value: str) -> list[ExecutionRecord]:
        rows = self.query(f"SELECT {_EXECUTION} FROM executions WHERE {where}", (value,)).rows
        return [ExecutionRecord(*(*row[:14], _value(row[14], row[15]), *row[16:])) for row in rows]

    def last_frame(self, execution_id: str) -> int:
        """Return the number of the newest frame; 0 if there is none. A branch begins with that of its fork."""
        return self._last_frame(execution_id, "open")

    def last_flushed(self, execution_id: str) -> int:
        """Return the number of the newest frame whose writes are applied; 0 if there is none."""
        return self._last_frame(execution_id, "done")

    def _last_frame(self, execution_id: str, status: str) -> int:
        rows = self.query(
            "SELECT coalesce((SELECT max(frame) FROM frames WHERE execution_id = ?1 AND status IN ('done', ?2)),"
            " (SELECT forked_at_frame FROM executions WHERE execution_id = ?1), 0)",
            (execution_id, status),
        ).rows
        return int(rows[0][0])

    def line(self, execution_id: str) -> list[Stretch]:
        """Return the line of an execution, oldest first: what its frames up to the fork belong to, then itself.

        Raises:
            UnknownExecutionError: if the file has none of this id.
        """
        rows = self.query(_LINE, (execution_id,)).rows
        if not rows:
            self.execution(execution_id)  # Raises.
        line = [Stretch(rows[0][0], rows[0][1], sys.maxsize)]
        for id, first, last_write, left_at in rows[1:]:
            seq = sys.maxsize if last_write is None else last_write
            line.append(Stretch(id, first, sys.maxsize))
            line[-2] = replace(line[-2], last=first - 1, last_write=seq, left_at=left_at)
        return line

    def owner(self, execution_id: str, frame: int) -> str:
        """Return the execution of the line that a frame belongs to."""
        return next(one.execution_id for one in self.line(execution_id) if one.first <= frame <= one.last)

    def state(self, execution_id: str, frame: int) -> dict[str, tuple[Stored, int]]:
        """Return the state that frame ``frame`` read, by key: the value, and the first frame that read it."""
        columns = "key, value, type, from_frame"
        rows = self._held("state", frame, execution_id=execution_id, columns=columns, order="key")
        return {key: (Stored(value, kind), since) for key, value, kind, since in rows}

    def tree(self, execution_id: str, frame: int) -> tuple[Tree, dict[str, int]]:
        """Return the plan of a frame, and the first frame of each node's version."""
        columns = "node_id, path, type, key, explicit_id, parent_id, position, props, events, text, source, from_frame"
        rows = self._held("nodes", frame, execution_id=execution_id, columns=columns, order="position")
        below: dict[str | None, list[tuple[Any, ...]]] = {}
        for row in rows:
            below.setdefault(row[5], []).append(row)
        return Tree(_nodes(below, None)), {row[0]: row[11] for row in rows}

    def reads(self, execution_id: str) -> dict[NodePath, dict[str, int]]:
        """Return the keys that each component reads now, with the frame since which it does."""
        sql = "SELECT component, key, from_frame FROM reads WHERE execution_id = ? AND to_frame IS NULL"
        found: dict[NodePath, dict[str, int]] = {}
        for component, key, since in self.query(sql, (execution_id,)).rows:
            found.setdefault(NodePath(component), {})[key] = since
        return found

    def tasks(self, execution_id: str) -> list[TaskRecord]:
        """Return all tasks, oldest first."""
        rows = self.query(
            f"SELECT {TASK_COLUMNS}, approvals.comment, tasks.result, result_type FROM tasks LEFT JOIN approvals ON"
            " approvals.execution_id = tasks.execution_id AND approval_id = tasks.task_id WHERE tasks.execution_id = ?"
            " ORDER BY mounted_at_frame, tasks.rowid",
            (execution_id,),
        ).rows
        return [_task(row) for row in rows]

    def node_as_started(self, execution_id: str, task_id: str) -> str | None:
        """Return the props, as JSON, of a task's node in the frame in which the task started; None if that is gone."""
        sql = (
            "SELECT nodes.props FROM tasks JOIN frames ON frames.execution_id = tasks.execution_id"
            " AND frames.created_at <= tasks.started_at JOIN nodes ON nodes.execution_id = tasks.execution_id"
            " AND nodes.node_id = tasks.node_id AND nodes.from_frame <= frames.frame"
            " AND (nodes.to_frame IS NULL OR nodes.to_frame > frames.frame)"
            " WHERE tasks.execution_id = ? AND tasks.task_id = ? ORDER BY frames.frame DESC LIMIT 1"
        )
        rows = self.query(sql, (execution_id, task_id)).rows
        return next((str(props) for (props,) in rows), None)

    def last_succeeded(self, execution_id: str, node_id: str, but: str) -> tuple[str, str] | None:
        """Return the newest task of a node that succeeded with answers of a model, other than ``but``, and before it
        its execution, which in a branch may be one that it comes from.
        """
        for part in reversed(self.line(execution_id)):
            rows = self.query(
                "SELECT execution_id, task_id FROM tasks WHERE execution_id = ?1 AND node_id = ?2"
                " AND status = 'succeeded' AND NOT (task_id = ?3 AND execution_id = ?4)"
                " AND (execution_id = ?4 OR settled_at_frame <= ?5) AND EXISTS"
                " (SELECT 1 FROM model_calls WHERE execution_id = tasks.execution_id AND task_id = tasks.task_id AND"
                " response IS NOT NULL) ORDER BY mounted_at_frame DESC, rowid DESC LIMIT 1",
                (part.execution_id, node_id, but, execution_id, part.last),
            ).rows
            if rows:
                return str(rows[0][0]), str(rows[0][1])
        return None

    def model_calls(self, execution_id: str, task_id: str) -> list[ModelCall]:
        """Return the requests of a task, oldest first, each with all that the model was given."""
        columns = ", ".join((*_MODEL_CALL, *_REQUEST))
        rows = self.query(f"SELECT {columns} FROM model_calls {_OF_TASK}", (execution_id, task_id)).rows
        assembled, texts = Assembled(), Texts()
        return [_model_call(self._with_blobs(row), assembled, texts) for row in rows]

    def _with_blobs(self, row: tuple[Any, ...]) -> tuple[Any, ...]:  # Any: SQLite's values
        """Return a row with the bytes in its messages, as they were when they were recorded."""
        return tuple(put_back(value, self._blob) if isinstance(value, str) else value for value in row)

    def _blob(self, hash: str) -> bytes | None:
        return next(
            (bytes(data) for (data,) in self.query("SELECT bytes FROM blobs WHERE hash = ?", (hash,)).rows), None
        )

    def tool_calls(self, execution_id: str, task_id: str) -> list[ToolCall]:
        """Return the tool calls of a task, oldest first."""
        rows = self.query(f"SELECT {_TOOL_CALL} FROM tool_calls {_OF_TASK}", (execution_id, task_id)).rows
        return [_tool_call(row) for row in rows]

    def answer_to(self, signature: str) -> str | None:
        """Return the newest answer to the request of this signature, as JSON; None if there is none. The answers to an
        agent that failed do not count, except where a limit ended it.
        """
        rows = self.query(
            "SELECT response FROM model_calls JOIN tasks USING (execution_id, task_id) WHERE signature = ?"
            " AND response IS NOT NULL AND (tasks.status != 'failed' OR tasks.reason LIKE 'limit: %')"
            " ORDER BY id DESC LIMIT 1",
            (signature,),
        ).rows
        return next((put_back(str(response), self._blob) for (response,) in rows), None)

    def recorded_answer(self, id: int) -> ReusedAnswer:
        """Return the answer of a row of ``model_calls``."""
        [(response, cost_usd)] = self.query("SELECT response, cost_usd FROM model_calls WHERE id = ?", (id,)).rows
        return ReusedAnswer(id, put_back(response, self._blob), cost_usd)

    def usage(self, *execution_ids: str) -> Usage:
        """Return the totals of all agents of executions and of their children."""
        ids = json.dumps(execution_ids)
        calls = self.query(
            f"{_BELOW_ALL} SELECT count(response) FILTER (WHERE reused_id IS NULL), coalesce(sum(input_tokens), 0),"
            " coalesce(sum(output_tokens), 0),"
            " coalesce(sum(cost_usd), 0), count(*) FILTER (WHERE response IS NOT NULL AND cost_usd IS NULL)"
            " FROM model_calls WHERE execution_id IN (SELECT id FROM below)",
            {"ids": ids},
        ).rows[0]
        tools = self.query(
            f"{_BELOW_ALL} SELECT count(*) FROM tool_calls WHERE execution_id IN (SELECT id FROM below)"
            " AND status NOT IN ('waiting', 'denied', 'invalid', 'unknown', 'skipped') AND reused_id IS NULL",
            {"ids": ids},
        ).rows[0]
        return Usage(*calls, *tools)

    def busy_s(self, *execution_ids: str, task_id: str | None = None) -> float:
        """Return the seconds during which a request or a tool call of a task was running; without a task, one of any
        agent of the executions and their children. Time that they share is counted once.
        """
        # 2440587.5 is the Julian day of the Unix epoch; unixepoch(…, 'subsec') came with SQLite 3.42.
        whose = "execution_id IN (SELECT value FROM json_each(:ids)) AND task_id = :task"
        if task_id is None:
            whose = "execution_id IN (SELECT id FROM below)"
        times = f"SELECT (julianday(started_at) - 2440587.5) * 86400, ms FROM {{}} WHERE {whose} AND ms > 0"
        spans = self.query(
            f"{_BELOW_ALL} {times.format('model_calls')} UNION ALL {times.format('tool_calls')} ORDER BY 1",
            {"ids": json.dumps(execution_ids), "task": task_id},
        ).rows
        busy = until = 0.0
        for start, ms in spans:
            busy += max(0.0, start + ms / 1000 - max(start, until))
            until = max(until, start + ms / 1000)
        return busy

    def answers(self, execution_id: str) -> dict[str, int]:
        """Return the number of answered requests of an execution and its children, by what answered them."""
        return dict(
            self.query(
                f"{BELOW} SELECT answered_by, count(response) FROM model_calls"
                " WHERE execution_id IN (SELECT id FROM below) GROUP BY answered_by",
                {"id": execution_id},
            ).rows
        )

    def rate_windows(self) -> list[RateWindow]:
        """Return the window of each model of a provider, by name."""
        sql = "SELECT name, opens_at, next_at, interval_ms, refused FROM rate_windows ORDER BY name"
        return [RateWindow(*row) for row in self.query(sql).rows]

    def questions(self, execution_id: str, approval_id: str | None = None) -> list[Question]:
        """Return the questions that no person has answered yet, oldest first; or the one of an id, answered or not."""
        rows = self.query(
            "SELECT approval_id, task_id, node_id, kind, prompt, payload, options, turn, tool_call_id, args_schema"
            " FROM approvals WHERE execution_id = ?1 AND iif(?2 IS NULL, status = 'waiting', approval_id = ?2)"
            " ORDER BY asked_at, rowid",
            (execution_id, approval_id),
        ).rows
        return [
            Question(
                approval_id=id,
                task_id=task_id,
                node_id=node_id,
                kind=kind,
                prompt=prompt,
                payload=Stored(payload, "json"),
                options=json.loads(options),
                turn=turn,
                tool_call_id=call,
                schema=schema,
            )
            for id, task_id, node_id, kind, prompt, payload, options, turn, call, schema in rows
        ]

    def decisions(self, execution_id: str, task_id: str) -> list[Decision]:
        """Return the decisions of people about the tool calls of a task, oldest first."""
        rows = self.query(
            "SELECT turn, tool_call_id, choice, comment, args, result, kind FROM approvals WHERE execution_id = ?"
            " AND task_id = ? AND tool_call_id IS NOT NULL AND status = 'answered' ORDER BY answered_at, rowid",
            (execution_id, task_id),
        ).rows
        return [
            Decision(
                turn=turn,
                tool_call_id=id,
                approved=choice in (APPROVE, RESULT),
                comment=comment,
                args=args,
                result=result,
                external=kind == EXTERNAL,
            )
            for turn, id, choice, comment, args, result, kind in rows
        ]

    def loops(self, execution_id: str) -> dict[str, LoopState]:
        """Return the state of every loop that is in the plan, by node id."""
        sql = (
            "SELECT node_id, iteration, status FROM loops WHERE execution_id = ? AND to_frame IS NULL"
            " AND status != 'unmounted'"
        )
        rows = self.query(sql, (execution_id,)).rows
        return {node_id: LoopState(iteration, status) for node_id, iteration, status in rows}

    def mounted_at(self, execution_id: str, node_id: str, frame: int) -> int:
        """Return the frame in which a node of frame ``frame`` was mounted: the start of its unbroken versions."""
        rows: list[tuple[Any, ...]] = []
        for part in reversed(self.line(execution_id)):
            older = self.query(
                "SELECT from_frame, to_frame, type, path FROM nodes WHERE execution_id = ? AND node_id = ?"
                " AND from_frame <= ? ORDER BY from_frame DESC",
                (part.execution_id, node_id, min(frame, part.last)),
            ).rows
            # What held at the fork is in the branch, and in its parent too, where it may have ended otherwise.
            rows += [row for row in older if not rows or row[0] < rows[-1][0]]
        if not rows:
            return 0
        mounted = rows[0][0]
        for from_frame, to_frame, kind, path in rows[1:]:
            if to_frame != mounted or kind != rows[0][2] or loop_of(path) != loop_of(rows[0][3]):
                break
            mounted = from_frame
        return int(mounted)

    def fired(self, execution_id: str) -> set[tuple[str, str]]:
        """Return (node id, event) of every handler that was called."""
        where, parameters = of_line(self.line(execution_id), "handlers")
        sql = f"SELECT DISTINCT node_id, event FROM handlers WHERE {where} AND status != 'stale'"
        return set(self.query(sql, parameters).rows)

    def standing(self, execution_id: str) -> dict[str, str]:
        """Return the status of the newest task of each node, by node id."""
        # With max(), SQLite takes the other columns from the row that has the maximum.
        sql = "SELECT node_id, status, max(mounted_at_frame) FROM tasks WHERE execution_id = ? GROUP BY node_id"
        return {node_id: status for node_id, status, _ in self.query(sql, (execution_id,)).rows}

    def written_keys(self, execution_id: str) -> dict[tuple[str, str], bool]:
        """Return every key that was ever written, as (scope, key), with True if it was written again after that."""
        where, parameters = of_line(self.line(execution_id), "transitions")
        sql = (
            f"SELECT scope, key, max(origin != 'init') FROM transitions WHERE {where}"
            " AND status NOT IN ('rolled_back', 'dropped') GROUP BY scope, key"
        )
        return {(scope, key): bool(more) for scope, key, more in self.query(sql, parameters).rows}

    def artifacts(self, execution_id: str) -> list[Artifact]:
        """Return the newest version of each artifact, in the order in which they were first made."""
        newest: dict[str, Artifact] = {}
        for part in self.line(execution_id):
            rows = self.query(
                "SELECT artifact_id, kind, title, content, node_id, frame FROM artifacts WHERE execution_id = ?1"
                " AND frame <= ?2 AND (to_frame IS NULL OR to_frame > ?2) ORDER BY created_at, rowid",
                (part.execution_id, part.last),
            ).rows
            for id, kind, title, content, node_id, frame in rows:
                newest[id] = Artifact(id, kind, title, json.loads(content), node_id=node_id, frame=frame)
        return list(newest.values())

    def totals(self, execution_id: str) -> tuple[int, float | None]:
        """Return the use of all tasks: tokens, and cost in USD (None where no price is known)."""
        where, parameters = of_line(self.line(execution_id), "tasks")
        sql = f"SELECT coalesce(sum(input_tokens + output_tokens), 0), sum(cost_usd) FROM tasks WHERE {where}"
        rows = self.query(sql, parameters).rows
        return int(rows[0][0]), rows[0][1]

    def effect_deps(self, execution_id: str) -> dict[str, str]:
        """Return the deps, as JSON, with which each effect ran last."""
        rows = self.query(
            "SELECT node_id, deps FROM effects WHERE execution_id = ? AND kind = 'run' ORDER BY rowid",
            (execution_id,),
        ).rows
        return dict(rows)

    def _held(
        self, table: str, frame: int, *, execution_id: str, columns: str, order: str
    ) -> list[tuple[Any, ...]]:  # Any: SQLite's values
        """Return the versions of one execution whose interval holds a frame."""
        return self.query(f"{held(table, columns)} ORDER BY {order}", {"id": execution_id, "frame": frame}).rows

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None)

    @property
    def uri(self) -> str:
        """The file as SQLite opens it to be read only.

        Raises:
            StoreError: if there is no such file.
        """
        if not Path(self.path).exists():
            raise StoreError(f"there is no file {self.name}. An Execution makes it; check the name and the folder.")
        # Quoted, because "?", "#" and "%" in a file's name would be read as parts of the URI.
        uri = f"file:{quote(self.path)}?mode=ro"
        writable = os.access(self.path, os.W_OK) and os.access(Path(self.path).parent, os.W_OK)
        if not writable and not Path(f"{self.path}-wal").exists():
            # No process can write it. Without this SQLite would want to make a log beside it, and fail.
            uri += "&immutable=1"
        return uri


class Within(Reader):
    """Reads through the writing connection, inside of its transaction: what that has written is seen, and the schema is
    not read again.
    """

    def __init__(self, db: sqlite3.Connection, path: str) -> None:
        super().__init__(path)
        self._db = db

    def query(self, sql: str, parameters: Parameters = (), most_s: float | None = None) -> Rows:
        """Return what a query of this package gives: it is trusted, and neither guarded nor timed."""
        cursor = self._db.execute(sql, parameters)
        return Rows([column[0] for column in cursor.description or ()], cursor.fetchall())


def _executed(connection: sqlite3.Connection, sql: str, parameters: Parameters) -> sqlite3.Cursor:
    try:
        return connection.execute(sql, parameters)
    except UnicodeEncodeError:
        # A lone surrogate in a text that is looked for: recorded texts are clean, and so must be the one to compare.
        return connection.execute(clean(sql), recordable(parameters))


class _Kept(local):
    """The connection that a thread's queries share."""

    until: ExitStack | None = None
    guarded: tuple[sqlite3.Connection, _Guard] | None = None


class _Guard:
    """Tells SQLite what a query may do, and for how long, and remembers what it has refused.

    Python's module for SQLite drops an exception that is raised in here, and takes it for a refusal: Ctrl-C would end
    the query with "access to tasks.result is prohibited". So a refusal that the guard does not remember was Ctrl-C.
    """

    def __init__(self) -> None:
        self.begin(None)

    def begin(self, most_s: float | None) -> None:
        """Begin a query that may take so many seconds; None for any number."""
        self.denied = False
        self.late = False
        self._until = math.inf
        if most_s is not None:
            self._until = monotonic() + most_s

    def allows(self, action: int, name: str | None, argument: str | None, *_: object) -> int:
        """Return the answer to a step of a statement that is compiled."""
        setting = action == sqlite3.SQLITE_PRAGMA and argument is not None and name not in _ASKING
        if setting or action in _DENIED:
            self.denied = True
            return sqlite3.SQLITE_DENY
        return sqlite3.SQLITE_OK

    def is_over(self) -> bool:
        """Return whether the query has taken too long."""
        self.late = monotonic() > self._until
        return self.late

    def was_interrupted(self, error: sqlite3.Error) -> bool:
        """Return whether a query has failed because of an exception in here."""
        refused = {"SQLITE_AUTH": self.denied, "SQLITE_INTERRUPT": self.late}
        return not refused.get(getattr(error, "sqlite_errorname", ""), True)


def _guarded(connection: sqlite3.Connection) -> _Guard:
    # Once for a connection: each time that an authorizer is set, SQLite compiles all statements again.
    guard = _Guard()
    connection.set_authorizer(guard.allows)
    # Without a limit, too: while SQLite works, Ctrl-C is heard only where Python's code is called.
    connection.set_progress_handler(guard.is_over, _STEPS)
    return guard


def _value(text: str | None, kind: str | None) -> Stored | None:
    if text is None:
        return None
    return Stored(text, kind or "")


def _task(row: tuple[Any, ...]) -> TaskRecord:  # Any: SQLite's values
    *fields, result, kind = row
    return replace(TaskRecord(*fields), result=_value(result, kind))


def _model_call(row: tuple[Any, ...], assembled: Assembled, texts: Texts) -> ModelCall:  # Any: SQLite's values
    fields = dict(zip(_MODEL_CALL, row, strict=False))
    columns = {name: fields[name] for name in ("id", "response")} | dict(
        zip(_REQUEST, row[len(_MODEL_CALL) :], strict=True)
    )
    found = assembled.read(decoded(columns))
    # Releases before 0002 recorded neither provider nor time.
    fields |= {"provider": fields["provider"] or "", "started_at": _seconds(fields["started_at"])}
    return ModelCall(
        messages=texts.of(found.messages),
        history=None if found.history is None else texts.of(found.history),
        parameters=compact(found.parameters),
        **fields,
    )


def _tool_call(row: tuple[Any, ...]) -> ToolCall:  # Any: SQLite's values
    *fields, reused_id, agent, caller, id = row
    found = replace(ToolCall(*fields), reused_id=reused_id, agent=agent, caller=caller, id=id)
    return replace(found, started_at=_seconds(row[7]))


def _seconds(time: str | None) -> float:
    """Return a time of the store in seconds since the epoch."""
    if time is None:
        return 0.0
    return datetime.fromisoformat(time).timestamp()


def _nodes(below: dict[str | None, list[tuple[Any, ...]]], parent: str | None) -> tuple[TreeNode, ...]:
    return tuple(
        TreeNode(
            id=NodeId(id),
            path=NodePath(path),
            type=kind,
            key=key,
            explicit_id=bool(explicit),
            props=json.loads(props),
            text=text,
            events=tuple(json.loads(events)),
            source=source,
            parent_id=parent_id,
            position=position,
            children=_nodes(below, id),
            loop=loop_of(path),
        )
        for id, path, kind, key, explicit, parent_id, position, props, events, text, source, _ in below.get(parent, ())
    )
