"""Sweeps in the file: which branches there are, what has become of them, and their scores."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from ..errors import UnknownExecutionError, did_you_mean
from ..records import BranchOutcome, SweepBranch, SweepOptions, SweepRecord
from ..values import Stored
from .connection import now
from .reader import Reader

_SWEEP = "name, parent_id, frame, app, code_hash, definition, reuse, options"
_WANTED = "sweep = :sweep AND (:numbers IS NULL OR branch IN (SELECT value FROM json_each(:numbers)))"
_BELOW = (
    f"WITH RECURSIVE below (root, id) AS (SELECT execution_id, execution_id FROM sweep_branches WHERE {_WANTED}"
    " UNION ALL SELECT root, execution_id FROM below JOIN executions ON parent_id = below.id AND kind = 'child')"
)
"""The executions of a sweep with their children, each with the branch's execution that it belongs to."""
_OUTCOMES = (
    f"{_BELOW}, used (root, tokens, cost) AS (SELECT root, sum(coalesce(input_tokens, 0) + coalesce(output_tokens, 0)),"
    " sum(cost_usd) FROM below CROSS JOIN model_calls ON model_calls.execution_id = below.id GROUP BY root),"
    " made (root, frames) AS (SELECT execution_id, count(*) FROM frames WHERE execution_id IN"
    f" (SELECT execution_id FROM sweep_branches WHERE {_WANTED}) GROUP BY execution_id)"
    " SELECT b.branch, b.execution_id, b.varied, b.repeat, e.execution_id IS NOT NULL, b.ended_at IS NOT NULL,"
    " coalesce(b.status, e.status, 'pending'), coalesce(b.reason, e.reason, ''), coalesce(frames, 0),"
    " coalesce(tokens, 0), coalesce(cost, 0.0), b.seconds, e.result, e.result_type, b.scores, b.score_error, b.scorer"
    " FROM sweep_branches b LEFT JOIN executions e USING (execution_id) LEFT JOIN used ON used.root = b.execution_id"
    f" LEFT JOIN made ON made.root = b.execution_id WHERE {_WANTED} ORDER BY b.branch"
)


# ---- writes, each in one transaction -----------------------------------------------------------------------------


def add_sweep(db: sqlite3.Connection, sweep: SweepRecord, branches: Iterable[SweepBranch]) -> bool:
    """Add a sweep with all of its branches, none of which has begun; return whether its name was free."""
    if db.execute("SELECT 1 FROM sweeps WHERE name = ?", (sweep.name,)).fetchone():
        return False
    given = (sweep.name, sweep.parent_id, sweep.frame, sweep.app, sweep.code_hash, sweep.definition)
    db.execute(
        f"INSERT INTO sweeps ({_SWEEP}, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (*given, json.dumps(sweep.reuse), json.dumps(asdict(sweep.options)), now()),
    )
    db.executemany(
        "INSERT INTO sweep_branches (sweep, branch, execution_id, varied, repeat) VALUES (?, ?, ?, ?, ?)",
        [
            (sweep.name, one.number, one.execution_id, json.dumps(one.varied, ensure_ascii=False), one.repeat)
            for one in branches
        ],
    )
    return True


def end_branch(db: sqlite3.Connection, sweep: str, number: int, *, end: tuple[str, str] | None, seconds: float) -> None:
    """Add the time for which a branch was run, and its end, status and reason, which has no scores yet; None if it was
    interrupted: one that had failed is still failed then.
    """
    # Added, not set: later processes continue a branch that was interrupted.
    where = "WHERE sweep = ? AND branch = ?"
    db.execute(f"UPDATE sweep_branches SET seconds = seconds + ? {where}", (seconds, sweep, number))
    if end is not None:
        db.execute(
            "UPDATE sweep_branches SET status = ?, reason = ?, ended_at = ?, scores = NULL, score_error = NULL,"
            f" scorer = NULL {where}",
            (*end, now(), sweep, number),
        )


def score_branch(
    db: sqlite3.Connection,
    sweep: str,
    number: int,
    *,
    scores: Mapping[str, Any] | None,
    error: str | None,
    scorer: str,
) -> None:
    """Record the scores of a branch, or the error of what was to make them."""
    text = None if scores is None else json.dumps(scores, ensure_ascii=False)
    db.execute(
        "UPDATE sweep_branches SET scores = ?, score_error = ?, scorer = ? WHERE sweep = ? AND branch = ?",
        (text, error, scorer, sweep, number),
    )


def set_limits(db: sqlite3.Connection, sweep: str, limits: Mapping[str, float]) -> None:
    """Replace the limits of all branches together."""
    db.execute(
        "UPDATE sweeps SET options = json_set(options, '$.limits', json(?)) WHERE name = ?",
        (json.dumps(dict(limits)), sweep),
    )


def forget_removed(db: sqlite3.Connection, execution_ids: Iterable[str]) -> None:
    """Remove the sweeps that executions were removed from and that have none left."""
    # One whose branches are still in the file keeps its ends and scores of the others.
    for id in execution_ids:
        db.execute(
            "DELETE FROM sweeps WHERE name IN (SELECT sweep FROM sweep_branches WHERE execution_id = ?) AND NOT EXISTS"
            " (SELECT 1 FROM sweep_branches JOIN executions USING (execution_id) WHERE sweep = sweeps.name)",
            (id,),
        )


# ---- reading -----------------------------------------------------------------------------------------------------


def sweep_of(reader: Reader, name: str) -> SweepRecord:
    """Return a sweep by its name.

    Raises:
        UnknownExecutionError: naming those that there are.
    """
    found = _sweeps(reader, "name = ?", name)
    if found:
        return found[0]
    names = sweep_names(reader)
    there = f"It has {', '.join(map(repr, names[-5:]))}." if names else "It has none."
    raise UnknownExecutionError(f"{reader.name} has no sweep {name!r}.{did_you_mean(name, names)} {there}")


def scope_of(reader: Reader, name: str) -> str:
    """Return a text that tells a sweep from the same one in another file."""
    [(created,)] = reader.query("SELECT created_at FROM sweeps WHERE name = ?", (name,)).rows
    return hashlib.sha256(created.encode()).hexdigest()[:8]


def sweep_names(reader: Reader) -> list[str]:
    """Return the names of all sweeps, the oldest first."""
    return [name for (name,) in reader.query("SELECT name FROM sweeps ORDER BY created_at").rows]


def find_sweep(reader: Reader, *, name: str | None, definition: str, code_hash: str) -> SweepRecord | None:
    """Return the sweep of a name, or without one the newest of a definition and code; None if there is none."""
    if name is not None:
        found = _sweeps(reader, "name = ?", name)
    else:
        found = _sweeps(reader, "definition = ? AND code_hash = ?", definition, code_hash)
    return next(iter(found), None)


def _sweeps(reader: Reader, where: str, *values: str) -> list[SweepRecord]:
    rows = reader.query(f"SELECT {_SWEEP} FROM sweeps WHERE {where} ORDER BY created_at DESC", values).rows
    found = []
    for *given, reuse, options in rows:
        columns = dict(zip(_SWEEP.split(", "), given, strict=False))
        found.append(SweepRecord(**columns, reuse=tuple(json.loads(reuse)), options=_options(json.loads(options))))
    return found


def _options(found: dict[str, Any]) -> SweepOptions:  # Any: JSON
    state = {key: (text, kind) for key, (text, kind) in found.pop("state").items()}
    return SweepOptions(**{**found, "models": tuple(found["models"])}, state=state)


def outcomes(reader: Reader, sweep: str, numbers: Iterable[int] | None = None) -> list[BranchOutcome]:
    """Return the branches of a sweep, all or those of some numbers, in order, with what has become of each."""
    found = []
    # While a sweep runs, only the branches that have just ended are looked at.
    given = {"sweep": sweep, "numbers": None if numbers is None else json.dumps([*numbers])}
    for number, id, varied, repeat, *row in reader.query(_OUTCOMES, given).rows:
        begun, ended, status, reason, frames, tokens, cost, seconds, result, kind, scores, error, scorer = row
        found.append(
            BranchOutcome(
                branch=SweepBranch(number, id, json.loads(varied), repeat),
                begun=bool(begun),
                ended=bool(ended),
                status=status,
                reason=reason,
                frames=frames,
                tokens=tokens,
                cost_usd=cost,
                seconds=seconds,
                result=None if result is None else Stored(result, kind),
                scores=json.loads(scores or "{}"),
                score_error=error,
                scorer=scorer,
            )
        )
    return found


def starved_nodes(reader: Reader, execution_id: str) -> dict[str, str]:
    """Return the nodes whose agents the limits of the sweep have ended, each with the limit; of children, too.

    A node that has run again since is none of them.
    """
    rows = reader.query(
        "WITH RECURSIVE below (id) AS (SELECT ? UNION ALL SELECT execution_id FROM below JOIN executions"
        " ON parent_id = id AND kind = 'child')"
        " SELECT node_id, reason FROM tasks WHERE execution_id IN (SELECT id FROM below)"
        " AND status = 'failed' AND reason LIKE 'limit: % of the sweep' AND NOT EXISTS (SELECT 1 FROM tasks later"
        " WHERE later.execution_id = tasks.execution_id AND later.node_id = tasks.node_id"
        " AND later.rowid > tasks.rowid)",
        (execution_id,),
    ).rows
    return dict(rows)


def paths_of(reader: Reader, sweep: str) -> dict[int, tuple[str, ...]]:
    """Return the nodes whose tasks ran in each branch after its fork, in the order in which they started."""
    # A fork copies the tasks that were settled by then: they ran in the parent.
    rows = reader.query(
        "SELECT b.branch, t.node_id FROM sweep_branches b JOIN executions e USING (execution_id)"
        " JOIN tasks t USING (execution_id) WHERE b.sweep = ? AND t.started_at IS NOT NULL AND (e.kind != 'branch'"
        " OR t.settled_at_frame IS NULL OR t.settled_at_frame > e.forked_at_frame) ORDER BY 1, t.started_at, t.rowid",
        (sweep,),
    ).rows
    # A branch without tasks has a path, too: the empty one.
    found: dict[int, list[str]] = {one: [] for (one,) in _begun(reader, sweep)}
    for number, node_id in rows:
        found[number].append(node_id)
    return {number: tuple(nodes) for number, nodes in found.items()}


def _begun(reader: Reader, sweep: str) -> list[tuple[int]]:
    sql = "SELECT branch FROM sweep_branches JOIN executions USING (execution_id) WHERE sweep = ? ORDER BY 1"
    return [(number,) for (number,) in reader.query(sql, (sweep,)).rows]


def known_names(reader: Reader, execution_id: str) -> tuple[set[str], set[str]]:
    """Return the state keys that the line of an execution has held, read or written, and the models that it named."""
    # Also keys that are gone by now: code that reads them is there.
    keys: set[str] = set()
    models: set[str] = set()
    for part in reader.line(execution_id):
        given = (part.execution_id,)
        for table in ("state", "reads", "transitions"):
            keys.update(key for (key,) in reader.query(f"SELECT key FROM {table} WHERE execution_id = ?", given).rows)
        sql = "SELECT DISTINCT props ->> '$.model' FROM nodes WHERE execution_id = ? AND type = 'claude'"
        models.update(str(name) for (name,) in reader.query(sql, given).rows if name)
    return keys, models
