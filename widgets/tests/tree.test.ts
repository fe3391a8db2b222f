import { describe, expect, it } from "vitest";
import { keepingEqual, moveOf, nameOf, rowAttrs, toggled, visibleRows } from "../src/model/tree";
import { node, TREE } from "./samples";

const keys = (folded: string[]) => visibleRows(TREE, new Set(folded)).map(({ key }) => key);

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
    const places = visibleRows(TREE, new Set(["research"])).map((row) => [
      row.key,
      row.position,
      row.siblings,
      row.expandable,
      row.expanded,
    ]);
    expect(places).toEqual([
      ["research", 1, 2, true, false],
      ["write", 2, 2, false, false],
    ]);
  });

  it("keep a removed node apart from a new one of the same id", () => {
    const twice = [node("a", { change: "removed" }), node("a", { change: "added" })];
    expect(visibleRows(twice, new Set()).map(({ key }) => key)).toEqual(["a removed", "a"]);
  });

  it("can't be opened when the children were not sent", () => {
    const rows = visibleRows([node("a", { children: 3 })], new Set());
    expect(rows[0]?.expandable).toBe(false);
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
    const move = moveOf(visibleRows(TREE, new Set(folded)), active, key);
    expect(move && `${move.kind} ${move.key}`).toBe(expected);
  });

  it("do nothing in an empty tree", () => {
    expect(moveOf([], null, "ArrowDown")).toBeNull();
  });

  it("fold and unfold", () => {
    const folded = toggled(new Set(), "a");
    expect([...folded]).toEqual(["a"]);
    expect([...toggled(folded, "a")]).toEqual([]);
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
