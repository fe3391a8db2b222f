"""The cursor: back and forward execute nothing, all panes show the same frame, and differences are told apart."""

from __future__ import annotations

from xml.etree import ElementTree

from playwright.sync_api import expect

from tests.browser.stepping import Stepper

SHOW = """%%smithers show
@component
def Show(ctx):
    n = ctx.state.get("n") or 0
    order = ["a", "b", "c"] if n == 0 else ["c", "a", "d"]
    return (
        <Fragment>
            <Phase name="long">{[<Step key={str(i)} name={f"the same {i}"}/> for i in range(37)]}</Phase>
            <Phase name="work">
                <Task id="go" run={lambda: 1} on_finished={lambda r: ctx.state.set("n", 1)}/>
            </Phase>
            <Phase name={f"list {n}"}>{[<Step key={k} name={k}/> for k in order]}</Phase>
            <Phase name="place"><Step key={f"k{n}"} name="keyed"/></Phase>
        </Fragment>
    )"""

FRAMES = "len(show.df.frames)"


def test_going_through_history_executes_nothing_and_every_pane_follows(lab):
    notebook = lab(["%load_ext smithers_nb", SHOW, "show.step_sync(); None"])
    for cell in (0, 1):
        notebook.run_cell(cell)
    stepper = Stepper(notebook.page, "show")
    for frame in (1, 2, 3):
        stepper.step(frame)
    assert notebook.evaluate(FRAMES) == "3"

    stepper.wait(cursor="live")
    expect(stepper.region).to_contain_text("● LIVE")
    expect(stepper.button("Forward")).to_have_attribute("aria-disabled", "true")
    stepper.button("Back").click()
    stepper.wait(cursor=2)
    expect(stepper.region).to_contain_text("AT f2")
    expect(stepper.status).to_contain_text("frame 2 of 3")
    for tab in ("XML", "Handlers", "State", "Tasks", "Output", "Problems", "Breakpoints", "Pending writes"):
        stepper.tab(tab)
        panel = stepper.region.get_by_role("tabpanel", name=tab, exact=True)
        expect(panel).to_have_attribute("data-at", "2")
    expect(stepper.region.get_by_role("grid", name="Pending writes")).to_contain_text("queued")
    expect(stepper.region.get_by_role("button", name="Edit n")).to_have_count(0)  # History is immutable.

    # A phase back and forward again: the phases of a recorded frame.
    stepper.press("Shift+S")
    expect(stepper.status).to_contain_text("EXECUTE")
    stepper.press("s", "s")
    expect(stepper.status).to_contain_text("FLUSH")
    expect(stepper.region.get_by_role("grid", name="Pending writes")).to_contain_text("applied")
    stepper.press("Home")
    stepper.wait(cursor=1)
    expect(stepper.button("Back")).to_have_attribute("aria-disabled", "true")

    # New frames don't move the cursor.
    notebook.run_cell(2)
    stepper.wait(frame=3, phase="FLUSH", cursor=1)
    assert notebook.evaluate(FRAMES) == "3"
    stepper.press("g")
    notebook.page.keyboard.type("2")
    notebook.page.keyboard.press("Enter")
    stepper.wait(cursor=2)

    # Stepping in the records walks; at the live edge it stops and says what the next step does.
    stepper.button("Step frame").click()
    stepper.wait(cursor="live", frame=3)
    expect(stepper.status).to_contain_text("Next: step executes")
    assert notebook.evaluate(FRAMES) == "3"


def test_new_frames_leave_a_past_cursor_alone_and_a_pill_leads_to_them(lab):
    notebook = lab(["%load_ext smithers_nb", SHOW, "show.run_sync(); None"])
    for cell in (0, 1):
        notebook.run_cell(cell)
    stepper = Stepper(notebook.page, "show")
    stepper.step(1)
    stepper.step(2)
    stepper.button("First frame").click()
    stepper.wait(cursor=1)
    notebook.run_cell(2)
    stepper.wait(cursor=1, frame=3, status="finished")
    stepper.region.get_by_role("button", name="1 new frame: go live").click()
    stepper.wait(cursor="live")


def test_differences_are_told_apart_and_unchanged_parts_fold(lab):
    notebook = lab(["%load_ext smithers_nb", SHOW])
    notebook.run_all()
    notebook.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    stepper = Stepper(notebook.page, "show")
    for frame in (1, 2, 3):
        stepper.step(frame)
    plan = stepper.region.get_by_role("tree", name="Plan")
    changes = {"changed": "list 0", "moved": '"c"', "removed": '"b"', "added": '"d"', "remounted": '"k1"'}
    for change, text in changes.items():
        row = plan.locator(f"[data-change={change}]").first
        expect(row).to_contain_text(text)
        expect(row).to_contain_text(change)  # A word, not a colour alone.
    expect(plan.locator("[data-change=remounted]")).to_contain_text("its key was 'k0' and is 'k1'")
    notebook.shot("diff.png")

    # A phase that has settled is one line, and what nothing happened to in it another; against nothing are no marks.
    settled = plan.get_by_role("treeitem").filter(has_text='name="long"')
    expect(settled).to_have_attribute("aria-expanded", "false")
    settled.press("ArrowRight")
    fold = plan.get_by_role("treeitem", name="unchanged")
    expect(fold).to_contain_text("⋯ 37 unchanged")
    stepper.region.get_by_label("Compare with").select_option("0")
    expect(plan.locator("[data-change]")).to_have_count(0)
    stepper.region.get_by_label("Compare with").select_option("previous")

    # Expansion and selection survive a step.
    row = plan.locator("[data-change=added]").first
    row.click()
    plan.locator("[data-change=changed]").first.press("ArrowLeft")  # Folds the list away, and selects it.
    expect(row).to_have_count(0)
    plan.locator("[data-change=changed]").first.press("ArrowRight")
    row.click()
    selected = row.get_attribute("data-node-id")
    expect(stepper.region.get_by_role("tabpanel").nth(1)).to_be_visible()
    stepper.button("Step phase").click()
    stepper.wait(phase="FLUSH")
    expect(plan.locator("[aria-selected=true]")).to_have_attribute("data-node-id", selected or "")
    expect(fold).to_contain_text("⋯ 37 unchanged")

    # Any baseline: frame 1, pinned.
    stepper.press("Home")
    stepper.wait(cursor=1)
    stepper.region.get_by_role("button", name="pin f1").click()
    stepper.press("End")
    stepper.wait(cursor="live")
    expect(stepper.region.get_by_label("Compare with")).to_have_value("1")
    expect(plan.locator("[data-change=changed]").first).to_contain_text("list 0")

    # What is copied is XML.
    stepper.tab("XML")
    stepper.region.get_by_role("button", name="Copy XML").click()
    expect(stepper.region).to_contain_text("Copied.")
    copied = notebook.page.evaluate("() => navigator.clipboard.readText()")
    steps = [step.get("name") for step in ElementTree.fromstring(copied).iter("step")]
    assert steps[-4:] == ["c", "a", "d", "keyed"]


LONG = """%%smithers counted
LAST = {last}

@component
def Counted(ctx):
    n = ctx.state.get("n") or 0
    ctx.use_effect("tick", [n], lambda: ctx.state.set("n", n + 1) if n < LAST else None)
    return (
        <Fragment>
            <Phase name="long">{{[<Step key={{str(i)}} name={{f"the same {{i}}"}}/> for i in range(37)]}}</Phase>
            <Phase name={{f"count {{n}}"}}/>
        </Fragment>
    )"""


def test_the_timeline_is_dragged_along_and_says_where_it_is(lab):
    notebook = lab(["%load_ext smithers_nb", LONG.format(last=120), "counted.run_sync(max_frames=300); None"])
    notebook.run_all()
    stepper = Stepper(notebook.page, "counted")
    stepper.wait(status="finished")
    last = int(stepper.region.get_attribute("data-frame") or 0)
    slider = stepper.region.get_by_role("slider", name="Timeline")
    expect(slider).to_have_attribute("aria-valuemax", str(last))
    expect(slider).to_have_attribute("aria-valuetext", f"live, frame {last} of {last}, 0 writes")

    box = slider.bounding_box()
    assert box is not None
    mouse = notebook.page.mouse
    mouse.move(box["x"] + box["width"] * 0.9, box["y"] + 10)
    mouse.down()
    mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 10, steps=8)
    mouse.up()
    middle = int(slider.get_attribute("aria-valuenow") or 0)
    assert abs(middle - last / 2) <= 2
    stepper.wait(cursor=middle)
    expect(slider).to_have_attribute("aria-valuetext", f"frame {middle} of {last}, 1 write")
    plan = stepper.region.get_by_role("tree", name="Plan")
    expect(plan).to_contain_text(f"count {middle - 1}")

    # The phase that has settled is folded; opened once, it stays open in the next frame.
    settled = plan.get_by_role("treeitem").filter(has_text='name="long"')
    expect(settled).to_have_attribute("aria-expanded", "false")
    notebook.shot("timeline.png")
    settled.press("ArrowRight")
    expect(plan.get_by_text("⋯ 37 unchanged")).to_be_visible()
    stepper.press("ArrowLeft")
    stepper.wait(cursor=middle - 1)
    expect(plan.get_by_text("⋯ 37 unchanged")).to_be_visible()

    # A write of an effect leads to its node.
    stepper.grid("Pending writes").get_by_role("button", name="effect run").click()
    expect(plan.locator("[aria-selected=true]")).to_have_attribute("data-node-id", "tick")

    # L leads to the last change of a key, and again further back.
    stepper.tab("State")
    state = stepper.region.get_by_role("grid", name="State", exact=True)
    expect(state.get_by_role("button", name="effect tick")).to_be_visible()
    state.get_by_role("gridcell").nth(1).click()
    stepper.press("l")
    expect(stepper.status).to_contain_text("n was")
    first = int(stepper.region.get_attribute("data-cursor") or 0)
    stepper.press("l")
    stepper.wait(cursor=first - 1)

    # Search finds a node, and shows it.
    stepper.press("/")
    notebook.page.keyboard.type("the same 31")
    stepper.region.get_by_role("dialog", name="Search").get_by_role("button", name='step "31"').first.click()
    expect(plan.locator("[aria-selected=true]")).to_contain_text("the same 31")
