"""Why something happened, or did not: pending writes, conflicts, handlers that raised, were stale or never fired."""

from __future__ import annotations

import json

from playwright.sync_api import expect

from tests.browser.stepping import Stepper

CAUSES = """%%smithers causes
gate = asyncio.Event()

def broken(result, ctx):
    print("about to break")
    ctx.state.set("lost", 1)
    raise ValueError("no luck")

@component
def Causes(ctx):
    ctx.state.init("same", 0)
    gone = ctx.state.get("x") == 2
    return (
        <Parallel>
            <Task id="a" run={lambda: 1} on_finished={lambda r: (ctx.state.set("x", 1), ctx.state.set("same", 0))}/>
            <Task id="b" run={lambda: 2} on_finished={lambda r: ctx.state.set("x", 2)}/>
            <Task id="bad" run={lambda: 3} on_finished={broken}/>
            <Task id="quiet" run={lambda: 4} on_error={lambda e: None}/>
            {None if gone else <Task id="slow" run={gate.wait} on_finished={lambda r: ctx.state.set("late", 1)}/>}
        </Parallel>
    )"""

LOOK = """import json
print(json.dumps({"transitions": causes.df.transitions[["key", "new", "origin", "status"]].values.tolist(),
                  "state": dict(causes.state)}))"""


def test_writes_show_their_order_what_loses_and_what_changes_nothing_and_can_be_edited_and_dropped(lab):
    notebook = lab(["%load_ext smithers_nb\nimport asyncio", CAUSES, LOOK, "causes.step_sync(); None"])
    for cell in (0, 1):
        notebook.run_cell(cell)
    stepper = Stepper(notebook.page, "causes")
    stepper.step(1)
    notebook.evaluate("__import__('time').sleep(0.3)")  # The three quick tasks end.
    stepper.step(2)

    writes = stepper.grid("Pending writes")
    rows = writes.locator("tbody")
    expect(rows).to_have_count(4)
    for order, (key, status) in enumerate([("x", ""), ("same", "no-op"), ("x", ""), ("lost", "rolled back")]):
        expect(rows.nth(order).get_by_role("gridcell").nth(0)).to_have_text(str(order + 1))
        expect(rows.nth(order).get_by_role("gridcell").nth(1)).to_have_text(key)
        expect(rows.nth(order)).to_contain_text(status)
    expect(rows.nth(0)).to_contain_text("overridden by")
    expect(rows.nth(0)).to_contain_text("Causes")  # Who reads the key.

    # A write leads to the handler call that made it; one that raised says what was rolled back.
    rows.nth(3).get_by_role("button", name="handler on_finished").click()
    handlers = stepper.region.get_by_role("grid", name="Handlers", exact=True)
    selected = handlers.locator("[aria-selected=true]")
    expect(selected).to_contain_text("raised: 1 write rolled back")
    expect(handlers).to_contain_text("ValueError: no luck")
    expect(stepper.region.get_by_role("grid", name="Never fired")).to_contain_text("quiet")

    # Edit and drop before FLUSH; an error in the value is shown where it is typed.
    stepper.tab("Pending writes")
    rows.nth(2).get_by_role("gridcell").nth(2).click()
    stepper.press("e")
    field = stepper.region.get_by_role("textbox", name="New value of x")
    expect(field).to_be_focused()
    field.fill("{no json")
    notebook.page.keyboard.press("Enter")
    expect(rows.nth(2).get_by_role("alert")).not_to_be_empty()
    field.fill('"mine"')
    notebook.page.keyboard.press("Enter")
    expect(field).to_have_count(0)
    expect(rows.nth(2)).to_contain_text("edited")
    expect(rows.nth(2)).to_contain_text('"mine"')
    rows.nth(2).get_by_role("button", name="operator on_finished").click()  # Edited: it leads to where it came from.
    expect(selected).to_contain_text("on_finished")
    expect(selected.get_by_role("button", name="task #b", exact=True)).to_be_visible()
    stepper.tab("Pending writes")
    stepper.region.get_by_role("button", name="Drop same").click()
    expect(writes).to_contain_text("dropped")
    notebook.shot("pending.png")

    stepper.button("Step phase").click()
    stepper.wait(phase="FLUSH")
    notebook.run_cell(2)
    found = json.loads(notebook.text(2))
    assert found["state"] == {"same": 0, "x": "mine"}
    assert ["x", "mine", "operator", "edited"] in found["transitions"]
    expect(writes).to_contain_text("overridden")


def test_a_problem_leads_to_its_node_frame_and_line_and_earlier_frames_stay(lab):
    notebook = lab(["%load_ext smithers_nb\nimport asyncio", CAUSES, "causes.step_sync(); None", "gate.set()"])
    for cell in (0, 1):
        notebook.run_cell(cell)
    stepper = Stepper(notebook.page, "causes")
    stepper.step(1)
    notebook.evaluate("__import__('time').sleep(0.3)")
    stepper.step(2)
    output = stepper.grid("Output")
    expect(output).to_contain_text("about to break")
    expect(output).to_contain_text("EXECUTE")
    problems = stepper.grid("Problems")
    row = problems.locator("tbody").first
    for text in ("HandlerError", "no luck", "bad", "EXECUTE", "f2"):
        expect(row).to_contain_text(text)

    # The node in the plan, the frame, and the line in the cell.
    row.get_by_role("button", name="task #bad", exact=True).click()
    expect(stepper.node("bad")).to_have_attribute("aria-selected", "true")
    stepper.step(3)
    problems.get_by_role("button", name="f2").first.click()
    stepper.wait(cursor=2)
    expect(stepper.region.get_by_role("tree", name="Plan")).to_contain_text("slow")
    stepper.press("End")
    stepper.wait(cursor="live")
    problems.get_by_role("button", name="causes:").first.click()
    page = notebook.page
    page.wait_for_function("() => window.jupyterapp.shell.currentWidget.content.activeCellIndex === 1")
    page.wait_for_function("() => getSelection().anchorNode?.parentElement?.closest('.cm-line')?.textContent.trim()")
    line = page.evaluate("() => getSelection().anchorNode.parentElement.closest('.cm-line').textContent")
    assert "raise ValueError" in line or "def broken" in line or 'id="bad"' in line, line

    # Its node is gone, and then its task ends: the result is stale.
    expect(stepper.node("slow")).to_have_attribute("data-change", "removed")
    stepper.tab("Tasks")
    expect(stepper.region.get_by_role("grid", name="Tasks")).to_contain_text("cancelled")
