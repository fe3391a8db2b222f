"""Until idle says why it stopped; Stop works whatever happens; a late result is told; looking changes nothing."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import expect

from tests.browser.stepping import Stepper

ENDS = {
    "idle": ("<Task id='a' run={lambda: 1}/>", "", "finished", "the execution is finished (nothing is left to do)"),
    "error": ("<Task id='a' run={lambda: 1 / 0}/>", "", "paused", "Stopped: frame 2 has a problem: TaskError: task a failed"),
    "approval": ("<Approval id='ok' prompt='Go on?'/>", "", "waiting", "Waiting for a person: ok."),
    "frames": ("<Step name={tick(ctx)}/>", "max_frames=5", "paused", "Stopped: max_frames=5 were rendered"),
    "cost": ("<Sequence><Claude id='a' model={dear}>1</Claude><Claude id='b' model={dear}>2</Claude></Sequence>", "limits={'cost_usd': 0.5}", "paused", "limit: cost_usd"),
    "breakpoint": ("<Task id='a' run={lambda: 1}/>", "", "paused", "Stopped: task a was mounted"),
}  # fmt: skip
"""Why it stops: what is rendered, options of the execution, the status then, and what the sentence says."""

SETUP = """%load_ext smithers_nb
from pydantic_ai.messages import ModelResponse, TextPart
from pydantic_ai.models.function import FunctionModel
from pydantic_ai.usage import RequestUsage
dear = FunctionModel(lambda messages, info: ModelResponse(
    parts=[TextPart("x")], usage=RequestUsage(input_tokens=100_000, output_tokens=100_000),
    model_name="gpt-4o", provider_name="openai"), model_name="gpt-4o")

def tick(ctx):
    n = ctx.state.get("n") or 0
    ctx.use_effect("tick", [n], lambda: ctx.state.set("n", n + 1))
    return str(n)"""

CELL = """%%smithers app_of_{name} --quiet
@component
def App(ctx):
    return {app}
{name} = Execution(App, name="{name}", {options})"""


def test_until_idle_says_why_it_stopped(lab):
    apps = [CELL.format(name=name, app=app, options=options) for name, (app, options, _, _) in ENDS.items()]
    notebook = lab([SETUP, *apps, "breakpoint.breakpoints.add(node='a')", *(f"Stepper({name})" for name in ENDS)])
    for cell in range(len(apps) + 2):
        notebook.run_cell(cell)
    for cell, (name, (_, _, status, words)) in enumerate(ENDS.items(), len(apps) + 2):
        notebook.run_cell(cell)
        stepper = Stepper(notebook.page, name)
        stepper.button("Until idle").click()
        stepper.wait(status=status)
        expect(stepper.status).to_contain_text(words, timeout=60_000)
        if status == "paused":
            expect(stepper.button("Until idle")).not_to_have_attribute("aria-disabled", "true")


FLOOD = """%%smithers flood
@component
def Flood(ctx):
    n = ctx.state.get("n") or 0
    print("frame", n)
    ctx.use_effect("tick", [n], lambda: [ctx.state.set(f"k{i}", n) for i in range(20)] and ctx.state.set("n", n + 1))
    return <Parallel>{[<Task key={f"{n} {i}"} run={lambda: print(i)} on_finished={lambda r: None}/> for i in range(5)]}</Parallel>"""


@pytest.mark.parametrize("call", ["flood.run_sync(max_frames=1_000_000)", "await flood.run(max_frames=1_000_000)"])
def test_stop_works_under_a_flood_of_frames_writes_prints_and_tasks(lab, call):
    notebook = lab(["%load_ext smithers_nb", FLOOD, f"result = {call}\nprint(result.status)", "flood.status"])
    for cell in (0, 1):
        notebook.run_cell(cell)
    stepper = Stepper(notebook.page, "flood")
    notebook.start_cell(2)
    stepper.wait(status="running")
    expect(stepper.region).to_have_attribute("data-frame", re.compile(r"\d\d"), timeout=60_000)
    stepper.button("Stop").click()
    sure = stepper.region.get_by_role("button", name="Stop now")
    if sure.count():
        sure.click()
    stepper.wait(status="stopped")
    notebook.wait_cell(2)
    assert "stopped" in notebook.text(2)
    assert notebook.evaluate("flood.running") == "0"
    expect(stepper.status).to_contain_text("Stopped after frame")


LATE = """%%smithers late
import threading
gate = threading.Event()

@component
def Late(ctx):
    if ctx.state.get("off"):
        return <Step name="gone"/>
    return <Task id="slow" run={lambda: gate.wait(60) and "too late"} on_finished={lambda r: ctx.state.set("x", r.output)}/>"""


def test_a_result_that_comes_too_late_is_told_as_stale_and_changes_nothing(lab):
    cells = ["%load_ext smithers_nb", LATE, "late.state.set('off', True)", "gate.set()", "dict(late.state)"]
    notebook = lab(cells)
    for cell in (0, 1):
        notebook.run_cell(cell)
    stepper = Stepper(notebook.page, "late")
    stepper.step(1)
    notebook.run_cell(2)
    stepper.step(2)
    expect(stepper.node("slow")).to_have_attribute("data-change", "removed")
    notebook.run_cell(3)
    handlers = stepper.grid("Handlers")
    row = handlers.get_by_role("row").filter(has_text="slow")
    expect(row).to_contain_text("stale: suppressed", timeout=60_000)
    expect(row).to_contain_text("on_finished")
    tasks = stepper.grid("Tasks")
    expect(tasks).to_contain_text("succeeded")
    stepper.button("Until idle").click()
    stepper.wait(status="finished")
    notebook.shot("stale.png")
    notebook.run_cell(4)
    assert notebook.text(4).strip() == "{'off': True}"


TWINS = """%%smithers {name}
@component
def App(ctx):
    n = ctx.state.get("n") or 0
    ctx.use_effect("tick", [n], lambda: ctx.state.set("n", n + 1) if n < 3 else None)
    return <Step name={{str(n)}}/>"""

COMPARE = """import json
def seen(ex):
    return {
        "frames": ex.df.frames[["frame", "reason", "mounted", "updated", "writes", "handlers"]].values.tolist(),
        "transitions": ex.df.transitions[["frame", "key", "old", "new", "status", "origin"]].values.tolist(),
        "reads": ex.df.reads[["component", "key", "from_frame"]].values.tolist(),
        "state": dict(ex.state),
    }
print(json.dumps([seen(plain) == seen(looked), seen(looked)["state"], len(looked.breakpoints.list()), looked.breakpoints.list()[0].hits]))"""


def test_evaluating_an_expression_changes_nothing_of_the_run(lab):
    notebook = lab(["%load_ext smithers_nb", TWINS.format(name="plain"), TWINS.format(name="looked"), COMPARE])
    for cell in (0, 1, 2):
        notebook.run_cell(cell)
    plain, looked = Stepper(notebook.page, "plain"), Stepper(notebook.page, "looked")
    looked.tab("Breakpoints")
    form = looked.region.get_by_role("form", name="New breakpoint")
    field = form.get_by_role("textbox", name="Expression")
    for bad in ("state.pop('n')", "state['n'].append(1)", "exec('1')", "(lambda: 1)()", "[n := 1]", "state.n = 3"):
        field.fill(bad)
        expect(form.get_by_role("alert")).not_to_be_empty()
    field.fill("state.n >= 0 or len(writes) > 99 or prev.n == 7 or frame > 99")
    form.get_by_label("log only").check()
    field.press("Enter")
    expect(looked.region.get_by_role("grid", name="Breakpoints")).to_contain_text("state.n")
    for stepper in (plain, looked):
        stepper.button("Until idle").click()
        stepper.wait(status="finished")
    notebook.run_cell(3)
    same, state, points, hits = json.loads(notebook.text(3))
    assert (same, state, points) == (True, {"n": 3}, 1)
    assert hits > 0
