import { describe, expect, it } from "vitest";
import { completed } from "../src/model/plan";
import type { PlanRow } from "../src/model/protocol";
import {
  FIRST_TREE,
  followed,
  keepingEqual,
  moveOf,
  nameOf,
  revealed,
  rowAttrs,
  shownWhole,
  type TreeChoice,
  toggled,
  visibleRows,
  windowOf,
} from "../src/model/tree";
import { node, panes, TREE } from "./samples";

const choosing = (change: Partial<TreeChoice>): TreeChoice => ({ ...FIRST_TREE, ...change });
const folding = (folded: string[]) => choosing({ folded: new Set(folded) });
const keys = (folded: string[]) => visibleRows(TREE, folding(folded)).map(({ key }) => key);

describe("rows", () => {
  it.each([
    [[], ["research", "notes", "t", "write"]],
    [["notes"], ["research", "notes", "write"]],
    [["research"], ["research", "write"]],
    [
      ["research", "notes"],
      ["research", "write"],
    ],
    [
      ["t", "gone"],
      ["research", "notes", "t", "write"],
    ],
  ])("with %j folded are %j", (folded, expected) => {
    expect(keys(folded)).toEqual(expected);
  });

  it("say where they stand among their siblings", () => {
    const places = visibleRows(TREE, folding(["research"])).map(
      (row) =>
        row.kind === "node" && [row.key, row.position, row.siblings, row.expandable, row.expanded],
    );
    expect(places).toEqual([
      ["research", 1, 2, true, false],
      ["write", 2, 2, false, false],
    ]);
  });

  it("keep a removed node apart from a new one of the same id", () => {
    const twice = [node("a", { change: "removed" }), node("a", { change: "added" })];
    expect(visibleRows(twice, FIRST_TREE).map(({ key }) => key)).toEqual(["a removed", "a"]);
  });

  it("can't be opened when the children were not sent", () => {
    const rows = visibleRows([node("a", { children: 3 })], FIRST_TREE);
    expect(rows[0]).toMatchObject({ expandable: false });
  });
});

it("a node that is as it was stays the same object, and any other is the new one", () => {
  const old = [node("a"), node("b"), node("c", { change: "removed" })];
  const next = [node("b", { status: "running" }), node("a"), node("c")];
  const kept = keepingEqual(old, next);
  expect(kept).toEqual(next);
  expect(kept.map((one) => old.includes(one))).toEqual([false, true, false]);
});

describe("keys", () => {
  it.each([
    ["research", "ArrowDown", [], "select notes"],
    ["notes", "ArrowUp", [], "select research"],
    ["research", "ArrowUp", [], null],
    ["write", "ArrowDown", [], null],
    ["t", "Home", [], "select research"],
    ["research", "End", [], "select write"],
    ["research", "ArrowRight", [], "select notes"],
    ["research", "ArrowRight", ["research"], "toggle research"],
    ["t", "ArrowRight", [], null],
    ["notes", "ArrowLeft", [], "toggle notes"],
    ["notes", "ArrowLeft", ["notes"], "select research"],
    ["t", "ArrowLeft", [], "select notes"],
    ["write", "ArrowLeft", [], null],
    ["notes", "Enter", [], "toggle notes"],
    ["t", "Enter", [], "select t"],
    ["t", "s", [], null],
    [null, "ArrowDown", [], "select notes"],
  ])("on %s the key %s with %j folded does: %s", (active, key, folded, expected) => {
    const move = moveOf(visibleRows(TREE, folding(folded)), active, key);
    expect(move && `${move.kind} ${move.key}`).toBe(expected);
  });

  it("do nothing in an empty tree", () => {
    expect(moveOf([], null, "ArrowDown")).toBeNull();
  });

  it("fold and unfold", () => {
    const folded = toggled(FIRST_TREE, "research", true);
    expect(visibleRows(TREE, folded).map(({ key }) => key)).toEqual(["research", "write"]);
    const open = toggled(folded, "research", false);
    expect(visibleRows(TREE, open)).toEqual(visibleRows(TREE, FIRST_TREE));
  });
});

describe("settled phases", () => {
  const phase = (id: string, change: Partial<PlanRow> = {}) => [
    node(id, { type: "phase", children: 4, mounted: 0, ...change }),
    ...[1, 2, 3, 4].map((n) =>
      node(`${id}${n}`, {
        parent: id,
        depth: 1,
        status: "succeeded",
        task_id: `${id}${n}@1`,
        mounted: 0,
      }),
    ),
  ];
  const settled = { status: "succeeded" };
  const plan = [
    ...phase("a", settled),
    ...phase("b", settled),
    ...phase("c", { status: "running" }),
  ];
  const seen = (nodes: readonly PlanRow[], change: Partial<TreeChoice> = {}) =>
    visibleRows(nodes, choosing(change)).map((row) => row.key);

  it("are one line each, with how its tasks ended", () => {
    expect(seen(plan)).toEqual(["a", "b", "c", "c1", "c2", "c3", "c4"]);
    expect(visibleRows(plan, FIRST_TREE)[0]).toMatchObject({
      summary: "4 succeeded",
      expanded: false,
    });
  });

  it("are whole where something has just happened, where a handler raised, and where one looks", () => {
    const now = plan.map((one) => (one.id === "a2" ? { ...one, status_before: "running" } : one));
    expect(seen(now)).toContain("a1");
    const raised = plan.map((one) => (one.id === "b2" ? { ...one, raised: true } : one));
    expect(seen(raised)).toContain("b1");
    expect(seen(plan, { selected: "a3" })).toContain("a1");
  });

  it("are whole where ghosts are shown, which stand among what is, and can still be folded", () => {
    const ghosts = choosing({ ghosts: true });
    const keys = (choice: TreeChoice) =>
      visibleRows(plan, shownWhole(choice, plan)).map((row) => row.key);
    expect(keys(ghosts)).toEqual(plan.map((one) => one.id));
    expect(keys(toggled(ghosts, "a", true))).not.toContain("a1");
    expect(shownWhole(FIRST_TREE, plan)).toBe(FIRST_TREE);
  });

  it("stay open once they were opened, and a search opens them", () => {
    expect(seen(plan, toggled(FIRST_TREE, "a", false))).toContain("a1");
    expect(seen(plan, { ...revealed(FIRST_TREE, plan, "b2"), selected: "c1" })).toContain("b1");
  });

  it("stay as they are in a small plan", () => {
    expect(seen(phase("a", settled))).toContain("a1");
  });
});

describe("labels", () => {
  it.each([
    [node("notes", { explicit_id: true }), "#notes"],
    [node("8f3c", {}), ""],
    [node("8f3c", { key: "k" }), '"k"'],
    [node("notes", { explicit_id: true, key: "k" }), '#notes "k"'],
  ])("of %j", (one, expected) => {
    expect(nameOf(one)).toBe(expected);
  });

  it("don't repeat key, id and events as attributes", () => {
    const attrs = ["key", "id", "model", "events"].map((name): [string, string] => [name, "v"]);
    expect(rowAttrs(node("a", { attrs }))).toEqual([["model", "v"]]);
  });
});

describe("unchanged parts", () => {
  const children = (count: number, from = 0) =>
    Array.from({ length: count }, (_, at) => node(`c${from + at}`, { parent: "root", depth: 1 }));
  const big = [
    node("root", { children: 31 }),
    ...children(20),
    node("news", { parent: "root", depth: 1, change: "changed" }),
    ...children(10, 20),
  ];
  const words = (nodes: typeof big, choice: Partial<TreeChoice> = {}) =>
    visibleRows(nodes, choosing(choice)).map((row) =>
      row.kind === "fold" ? `⋯ ${row.count} unchanged` : row.key,
    );

  it("fold to a row that counts them", () => {
    expect(words(big)).toEqual(["root", "⋯ 20 unchanged", "news", "⋯ 10 unchanged"]);
  });

  it.each([
    ["the fold was opened", { opened: new Set(["root"]) }],
    ["folding is off", { foldUnchanged: false }],
  ])("are shown when %s", (_name, choice) => {
    expect(words(big, choice)).toHaveLength(big.length);
  });

  it("keep the selected node in sight", () => {
    expect(words(big, { selected: "c7" })).toEqual([
      "root",
      "⋯ 7 unchanged",
      "c7",
      "⋯ 12 unchanged",
      "news",
      "⋯ 10 unchanged",
    ]);
  });

  it.each([
    ["a running node", { status: "running" }],
    ["another status", { status: "settled", status_before: "active" }],
    ["a breakpoint", { breakpoints: ["b1"] }],
  ])("don't hide %s", (_name, change) => {
    const nodes = big.map((one) => (one.id === "c3" ? { ...one, ...change } : one));
    expect(words(nodes)).toContain("c3");
  });

  it("are not folded where nothing changed at all, or in a small plan", () => {
    const still = big.map((one) => ({ ...one, change: "" as const }));
    expect(words(still)).toHaveLength(still.length);
    expect(words(big.slice(14))).toHaveLength(big.length - 14);
  });

  it("count all that is below them", () => {
    const deep = [
      node("root"),
      node("old", { parent: "root", depth: 1 }),
      ...Array.from({ length: 25 }, (_, at) => node(`d${at}`, { parent: "old", depth: 2 })),
      node("news", { parent: "root", depth: 1, change: "added" }),
    ];
    expect(words(deep)).toEqual(["root", "⋯ 26 unchanged", "news"]);
  });

  it("are opened by Enter and by →", () => {
    const rows = visibleRows(big, FIRST_TREE);
    for (const key of ["Enter", "ArrowRight"]) {
      expect(moveOf(rows, rows[1]?.key ?? null, key)).toEqual({ kind: "open", key: "root" });
    }
  });
});

it("a link to a node unfolds what it is in", () => {
  const choice = revealed(folding(["research", "notes"]), TREE, "t");
  expect(choice.selected).toBe("t");
  expect(visibleRows(TREE, choice).map(({ key }) => key)).toContain("t");
});

it.each([
  [59, 0, 200, { first: 0, end: 59 }],
  [1000, 0, 220, { first: 0, end: 20 }],
  [1000, 11_000, 220, { first: 490, end: 520 }],
  [1000, 22_000, 220, { first: 990, end: 1000 }],
])("of %i rows, %i px down, in %i px, the window is %j", (rows, top, height, window) => {
  expect(windowOf(rows, top, height)).toEqual(window);
});

it.each([
  [[[0, 4]], ["research", "notes", "t", "write"]],
  [
    [[2, 2], node("new")],
    ["t", "write", "new"],
  ],
  [[[3, 2]], null],
] as const)("rows %j of the plan that is held are put in", (rows, ids) => {
  const plan = completed({ ...panes().plan, nodes: rows as never }, TREE);
  expect(plan?.nodes.map(({ id }) => id) ?? null).toEqual(ids);
});

describe("while nothing is selected", () => {
  const quiet = { change: "", status_before: null, status: null, task_id: null } as const;

  it("the first node that the frame changed is shown", () => {
    const nodes = [
      node("a", quiet),
      node("gone", { ...quiet, change: "removed" }),
      node("b", { ...quiet, change: "changed" }),
      node("c", { ...quiet, change: "added" }),
    ];
    expect(followed(nodes)).toBe("b");
  });

  it("a status that has changed is a change", () => {
    expect(followed([node("a", quiet), node("b", { ...quiet, status_before: "pending" })])).toBe(
      "b",
    );
  });

  it("one that waits for a person or has failed comes first, and a task before its phase", () => {
    const task = (id: string, status: string) =>
      node(id, { ...quiet, status, status_before: "pending", task_id: `${id}@1` });
    const phase = node("phase", { ...quiet, status: "running", status_before: "pending" });
    const changed = node("text", { ...quiet, change: "changed" });
    expect(followed([changed, phase, task("ok", "blocked")])).toBe("ok");
    expect(followed([phase, task("fine", "succeeded"), task("bad", "failed")])).toBe("bad");
    expect(followed([phase, task("fine", "succeeded")])).toBe("fine");
    expect(followed([phase, task("fine", "succeeded"), changed])).toBe("text");
  });

  it("else the first that runs", () => {
    const running = { ...quiet, status: "running", task_id: "b@1" } as const;
    expect(followed([node("a", quiet), node("b", running)])).toBe("b");
    expect(followed([node("a", quiet)])).toBeNull();
  });
});
