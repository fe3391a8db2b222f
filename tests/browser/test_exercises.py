"""An exercise in a real JupyterLab: its cell takes the place of the line, and is marked as it was run."""

from __future__ import annotations

from playwright.sync_api import expect


def test_the_cell_of_an_exercise_takes_the_place_of_its_line_and_is_marked(lab):
    notebook = lab(
        ["%load_ext smithers_nb", "%smithers exercise lost-write --seat 2", "%smithers check"], viewport=(1280, 900)
    )
    for index in range(2):
        notebook.run_cell(index)
    notebook.wait_output(1, "Two tasks count at the same time", timeout_s=60)
    expect(notebook.cell(1)).to_contain_text("%%smithers lost_write", timeout=60_000)
    expect(notebook.cell(1)).to_contain_text("# Exercise lost-write, seat 2")
    notebook.shot("exercise-put.png")
    notebook.run_cell(1)
    notebook.run_cell(2, timeout_s=120)
    notebook.wait_output(2, "✗ visitors is the sum of both numbers.", timeout_s=60)
    notebook.cell(2).scroll_into_view_if_needed()
    notebook.shot("exercise-marked.png")
