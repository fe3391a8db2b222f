import { describe, expect, it } from "vitest";
import { distinct } from "../src/model/alerts";
import { commandOf, whyOff } from "../src/model/controls";
import { choose, FIRST_CHOICE, panesSeen } from "../src/model/layout";
import { executionLook, nodeLook, phaseLook } from "../src/model/looks";
import { dollars, grouped, milliseconds, plural, preview, size, visible } from "../src/model/text";
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
    ["n", false, "step_frame"],
    ["u", false, "until_idle"],
    [" ", false, "pause"],
    ["X", true, "stop"],
    ["x", false, null],
    ["S", true, null],
    ["d", false, null],
    ["Enter", false, null],
  ])("the key %j with shift %j is %s", (key, shiftKey, command) => {
    expect(commandOf({ key, shiftKey, repeat: false })).toBe(command);
  });

  it("a key that is held down counts once", () => {
    expect(commandOf({ key: "n", shiftKey: false, repeat: true })).toBeNull();
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
  ] as const)("%s with %j: %s", (name, change, why) => {
    expect(whyOff(name, summary(change), {})).toBe(why);
  });

  it("are off before the kernel has said anything", () => {
    expect(whyOff("step_phase", null, {})).toBe("Waiting for the kernel.");
  });
});

describe("layout", () => {
  it.each([
    [FIRST_CHOICE, false, ["plan", "pending"]],
    [FIRST_CHOICE, true, ["plan"]],
    [choose(FIRST_CHOICE, "XML"), false, ["xml", "pending"]],
    [choose(FIRST_CHOICE, "State"), false, ["plan", "state"]],
    [choose(FIRST_CHOICE, "State"), true, ["state"]],
    [choose(FIRST_CHOICE, "Problems"), false, ["plan"]],
    [choose(FIRST_CHOICE, "Problems"), true, []],
  ])("%j in one pane %j shows %j", (choice, single, panes) => {
    expect(panesSeen(choice, single)).toEqual(panes);
  });
});

it("one text is told once, whoever says it", () => {
  const alerts = ["kernel", "command"].map((source) => ({ source, text: "boom" }));
  expect(distinct(alerts)).toEqual([{ source: "kernel", text: "boom" }]);
});
