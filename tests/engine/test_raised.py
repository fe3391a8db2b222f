"""Whatever user code raises, wherever it is called: an ordinary failure that names it, and the engine lives on."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel, field_validator
from pydantic_ai import Agent as PydanticAgent
from pydantic_ai.messages import ModelResponse, TextPart
from pydantic_ai.models.function import FunctionModel

from smithers_nb import (
    Agent,
    Case,
    Claude,
    Each,
    Effect,
    If,
    Switch,
    Task,
    call_tool,
    component,
    scripted,
)
from smithers_nb.errors import ComponentError, RunError, UserCodeError, said
from smithers_nb.execution import run_behind

PATIENCE_S = 60.0


class Panic(BaseException):
    """As a Rust extension raises it."""


class Mute(Exception):
    """Fails to say what it is."""

    def __str__(self) -> str:
        raise SystemExit(4)


class Unspeakable(Exception):
    def __str__(self) -> str:
        return 3  # type: ignore[return-value]


def failed() -> BaseException:
    try:
        pytest.fail("as pytest says it")
    except BaseException as error:  # noqa: BLE001  # it is what is wanted
        return error


RAISED: dict[str, Callable[[], BaseException]] = {
    "ValueError": lambda: ValueError("no"),
    "StopIteration": StopIteration,
    "StopAsyncIteration": StopAsyncIteration,
    "GeneratorExit": GeneratorExit,
    "SystemExit": lambda: SystemExit(3),
    "KeyboardInterrupt": KeyboardInterrupt,
    "CancelledError": asyncio.CancelledError,
    "CancelledError of a thread's future": concurrent.futures.CancelledError,
    "Failed": failed,
    "Panic": lambda: Panic("of a library"),
    "Mute": Mute,
    "Unspeakable": Unspeakable,
}


@pytest.fixture(params=RAISED.values(), ids=RAISED)
def error(request: pytest.FixtureRequest) -> BaseException:
    made: BaseException = request.param()
    return made


def raises(error: BaseException) -> Callable[..., Any]:
    def run(*_: Any, **__: Any) -> Any:
        raise error

    return run


def raises_later(error: BaseException) -> Callable[..., Awaitable[Any]]:
    async def run(*_: Any, **__: Any) -> Any:
        await asyncio.sleep(0)
        raise error

    return run


def within_time(work: Callable[[], Any]) -> Any:
    """Do something in a thread of its own, so that a test fails where it would hang; raise what it raises."""
    ended: concurrent.futures.Future[Any] = concurrent.futures.Future()

    def run() -> None:
        try:
            ended.set_result(work())
        except BaseException as error:  # noqa: BLE001  # raised below
            ended.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return ended.result(PATIENCE_S)


def lives(run_of: Any) -> bool:
    """Whether another execution runs to its end, with tasks of both kinds, a handler and an effect."""
    seen: list[int] = []

    async def later() -> int:
        return 2

    ex = run_of([Task(run=lambda: 1, on_finished=seen.append), Task(run=later), Effect(run=lambda: seen.append(3))])
    return bool(within_time(ex.run_sync).status == "finished" and len(seen) == 2)


KINDS = {"sync": raises, "async": raises_later}


@pytest.mark.parametrize("kind", KINDS)
def test_a_task_that_raises_anything_has_failed_with_it(kind: str, error: BaseException, run_of: Any) -> None:
    got: list[Any] = []
    ex = run_of([Task(id="t", run=KINDS[kind](error), on_error=got.append), Task(id="u", run=lambda: 1)])
    assert within_time(ex.run_sync).status == "finished"
    assert (got[0].status, got[0].error) == ("failed", said(error))
    assert type(error).__name__ in ex.df.tasks.error[0]
    assert ex.tasks["u"] == "succeeded"
    assert lives(run_of)


def test_a_task_that_raises_anything_is_tried_again(error: BaseException, run_of: Any) -> None:
    tries: list[int] = []

    def run() -> int:
        tries.append(1)
        if len(tries) < 3:
            raise error
        return 1

    ex = run_of(Task(id="t", run=run, retries=2))
    assert within_time(ex.run_sync).status == "finished"
    assert (len(tries), list(ex.df.tasks.attempt)) == (3, [3])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("event", ["on_finished", "on_error", "on_progress"])
def test_a_handler_that_raises_anything_has_raised_it_once(
    event: str, kind: str, error: BaseException, run_of: Any
) -> None:
    calls: list[str] = []

    def run(ctx: Any) -> int:
        if event == "on_progress":
            ctx.progress(1)
            assert heard.wait(PATIENCE_S)
        if event == "on_error":
            raise ValueError("its handler is called")
        return 1

    heard = threading.Event()

    def handler(result: Any, ctx: Any) -> Any:
        calls.append(event)
        ctx.state.set("written", 1)
        heard.set()
        return KINDS[kind](error)()

    ex = run_of(
        [
            Task(id="t", run=run, **{event: handler}),
            Task(id="u", run=lambda: 1, on_finished=lambda r, ctx: ctx.state.set("other", 1)),
        ]
    )
    result = within_time(ex.run_sync)
    assert calls == [event]
    assert dict(ex.state) == {"other": 1}
    assert [problem.kind for problem in result.problems] == ["HandlerError"]
    assert f"{event} of t raised {said(error)}" in result.problems[0].message
    assert sorted(ex.df.handlers.status) == ["ok", "raised"]
    assert within_time(ex.run_sync).status == "finished"
    assert calls == [event]
    assert lives(run_of)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("part", ["run", "cleanup"])
def test_an_effect_that_raises_anything_has_raised_it_once(
    part: str, kind: str, error: BaseException, run_of: Any
) -> None:
    @component
    def App(ctx: Any) -> Any:
        effect = Effect(id="e", **{"run": lambda: None, part: KINDS[kind](error)})
        other = Effect(id="o", run=lambda: ctx.state.set("other", 1))
        return [If(condition=ctx.state.get("on", True))[effect], other]

    ex = run_of(App)
    problems = list(within_time(ex.run_sync).problems)
    ex.state.set("on", False)
    problems += within_time(ex.run_sync).problems
    assert [problem.kind for problem in problems] == ["EffectError"]
    assert f"{part} of effect e raised {said(error)}" in problems[0].message
    assert dict(ex.state) == {"on": False, "other": 1}
    assert lives(run_of)


class Other:
    """Says that it is like others by raising."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __eq__(self, _: object) -> bool:
        raise self.error

    __hash__ = None  # type: ignore[assignment]


def through_computed(error: BaseException) -> Any:
    @component
    def App(ctx: Any) -> Any:
        return str(ctx.computed(raises(error)).get())

    return App


PLANS: dict[str, Callable[[BaseException], Any]] = {
    "a component": lambda error: component(raises(error)),
    "a computed value": through_computed,
    "the render of an Each": lambda error: component(lambda: Each(items=[1], key=str, render=raises(error))),
    "the key of an Each": lambda error: component(lambda: Each(items=[1], key=raises(error), render=str)),
    "the render of an Each at the root": lambda error: Each(items=[1], key=str, render=raises(error)),
    "the key of an Each at the root": lambda error: Each(items=[1], key=raises(error), render=str),
    "the == of a Case": lambda error: Switch(value=1)[Case(equals=Other(error))["x"]],
}


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
@pytest.mark.parametrize("command", ["run_sync", "preview"])
def test_a_plan_that_raises_anything_is_a_component_error(
    command: str, plan: Any, error: BaseException, run_of: Any
) -> None:
    ex = run_of(plan(error))
    with pytest.raises(ComponentError, match="raised") as raised:
        within_time(getattr(ex, command))
    assert said(error) in str(raised.value)
    assert raised.value.source
    assert (ex.status, ex.recorded) == ("ready", 0)
    assert lives(run_of)


def test_a_prop_that_can_not_be_compared_is_given_to_its_component_again(error: BaseException, run_of: Any) -> None:
    calls: list[int] = []

    @component
    def Inner(prop: Any) -> Any:
        calls.append(1)

    @component
    def App(ctx: Any) -> Any:
        ctx.state.get("n")
        return Inner(prop=Other(error))

    ex = run_of(App)
    within_time(ex.run_sync)
    ex.state.set("n", 1)
    assert within_time(ex.run_sync).status == "finished"
    assert len(calls) == 2


@pytest.mark.parametrize("origin", ["operator", "handler", "task"])
def test_an_update_that_raises_anything_is_rolled_back(origin: str, error: BaseException, run_of: Any) -> None:
    def update(ctx: Any) -> None:
        ctx.state.update("n", raises(error))

    app = {
        "operator": Task(run=lambda: 1),
        "handler": Task(run=lambda: 1, on_finished=lambda r, ctx: update(ctx)),
        "task": Task(run=lambda ctx: update(ctx)),
    }[origin]
    ex = run_of(app, state={"n": 1})
    if origin == "operator":
        ex.state.update("n", raises(error))
    assert within_time(ex.run_sync).status == "finished"
    assert dict(ex.state) == {"n": 1}
    assert list(ex.df.transitions[ex.df.transitions.op == "update"].status) == ["rolled_back"]
    assert any(type(error).__name__ in str(payload) for payload in ex.df.events.payload)
    assert lives(run_of)


def test_an_until_that_raises_anything_ends_the_run_with_an_ordinary_error(error: BaseException, run_of: Any) -> None:
    ex = run_of(Task(id="t", run=lambda: 1))
    with pytest.raises((RunError, type(error))) as raised:
        within_time(lambda: ex.run_sync(until=raises(error)))
    if raised.value is not error:
        assert f"until= raised {said(error)}" in str(raised.value)
        assert raised.value.__cause__ is error
    assert isinstance(raised.value, Exception)
    assert raised.value.__class__ is not concurrent.futures.CancelledError
    assert within_time(ex.run_sync).status == "finished"


@pytest.mark.logs_errors
def test_an_observer_that_raises_anything_is_removed(error: BaseException, run_of: Any) -> None:
    ex = run_of(Task(id="t", run=lambda: 1))
    run_behind(ex).observe(raises(error))
    assert within_time(ex.run_sync).status == "finished"


# ---- agents ----------------------------------------------------------------------------------------------------


def with_tool(run: Callable[..., Any]) -> Any:
    if asyncio.iscoroutinefunction(run):

        async def tool() -> str:
            return str(await run())
    else:

        def tool() -> str:  # type: ignore[misc]
            return str(run())

    return Claude(id="c", model=scripted(call_tool("tool"), "ok"), tools=[tool])["hi"]


def with_approve(error: BaseException) -> Any:
    def tool() -> str:
        return "x"

    return Claude(id="c", model=scripted(call_tool("tool"), "ok"), tools=[tool], approve=raises(error))["hi"]


def with_own(change: Callable[[Any], object]) -> Any:
    agent = PydanticAgent(FunctionModel(lambda messages, info: ModelResponse(parts=[TextPart("ok")])), name="own")
    change(agent)
    return Agent(id="c", agent=agent)["hi"]


def with_model(error: BaseException) -> Any:
    def answer(messages: Any, info: Any) -> ModelResponse:
        raise error

    return Claude(id="c", model=FunctionModel(answer), retries=0)["hi"]


class Out(BaseModel):
    """At the top of the module: an output is read back by the name of its class."""

    n: int
    error: ClassVar[BaseException]

    @field_validator("n")
    @classmethod
    def check(cls, _: int) -> int:
        raise cls.error


def with_validated_output(error: BaseException) -> Any:
    Out.error = error
    return Claude(id="c", model=scripted({"n": 1}), output_type=Out)["hi"]


def instructions(run: Callable[..., Any]) -> Callable[[Any], object]:
    return lambda agent: agent.instructions(run)


AGENTS: dict[str, Callable[[BaseException], Any]] = {
    "a sync tool": lambda error: with_tool(raises(error)),
    "an async tool": lambda error: with_tool(raises_later(error)),
    "a scripted reply": lambda error: Claude(id="c", model=scripted(raises(error)), retries=0)["hi"],
    "a scripted exception": lambda error: Claude(id="c", model=scripted(error), retries=0)["hi"],
    "approve=": with_approve,
    "sync instructions": lambda error: with_own(lambda agent: agent.instructions(raises(error))),
    "async instructions": lambda error: with_own(lambda agent: agent.instructions(raises_later(error))),
    "a sync output validator": lambda error: with_own(lambda agent: agent.output_validator(raises(error))),
    "an async output validator": lambda error: with_own(lambda agent: agent.output_validator(raises_later(error))),
    "a model function": with_model,
    "a validator of the output type": with_validated_output,
}


SPECIAL = ["StopIteration", "StopAsyncIteration", "GeneratorExit", "SystemExit", "CancelledError", "Failed"]


@pytest.mark.parametrize("name", SPECIAL)
@pytest.mark.parametrize("agent", AGENTS.values(), ids=AGENTS)
def test_an_agent_whose_code_raises_anything_has_failed_with_it(agent: Any, name: str, run_of: Any) -> None:
    error = RAISED[name]()
    ex = run_of([agent(error), Task(id="u", run=lambda: 1)])
    result = within_time(ex.run_sync)
    assert (result.status, dict(ex.tasks)) == ("failed", {"c": "failed", "u": "succeeded"})
    assert type(error).__name__ in ex.df.tasks.error[0]
    assert lives(run_of)


class Bad:
    """A runner that raises."""

    remote = False

    def __init__(self, error: BaseException, where: str) -> None:
        self.error, self.where = error, where

    async def check(self, task: Any) -> None:
        if self.where == "check":
            raise self.error

    async def submit(self, task: Any, ledger: Any) -> Any:
        raise self.error


@pytest.mark.parametrize("error", [SystemExit(3), StopIteration(), GeneratorExit(), asyncio.CancelledError()], ids=repr)
@pytest.mark.parametrize("where", ["check", "submit"])
def test_a_runner_that_raises_anything_fails_its_agents(where: str, error: BaseException, run_of: Any) -> None:
    ex = run_of(Claude(id="c")["hi"], runner=Bad(error, where))
    result = within_time(ex.run_sync)
    assert (result.status, ex.tasks["c"]) == ("failed", "failed")
    assert said(error) in ex.df.tasks.error[0]


# ---- cancellations ---------------------------------------------------------------------------------------------


async def cancels_itself() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()


async def cancels_itself_and_waits() -> None:
    await cancels_itself()
    await asyncio.sleep(60)


def cancels_its_task() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()


@pytest.mark.parametrize("run", [cancels_itself, cancels_itself_and_waits])
def test_only_ex_cancel_cancels_a_task(run: Any, run_of: Any) -> None:
    ex = run_of(Task(id="t", run=run))
    assert within_time(ex.run_sync).status == "failed"
    assert ex.tasks["t"] == "failed"
    assert "CancelledError" in ex.df.tasks.error[0]


@pytest.mark.parametrize("run", [cancels_itself, cancels_itself_and_waits, cancels_its_task])
@pytest.mark.parametrize("place", ["handler", "effect"])
def test_a_handler_or_effect_that_cancels_its_task_ends_no_run(place: str, run: Any, run_of: Any) -> None:
    handler = Task(id="t", run=lambda: 1, on_finished=lambda _: run())
    ex = run_of([handler if place == "handler" else Effect(id="e", run=run), Task(id="u", run=lambda: 1)])
    result = within_time(ex.run_sync)
    assert result.status == "finished"
    assert len(result.problems) == 1
    assert "CancelledError" in result.problems[0].message


def test_ex_cancel_cancels_and_says_so(run_of: Any, gate: Any) -> None:
    one, got = gate(), []
    ex = run_of(Task(id="t", run=one.passed, on_error=got.append))
    ex.step_sync()
    one.reached()
    ex.cancel("t")
    assert within_time(ex.run_sync).status == "finished"
    assert (got[0].status, got[0].error) == ("cancelled", "it was cancelled by hand")


@pytest.mark.parametrize(("command", "status"), [("stop", "stopped"), ("terminate", "terminated"), ("close", "paused")])
def test_code_that_does_not_end_when_it_is_cancelled_is_left_behind(
    command: str, status: str, run_of: Any, gate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smithers_nb.user_code.GRACE_S", 0.1)
    one = gate()

    async def stubborn() -> None:
        while True:
            try:
                await one.passed()
            except asyncio.CancelledError:
                continue
            return

    ex = run_of(Task(id="t", run=stubborn))
    ex.step_sync()
    one.reached()
    within_time(getattr(ex, command))
    assert ex.status == status


# ---- the engine's thread ---------------------------------------------------------------------------------------


def test_an_exit_in_a_task_that_user_code_makes_for_itself_ends_no_execution(error: BaseException, run_of: Any) -> None:
    made: list[Any] = []

    async def handler(_: Any) -> None:
        made.append(asyncio.ensure_future(raises_later(error)()))
        await asyncio.wait(made)

    ex = run_of(Task(id="t", run=lambda: 1, on_finished=handler))
    assert within_time(ex.run_sync).status == "finished"
    assert made[0].cancelled() or made[0].exception()
    assert lives(run_of)


@pytest.mark.parametrize("exits", ["exit()", "loop.stop()"])
def test_a_callback_of_user_code_can_not_end_the_engine(exits: str, run_of: Any) -> None:
    def handler(_: Any) -> None:
        loop = asyncio.get_running_loop()
        loop.call_soon(loop.stop if exits == "loop.stop()" else raises(SystemExit(3)))

    ex = run_of(Task(id="t", run=lambda: 1, on_finished=handler))
    assert within_time(ex.run_sync).status == "finished"
    assert lives(run_of)


DIES = """
    import asyncio, ctypes, threading, time
    from smithers_nb import Execution, Task
    from smithers_nb.bridge import engine

    async def waits():
        await asyncio.sleep(60)

    ex = Execution(Task(id="t", run=waits), store="x.db")
    ex.step_sync()
    errors = []
    def run():
        try:
            ex.run_sync()
        except Exception as error:
            errors.append(error)
    waiting = threading.Thread(target=run)
    waiting.start()
    while ex.status != "waiting":
        time.sleep(0.01)
    # As libraries do that end a thread after a time.
    thread = next(one for one in threading.enumerate() if one.name == "smithers")
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object({what}))
    engine.do(lambda: None)
    {lives}
    thread.join(60)
    waiting.join(60)
    print(len(errors), thread.is_alive(), waiting.is_alive())
    def told(work):
        try:
            work()
        except Exception as error:
            return error
    calls = [ex.run_sync, ex.step_sync, ex.stop, ex.pause, ex.close, ex.preview, lambda: ex.state.set("n", 1),
             lambda: asyncio.run(ex.run()), lambda: ex.cancel("t"), lambda: Execution(Task(run=waits), store="y.db"),
             lambda: Execution.resume(Task(id="t", run=waits), store="x.db")]
    errors += [told(work) for work in calls]
    for error in errors:
        print(type(error).__name__, "RuntimeError" in str(error), "restart the kernel" in str(error))
"""


def test_when_the_engines_thread_dies_every_call_says_so_at_once(python: Any) -> None:
    ran = python(DIES.format(what="RuntimeError", lives=""))
    first, *rest = ran.stdout.splitlines()
    assert first == "1 False False", ran.stderr
    assert rest == ["RunError True True"] * 12, ran.stderr
    assert ran.returncode == 0


def test_the_engines_thread_survives_an_exit_from_outside(python: Any) -> None:
    ran = python(
        DIES.format(what="SystemExit", lives="ex.stop(); print(ex.status, thread.is_alive()); raise SystemExit")
    )
    assert ran.stdout.splitlines() == ["stopped True"], ran.stderr


def test_what_user_code_raised_is_found_in_what_carries_it() -> None:
    with pytest.raises(UserCodeError) as raised:
        asyncio.run(_awaits(StopIteration("x")))
    assert (type(raised.value.raised), str(raised.value)) == (StopIteration, "StopIteration: x")


async def _awaits(error: BaseException) -> None:
    from smithers_nb.user_code import awaited

    await awaited(raises_later(error)())
