// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import widget from "../src/index";
import { withGhosts } from "../src/model/ghosts";
import type { Get, GhostRow, StatementRow, WhyPane } from "../src/model/protocol";
import { FIRST_TREE, moveOf, visibleRows } from "../src/model/tree";
import { FIRST_UI, selectedNode } from "../src/model/ui";
import {
  askedIn,
  askedOf,
  asking,
  backward,
  cursorOf,
  ledTo,
  questionAt,
  rowsOf,
  shownQuestion,
  within,
} from "../src/model/why";
import { FakeKernel } from "./kernel";
import { answer, needs, node, panes, statement, summary } from "./samples";

const chain = (length: number) =>
  Array.from({ length }, (_, depth) =>
    statement({ text: `step ${depth}`, depth, row_id: `${depth}` }),
  );

const drawn = (statements: readonly StatementRow[], opened: readonly number[] = []) =>
  rowsOf(answer(statements), new Set(opened)).map((row) =>
    row.kind === "steps"
      ? `${" ".repeat(row.level)}⋯${row.count}`
      : `${" ".repeat(row.level)}${{ answer: "", because: "← ", and: "& " }[row.joint]}${row.statement.text}${row.root ? " !" : ""}${row.again ? " again" : ""}`,
  );

describe("an answer as rows", () => {
  it("is not indented while each sentence has one cause", () => {
    expect(drawn(chain(3))).toEqual(["step 0", "← step 1", "← step 2 !"]);
  });

  it("is a tree where several causes came together", () => {
    const [top, ...rest] = [0, 1, 2, 1].map((depth, at) =>
      statement({ text: "abcd"[at] ?? "", depth, row_id: String(at) }),
    );
    expect(drawn([top as StatementRow, ...rest])).toEqual(["a", " ← b", " ← c !", " & d !"]);
  });

  it("folds the middle of a long chain, and unfolds it", () => {
    expect(drawn(chain(10))).toEqual([
      "step 0",
      "← step 1",
      "← step 2",
      "⋯5",
      "← step 8",
      "← step 9 !",
    ]);
    expect(drawn(chain(10), [3])).toHaveLength(10);
    expect(drawn(chain(7))).toHaveLength(7);
  });

  it("has no root where the causes were told above", () => {
    const told = [statement({ text: "a", depth: 0 }), statement({ text: "b", depth: 1 })];
    expect(drawn([...told, statement({ text: "a", depth: 0 })])).toEqual(["a", "← b !", "a again"]);
  });
});

describe("a question", () => {
  it("is about what is selected, else about the frame", () => {
    expect(askedOf({ kind: "node", id: "n" }, 4)).toEqual({ of: "n" });
    expect(askedOf({ kind: "key", key: "k", scope: "state" }, 4)).toEqual({ of: "state:k" });
    expect(askedOf({ kind: "write", id: "2w1", key: "k", scope: "state" }, 4)).toEqual({
      of: "2w1",
    });
    expect(askedOf({ kind: "handler", node: "n", event: "on_error" }, 4).of).toBe("n.on_error");
    expect(askedOf(null, 4)).toEqual({ of: null, at: 4 });
    expect(askedOf(null, 0)).toEqual({ of: null, at: null });
  });

  it("is what was typed: a name, a frame, or nothing for the execution", () => {
    expect(askedIn(" draft ", false, 8)).toEqual({ of: "draft", not: false });
    expect(askedIn("frame 3", true, 8)).toEqual({ of: null, at: 3 });
    expect(askedIn("Frame 9", false, 8)).toEqual({ of: null, at: null, not: true });
    expect(askedIn("", false, 8)).toEqual({ of: null, at: null, not: false });
  });

  it("is never about a frame that the file has not got", () => {
    const edge = { frame: 9, phase: null, recorded: 8 };
    expect(within({ of: null, at: 9 }, edge)).toEqual({ of: null, at: 8 });
    expect(within({ of: "a", at: 9 }, edge)).toEqual({ of: "a", at: null });
    expect(within({ of: "a", at: 8 }, edge)).toEqual({ of: "a", at: 8 });
    expect(within({ of: null, at: 1 }, { ...edge, recorded: 0 })).toEqual({ of: null, at: null });
  });

  it("stays with the place where it was asked, and one goes back to those before", () => {
    const first = questionAt({ of: "a" }, { at: 3, phase: "RENDER" });
    expect(first).toEqual({ pane: "why", of: "a", at: 3, phase: "RENDER" });
    const second = questionAt({ of: "b", at: 2, not: true }, { at: 3, phase: "RENDER" });
    expect(second).toEqual({ pane: "why_not", of: "b", at: 2, phase: null });
    const trail = asking(asking(asking([], first), second), second);
    expect(trail).toHaveLength(2);
    expect(shownQuestion(backward(trail))).toEqual(first);
    expect(shownQuestion([])).toEqual({ pane: "why", of: null, at: null, phase: null });
  });
});

describe("a sentence", () => {
  const edge = { frame: 9, phase: null, recorded: 8 };

  it("leads to its frame and phase, unless it is of another execution", () => {
    expect(cursorOf(statement({}), edge)).toEqual({ at: 2, phase: "FLUSH" });
    expect(cursorOf(statement({ phase: "EFFECTS" }), edge)).toEqual({ at: 2, phase: null });
    expect(cursorOf(statement({ frame: 9 }), edge)).toEqual({ at: null, phase: null });
    expect(cursorOf(statement({ frame: null }), edge)).toBeNull();
    expect(cursorOf(statement({ execution: "child" }), edge)).toBeNull();
  });

  it("selects its node and its row, and leaves the answer in its place", () => {
    const ui = ledTo(FIRST_UI, statement({ table: "handlers", row_id: "2h1" }), []);
    expect(ui.selection).toEqual({ kind: "node", id: "notes" });
    expect(ui.call).toBe("2h1");
    expect(ui.choice).toEqual({ ...FIRST_UI.choice, detail: "Handlers" });
  });
});

const ghost = (of: string, change: Partial<GhostRow> = {}): GhostRow => ({
  of,
  type: "task",
  name: of,
  component: "App",
  source: "app:1:1",
  guards: ["score >= 7 is true"],
  depth: 1,
  parent: "p",
  after: null,
  ...change,
});

describe("what could be in the plan", () => {
  const nodes = [
    node("p", { depth: 0, children: 2 }),
    node("a", { parent: "p", depth: 1, children: 1 }),
    node("b", { parent: "a", depth: 2 }),
    node("c", { parent: "p", depth: 1 }),
    node("q", { depth: 0 }),
  ];
  const lines = (ghosts: readonly GhostRow[], folded: readonly string[] = []) =>
    withGhosts(
      visibleRows(nodes, { ...FIRST_TREE, foldUnchanged: false, folded: new Set(folded) }),
      ghosts,
    )
      .map((row) => (row.kind === "ghost" ? `(${row.ghost.of})` : row.key))
      .join(" ");

  it("stands where the code would put it", () => {
    expect(lines([ghost("x")])).toBe("p (x) a b c q");
    expect(lines([ghost("x", { after: "a" }), ghost("y", { after: "a", depth: 2 })])).toBe(
      "p a b (x) (y) c q",
    );
    expect(lines([ghost("x", { parent: null, after: "q", depth: 0 })])).toBe("p a b c q (x)");
    expect(lines([ghost("x", { parent: null, depth: 0 })])).toBe("(x) p a b c q");
  });

  it("is the inner one first where several places end with the same row", () => {
    const outer = ghost("outer", { parent: null, after: "p", depth: 0 });
    expect(lines([outer, ghost("inner", { after: "c" })])).toBe("p a b c (inner) (outer) q");
  });

  it("is left out in a node that is folded, or that is not there", () => {
    expect(lines([ghost("x")], ["p"])).toBe("p q");
    expect(lines([ghost("x", { parent: "gone" })])).toBe("p a b c q");
  });

  it("is walked by the keys, and is no node to look at", () => {
    const rows = withGhosts(visibleRows(nodes, FIRST_TREE), [ghost("x")]);
    const key = rows[1]?.key ?? "";
    expect(moveOf(rows, "p", "ArrowDown")).toEqual({ kind: "select", key });
    expect(moveOf(rows, key, "ArrowLeft")).toEqual({ kind: "select", key: "p" });
    expect(moveOf(rows, key, "Enter")).toEqual({ kind: "select", key });
    expect(selectedNode({ ...FIRST_UI, tree: { ...FIRST_TREE, selected: key } })).toBeNull();
  });
});

// ---- on the page ----

let el: HTMLElement;
let cleanup: (() => void) | undefined;

beforeEach(() => {
  el = document.createElement("div");
  document.body.append(el);
});
afterEach(() => {
  cleanup?.();
  cleanup = undefined;
  el.remove();
});

const later = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function answered(kernel: FakeKernel) {
  for (let quiet = 0; quiet < 3; quiet += 1) {
    await later(30);
    if (kernel.replyToAll() > 0) quiet = 0;
  }
}

const WHY: WhyPane = {
  of: "end",
  answers: [answer(chain(3), "why not end?")],
  takes: "end",
};

async function shown(change: Parameters<typeof summary>[0] = {}) {
  const kernel = new FakeKernel(
    summary({ frame: 9, recorded: 9, ...change }),
    panes({ needs: needs({}) }),
  );
  const told = ({ of = null }: Get) => ({ ...WHY, of });
  kernel.answers = { why: told, why_not: told };
  cleanup = widget.render({ model: kernel, el });
  await answered(kernel);
  return kernel;
}

function find<E extends HTMLElement = HTMLElement>(selector: string): E {
  const found = el.querySelector<E>(selector);
  if (found === null) throw new Error(`there is no ${selector}`);
  return found;
}

const buttonOf = (words: string): HTMLElement => {
  const found = [...el.querySelectorAll("button")].find(({ textContent }) => textContent === words);
  if (found === undefined) throw new Error(`there is no button ${words}`);
  return found;
};

const asks = (kernel: FakeKernel) =>
  kernel.gets.filter(({ pane }) => pane === "why" || pane === "why_not");

async function press(kernel: FakeKernel, target: HTMLElement, key: string) {
  target.focus();
  target.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
  await answered(kernel);
}

describe("Q", () => {
  it("asks about the row that has the focus, and gives the focus to the answer", async () => {
    const kernel = await shown();
    await press(kernel, find("[role='treeitem']"), "q");
    expect(asks(kernel).at(-1)).toMatchObject({ pane: "why", at: null });
    expect(asks(kernel).at(-1)?.of).toBe(find("[role='treeitem']").dataset.nodeId);
    expect(document.activeElement?.textContent).toBe("why not end?");
  });

  it("asks about the frame where nothing in particular has the focus", async () => {
    const kernel = await shown();
    await press(kernel, find("section"), "ArrowLeft");
    await press(kernel, find("section"), "q");
    expect(asks(kernel).at(-1)).toMatchObject({ at: 8 });
    expect(asks(kernel).at(-1)).not.toHaveProperty("of");
  });

  it("costs nothing before it is pressed, and no move waits for an answer", async () => {
    const kernel = await shown();
    expect(asks(kernel)).toEqual([]);
    await press(kernel, find("section"), "q");
    await press(kernel, find("section"), "n");
    const asked = kernel.commands.at(-1) as { ask?: readonly { pane: string }[] };
    expect(asked.ask?.map(({ pane }) => pane)).not.toContain("why");
  });
});

describe("show what could be here", () => {
  it("asks for it only then, and a click on a ghost tells why it is not there", async () => {
    const kernel = await shown();
    kernel.data = panes({
      ghosts: {
        frame: kernel.data.plan.frame,
        total: 1,
        nodes: [ghost("publish", { parent: null, depth: 0 })],
        unknown: ["Card: its source is not there"],
      },
    });
    expect(kernel.gets.filter(({ pane }) => pane === "ghosts")).toEqual([]);
    const toggle = [...el.querySelectorAll("label")].find(({ textContent }) =>
      textContent?.includes("show what could be here"),
    );
    toggle?.querySelector("input")?.click();
    await answered(kernel);
    expect(el.textContent).toContain("Not known: Card: its source is not there.");
    find("[data-ghost='publish']").click();
    await answered(kernel);
    expect(asks(kernel).at(-1)).toMatchObject({ pane: "why", of: "publish" });
    await press(kernel, find("[data-ghost='publish']"), "q");
    expect(find("[data-ghost='publish']").getAttribute("aria-selected")).toBe("true");
  });
});

describe("the Why tab", () => {
  it("keeps its answer when a sentence moves the cursor", async () => {
    const kernel = await shown();
    await press(kernel, find("[role='treeitem']"), "q");
    const before = asks(kernel).length;
    buttonOf("step 2").click();
    await answered(kernel);
    expect(find("section").dataset.cursor).toBe("2");
    expect(buttonOf("step 2").isConnected).toBe(true);
    expect(asks(kernel)).toHaveLength(before);
  });

  it("searches what it would take, and branches with that into this stepper", async () => {
    const kernel = await shown();
    await press(kernel, find("[role='treeitem']"), "q");
    expect(kernel.gets.filter(({ pane }) => pane === "needs")).toEqual([]);
    buttonOf("What would it take?").click();
    await answered(kernel);
    expect(kernel.gets.at(-1)).toMatchObject({ pane: "needs", of: "end" });
    buttonOf("Branch with this").click();
    await later(5);
    expect(kernel.commands.at(-1)).toMatchObject({ name: "fork", frame: 1, state: '{"score": 7}' });
  });

  it("has no branch to make where nothing executes, and says why", async () => {
    const kernel = await shown({ read_only: "This execution is recorded." });
    await press(kernel, find("[role='treeitem']"), "q");
    buttonOf("What would it take?").click();
    await answered(kernel);
    const branch = buttonOf("Branch with this");
    expect([branch.getAttribute("aria-disabled"), branch.title]).toEqual([
      "true",
      "This execution is recorded.",
    ]);
    branch.click();
    await later(5);
    expect(kernel.commands).toEqual([]);
  });
});
