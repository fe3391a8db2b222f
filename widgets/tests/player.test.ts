import { describe, expect, it } from "vitest";
import { linkTo, placeOf } from "../src/model/place";
import { type Searchable, searched } from "../src/player/search";

describe("the search in a file", () => {
  const rows: readonly Searchable[] = [
    ["node", "draft", "claude #draft", 2, 0, 0, [1, "Write it up"]],
    ["node", "old", "task #old", 1, 0, 0, [1, "Write"]],
    ["key", "draft", "draft", 3, null, 0, [0, '"A short draft."']],
    ["task", "draft@1", "claude #draft", 2, "draft", 0, ["draft", null]],
    ["task", "draft@1", "claude #draft, again", 4, "draft", 0, ["draft"]],
  ];
  const found = (text: string, nodes: string[] = []) =>
    searched(rows, text, new Set(nodes)).found.map(
      ({ kind, id, frame }) => `${kind} ${id} f${frame}`,
    );

  it("finds nothing for nothing", () => {
    expect(searched(rows, "  ", new Set())).toEqual({ total: 0, found: [] });
    expect(found("turbines")).toEqual([]);
  });

  it("puts what is in the plan first, then keys, and the newest of a subject stands for all", () => {
    expect(found("draft", ["draft"])).toEqual(["node draft f2", "key draft f3", "task draft@1 f4"]);
    expect(found("WRITE", ["old"])).toEqual(["node old f1", "node draft f2"]);
  });

  it("takes text as it is, and only ASCII letters for the same in both cases", () => {
    const texts = ["100% of it", "É", "<b>x</b>"];
    const said = texts.map(
      (text, at): Searchable => ["key", `k${at}`, `k${at}`, 1, null, 0, [text]],
    );
    const ids = (text: string) => searched(said, text, new Set()).found.map(({ id }) => id);
    expect(ids("%")).toEqual(["k0"]);
    expect(ids("é")).toEqual([]);
    expect(ids("<B>")).toEqual(["k2"]);
  });

  it("shows at most fifty, and counts the rest", () => {
    const many = Array.from(
      { length: 700 },
      (_, at): Searchable => ["node", `n${at}`, "n", 1, 0, 0, [0]],
    );
    const { total, found } = searched(many, "n", new Set());
    expect([total, found.length]).toEqual([500, 50]);
    const printed = many.map((row): Searchable => ["output", ...(row.slice(1) as never)] as never);
    expect(searched(printed, "n", new Set()).total).toBe(50);
  });
});

describe("a link into a file", () => {
  it.each([
    ["#frame=42&node=draft&tab=why", { at: 42, phase: null }, "draft", "Why"],
    ["frame=2&phase=flush", { at: 2, phase: "FLUSH" }, null, null],
    // The rest is the end of a frame: it needs no phase.
    ["#frame=2&phase=EFFECTS", { at: 2, phase: null }, null, null],
    ["#tab=pending%20writes", null, null, "Pending writes"],
    ["", null, null, null],
    ["#frame=-1&tab=nothing&phase=NO", null, null, null],
    ["#frame=1.5", null, null, null],
    ["#frame=x&node=%3Cimg%20onerror%3E", null, "<img onerror>", null],
  ] as const)("%s names its place", (hash, cursor, node, tab) => {
    expect(placeOf(hash)).toEqual({ cursor, node, tab });
  });

  it.each([
    [{ at: 3, phase: "FLUSH" }, "a & b#c", "State"],
    [{ at: 3, phase: null }, null, "Node"],
    [{ at: null, phase: null }, "é=1", "Pending writes"],
  ] as const)("to %j, %s, %s leads back there", (cursor, node, tab) => {
    const there = placeOf(linkTo(cursor, node, tab));
    expect(there).toEqual({ cursor: cursor.at === null ? null : cursor, node, tab });
  });
});
