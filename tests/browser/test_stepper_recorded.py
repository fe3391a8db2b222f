"""A recorded execution in the stepper of a real JupyterLab: it is browsed, and nothing executes."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.stepping import REPORT, Stepper

OPEN = """from smithers_nb import Stepper, Store
Stepper(Store("smithers.db").open("report"))"""


def test_a_recorded_execution_is_browsed_without_an_engine(lab):
    notebook = lab(
        [
            "%load_ext smithers_nb",
            REPORT.replace("%%smithers report", "%%smithers report --run --quiet"),
            "report.close()",
            OPEN,
        ]
    )
    for cell in range(4):
        notebook.run_cell(cell)
    stepper = Stepper(notebook.page, "report")
    stepper.wait(status="finished")
    expect(stepper.region).to_contain_text("◷ LAST")
    for name in ("Step frame", "Step phase", "Until idle", "Continue"):
        expect(stepper.button(name)).to_have_attribute("aria-disabled", "true")
    stepper.button("First frame").click()
    stepper.wait(cursor=1)
    expect(stepper.node("notes")).to_be_visible()
    stepper.button("Forward").click()
    stepper.wait(cursor=2)
    expect(stepper.grid("Pending writes")).to_contain_text("notes")
    assert "Nothing executes here" in stepper.sentence
