import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Command, Get, Order, Outgoing } from "../src/model/protocol";
import { ACK_MS, type Arrival, Session, type Wire } from "../src/model/session";

class FakeWire implements Wire {
  readonly sent: Outgoing[] = [];
  private ids = 0;

  nextId(): string {
    this.ids += 1;
    return `m${this.ids}`;
  }

  post(message: Outgoing): void {
    this.sent.push(message);
  }

  get commands(): Command[] {
    return this.sent.filter((message) => message.type === "command");
  }
}

function opened() {
  const wire = new FakeWire();
  const onLate = vi.fn();
  return { wire, onLate, session: new Session(wire, onLate) };
}

const STEP: Order = { name: "step_frame" };
const DONE = { ok: true, error: null, result: "b1" };

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("summaries", () => {
  it.each<[string, number | null, number, number | null, Arrival]>([
    ["the first one", null, 7, null, "first"],
    ["one after the other", 7, 8, 7, "next"],
    ["one that the end of a command has overtaken", 7, 8, 9, "old"],
    ["one after those that came with the ends of commands", 7, 10, 9, "next"],
    ["one after a gap", 7, 9, 7, "gap"],
    ["one of a kernel that was restarted", 7, 1, 7, "restart"],
    ["one that is synced twice", 7, 7, 7, "old"],
  ])("%s", (_, before, seq, shown, expected) => {
    const { session } = opened();
    if (before !== null) session.arrived(before, null);
    expect(session.arrived(seq, shown)).toBe(expected);
  });
});

describe("a command", () => {
  it("is sent with what is asked of the place that it leads to, and tells how it ended", async () => {
    const { wire, session } = opened();
    const ask: Get = { type: "get", id: "g1", pane: "plan" };
    const outcome = session.send(STEP, true, [ask]);
    expect(wire.commands).toEqual([{ type: "command", id: "m1", name: "step_frame", ask: [ask] }]);
    expect(session.owes).toBe(true);
    expect(session.end("m1", DONE)).toMatchObject({ quiet: true, asked: ["g1"] });
    expect(await outcome).toEqual(DONE);
    expect(session.owes).toBe(false);
  });

  it("of another view is none of its own", () => {
    const { session } = opened();
    session.acked("other");
    expect(session.end("other", DONE)).toBeUndefined();
  });

  it("is late without an ack, says so once, and is not late any more with one", () => {
    const { session, onLate } = opened();
    session.send(STEP, false, []);
    vi.advanceTimersByTime(ACK_MS);
    expect(session.underway.step_frame).toMatchObject({ late: true });
    session.acked("m1");
    expect(session.underway.step_frame).toMatchObject({ late: false });
    expect(onLate).toHaveBeenCalledTimes(2);
  });

  it("is not late when it was acked in time", () => {
    const { session, onLate } = opened();
    session.send(STEP, false, []);
    session.acked("m1");
    vi.advanceTimersByTime(ACK_MS);
    expect(onLate).not.toHaveBeenCalled();
  });
});

describe("after a loss", () => {
  it("a command without an ack is sent again under its id, and one with an ack is not", () => {
    const { wire, session } = opened();
    session.send(STEP, false, []);
    session.send({ name: "cancel", node: "a" }, false, []);
    session.acked("m1");
    session.recover();
    expect(wire.commands.map(({ id }) => id)).toEqual(["m1", "m2", "m2"]);
    expect(wire.sent.at(-1)).toMatchObject({ type: "hello" });
    expect(session.recovering).toBe(true);
  });

  it("the end of an acked command is waited for no longer, and that of one without an ack is", () => {
    const { session } = opened();
    session.send(STEP, false, [{ type: "get", id: "g1", pane: "plan" }]);
    session.send({ name: "cancel", node: "a" }, false, []);
    session.acked("m1");
    session.recover();
    expect(session.giveUp()).toEqual(["g1"]);
    expect(session.recovering).toBe(false);
    expect(Object.keys(session.underway)).toEqual(["cancel a"]);
    session.abandon();
    expect(session.owes).toBe(false);
  });
});
