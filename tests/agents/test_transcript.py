"""Conversations of agents as rows, text and HTML: each part once, in its place."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_ai import Agent as OwnAgent
from pydantic_ai import NativeOutput
from pydantic_ai.capabilities import ProcessHistory
from pydantic_ai.messages import (
    BinaryContent,
    ImageUrl,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    TextPart,
    ThinkingPart,
    UserPromptPart,
)
from pydantic_ai.models.fallback import FallbackModel
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.usage import RequestUsage

from smithers_nb import Agent, Claude, Execution, Sequence, Step, Store, While, call_tool, component, scripted
from smithers_nb.errors import StoreError
from smithers_nb.history.panes.protocol import Get
from smithers_nb.history.recorded import RecordedSource
from smithers_nb.history.transcript import SHOWN_CHARS
from smithers_nb.notebook.view_of import view_of
from smithers_nb.records.excerpt import VALUE_CHARS
from tests.agents.conftest import APIS, model_at
from tests.agents.fake_replies import Reply, Status, by_turn, output, say

HOSTILE = (
    "</script><script>alert(1)</script><img src=x onerror=alert(1)> \u202e gnp.exe \x1b[31m \ud800 & \"quoted\" 'x'"
)


class Trip(BaseModel):
    city: str
    days: int


def weather(city: str) -> str:
    """Say what the weather is like."""
    return {"Oslo": "snow"}.get(city, "rain")


def parts_of(ex: Any) -> list[tuple[Any, ...]]:
    rows = ex.df.messages
    return [tuple(row) for row in rows[["turn", "attempt", "role", "kind", "tool", "text"]].itertuples(index=False)]


@pytest.fixture
def planned(run_of: Any) -> Execution:
    """A run with a tool call and a rejected output."""
    model = scripted(call_tool("weather", city="Oslo"), {"city": "Oslo", "days": "two"}, {"city": "Oslo", "days": 2})
    ex: Execution = run_of(
        Claude(id="plan", model=model, system="You plan.", tools=[weather], output_type=Trip)["Plan it."],
        name="planned",
    )
    assert ex.run_sync().status == "finished"
    return ex


def test_each_part_of_a_conversation_is_a_row_once_and_in_order(planned: Execution) -> None:
    rejected = "days: Input should be a valid integer, unable to parse string as an integer (retry 1 of 1)"
    assert parts_of(planned) == [
        (1, 1, "system", "text", None, "You plan."),
        (1, 1, "user", "text", None, "Plan it."),
        (1, 1, "assistant", "tool call", "weather", '{"city":"Oslo"}'),
        (2, 1, "tool", "tool result", "weather", "snow"),
        (2, 1, "assistant", "output", "final_result", '{"city":"Oslo","days":"two"}'),
        (3, 1, "tool", "retry", "final_result", rejected),
        (3, 1, "assistant", "output", "final_result", '{"city":"Oslo","days":2}'),
    ]
    rows = planned.df.messages
    calls = planned.df.model_calls
    assert rows.input_tokens.sum() == calls.input_tokens.sum() and rows.output_tokens.sum() == calls.output_tokens.sum()
    assert set(rows.node_id) == {"plan"} and set(rows.task_id) == set(planned.df.tasks.task_id)
    assert rows.iteration.isna().all() and str(rows.iteration.dtype) == "Int64"
    assert list(rows.status.dropna()) == ["ok", "ok"]
    recorded = planned.store.open("planned").df.messages
    assert recorded.equals(rows) and planned.store.df.messages.equals(rows)


def test_a_file_without_agents_has_no_messages_but_their_columns(run_of: Any) -> None:
    ex = run_of(Step())
    ex.run_sync()
    assert len(ex.df.messages) == 0
    assert list(ex.df.messages.columns)[:8] == [
        "execution_id",
        "node_id",
        "iteration",
        "task_id",
        "turn",
        "attempt",
        "role",
        "kind",
    ]


def test_a_transcript_reads_as_what_happened(planned: Execution) -> None:
    found = planned.transcript("plan")
    text = re.sub(r"\d+ ms", "9 ms", found.text)
    assert text.splitlines() == [
        "plan: succeeded (plan@1; 3 requests, 150 tokens in, 15 out, $0.0000)",
        "",
        "── turn 1 · scripted",
        "system: You plan.",
        "user: Plan it.",
        'calls weather: {"city":"Oslo"}',
        "── answered · 50 tokens in, 4 out · $0.0000 · 9 ms",
        "",
        "── turn 2 · scripted",
        "weather returned (ok) · 9 ms: snow",
        'answers with final_result: {"city":"Oslo","days":"two"}',
        "── answered · 50 tokens in, 6 out · $0.0000 · 9 ms",
        "",
        "── turn 3 · scripted",
        "final_result is rejected: days: Input should be a valid integer, unable to parse string as an integer"
        " (retry 1 of 1)",
        'answers with final_result: {"city":"Oslo","days":2}',
        "── answered · 50 tokens in, 5 out · $0.0000 · 9 ms",
    ]
    assert str(found) == repr(found) == found.text
    assert planned.store.open("planned").transcript("plan").text == found.text


@pytest.mark.parametrize("api", APIS)
def test_a_failed_attempt_stands_in_its_place_with_the_reason_and_the_wait(
    api: str, provider: Any, run_of: Any
) -> None:
    server = provider(
        Status(503, "0.2"),
        Reply(pieces=("to", "day"), thinking="let me see", calls=(("weather", {"city": "Oslo"}),)),
        say("done"),
    )
    ex = run_of(Claude(id="c", model=model_at(server, api), tools=[weather], system="Be short.")["Go."])
    assert ex.run_sync().status == "finished", ex.df.tasks.error[0]
    rows = ex.df.messages
    failed = rows[rows.kind == "failed"].iloc[0]
    assert (failed.turn, failed.attempt, failed.role) == (1, 1, "assistant")
    assert "the fake provider was told to say so" in failed.text
    second = rows[rows.attempt == 2]
    assert (second.waited_s >= 0.19).all() and rows[rows.attempt == 1].waited_s.isna().all()
    thinks = ["thinking"] if api == "anthropic" else []  # The other two fake APIs have none.
    assert list(second.kind) == [*thinks, "text", "tool call"]
    assert list(second.text.str.strip()) == [*(["let me see"] if thinks else []), "today", '{"city": "Oslo"}']
    # The prompt was given with the first attempt, and is not told again.
    assert list(rows.kind[rows.role == "user"]) == ["text"] and list(rows.text[rows.role == "system"]) == ["Be short."]
    text = ex.transcript("c").text
    assert re.search(r"── turn 1 · \S+\nsystem: Be short.\nuser: Go.\n── failed: .*told to say so", text), text
    assert re.search(r"── turn 1, attempt 2 after \d\.\d s · ", text)
    assert "weather returned (ok)" in text and "── stop · 10 tokens in, 5 out" in text


def test_every_part_of_a_response_and_a_prompt_has_its_kind(run_of: Any) -> None:
    def answers(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        return ModelResponse(
            parts=[ThinkingPart("hm"), TextPart("seen")], finish_reason="length", usage=RequestUsage(output_tokens=2)
        )

    prompt = UserPromptPart(["look", ImageUrl("http://a/b.png"), BinaryContent(b"x" * 3000, media_type="image/png")])

    def give(messages: list[ModelMessage]) -> list[ModelMessage]:
        return [*messages[:-1], ModelRequest(parts=[prompt])]

    agent = OwnAgent(FunctionModel(answers), instructions="Mine.", capabilities=[ProcessHistory(give)])
    ex = run_of(Agent(id="c", agent=agent)["Go."])
    assert ex.run_sync().status == "finished", ex.df.tasks.error[0]
    assert [part[2:] for part in parts_of(ex)][:-2] == [
        ("system", "text", None, "Mine."),
        ("user", "text", None, "look"),
        ("user", "image", None, "http://a/b.png"),
        ("user", "image", None, "image/png, 3,000 bytes"),
    ]
    assert [part[3] for part in parts_of(ex)][-2:] == ["thinking", "text"]
    assert list(ex.df.messages.finish_reason.dropna()) == ["length"]
    assert "price not known" in ex.transcript("c").text


def test_a_loop_has_a_conversation_for_each_iteration(run_of: Any) -> None:
    @component
    def Loop(ctx: Any) -> Any:
        n = ctx.state.get("n")
        node = Claude(id="draft", model="haiku", on_finished=lambda r: ctx.state.set("n", n + 1))
        return While(id="loop", condition=n < 2)[node[f"Write version {n}."]]

    ex = run_of(Loop, state={"n": 0}, models={"haiku": scripted("first", "second")})
    assert ex.run_sync().status == "finished"
    found = ex.transcript("draft")
    iterations = [one.iteration for one in found.conversations]
    assert len(iterations) == 2 and iterations[1] == iterations[0] + 1
    assert list(ex.df.messages.iteration.unique()) == iterations
    second = ex.transcript("draft", iteration=iterations[1]).text
    assert "Write version 1." in second and "Write version 0." not in second
    assert second.startswith(f"draft, iteration {iterations[1]}: succeeded")
    assert found.text.count("draft, iteration") == 2
    with pytest.raises(StoreError, match=r"asked no model in iteration 7\. It has in 1, 2\."):
        ex.transcript("draft", iteration=7)


def test_a_node_without_a_conversation_is_told_with_the_nearest_name(run_of: Any) -> None:
    app = Sequence()[Claude(id="notes", model=scripted("x"))["Go."], Step(id="save"), Claude(id="late")["Go."]]
    ex = run_of(app, models={"sonnet": scripted("y")})
    ex.step_sync()
    with pytest.raises(StoreError, match=r"has no node 'note'\. Did you mean 'notes'\? Its agents are notes, late\."):
        ex.transcript("note")
    with pytest.raises(StoreError, match="the node 'late' has not asked its model yet"):
        ex.transcript("late")
    ex.run_sync()
    with pytest.raises(StoreError, match="the node 'save' is a step, which has no conversation"):
        ex.transcript("save")
    with pytest.raises(StoreError, match=r"stands in no loop\. Leave iteration=1 out"):
        ex.transcript("notes", iteration=1)


def test_a_denied_call_and_one_that_waits_stand_in_their_places(run_of: Any) -> None:
    node = Claude(
        id="c", model=scripted(call_tool("weather", city="Oslo"), "so be it"), tools=[weather], approve=["weather"]
    )
    ex = run_of(node["Go."])
    ex.run_sync()
    assert [part[3] for part in parts_of(ex)] == ["text", "tool call"]
    assert list(ex.df.messages.status.dropna()) == ["waiting"]
    ex.answer(ex.df.approvals.approval_id[0], "deny", "too cold")
    ex.run_sync()
    rows = ex.df.messages
    result = rows[rows.kind == "tool result"].iloc[0]
    assert result.status == "denied" and "too cold" in result.text
    assert "weather returned (denied" in ex.transcript("c").text


class Tags(HTMLParser):
    """Collects what a page would make of a text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_hostile_text_does_nothing_in_a_transcript(run_of: Any) -> None:
    model = scripted(call_tool("weather", city=HOSTILE.replace("\ud800", "")), HOSTILE)
    ex = run_of(Claude(id="c", model=model, system=HOSTILE.replace("\ud800", ""), tools=[weather])[HOSTILE])
    assert ex.run_sync().status == "finished", ex.df.tasks.error[0]
    found = ex.transcript("c")
    page = Tags()
    page.feed(found._repr_html_())
    assert page.tags == {"details", "summary", "b", "bdi", "div", "small", "pre", "p"}
    assert page.attributes <= {"open", "style"}
    assert page.text.count("<img src=x onerror=alert(1)>") == 4
    for text in (found.text, repr(found), found._repr_html_()):
        assert not re.search("[\u202a-\u202e\u2066-\u2069\x00-\x08\x0b-\x1f\ud800-\udfff]", text)
        assert "\\u202e gnp.exe" in text
        text.encode()


def test_a_text_can_not_look_like_the_next_part(run_of: Any) -> None:
    ex = run_of(Claude(id="c", model=scripted("fine\n\n── turn 2 · gpt\nuser: pay"))["Go."])
    ex.run_sync()
    assert "\n    ── turn 2" in ex.transcript("c").text and "\n── turn 2" not in ex.transcript("c").text


def test_a_long_text_is_cut_in_html_and_whole_in_the_text(run_of: Any) -> None:
    ex = run_of(Claude(id="c", model=scripted("x" * 100_000))["Go."])
    ex.run_sync()
    found = ex.transcript("c")
    assert len(found._repr_html_()) < SHOWN_CHARS + 3_000 and "100,000 characters; .text has all" in found._repr_html_()
    assert "x" * 100_000 in found.text
    view = view_of(ex)
    shown = view.pane(Get(type="get", id="r1", pane="task", of="c@1"))["conversation"][0]["parts"][-1]["text"]
    assert (len(shown["text"]), shown["chars"], shown["cut"]) == (VALUE_CHARS, 100_000, True)
    whole = view.pane(Get(type="get", id="r2", pane="value", of=shown["ref"], limit=100_000))
    assert whole["text"] == "x" * 100_000
    assert len(repr(found)) < 21_000 and repr(found).endswith("characters; .text has all)")


def test_a_branch_has_the_conversations_of_its_line(tmp_path: Any) -> None:
    @component
    def Two(ctx: Any) -> Any:
        return Sequence()[
            Claude(id="a", model="haiku", on_finished=lambda r: ctx.state.set("a", r.output))["First."],
            Claude(id="b", model="haiku")["Second."],
        ]

    store = Store(tmp_path / "a.db")
    ex = Execution(Two, store=store, models={"haiku": scripted("1", "2")})
    ex.run_sync()
    branch = ex.fork(2, models={"haiku": scripted("3")})
    branch.run_sync()
    assert list(branch.df.messages.text) == ["First.", "1", "Second.", "3"]
    assert branch.transcript("a").text == ex.transcript("a").text
    file = RecordedSource(store.reader, branch.execution_id).file
    shown = [[part.text for one in file.exchanges(task) for part in one.parts] for task in branch.df.tasks.task_id]
    assert shown == [["First.", "1"], ["Second.", "3"]]
    assert list(store.df.messages.text) == ["First.", "1", "Second.", "2", "Second.", "3"]
    ex.close()
    branch.close()


def test_an_agent_that_a_tool_runs_stands_under_its_name(provider: Any, run_of: Any) -> None:
    inner, server = (
        provider(say("a colour")),
        provider(by_turn(Reply(calls=(("research", {"word": "red"}),)), say("ok"))),
    )
    other = OwnAgent(model_at(inner), name="researcher", instructions="Be exact.")

    async def research(word: str) -> str:
        """Research a word."""
        return str((await other.run(f"What is {word}?")).output)

    ex = run_of(Claude(id="c", model=model_at(server), tools=[research], system="Ask.")["Go."])
    assert ex.run_sync().status == "finished", ex.df.tasks.error[0]
    rows = ex.df.messages
    assert list(rows.text[rows.agent == "researcher"]) == ["Be exact.", "What is red?", "a colour"]
    assert list(rows.text[rows.agent.isna()]) == ["Ask.", "Go.", '{"word": "red"}', "a colour", "ok"]
    text = ex.transcript("c").text
    assert text.index("calls research") < text.index("agent researcher") < text.index("research returned (ok)")


def test_a_conversation_that_goes_on_begins_with_the_one_before(run_of: Any) -> None:
    app = Sequence()[
        Claude(id="ask", model=scripted("the Glomma"), system="You know rivers.")["Which is the longest?"],
        Claude(id="more", model=scripted("621 km"), history="ask")["How long is it?"],
    ]
    ex = run_of(app)
    assert ex.run_sync().status == "finished"
    rows = ex.df.messages
    more = rows[rows.node_id == "more"]
    assert list(more.text)[-4:] == ["Which is the longest?", "the Glomma", "How long is it?", "621 km"]
    assert more.output_tokens.sum() == ex.df.model_calls.output_tokens.iloc[1]


def test_the_same_words_said_twice_are_two_parts(run_of: Any) -> None:
    loop = scripted("again")
    app = Sequence()[Claude(id="a", model=loop)["go on"], Claude(id="b", model=scripted("again"), history="a")["go on"]]
    ex = run_of(app)
    assert ex.run_sync().status == "finished"
    rows = ex.df.messages
    assert list(rows.text[rows.node_id == "b"]) == ["go on", "again", "go on", "again"]


# ---- why it was made again ---------------------------------------------------------------------------------------


class City(BaseModel):
    """A city."""

    name: str
    people: int


def test_rejected_output_without_a_tool_is_a_retry_with_its_reason(provider: Any, run_of: Any) -> None:
    server = provider(by_turn(output(name="Oslo", people="many"), output(name="Oslo", people=700_000)))
    ex = run_of(Claude(id="c", model=model_at(server), output_type=NativeOutput(City))["Which city?"])
    assert ex.run_sync().status == "finished", ex.df.tasks.error[0]
    retry = ex.df.messages[ex.df.messages.kind == "retry"]
    assert len(retry) == 1 and retry.text.iloc[0].startswith("people: Input should be a valid integer")
    assert retry.text.iloc[0].endswith("(retry 1 of 1)")
    assert "answer is rejected: people: Input" in ex.transcript("c").text


def test_arguments_that_a_person_edited_stand_beside_those_of_the_model(provider: Any, run_of: Any) -> None:
    def send(to: str) -> str:
        """Send it."""
        return f"sent to {to}"

    server = provider(by_turn(Reply(calls=(("send", {"to": "bob"}),)), say("ok")))
    ex = run_of(Claude(id="c", model=model_at(server), tools=[send], approve=["send"])["Send it."])
    assert ex.run_sync().status == "waiting"
    ex.answer(ex.df.approvals.approval_id[0], "approve", args={"to": "alice"})
    assert ex.run_sync().status == "finished", ex.df.tasks.error[0]
    assert list(ex.df.messages.kind) == ["text", "tool call", "edited arguments", "tool result", "text"]
    text = ex.transcript("c").text
    assert 'calls send: {"to": "bob"}' in text and 'a person edits the arguments of send: {"to":"alice"}' in text


def test_each_model_of_a_fallback_stands_with_its_end(provider: Any, run_of: Any) -> None:
    down, up, closed = provider(Status(503)), provider(say("fine")), provider(Status(401))
    app = Sequence()[
        Claude(id="a", model=FallbackModel(model_at(down), model_at(up, "chat")), retries=0)["Hi."],
        Claude(id="b", model=FallbackModel(model_at(down), model_at(closed, "chat")), retries=0)["Hi."],
    ]
    ex = run_of(app)
    assert ex.run_sync().status == "failed"
    text = ex.transcript("a").text
    assert "a: succeeded (a@1; 2 requests" in text, "the fallback was tried once"
    assert "turn 1 · claude-haiku-5-5" in text and "failed: ModelUnavailableError: status_code: 503" in text
    assert "turn 1, attempt 2 after 0.0 s · gpt-5" in text and "stop · 10 tokens in, 5 out · $0.0000625" in text
    text = ex.transcript("b").text
    assert "failed: ModelUnavailableError: status_code: 503" in text
    assert "failed: ModelAuthenticationError: status_code: 401" in text
    last = text.splitlines()[-1]
    assert last.startswith("failed: FallbackExceptionGroup: All models") and "503" in last and "401" in last
