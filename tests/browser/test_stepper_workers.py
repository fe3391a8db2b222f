"""Workers in the page: where a task runs, and how soon what its model says is seen."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.agents.conftest import provider  # noqa: F401  # a fixture of the fixtures
from tests.agents.fake_replies import tokens
from tests.browser.stepping import Stepper
from tests.workers.conftest import ROOT, model, postgres, url, worker  # noqa: F401  # the fixtures

SPEAKING = """%%smithers speaking --runner {url}
@component
def Speaking(ctx):
    return (
        <Parallel>
            {{[<Claude id={{f"c{{n}}"}} model="haiku">{{f"Say {{n}}."}}</Claude> for n in range({agents})]}}
        </Parallel>
    )"""

# Notes for each agent when the page first shows a later one of its words, which are numbered, and when it shows the end.
WATCH = r"""grid => {
  window.shown = {};
  const look = () => {
    const now = Date.now();
    for (const row of grid.querySelectorAll('tbody')) {
      const agent = /#(c\d+)/.exec(row.textContent)?.[1];
      if (agent === undefined) continue;
      const notes = (window.shown[agent] ??= []);
      const words = [...row.textContent.matchAll(/w(\d+) /g)];
      const last = row.textContent.includes('succeeded') ? Infinity : Number(words.at(-1)?.[1] ?? -1);
      if (last > (notes.at(-1)?.[0] ?? -1)) notes.push([last === Infinity ? 1e9 : last, now]);
    }
  };
  new MutationObserver(look).observe(grid, {subtree: true, childList: true, characterData: true});
  look();
}"""


@pytest.mark.long
@pytest.mark.parametrize("agents", [1, 4])
def test_tokens_of_a_worker_are_on_the_page_within_half_a_second(
    agents: int,
    url: str,  # noqa: F811
    worker: Any,  # noqa: F811
    model: Any,  # noqa: F811
    lab: Any,
) -> None:
    server = model(tokens(200, delay_s=0.05))
    worker("w0")
    notebook = lab(["%load_ext smithers_nb", SPEAKING.format(url=url, agents=agents)])
    for cell in (0, 1):
        notebook.run_cell(cell)
    stepper = Stepper(notebook.page, "speaking")
    stepper.step(1)
    grid = stepper.grid("Tasks")
    notebook.page.evaluate(WATCH, grid.element_handle())
    stepper.button("Until idle").click()
    stepper.wait(status="finished")
    expect(grid.locator("tbody").filter(has_text="succeeded")).to_have_count(agents)
    shown: dict[str, list[tuple[int, float]]] = notebook.page.evaluate("() => window.shown")
    late, unseen = [], 0
    for entry in server.requests:
        notes = shown[f"c{entry.asked.prompt.removeprefix('Say ').removesuffix('.')}"]
        for number, at in enumerate(entry.pieces_at):
            word, seen = next(note for note in notes if note[0] >= number)
            late.append(seen / 1000 - at)
            unseen += word == 1e9
    late.sort()
    p50, p95 = late[len(late) // 2], late[int(len(late) * 0.95)]
    print(
        f"figure: token from the provider to the page, {agents} agents on a worker, {len(late)} tokens: median"
        f" {p50 * 1000:.0f} ms, p95 {p95 * 1000:.0f} ms, longest {late[-1] * 1000:.0f} ms; {unseen} came with the end"
    )
    assert len(late) == 200 * agents
    assert p95 < 0.5


FAR = """%%smithers far --runner {url}
from tests.workers.remote_app import square

@component
def Far(ctx):
    return <Task id="t" run={{square}} args={{[3]}} on_finished={{lambda r: ctx.state.set("t", r.output)}}/>"""


def test_a_task_says_where_it_runs_and_how_a_worker_is_started(
    url: str,  # noqa: F811
    worker: Any,  # noqa: F811
    lab: Any,
) -> None:
    notebook = lab(["%load_ext smithers_nb", f"import sys; sys.path.insert(0, {str(ROOT)!r})", FAR.format(url=url)])
    for cell in (0, 1, 2):
        notebook.run_cell(cell)
    stepper = Stepper(notebook.page, "far")
    stepper.button("Until idle").click()
    row = stepper.grid("Tasks").locator("tbody").filter(has_text="task #t")
    command = "python -m smithers_nb worker URL --id w0 --queue agents"
    expect(row).to_contain_text(command, timeout=60_000)
    expect(row).to_contain_text("blocked")
    expect(row.get_by_role("button", name="Cancel t")).to_be_visible()
    expect(row.get_by_role("button", name="Retry t")).to_have_count(0)
    expect(stepper.region).to_contain_text("Waiting for 1 task: no worker listens to queue 'agents'")
    row.get_by_role("button", name="task #t", exact=True).click()
    stepper.tab("Task")
    pane = stepper.region.get_by_role("tabpanel", name="Task", exact=True)
    expect(pane).to_contain_text(command)
    worker("w0")
    stepper.wait(status="finished")
    expect(pane).to_contain_text("workerw0")
    row = stepper.grid("Tasks").locator("tbody").filter(has_text="task #t")
    expect(row.get_by_role("gridcell", name="w0", exact=True)).to_be_visible()
