import { describe, expect, it } from "vitest";
import { linkTo, placeOf } from "../src/model/place";
import { type Encoded, type PackedTrack, Pool, Track } from "../src/player/codec";
import { type Searchable, searched } from "../src/player/search";

describe("the pool of values", () => {
  const shapes = [["key", "value"]];
  const pool = new Pool([[0, "n", [1]], [-1, 1, 2], [-1]], shapes);

  it.each<[number, unknown]>([
    [0, { key: "n", value: [1, 2] }],
    [1, [1, 2]],
    [2, []],
  ])("has at %i what was put there", (place, value) => {
    expect(pool.at(place)).toEqual(value);
  });

  it("reads a value once, so that equal rows are the same object", () => {
    expect(pool.at(0)).toBe(pool.at(0));
    expect((pool.at(0) as { value: unknown }).value).toBe(pool.at(1));
  });

  it("takes places below -1 as distances from where they stand", () => {
    const near = new Pool(["a", "b", [-1, [-3], [-4]]], []);
    expect(near.at(2)).toEqual(["b", "a"]);
    expect(near.value([-3], 2)).toBe("b");
  });

  it("shows what it does not have as nothing", () => {
    expect(new Pool([], []).at(7)).toBeNull();
  });
});

describe("a track of differences", () => {
  const WHOLE = -2;
  const NONE = -1;
  const pool = new Pool(["r0", "r1", "r2", "r3"], []);
  const names = ["frame", "title", "rows", "text"];
  const entries: readonly (readonly Encoded[])[] = [
    [2, WHOLE, { frame: -1 }, "one", { rows: [[0], [1], [2]] }, { lines: ["a", "b"] }],
    [1, 1, "two"],
    [1, 2, { rows: [0, 2, [3]] }, 3, { lines: [1, 1, "c"] }],
    [2, NONE],
    [1, WHOLE, { frame: 0 }, "new", { rows: [[3]] }, "plain"],
  ];
  const packed: PackedTrack = { names, entries };

  const first = { frame: 1, title: "one", rows: ["r0", "r1", "r2"], text: "a\nb" };
  const third = { frame: 3, title: "two", rows: ["r0", "r1", "r3"], text: "b\nc" };
  const cases: [number, number, unknown][] = [
    [0, 1, null],
    [1, 1, null],
    [2, 2, first],
    [3, 3, { ...first, frame: 2, title: "two" }],
    [4, 4, third],
    // Between two entries the one before holds, and its frame follows the cursor.
    [5, 5, { ...third, frame: 4 }],
    [6, 6, null],
    [7, 7, { frame: 7, title: "new", rows: ["r3"], text: "plain" }],
    [99, 99, { frame: 99, title: "new", rows: ["r3"], text: "plain" }],
  ];

  it.each(cases)("has at place %i, frame %i, what the pane showed there", (place, frame, value) => {
    expect(new Track(packed, pool).at(place, frame)).toEqual(value);
  });

  it("has the same in whatever order it is looked at", () => {
    const track = new Track(packed, pool);
    for (const [place, frame, value] of [...cases].reverse())
      expect(track.at(place, frame)).toEqual(value);
    for (const [place, frame, value] of cases) expect(track.at(place, frame)).toEqual(value);
  });

  it("gives the same object while nothing changes, so that nothing is drawn again", () => {
    const track = new Track(packed, pool);
    expect(track.at(4, 4)).toBe(track.at(4, 4));
    expect(track.at(5, 4)).toBe(track.at(4, 4));
  });

  it("keeps its way short over thousands of entries", () => {
    const long = Array.from({ length: 5000 }, (_, at): readonly Encoded[] =>
      at === 0 ? [1, WHOLE, 0] : [1, 0, at],
    );
    const track = new Track({ names: ["n"], entries: long }, pool);
    for (const place of [5000, 1, 2500, 4999]) expect(track.at(place, 1)).toEqual({ n: place - 1 });
  });
});

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
