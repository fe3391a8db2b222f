import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Client, SETTLE_MS } from "../src/model/client";
import { whyOff } from "../src/model/controls";
import { newFrames } from "../src/model/cursor";
import { type CommandName, type Pane, TAKEN } from "../src/model/protocol";
import { sentenceOf } from "../src/model/sentence";
import { ACK_MS } from "../src/model/session";
import { BEAT_MS, BEATS, PONG_MS, SILENCE_MS } from "../src/model/transport";
import { outgoingGuard } from "./guards";
import { FakeKernel } from "./kernel";
import { node, panes, summary, TREE, versions, write } from "./samples";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function started(kernel = new FakeKernel()) {
  const client = new Client(kernel);
  client.start();
  const off = (name: CommandName) =>
    whyOff(name, client.state.summary, client.state.underway, client.state.connected);
  return { kernel, client, off };
}

const watch = (client: Client, panes: Pane[]) =>
  client.watch(panes.map((pane) => ({ pane, of: null })));

const alerts = (client: Client) => client.state.alerts.map(({ text }) => text);

describe("a kernel that says nothing", () => {
  it("is asked, and stays when it answers", () => {
    const { kernel, client } = started();
    for (let beat = 0; beat < 3 * BEATS; beat += 1) {
      vi.advanceTimersByTime(BEAT_MS);
      kernel.say({ type: "pong", id: "p" });
    }
    expect(kernel.pings).toBe(0);
    vi.advanceTimersByTime(2 * BEAT_MS);
    expect(kernel.pings).toBe(1);
    kernel.say({ type: "pong", id: "p" });
    vi.advanceTimersByTime(PONG_MS);
    expect(client.state).toMatchObject({ connected: true, silent: false });
  });

  it("is gone when nothing can be sent to it, without a click", () => {
    const { kernel, client, off } = started();
    kernel.dead = true;
    vi.advanceTimersByTime(2 * BEAT_MS);
    expect(client.state.connected).toBe(false);
    expect(off("step_frame")).toContain("There is no kernel");
    expect(sentenceOf(client.state)).toContain("There is no kernel");
  });

  it("was started anew when it handles a ping and does not answer, and is there again when it does", () => {
    const { kernel, client } = started();
    kernel.forgot = true;
    vi.advanceTimersByTime(2 * BEAT_MS + PONG_MS);
    expect(client.state.connected).toBe(false);
    kernel.say({ type: "pong", id: "p" });
    expect(client.state.connected).toBe(true);
  });

  it("is there when it answered, also where the next ping is sent before its mark of the first is heard", () => {
    const { kernel, client } = started();
    vi.advanceTimersByTime(2 * BEAT_MS);
    kernel.say({ type: "pong", id: "p" });
    vi.advanceTimersByTime(2 * BEAT_MS);
    expect(kernel.pings).toBe(2);
    kernel.handle(0);
    vi.advanceTimersByTime(PONG_MS);
    expect(client.state.connected).toBe(true);
    kernel.handle(1);
    vi.advanceTimersByTime(PONG_MS);
    expect(client.state.connected).toBe(false);
  });

  it("is busy or gone when it neither handles nor answers, which is not held against it later", () => {
    const { kernel, client, off } = started();
    vi.advanceTimersByTime((BEATS + 2) * BEAT_MS);
    expect(sentenceOf(client.state)).toContain("The kernel does not answer");
    expect(off("step_frame")).toBeNull();
    kernel.push();
    expect(client.state).toMatchObject({ connected: true, silent: false });
  });

  it("is not asked once the page is closed, or by a page that speaks another protocol", () => {
    const { kernel, client } = started();
    client.stop();
    vi.advanceTimersByTime(10 * BEAT_MS);
    const other = started(new FakeKernel(summary({ protocol: 1 })));
    vi.advanceTimersByTime(10 * BEAT_MS);
    expect([kernel.pings, other.kernel.pings]).toEqual([0, 0]);
  });
});

describe("opening and closing", () => {
  it("says hello and asks for nothing that is not looked at", () => {
    const { kernel } = started();
    expect(kernel.hellos).toBe(1);
    expect(kernel.gets).toEqual([]);
  });

  it("asks for nothing before there is a summary", () => {
    const { kernel, client } = started(new FakeKernel(null));
    watch(client, ["plan"]);
    expect(kernel.gets).toEqual([]);
    kernel.push();
    expect(kernel.gets.map(({ pane }) => pane)).toEqual(["plan"]);
  });

  it("hears nothing any more once it is stopped", () => {
    const { kernel, client } = started();
    client.stop();
    expect(kernel.heard).toBe(0);
  });

  it("sends only messages of the protocol", () => {
    const { kernel, client } = started();
    watch(client, ["plan", "state"]);
    client.moreNodes();
    client.ask({ pane: "last_change", of: "notes", at: null, phase: null, before: [3, 1] });
    client.ask({ pane: "hit", at: 3, phase: "FLUSH", direction: "back" });
    client.order({ name: "break_add", kind: "node", target: "notes", event: "mount" });
    client.order({ name: "step_frame" });
    expect(kernel.sent.flatMap((message) => outgoingGuard(message, "sent"))).toEqual([]);
  });

  it("says so in words when the kernel speaks another protocol, and sends nothing", () => {
    const { kernel, client, off } = started(new FakeKernel(summary({ protocol: 1 })));
    watch(client, ["plan"]);
    client.order({ name: "step_phase" });
    expect(kernel.sent.map(({ type }) => type)).toEqual(["hello"]);
    expect(alerts(client)[0]).toContain("protocol 4 of the stepper and the kernel speaks 1");
    expect(off("step_phase")).toContain("don't fit");
  });
});

describe("panes", () => {
  it("are fetched only while they are looked at", () => {
    const { kernel, client } = started();
    watch(client, ["plan", "pending"]);
    expect(kernel.gets.map(({ pane }) => pane)).toEqual(["plan", "pending"]);
    kernel.replyToAll();
    watch(client, ["plan", "state"]);
    expect(kernel.gets.map(({ pane }) => pane)).toEqual(["plan", "pending", "state"]);
  });

  it("are not fetched again when nothing newer is known", () => {
    const { kernel, client } = started();
    watch(client, ["plan"]);
    kernel.replyToAll();
    watch(client, ["xml"]);
    watch(client, ["plan"]);
    expect(kernel.gets.map(({ pane }) => pane)).toEqual(["plan", "xml"]);
  });

  it("have one request in flight, however many summaries come", () => {
    const { kernel, client } = started();
    watch(client, ["plan"]);
    for (let push = 0; push < 10; push += 1) kernel.push();
    expect(kernel.gets).toHaveLength(1);
    kernel.reply(kernel.gets[0]);
    expect(kernel.gets).toHaveLength(2);
    expect(client.state.panes.plan?.loading).toBe(true);
    kernel.reply(kernel.gets[1]);
    expect(kernel.gets).toHaveLength(2);
    expect(client.state.panes.plan).toMatchObject({ version: "11", loading: false });
  });

  it("keep the newest reply when an older one comes late", () => {
    const { kernel, client } = started();
    watch(client, ["pending"]);
    kernel.push({ seq: 5 }); // a gap: the first request is given up and asked anew
    expect(kernel.gets).toHaveLength(2);
    kernel.reply(kernel.gets[1]);
    kernel.reply(kernel.gets[0], { data: { ...panes().pending, writes: [] } });
    expect(client.state.panes.pending?.data?.writes).toHaveLength(1);
  });

  it("ignore the replies to another view of the same model", () => {
    const { kernel, client } = started();
    watch(client, ["plan"]);
    kernel.reply({ type: "get", id: "other-1", pane: "plan" });
    expect(client.state.panes.plan?.data ?? null).toBeNull();
  });

  it("show the kernel's error, wait for the next summary, and clear it when all is well", () => {
    const { kernel, client } = started();
    watch(client, ["state"]);
    kernel.reply(kernel.gets[0], { data: null, error: "the store is busy" });
    expect(alerts(client)).toEqual(["the store is busy"]);
    expect(kernel.gets).toHaveLength(1);
    kernel.push();
    kernel.reply(kernel.gets[1]);
    expect(alerts(client)).toEqual([]);
  });

  it("give the whole XML to the one who copies it and stay as they are", async () => {
    const { kernel, client } = started();
    const copied = client.ask({ pane: "xml", full: true });
    expect(kernel.gets[0]).toMatchObject({ pane: "xml", full: true });
    kernel.reply(kernel.gets[0]);
    expect((await copied).text).toBe(panes().xml.text);
    expect(client.state.panes.xml?.data ?? null).toBeNull();
  });

  it("say why the whole XML can't be had", async () => {
    const { kernel, client } = started();
    const copied = client.ask({ pane: "xml", full: true });
    kernel.reply(kernel.gets[0], { data: null, error: "closed" });
    await expect(copied).rejects.toThrow("closed");
  });
});

describe("commands", () => {
  it("are sent once by a double click", () => {
    const { kernel, client } = started();
    client.order({ name: "step_frame" });
    client.order({ name: "step_frame" });
    expect(kernel.commands).toHaveLength(1);
  });

  it("keep the other step buttons off until they are done, and Pause and Stop on", () => {
    const { kernel, client, off } = started();
    client.order({ name: "step_frame" });
    kernel.ack(kernel.commands[0]);
    client.order({ name: "until_idle" });
    expect(kernel.commands).toHaveLength(1);
    expect(off("step_phase")).toBe("Step frame is under way.");
    expect([off("pause"), off("stop")]).toEqual([null, null]);
    kernel.done(kernel.commands[0]);
    expect(off("step_phase")).toBeNull();
  });

  it("are off while the summary says that another view's command is under way", () => {
    const { kernel, client, off } = started();
    kernel.push({ busy: "until_idle" });
    client.order({ name: "step_phase" });
    expect(kernel.commands).toEqual([]);
    expect(off("step_phase")).toBe("Until idle is under way.");
    client.order({ name: "pause" });
    expect(kernel.commands.map(({ name }) => name)).toEqual(["pause"]);
  });

  it("say that the kernel is busy when no ack has come in time, and stop saying so with it", () => {
    const { kernel, client } = started();
    client.order({ name: "step_phase" });
    vi.advanceTimersByTime(ACK_MS - 1);
    expect(sentenceOf(client.state)).toBe("Frame 4 is at rest: 1 write is pending.");
    vi.advanceTimersByTime(1);
    expect(sentenceOf(client.state)).toBe(
      "The kernel is busy: the click is queued. To interrupt the running cell press the kernel's " +
        "Stop button (or I I in command mode).",
    );
    kernel.ack(kernel.commands[0]);
    expect(sentenceOf(client.state)).toBe("Frame 4 is at rest: 1 write is pending.");
  });

  it("say why they were refused, and can be sent again", () => {
    const { kernel, client, off } = started();
    client.order({ name: "step_phase" });
    kernel.ack(kernel.commands[0], false, "another process owns it");
    expect(alerts(client)).toEqual(["Step phase was refused: another process owns it"]);
    expect(off("step_phase")).toBeNull();
    client.order({ name: "step_phase" });
    expect(alerts(client)).toEqual([]);
  });

  it("show an error that ended them, until it is dismissed", () => {
    const { kernel, client } = started();
    client.order({ name: "step_phase" });
    kernel.push({ error: "boom" });
    kernel.done(kernel.commands[0], "boom");
    expect(alerts(client)).toEqual(["boom", "boom"]);
    client.dismiss({ source: "command", text: "boom" });
    expect(alerts(client)).toEqual([]);
    kernel.push({ error: "boom" });
    expect(alerts(client)).toEqual([]);
    kernel.push({ error: null });
    kernel.push({ error: "boom" });
    expect(alerts(client)).toEqual(["boom"]);
  });

  it("ignore what is said about another view's commands", () => {
    const { kernel, client, off } = started();
    client.order({ name: "step_phase" });
    kernel.say({
      type: "done",
      id: "other-1",
      name: "step_phase",
      ok: true,
      error: null,
      result: null,
      summary: null,
      replies: [],
    });
    expect(off("step_phase")).not.toBeNull();
  });
});

describe("lost messages", () => {
  it("are noticed by a gap in the numbers: hello is said again and what is seen is fetched anew", () => {
    const { kernel, client } = started();
    watch(client, ["plan"]);
    kernel.push();
    expect(kernel.hellos).toBe(1);
    kernel.push({ seq: 9 });
    expect(kernel.hellos).toBe(2);
    expect(kernel.gets).toHaveLength(2);
  });

  it("free a button whose end was lost, but not one whose click may be queued", () => {
    const { kernel, client, off } = started();
    client.order({ name: "step_frame" });
    kernel.push({ seq: 9 });
    expect(off("step_frame")).toBe("Step frame is under way.");
    kernel.ack(kernel.commands[0]);
    kernel.push({ seq: 20 });
    expect(off("step_frame")).toBeNull();
  });

  it("free a button whose ack was lost: the click is sent again under its id, and taken once", () => {
    const { kernel, client, off } = started();
    client.order({ name: "step_frame" });
    vi.advanceTimersByTime(SILENCE_MS);
    const [first, again] = kernel.commands;
    expect(again).toEqual(first);
    kernel.ack(again, false, TAKEN);
    kernel.push({ frame: 5 });
    expect(off("step_frame")).toBeNull();
    expect(alerts(client)).toEqual([]);
  });

  it("are looked for by one hello when something is owed and nothing is heard", () => {
    const { kernel, client } = started();
    watch(client, ["plan"]);
    vi.advanceTimersByTime(10 * SILENCE_MS);
    expect(kernel.hellos).toBe(2);
    kernel.push();
    expect(kernel.gets).toHaveLength(2);
  });

  it("are not looked for when nothing is owed", () => {
    const { kernel, client } = started();
    watch(client, ["plan"]);
    kernel.replyToAll();
    vi.advanceTimersByTime(10 * SILENCE_MS);
    expect(kernel.hellos).toBe(1);
  });

  it("are no matter when the kernel begins anew: what was known is fetched again", () => {
    const { kernel, client } = started(new FakeKernel(summary({ seq: 40 })));
    watch(client, ["pending"]);
    kernel.replyToAll();
    kernel.data = panes({
      pending: { names: {}, frame: 1, editable: true, writes: [write(), write({ id: "w2" })] },
    });
    kernel.push({ seq: 1, frame: 1 });
    kernel.replyToAll();
    expect(client.state.panes.pending?.data?.writes).toHaveLength(2);
  });
});

describe("the kernel's clock", () => {
  it("is ahead by what its last summary was when it came, and does not fall behind while none comes", () => {
    const { kernel, client } = started();
    kernel.push({ now: Date.now() + 7000 });
    expect(client.state.ahead).toBe(7000);
    vi.advanceTimersByTime(60_000);
    client.walk("back");
    expect(client.state.ahead).toBe(7000);
  });
});

describe("the cursor", () => {
  const at = (client: Client) => client.state.cursor.at;

  it("moves at once while it is dragged, and the details follow when it has stood still", () => {
    const { kernel, client } = started();
    watch(client, ["plan"]);
    kernel.replyToAll();
    client.goTo(3, false);
    client.goTo(2, false);
    expect(at(client)).toBe(2);
    vi.advanceTimersByTime(SETTLE_MS - 1);
    expect(kernel.asked("plan")).toHaveLength(1);
    vi.advanceTimersByTime(1);
    expect(kernel.asked("plan").map((get) => get.at)).toEqual([null, 2]);
  });

  it("in the records is not moved by new frames, which are counted", () => {
    const { kernel, client } = started();
    client.walk("back");
    kernel.push({ frame: 9, recorded: 9 });
    expect(at(client)).toBe(3);
    expect(newFrames(client.state.cursor, client.state.left, client.edge)).toBe(5);
    client.walk("live");
    expect(newFrames(client.state.cursor, client.state.left, client.edge)).toBe(0);
  });

  it("moves no command to the kernel, forward or back", () => {
    const { kernel, client } = started();
    for (const walk of ["back", "back", "forward_phase", "forward_frame", "back_phase"] as const) {
      client.walk(walk);
    }
    client.walk("live");
    client.walk("forward");
    expect(kernel.commands).toEqual([]);
    expect(sentenceOf(client.state)).toContain("Next: step executes");
  });

  it("fetches a recorded frame once", () => {
    const { kernel, client } = started();
    watch(client, ["plan"]);
    kernel.replyToAll();
    for (const frame of [2, 3, 2, 3]) {
      client.goTo(frame);
      kernel.replyToAll();
    }
    expect(kernel.asked("plan").map((get) => get.at)).toEqual([null, 2, 3]);
  });

  it("drops an answer for a place that was left", () => {
    const { kernel, client } = started();
    watch(client, ["state"]);
    client.goTo(2);
    kernel.reply(kernel.asked("state")[0], {
      data: { names: {}, frame: 4, total: 9, entries: [] },
    });
    expect(client.state.panes.state?.data ?? null).toBeNull();
    kernel.reply(kernel.asked("state")[1], {
      data: { names: {}, frame: 2, total: 1, entries: [] },
    });
    expect(client.state.panes.state?.data?.total).toBe(1);
  });

  it("shows what was fetched when the kernel is gone, and sends nothing", () => {
    const { kernel, client, off } = started();
    watch(client, ["plan"]);
    client.goTo(2);
    kernel.replyToAll();
    client.goTo(3);
    kernel.replyToAll();
    client.connect(false);
    const sent = kernel.sent.length;
    client.goTo(2);
    expect(client.fits({ pane: "plan", of: null })).toBe(true);
    client.goTo(1);
    expect(client.fits({ pane: "plan", of: null })).toBe(false);
    expect(off("step_frame")).toContain("no kernel");
    client.order({ name: "step_frame" });
    expect(kernel.sent).toHaveLength(sent);
  });

  it("hears from a send that fails that the kernel was shut down", () => {
    const { kernel, client, off } = started();
    kernel.send = () => {
      throw new Error("Cannot send");
    };
    client.order({ name: "step_frame" });
    expect(client.state.connected).toBe(false);
    expect(off("step_frame")).toContain("no kernel");
    expect(client.state.underway).toEqual({});
  });

  it("compares with a pinned frame", () => {
    const { kernel, client } = started();
    watch(client, ["plan", "pending"]);
    kernel.replyToAll();
    client.pin(2);
    expect(kernel.asked("plan").map((get) => get.base)).toEqual([null, 2]);
    expect(kernel.asked("pending")).toHaveLength(1);
  });
});

describe("the plan", () => {
  it("is sent as what differs from the rows that are held", () => {
    const { kernel, client } = started();
    watch(client, ["plan"]);
    kernel.replyToAll();
    kernel.push();
    expect(kernel.asked("plan").at(-1)?.known).toBe(1);
    const plan = panes().plan;
    const fresh = node("fresh");
    kernel.reply(kernel.asked("plan").at(-1), {
      data: { ...plan, version: 2, nodes: [[0, 2], fresh, [3, 1]] },
    });
    const rows = client.state.panes.plan?.data?.nodes;
    expect(rows).toEqual([TREE[0], TREE[1], fresh, TREE[3]]);
    expect(rows?.[0]).toBe(TREE[0]);
  });

  it("is asked for anew when it names rows that are not held", () => {
    const { kernel, client } = started();
    watch(client, ["plan"]);
    kernel.reply(kernel.asked("plan")[0], { data: { ...panes().plan, nodes: [[0, 2]] } });
    expect(kernel.asked("plan")).toHaveLength(2);
    kernel.replyToAll();
    expect(client.state.panes.plan?.data?.nodes).toEqual(TREE);
  });
});

describe("what a step leads to", () => {
  const ahead = (kernel: FakeKernel) => {
    const [command] = kernel.commands;
    return command !== undefined && "ask" in command ? (command.ask ?? []) : [];
  };

  it("is asked for with it, comes with its end, and is not asked for again", () => {
    const { kernel, client } = started();
    watch(client, ["plan", "tasks", "node"]);
    kernel.replyToAll();
    client.order({ name: "step_frame" });
    expect(ahead(kernel).map(({ pane, known, seen }) => [pane, known, seen])).toEqual([
      ["plan", 1, 1],
      ["tasks", undefined, 1],
      ["node", undefined, undefined],
      ["timeline", undefined, 1],
    ]);
    const before = kernel.sent.length;
    const [plan, , node, track] = ahead(kernel);
    // Of the tasks and the family there was nothing new.
    const now = { ...versions(2), tasks: 1, branches: 1 };
    kernel.end(kernel.commands[0], { frame: 5, versions: now }, [plan, node, track]);
    kernel.repeat();
    expect(kernel.sent).toHaveLength(before);
    expect(client.state.panes.plan).toMatchObject({ version: "2", loading: false });
    expect(client.state.panes.tasks).toMatchObject({ version: "1", loading: false });
    expect(client.state.summary?.frame).toBe(5);
    expect(client.state.underway).toEqual({});
  });

  it("is drawn once: all of it comes in one message", () => {
    const { kernel, client, off } = started();
    watch(client, ["plan"]);
    kernel.replyToAll();
    client.order({ name: "step_frame" });
    const seen: unknown[] = [];
    client.subscribe(() => seen.push(client.state.summary?.frame));
    kernel.ack(kernel.commands[0]);
    expect(seen).toEqual([]); // Nobody sees an ack that came in time.
    kernel.end(kernel.commands[0], { frame: 5 }, ahead(kernel));
    expect(off("step_frame")).toBeNull();
    const drawn = seen.length;
    kernel.repeat();
    expect(seen).toHaveLength(drawn);
  });

  it("may overtake the trait: what comes after it is no gap, and nothing goes back", () => {
    const { kernel, client } = started();
    const overtaken = summary({ seq: 2 });
    kernel.summary = overtaken; // Made, and not heard of yet.
    client.goTo(2);
    client.order({ name: "stop" });
    const hellos = kernel.hellos;
    kernel.end(kernel.commands[0], { frame: 6 }, []);
    const newest = kernel.summary;
    kernel.summary = overtaken;
    kernel.repeat();
    expect(client.state.summary?.frame).toBe(6);
    kernel.summary = newest;
    kernel.repeat();
    expect(client.state).toMatchObject({ cursor: { at: 2 }, summary: { frame: 6 } });
    kernel.push({ frame: 7 });
    expect(client.state.summary?.frame).toBe(7);
    expect(kernel.hellos).toBe(hellos);
  });

  it("may be all that was told of its summary: the trait after it leaves no gap", () => {
    const { kernel, client } = started();
    const hellos = kernel.hellos;
    for (const frame of [6, 7, 8]) {
      client.order({ name: "step_frame" });
      kernel.end(kernel.commands.at(-1) as never, { frame }, []);
    }
    kernel.push({ frame: 9 });
    expect(client.state.summary?.frame).toBe(9);
    expect(kernel.hellos).toBe(hellos);
  });

  it("is asked for anew when there were too many summaries for one more", () => {
    const { kernel, client } = started();
    watch(client, ["plan"]);
    kernel.replyToAll();
    client.order({ name: "step_frame" });
    kernel.done(kernel.commands[0]);
    kernel.push({ frame: 5 });
    expect(kernel.asked("plan")).toHaveLength(2);
  });

  it("is not asked for with a step through the records", () => {
    const { kernel, client } = started();
    watch(client, ["plan"]);
    client.goTo(2);
    client.order({ name: "step_frame" });
    expect(ahead(kernel)).toEqual([]);
  });
});

describe("versions", () => {
  it("save a request for a pane that has not changed", () => {
    const { kernel, client } = started();
    watch(client, ["plan", "state"]);
    kernel.replyToAll();
    kernel.push({ versions: { ...versions(1), state: 2 } });
    expect(kernel.asked("plan")).toHaveLength(1);
    expect(kernel.asked("state")).toHaveLength(2);
  });

  it("of the timeline fetch what came since", () => {
    const { kernel, client } = started();
    kernel.replyToAll();
    expect(client.state.track.to).toBe(4);
    kernel.push({ frame: 5, recorded: 5 });
    expect(kernel.asked("timeline").map((get) => get.since)).toEqual([1, 4]);
  });
});

it("commands about different things are under way together, and each once", async () => {
  const { kernel, client } = started();
  client.order({ name: "cancel", node: "a" });
  client.order({ name: "cancel", node: "b" });
  const twice = client.order({ name: "cancel", node: "a" });
  expect(kernel.commands).toHaveLength(2);
  expect(await twice).toBeNull();
});

it("a quiet command tells its caller alone how it ended", async () => {
  const { kernel, client } = started();
  const checked = client.order({ name: "break_check", when: "state." }, true);
  kernel.done(kernel.commands[0], "an expression ends too early");
  expect(await checked).toEqual({
    ok: false,
    error: "an expression ends too early",
    result: null,
  });
  expect(alerts(client)).toEqual([]);
});
