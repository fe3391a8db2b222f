import { describe, expect, it } from "vitest";
import { LIVE } from "../src/model/cursor";
import { type Outlook, PaneCache } from "../src/model/pane_cache";
import type { Get, Pane, PaneData, Reply, Summary } from "../src/model/protocol";
import { panes, summary, versions } from "./samples";

const DATA = panes();

function at(version: number, change: Partial<Outlook> = {}): Outlook {
  const now: Summary = summary({ frame: 9, recorded: 9, versions: versions(version) });
  return { cursor: LIVE, base: null, other: null, summary: now, connected: true, ...change };
}

const FRAME_3 = { cursor: { at: 3, phase: null } };

function opened(...looked: Pane[]) {
  let ids = 0;
  const cache = new PaneCache(() => {
    ids += 1;
    return `g${ids}`;
  });
  cache.watch(looked.map((pane) => ({ pane, of: null })));
  return cache;
}

function replyTo(get: Get | undefined, change: Partial<Reply> = {}): Reply {
  if (get === undefined) throw new Error("nothing was asked");
  const { id, pane, at = null, phase = null } = get;
  return { type: "reply", id, pane, at, phase, data: DATA[pane], error: null, ...change } as Reply;
}

const asked = (gets: readonly Get[]) => gets.map(({ pane }) => pane);

describe("a pane", () => {
  it("is asked for once, before the timeline, and again when its version is another", () => {
    const cache = opened("state");
    const [get] = cache.due(at(1));
    expect([get?.pane, cache.waits]).toEqual(["state", true]);
    expect(cache.due(at(2))).toEqual([]);
    expect(cache.take(replyTo(get), at(2))).toEqual({ pane: "state", error: null });
    expect(asked(cache.due(at(2)))).toEqual(["state"]);
    expect(cache.panes.state).toMatchObject({ version: "1", loading: true });
  });

  it("keeps what it shows when the answer is an error", () => {
    const cache = opened("state");
    cache.take(replyTo(cache.due(at(1))[0]), at(1));
    const failed = cache.take(replyTo(cache.due(at(2))[0], { data: null, error: "busy" }), at(2));
    expect(failed).toEqual({ pane: "state", error: "busy" });
    expect(cache.panes.state?.data).toEqual(DATA.state);
  });

  it("does not take an answer for a cursor that was left, and keeps it for the way back", () => {
    const cache = opened("state");
    const [get] = cache.due(at(1, FRAME_3));
    expect(cache.take(replyTo(get), at(1))).toBeNull();
    expect(cache.panes.state?.data).toBeNull();
    cache.take(replyTo(cache.due(at(1))[0]), at(1));
    expect(asked(cache.due(at(1, FRAME_3)))).toEqual(["timeline", "branches"]);
    expect(cache.fits({ pane: "state", of: null }, { ...FRAME_3, base: null, other: null })).toBe(
      true,
    );
  });

  it("of an earlier version is shown when there is no kernel", () => {
    const cache = opened("plan");
    cache.take(replyTo(cache.due(at(1, FRAME_3))[0]), at(1, FRAME_3));
    cache.due(at(1));
    cache.giveUp();
    const gone = { ...FRAME_3, connected: false };
    expect(cache.due(at(5, gone))).toEqual([]);
    expect(cache.panes.plan?.data?.nodes).toHaveLength(DATA.plan.nodes.length);
    expect(asked(cache.due(at(5, FRAME_3)))).toEqual(["plan"]);
  });

  it("does not fetch the live frame, which the summary tells", () => {
    expect(asked(opened("frame").due(at(1)))).toEqual(["timeline", "branches"]);
  });

  it("asks for more rows of the plan", () => {
    const cache = opened("plan");
    const few = cache.due(at(1))[0]?.limit ?? 0;
    cache.giveUp();
    cache.moreNodes();
    expect(cache.due(at(1))[0]?.limit).toBeGreaterThan(few);
  });
});

describe("with a move", () => {
  it("all live panes are asked for, with the versions that are held", () => {
    const cache = opened("state", "frame");
    cache.take(replyTo(cache.due(at(4))[0]), at(4));
    const gets = cache.ahead(at(4));
    expect(gets.map(({ pane, seen }) => [pane, seen])).toEqual([
      ["state", 4],
      ["timeline", undefined],
    ]);
    expect(cache.waits).toBe(false);
  });

  it("the answers are of the summary that comes along, unless they were dropped", () => {
    const cache = opened("state");
    const [state, track] = cache.ahead(at(4));
    cache.drop([String(track?.id)]);
    const then = at(5);
    expect(cache.take(replyTo(state), then, then.summary)).not.toBeNull();
    expect(cache.take(replyTo(track), then, then.summary)).toBeNull();
    expect(cache.panes.state?.version).toBe("5");
    expect(cache.track.to).toBe(0);
  });

  it("in the records nothing is asked for: it leads to the live edge", () => {
    expect(opened("state").ahead(at(4, FRAME_3))).toEqual([]);
  });
});

describe("an answer for one caller", () => {
  it("is shown by no pane, and rejects with the kernel's reason", async () => {
    const cache = opened("xml");
    const [get, answer] = cache.ask({ pane: "xml", full: true });
    expect(cache.take(replyTo(get), at(1))).toBeNull();
    expect(await answer).toEqual(DATA.xml);
    const [again, refused] = cache.ask({ pane: "xml", full: true });
    cache.take(replyTo(again, { data: null, error: "closed" }), at(1));
    await expect(refused).rejects.toThrow("closed");
    expect(cache.panes.xml).toBeUndefined();
  });
});

describe("after a loss", () => {
  const held = (): PaneCache => {
    const cache = opened("state");
    cache.take(replyTo(cache.due(at(1))[0]), at(1));
    cache.take(replyTo(cache.due(at(1))[0]), at(1)); // the timeline
    expect(cache.due(at(1))).toEqual([]);
    return cache;
  };

  it("everything is asked for again, and shown meanwhile", () => {
    const cache = held();
    cache.distrust(false);
    expect(cache.panes.state?.data).toEqual(DATA.state);
    expect(asked(cache.due(at(1)))).toEqual(["state"]);
    expect(cache.track.to).toBe((DATA.timeline as PaneData["timeline"]).to);
  });

  it("of the kernel the frames are other ones: the timeline begins again", () => {
    const cache = held();
    cache.distrust(true);
    expect(cache.track.to).toBe(0);
  });

  it("an answer that was given up does not come back", () => {
    const cache = opened("state");
    const [get] = cache.due(at(1));
    cache.giveUp();
    expect(cache.waits).toBe(false);
    expect(cache.take(replyTo(get), at(1))).toBeNull();
    expect(asked(cache.due(at(1)))).toEqual(["state"]);
  });
});
