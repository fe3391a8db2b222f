import { describe, expect, it } from "vitest";
import { distinct } from "../src/model/alerts";
import { type Action, actionOf, effectOf, whyControlOff, whyOff } from "../src/model/controls";
import { LIVE } from "../src/model/cursor";
import { choose, FIRST_CHOICE, groupsOf, roomOf, watchedIn } from "../src/model/layout";
import { executionLook, nodeLook, phaseLook } from "../src/model/looks";
import {
  dollars,
  folded,
  grouped,
  milliseconds,
  plural,
  preview,
  size,
  visible,
} from "../src/model/text";
import { summary } from "./samples";

describe("text", () => {
  it.each([
    ["plain text\n\twith lines", "plain text\n\twith lines"],
    ["bell \u0007 and null \u0000", "bell ␇ and null ␀"],
    ["a carriage return \r and escape \u001b[31m", "a carriage return ␍ and escape ␛[31m"],
    ["delete \u007f and next line \u0085", "delete ␡ and next line ␦"],
    ["<img src=x onerror=alert(1)>", "<img src=x onerror=alert(1)>"],
  ])("shows the control characters of %j", (text, shown) => {
    expect(visible(text)).toBe(shown);
  });

  it.each([
    [preview("one\n  two "), "one two"],
    [preview("x".repeat(100), 10), `${"x".repeat(10)}…`],
    [grouped(1234567), "1,234,567"],
    [plural(1, "task"), "1 task"],
    [plural(1200, "token"), "1,200 tokens"],
    [size(812), "812 characters"],
    [size(2048), "2.0 KB"],
    [size(3_100_000), "3.1 MB"],
    [milliseconds(0.04), "0.0 ms"],
    [milliseconds(63.81), "63.8 ms"],
    [milliseconds(2345), "2.35 s"],
    [dollars(0), "$0.00"],
    [dollars(0.0123), "$0.0123"],
    [dollars(12.5), "$12.50"],
  ])("reads %j", (found, expected) => {
    expect(found).toBe(expected);
  });
});

it.each([
  ["short", "short"],
  ["a\nb\nc\nd", "a\nb\nc\nd"],
  ["a\nb\nc\n\nd\ne", "a\nb\nc"],
  ["x".repeat(1000), "x".repeat(320)],
])("the text %j is folded to its first lines", (text, first) => {
  expect(folded(text)).toBe(first);
});

describe("looks", () => {
  it.each([
    [{ name: "RENDER", state: "done", ms: 0.25 }, "✓", "0.3 ms", false, "RENDER: done, 0.3 ms"],
    [
      { name: "COMMIT", state: "done", ms: 63.81 },
      "✓",
      "63.8 ms",
      true,
      "COMMIT: done, 63.8 ms, slow: over 50 ms",
    ],
    [{ name: "FLUSH", state: "current", ms: null }, "▶", "", false, "FLUSH: current"],
    [{ name: "FLUSH", state: "todo", ms: null }, "○", "", false, "FLUSH: to come"],
  ] as const)("of the phase %j", (chip, glyph, ms, slow, title) => {
    expect(phaseLook(chip)).toEqual({ glyph, ms, slow, title });
  });

  it("have a word for every status, also for one that is not known", () => {
    expect(executionLook("stalled").word).toBe("stalled");
    expect(nodeLook("dreaming")).toEqual({ glyph: "•", word: "dreaming", tone: "idle" });
  });
});

describe("controls", () => {
  it.each([
    ["s", false, "step_phase"],
    ["S", false, "step_phase"], // Caps Lock
    ["S", true, "back_phase"],
    ["n", false, "step_frame"],
    ["N", true, "back_frame"],
    ["c", false, "continue"],
    ["C", true, "reverse_continue"],
    ["u", false, "until_idle"],
    [" ", false, "pause"],
    ["X", true, "stop"],
    ["x", false, "export"],
    ["ArrowLeft", false, "back"],
    ["ArrowRight", false, "forward"],
    ["Home", false, "first"],
    ["End", false, "live"],
    ["b", false, "breakpoint"],
    ["w", false, "watch"],
    ["l", false, "last_change"],
    ["e", false, "edit"],
    ["/", false, "search"],
    ["g", false, "go_to"],
    ["?", true, "help"],
    ["d", false, null],
    ["Enter", false, null],
  ])("the key %j with shift %j is %s", (key, shiftKey, action) => {
    expect(actionOf({ key, shiftKey, repeat: false })).toBe(action);
  });

  it.each([
    ["n", null],
    ["ArrowLeft", "back"],
  ])("the key %j held down is %s", (key, action) => {
    expect(actionOf({ key, shiftKey: false, repeat: true })).toBe(action);
  });

  it.each<[Action, string, string]>([
    ["step_frame", "command step_frame", "walk forward_frame"],
    ["step_phase", "command step_phase", "walk forward_phase"],
    ["continue", "command continue", "seek forward"],
    ["until_idle", "command until_idle", "walk live"],
    ["reverse_continue", "seek back", "seek back"],
    ["back", "walk back", "walk back"],
    ["pause", "command pause", "command pause"],
    ["stop", "command stop", "command stop"],
    ["breakpoint", "view breakpoint", "view breakpoint"],
  ])("%s does %s when live, and %s in the records", (action, live, recorded) => {
    const words = (at: number | null) =>
      Object.values(effectOf(action, { at, phase: null })).join(" ");
    expect(words(null)).toBe(live);
    expect(words(3)).toBe(recorded);
  });

  it.each<[Action, number | null, string | null]>([
    ["forward", null, "You are at the live edge. Next: step executes."],
    ["forward", 2, null],
    ["live", null, "You are live already."],
    ["back", 1, "There is no frame before this one."],
    ["back", null, null],
    ["step_frame", null, "not now"],
    ["step_frame", 2, null],
  ])("%s at %s is off because: %s", (action, at, why) => {
    const edge = { frame: 4, phase: "EFFECTS", recorded: 4 };
    const cursor = at === null ? LIVE : { at, phase: null };
    expect(whyControlOff(action, cursor, edge, () => "not now")).toBe(why);
  });

  const counts = summary().counts;
  it.each([
    ["step_phase", {}, null],
    ["pause", {}, "Nothing is running."],
    ["pause", { status: "running" }, null],
    ["pause", { counts: { ...counts, running: 2 } }, null],
    ["stop", {}, null],
    ["step_frame", { status: "stopped" }, null],
    ["stop", { status: "finished", over: true }, "The execution is finished."],
    ["step_frame", { status: "finished", over: false }, null],
    ["until_idle", { status: "stalled" }, null],
    ["continue", { busy: "until_idle" }, "Until idle is under way."],
    ["continue", { busy: "run" }, "A run is under way."],
    ["edit_pending", { busy: "until_idle" }, null],
  ] as const)("%s with %j: %s", (name, change, why) => {
    expect(whyOff(name, summary(change), {})).toBe(why);
  });

  it("are off before the kernel has said anything", () => {
    expect(whyOff("step_phase", null, {})).toBe("Waiting for the kernel.");
  });
});

describe("layout", () => {
  it.each([
    [1280, "wide"],
    [900, "wide"],
    [899, "middle"],
    [600, "middle"],
    [599, "narrow"],
    [360, "narrow"],
    [359, "tiny"],
  ] as const)("%i px is %s", (width, room) => {
    expect(roomOf(width)).toBe(room);
  });

  const question = { pane: "why_not", of: "end", at: 3, phase: null } as const;
  const nothing = { node: null, task: null, edited: false, question, ghosts: false };
  const node = { ...nothing, node: "n" };
  it.each([
    [FIRST_CHOICE, "wide", nothing, ["plan", "pending"]],
    [FIRST_CHOICE, "wide", node, ["plan", "node n", "pending"]],
    [FIRST_CHOICE, "middle", node, ["plan", "pending"]],
    [FIRST_CHOICE, "narrow", nothing, ["plan"]],
    [FIRST_CHOICE, "tiny", nothing, []],
    [choose(FIRST_CHOICE, "XML"), "middle", nothing, ["xml", "pending"]],
    [choose(FIRST_CHOICE, "State"), "middle", nothing, ["plan", "state"]],
    [choose(FIRST_CHOICE, "State"), "wide", nothing, ["plan", "state", "pending"]],
    [FIRST_CHOICE, "narrow", { ...nothing, edited: true }, ["plan", "edited"]],
    [FIRST_CHOICE, "narrow", { ...nothing, ghosts: true }, ["plan", "ghosts"]],
    [choose(FIRST_CHOICE, "XML"), "narrow", { ...nothing, ghosts: true }, ["xml"]],
    [choose(FIRST_CHOICE, "Why"), "wide", nothing, ["plan", "why_not end", "pending"]],
    [choose(FIRST_CHOICE, "Task"), "narrow", { ...node, task: "t" }, ["task t"]],
  ] as const)("%j in a %s room with %j chosen shows %j", (choice, room, chosen, panes) => {
    const watched = watchedIn(groupsOf(choice, room), chosen);
    const words = watched.map(({ pane, of }) => (of === null ? pane : `${pane} ${of}`));
    expect(words.filter((pane) => pane !== "frame" && pane !== "breakpoints")).toEqual(panes);
  });
});

it("one text is told once, whoever says it", () => {
  const alerts = ["kernel", "command"].map((source) => ({ source, text: "boom" }));
  expect(distinct(alerts)).toEqual([{ source: "kernel", text: "boom" }]);
});
