import { describe, expect, it } from "vitest";
import { branchWords, inRows, laneOfEach, leaves } from "../src/model/branches";
import { Client } from "../src/model/client";
import { changedState, forkCode, forkFrame, textsOf } from "../src/model/fork";
import type { BranchesPane, StatePane } from "../src/model/protocol";
import { FakeKernel } from "./kernel";
import { branch, panes, panesFullOf, summary } from "./samples";

const root = branch({ execution_id: "a", name: "report" });
const second = branch({ execution_id: "b", name: "report~2", parent_id: "a", depth: 1, at: 3 });
const third = branch({ execution_id: "c", name: "report~3", parent_id: "a", depth: 1, at: 3 });
const late = branch({ execution_id: "d", name: "late", parent_id: "a", depth: 1, at: 8 });
const below = branch({ execution_id: "e", name: "below", parent_id: "b", depth: 2, at: 5 });
const family = [root, second, below, third, late];

const OF_ROOT: BranchesPane = {
  ...panes().branches,
  family,
  line: [{ execution_id: "a", name: "report", first: 1, last: null }],
};
const OF_SECOND: BranchesPane = {
  ...OF_ROOT,
  line: [
    { execution_id: "a", name: "report", first: 1, last: 3 },
    { execution_id: "b", name: "report~2", first: 4, last: null },
  ],
};

describe("branches along a line", () => {
  it("leave it where they share its last frame, and those of what was left before are not on it", () => {
    expect([...leaves(OF_ROOT)]).toEqual([
      [3, ["report~2", "report~3"]],
      [8, ["late"]],
    ]);
    expect([...leaves(OF_SECOND)]).toEqual([
      [5, ["below"]],
      [3, ["report~3"]],
    ]);
  });

  it.each([
    [OF_ROOT, 3, ["2 branches leave here: report~2, report~3"]],
    [OF_ROOT, 8, ["branch late leaves here"]],
    [OF_ROOT, 4, []],
    [OF_SECOND, 2, ["of report"]],
    [OF_SECOND, 3, ["of report, which report~2 leaves here", "branch report~3 leaves here"]],
    [OF_SECOND, 4, []],
    [OF_SECOND, 5, ["branch below leaves here"]],
    [null, 3, []],
  ])("are told of a frame in words", (pane, frame, words) => {
    expect(branchWords(pane, frame)).toEqual(words);
  });

  it("have a lane each from where they leave, and ancestors from where they were left", () => {
    const at = { ...root, last: 9 };
    const lanes = laneOfEach({ ...OF_SECOND, family: [at, { ...third, last: 3 }, second, below] });
    expect(lanes).toMatchObject([
      { execution_id: "a", name: "report", first: 4, last: 9 },
      { execution_id: "c", first: 4, last: 3 }, // It has no frame of its own yet.
      { execution_id: "e", first: 6 },
    ]);
    expect(inRows(lanes, 3).map(({ label }) => label)).toEqual(["report", "report~3", "below"]);
    expect(inRows(lanes, 2)).toMatchObject([
      { label: "report", parts: [{}] },
      { label: "branches", parts: [{}, {}] },
    ]);
    expect(inRows([], 2)).toEqual([]);
  });

  it("name no more than three", () => {
    const many = [1, 2, 3, 4, 5].map((n) => ({ ...late, execution_id: `x${n}`, name: `x${n}` }));
    expect(branchWords({ ...OF_ROOT, family: [root, ...many] }, 8)).toEqual([
      "5 branches leave here: x1, x2, x3 and 2 more",
    ]);
  });
});

describe("a branch to be made", () => {
  it.each([
    [2, "EFFECTS", 2],
    [null, "EFFECTS", 3],
    [null, "FLUSH", 4],
    [null, null, 4],
    [4, "FLUSH", 4],
  ])("begins after the frame %s that is seen, in %s of frame 4: %s", (at, phase, frame) => {
    expect(forkFrame({ at, phase: null }, summary({ frame: 4, phase }))).toBe(frame);
  });

  const known = new Map([
    ["n", "1"],
    ["notes", '"tides"'],
  ]);

  it.each([
    [[], null],
    [[["n", " 1 "]], null],
    [[["n", "2"]], '{"n": 2}'],
    [
      [
        ["n", "12345678901234567890.0"],
        ['a"b', '{"x": [1]}'],
      ],
      '{"n": 12345678901234567890.0, "a\\"b": {"x": [1]}}',
    ],
    [[["__proto__", "null"]], '{"__proto__": null}'],
  ] as [[string, string][], string | null][])("sends of %j what differs", (edits, sent) => {
    expect(changedState(new Map(edits), known)).toBe(sent);
  });

  it.each([
    ["tides", "it is no JSON"],
    ['1, "x": 2', "it is no JSON"],
    ["", "it is empty"],
    ["NaN", "it is no JSON"],
  ])("refuses %j", (text, why) => {
    expect(changedState(new Map([["n", text]]), known)).toEqual({
      key: "n",
      why: expect.stringContaining(why),
    });
  });

  it("knows the values that were not cut", () => {
    const [entry] = panesFullOf("n").state.entries;
    if (entry === undefined) throw new Error("the sample has a value");
    const cut = { ...entry, key: "long", value: { ...entry.value, cut: true } };
    const vol = { ...entry, key: "vol", scope: "vol" as const };
    const pane: StatePane = { names: {}, frame: 4, total: 3, entries: [entry, cut, vol] };
    expect([...textsOf(pane).keys()]).toEqual([entry.key]);
  });

  it("of a recorded execution is told in code", () => {
    expect(forkCode(OF_ROOT, "a", 3)).toBe(
      "branch = Store('smithers.db').open(\"a\").fork(Report, frame=3)",
    );
  });
});

describe("another execution in the same stepper", () => {
  const opened = () => {
    const kernel = new FakeKernel(summary());
    const client = new Client(kernel);
    client.start();
    client.watch([{ pane: "state", of: null }]);
    kernel.replyToAll();
    kernel.replyToAll();
    return { kernel, client };
  };

  it("takes the place of all that was shown, live, and is asked for all of it", () => {
    const { kernel, client } = opened();
    client.goTo(2);
    client.pin(1);
    kernel.replyToAll();
    client.show("b");
    expect(kernel.sent.at(-1)).toEqual({ type: "show", execution_id: "b" });
    const before = kernel.gets.length;
    kernel.push({ execution_id: "b", name: "report~2", frame: 3, recorded: 3 });
    const { cursor, base, panes: shown, track, summary: now } = client.state;
    expect([cursor.at, base, track.to, now?.name]).toEqual([null, null, 0, "report~2"]);
    expect(shown.state?.data ?? null).toBeNull();
    expect(kernel.gets.slice(before).map(({ pane }) => pane)).toEqual(["state"]);
    kernel.replyToAll();
    expect(client.state.panes.state?.data).not.toBeNull();
  });

  it("is listed as it stands when the menu is opened", () => {
    const { kernel, client } = opened();
    const before = kernel.sent.length;
    client.renew("branches");
    expect(kernel.sent.slice(before)).toEqual([
      { type: "look", gets: [expect.objectContaining({ pane: "branches", at: null })] },
    ]);
  });

  it("is not shown what was asked of the last one", () => {
    const { kernel, client } = opened();
    kernel.push();
    const asked = kernel.gets.at(-1);
    kernel.push({ execution_id: "b" });
    kernel.reply(asked);
    expect(client.state.panes.state?.data ?? null).toBeNull();
  });

  it("can be stepped while the last one still moves, and commands name the one that is shown", async () => {
    const { kernel, client } = opened();
    client.order({ name: "continue" });
    expect(kernel.commands.at(-1)).toMatchObject({ name: "continue", execution_id: "e1" });
    const fork = client.order({ name: "fork", frame: 2 });
    kernel.done(kernel.commands.at(-1), null, "b");
    expect((await fork)?.result).toBe("b");
    kernel.push({ execution_id: "b" });
    client.order({ name: "step_frame" });
    expect(kernel.commands.at(-1)).toMatchObject({ name: "step_frame", execution_id: "b" });
  });
});
