"""What is in a file: a store, its recorded executions, their frames, and the outcome of a replay.

What few programs ask for (a comparison, a check of the file, an export …) is imported where it is asked for: every
program that makes an Execution imports this module.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from . import arguments
from .arguments import optional, takes
from .artifacts import Artifact
from .bridge import engine
from .errors import NamesNearest, did_you_mean
from .fork import edited_state, root_of
from .history.notes import notes_of
from .nodes.diff import Changes, diff
from .nodes.tree import Tree
from .records import REUSED, Ghosts, Reusable, Status
from .replay import Replayed
from .replay import Tasks as ReplayTasks
from .run import RUNNER, Until, bring_up, checked_limits
from .store.branches import COLUMNS, family
from .store.connection import is_page, refuse_lines
from .store.frames import DataFrames, frame_from, frame_of
from .store.prune import Pruned, prune, refuse_missing
from .store.reader import Parameters, Reader
from .values import Stored, legible, opened, value_of

if TYPE_CHECKING:
    import pandas as pd

    from .agents.runner import Runner
    from .execution import Execution
    from .history.causes.why import Why
    from .history.causes.why_not import WhyNot
    from .history.compare import Comparison
    from .history.follow import Follow
    from .history.ghosts import Absent
    from .history.recorded import RecordedSource
    from .history.transcript import Transcript
    from .needs import Needs
    from .player.container import Header
    from .player.export import Export, Redact
    from .player.keep import Kept
    from .rerender import Rerender
    from .store.check import Report
    from .store.merge import Merged
    from .store.upkeep import Vacuumed
    from .sweeps.sweep import Sweep
    from .what_if import WhatIf

SHOWN = 5
"""The most differences that are shown."""


def _temporary(owner: object) -> str:
    """Return a folder that is removed with its owner."""
    folder = tempfile.mkdtemp(prefix="smithers-")
    weakref.finalize(owner, _removed, folder, os.getpid())
    return folder


def _removed(folder: str, owner: int) -> None:
    """Remove a folder, unless this process is a fork of its owner's."""
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


def _recording(name: str, value: Any) -> Any:
    if isinstance(value, Recording):
        return value
    if isinstance(value, str):
        return arguments.full_text(name, value)
    raise arguments.wrong(name, value, "an Execution, a History, or the id or name of one of this file")


def agent_runner(name: str, value: Any) -> Any:
    """Take a runner of agents."""
    if not callable(getattr(value, "submit", None)) or not callable(getattr(value, "check", None)):
        raise arguments.wrong(name, value, "a Runner: an object with check() and submit()")
    return value


def named_target(name: str, value: Any) -> Any:
    """Take the target of a question: a text, the number of a frame, or None."""
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    if isinstance(value, str) and value.strip():
        return value.strip()
    raise arguments.wrong(name, value, "a node id, 'node.prop', 'state:key', the number of a frame, an id, or None")


def recorded_frames(name: str, value: Any) -> list[int]:
    """Take the number of a frame, or several."""
    what = "the number of a frame, or some of them: range(3, 9)"
    if isinstance(value, str | bytes | dict):
        raise arguments.wrong(name, value, what)
    try:
        found = list(value)
    except TypeError:
        found = [value]
    return [arguments.whole(1)(name, arguments.integer(name, one, what)) for one in found]


def _numbers(frames: Iterable[int] | int) -> Iterable[int]:
    return [frames] if isinstance(frames, int) else frames


def _redact(name: str, value: Any) -> Any:
    """Take keys, columns and patterns."""
    found = [value] if isinstance(value, str | re.Pattern) else value
    if not isinstance(found, Iterable) or isinstance(found, bytes):
        raise arguments.wrong(name, value, "keys of the state, columns, or patterns of re.compile(…)")
    wanted = list(found)
    for one in wanted:
        if not isinstance(one, str | re.Pattern) or (isinstance(one, re.Pattern) and isinstance(one.pattern, bytes)):
            raise arguments.wrong(name, one, "keys of the state, columns, or patterns of re.compile(…) for texts")
    return wanted


class Store(NamesNearest):
    """A SQLite file with its executions. Readers and the writer never wait for each other.

    Parameters
    ----------
    path : str or os.PathLike
        The file; it need not exist before an Execution is made in it. ``":memory:"`` is a file in the system's
        temporary folder, removed with this object. An exported run, ``run.html``, is a store to be read: all that
        reads works, ``fork`` and ``save`` write to a database of its own, and the rest that writes is refused.

    Raises
    ------
    StoreError
        If an exported run is no longer whole, or no run at all.
    SchemaVersionError
        If a newer release has exported it, in a way that this one can't read.
    """

    @takes(path=arguments.path)
    def __init__(self, path: str | os.PathLike[str] = "smithers.db") -> None:
        name = os.fspath(path)
        if path == ":memory:":
            # Not SQLite's own memory database: only the connection that made it could read it, and readers have others.
            name = os.path.join(_temporary(self), "memory.db")
        self.path: str = os.path.abspath(os.path.expanduser(name))
        """The file, as an absolute path."""
        self.exported: Header | None = None
        """The header of an exported run: releases, time, frames, masks; None for a database."""
        refuse_lines(self.path)
        if is_page(self.path):
            from .player.opened import open_page  # Only here: most stores are databases.

            self.exported, self.reader = open_page(self.path)
        else:
            self.reader = Reader(self.path)

    @property
    def df(self) -> DataFrames:
        """DataFrames of all executions: ``store.df.executions``, ``.frames``, ``.transitions`` …"""
        return DataFrames(self.reader)

    def executions(self) -> pd.DataFrame:
        """Return one row per execution, oldest first; the same as ``df.executions``."""
        return self.df.executions

    @takes(id_or_name=arguments.full_text)
    def open(self, id_or_name: str) -> History:
        """Return the recorded history of an execution, or of the newest with that name; it can't be run.

        Raises:
            UnknownExecutionError: naming those that there are.
        """
        return History(self.reader, self.reader.execution_id(id_or_name))

    @takes(id_or_name=arguments.full_text)
    def branches(self, id_or_name: str) -> pd.DataFrame:
        """Return the family of an execution, one row each, oldest first: the one that others were forked from, and all
        branches of it and of its branches.

        Columns: name, execution_id, parent_id, forked_at_frame, changed, status, reason, last_frame, created_at,
        diverged_at. ``changed`` is a dict of what the fork changed: ``state`` (its keys), ``code`` (the new hash),
        ``props`` and ``models`` (their names); without an entry for what stayed. ``diverged_at`` is the first frame of
        its own in which a branch differs from its parent; missing where all that it has done is the same.

        Raises:
            UnknownExecutionError: naming those that there are.
        """
        from .history.compare import Divergences

        divergences, rows = Divergences(self.reader), []
        with self.reader.together():
            for row in family(self.reader, self.reader.execution_id(id_or_name)):
                _, id, parent_id, frame, *_ = row
                first = None if parent_id is None else divergences.first(parent_id, id, frame)
                rows.append((*row, first))
        return frame_from(rows, {**COLUMNS, "diverged_at": "INTEGER"})

    @takes(
        name=arguments.full_text,
        props=optional(arguments.named),
        models=optional(arguments.named),
        limits=optional(arguments.mapping),
        max_parallel=arguments.whole(1),
        progress=arguments.flag,
        runner=optional(agent_runner),
    )
    def sweep(
        self,
        name: str,
        app: object = None,
        *,
        props: Mapping[str, Any] | None = None,
        models: Mapping[str, Any] | None = None,
        score: Any = None,  # Any: a function or an evaluator
        until: Until | None = None,
        limits: Mapping[str, float] | None = None,
        max_parallel: int = 8,
        progress: bool = True,
        runner: Runner | None = None,
    ) -> Sweep[History]:
        """Return a recorded sweep by its name: to be read, and with its app to be taken up, ``.resume()``.

        The varied values, the state, repeat, limits and a text in ``until=`` are in the file. ``app``, and ``models``
        that are objects, are given again; where they were varied, as a dict by their names: ``app={"short": Short}``,
        ``models={"sonnet": {"fast": model, …}}``. A branch whose execution another process has is left to it.

        Raises:
            UnknownExecutionError: if there is no sweep of this name, naming those that there are.
            SweepError: naming the missing parts, if it is to be taken up.
        """
        from .sweeps.opening import SweepCall, recorded  # Only here: most that open a file run nothing.

        asked = SweepCall(
            vary=None,
            repeat=None,
            score=score,
            until=until,
            limits=None if limits is None else checked_limits(limits),
            max_parallel=max_parallel,
            name=name,
            progress=progress,
        )
        return recorded(
            self.reader,
            name,
            lambda id: History(self.reader, id),
            app=app,
            props=props,
            models=models or {},
            runner=runner or RUNNER,
            asked=asked,
        )

    @takes(query=arguments.full_text, parameters=arguments.parameters)
    def sql(self, query: str, parameters: Parameters = ()) -> pd.DataFrame:
        """Return the result of a query as a DataFrame. The connection is read-only.

        Raises:
            StoreError: if the SQL is wrong, or writes.
        """
        return frame_of(self.reader, query, parameters)

    def size(self) -> pd.DataFrame:
        """Return how the file's size is shared out, the largest part first: table, execution_id, rows, bytes.

        ``bytes`` adds up to the file's size, once its write-ahead log is folded in. It counts whole pages, those of
        the indexes too; where a table holds several executions they share its pages by the length of their rows.
        """
        from .store.upkeep import sizes

        kinds = {"table": "TEXT", "execution_id": "TEXT", "rows": "INTEGER", "bytes": "INTEGER"}
        return frame_from(sizes(self.reader), kinds)

    @takes(
        keep_frames=optional(arguments.whole()),
        keep_executions=optional(arguments.whole()),
        unfinished=arguments.flag,
    )
    def prune(
        self, *, keep_frames: int | None = None, keep_executions: int | None = None, unfinished: bool = False
    ) -> Pruned:
        """Remove history for good; return a report of removed rows and of executions that stayed.

        In every execution the newest ``keep_frames`` frames are kept, with their state, plan, writes, handlers,
        effects and events, and with the writes that made the values that they read. Tasks, approvals, breakpoints, and
        the newest versions of loops and artifacts stay. Of tasks that were settled before, the calls of models and
        tools are removed, and with them the possibility to replay them. A resumed execution continues as if nothing
        had been removed. An execution that was forked keeps all frames: its branches stand on them.

        The newest ``keep_executions`` executions are kept. A child of a Smithers node is removed with its parent. An
        execution that is open in a process stays, and so does one from which a remaining fork was made; one that can be
        resumed stays unless ``unfinished=True``. An execution that another process runs is left as it is.

        Raises:
            ValueError: if neither is given, or one is less than 1.
            StoreBusyError: if another process is writing for longer than we wait. Nothing was removed.
        """
        return prune(self.path, keep_frames, keep_executions, unfinished)

    @takes(path=arguments.path)
    def save(self, path: str | os.PathLike[str]) -> Store:
        """Write all of it to a new database, ``run.db``, and return that; of an exported run, one that takes writes.

        Raises:
            StoreError: if there is a file of this name, or it can't be written.
        """
        from .store.exported import save

        copy = Store(path)
        save(self.reader, copy.path)
        return copy

    @takes(path=arguments.path)
    def merge(self, path: str | os.PathLike[str]) -> Merged:
        """Add the executions of a second file, or of an exported run, with their sweeps; return a report.

        That file is only read, and this one is made if it is not there. Executions that belong together, such as
        branches of one, are added in one transaction. Executions that are here already stay as they are: the
        same call again changes nothing. An execution that is not over and that a process has is left out, with those
        that belong to it.

        Raises:
            StoreError: before anything is changed, if both files have an execution with different rows, or sweeps of
                one name that are different.
            StoreBusyError: if another process is writing for longer than we wait. A later call adds the rest.
        """
        from .store.merge import merge

        other = Store(path)
        engine.call(bring_up(self.path))
        return merge(other.reader, self.path)

    def vacuum(self) -> Vacuumed:
        """Rewrite the file without the space of removed rows; return its bytes before and after.

        Raises:
            StoreBusyError: if another process writes, or reads, for longer than we wait.
        """
        from .store.upkeep import vacuum

        return vacuum(self.path)

    def check(self) -> Report:
        """Check the file; return a report with ``ok`` and ``problems``.

        SQLite's own checks, holes in the frames, intervals that overlap, plans that don't hang together, tasks in
        progress without a living owner, and whether the applied writes give the present state.
        """
        from .store.check import check

        return check(self.reader)

    def __repr__(self) -> str:
        return f"<Store {self.path}>"


def _database(name: str, value: Any) -> Any:
    return value if isinstance(value, Store) else arguments.path(name, value)


class RecordedState(Mapping[str, Any]):
    """The values that a frame read."""

    def __init__(self, stored: dict[str, Stored]) -> None:
        self._stored = stored

    def __getitem__(self, key: str) -> Any:  # Any: it is what the user stored
        if key not in self._stored:
            raise KeyError(f"the state has no key {key!r}.{did_you_mean(key, self._stored)}")
        return value_of(key, self._stored[key])

    def __contains__(self, key: object) -> bool:
        return key in self._stored

    def __iter__(self) -> Iterator[str]:
        return iter(self._stored)

    def __len__(self) -> int:
        return len(self._stored)

    def __repr__(self) -> str:
        return repr({key: legible(stored) for key, stored in self._stored.items()})


@dataclass(frozen=True)
class FrameView(NamesNearest):
    """A recorded frame."""

    number: int
    execution_id: str
    tree: Tree
    state: RecordedState
    """The state that the frame read: its own writes are in the next one."""

    @cached_property
    def xml(self) -> str:
        """The plan as XML."""
        return self.tree.xml

    def __repr__(self) -> str:
        return f"<FrameView {self.number}: {len(self.tree)} nodes, {len(self.state)} keys>"


class Recording(NamesNearest):
    """What the file says of an execution: the part that a running one and a recorded one have in common."""

    reader: Reader
    """The reader of the file."""
    execution_id: str
    """The id of the execution in the file."""

    @property
    def df(self) -> DataFrames:
        """DataFrames of this execution: ``df.frames``, ``.transitions``, ``.handlers``, ``.tasks``, ``.nodes`` …"""
        return DataFrames(self.reader, self.execution_id, why=lambda key, frame: self.why(f"state:{key}", frame).df)

    @property
    def artifacts(self) -> list[Artifact]:
        """The artifacts, oldest first. Each draws itself in a notebook."""
        return self.reader.artifacts(self.execution_id)

    @takes(frame=arguments.integer)
    def at(self, frame: int) -> FrameView:
        """Return a recorded frame: its tree and the state that it read.

        Raises:
            StoreError: if there is no such frame.
        """
        refuse_missing(self.reader, self.execution_id, frame)
        owner = self.reader.owner(self.execution_id, frame)
        tree, _ = self.reader.tree(owner, frame)
        state = self.reader.state(owner, frame)
        return FrameView(frame, owner, tree, RecordedState({key: row[0] for key, row in state.items()}))

    @takes(node_id=arguments.full_text, iteration=optional(arguments.whole(1)))
    def transcript(self, node_id: str, iteration: int | None = None) -> Transcript:
        """Return what an agent node and its models said, as ``.text`` and as HTML: system, prompt, thinking, tool calls
        with arguments and results, answers, retries with reason and wait, finish reasons, tokens and cost.

        All runs of the node, oldest first, with all attempts; with ``iteration`` those of one iteration of the loop
        around it. A request that runs has no answer yet.

        Raises:
            StoreError: if there is no such node, it is no agent, or has asked no model (in this iteration).
        """
        from .history.transcript import Transcript
        from .store.conversations import conversations_of

        return Transcript(node_id, conversations_of(self.reader, self.execution_id, node_id, iteration))

    @takes(target=named_target, frame=optional(arguments.whole(1)))
    def why(self, target: str | int | None = None, frame: int | None = None) -> Why:
        """Return why something is as it is, as a chain of causes back to its roots; nothing runs.

        ``target`` is a node id (``"draft"``), a prop or the text of a node (``"draft.prompt"``), a component, a state
        key (``"state:notes"``, or the bare key where no node has this name), the number of a frame, the id of a task,
        write, handler call or effect run, a handler (``"draft.on_finished"``), or, without it, the execution itself:
        why it stands as it does. In a child execution: the id of the Smithers node, a slash, and the target there.
        ``frame`` is the frame of which it is asked; a value is the one that this frame reads.

        ``.text``, ``.df`` (a row per sentence) and ``.roots`` have the answer. Each sentence has its frame, its place
        in the code, its row, and its evidence: ``recorded``, or ``inferred`` where a text contains a value.

        Raises:
            StoreError: if there is nothing of this name, naming the nearest, or no such frame.
        """
        from .history.causes.why import why

        return why(self._source(), target, frame)

    def _not_there(self, target: str | int | None, frame: int | None, ghosts: Ghosts | None) -> WhyNot:
        """Return why something is not there; ``ghosts`` are what the code can return, where it is known."""
        from .history.causes.why_not import why_not

        if frame is not None:
            refuse_missing(self.reader, self.execution_id, frame)
        return why_not(self._source(), target, frame, ghosts)

    def _source(self) -> RecordedSource:
        """Return a source of its records. A new one for each question, as it keeps the plans that it has read."""
        from .history.recorded import RecordedSource

        return RecordedSource(self.reader, self.execution_id)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a branch has to know of its parent, in words; () for an execution that is no branch.

        What the parent did outside after the fork and the branch may do again (tasks, tools, handlers, effects, files
        that were written), files that have changed since, and volatile values that both share.
        """
        return notes_of(self.reader, self.execution_id)

    @takes(path=arguments.path, frames=optional(recorded_frames), redact=_redact, show=arguments.flag)
    def export(
        self,
        path: str | os.PathLike[str],
        *,
        frames: Iterable[int] | int | None = None,
        redact: Redact = (),
        show: bool = True,
    ) -> Export | Path:
        """Write its record to a file: ``run.html``, a page that is a store, or ``run.ndjson``, lines.

        ``run.html`` opens with a double click, offline, and ``Store("run.html")`` reads, replays and forks it. In it
        are the execution, its line and its children, and nothing else of this file. It says what goes out before it
        writes, and returns it as an ``Export``: frames, calls, keys, names of files, sizes. What looks like a
        credential is masked, and counted; look through a file before you send it all the same.

        ``run.ndjson`` has one JSON object a line, frame by frame, for other programs: the first line tells the format
        and the execution; each other one has the name of its ``table``. Nothing is masked in it, and it is no store:
        children, loops and breakpoints are not in it, and its values are no longer letter by letter as they were.

        Parameters
        ----------
        path : str or os.PathLike
            The file; it is replaced if it is there.
        frames : iterable of int, optional
            An unbroken row of frames, ``range(3, 9)``; all without it. In ``run.html`` only.
        redact : str, re.Pattern, or iterable of these
            What is removed: a key of the state with its values, and their texts of 8 characters and more wherever they
            stand; a column, ``"model_calls.request"``; what a pattern matches in any text. In ``run.html`` only.
        show : bool
            Print what goes out.

        Raises
        ------
        ValueError
            If the file's name ends in neither, or ``redact`` names what is not there. Nothing is written then.
        StoreError
            If a frame is not there, or the file can't be written.
        """
        if not os.fspath(path).lower().endswith((".html", ".htm")):
            if frames is not None or redact:
                raise ValueError("frames= and redact= belong to run.html: lines of JSON are written whole.")
            from .store.export import export

            return export(self.reader, self.execution_id, path)
        from .player.export import export as export_page

        numbers = None if frames is None else [*_numbers(frames)]
        return export_page(self.reader, self.execution_id, path, frames=numbers, redact=redact, show=show)

    @takes(other=_recording)
    def compare(self, other: Recording | str) -> Comparison:
        """Return how it differs from another execution: ``.first``, ``.text``, ``.df``; nothing runs.

        ``other`` is an Execution, a History, or the id or name of one of this file; it may be in any file. Both are
        aligned by node id, loop iteration and n-th event, never by time or frame number, and branches are read along
        their line. A row per difference in a node, text, prop, task, model call, tool call, handler, effect, write,
        state or end; those of child executions follow, aligned by the node that ran them.

        Raises:
            UnknownExecutionError: if there is no execution of that id or name, naming those that there are.
        """
        from .history.compare import compare

        if isinstance(other, str):
            other = History(self.reader, self.reader.execution_id(other))
        return compare((self.reader, self.execution_id), (other.reader, other.execution_id))

    @takes(target=arguments.full_text, frame=optional(arguments.integer))
    def follow(self, target: str, frame: int | None = None) -> Follow:
        """Return where a value or a text came from, and where it went: ``.text``, ``.df``.

        ``target`` is the id of a node, whose result is meant, ``"draft.prompt"``, ``"draft.PROP"``, ``"state:KEY"``, a
        bare key, or else the text itself, which may be a number (``"751"``). ``frame`` is the frame of which the value
        is meant.

        ``df`` has ``direction`` (back, forward), ``where`` and ``key`` besides the columns of ``why``. The evidence is
        ``recorded`` where the text is the whole value, and ``inferred`` where a longer one contains it, which is looked
        for from 8 characters on; where only its beginning is there, the sentence says where it is cut.

        Raises:
            StoreError: if there is no such frame, key or prop, or nothing holds the text.
        """
        from .history.follow import follow

        return follow(self.reader, self.execution_id, target, frame)

    def _frame_of(self, frame: int | None) -> int:
        """Return the number of a frame, that of the newest one for None.

        Raises:
            StoreError: if there is no such frame.
        """
        number = self.reader.last_frame(self.execution_id) if frame is None else frame
        refuse_missing(self.reader, self.execution_id, number)
        return number

    def diff(self, one: int, other: int) -> Changes:
        """Return which nodes were mounted, unmounted, updated and moved from one frame to another."""
        return diff(self.at(one).tree, self.at(other).tree)


class History(Recording):
    """A recorded execution."""

    def __init__(self, reader: Reader, execution_id: str) -> None:
        self.reader = reader
        self.execution_id = execution_id

    @property
    def status(self) -> Status:
        """The status of the execution, as the file has it: ready, running, paused, waiting, finished, failed …"""
        return self.reader.execution(self.execution_id).status

    @property
    def reason(self) -> str:
        """The reason for the status, in words."""
        return self.reader.execution(self.execution_id).reason

    @property
    def result(self) -> Any:  # Any: it is what the user stored
        """The value of the ``End`` that was reached; None without one.

        Raises:
            StoreError: if its class does not accept the stored value.
        """
        found = self.reader.execution(self.execution_id).result
        if found is None:
            return None
        return opened(found, "the value of the End", "read it in .df.executions")

    @property
    def state(self) -> RecordedState:
        """The values after the newest frame, with its own writes if they were applied."""
        after = self.reader.last_flushed(self.execution_id) + 1
        found = self.reader.state(self.execution_id, after)
        return RecordedState({key: row[0] for key, row in found.items()})

    @property
    def frames(self) -> int:
        """The number of the newest frame; 0 if there is none."""
        return self.reader.last_frame(self.execution_id)

    @takes(
        frame=optional(arguments.whole(0)),
        state=optional(arguments.mapping),
        props=optional(arguments.named),
        models=optional(arguments.named),
        name=optional(arguments.full_text),
        reuse=arguments.choices(*get_args(Reusable)),
        allow_repeat=arguments.texts,
        limits=optional(arguments.mapping),
        max_frames=arguments.whole(1),
        store=optional(_database),
    )
    def fork(
        self,
        app: object,
        *,
        frame: int | None = None,
        state: Mapping[str, Any] | None = None,
        props: Mapping[str, Any] | None = None,
        models: Mapping[str, Any] | None = None,
        name: str | None = None,
        reuse: Iterable[Reusable] = REUSED,
        allow_repeat: Iterable[str] = (),
        limits: Mapping[str, float] | None = None,
        max_frames: int = 1000,
        store: str | os.PathLike[str] | Store | None = None,
    ) -> Execution:
        """Return a branch of it that runs ``app``, as ``Execution.fork`` does; no lease on this one is needed.

        Without ``props`` a component gets the recorded ones. A model of ``models`` that is a function, or ``scripted``,
        is asked: nothing tells that it is the recorded one.

        The branch is in the same file, or in the database ``store``, to which this execution and its line are added
        unless it has them. A fork of an exported run, ``run.html``, is in ``run.db`` beside it without ``store``.

        Raises:
            StoreError: if the frame is not there, not flushed, or pruned.
            PropError: if the app does not take these props, or they were not recorded.
            ValueError: if no task and no tool has a name of ``allow_repeat``.
        """
        from .execution import fork_recorded  # Only here: an execution hands out histories.

        return fork_recorded(
            self,
            app,
            frame=frame,
            state=state,
            props=props,
            models=models,
            name=name,
            reuse=reuse,
            allow_repeat=allow_repeat,
            limits=limits,
            max_frames=max_frames,
            store=store,
        )

    @takes(
        props=optional(arguments.named),
        models=optional(arguments.named),
        tasks=arguments.choice(*get_args(ReplayTasks)),
        name=optional(arguments.full_text),
        max_frames=arguments.whole(1),
    )
    def replay(
        self,
        app: object,
        *,
        props: Mapping[str, Any] | None = None,
        models: Mapping[str, Any] | None = None,
        tasks: ReplayTasks = "recorded",
        name: str | None = None,
        max_frames: int = 1000,
    ) -> Replay:
        """Run the recording again with ``app``, offline, and return how it compares; see ``Execution.replay``.

        Without ``props`` a component gets the recorded ones. The replay is a new execution of the same file; that of an
        exported run is in a copy of it, for as long as this process lives.

        Raises:
            ReplayMismatchError: naming node, turn and the first difference.
            ComponentError, PlanError, PurityError: as ``run`` would.
            StoreError: if it is a branch, or the first frames were pruned.
        """
        from .bridge import engine
        from .player.opened import copy_of
        from .replay import replay

        found = self.reader.execution(self.execution_id)
        root = root_of(app, props, self.reader, self.execution_id)
        reader = self.reader
        if reader.name != reader.path:
            reader = copy_of(reader)  # An exported run stays as it was sent.
        replayed = engine.call(
            replay(
                root,
                reader,
                self.execution_id,
                name=name or f"{found.name} replay",
                models=dict(models or {}),
                tasks=tasks,
                max_frames=max_frames,
            )
        )
        history = History(reader, replayed.execution_id)
        return Replay(recording=self.execution_id, history=history, **vars(replayed))

    @takes(
        path=arguments.path,
        values=arguments.texts,
        replace=arguments.flag,
        show=arguments.flag,
    )
    def keep(
        self,
        path: str | os.PathLike[str],
        app: object,
        *,
        values: Iterable[str] = (),
        replace: bool = False,
        show: bool = True,
    ) -> Kept:
        """Write a pytest file that replays it with ``app``, and a recording beside it; see ``Execution.keep``."""
        from .player.keep import keep

        return keep(self.reader, self.execution_id, app, path, values=values, replace=replace, show=show)

    @takes(props=optional(arguments.named), frames=optional(recorded_frames))
    def rerender(
        self,
        app: object,
        *,
        props: Mapping[str, Any] | None = None,
        frames: Iterable[int] | int | None = None,
    ) -> Rerender[Execution]:
        """Return its recorded frames as ``app`` renders them over the recorded state, loops, clock and seed.

        Nothing runs, and nothing is written. Without ``props`` a component gets the recorded ones. ``frames`` are the
        numbers of those to render, all without it. Code that raises in a frame makes an ``error`` of that frame only.

        Raises:
            StoreError: if one of ``frames`` is not recorded.
            PropError: if the app does not take these props, or they were not recorded.
        """

        from .rerender import rerender

        root = root_of(app, props, self.reader, self.execution_id)
        fork = partial(self.fork, app, props=props)
        return rerender(self.reader, self.execution_id, root, frames=frames, fork=fork)

    @takes(state=optional(arguments.mapping), frame=optional(arguments.integer))
    def what_if(self, state: Mapping[str, Any] | None = None, app: object = None, frame: int | None = None) -> WhatIf:
        """Return the plan of a frame, the newest one without ``frame``, as ``app`` renders it with these values of the
        state: ``.gained``, ``.lost``, ``.changed``, ``.starts``. Nothing runs, and nothing is written.

        Without ``app`` there is no code: the answer says so.

        Raises:
            StoreError: if there is no such frame, or a key is not in the state and no component reads it.
            ComponentError, PlanError, PurityError: if the code can't render it.
        """
        from .what_if import what_if

        number = self._frame_of(frame)
        values = edited_state(state or {})
        return what_if(self.reader, self.execution_id, self._root(app), frame=number, state=values, edited=True)

    @takes(target=arguments.full_text, frame=optional(arguments.integer))
    def needs(self, target: str, frame: int | None = None, app: object = None) -> Needs[Execution]:
        """Return the smallest edit of the state after which ``target``, the id of a node or the name of a component, is
        in the plan of a frame, the newest one without ``frame``, as ``app`` renders it: ``.state``, ``.fork()``.

        Edits are found from the conditions in the code, one key first, then two; each answer was confirmed by
        rendering. At most 500 copies of the frame are rendered, and for no longer than a second. Without ``app`` there
        is no code: the answer says so.

        Raises:
            StoreError: if there is no such frame.
        """
        from .needs import needs

        number = self._frame_of(frame)
        fork = partial(self.fork, app)
        return needs(self.reader, self.execution_id, self._root(app), target, frame=number, fork=fork)

    def _root(self, app: object) -> object:
        if app is None:
            return None
        return root_of(app, None, self.reader, self.execution_id)

    @takes(target=named_target, frame=optional(arguments.whole(1)))
    def why_not(self, target: str | int | None = None, frame: int | None = None, *, app: object = None) -> WhyNot:
        """Return what keeps something from being there, outermost first; nothing runs.

        ``target`` is a node or component that is not in the plan, a node whose task has not started, a handler that has
        not fired (``"draft.on_error"``), a state key (``"state:notes"``) or a write that is not in the state, or the
        number of a frame that was not made; without it, the next frame. ``frame`` is the frame of which it is asked.

        ``app`` is the code: without it, the answer says of what only code can tell that it is not known.

        Raises:
            StoreError: if there is no such frame.
            PropError: if the app does not take the recorded props, or they were not recorded.
        """
        if app is None:
            return self._not_there(target, frame, None)
        from .syntax.ghosts import ghosts_of

        return self._not_there(target, frame, ghosts_of(self._root(app)))

    @takes(frame=optional(arguments.integer))
    def ghosts(self, app: object, frame: int | None = None) -> Absent:
        """Return the nodes that the code of ``app`` can return and that are not in the plan of a frame, the newest one
        without ``frame``: each with the conditions around it in the code. Nothing is called.

        Raises:
            StoreError: if there is no such frame.
            PropError: if the app does not take the recorded props, or they were not recorded.
        """
        from .history.ghosts import absent
        from .syntax.ghosts import ghosts_of

        view = self.at(self._frame_of(frame))
        return absent(ghosts_of(self._root(app)), view.tree, view.number)

    def __repr__(self) -> str:
        found = self.reader.execution(self.execution_id)
        return f"<History of {found.name!r} ({self.execution_id}): {found.status}, {self.frames} frames>"


@dataclass(frozen=True, kw_only=True, repr=False)
class Replay(Replayed):
    """The result of a replay."""

    recording: str
    """Id of the execution that was replayed."""
    history: History
    """All that is in the file of the replay: ``.df``, ``.at(n)``."""

    @property
    def same(self) -> bool:
        """True if nothing differs."""
        return not self.differences

    def __repr__(self) -> str:
        count = len(self.differences)
        outcome = "same"
        if count:
            outcome = f"{count} difference{'s' * (count > 1)}"
        lines = [
            f"<Replay of {self.recording} as {self.execution_id}: {outcome}; {self.frames} frames, "
            f"{self.answers} answers from the recording, {self.requests} requests"
        ]
        lines += [f"  {difference}" for difference in self.differences[:SHOWN]]
        if count > SHOWN:
            lines.append(f"  … and {count - SHOWN} more: .differences")
        lines += [f"  note: {note}" for note in self.notes]
        return "\n".join(lines) + ">"
