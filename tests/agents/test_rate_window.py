"""A provider that takes so many requests a second: its limit is shared by all agents, and costs few requests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from smithers_nb import Claude, Parallel
from tests.agents.conftest import Background, model_at
from tests.agents.fake_replies import Status, say

AMPLIFICATION = 1.2
"""How many requests are made at most for each that is needed."""


def agents(model: Any, count: int, **props: Any) -> Any:
    return Parallel()[[Claude(id=f"c{n}", model=model, **props)[f"number {n}"] for n in range(count)]]


@pytest.mark.parametrize(
    ("count", "per_second", "retry_after"),
    [
        (40, 10, "1"),
        pytest.param(50, 5, "1", marks=pytest.mark.long),
        pytest.param(50, 5, None, marks=pytest.mark.long),
        pytest.param(50, 5, "0.25", marks=pytest.mark.long),
    ],
)
def test_many_agents_at_a_limit_make_few_requests_too_many(
    count: int, per_second: int, retry_after: str | None, provider: Any, run_of: Any
) -> None:
    server = provider(lambda asked: say("you said ", asked.prompt), per_second=per_second, retry_after=retry_after)
    ex = run_of(agents(model_at(server), count))
    assert ex.run_sync().status == "finished"
    assert set(ex.df.tasks.status) == {"succeeded"}
    assert set(ex.df.tasks.result) == {f"you said number {n}" for n in range(count)}
    refused = server.statuses.count(429)
    seconds = server.requests[-1].at - server.requests[0].at
    print(
        f"\n{count} agents, {per_second} a second: {len(server.requests)} requests, {refused} refused, {seconds:.1f} s"
    )
    assert server.statuses.count(200) == count
    assert len(server.requests) <= AMPLIFICATION * count
    assert len(ex.df.model_calls) == len(server.requests), "those that were refused have their rows, too"
    least = count / per_second - 1
    assert seconds < 4 * least + 5, "a window that is not used up is time lost"


def test_one_refusal_holds_back_the_others(provider: Any, run_of: Any) -> None:
    """While the provider has asked us to wait, no agent asks it."""
    server = provider(Status(429, "1"), say("ok"))
    ex = run_of(agents(model_at(server), 12))
    assert ex.run_sync().status == "finished"
    refused = server.requests[0]
    # Those under way at that moment have been sent already.
    early = [entry for entry in server.requests[1:] if 0.5 < entry.at - refused.at < 0.95]
    assert early == []
    assert server.statuses.count(200) == 12


def test_another_provider_is_not_held_back(provider: Any, run_of: Any, wait_until: Any) -> None:
    limited, free = provider(Status(429, "3600")), provider(say("ok"))
    ex = run_of(
        Parallel()[
            Claude(id="limited", model=model_at(limited, "anthropic"))["a"],
            Claude(id="free", model=model_at(free, "chat"))["b"],
        ]
    )
    run = Background(ex)
    wait_until(lambda: ex.tasks.get("limited") == "blocked" and ex.tasks.get("free") == "succeeded")
    [row] = ex.df.tasks[ex.df.tasks.node_id == "limited"].to_dict("records")
    assert row["reason"] == "rate_limit"
    assert len(limited.requests) == 1
    ex.pause()
    run.ended()


@pytest.mark.long
def test_two_processes_on_one_file_share_the_window(provider: Any, run_of: Any, tmp_path: Path) -> None:
    count, per_second = 20, 5
    server = provider(lambda asked: say("ok"), per_second=per_second)
    ex = run_of(agents(model_at(server), count))
    other = subprocess.Popen(
        [sys.executable, "-c", OTHER, server.anthropic_url, str(tmp_path / "t.db"), str(count)],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
    )
    server.wait_for(lambda requests: len(requests) >= 1, 60)
    assert ex.run_sync().status == "finished"
    assert other.communicate(timeout=60)[0].strip() == "finished"
    print(f"\n{len(server.requests)} requests of two processes, {server.statuses.count(429)} refused")
    assert server.statuses.count(200) == 2 * count
    assert len(server.requests) <= AMPLIFICATION * 2 * count


OTHER = """
import sys
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from smithers_nb import Claude, Execution, Parallel
url, file, count = sys.argv[1:]
model = AnthropicModel("claude-haiku-5-5", provider=AnthropicProvider(base_url=url, api_key="x"))
app = Parallel()[[Claude(id=f"o{n}", model=model)[f"other {n}"] for n in range(int(count))]]
with Execution(app, store=file, name="other") as ex:
    print(ex.run_sync().status)
"""
