"""The store as DataFrames: the same names and columns as the tables. The only module that imports pandas."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from ..arguments import integer, optional, takes, text
from ..errors import NamesNearest
from ..nodes import xml
from . import plots, timeline
from .conversations import MESSAGE_COLUMNS, messages
from .line import of_line, once
from .names import FileNames, NodeNames
from .prune import refuse_missing
from .reader import BELOW, Parameters, Reader
from .requests import Assembled, decoded

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

TABLES = (
    "executions",
    "frames",
    "nodes",
    "state",
    "reads",
    "transitions",
    "handlers",
    "effects",
    "tasks",
    "model_calls",
    "tool_calls",
    "stream_events",
    "rate_windows",
    "loops",
    "approvals",
    "artifacts",
    "events",
    "breakpoints",
    "predictions",
    "exercise_checks",
)
ORDER = {
    "executions": "created_at",
    "frames": "frame",
    "nodes": "from_frame, path",
    "state": "key, from_frame",
    "reads": "component, key, from_frame",
    "transitions": "frame, seq",
    "handlers": "frame, rowid",
    "effects": "frame, rowid",
    "tasks": "mounted_at_frame, rowid",
    "model_calls": "id",
    "tool_calls": "id",
    "stream_events": "id",
    "rate_windows": "name",
    "loops": "node_id",
    "approvals": "asked_at",
    "artifacts": "created_at, rowid",
    "events": "id",
    "breakpoints": "created_at, rowid",
    "predictions": "frame, rowid",
    "exercise_checks": "at, rowid",
}


_TEXTS = {
    "executions": ("reason",),
    "frames": ("reason",),
    "transitions": ("trigger",),
    "handlers": ("error",),
    "effects": ("error",),
    "tasks": ("reason", "error"),
}
"""The columns that say something in words, by table."""
_AT = ("frame", "mounted_at_frame")
"""The columns that have the frame of a row."""


COST_COLUMNS = {
    "execution_id": "TEXT",
    "node_id": "TEXT",
    "model": "TEXT",
    "requests": "INTEGER",
    "cut_off": "INTEGER",
    "input_tokens": "INTEGER",
    "cache_read_tokens": "INTEGER",
    "cache_write_tokens": "INTEGER",
    "output_tokens": "INTEGER",
    "reasoning_tokens": "INTEGER",
    "cost_usd": "REAL",
    "unpriced": "INTEGER",
    "why_unpriced": "TEXT",
}
"""The columns of ``costs``, with their types as in ``schema.sql``."""
_SUMS = ", ".join(f"coalesce(sum({name}), 0)" for name in [*COST_COLUMNS][5:11])
_COSTS = (
    "SELECT execution_id, {node}, count(*) FILTER (WHERE answered_by = 'model'), count(*) FILTER (WHERE"
    f" answered_by = 'model' AND status NOT IN ('ok', 'running')), {_SUMS},"
    " count(*) FILTER (WHERE response IS NOT NULL AND cost_usd IS NULL), group_concat(DISTINCT unpriced)"
    " FROM model_calls JOIN (SELECT execution_id, task_id, node_id FROM tasks) USING (execution_id, task_id)"
    "{whose} GROUP BY execution_id{group}"
)


class DataFrames(NamesNearest):
    """``ex.df`` and ``store.df``: an attribute per table, read at each access.

    Each is a DataFrame with the table's columns. Integers are nullable ``Int64``, times ``datetime64[ns, UTC]``,
    JSON columns are decoded; an empty table has the same columns and dtypes.
    """

    def __init__(
        self,
        reader: Reader,
        execution_id: str | None = None,
        why: Callable[[str, int | None], pd.DataFrame] | None = None,
    ) -> None:
        self._reader = reader
        self._execution_id = execution_id
        # Given: the causes are told by the read model, which stands above the store.
        self._why = why

    @property
    def executions(self) -> pd.DataFrame:
        """A row per execution: execution_id, name, status, reason, app, seed, owner, created_at …"""
        return self._table("executions")

    @property
    def frames(self) -> pd.DataFrame:
        """A row per frame: frame, reason, status, mounted, unmounted, updated, moved, handlers, writes, … _ms."""
        return self._table("frames")

    @property
    def nodes(self) -> pd.DataFrame:
        """A row per version of a node: node_id, path, type, props, text, from_frame, to_frame (exclusive) …"""
        return self._table("nodes")

    @property
    def state(self) -> pd.DataFrame:
        """A row per version of a value: key, value, type, from_frame, to_frame (exclusive)."""
        return self._table("state")

    @property
    def reads(self) -> pd.DataFrame:
        """A row per key that a component read: component, key, from_frame, to_frame (exclusive)."""
        return self._table("reads")

    @property
    def transitions(self) -> pd.DataFrame:
        """A row per write that FLUSH resolved: frame, seq, key, op, old, new, status, trigger, origin, node_id,
        tool_call_id …
        """
        return self._table("transitions")

    @property
    def handlers(self) -> pd.DataFrame:
        """A row per handler call: frame, node_id, task_id, event, status, writes, ms, error, source."""
        return self._table("handlers")

    @property
    def effects(self) -> pd.DataFrame:
        """A row per effect run or cleanup: frame, node_id, kind, status, deps, writes, ms, error."""
        return self._table("effects")

    @property
    def tasks(self) -> pd.DataFrame:
        """A row per task: task_id, node_id, status, attempt, started_at, ended_at, result, error, cost_usd …"""
        return self._table("tasks")

    @property
    def model_calls(self) -> pd.DataFrame:
        """A row per request to a model: node_id, task_id, turn, attempt, model, status, request (the messages that the
        model was given), parameters (settings, tools, output schema), response, tokens, cost_usd, unpriced, ms, error …

        ``input_tokens`` has all of them, those read from and written to a cache too; ``output_tokens`` those of
        reasoning. ``history`` is the agent's own conversation where the model was given something else, ``accepted``
        what a capability made of the response, ``partial`` what had come of one that was cut off. ``agent`` and
        ``caller`` name an agent that a tool of the node's agent ran, and the tool call.
        """
        return self._calls("model_calls")

    @property
    def tool_calls(self) -> pd.DataFrame:
        """A row per tool call: node_id, task_id, turn, attempt, tool, input, output, status, started_at, ms, error;
        ``agent`` and ``caller`` of those that an agent made which a tool of the node's agent ran.
        """
        return self._calls("tool_calls")

    @property
    def messages(self) -> pd.DataFrame:
        """A row per part of a message of an agent's conversation, in order, each once: node_id, iteration, task_id,
        turn, attempt, role (system, user, assistant, tool), kind, tool, text, status …

        ``kind`` is text, thinking, tool call, tool result, retry (why an output or call was rejected), image, audio,
        video, document, file; a request without an answer ends with a row of the kind failed, cancelled, interrupted or
        running. ``iteration`` is that of the innermost loop, ``agent`` the name of one that a tool ran, ``waited_s``
        the wait before a further attempt. finish_reason, tokens, cost_usd and ms of a request stand at the end of its
        answer only, so that sums are right; the ms of a tool at its result.
        """
        return frame_from(messages(self._reader, self._execution_id), MESSAGE_COLUMNS)

    @property
    def stream_events(self) -> pd.DataFrame:
        """A row per streamed piece: task_id, turn, attempt, kind (token, thinking, tool_start, tool_end), payload …"""
        return self._table("stream_events")

    @property
    def rate_windows(self) -> pd.DataFrame:
        """A row per model of a provider, of all executions of the file: name, opens_at, next_at, interval_ms …"""
        return self._table("rate_windows")

    @property
    def artifacts(self) -> pd.DataFrame:
        """A row per thing to show: artifact_id, kind, title, content, node_id, frame, created_at, updated_at."""
        return self._table("artifacts")

    @property
    def events(self) -> pd.DataFrame:
        """A row per event that is neither a write nor a call: frame, kind, node_id, payload, created_at."""
        return self._table("events")

    @property
    def loops(self) -> pd.DataFrame:
        """A row per loop: node_id, iteration, status (running, done, max_reached, unmounted)."""
        return self._table("loops")

    @property
    def approvals(self) -> pd.DataFrame:
        """A row per question to a person: node_id, kind, prompt, payload, options, status, choice, comment, asked_at,
        answered_at; turn and tool_call_id of the tool call that it is about. Those of child executions are there, too:
        ``execution_id`` names the one that asks, and ``ex.answer`` takes ``EXECUTION_ID/APPROVAL_ID``.
        """
        return self._table("approvals", with_children=True)

    @property
    def breakpoints(self) -> pd.DataFrame:
        """A row per breakpoint: kind, target, event, value, condition, once, enabled, log_only, after, hits."""
        return self._table("breakpoints")

    @property
    def predictions(self) -> pd.DataFrame:
        """A row per item of which a learner was asked: frame, learner, item, said, was, right, at.

        An item is ``starts:NODE``, ``fires:NODE.on_finished``, ``writes:KEY`` or ``value:KEY``; ``said`` and ``was``
        are true or false, or a value. A frame that was skipped has one row, with the item ``skipped``.
        """
        return self._table("predictions")

    @property
    def exercise_checks(self) -> pd.DataFrame:
        """A row per attempt at an exercise: exercise, seat, learner, attempt, solved, held, cell, execution_id, at.

        ``held`` has each statement of the exercise, whether it holds, and the finding if it does not. Attempt 0 is the
        beginning. The execution is the one that the checked cell has made.
        """
        return self._table("exercise_checks")

    @takes(frame=integer)
    def state_at(self, frame: int) -> pd.DataFrame:
        """Return what frame ``frame`` read, one row per key: key, value, type, from_frame.

        Raises:
            StoreError: if the frame was pruned.
        """
        refuse_missing(self._reader, self._one(), frame)
        rows = self._reader.state(self._reader.owner(self._one(), frame), frame)
        return frame_from(
            [(key, stored.text, stored.type, since) for key, (stored, since) in rows.items()],
            {"key": "TEXT", "value": "JSON TEXT", "type": "TEXT", "from_frame": "INTEGER"},
        )

    @takes(frame=integer)
    def tree_at(self, frame: int) -> pd.DataFrame:
        """Return the plan of a frame, one row per node in document order: depth, type, node_id, path, key, text,
        attributes.

        ``attributes`` holds the attributes as they appear in the XML, as a dict.

        Raises:
            StoreError: if the frame was pruned.
        """
        import pandas as pd

        refuse_missing(self._reader, self._one(), frame)
        tree, _ = self._reader.tree(self._reader.owner(self._one(), frame), frame)
        rows = []
        depth: dict[str | None, int] = {None: -1}
        for node in tree.walk():
            depth[node.id] = depth[node.parent_id] + 1
            rows.append(
                (depth[node.id], node.type, node.id, node.path, node.key, node.text, dict(xml.attributes(node)))
            )
        found = pd.DataFrame(rows, columns=["depth", "type", "node_id", "path", "key", "text", "attributes"])
        return found.astype({"depth": "Int64"})

    def costs(self) -> pd.DataFrame:
        """Return what the models of agents have cost, one row per node, model and execution, and one per execution.

        Columns: execution_id, node_id and model (empty: all of the execution, at its end), requests (those that were
        sent), cut_off (those of them without an answer), input_tokens (all of them), cache_read_tokens,
        cache_write_tokens, output_tokens (all of them), reasoning_tokens, cost_usd (the sum of the known prices),
        unpriced (answers whose price is not known) and why_unpriced. Child executions have rows of their own. Tokens
        and prices of requests that were cut off are those that the provider had told by then.
        """
        whose, given = "", {}
        if self._execution_id is not None:
            whose, given = f" WHERE execution_id IN ({BELOW} SELECT id FROM below)", {"id": self._execution_id}
        both = f"{_COSTS.format(node='node_id, model', whose=whose, group=', node_id, model')} UNION ALL "
        both += _COSTS.format(node="NULL, NULL", whose=whose, group="")
        sql = f"SELECT * FROM ({both}) ORDER BY execution_id, node_id IS NULL, node_id, model"
        return frame_from(self._reader.query(sql, given).rows, COST_COLUMNS)

    def timeline(self) -> pd.DataFrame:
        """Return what happened, one row per thing, in order: execution_id, frame, phase, at, what, status, node_id,
        task_id, key, id, cause_id, text.

        ``text`` says it in words. ``what`` is execution, frame, mounted, unmounted, updated, task started, task ended,
        model call, tool call, approval, handler, effect, write, artifact or event. ``at`` is empty where only the
        order is known. ``cause_id`` is the ``id`` of what made it happen: of the rows before it that have this id,
        the last one. Streamed pieces are left to ``stream_events``.
        """
        return frame_from(timeline.timeline(self._reader, self._execution_id), timeline.COLUMNS)

    @takes(key=text, frame=optional(integer))
    def why(self, key: str, frame: int | None = None) -> pd.DataFrame:
        """Return how the value of a state key came to be: the ``df`` of ``ex.why("state:KEY", frame)``, a row per
        sentence: depth, text, frame, phase, node_id, source, table, row_id, execution_id, evidence.

        ``frame`` is the frame that reads the value; without one it is the newest value.
        """
        self._one()
        assert self._why is not None  # for the type checker: who names an execution gives it
        return self._why(key, frame)

    def plot_tasks(self, by: Literal["frame", "time"] = "frame", ax: Axes | None = None) -> Axes:
        """Draw the tasks as bars over the frames, or over the seconds since the first of them started; return the axes.

        A row per node; blue succeeded, orange did not, white is running. The status stands beside the bar.

        Raises:
            ImportError: if matplotlib is not installed.
        """
        names = NodeNames(self._reader, self._one())
        # As in its first frame: a row has the tasks of all iterations.
        return plots.tasks(self.tasks, name=lambda id: names.of(id, 0), frames=self.frames, by=by, ax=ax)

    @takes(key=text)
    def plot_state(self, key: str, ax: Axes | None = None) -> Axes:
        """Draw the history of a state key over the frames that read it: numbers as a line, other values as bands.

        Raises:
            KeyError: if the key never had a value.
            ImportError: if matplotlib is not installed.
        """
        return plots.state(self.state, key, self._reader.last_frame(self._one()), ax)

    def __dir__(self) -> list[str]:
        methods = ("state_at", "tree_at", "costs", "timeline", "why", "plot_tasks", "plot_state")
        return [*TABLES, "messages", *methods]

    def __repr__(self) -> str:
        return f"<DataFrames of {self._reader.name}: {', '.join(TABLES)}>"

    def _one(self) -> str:
        if self._execution_id is None:
            raise AttributeError(
                "state_at, tree_at, why and the plots belong to one execution: store.open(name).df, or ex.df"
            )
        return self._execution_id

    def _calls(self, name: str) -> pd.DataFrame:
        """Return requests or tool calls, with the node of each."""
        import pandas as pd

        kinds = self._reader.kinds(name)
        columns = [f'"{column}"' for column in kinds]
        task = f"tasks.execution_id = {name}.execution_id AND tasks.task_id = {name}.task_id"
        columns.insert(list(kinds).index("task_id"), f"(SELECT node_id FROM tasks WHERE {task}) AS node_id")
        where: str = once(name)
        given: dict[str, object] = {}
        if self._execution_id is not None:
            where, given = of_line(self._reader.line(self._execution_id), name)
        found = self._reader.query(f"SELECT {', '.join(columns)} FROM {name} WHERE {where} ORDER BY id", given)
        frame = pd.DataFrame(found.rows, columns=found.columns, dtype="object")
        kinds = {column: kinds.get(column, "TEXT") for column in found.columns}
        if name == "model_calls":
            _assembled(frame)
            del frame["base_id"]
            made = ("request", "history", "parameters", "response", "base_id")
            kinds = {column: kind for column, kind in kinds.items() if column not in made}
        return _typed(frame, kinds)

    def _table(self, name: str, with_children: bool = False) -> pd.DataFrame:
        kinds = self._reader.kinds(name)
        where: str = once(name)
        given: dict[str, object] = {}
        if self._execution_id is not None and "execution_id" in kinds:
            where, given = of_line(self._reader.line(self._execution_id), name)
            if with_children:
                where = f"({where} OR execution_id IN ({BELOW} SELECT id FROM below WHERE id != :id))"
                given["id"] = self._execution_id
        columns = ", ".join(f'"{column}"' for column in kinds)
        sql = f"SELECT {columns} FROM {name} WHERE {where} ORDER BY {ORDER[name]}"
        found = frame_of(self._reader, sql, given, kinds)
        for column in _TEXTS.get(name, ()):
            found[column] = self._named(found, column)
        return found

    def _named(self, frame: pd.DataFrame, column: str) -> pd.Series[Any]:  # Any: texts, lists of them, and None
        """Return a column of texts with the names of nodes in place of generated ids; ids stay in their columns."""
        import pandas as pd

        names = FileNames(self._reader)
        at = next((frame[name] for name in _AT if name in frame), [sys.maxsize] * len(frame))

        def named(id: str, text: Any, number: int) -> Any:
            if isinstance(text, list):  # The reasons of a frame, which are of the one before.
                return [names.in_text(id, one, number - 1) for one in text]
            return names.in_text(id, text, number)

        told = [named(*row) for row in zip(frame["execution_id"], frame[column], at, strict=True)]
        return pd.Series(told, index=frame.index, dtype="object")


def _assembled(frame: pd.DataFrame) -> None:
    """Put requests that are stored as what they add to an earlier one together, in place."""
    import pandas as pd

    found, assembled = [], Assembled()
    columns = ("id", "base_id", "request", "history", "parameters", "response")
    for values in zip(*(frame[name] for name in columns), strict=True):
        row = decoded(dict(zip(columns, values, strict=True)))
        made = assembled.read(row)
        found.append((made.messages, made.history, made.parameters, row["response"]))
    for place, name in enumerate(("request", "history", "parameters", "response")):
        frame[name] = pd.Series([row[place] for row in found], index=frame.index, dtype="object")


def frame_of(reader: Reader, sql: str, parameters: Parameters, kinds: dict[str, str] | None = None) -> pd.DataFrame:
    """Return the result of a query as a DataFrame; with ``kinds``, with the columns' dtypes."""
    import pandas as pd

    found = reader.query(sql, parameters)
    if kinds is None:
        return pd.DataFrame(found.rows, columns=found.columns)
    # Without a dtype pandas would guess one from the values, and a different one where there are none.
    return _typed(pd.DataFrame(found.rows, columns=found.columns, dtype="object"), kinds)


def frame_from(rows: Sequence[tuple[object, ...]], kinds: dict[str, str]) -> pd.DataFrame:
    """Return rows as a DataFrame with the columns and dtypes of ``kinds``, as in ``schema.sql``; besides, ``BOOLEAN``
    is True, False or missing, and ``OBJECT`` any value.
    """
    import pandas as pd

    return _typed(pd.DataFrame(rows, columns=list(kinds), dtype="object"), kinds)


def _typed(frame: pd.DataFrame, kinds: dict[str, str]) -> pd.DataFrame:
    import pandas as pd

    for column, kind in kinds.items():
        values = frame[column]
        if kind == "INTEGER":
            frame[column] = values.astype("Int64")
        elif kind == "REAL":
            frame[column] = values.astype("float64")
        elif kind == "BOOLEAN":
            frame[column] = values.astype("boolean")
        elif kind == "TIME TEXT":
            frame[column] = pd.to_datetime(values, utc=True, format="ISO8601").astype("datetime64[ns, UTC]")
        elif kind == "JSON TEXT":
            frame[column] = pd.Series(_decoded(values), index=frame.index, dtype="object")
    return frame


def _decoded(texts: Iterable[str | None]) -> list[Any]:  # Any: it is what the user stored
    """Decode a column at once: one call of the parser costs a tenth of one a value."""
    found: list[Any] = json.loads(f"[{','.join('null' if text is None else text for text in texts)}]")
    return found
