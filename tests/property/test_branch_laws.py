"""Laws of branches, for random programs of agents, tools, approvals, tasks and loops: a fork at any frame with nothing
changed ends as its parent did and asks for nothing; with one key changed it differs only in what is downstream of it.

Each answer has a number of its own, so that a branch can end in its parent's state only by reusing it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import FunctionModel

from smithers_nb import Approval, Claude, End, Execution, Parallel, Ralph, Sequence, Smithers, Task, component

EVERYTHING = ("agents", "tools", "approvals", "tasks")
KEYS = ("x0", "x1", "x2")
KINDS = ("agent", "agent with a tool", "looped agent", "approval", "task", "task that writes", "child")


@dataclass(frozen=True)
class One:
    """A node of a program; it writes the key ``k`` with its number."""

    number: int
    kind: str
    reads: tuple[str, ...]

    @property
    def key(self) -> str:
        return f"k{self.number}"


Program = tuple[tuple[One, ...], ...]
"""Groups that run one after the other; the nodes of a group run side by side."""


@st.composite
def programs(draw: Any) -> Program:
    groups: list[tuple[One, ...]] = []
    known = list(KEYS)
    numbers = count()
    for _ in range(draw(st.integers(1, 4))):
        group = tuple(
            One(
                number=next(numbers),
                kind=draw(st.sampled_from(KINDS)),
                reads=tuple(draw(st.lists(st.sampled_from(known), max_size=2, unique=True))),
            )
            for _ in range(draw(st.integers(1, 2)))
        )
        known += [one.key for one in group]
        groups.append(group)
    return tuple(groups)


class World:
    """What the program does outside."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.done: list[str] = []
        """The keys of the nodes that asked a model or a person, or called a tool or a function."""
        self.numbers = count()

    def run(self, ex: Execution) -> None:
        """Run it to its end, and answer what it asks."""
        while ex.run_sync().status == "waiting":
            for id in ex.df.approvals.query("status == 'waiting'").approval_id:
                self.done.append(id.partition("@")[0])
                ex.answer(id, "approve", f"comment {next(self.numbers)}")
        assert ex.status == "finished", (
            ex.status,
            ex.df.tasks.error.dropna().tolist(),
            ex.store.df.tasks.error.dropna().tolist(),
        )

    def model(self) -> FunctionModel:
        def reply(messages: Any, info: Any) -> ModelResponse:
            prompt = messages[0].parts[-1].content
            key = prompt.partition(" ")[0]
            self.done.append(key)
            if info.function_tools and len(messages) == 1:
                return ModelResponse(parts=[ToolCallPart("look", {"key": key}, tool_call_id=f"{key} 1")])
            return ModelResponse(parts=[TextPart(f"answer {next(self.numbers)} to {prompt}")])

        return FunctionModel(reply)

    def app(self) -> Any:
        program, node = self.program, self.node

        @component
        def App(ctx: Any) -> Any:
            return Sequence()[[Parallel()[[node(one, ctx) for one in group]] for group in program]]

        return App

    def node(self, one: One, ctx: Any) -> Any:
        done, numbers, key = self.done, self.numbers, one.key
        read = [ctx.state.get(name) for name in one.reads]

        def look(key: str) -> str:
            done.append(key)
            return f"seen {next(numbers)}"

        def work(key: str, read: list[Any]) -> str:
            done.append(key)
            return f"worked {next(numbers)} on {read}"

        def write(ctx: Any, key: str, read: list[Any]) -> str:
            done.append(key)
            ctx.state.set(f"{key} written", next(numbers))
            return f"written {next(numbers)} of {read}"

        def save(result: Any) -> None:
            ctx.state.set(key, f"{result.output} {result.text}")

        named: dict[str, Any] = {"id": key, "on_finished": save}
        if one.kind == "approval":
            return Approval(prompt=f"{key}?", payload=read, **named)
        if one.kind.startswith("task"):
            return Task(run=work if one.kind == "task" else write, args={"key": key, "read": read}, **named)
        if one.kind == "child":
            return Smithers(component=Child, args={"of": key, "read": read}, **named)
        tools = [look] if one.kind == "agent with a tool" else []
        if one.kind != "looped agent":
            return Claude(model="m", tools=tools, **named)[f"{key} of {read}"]
        turn = ctx.iteration(f"loop {key}")
        return Ralph(id=f"loop {key}", max_iterations=2)[Claude(model="m", **named)[f"{key} {turn} of {read}"]]


@component
def Child(ctx: Any, of: str, read: list[Any]) -> Any:
    said = ctx.state.get("said")
    return Sequence()[
        Claude(id="inner", model="m", on_finished=lambda r: ctx.state.set("said", r.output))[f"{of} of {read}"],
        said and End(value=said),
    ]


def recorded(program: Program, folder: Path) -> tuple[World, Execution]:
    world = World(program)
    ex = Execution(world.app(), store=folder / "t.db", models={"m": world.model()}, state={key: key for key in KEYS})
    world.run(ex)
    return world, ex


def downstream(program: Program, changed: str, settled: set[str]) -> set[str]:
    """The keys of nodes that a change reaches: those that were not settled, and read what it has reached."""
    reached = {changed}
    for group in program:
        reached |= {one.key for one in group if one.key not in settled and reached & {*one.reads}}
    return reached - {changed}


def frames_of(ex: Execution, every: bool, chosen: int) -> Iterator[int]:
    """All frames, or the first, the last and one between."""
    last = ex.recorded
    yield from range(last + 1) if every else sorted({0, chosen % (last + 1), last})


some = settings(max_examples=6, deadline=None)
many = settings(max_examples=120, deadline=None)


def nothing_changed(program: Program, chosen: int, folder: Path, *, every: bool) -> None:
    world, ex = recorded(program, folder)
    with ex:
        before = dict(ex.state)
        for frame in frames_of(ex, every, chosen):
            world.done.clear()
            with ex.fork(frame, reuse=EVERYTHING) as branch:
                world.run(branch)
                assert (dict(branch.state), world.done) == (before, []), frame
                assert ex.frame is not None and branch.frame is not None
                assert branch.frame.xml == ex.frame.xml, frame
        assert dict(ex.state) == before and ex.store.check().ok


def one_key_changed(program: Program, chosen: int, folder: Path, *, every: bool) -> None:
    world, ex = recorded(program, folder)
    key = KEYS[chosen % len(KEYS)]
    with ex:
        before = dict(ex.state)
        tasks = ex.df.tasks
        for frame in frames_of(ex, every, chosen):
            open_ = set(tasks[~(tasks.settled_at_frame <= frame).fillna(False)].node_id)
            settled = set(tasks.node_id) - open_
            world.done.clear()
            # Another value in each: the answers of the branches before are there to be reused, too.
            with ex.fork(frame, state={key: f"changed {frame}"}, reuse=EVERYTHING) as branch:
                world.run(branch)
                reached = downstream(program, key, settled)
                # A node that is reached does its work again, and no other one does.
                assert set(world.done) == reached, (frame, key)
                now = dict(branch.state)
                differing = {name for name in {*before, *now} if before.get(name) != now.get(name)}
                assert {name.removesuffix(" written") for name in differing} == reached | {key}, (frame, key)


@some
@given(programs(), st.integers(0, 1000))
def test_a_fork_with_nothing_changed_ends_as_its_parent_and_asks_nothing(
    tmp_path_factory: Any, program: Program, chosen: int
) -> None:
    nothing_changed(program, chosen, tmp_path_factory.mktemp("same"), every=False)


@some
@given(programs(), st.integers(0, 1000))
def test_a_fork_with_one_key_changed_differs_only_downstream(
    tmp_path_factory: Any, program: Program, chosen: int
) -> None:
    one_key_changed(program, chosen, tmp_path_factory.mktemp("changed"), every=False)


@pytest.mark.long
@many
@given(programs(), st.integers(0, 1000))
def test_a_fork_at_each_frame_of_many_programs_ends_as_its_parent(
    tmp_path_factory: Any, program: Program, chosen: int
) -> None:
    nothing_changed(program, chosen, tmp_path_factory.mktemp("same"), every=True)


@pytest.mark.long
@many
@given(programs(), st.integers(0, 1000))
def test_a_change_at_each_frame_of_many_programs_reaches_only_what_is_downstream(
    tmp_path_factory: Any, program: Program, chosen: int
) -> None:
    one_key_changed(program, chosen, tmp_path_factory.mktemp("changed"), every=True)
