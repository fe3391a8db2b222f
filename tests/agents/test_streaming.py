"""Many agents that stream at once: every piece is recorded in order, and the loop stays free."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from time import perf_counter, process_time
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_ai import Agent as OwnAgent
from pydantic_ai.capabilities import AbstractCapability
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, FunctionModel

from smithers_nb import Agent, Claude, Parallel
from smithers_nb.agents.partial import PartialAnswer
from smithers_nb.bridge import engine
from tests.agents.conftest import APIS, Background, model_at
from tests.agents.fake_replies import tokens
from tests.agents.fake_server import read_log

AGENTS = 20
LONGEST_S = 0.1
"""For so long may the loop come to nothing else, by the time that this process worked."""


class Gap:
    """The longest time for which the engine's loop came to nothing else."""

    worked_s = 0.0
    """What this process worked meanwhile, in all of its threads. Other programs of the machine don't lengthen it."""
    passed_s = 0.0
    """What the clock says."""


@contextmanager
def watching_the_loop() -> Iterator[Gap]:
    gap = Gap()

    async def beat() -> None:
        last, worked = perf_counter(), process_time()
        while True:
            await asyncio.sleep(0.002)
            gap.passed_s = max(gap.passed_s, perf_counter() - last - 0.002)
            gap.worked_s = max(gap.worked_s, process_time() - worked)
            last, worked = perf_counter(), process_time()

    # A full collection over all that the tests have imported takes 150 ms by itself; what the run makes is collected.
    gc.collect()
    gc.freeze()
    beating = asyncio.run_coroutine_threadsafe(beat(), engine.loop)
    try:
        yield gap
    finally:
        beating.cancel()
        gc.unfreeze()


def piece(payload: Any) -> str:
    return payload if isinstance(payload, str) else payload["text"]


def many(server: Any) -> Any:
    model = model_at(server)
    return Parallel()[[Claude(id=f"c{n}", model=model)["Write a lot."] for n in range(AGENTS)]]


@pytest.mark.parametrize("tokens", [250, pytest.param(5000, marks=pytest.mark.long)])
def test_every_piece_is_recorded_in_order_and_the_loop_stays_free(
    tokens: int, provider_elsewhere: Any, run_of: Any, record_property: Any
) -> None:
    server = provider_elsewhere("--tokens", tokens)
    # The packages are imported by an agent before.
    run_of(Claude(id="first", model=model_at(provider_elsewhere("--say", "hi")))["hi"]).run_sync()

    ex = run_of(many(server))
    started, worked = perf_counter(), process_time()
    with watching_the_loop() as gap:
        assert ex.run_sync().status == "finished"
    took = f"{perf_counter() - started:.1f} s ({process_time() - worked:.1f} s of work)"
    longest = f"{gap.passed_s * 1000:.0f} ms ({gap.worked_s * 1000:.0f} ms of work)"
    record_property("longest gap of the loop", longest)
    print(f"\n{AGENTS * tokens} pieces in {took}; longest gap of the loop {longest}")

    expected = [f"w{n} " for n in range(tokens)]
    events = ex.df.stream_events
    assert set(events.kind) == {"token"}
    for _, of_task in events.groupby("task_id"):
        assert "".join(map(piece, of_task.payload)) == "".join(expected)
    assert events.task_id.nunique() == AGENTS
    assert ex.df.tasks.result.map(lambda text: text == "".join(expected)).all()
    assert list(ex.df.model_calls.output_tokens) == [tokens] * AGENTS
    assert gap.worked_s < LONGEST_S


def test_pause_works_while_agents_stream(provider_elsewhere: Any, run_of: Any, wait_until: Any) -> None:
    server = provider_elsewhere("--tokens", 200, "--delay", 0.02)
    ex = run_of(many(server))
    run = Background(ex)
    wait_until(lambda: len(ex.df.stream_events) > 100)
    ex.pause()
    assert run.ended().status == "paused"
    seen = len(ex.df.stream_events)
    assert ex.running > 0, "the tasks go on"
    wait_until(lambda: len(ex.df.stream_events) > seen)
    assert ex.run_sync().status == "finished"
    assert [entry["outcome"] for entry in read_log(server.log)] == ["sent"] * AGENTS
    assert ex.df.tasks.result.map(lambda text: text.split()[-1]).eq("w199").all()


# ---- on_progress -------------------------------------------------------------------------------------------------


class Trip(BaseModel):
    """A trip."""

    title: str
    stops: list[str]


@pytest.mark.parametrize("api", APIS)
def test_a_node_is_told_what_streams_a_few_times_a_second(api: str, provider: Any, run_of: Any) -> None:
    seen: list[Any] = []
    server = provider(tokens(40, delay_s=0.05))
    node = Claude(id="c", model=model_at(server, api), on_progress=lambda r: seen.append((r.status, r.output, r.text)))
    ex = run_of(node["Write."])
    assert ex.run_sync().status == "finished"
    whole = "".join(f"w{n} " for n in range(40))
    assert len(seen) >= 3
    for (status, output, text), (_, after, _) in zip(seen, [*seen[1:], (None, whole, None)], strict=True):
        assert status == "running" and output == text
        assert after.startswith(output) and len(after) >= len(output)
    task = ex.df.tasks.iloc[0]
    caused = [reason for reason in ex.df.frames.reason if "progress was reported" in reason]
    assert len(caused) <= 4 * (task.ended_at - task.started_at).total_seconds() + 2


def test_structured_output_streams_as_partial_values(run_of: Any) -> None:
    seen: list[Any] = []
    stops = [f"town {n}" for n in range(40)]

    async def stream(messages: Any, info: AgentInfo) -> Any:
        text = json.dumps({"title": "The coast", "stops": stops})
        yield {0: DeltaToolCall(info.output_tools[0].name, "")}
        for start in range(0, len(text), 10):
            await asyncio.sleep(0.03)
            yield {0: DeltaToolCall(json_args=text[start : start + 10])}

    node = Claude(
        id="c",
        model=FunctionModel(stream_function=stream),
        output_type=Trip,
        on_progress=lambda r: seen.append(r.output),
    )
    ex = run_of(node["Plan."])
    assert ex.run_sync().status == "finished"
    assert len(seen) >= 3
    for output in seen:
        assert "The coast".startswith(output["title"])
        found = output.get("stops", [])
        assert found[:-1] == stops[: max(0, len(found) - 1)]
        assert not found or stops[len(found) - 1].startswith(found[-1])


def test_partial_values_of_arguments_that_come_in_pieces() -> None:
    answer = PartialAnswer(["final_result"], structured=False)
    answer.begin(0, "look_up", '{"word": "sea"}')
    assert answer.value() is None
    found = []
    answer.begin(1, "final_result", "")
    for piece in ('{"title"', ': "The c', 'oast", "stops": ["a', '", "b"]}'):
        answer.extend(1, piece)
        found.append(answer.value())
    assert found == [
        None,
        {"title": "The c"},
        {"title": "The coast", "stops": ["a"]},
        {"title": "The coast", "stops": ["a", "b"]},
    ]


class Hears(AbstractCapability[Any]):
    def __init__(self) -> None:
        self.said: list[str] = []

    async def on_event(self, ctx: Any, *, event: Any) -> None:
        if event.event_kind == "part_delta":
            self.said.append(event.delta.content_delta)


@pytest.mark.parametrize("listens", [False, True])
def test_a_piece_is_recorded_once_whoever_else_listens(listens: bool, run_of: Any) -> None:
    hears, models = Hears(), []

    class Looks(AbstractCapability[Any]):
        async def wrap_model_request(self, ctx: Any, *, request_context: Any, handler: Any) -> Any:
            models.append(request_context.streaming)
            return await handler(request_context)

    async def stream(messages: Any, info: Any) -> AsyncIterator[str]:
        for word in ("one ", "two ", "three"):
            yield word

    own: Any = OwnAgent(FunctionModel(stream_function=stream), capabilities=[Looks(), *([hears] if listens else [])])
    ex = run_of(Agent(id="c", agent=own)["Count."])
    assert ex.run_sync().status == "finished", ex.df.tasks.error[0]
    assert list(ex.df.stream_events.payload) == ["one ", "two ", "three"]
    # The library streams only where it has to: that takes it twice as long.
    assert models == [listens] and len(hears.said) == (2 if listens else 0)
    assert list(ex.df.tasks.result) == ["one two three"]


@pytest.mark.parametrize("wait_s", [0.0, 5.0])
def test_a_stream_has_to_begin_within_the_time_of_its_settings(wait_s: float, run_of: Any) -> None:
    async def stream(messages: Any, info: Any) -> AsyncIterator[str]:
        await asyncio.sleep(wait_s)
        yield "one "
        await asyncio.sleep(0.3)
        yield "two"

    own: Any = OwnAgent(FunctionModel(stream_function=stream), model_settings={"first_event_timeout": 0.2})
    errors: list[Any] = []
    ex = run_of(Agent(id="c", agent=own, retries=0, on_error=errors.append)["Count."])
    assert ex.run_sync().status == "finished"
    if wait_s:
        assert "without producing any output" in errors[0].error and list(ex.df.model_calls.status) == ["failed"]
    else:
        assert list(ex.df.tasks.result) == ["one two"]
