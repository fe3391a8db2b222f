"""Agents in the page: approve and deny a tool, the streaming tail, attempts, the countdown, the rate window."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.stepping import HOSTILE, Stepper

LOAD = """%load_ext smithers_nb
import asyncio
from pydantic_ai import ApprovalRequired, RunContext
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.messages import ModelResponse, TextPart
from pydantic_ai.models.function import FunctionModel
from smithers_nb import call_tool"""

ASKS = (
    """%%smithers asks
HOSTILE = """
    + repr(HOSTILE)
    + """
done = []

def change(ctx: RunContext, path: str) -> str:
    if not ctx.tool_call_approved:
        raise ApprovalRequired({"diff": f"@@ {path} @@\\n-old {HOSTILE}\\n+new {HOSTILE}\\n"})
    done.append(path)
    return f"{path} is changed"

def remove(path: str) -> str:
    done.append(f"removed {path}")
    return "gone"

def look(path: str) -> str:
    return "it is there"

model = scripted(
    [call_tool("look", path="a"), call_tool("change", path="a"), call_tool("remove", path=HOSTILE)],
    lambda told: f"I was told: {told}",
)

@component
def Asks(ctx):
    return <Claude id="c" model={model} tools={[look, change, remove]} approve={["rem*"]}
                   on_finished={lambda r: ctx.state.set("said", r.output)}>Tidy up.</Claude>"""
)


def test_a_person_looks_at_tool_calls_and_approves_one_and_denies_another(lab):
    notebook = lab([LOAD, ASKS, "(asks.state['said'], done)"])
    for cell in (0, 1):
        notebook.run_cell(cell)
    stepper = Stepper(notebook.page, "asks")
    stepper.button("Until idle").click()
    stepper.wait(status="waiting")
    row = stepper.grid("Tasks").locator("tbody").filter(has_text="claude #c")
    expect(row).to_contain_text("blocked")
    expect(row).to_contain_text('c wants to call change with {"path":"a"}')
    expect(row.get_by_role("button", name="approve")).to_have_count(0)  # Not before it was looked at.
    row.get_by_role("button", name="look and answer").first.click()

    pane = stepper.region.get_by_role("tabpanel", name="Task", exact=True)
    change = pane.get_by_role("group", name=re.compile("wants to call change"))
    diff = change.get_by_role("region", name="Diff")
    expect(diff).to_contain_text(f"-old {HOSTILE}")
    expect(diff.locator("[data-sign=added]")).to_have_text(f"+new {HOSTILE}")
    expect(change).to_contain_text('"path":"a"')
    remove = pane.get_by_role("group", name=re.compile("wants to call remove"))
    expect(remove).to_contain_text("<img src=x onerror=alert(1)>")
    calls = pane.get_by_role("grid", name="Tool calls")
    expect(calls.locator("tbody").filter(has_text="look")).to_contain_text("it is there")
    expect(calls.locator("tbody").filter(has_text="change")).to_contain_text("waiting")
    notebook.shot("approve.png")

    remove.get_by_label("Comment").fill(f"no {HOSTILE}")
    remove.get_by_role("button", name="deny").click()
    expect(remove).to_contain_text(f"answered: deny – no {HOSTILE}")
    assert stepper.region.get_attribute("data-status") == "waiting"
    change.get_by_role("button", name="approve").click()
    expect(change).to_contain_text("answered: approve")
    stepper.button("Until idle").click()
    stepper.wait(status="finished")
    for tool, words in (("look", "ok"), ("change", "a is changed"), ("remove", f"no {HOSTILE}")):
        expect(calls.locator("tbody").filter(has_text=tool).first).to_contain_text(words)
    expect(calls.locator("tbody").filter(has_text="change")).to_contain_text("ok")
    expect(pane).to_contain_text(re.compile(r"\d ms|With more room: Time"))
    notebook.shot("approved.png")
    notebook.run_cell(2)
    assert "['a']" in notebook.text(2) and "I was told: no <img" in notebook.text(2)
    assert notebook.page.locator("img[src=x]").count() == 0


EDITED = """%%smithers edits
from pydantic_ai import CallDeferred
sent = []

def send(to: str, copies: int = 1) -> str:
    sent.append((to, copies))
    return f"sent to {to}"

def measure(sample: str) -> str:
    raise CallDeferred

model = scripted(call_tool("send", to="all"), call_tool("measure", sample="a"), lambda told: f"it is {told}")

@component
def Edits(ctx):
    return <Claude id="c" model={model} tools={[send, measure]} approve={["send"]}
                   on_finished={lambda r: ctx.state.set("said", r.output)}>Send it.</Claude>"""


def test_a_person_edits_the_arguments_before_approving_and_gives_the_result_of_a_call_made_elsewhere(lab):
    notebook = lab([LOAD, EDITED, "(edits.state['said'], sent)"])
    for cell in (0, 1):
        notebook.run_cell(cell)
    stepper = Stepper(notebook.page, "edits")
    stepper.button("Until idle").click()
    stepper.wait(status="waiting")
    row = stepper.grid("Tasks").locator("tbody").filter(has_text="claude #c")
    row.get_by_role("button", name="look and answer").first.click()
    pane = stepper.region.get_by_role("tabpanel", name="Task", exact=True)
    send = pane.get_by_role("group", name=re.compile("wants to call send"))
    args = send.get_by_label("Arguments (JSON)")
    expect(args).to_have_value('{\n  "to": "all"\n}')
    args.fill('{"to": 5}')
    send.get_by_role("button", name="approve").click()
    expect(stepper.region.get_by_role("alert")).to_contain_text("args['to']: 5 is not of type 'string'", timeout=60_000)
    args.fill('{"to": "me", "copies": 2}')
    notebook.shot("edit_arguments.png")
    send.get_by_role("button", name="approve").click()
    expect(send).to_contain_text("answered: approve")
    expect(send).to_contain_text("with")
    expect(send.locator("code").last).to_contain_text('"copies": 2')
    stepper.button("Until idle").click()
    stepper.wait(status="waiting")
    measure = pane.get_by_role("group", name=re.compile("waits for the result of measure"))
    expect(measure.get_by_role("button", name="fail")).to_be_visible()
    measure.get_by_label("Result (JSON)").fill('{"salt": 3.5}')
    notebook.shot("give_result.png")
    measure.get_by_role("button", name="result").click()
    expect(measure).to_contain_text("answered: result")
    stepper.button("Until idle").click()
    stepper.wait(status="finished")
    notebook.shot("edited.png")
    notebook.run_cell(2)
    assert "[('me', 2)]" in notebook.text(2) and "3.5" in notebook.text(2)


STREAM = """%%smithers streams
TOKENS, PAUSE_S, AGENTS = {tokens}, {pause_s}, 20
from time import monotonic
from smithers_nb.notebook.stepper import Stepper as _S
send, pushes = _S.send_state, []
def counted(self, key=None):
    pushes.append(monotonic())
    return send(self, key)
_S.send_state = counted

async def stream(messages, info):
    for n in range(TOKENS):
        yield f"w{{n}} "
        if PAUSE_S:
            await asyncio.sleep(PAUSE_S)
    yield {hostile!r}

streaming = FunctionModel(stream_function=stream)

@component
def Streams(ctx):
    return (
        <Parallel>
            {{[<Claude id={{f"s{{n}}"}} model={{streaming}}>Write a lot.</Claude> for n in range(AGENTS)]}}
        </Parallel>
    )"""

COUNTED = """pieces = streams.df.stream_events
worst = max((sum(1 for other in pushes if at <= other < at + 1) for at in pushes), default=0)
whole = all("".join(of.payload).startswith("w0 w1 ") and len(of) == TOKENS + 1 for _, of in pieces.groupby("task_id"))
print("pieces", len(pieces), "whole", whole, "pushes", len(pushes), "worst", worst)"""


@pytest.mark.parametrize(("tokens", "pause_s"), [(150, 0.05), pytest.param(5000, 0.0, marks=pytest.mark.long)])
def test_the_tail_is_seen_while_models_stream_and_pause_works_meanwhile(tokens, pause_s, lab):
    notebook = lab([LOAD, STREAM.format(tokens=tokens, pause_s=pause_s, hostile=HOSTILE), COUNTED])
    for cell in (0, 1):
        notebook.run_cell(cell)
    stepper = Stepper(notebook.page, "streams")
    stepper.button("Until idle").click()
    row = stepper.grid("Tasks").locator("tbody").filter(has_text="claude #s0")
    expect(row).to_contain_text(re.compile(r"w\d+ w\d+"), timeout=30_000)
    expect(row).to_contain_text("running")
    notebook.shot("streaming.png")
    stepper.button("Pause").click()
    stepper.wait(status="paused")
    seen = row.inner_text()
    expect(row).not_to_have_text(seen, timeout=60_000)  # The models go on.
    stepper.button("Until idle").click()
    expect(stepper.region).to_have_attribute("data-status", "finished", timeout=240_000)
    expect(row).to_contain_text("succeeded")
    notebook.run_cell(2)
    found = re.search(r"pieces (\d+) whole (\w+) pushes (\d+) worst (\d+)", notebook.text(2))
    assert found is not None, notebook.text(2)
    assert (int(found[1]), found[2]) == (20 * (tokens + 1), "True")
    assert int(found[3]) > 5 and int(found[4]) <= 10, found[0]
    row.get_by_role("button", name="claude #s0", exact=True).click()


RETRIES = """%%smithers retries
left = [ModelHTTPError(503, "m", None, headers={"retry-after": "9"}), ModelHTTPError(429, "m", None, headers={"retry-after": "8"})]
windows = []

def answer(messages, info):
    if left:
        raise left.pop()
    return ModelResponse(parts=[TextPart("at last")])

@component
def Retries(ctx):
    return <Claude id="again" model={FunctionModel(answer, model_name="busy")}
                   on_finished={lambda r: ctx.state.set("said", r.output)}>Go.</Claude>"""


def test_a_blocked_retry_counts_down_with_its_attempt_and_the_rate_window(lab):
    notebook = lab([LOAD, RETRIES, "retries.df.tasks[['attempt', 'status']].values.tolist()"])
    for cell in (0, 1):
        notebook.run_cell(cell)
    stepper = Stepper(notebook.page, "retries")
    stepper.button("Until idle").click()
    grid = stepper.grid("Tasks")
    row = grid.locator("tbody").filter(has_text="claude #again")
    expect(row).to_contain_text(re.compile(r"next in \d s, reason rate_limit"), timeout=60_000)
    expect(row).to_contain_text("blocked")
    pane = stepper.region.get_by_role("tabpanel", name="Tasks", exact=True)
    expect(pane).to_contain_text(re.compile(r"function:busy refused 1 request: nobody asks for \d s, then one each"))
    first = int(re.search(r"next in (\d+) s", row.inner_text())[1])
    notebook.shot("countdown.png")
    # Without a message from the kernel; a busy machine may miss a second.
    expect(row).to_contain_text(re.compile(f"next in [1-{first - 2}] s"))
    expect(row).to_contain_text(re.compile(r"attempt 2/4, next in \d s, reason retry"), timeout=60_000)
    expect(stepper.node("again")).to_contain_text("next in")
    row.get_by_role("button", name="Retry again").click()
    stepper.wait(status="finished")
    expect(row).to_contain_text("3/4")
    notebook.run_cell(2)
    assert "[[3, 'succeeded']]" in notebook.text(2)
