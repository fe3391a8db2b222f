// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import widget from "../src/index";
import { differenceWords, motionTo } from "../src/model/comparison";
import { editWords } from "../src/model/edited";
import type { EditedPane } from "../src/model/protocol";
import { FakeKernel } from "./kernel";
import { comparison, difference, edit, panes, summary } from "./samples";

let el: HTMLElement;
let cleanup: () => void;

beforeEach(() => {
  el = document.createElement("div");
  document.body.append(el);
});
afterEach(() => {
  cleanup();
  el.remove();
});

const later = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Until nothing was asked for a while: the page asks in effects, which a busy machine runs late. */
async function answered(kernel: FakeKernel) {
  for (let quiet = 0; quiet < 3; quiet += 1) {
    await later(30);
    if (kernel.replyToAll() > 0) quiet = 0;
  }
}

async function shown(compare = comparison()) {
  const kernel = new FakeKernel(summary({ frame: 9, recorded: 9 }), panes({ compare }));
  cleanup = widget.render({ model: kernel, el });
  await answered(kernel);
  return kernel;
}

function find<E extends HTMLElement = HTMLElement>(selector: string): E {
  const found = el.querySelector<E>(selector);
  if (found === null) throw new Error(`there is no ${selector}`);
  return found;
}

async function press(kernel: FakeKernel, key: string, shiftKey = false) {
  find("section").dispatchEvent(new KeyboardEvent("keydown", { key, shiftKey, bubbles: true }));
  await answered(kernel);
}

async function choose(kernel: FakeKernel, value: string) {
  const list = find<HTMLSelectElement>("[aria-label='Other execution']");
  list.value = value;
  list.dispatchEvent(new Event("change", { bubbles: true }));
  await answered(kernel);
}

const askedFor = (kernel: FakeKernel, pane: string) =>
  kernel.gets.filter((get) => get.pane === pane);

describe("another execution as a baseline", () => {
  it("costs nothing before it is looked at", async () => {
    const kernel = await shown();
    expect(askedFor(kernel, "compare")).toEqual([]);
    expect(kernel.gets.some((get) => "other" in get)).toBe(false);
  });

  it("is chosen by key, and asked of the panes that compare", async () => {
    const kernel = await shown(comparison({ execution_id: null, rows: [], text: "" }));
    await press(kernel, "o");
    expect(askedFor(kernel, "compare")).toHaveLength(1);
    kernel.data = panes({ compare: comparison() });
    await choose(kernel, "b1");
    expect(askedFor(kernel, "compare").at(-1)).toMatchObject({ other: "b1" });
    expect(askedFor(kernel, "plan").at(-1)).toMatchObject({ other: "b1", base: null });
    expect(askedFor(kernel, "breakpoints").at(-1)).not.toHaveProperty("other");
    await choose(kernel, "");
    expect(askedFor(kernel, "plan").at(-1)).not.toHaveProperty("other");
  });

  it("has the family before the others, and a field only where not all are listed", async () => {
    const kernel = await shown();
    await press(kernel, "o");
    const groups = [...el.querySelectorAll("optgroup")].map(({ label }) => label);
    expect(groups).toEqual(["Branches of the family", "Other executions of the file"]);
    expect(el.querySelector("[aria-label='Id or name']")).toBeNull();
    kernel.data = panes({ compare: comparison({ more: 7 }) });
    await choose(kernel, "r2");
    find<HTMLInputElement>("[aria-label='Id or name']").value = "far";
    find("form").dispatchEvent(new Event("submit", { bubbles: true, cancelable: true }));
    await answered(kernel);
    expect(askedFor(kernel, "compare").at(-1)).toMatchObject({ other: "far" });
  });

  it("leads from a difference to the frame here, and says the one there", async () => {
    const kernel = await shown();
    await press(kernel, "o");
    await choose(kernel, "b1");
    find("[aria-label='Differences'] tbody .ss-link").click();
    await answered(kernel);
    expect(find("section").dataset.cursor).toBe("3");
    expect(find("[role='status']").textContent).toBe(
      "Frame 3 here, frame 5 of wind: text of notes. Nothing was executed.",
    );
    expect(find("[role='treeitem'][aria-selected='true']").dataset.nodeId).toBe("notes");
    expect(kernel.sent.filter(({ type }) => type === "command")).toEqual([]);
  });

  it("leads to the first difference by key, from wherever one is", async () => {
    const kernel = await shown();
    await press(kernel, "o", true);
    expect(find("[role='status']").textContent).toContain("press O");
    await press(kernel, "o");
    await choose(kernel, "b1");
    await press(kernel, "o", true);
    expect(find("section").dataset.cursor).toBe("3");
  });

  it("of a child leads nowhere, and its frames are words", async () => {
    const kernel = await shown();
    await press(kernel, "o");
    const rows = [...el.querySelectorAll("[aria-label='Differences'] tbody")];
    expect(rows[1]?.textContent).toContain("in below");
    expect(rows[1]?.querySelector(".ss-link")).toBeNull();
  });
});

describe("edited code", () => {
  async function edited(change: Partial<EditedPane> = {}) {
    const kernel = new FakeKernel(
      summary({ frame: 9, recorded: 9, edited: 1 }),
      panes({ edited: edit(change), compare: comparison({ execution_id: null, rows: [] }) }),
    );
    cleanup = widget.render({ model: kernel, el });
    await answered(kernel);
    return kernel;
  }
  const button = (words: string) => {
    const found = [...el.querySelectorAll("button")].find((one) => one.textContent === words);
    if (found === undefined) throw new Error(`there is no button ${words}`);
    return found;
  };

  it("is asked for only where there is some, and marks its frames in words and on the timeline", async () => {
    const kernel = await shown();
    expect(askedFor(kernel, "edited")).toEqual([]);
    cleanup();
    await edited();
    const marks = [...el.querySelectorAll<SVGLineElement>(".ss-edit-marks line")];
    expect(marks.map((line) => [line.getAttribute("x1"), line.getAttribute("x2")])).toEqual([
      ["3", "9"],
    ]);
    const slider = find("[role='slider']");
    expect(slider.getAttribute("aria-valuetext")).toContain("the edited code differs here");
    expect(find("[role='tab'][aria-label='Compare'] .ss-badge").dataset.count).toBe("6");
  });

  it("is a baseline of the plan, and its first difference is a key away", async () => {
    const kernel = await edited();
    await press(kernel, "o");
    expect(find("section[aria-label='Edited code']").textContent).toContain("about $0.04");
    button("Show in the plan").click();
    await answered(kernel);
    expect(askedFor(kernel, "plan").at(-1)).toMatchObject({ edited: true });
    expect(askedFor(kernel, "compare").at(-1)).not.toHaveProperty("other");
    await press(kernel, "o", true);
    expect(find("section").dataset.cursor).toBe("4");
    expect(find("[role='status']").textContent).toContain("Frame 4 is the first that differs");
    button("Show in the plan").click();
    await answered(kernel);
    expect(askedFor(kernel, "plan").at(-1)).not.toHaveProperty("edited");
  });

  it("branches from the frame before the first that differs, once", async () => {
    const kernel = await edited();
    await press(kernel, "o");
    button("Branch from frame 3").click();
    button("Branch from frame 3").click();
    const orders = kernel.sent.filter(({ type }) => type === "command");
    expect(orders).toMatchObject([{ name: "branch_edited" }]);
  });

  it("that makes no difference can be branched with all the same", async () => {
    const kernel = await edited({ first: null, total: 0, frames: [], pending: [] });
    await press(kernel, "o");
    expect(button("Branch with it").getAttribute("aria-disabled")).toBe("false");
    expect(el.querySelectorAll(".ss-edit-marks line")).toHaveLength(0);
  });

  it.each([
    [4, ["the edited code differs here"]],
    [2, ["the edited code differs in what has not begun"]],
    [12, []],
  ])("says of frame %i %j", (frame, words) => {
    expect(editWords(edit(), frame)).toEqual(words);
    expect(editWords(null, frame)).toEqual([]);
  });
});

describe("a difference", () => {
  it.each([
    [difference("prop", { key: "model", node: "notes", iteration: null }), "prop model of notes"],
    [difference("task", { key: null, node: "t", iteration: 2 }), "task of t in iteration 2"],
    [difference("end", { key: null, node: null, iteration: null, child: "c" }), "end (in c)"],
  ])("is said in words", (row, words) => {
    expect(differenceWords(row)).toBe(words);
  });

  it("that no frame shows moves no cursor", () => {
    const edge = { frame: 9, phase: null, recorded: 9 };
    expect(motionTo(difference("x", { frame: 0 }), "b", edge)).toBeNull();
    expect(motionTo(difference("x", { other_frame: 0 }), "b", edge)?.note).toContain(
      "no frame there",
    );
  });
});
