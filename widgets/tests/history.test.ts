import { describe, expect, it } from "vitest";
import {
  asked,
  breakpointOn,
  EMPTY_FORM,
  eventsOf,
  type Form,
  isSet,
  ofKind,
  type Subject,
} from "../src/model/breakpoints";
import { attemptWords, elapsed, lasting, windowWords } from "../src/model/clock";
import {
  type Cursor,
  type Edge,
  frameNamed,
  goTo,
  LIVE,
  type Walk,
  walked,
} from "../src/model/cursor";
import type { PhaseName, PlanPane, PlanRow, TimelinePane } from "../src/model/protocol";
import {
  bucketed,
  EMPTY_TRACK,
  frameAt,
  frameWords,
  joined,
  middles,
  rowsOf,
  spanOf,
  ticks,
  tipWords,
  usedOf,
} from "../src/model/timeline";
import { breakpoint, node as planNode, running } from "./samples";

const EDGE: Edge = { frame: 4, phase: "EFFECTS", recorded: 4 };
const AT_EDGE = "live edge";

const words = ({ at, phase }: Cursor) => (at === null ? "LIVE" : [at, phase ?? "rest"].join(" "));
const cursor = (at: number | null, phase: PhaseName | null = null): Cursor => ({ at, phase });

describe("walking the records", () => {
  it.each<[Cursor, Walk, string]>([
    [LIVE, "back", "3 rest"],
    [cursor(3), "back", "2 rest"],
    [cursor(1), "back", "1 rest"],
    [cursor(3), "first", "1 rest"],
    [cursor(2), "forward", "3 rest"],
    [cursor(3), "forward", "LIVE"],
    [LIVE, "forward", "LIVE"],
    [cursor(2), "live", "LIVE"],
    [LIVE, "back_phase", "4 EXECUTE"],
    [cursor(4, "EXECUTE"), "back_phase", "4 COMMIT"],
    [cursor(4, "SNAPSHOT"), "back_phase", "3 FLUSH"],
    [cursor(3, "FLUSH"), "back_phase", "3 rest"],
    [cursor(3), "back_phase", "3 EXECUTE"],
    [cursor(3, "FLUSH"), "forward_phase", "4 SNAPSHOT"],
    [cursor(3), "forward_phase", "3 FLUSH"],
    [cursor(4, "EXECUTE"), "forward_phase", "LIVE"],
    [cursor(1, "SNAPSHOT"), "back_phase", "1 SNAPSHOT"],
    [cursor(2, "RENDER"), "forward_frame", "3 rest"],
    [cursor(2, "RENDER"), "back_frame", "1 rest"],
  ])("from %j by %s one comes to %s", (from, walk, to) => {
    expect(words(walked(from, walk, EDGE).cursor)).toBe(to);
  });

  it("stops at the live edge and says that step executes", () => {
    expect(walked(cursor(3), "forward", EDGE).note).toContain(AT_EDGE);
    expect(walked(cursor(3), "forward_frame", EDGE).note).toContain("Next: step executes");
    expect(walked(cursor(2), "forward", EDGE).note).toBeNull();
  });

  it("stays in the file while the newest frame is not there yet", () => {
    const edge = { frame: 5, phase: "RENDER", recorded: 4 };
    expect(words(walked(LIVE, "back_phase", edge).cursor)).toBe("4 FLUSH");
    expect(words(walked(LIVE, "back", edge).cursor)).toBe("4 rest");
  });

  it.each([
    [2, "2 rest"],
    [0, "1 rest"],
    [4, "LIVE"],
    [99, "LIVE"],
  ])("going to frame %i shows %s", (frame, to) => {
    expect(words(goTo(frame, EDGE).cursor)).toBe(to);
  });

  it.each([
    ["3", 3],
    ["f2", 2],
    ["-1", 1],
    ["+1", 3],
    ["live", 4],
    ["0", null],
    ["5", null],
    ["three", null],
    ["", null],
  ])("%j names frame %s", (text, frame) => {
    expect(frameNamed(text, EDGE, cursor(2))).toBe(frame);
  });
});

const piece = (
  since: number,
  writes: number[],
  change: Partial<TimelinePane> = {},
): TimelinePane => ({
  since,
  to: since + writes.length - 1,
  writes,
  handlers: writes.map(() => 0),
  changes: writes.map(() => 1),
  ms: writes.map(() => 1),
  errors: [],
  hits: [],
  tasks: [],
  output: [],
  keys: [],
  ...change,
});

describe("the timeline", () => {
  it("is joined from pieces, the newer one winning where they overlap", () => {
    const first = joined(EMPTY_TRACK, piece(1, [1, 2, 3], { errors: [[3, 1]] }));
    const both = joined(first, piece(3, [9, 4], { hits: [[4, 1]] }));
    expect(both).toMatchObject({ to: 4, writes: [1, 2, 9, 4], errors: [], hits: [[4, 1]] });
  });

  it("takes no piece that would leave a hole", () => {
    expect(joined(EMPTY_TRACK, piece(5, [1]))).toBe(EMPTY_TRACK);
  });

  it("has one bucket a pixel, however many frames there are", () => {
    const writes = Array.from({ length: 10_000 }, (_, at) => (at === 7777 ? 5 : 0));
    const buckets = bucketed(joined(EMPTY_TRACK, piece(1, writes)), 10_000, 500);
    expect(buckets.writes).toHaveLength(500);
    expect([...buckets.writes.keys()].filter((x) => buckets.writes[x])).toEqual([388]);
  });

  it("has few marks, however many frames are marked", () => {
    const all = Array.from({ length: 10_000 }, (_, at) => at + 1);
    expect(middles(all, 10_000, 500).length).toBeLessThanOrEqual(167);
    expect(middles([3, 1, 99], 4, 112)).toEqual([14, 70]); // Frame 99 is not there.
  });

  it.each([
    [3, 1000, 84], // A short run is not drawn as a long one.
    [35, 1000, 980],
    [36, 1000, 1000],
    [10_000, 1000, 1000],
    [0, 1000, 0],
  ])("gives %i frames of %i pixels %i", (frames, room, used) => {
    expect(usedOf(frames, room)).toBe(used);
  });

  it.each([
    [0, 0, []],
    [3, 84, [1, 2, 3]],
    [40, 1000, Array.from({ length: 40 }, (_, at) => at + 1)],
    [100, 1000, [5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60, 65, 70, 75, 80, 85, 90, 95, 100]],
    [10_000, 200, [5000, 10_000]],
  ])("prints of %i frames in %i pixels the numbers %j", (frames, used, numbers) => {
    expect(ticks(frames, used)).toEqual(numbers);
  });

  it("hides what is empty, and the marks share a row", () => {
    const rows = (track: Partial<TimelinePane>, bookmarks: number[] = [], branches = 0) =>
      rowsOf(joined(EMPTY_TRACK, piece(1, [0, 1], track)), bookmarks, branches).map(
        ({ label }) => label,
      );
    expect(rowsOf(EMPTY_TRACK, [], 0)).toEqual([]);
    expect(rows({})).toEqual(["writes"]);
    expect(rows({ handlers: [0, 2] })).toEqual(["writes", "handlers"]);
    expect(rows({ writes: [0, 0], errors: [[2, 1]] })).toEqual(["errors"]);
    expect(rows({ hits: [[1, 1]], errors: [[2, 1]] }, [2])).toEqual(["writes", "marks"]);
    // Three rows with the branches: more would be closer than their labels are high.
    expect(rows({ handlers: [0, 2] }, [], 1)).toEqual(["writes", "handlers"]);
    expect(rows({ handlers: [0, 2] }, [], 2)).toEqual(["activity"]);
    expect(rows({ handlers: [0, 2] }, [1], 1)).toEqual(["activity", "bookmarks"]);
    expect(rows({}, [1], 9)).toEqual(["writes", "bookmarks"]);
  });

  it("gives each of few frames its share of the pixels", () => {
    const track = joined(EMPTY_TRACK, piece(1, [0, 1]));
    expect([...bucketed(track, 2, 4).writes].map(Boolean)).toEqual([false, false, true, true]);
  });

  it.each([1, 2, 3, 7, 310, 999, 10_000])("leads from each of %i frames back to it", (frames) => {
    const width = 1000;
    for (let frame = 1; frame <= Math.min(frames, 1000); frame += 1) {
      const { from, to } = spanOf(frame, frames, width);
      if (to - from > 1) expect(frameAt((from + to) / 2, frames, width)).toBe(frame);
    }
    expect(frameAt(-5, frames, width)).toBe(1);
    expect(frameAt(width + 5, frames, width)).toBe(frames);
  });

  it("says what is in a frame", () => {
    const track = joined(EMPTY_TRACK, piece(1, [0, 2, 1], { errors: [[3, 1]], hits: [[3, 2]] }));
    expect(frameWords(track, [], 2, 3)).toBe("frame 2 of 3, 2 writes");
    expect(frameWords(track, [3], 3, 3)).toBe(
      "frame 3 of 3, 1 write, 1 error, 2 breakpoint hits, bookmarked",
    );
    expect(frameWords(EMPTY_TRACK, [], 0, 0)).toBe("no frames yet");
  });

  it("says in a tooltip what a frame did, and nothing of what it did not", () => {
    const track = joined(
      EMPTY_TRACK,
      piece(1, [0, 2, 1], {
        changes: [0, 0, 3],
        handlers: [0, 1, 0],
        hits: [[3, 2]],
        keys: [[2, ["verdict"]]],
      }),
    );
    expect(tipWords(track, [], 1)).toBe("frame 1: changed nothing");
    expect(tipWords(track, [], 2)).toBe("frame 2: 2 writes, verdict changed, 1 handler");
    expect(tipWords(track, [3], 3)).toBe(
      "frame 3: 1 write, 2 breakpoint hits, 3 nodes changed, bookmarked",
    );
  });
});

describe("breakpoints", () => {
  const node: Subject = { kind: "node", id: "notes" };

  it.each<[Subject, object]>([
    [node, { kind: "node", target: "notes" }],
    [
      { kind: "key", key: "n", scope: "vol" },
      { kind: "key", target: "n", event: "changed" },
    ],
    [
      { kind: "handler", node: "notes", event: "on_error" },
      { kind: "handler", target: "notes", event: "on_error" },
    ],
    [
      { kind: "phase", name: "RENDER" },
      { kind: "phase", target: "RENDER" },
    ],
  ])("a click on %j sets %j", (subject, wanted) => {
    expect(breakpointOn(subject)).toEqual(wanted);
  });

  it.each([
    [breakpoint(), true],
    [breakpoint({ enabled: false }), false],
    [breakpoint({ event: "error" }), true],
    [breakpoint({ target: "draft" }), false],
    [breakpoint({ kind: "handler" }), false],
  ])("%# is the one on the node or not", (one, set) => {
    expect(isSet(node, [one])).toBe(set);
  });

  const form = (change: Partial<Form>): Form => ({ ...EMPTY_FORM, ...change });
  it.each<[Partial<Form>, string]>([
    [{}, "Enter an expression"],
    [{ kind: "key" }, "Which key?"],
    [{ kind: "handler" }, "Which node's handler?"],
    [{ kind: "key", target: "n", event: "equals" }, "Enter the value as JSON."],
    [{ kind: "error", after: "0" }, "whole number"],
    [{ kind: "error", after: "x" }, "whole number"],
  ])("the form %j is not complete: %s", (change, why) => {
    expect(asked(form(change))).toContain(why);
  });

  it.each<[Partial<Form>, object]>([
    [{ when: " state.n > 3 " }, { kind: "expression", target: null, when: "state.n > 3" }],
    [
      { kind: "error", once: true, after: "3" },
      { kind: "error", once: true, after: 3 },
    ],
    [
      { kind: "key", target: "n", event: "equals", value: "3" },
      { target: "n", event: "equals", value: "3" },
    ],
    [{ kind: "key", target: "n", event: "changed", value: "3" }, { value: null }],
  ])("the form %j asks for %j", (change, wanted) => {
    expect(asked(form(change))).toMatchObject(wanted);
  });

  const plan = (dry: boolean, ...nodes: PlanRow[]): PlanPane => ({
    frame: 1,
    dry,
    total: nodes.length,
    version: 1,
    against: null,
    base: 0,
    nodes,
  });
  it.each<[string, PlanPane | null, string[]]>([
    ["not in the plan", null, ["mount", "start", "finished", "error", "unmount"]],
    ["dry", plan(true, planNode("t")), ["mount", "start", "finished", "error", "unmount"]],
    ["pending", plan(false, planNode("t")), ["start", "finished", "error", "unmount"]],
    [
      "running",
      plan(false, planNode("t", { status: "running" })),
      ["finished", "error", "unmount"],
    ],
    [
      "over",
      plan(false, planNode("t", { status: "failed" })),
      ["start", "finished", "error", "unmount"],
    ],
    ["a text", plan(false, planNode("t", { type: "text" })), ["unmount"]],
    [
      "removed",
      plan(false, planNode("t", { type: "if", change: "removed" })),
      ["mount", "unmount"],
    ],
    [
      "a phase",
      plan(false, planNode("t", { type: "phase", status: "running" })),
      ["finished", "error", "unmount"],
    ],
  ])("of a node that is %s the form offers what can still happen", (_, there, events) => {
    const wanted = form({ kind: "node", target: "t", event: "mount" });
    expect(eventsOf(wanted, there)).toEqual(events);
    expect(asked(wanted, eventsOf(wanted, there))).toMatchObject({ event: events[0] });
  });

  it("of a handler it offers those that the node has", () => {
    const there = plan(
      false,
      planNode("t", { events: ["on_error"] }),
      planNode("u", { events: [] }),
    );
    const wanted = form({ kind: "handler", target: "t" });
    expect(asked(wanted, eventsOf(wanted, there))).toMatchObject({ event: "on_error" });
    const none = form({ kind: "handler", target: "u" });
    expect(asked(none, eventsOf(none, there))).toBe("u has no handlers.");
  });

  it("another kind empties what does not fit it", () => {
    const key = form({ kind: "key", target: "n", event: "equals", value: "3", when: "1 > 0" });
    expect(ofKind(key, "node")).toMatchObject({ target: "", event: "mount", when: "1 > 0" });
    expect(ofKind(key, "phase")).toMatchObject({ target: "RENDER", event: "" });
  });
});

describe("time", () => {
  it.each([
    [lasting(12_400), "12 s"],
    [lasting(185_000), "3 min 5 s"],
    [lasting(3_720_000), "1 h 2 min"],
    [elapsed(running({ started: 1000 }), 13_000), "12 s"],
    [elapsed({ ...running({ started: 1000 }), ended: 1500 }, 99_000), "0.5 s"],
    [elapsed(running({ started: null }), 5), ""],
    [attemptWords(running(), 0), ""],
    [
      attemptWords(
        running({
          attempt: 3,
          max_attempts: 5,
          retry_at: 12_000,
          reason: "429",
          status: "blocked",
        }),
        0,
      ),
      "attempt 3/5, next in 12 s, reason 429",
    ],
    [
      attemptWords(running({ reason: "last seen 12 s ago", worker: "w0: last seen 12 s ago" }), 0),
      "worker w0: last seen 12 s ago",
    ],
    [
      attemptWords(running({ reason: "it stays in the kernel: it uses ctx" }), 0),
      "it stays in the kernel: it uses ctx",
    ],
    [
      windowWords({ name: "p:m", refused: 3, opens: 12_000, apart_ms: 220.4 }, 0),
      "p:m refused 3 requests: nobody asks for 12 s, then one each 220 ms",
    ],
    [
      windowWords({ name: "p:m", refused: 1, opens: 12_000, apart_ms: 0 }, 12_000),
      "p:m refused 1 request: as they come",
    ],
  ])("reads %j", (found, expected) => {
    expect(found).toBe(expected);
  });
});
