import { describe, expect, it } from "vitest";
import { PANES, PROTOCOL } from "../src/model/protocol";
import { golden } from "./golden";
import { goldenGuard, outgoingGuard, replyGuard, summaryGuard } from "./guards";
import { panes, panesFullOf, summary } from "./samples";

describe("the golden file that the Python tests write", () => {
  it("has the shapes that the front end expects, field by field", () => {
    expect(goldenGuard(golden(), "golden")).toEqual([]);
  });

  it("speaks the front end's protocol number", () => {
    expect(golden().summary.protocol).toBe(PROTOCOL);
  });

  it("has a reply for each pane, both answers and a message of each type", () => {
    const replied = golden().replies.map(({ pane }) => pane);
    expect(new Set(replied)).toEqual(new Set(PANES));
    expect(new Set(golden().answers.map(({ type }) => type))).toEqual(
      new Set(["ack", "done", "replies", "pong"]),
    );
    const types = golden().messages.map(({ type }) => type);
    expect(new Set(types)).toEqual(new Set(["hello", "ping", "show", "command", "get", "look"]));
  });
});

describe("the guards", () => {
  const { tokens: _tokens, ...lacking } = summary();
  const reply = {
    type: "reply",
    id: "1",
    pane: "plan",
    at: null,
    phase: null,
    data: panes().plan,
    error: null,
  };

  it.each([
    ["a good summary", summaryGuard(summary(), "s"), []],
    [
      "an unknown field",
      summaryGuard({ ...summary(), colour: "red" }, "s"),
      ["s.colour: unknown field"],
    ],
    ["a missing field", summaryGuard(lacking, "s"), ["s.tokens: missing"]],
    [
      "a wrong type",
      summaryGuard({ ...summary(), frame: "4" }, "s"),
      ['s.frame: expected a whole number, got "4"'],
    ],
    [
      "six phases",
      summaryGuard({ ...summary(), phases: summary().phases.slice(1) }, "s"),
      ["s.phases: expected seven phases"],
    ],
    ["a good reply", replyGuard(reply, "r"), []],
    [
      "a reply of another pane's data",
      replyGuard({ ...reply, pane: "xml" }, "r").slice(0, 2),
      ["r.data.total: unknown field", "r.data.version: unknown field"],
    ],
    ["an unknown pane", replyGuard({ ...reply, pane: "how" }, "r"), ["r.pane: unknown how"]],
    [
      "an unknown command",
      outgoingGuard({ type: "command", id: "1", name: "fly" }, "m"),
      ["m.name: unknown fly"],
    ],
  ])("judge %s", (_name, found, expected) => {
    expect(found).toEqual(expected);
  });

  it.each(PANES)("take the sample of %s", (pane) => {
    const data = panesFullOf("x")[pane];
    expect(replyGuard({ ...reply, pane, data }, "r")).toEqual([]);
  });
});
