"""OpenTelemetry: pydantic-ai makes the spans, if the user has told it to, and they say whose they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic_ai import Agent as OwnAgent
from pydantic_ai.models.instrumented import InstrumentationSettings

from smithers_nb import Claude, Parallel, call_tool, scripted
from tests.agents.conftest import model_at
from tests.agents.fake_replies import by_turn, call, say


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@pytest.fixture
def traced() -> Iterator[tuple[Any, InMemorySpanExporter]]:
    """A tracer, and what was exported; agents are traced when ``Agent.instrument_all`` says so."""
    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    OwnAgent.instrument_all(InstrumentationSettings(tracer_provider=provider))
    yield provider.get_tracer("test"), spans
    OwnAgent.instrument_all(False)


def whose(span: Any) -> dict[str, Any]:
    return {name: value for name, value in span.attributes.items() if name.startswith("smithers.")}


def test_the_spans_of_an_agent_say_execution_node_and_task(traced: Any, provider: Any, run_of: Any) -> None:
    tracer, spans = traced
    server = provider(by_turn(call("add", a=1, b=2), say("3")))
    nodes = [Claude(id=f"c{n}", model=model_at(server), tools=[add])["hi"] for n in range(2)]
    ex = run_of(Parallel()[nodes])
    with tracer.start_as_current_span("mine"):
        assert ex.run_sync().status == "finished"
    found = {(span.name, whose(span).get("smithers.node_id")) for span in spans.get_finished_spans()}
    model = "chat claude-haiku-5-5"
    each = {(name, f"c{n}") for n in range(2) for name in (f"invoke_agent c{n}", model, "execute_tool add")}
    assert found == {*each, ("mine", None)}
    mine = next(span for span in spans.get_finished_spans() if span.name == "mine")
    for span in spans.get_finished_spans():
        if span is not mine:
            node = whose(span)["smithers.node_id"]
            expected = {"execution_id": ex.execution_id, "node_id": node, "task_id": f"{node}@1"}
            assert whose(span) == {f"smithers.{name}": value for name, value in expected.items()}
            assert span.context.trace_id == mine.context.trace_id, "they belong to the span that the run was called in"


def test_without_being_told_to_nothing_is_traced(traced: Any, run_of: Any) -> None:
    tracer, spans = traced
    OwnAgent.instrument_all(False)
    with tracer.start_as_current_span("mine"):
        ex = run_of(Claude(id="c", model=scripted(call_tool("add", a=1, b=2), "3"), tools=[add])["hi"])
        assert ex.run_sync().status == "finished"
    [mine] = spans.get_finished_spans()
    assert not whose(mine)
