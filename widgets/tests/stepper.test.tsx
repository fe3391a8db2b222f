// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import widget from "../src/index";
import { DRAW_MS } from "../src/model/client";
import { ALL_TABS, type Tab } from "../src/model/layout";
import type { PaneData } from "../src/model/protocol";
import { golden } from "./golden";
import { FakeKernel } from "./kernel";
import {
  HOSTILE,
  node,
  panes,
  panesFullOf,
  problem,
  running,
  summary,
  TREE,
  value,
  write,
} from "./samples";

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

/** Preact renders in a later task, and runs effects up to 35 ms after it. */
async function rendered() {
  await later(40);
  await later(2);
  await later(2);
}

async function shown(kernel = new FakeKernel()) {
  cleanup = widget.render({ model: kernel, el });
  await answered(kernel);
  return kernel;
}

async function answered(kernel: FakeKernel) {
  await rendered();
  while (kernel.replyToAll() > 0) await rendered();
}

function find<E extends HTMLElement = HTMLElement>(selector: string): E {
  const found = el.querySelector<E>(selector);
  if (found === null) throw new Error(`there is no ${selector}`);
  return found;
}

const all = (selector: string) => [...el.querySelectorAll<HTMLElement>(selector)];
const named = (role: string, name: string) => find(`[role="${role}"][aria-label="${name}"]`);
const button = (name: string) => find(`button[aria-label="${name}"]`);
const text = () => el.textContent ?? "";

async function open(kernel: FakeKernel, tab: Tab) {
  named("tab", tab).click();
  await answered(kernel);
}

async function press(target: HTMLElement, key: string, init: KeyboardEventInit = {}) {
  const event = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...init });
  target.dispatchEvent(event);
  await rendered();
  return event;
}

describe("the question that waits", () => {
  const question = (id: string) => ({
    approval_id: `${id}@1`,
    node_id: id,
    node: id,
    kind: "approve",
    prompt: `Publish ${HOSTILE}?`,
    options: ["approve", "deny"],
  });

  it("has its answers beside the sentence, and the others are a click away", async () => {
    const kernel = await shown(
      new FakeKernel(summary({ status: "waiting", questions: [question("ok"), question("b")] })),
    );
    const group = named("group", "Answer ok");
    expect(group.textContent).toContain(HOSTILE);
    expect([...group.querySelectorAll("button")].map((one) => one.textContent)).toEqual([
      "approve",
      "deny",
      "1 more question",
    ]);
    group.querySelector("button")?.click();
    expect(kernel.commands.map(({ name }) => name)).toEqual(["answer"]);
    kernel.push({ status: "paused", questions: [] });
    await rendered();
    expect(all(".ss-asked-now")).toEqual([]);
  });

  it("can't be answered in the records, or without a kernel", async () => {
    const kernel = new FakeKernel(summary({ status: "waiting", questions: [question("ok")] }));
    await shown(kernel);
    await press(find("section"), "ArrowLeft");
    expect(all(".ss-asked-now")).toEqual([]);
  });
});

describe("roles and names", () => {
  it("are those of the contract", async () => {
    await shown();
    const region = find("section");
    expect(region.getAttribute("aria-label")).toBe("Stepper report");
    expect({ ...region.dataset }).toEqual({
      cursor: "live",
      room: "wide",
      connected: "true",
      execution: "e1",
      seq: "1",
      frame: "4",
      phase: "EFFECTS",
      status: "paused",
    });
    expect(
      all('[role="toolbar"][aria-label="Stepping"] button').map((b) =>
        b.getAttribute("aria-label"),
      ),
    ).toEqual([
      "Step frame",
      "Step phase",
      "Continue",
      "Until idle",
      "Pause",
      "Stop",
      "First frame",
      "Back",
      "Forward",
      "Live",
      "Branch",
    ]);
    expect(named("status", "Stepper status").textContent).toBe(
      "Frame 4 is at rest: 1 write is pending.",
    );
    expect(all('[role="tab"]').map((tab) => tab.getAttribute("aria-label"))).toEqual([...ALL_TABS]);
    expect(all("[aria-live]")).toHaveLength(1);
  });

  it("name the seven phases and mark the current one", async () => {
    await shown();
    const phases = all('ol[aria-label="Phases"] > li');
    expect(phases.map((phase) => phase.getAttribute("aria-label"))).toEqual(
      summary().phases.map(({ name }) => name),
    );
    expect(phases.map((phase) => phase.getAttribute("aria-current"))).toEqual([
      ...Array(6).fill(null),
      "step",
    ]);
    expect(phases[3]?.title).toBe("COMMIT: done, 63.8 ms, slow: over 50 ms");
  });

  it.each(["Pending writes", "Handlers", "State", "Problems"] as const)(
    "give the grid %s",
    async (tab) => {
      const kernel = await shown();
      await open(kernel, tab);
      expect(named("grid", tab).querySelectorAll("th").length).toBeGreaterThan(1);
      const panel = named("grid", tab).closest('[role="tabpanel"]');
      expect(panel?.getAttribute("aria-labelledby")).toBe(named("tab", tab).id);
      expect(named("tab", tab).getAttribute("aria-controls")).toBe(panel?.id);
    },
  );

  it.each([
    [
      write({ frame: 4 }),
      ["#", "Key", "Old → new", "Status", "Origin", "Node", "Read by", "Change"],
    ],
    [write({ frame: 3, op: "update" }), ["Op", "Frame"]],
  ])("leave out the columns that say the same in every row", async (one, columns) => {
    await shown(
      new FakeKernel(
        summary(),
        panes({
          pending: { names: {}, frame: 4, editable: true, writes: [one, { ...one, id: "w2" }] },
        }),
      ),
    );
    const shownColumns = all('[aria-label="Pending writes"] th').map((th) => th.textContent);
    if (one.op === "set") expect(shownColumns).toEqual(columns);
    else expect(shownColumns).toEqual(expect.arrayContaining(columns));
  });

  it.each([
    ["Pending writes", "Nothing is pending."],
    ["Handlers", "No handler has fired yet."],
    ["State", "State is empty."],
    ["Problems", "No problems."],
  ] as const)("say in words that %s is empty", async (tab, words) => {
    const kernel = new FakeKernel(
      summary(),
      panes({ pending: { names: {}, frame: 4, editable: true, writes: [] } }),
    );
    await shown(kernel);
    await open(kernel, tab);
    expect(text()).toContain(words);
  });

  it("fold hints apart from errors, and count errors", async () => {
    const hint = { ...problem("hint"), severity: "hint" } as const;
    const shownProblems = { names: {}, frame: 4, total: 2, problems: [problem("broken"), hint] };
    const kernel = await shown(
      new FakeKernel(summary({ problems: [hint] }), panes({ problems: shownProblems })),
    );
    await open(kernel, "Problems");
    expect(named("grid", "Problems").querySelectorAll("tbody").length).toBe(1);
    const fold = named("grid", "Hints").closest("details");
    expect(fold?.open).toBe(false);
    expect(fold?.querySelector("summary")?.textContent).toBe("1 hint");
  });
});

describe("the plan", () => {
  const items = () => all('[role="tree"][aria-label="Plan"] > [role="treeitem"]');
  const selected = () =>
    items()
      .filter(
        (item) => item.ariaSelected === "true" || item.getAttribute("aria-selected") === "true",
      )
      .map((item) => item.dataset.nodeId);

  it("is a tree whose items say what they are", async () => {
    const changed = node("notes", {
      ...TREE[1],
      change: "changed",
      changes: [{ prop: "model", old: "haiku", new: "sonnet" }],
      status: "running",
      events: ["on_finished"],
    });
    const nodes = [TREE[0], changed, ...TREE.slice(2)] as PaneData["plan"]["nodes"];
    await shown(new FakeKernel(summary(), panes({ plan: { ...panes().plan, nodes } })));
    expect(items().map((item) => [item.dataset.nodeId, item.getAttribute("aria-level")])).toEqual([
      ["research", "1"],
      ["notes", "2"],
      ["t", "3"],
      ["write", "1"],
    ]);
    const item = find('[data-node-id="notes"]');
    expect(item.dataset.change).toBe("changed");
    expect(item.textContent).toMatch(
      /changed.*claude#notes.*was haiku.*is sonnet.*on_finished.*running/,
    );
  });

  it("is walked, folded and selected with the keys, and keeps that over a step", async () => {
    const kernel = await shown();
    await press(find('[data-node-id="research"]'), "ArrowDown");
    expect(selected()).toEqual(["notes"]);
    expect(document.activeElement).toBe(find('[data-node-id="notes"]'));
    await press(find('[data-node-id="notes"]'), "ArrowLeft");
    expect(items().map((item) => item.dataset.nodeId)).toEqual(["research", "notes", "write"]);
    kernel.push({ frame: 5 });
    await answered(kernel);
    expect(items().map((item) => item.dataset.nodeId)).toEqual(["research", "notes", "write"]);
    expect(selected()).toEqual(["notes"]);
    expect(document.activeElement).toBe(find('[data-node-id="notes"]'));
    expect(find("[aria-label='Selected node']").textContent).toContain("App/notes");
  });

  it("says that it is a dry render, and offers the nodes that were not sent", async () => {
    const plan = { ...panes().plan, frame: 0, dry: true, total: 2004 };
    const kernel = await shown(new FakeKernel(summary({ frame: 0 }), panes({ plan })));
    expect(text()).toContain("This is a dry render: nothing has been executed.");
    const more = all("button").find((one) => one.textContent === "… 2,000 more nodes: load more");
    more?.click();
    expect(kernel.gets.at(-1)).toMatchObject({ pane: "plan", limit: 2500, known: 1 });
  });

  it("is copied as the whole XML", async () => {
    const copied = vi.fn(async () => {});
    vi.stubGlobal("navigator", { clipboard: { writeText: copied } });
    const xml = {
      frame: 4,
      dry: false,
      text: "<a",
      chars: 4,
      cut: true,
      base: 3,
      against: null,
      marks: [],
    };
    const kernel = await shown(new FakeKernel(summary(), panes({ xml })));
    await open(kernel, "XML");
    kernel.data = panes({ xml: { ...xml, text: "<a/>", cut: false } });
    all("button")
      .find((one) => one.textContent === "Copy XML")
      ?.click();
    await answered(kernel);
    expect(copied).toHaveBeenCalledWith("<a/>");
    expect(find('pre[aria-label="Plan XML"]').textContent).toBe("<a");
    vi.unstubAllGlobals();
  });
});

describe("stepping", () => {
  it("by a double click sends one command, and says why the button is off", async () => {
    const kernel = await shown();
    const step = button("Step frame");
    step.click();
    step.click();
    await rendered();
    expect(kernel.commands.map(({ name }) => name)).toEqual(["step_frame"]);
    // It may end in a moment: until then nothing flickers.
    expect(step.getAttribute("aria-disabled")).toBe("false");
    await later(DRAW_MS);
    await rendered();
    expect(step.getAttribute("aria-disabled")).toBe("true");
    expect(step.title).toBe("Step frame is under way. (N)");
  });

  it.each([
    ["n", {}, "step_frame"],
    ["s", {}, "step_phase"],
    ["u", {}, "until_idle"],
    ["c", {}, "continue"],
    ["X", { shiftKey: true }, "stop"],
  ])("by the key %s", async (key, init, name) => {
    const kernel = await shown();
    await press(find("section"), key, init);
    expect(kernel.commands.map((command) => command.name)).toEqual([name]);
  });

  it("pauses by Space, but not where Space presses something itself", async () => {
    const kernel = await shown(new FakeKernel(summary({ status: "running" })));
    const onButton = await press(button("Step phase"), " ");
    expect(onButton.defaultPrevented).toBe(false);
    expect(kernel.commands).toEqual([]);
    await press(find('[data-node-id="notes"]'), " ");
    expect(kernel.commands.map(({ name }) => name)).toEqual(["pause"]);
  });

  it("does nothing while a filter is typed or Ctrl is held", async () => {
    const kernel = await shown();
    await open(kernel, "State");
    await press(find("input[aria-label='Filter keys']"), "n");
    await press(find("section"), "s", { ctrlKey: true });
    expect(kernel.commands).toEqual([]);
  });

  it("asks before Stop ends running tasks; Esc says no", async () => {
    const counts = { ...summary().counts, running: 2 };
    const tasks = [
      running({ tokens: 1200, cost_usd: 0.04 }),
      running({ task_id: "t2", node_id: "draft", started: null }),
      running({ task_id: "t3", node_id: "asks", status: "blocked" }),
    ];
    const kernel = await shown(new FakeKernel(summary({ counts, running: tasks })));
    button("Stop").click();
    await rendered();
    expect(named("alertdialog", "Stop the execution?").textContent).toContain(
      "2 tasks are running",
    );
    const asked = named("alertdialog", "Stop the execution?").textContent;
    expect(asked).toContain("The next step runs them again");
    expect(asked).toContain("is paid for again");
    expect(find(".ss-running").textContent).toMatch(
      /^claude #notes running, \d+ s, 1,200 tokens, \$0\.04\d*draft running$/,
    );
    await press(document.activeElement as HTMLElement, "Escape");
    expect(el.querySelector("[role='alertdialog']")).toBeNull();
    expect(document.activeElement).toBe(button("Stop"));
    expect(kernel.commands).toEqual([]);
    button("Stop").click();
    await rendered();
    find(".ss-danger").click();
    expect(kernel.commands.map(({ name }) => name)).toEqual(["stop"]);
  });

  it("moves along the toolbar with the arrow keys", async () => {
    await shown();
    button("Step frame").focus();
    await press(button("Step frame"), "ArrowRight");
    expect(document.activeElement).toBe(button("Step phase"));
    await press(button("Step phase"), "End");
    expect(document.activeElement).toBe(button("Branch"));
    expect(all("[role='toolbar'] button").map((one) => one.tabIndex)).toEqual([
      ...Array(10).fill(-1),
      0,
    ]);
  });
});

describe("the page", () => {
  it.each([
    ["d", {}, false],
    ["X", { shiftKey: true }, false],
    ["ArrowDown", {}, false],
    ["Tab", {}, true],
    ["s", { ctrlKey: true }, true],
    ["s", { metaKey: true }, true],
    ["Escape", {}, true],
  ])("hears of the key %s with %j: %s", async (key, init, heard) => {
    await shown();
    const listener = vi.fn();
    document.addEventListener("keydown", listener);
    await press(button("Step phase"), key, init);
    document.removeEventListener("keydown", listener);
    expect(listener.mock.calls.length > 0).toBe(heard);
  });

  it("is left clean", async () => {
    const kernel = await shown();
    cleanup();
    expect(el.innerHTML).toBe("");
    expect(kernel.heard).toBe(0);
  });
});

describe("alerts", () => {
  it("show an error once and can be dismissed", async () => {
    const kernel = await shown();
    kernel.push({ error: HOSTILE });
    await rendered();
    expect(all("[role='alert']")).toHaveLength(1);
    expect(find("[role='alert']").textContent).toContain(HOSTILE);
    button("Dismiss").click();
    await rendered();
    expect(all("[role='alert']")).toHaveLength(0);
  });

  it("say that page and kernel don't fit together, and show no panes", async () => {
    await shown(new FakeKernel(summary({ protocol: 7 })));
    expect(find("[role='alert']").textContent).toContain("the kernel speaks 7");
    expect(all("[role='tab']")).toHaveLength(0);
  });
});

describe("values", () => {
  it("that were cut can be loaded in full", async () => {
    const long = write({ new: value("lorem", { cut: true, chars: 3_100_000, ref: "v1" }) });
    const kernel = await shown(
      new FakeKernel(
        summary(),
        panes({ pending: { names: {}, frame: 4, editable: true, writes: [long] } }),
      ),
    );
    all("button")
      .find((one) => one.textContent === "… load all (3.1 MB)")
      ?.click();
    expect(kernel.asked("value").at(-1)).toMatchObject({ of: "v1", since: 1 });
    kernel.answers.value = () => value("y".repeat(65_536), { cut: true, ref: "v1" });
    await answered(kernel);
    expect(text()).toContain("1–65,536 of 3,100,000");
  });

  it.each([
    [write({ op: "update", new: null }), "computed at flush"],
    [write({ op: "delete", new: null }), "deleted"],
    [write({ old: null }), "unset"],
  ])("that are not there are said in words: %#", async (one, words) => {
    await shown(
      new FakeKernel(
        summary(),
        panes({ pending: { names: {}, frame: 4, editable: true, writes: [one] } }),
      ),
    );
    expect(named("grid", "Pending writes").textContent).toContain(words);
  });

  it("of the state are filtered by key and by change", async () => {
    const entries = ["apple", "pear"].map((key) => ({
      key,
      value: value("1"),
      from_frame: 1,
      changed: key === "pear",
      writer: null,
      scope: "state" as const,
      writer_node: null,
      writer_id: null,
      old: null,
      readers: [],
      history: [],
    }));
    const kernel = await shown(
      new FakeKernel(summary(), panes({ state: { names: {}, frame: 4, total: 2, entries } })),
    );
    await open(kernel, "State");
    const rows = () => all('[aria-label="State"] tbody').length;
    expect(rows()).toBe(2);
    find("[aria-label='Filter keys'] + label input").click();
    await rendered();
    expect(rows()).toBe(1);
    const filter = find<HTMLInputElement>("[aria-label='Filter keys']");
    filter.value = "app";
    filter.dispatchEvent(new Event("input", { bubbles: true }));
    await rendered();
    expect(text()).toContain("No key passes the filter.");
  });
});

describe("hostile text", () => {
  it.each(ALL_TABS)("is inert and literal in %s", async (tab) => {
    const hostile = summary({
      name: HOSTILE,
      reason: HOSTILE,
      sentence: HOSTILE,
      problems: [problem(HOSTILE)],
    });
    const kernel = await shown(new FakeKernel(hostile, panesFullOf(HOSTILE)));
    find("[role='treeitem']").click();
    await open(kernel, tab);
    if (tab === "Task") {
      await open(kernel, "Tasks");
      find("[aria-label='Tasks'] tbody td:nth-child(2) .ss-link").click();
      await answered(kernel);
    }
    expect(all("img, script, b, iframe, a")).toEqual([]);
    expect(all("[href], [src]")).toEqual([]);
    // Styles are places and sizes: nothing that someone wrote.
    for (const { style } of all("[style]"))
      expect(style.cssText).toMatch(
        /^(?:(?:--ss-[a-z]+|left|right|top|width|height): [\d.]+(?:px|%); ?)*$/,
      );
    expect(
      all("[class]").every(
        (one) =>
          /^(smithers-stepper|(ss-[a-z-]+ ?)+)$/.test(one.className.toString()) ||
          one.tagName === "svg",
      ),
    ).toBe(true);
    const panel = find(`[role='tabpanel'][aria-labelledby='${named("tab", tab).id}']`);
    expect(panel.textContent).toContain(HOSTILE);
    expect(named("status", "Stepper status").textContent).toBe(HOSTILE);
    expect("pwned" in window).toBe(false);
  });
});

it("the run that the Python tests wrote shows in every pane without an error", async () => {
  const { summary: written, replies } = golden();
  // Of several replies to a pane the first is the live one.
  const data = Object.fromEntries(
    replies
      .filter(({ error }) => error === null)
      .toReversed()
      .map((reply) => [reply.pane, reply.data]),
  );
  const kernel = await shown(new FakeKernel(written, { ...panes(), ...data }));
  for (const tab of ALL_TABS) {
    await open(kernel, tab);
    expect(text()).not.toContain("Loading…");
  }
});
