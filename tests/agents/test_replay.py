"""A recorded run once more: nobody is asked, no tool is called, and it ends as it had ended, or says what differs."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_ai import Agent as OwnAgent
from pydantic_ai import ApprovalRequired, BinaryContent, ModelRetry, RunContext, ToolFailed, ToolReturn

from smithers_nb import (
    Agent,
    Approval,
    Claude,
    Effect,
    End,
    Execution,
    Parallel,
    Phase,
    Smithers,
    Stop,
    Task,
    While,
    call_tool,
    component,
    scripted,
)
from smithers_nb.errors import ComponentError, ReplayMismatchError, StoreError
from smithers_nb.execution import run_behind
from tests.agents import killed_app
from tests.agents.conftest import APIS, model_at
from tests.agents.fake_replies import Asked, Hang, Reply, Status, by_turn, call, output, say
from tests.agents.fake_server import FakeServer
from tests.agents.test_provider_resume import exitcode, start


class Note(BaseModel):
    title: str
    tags: list[str] = []


class Desk:
    """An app with everything, and counters of what it did outside."""

    def __init__(self, model: Any, prompt: str = "Research the tides.") -> None:
        self.model = model
        self.prompt = prompt
        self.looked: list[str] = []
        self.sent: list[str] = []
        self.paid: list[str] = []

    def look_up(self, word: str) -> str:
        """Look a word up."""
        self.looked.append(word)
        if word == "tide" and len(self.looked) == 1:
            raise ModelRetry("say it in the plural")
        return f"{word} #{len(self.looked)}"

    def pay(self, sum: int) -> str:
        """Pay for the book."""
        self.paid.append(f"{sum} EUR")
        return "paid"

    def send(self) -> int:
        self.sent.append("mail")
        return len(self.sent)

    def app(self) -> Any:
        @component
        def App(ctx: Any) -> Any:
            note, ok = ctx.state.get("note"), ctx.state.get("ok")
            return [
                Phase(name="research")[
                    Claude(
                        id="note",
                        model=self.model,
                        system="Be brief.",
                        tools=[self.look_up, self.pay],
                        approve=["pay"],
                        output_type=Note,
                        on_finished=lambda r: (ctx.state.set("note", r.output), ctx.state.set("cost", r.cost_usd)),
                    )[self.prompt]
                ],
                Phase(name="check")[
                    Approval(
                        id="ok",
                        prompt=f"Send {note.title if note else '…'}?",
                        on_finished=lambda r: ctx.state.set("ok", [r.output, r.text]),
                    )
                ],
                Phase(name="send")[
                    Task(id="send", run=self.send, on_finished=lambda r: ctx.state.set("sent", r.output))
                    if ok and ok[0] == "approve"
                    else None
                ],
            ]

        return App()


def answers(asked: Asked) -> Reply:
    """Look a word up, another way, buy a book, say what does not fit, and then what does."""
    if "Research" not in asked.prompt:
        return say("hello")
    acts = by_turn(
        Reply(pieces=("let me ", "see"), calls=(("look_up", {"word": "tide"}),)),
        call("look_up", word="tides"),
        call("pay", sum=20),
        output(titel="tides"),
        output(title="tides", tags=["sea"]),
    )(asked)
    assert isinstance(acts, Reply)
    return acts


@pytest.fixture
def desk(provider: Any, run_of: Any) -> Callable[..., tuple[Desk, Any, Any]]:
    def run(api: str = "anthropic") -> tuple[Desk, Any, Any]:
        server = provider(answers)
        desk = Desk(model_at(server, api))
        ex = run_of(desk.app(), name="desk")
        assert ex.run_sync().status == "waiting"
        ex.answer("note", "approve")
        assert ex.run_sync().status == "waiting"
        ex.answer("ok", "approve", "it is fine")
        assert ex.run_sync().status == "finished"
        return desk, ex, server

    return run


@pytest.mark.parametrize("api", APIS)
def test_a_replay_with_tools_and_approvals_makes_no_request_and_ends_in_the_same_state(api: str, desk: Any) -> None:
    app, ex, server = desk(api)
    assert len(server.requests) == 5
    before = dict(ex.state)
    replay = ex.replay()
    assert len(server.requests) == 5, "nothing was asked"
    assert (app.looked, app.paid) == (["tide", "tides"], ["20 EUR"]), "no tool was called"
    assert app.sent == ["mail"], "no task was run"
    assert replay.same, replay
    assert (replay.answers, replay.requests, replay.frames) == (5, 0, ex.frame.number)
    assert repr(replay).startswith(f"<Replay of {ex.execution_id} as {replay.execution_id}: same; ")
    last = replay.history.at(replay.frames)
    assert dict(last.state) | {"sent": 1} == before
    assert before["cost"] > 0, "handlers are given the cost that was recorded"

    rows = replay.history.df.model_calls
    assert set(rows.answered_by) == {"replay"}
    assert list(rows.response) == list(ex.df.model_calls.response)
    columns = ["turn", "tool_call_id", "tool", "input", "output", "status", "error"]
    assert replay.history.df.tool_calls[columns].equals(ex.df.tool_calls[columns])
    row = ex.store.df.executions.set_index("execution_id").loc[replay.execution_id]
    assert (row["name"], row.parent_id, row.forked_at_frame) == ("desk replay", ex.execution_id, 0)
    assert row.status == "finished"
    assert ex.store.check().ok


@pytest.mark.parametrize("api", APIS)
def test_a_changed_prompt_stops_at_its_node_and_names_the_difference(api: str, desk: Any) -> None:
    app, ex, server = desk(api)
    changed = Desk(app.model, "Research the tides and the moon.")
    with pytest.raises(ReplayMismatchError) as stopped:
        ex.replay(app=changed.app())
    error = stopped.value
    assert (error.node_id, error.turn, error.frame) == ("note", 1, 1)
    assert error.difference == (
        "The first difference is in the prompt:\n- Research the tides.\n+ Research the tides and the moon."
    )
    assert "note, turn 1: it asks for something else than was recorded" in str(error)
    assert len(server.requests) == 5 and changed.looked == []
    row = ex.store.df.executions.iloc[-1]
    assert (row.status, row.reason) == (
        "terminated",
        "the replay stopped: note, turn 1: it asks for something else than was recorded",
    )


# ---- everything that can happen in a run -----------------------------------------------------------------------


def finish(ex: Any) -> None:
    ex.run_sync()


def keep(ctx: Any, key: str) -> Any:
    """A handler that keeps all that it is given, and when."""

    def handler(result: Any) -> None:
        known = {name: getattr(result, name) for name in ("status", "text", "error", "attempts", "cost_usd")}
        ctx.state.update(key, lambda old: [*(old or []), {**known, "usage": dict(result.usage), "frame": ctx.frame}])

    return handler


def both(ctx: Any, key: str) -> dict[str, Any]:
    return {"on_finished": keep(ctx, key), "on_error": keep(ctx, key)}


def loop() -> Any:
    model = scripted("one", "two", "three")

    @component
    def App(ctx: Any) -> Any:
        said = ctx.state.get("said", [])
        return While(id="w", condition=len(said) < 3)[
            Claude(id="c", model=model, **both(ctx, "said"))[f"go on after {len(said)}"]
        ]

    return App()


def parallel() -> Any:
    """They end in another order than that of the document, each in a frame of its own."""
    models = [scripted(f"reply {n}", delay_s=0.3 - n / 10) for n in range(3)]

    @component
    def App(ctx: Any) -> Any:
        ended = ctx.state.get("ended", [])
        after = Claude(id="after", model=scripted("so"), **both(ctx, "ended"))[f"after {len(ended)}"] if ended else None
        return [
            Parallel()[[Claude(id=f"c{n}", model=model, **both(ctx, "ended"))["hi"] for n, model in enumerate(models)]],
            after,
        ]

    return App()


def children() -> Any:
    model = scripted("from the child")

    @component
    def Child(ctx: Any, word: str) -> Any:
        said = ctx.state.get("said")
        return [
            Phase(name="one")[Claude(id="in", model=model, **both(ctx, "said"))[word]],
            Phase(name="two")[Approval(id="sure", prompt="Sure?")],
            Phase(name="three")[Stop(reason="no") if word == "bad" else End(value=said)],
        ]

    @component
    def App(ctx: Any) -> Any:
        return [
            Smithers(id="good", component=Child, args={"word": "good"}, **both(ctx, "good")),
            Smithers(id="bad", component=Child, args={"word": "bad"}, **both(ctx, "bad")),
        ]

    return App()


def answer_children(ex: Any) -> None:
    run = threading.Thread(target=ex.run_sync)
    run.start()
    for _ in range(2):
        while not (open := run_behind(ex).publish().names):
            time.sleep(0.01)
        ex.answer(open[0], "approve")
    run.join(60)
    ex.run_sync()


def tasks() -> Any:
    tries: list[int] = []

    def twice() -> int:
        tries.append(1)
        if len(tries) == 1:
            raise ValueError("not yet")
        return 7

    def never() -> None:
        raise ValueError("never")

    @component
    def App(ctx: Any) -> Any:
        async def writes(ctx: Any) -> str:
            ctx.state.set("half", time.time())
            ctx.progress({"done": 0.5})
            while ctx.state.get("reported") is None:  # noqa: ASYNC110  # the state has no event
                await asyncio.sleep(0.01)
            ctx.artifact.markdown("what a task made")
            return "written"

        return [
            Task(id="twice", run=twice, retries=2, **both(ctx, "twice")),
            Task(id="never", run=never, **both(ctx, "never")),
            Task(
                id="writes",
                run=writes,
                on_progress=lambda r: ctx.state.set("reported", r.output),
                **both(ctx, "writes"),
            ),
            Effect(id="e", deps=[ctx.state.get("twice")], run=lambda: ctx.state.set("seen", ctx.rand().random())),
            Task(id="text", run=lambda: f"{ctx.now()}", **both(ctx, f"at {ctx.now():%H:%M:%S.%f}")),
        ]

    return App()


def steered() -> Any:
    model = scripted("one", "two")

    @component
    def App(ctx: Any) -> Any:
        waits = ctx.state.get("waits")
        return [
            Claude(id="c", model=model, **both(ctx, "said"))["hi"],
            Task(id="hangs", run=hangs, **both(ctx, "hangs")) if waits is None else None,
            Approval(id="ok", prompt="Go on?", options=["yes", "no"], **both(ctx, "ok")),
        ]

    async def hangs() -> None:
        await asyncio.Event().wait()

    return App()


def steer(ex: Any) -> None:
    """Do by hand all that can be done."""
    ex.state.set("before", Note(title="the first frame"))
    frame = ex.step_sync()
    ex.state.set("at rest", [1])
    while not (said := [write for write in ex.pending if write.key == "said"]):
        frame = ex.step_sync()
    ex.edit_pending(said[0].id, ["edited"])
    ex.step_sync()
    ex.state.update("count", lambda old: (old or 0) + 1)
    ex.cancel("hangs")
    ex.retry("c")
    ex.run_sync(max_frames=3)
    while not [write for write in ex.pending if write.key == "said"]:
        ex.state.set("go on", frame.number)
        ex.step_sync()
    ex.drop_pending(next(write.id for write in ex.pending if write.key == "said"))
    ex.answer("ok", "no", "not like this")
    ex.run_sync()
    ex.state.delete("count")
    ex.run_sync()


def cut_off() -> Any:
    """They are stopped within a tool, and go on, or begin anew."""
    ran: list[str] = []

    async def waits(whose: str) -> str:
        ran.append(whose)
        if ran.count(whose) == 1:
            await asyncio.Event().wait()
        return "waited"

    def model(whose: str) -> Any:
        return scripted(call_tool("first"), call_tool("waits", whose=whose), *["done"] * 3)

    def first() -> int:
        return len(ran)

    anew = scripted(call_tool("first"), call_tool("waits", whose="anew"), call_tool("first"), "done")
    tools = [first, waits]

    @component
    def App(ctx: Any) -> Any:
        return [
            Claude(id="goes on", model=model("goes on"), tools=tools, **both(ctx, "goes on"))["hi"],
            Claude(id="anew", model=anew, tools=tools, resume_mode="restart", **both(ctx, "anew"))["hi"],
        ]

    return App()


def stop_and_go(ex: Any) -> None:
    run = threading.Thread(target=ex.run_sync)
    run.start()
    for _ in range(2000):
        if list(ex.df.tool_calls.query("status == 'running'").tool) == ["waits"] * 2:
            break
        time.sleep(0.01)
    ex.stop()
    run.join(60)
    ex.run_sync()


def unfinished() -> Any:
    @component
    def App(ctx: Any) -> Any:
        return [
            Claude(id="c", model=scripted("a"), **both(ctx, "c"))["x"],
            Approval(id="ok", prompt="Go on?"),
        ]

    return App()


class Deps:
    calls = 0


def tools() -> Any:
    """Everything that a tool can do, on an agent of one's own."""
    agent: Any = OwnAgent(
        "openai:gpt-5", deps_type=Deps, name="mine", instructions="Use the tools.", defer_model_check=True
    )

    @agent.tool
    def counts(ctx: RunContext[Deps]) -> int:
        ctx.deps.calls += 1
        return ctx.deps.calls

    @agent.tool_plain
    def gives_up() -> str:
        raise ToolFailed("it is closed")

    deps = Deps()

    def breaks() -> None:
        raise KeyError("broken")

    @component
    def App(ctx: Any) -> Any:
        return [
            Agent(id="a", agent=agent, deps=deps, deny=["secret"], **both(ctx, "a"))["count"],
            Claude(id="b", model=scripted(call_tool("breaks")), tools=[breaks], **both(ctx, "b"))["break"],
        ]

    return App()


def asking() -> Any:
    """Tools that people are asked about: by the node, and by themselves."""

    def write(path: str) -> str:
        return f"{path} is written"

    def change(ctx: RunContext[Any], path: str) -> str:
        if not ctx.tool_call_approved:
            raise ApprovalRequired({"diff": f"+{path}"})
        return f"{path} is changed"

    replies = [
        [call_tool("write", path="a"), call_tool("write", path="b"), call_tool("change", path="c")],
        call_tool("change", path="d"),
        "done",
    ]

    @component
    def App(ctx: Any) -> Any:
        return [
            Claude(id=id, model=scripted(*replies), tools=[write, change], approve=["write"], **both(ctx, id))["hi"]
            for id in ("all", "half")
        ]

    return App()


def decide(ex: Any) -> None:
    """Approve and deny all that one agent asks, and leave the other in the middle."""
    ex.run_sync()
    for id, asked in ex.df.approvals[["approval_id", "payload"]].itertuples(index=False):
        if asked["input"]["path"] == "b":
            ex.answer(id, "deny", "not that")
        elif "all" in id:
            ex.answer(id, "approve")
    ex.run_sync()
    [last] = [one for one in run_behind(ex).publish().names if one == "all"]
    ex.answer(last, "deny")
    assert ex.run_sync().status == "waiting"


def more_than_a_value() -> Any:
    """Tools that tell the model more than what they return."""

    def picture() -> ToolReturn:
        """Return a picture."""
        image = BinaryContent(b"\x89PNG", media_type="image/png")
        return ToolReturn({"found": 1}, content=["look:", image], metadata={"secret": [1]})

    def plain() -> ToolReturn:
        """Return a value, in the long way."""
        return ToolReturn([1, 2])

    def alike() -> dict[str, Any]:
        """Return what looks like one."""
        return {"kind": "tool-return"}

    calls = [call_tool("picture"), call_tool("plain"), call_tool("alike")]
    return Claude(id="c", model=scripted(calls, call_tool("picture"), "done"), tools=[picture, plain, alike])["hi"]


TOOL_CALLS = scripted(
    [call_tool("counts"), call_tool("counts"), call_tool("gives_up"), call_tool("secret")],
    [call_tool("nothing", a=1), call_tool("counts", b=2)],
    "done",
)


RUNS: dict[str, tuple[Callable[[], Any], Callable[[Any], None], str]] = {
    "a loop": (loop, finish, "finished"),
    "agents that end in another order": (parallel, finish, "finished"),
    "children with agents, approvals and a Stop": (children, answer_children, "finished"),
    "tasks that fail, are tried again, write, and report": (tasks, finish, "finished"),
    "what people do by hand": (steered, steer, "finished"),
    "agents that were cut off": (cut_off, stop_and_go, "finished"),
    "a run that is not over": (unfinished, finish, "waiting"),
    "tools that do all that they can": (tools, finish, "finished"),
    "tools that people are asked about": (asking, decide, "waiting"),
    "tools that tell more than they return": (more_than_a_value, finish, "finished"),
}


@pytest.mark.parametrize(("app", "drive", "status"), RUNS.values(), ids=RUNS)
def test_a_run_is_replayed_as_it_was(app: Any, drive: Any, status: str, run_of: Any) -> None:
    ex = run_of(app(), models={"openai:gpt-5": TOOL_CALLS})
    drive(ex)
    assert ex.status == status
    replay = ex.replay()
    assert replay.same, replay
    assert replay.notes == () and replay.requests == 0
    last = len(ex.df.frames)
    assert replay.frames == last
    assert dict(replay.history.at(last).state) == dict(ex.at(last).state)
    assert ex.store.check().ok


def retries(ex: Any) -> None:
    ex.run_sync()
    ex.retry("t")


def handles_again(ex: Any) -> None:
    ex.run_sync()
    ex.handle_again("t")


def writes(ex: Any) -> None:
    ex.run_sync()
    ex.state.set("k", 5)
    ex.close()


def edits(ex: Any) -> None:
    ex.state.set("k", 1)
    ex.state.set("n", 7)
    ex.state.set("m", 1)
    ex.edit_pending(ex.pending[0].id, "edited")
    ex.drop_pending(ex.pending[1].id)
    ex.run_sync()


def drops(ex: Any) -> None:
    ex.step_sync()
    for write in ex.pending:
        ex.drop_pending(write.id)
    ex.run_sync()


def rests(ex: Any) -> None:
    ex.step_sync()
    while ex.running:
        time.sleep(0.01)


def rests_later(ex: Any) -> None:
    rests(ex)
    rests(ex)
    ex.stop()
    rests(ex)


BY_PEOPLE = {one.__name__: one for one in (retries, handles_again, writes, edits, drops, rests, rests_later)}


@pytest.mark.parametrize("drive", BY_PEOPLE.values(), ids=BY_PEOPLE)
def test_what_people_did_is_replayed_wherever_they_left_it(drive: Any, run_of: Any) -> None:
    @component
    def App(ctx: Any) -> Any:
        n = ctx.state.get("n", 0)
        ctx.state.init("first", [1])
        return [
            Effect(id="e", deps=[n], run=lambda: ctx.state.set("n", min(n + 1, 3))),
            Task(id="t", run=lambda: 1, on_finished=lambda r: ctx.state.set("t", r.output)),
            n and Task(id="u", run=lambda: 2),
        ]

    ex = run_of(App(), state={"k": 0})
    drive(ex)
    frames = len(ex.df.frames)
    replay = ex.replay()
    assert replay.same, replay
    assert replay.frames == frames and replay.notes == ()
    assert ex.store.check().ok


BEYOND: dict[str, tuple[Any, str]] = {
    "task": (lambda: Task(id="late", run=lambda: 1), "task late starts"),
    "agent": (lambda: Claude(id="late", model=scripted("x"))["hi"], "claude late starts"),
    "child": (lambda: Smithers(id="late", component=Smallest), "smithers late starts"),
    "approval": (lambda: Approval(id="late", prompt="?"), ""),
}


@component
def Smallest(ctx: Any) -> Any:
    return Task(id="inner", run=lambda: 1)


@pytest.mark.parametrize(("late", "words"), BEYOND.values(), ids=BEYOND)
def test_an_app_that_goes_on_after_the_recording_is_not_waited_for(late: Any, words: str, run_of: Any) -> None:
    def app(last: int) -> Any:
        @component
        def App(ctx: Any) -> Any:
            n = ctx.state.get("n", 0)
            return [Effect(id="e", deps=[n], run=lambda: ctx.state.set("n", min(n + 1, last))), n > 6 and late()]

        return App()

    ex = run_of(app(2))
    ex.run_sync()
    if words:
        with pytest.raises(ReplayMismatchError, match=words):
            ex.replay(app=app(8))
    else:
        assert not ex.replay(app=app(8)).same


def test_nothing_that_happens_outside_is_waited_for(run_of: Any, provider: Any) -> None:
    """Neither a wait between attempts, nor a rate window, nor a model that takes its time."""
    server = provider(Status(503, retry_after="1"), Status(429, retry_after="1"), say("slow ", "words", delay_s=0.5))

    @component
    def App(ctx: Any) -> Any:
        return Claude(id="c", model=model_at(server), **both(ctx, "c"))["hi"]

    ex = run_of(App())
    began = time.monotonic()
    assert ex.run_sync().status == "finished"
    took = time.monotonic() - began
    asked = len(server.requests)
    assert asked >= 3
    began = time.monotonic()
    replay = ex.replay()
    assert time.monotonic() - began < took / 2
    assert replay.same, replay
    rows = replay.history.df.model_calls
    assert list(rows.error.fillna("")) == list(ex.df.model_calls.error.fillna(""))
    assert len(server.requests) == asked


FAILURES: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "a wrong key": ([Status(401)], {}),
    "a server that stays down": ([Status(500, retry_after="0")], {"retries": 1}),
    "output that never fits": ([output(titel="x")], {"output_type": Note}),
    "a limit of turns": ([call("look", n=1)], {"max_turns": 2}),
    "a limit of cost": ([call("look", n=1)], {"limits": {"cost_usd": 1e-9}}),
    "a limit of time": ([say("a", delay_s=30)], {"limits": {"seconds": 0.5}}),
    "a timeout": ([say("a", delay_s=30)], {"timeout_s": 0.5}),
    "a tool that raises": ([call("look", n=0)], {}),
    "a tool that hangs": ([call("look", n=2)], {"timeout_s": 0.5}),
}


async def look(n: int) -> str:
    """Look."""
    if n == 0:
        raise ValueError("nothing\nto see")
    if n == 2:
        await asyncio.Event().wait()
    return "seen"


@pytest.mark.parametrize(("acts", "props"), FAILURES.values(), ids=FAILURES)
def test_an_agent_that_failed_fails_again_in_the_same_way(acts: Any, props: Any, provider: Any, run_of: Any) -> None:
    server = provider(*acts)

    @component
    def App(ctx: Any) -> Any:
        return Claude(id="c", model=model_at(server), tools=[look], **props, **both(ctx, "c"))["hi"]

    ex = run_of(App())
    assert ex.run_sync().status == "finished"
    assert ex.state["c"][0]["status"] == "failed"
    asked = len(server.requests)
    replay = ex.replay()
    assert replay.same, replay
    assert len(server.requests) == asked
    columns = ["status", "reason", "attempt"]
    assert replay.history.df.tasks[columns].equals(ex.df.tasks[columns])


def test_no_key_and_no_network_is_needed(provider: Any, run_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with provider_env(provider, monkeypatch) as server:
        app = Claude(id="c", model="haiku", output_type=Note)["hi"]
        ex = run_of(app)
        assert ex.run_sync().status == "finished", ex.df.tasks.error[0]
        assert len(server.requests) == 1
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name)
    replay = ex.replay()
    assert replay.same and not replay.history.df.events.kind.isin(["problem"]).any()


def provider_env(provider: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    from contextlib import nullcontext

    server = provider(output(title="x"))
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-x")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", server.anthropic_url)
    return nullcontext(server)


# ---- resumed, and killed ---------------------------------------------------------------------------------------


def test_a_run_that_was_closed_and_resumed_is_replayed(run_of: Any, resumed: Any) -> None:
    @component
    def App(ctx: Any) -> Any:
        n = len(ctx.state.get("said", []))
        return While(id="w", condition=n < 3)[Claude(id="c", model=MODEL, **both(ctx, "said"))[f"turn {n}"]]

    ex = run_of(App())
    ex.run_sync(max_frames=3)
    ex.close()
    again = resumed(App())
    again.state.set("later", 2)
    assert again.run_sync().status == "finished"
    replay = again.replay()
    assert replay.same, replay
    assert dict(replay.history.at(replay.frames).state)["later"] == 2


MODEL = scripted("one", "two", "three")


@pytest.mark.parametrize("point", ["in tool 2", "before write 4", "after write 6", "in request 3"])
def test_a_run_that_was_killed_and_resumed_is_replayed(point: str, tmp_path: Path) -> None:
    def script(asked: Asked) -> Any:
        seen.append(asked.turn)
        if point == "in request 3" and seen.count(3) == 1 and asked.turn == 3:
            return Hang()
        return by_turn(*(call("step", n=n) for n in (1, 2, 3)), say("all ", "done"))(asked)

    seen: list[int] = []
    with FakeServer(script) as server:
        process = start(tmp_path, "run", server.anthropic_url, "anthropic", point)
        if point == "in request 3":
            server.wait_for(lambda requests: len(requests) == 3, 60)
            process.kill()
        assert exitcode(process) != 0
        assert exitcode(start(tmp_path, "resume", server.anthropic_url, "anthropic", "")) == 0
        asked, tools = len(server.requests), (tmp_path / "tools.txt").read_text()
        killed_app.MODEL = killed_app.model(server.anthropic_url, "anthropic")
        with Execution.resume(killed_app.App(), store=tmp_path / "killed.db", name="killed") as ex:
            replay = ex.replay()
        assert len(server.requests) == asked
    assert replay.same, replay
    assert replay.answers == 4
    assert (tmp_path / "tools.txt").read_text() == tools


DIES = """
import os, signal, sys
from smithers_nb import Effect, Execution, Task, component

@component
def App(ctx):
    def keep(result):
        ctx.state.set("kept", result.output)
        if sys.argv[1] == "run":
            os.kill(os.getpid(), signal.SIGKILL)

    def count():
        ctx.state.update("runs", lambda old: (old or 0) + 1)

    kept = ctx.state.get("kept")
    return [Task(id="t", run=lambda: 7, on_finished=keep), Effect(id="e", deps=[kept], run=count)]

if sys.argv[1] == "run":
    Execution(App(), store="k.db").run_sync()
with Execution.resume(App(), store="k.db") as ex:
    ex.state.set("by hand", 1)
    ex.run_sync()
    print(*ex.df.frames.status)
    print(ex.replay())
"""


def test_a_frame_within_which_the_process_died_stays_half(python: Any) -> None:
    assert python(DIES, "run").returncode == -9
    done = python(DIES, "resume")
    statuses, replay = done.stdout.split("\n", 1)
    # The task may end in the effect's frame, or in the one after it.
    assert (statuses.count("open"), statuses.split()[-1]) == (1, "done"), done.stderr
    assert ": same; " in replay, replay


# ---- what is not the same --------------------------------------------------------------------------------------


def small(prompt: str = "a prompt\nof two lines", system: str = "s", **more: Any) -> Any:
    """An app of an agent with a tool, a task and an approval, all of which can be changed."""

    def tool(n: Any) -> str:
        return more.get("answer", "told")

    tool.__name__ = more.get("tool", "tool")
    tool.__doc__ = more.get("doc", "Tell.")
    tool.__annotations__["n"] = more.get("argument", int)

    @component
    def App(ctx: Any) -> Any:
        return [
            Claude(
                id="c",
                model="small",
                system=system,
                tools=[tool],
                approve=more.get("approve", False),
                output_type=more.get("output_type"),
                on_finished=more.get("handler"),
            )[prompt],
            Task(id="t", run=lambda n: more.get("n", n), args=more.get("args", [1]), **both(ctx, "t")),
            Approval(id="ok", prompt=more.get("ask", "Go on?"), options=more.get("options", ["yes", "no"])),
            more.get("extra"),
        ]

    return App()


def small_models() -> dict[str, Any]:
    return {"small": scripted(call_tool("tool", n=1), "done")}


CHANGES: dict[str, tuple[dict[str, Any], str, int | None, str]] = {
    "the prompt": (
        {"prompt": "a prompt\nof three lines"},
        "c",
        1,
        "The first difference is in the prompt:\n  a prompt\n- of two lines\n+ of three lines",
    ),
    "the instructions": ({"system": "t"}, "c", 1, "in the instructions:\n- s\n+ t"),
    "a tool that is gone": ({"tool": "other"}, "c", 1, "in the tools:\n- tool\n+ other"),
    "a tool's docstring": ({"doc": "Tell\nit."}, "c", 1, "in the description of tool tool:\n- Tell.\n+ Tell\n+ it."),
    "a tool's argument": ({"argument": str}, "c", 1, '-    "type": "integer"\n+    "type": "string"'),
    "the output": ({"output_type": int}, "c", 1, "in the output tools:\n+ final_result"),
    "a tool that a person is to be asked about": (
        {"approve": True},
        "c",
        1,
        "in what people are asked:\n- nothing\n+ whether tool may be called",
    ),
    "a new agent": ({"extra": Claude(id="d", model="sonnet")["hi"]}, "d", None, "- nothing\n+ claude d starts"),
    "a new approval": ({"extra": Approval(id="d", prompt="?")}, "d", None, "- nothing\n+ approval d starts"),
    "another question": ({"ask": "Stop?"}, "ok", None, "in its prompt:\n- Go on?\n+ Stop?"),
    "other options": ({"options": ["no", "yes"]}, "ok", None, 'in its options:\n- ["yes", "no"]\n+ ["no", "yes"]'),
    "a task's arguments": ({"args": [2]}, "t", None, "in its args:\n- [1]\n+ [2]"),
}


def small_run(run_of: Any) -> Any:
    ex = run_of(small(), models=small_models())
    ex.run_sync()
    ex.answer("ok", "yes")
    assert ex.run_sync().status == "finished"
    return ex


@pytest.mark.parametrize(("change", "node", "turn", "words"), CHANGES.values(), ids=CHANGES)
def test_what_was_not_recorded_stops_the_replay(change: Any, node: str, turn: Any, words: str, run_of: Any) -> None:
    ex = small_run(run_of)
    with pytest.raises(ReplayMismatchError) as stopped:
        ex.replay(app=small(**change))
    error = stopped.value
    assert (error.node_id, error.turn) == (node, turn)
    assert words in error.difference and error.difference in str(error)
    assert ex.status == "finished", "the recorded run is as it was"


def test_other_differences_are_in_the_result_the_earliest_first(run_of: Any) -> None:
    ex = small_run(run_of)
    changed = small(handler=lambda r: None, n=9)
    replay = ex.replay(app=changed)
    assert not replay.same
    assert {difference.what for difference in replay.differences} >= {"on_finished of c"}
    assert all(a.frame <= b.frame for a, b in pairwise(replay.differences))
    assert not [one for one in replay.differences if one.what == "state t"], "the task's function was not called"
    run = ex.replay(app=changed, tasks="run")
    [difference] = [one for one in run.differences if one.what == "state t"]
    assert '"text":"9"' in difference.replayed and '"text":"1"' in difference.recorded
    assert "differences" in repr(run) and "on_finished of c" in repr(run)


def test_a_tool_that_returns_something_else_now_is_not_asked(run_of: Any) -> None:
    ex = small_run(run_of)
    replay = ex.replay(app=small(answer="something else"))
    assert replay.same, replay


def test_a_swapped_app_is_named(run_of: Any) -> None:
    ex = run_of(small(), models=small_models())
    ex.step_sync()
    ex.swap(small(n=3))
    ex.run_sync()
    replay = ex.replay()
    assert replay.notes == ("the app was swapped after frame 1; the same one ran in all",)


def test_a_component_that_raises_ends_the_replay_as_it_would_a_run(run_of: Any) -> None:
    @component
    def Bad() -> Any:
        raise ValueError("no")

    ex = small_run(run_of)
    with pytest.raises(ComponentError):
        ex.replay(app=Bad())
    assert ex.store.df.executions.status.iloc[-1] == "terminated"


def test_a_replay_can_be_replayed_and_is_not_what_resume_takes(run_of: Any, resumed: Any) -> None:
    ex = small_run(run_of)
    first = ex.replay()
    ex.close()
    assert resumed(small()).execution_id == ex.execution_id
    with Execution.resume(small(), store=ex.store, id=first.execution_id) as again:
        second = again.replay()
    assert second.same and second.recording == first.execution_id


def test_a_replay_uses_up_nothing_of_a_budget(run_of: Any, resumed: Any) -> None:
    ex = run_of(small(), models=small_models(), limits={"turns": 3})
    ex.run_sync()
    ex.replay()
    ex.close()
    more = Claude(id="more", model=scripted("a"))["x"]
    again = resumed(small(extra=more), models=small_models(), limits={"turns": 3})
    again.run_sync()
    assert again.tasks["more"] == "succeeded"


def test_what_a_replay_can_not_do_is_refused(run_of: Any) -> None:
    ex = small_run(run_of)
    with pytest.raises(ValueError, match="make a new Execution"):
        ex.replay(models={"sonnet": scripted("x")})
    with pytest.raises(ValueError, match="recorded, run"):
        ex.replay(tasks="again")
    ex.close()
    ex.store.prune(keep_frames=1)
    with pytest.raises(StoreError, match="pruned"):
        ex.replay()


def test_an_async_program_replays_in_a_thread(run_of: Any) -> None:
    ex = small_run(run_of)
    assert asyncio.run(asyncio.to_thread(ex.replay)).same


def test_a_task_that_ends_frames_after_its_node_is_gone_ends_in_the_same_frame(run_of: Any) -> None:
    gone = threading.Event()

    def third() -> None:
        """Let the late task end, and no other frame begin before it has."""
        gone.set()
        until = time.monotonic() + 60
        while not ex.store.sql("SELECT 1 FROM tasks WHERE node_id = 'late' AND ended_at IS NOT NULL").size:
            assert time.monotonic() < until
            time.sleep(0.01)

    @component
    def App(ctx: Any) -> Any:
        n = ctx.state.get("n", 0)
        return [
            Task(id="first", run=lambda: 1, on_finished=lambda r: ctx.state.set("n", 1)),
            None if n else Task(id="late", run=lambda: gone.wait(60), on_finished=lambda r: ctx.state.set("late", 1)),
            Task(id="second", run=lambda: 1, on_finished=lambda r: ctx.state.set("n", 2)) if n else None,
            Task(id="third", run=third) if n > 1 else None,
        ]

    ex = run_of(App())
    ex.run_sync()
    tasks = ex.df.tasks.set_index("node_id")
    assert tasks.settled_at_frame["late"] == tasks.mounted_at_frame["third"] > tasks.mounted_at_frame["second"]
    replay = ex.replay()
    assert replay.same, replay
