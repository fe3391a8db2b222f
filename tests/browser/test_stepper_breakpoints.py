"""Breakpoints and watchpoints: set where the thing is, checked when entered, and explaining themselves when they hit."""

from __future__ import annotations

import json

from playwright.sync_api import expect

from tests.browser.stepping import REPORT, Stepper


def test_breakpoints_are_set_by_a_click_on_what_they_are_about_and_a_hit_explains_itself(lab):
    notebook = lab(["%load_ext smithers_nb", REPORT, "report.breakpoints"])
    for cell in (0, 1):
        notebook.run_cell(cell)
    stepper = Stepper(notebook.page, "report")
    plan = stepper.region.get_by_role("tree", name="Plan")

    # A node, before anything has run.
    plan.locator("[data-node-id=draft]").hover()
    stepper.dot("Breakpoint on draft").click()
    expect(stepper.dot("Breakpoint on draft")).to_have_attribute("aria-pressed", "true")
    grid = stepper.grid("Breakpoints")
    expect(grid).to_contain_text("draft")
    stepper.button("Continue").click()
    stepper.wait(frame=1, phase="RECONCILE", status="paused")
    expect(stepper.status).to_contain_text("Stopped: claude draft was mounted")
    expect(stepper.region.get_by_role("grid", name="Hits")).to_contain_text("f1 · RECONCILE")
    for frame in (1, 2, 3):
        stepper.step(frame)
    slider = stepper.region.get_by_role("slider", name="Timeline")
    slider.focus()
    notebook.page.keyboard.press("Home")
    expect(slider).to_have_attribute("aria-valuetext", "frame 1 of 3, 0 writes, 1 breakpoint hit")
    notebook.page.keyboard.press("End")
    notebook.shot("hit.png")

    # A phase, a key and a handler, where they stand.
    stepper.region.get_by_role("listitem", name="FLUSH").hover()
    stepper.dot("Breakpoint on FLUSH").click()
    stepper.tab("State")
    stepper.dot("Watch notes").click()
    stepper.tab("Handlers")
    stepper.dot("Breakpoint on on_finished of draft").click()
    rows = stepper.grid("Breakpoints").get_by_role("row")
    expect(rows).to_have_count(5)
    notebook.run_cell(2)
    listed = notebook.text(2)
    for word in ("draft", "FLUSH", "notes", "on_finished"):
        assert word in listed
    for name in ("FLUSH", "notes"):
        rows.filter(has_text=name).get_by_role("button", name="Remove").click()
        expect(rows.filter(has_text=name)).to_have_count(0)
    stepper.press("c")
    stepper.wait(frame=4, status="paused")
    expect(stepper.status).to_contain_text("on_finished")

    # Back to the hit before, in the records, and forward to the edge again.
    stepper.press("Shift+C")
    stepper.wait(cursor=1)
    expect(stepper.status).to_contain_text("draft was mounted")
    stepper.press("End")
    stepper.wait(cursor="live")


def test_an_expression_is_checked_while_it_is_entered_and_has_no_side_effects(lab):
    notebook = lab(["%load_ext smithers_nb", REPORT, "json_state = dict(report.state)", "print(json_state)"])
    for cell in (0, 1):
        notebook.run_cell(cell)
    stepper = Stepper(notebook.page, "report")
    stepper.tab("Breakpoints")
    form = stepper.region.get_by_role("form", name="New breakpoint")
    field = form.get_by_role("textbox", name="Expression")
    for bad in ("state.notes ==", "__import__('os')", "state.set('x', 1)"):
        field.fill(bad)
        expect(form.get_by_role("alert")).not_to_be_empty()
    field.fill("state.notes != None")
    expect(form.get_by_role("alert")).to_be_empty()
    form.get_by_label("once").check()
    field.press("Enter")
    grid = stepper.region.get_by_role("grid", name="Breakpoints")
    expect(grid).to_contain_text("state.notes")
    expect(field).to_have_value("")

    # Another one that only logs, from its second hit on.
    form.get_by_label("Kind").select_option("error")
    form.get_by_label("Kind").select_option("phase")
    form.get_by_label("Phase").select_option("RENDER")
    form.get_by_role("textbox", name="From hit").fill("2")
    form.get_by_label("log only").check()
    form.get_by_role("button", name="Add breakpoint").click()
    expect(grid.get_by_role("row").filter(has_text="RENDER")).to_contain_text("from hit 2")

    stepper.button("Continue").click()
    stepper.wait(status="paused")
    expect(stepper.status).to_contain_text("notes")
    stopped_at = int(stepper.region.get_attribute("data-frame") or 0)
    stepper.button("Continue").click()
    stepper.wait(status="finished")
    assert stopped_at == 2  # After FLUSH, when the state has it.
    hits = stepper.region.get_by_role("grid", name="Hits")
    expect(hits).to_contain_text("(logged)")
    assert set(json.loads(notebook.evaluate("__import__('json').dumps(sorted(report.state))").strip("'"))) == {
        "notes",
        "draft",
    }


def test_the_keyboard_alone_leads_from_the_cell_to_a_hit_and_back(lab):
    notebook = lab(["%load_ext smithers_nb", REPORT, "1"])
    for cell in (0, 1):
        notebook.run_cell(cell)
    page = notebook.page
    stepper = Stepper(page, "report")
    page.evaluate(
        """() => { const nb = window.jupyterapp.shell.currentWidget.content;
        nb.activeCellIndex = 1; nb.mode = 'command'; nb.node.focus(); }"""
    )
    focus = "() => document.activeElement?.closest('.smithers-stepper') ? document.activeElement.ariaLabel : null"

    def tab_to(wanted: str) -> None:
        for _ in range(60):
            page.keyboard.press("Tab")
            if page.evaluate(focus) == wanted:
                return
        raise AssertionError(f"Tab does not lead to {wanted}")

    tab_to("Step frame")
    page.keyboard.press("ArrowRight")
    assert page.evaluate(focus) == "Step phase"
    # To the plan, down to the draft, and a breakpoint on it.
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("() => document.activeElement?.getAttribute('role')") == "treeitem":
            break
    focused = page.evaluate(node := "() => document.activeElement?.dataset.nodeId")
    while focused != "draft":
        page.keyboard.press("ArrowDown")
        # The focus follows when the page has been drawn anew.
        page.wait_for_function("before => document.activeElement?.dataset.nodeId !== before", arg=focused)
        focused = page.evaluate(node)
    page.keyboard.press("b")
    expect(stepper.dot("Breakpoint on draft")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("c")
    stepper.wait(frame=1, phase="RECONCILE", status="paused")
    expect(stepper.status).to_contain_text("Stopped: claude draft was mounted")
    # Help opens and closes, and the focus is where it was.
    page.keyboard.press("?")
    expect(stepper.region.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(stepper.region.get_by_role("dialog")).to_have_count(0)
    assert page.evaluate("() => document.activeElement?.dataset.nodeId") == "draft"
    # With nothing open Esc goes back to JupyterLab.
    page.keyboard.press("Escape")
    assert page.evaluate("() => document.activeElement?.closest('.smithers-stepper')") is None
    page.keyboard.press("ArrowDown")
    assert page.evaluate("() => window.jupyterapp.shell.currentWidget.content.activeCellIndex") == 2
