import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ACK_MS, Client, SILENCE_MS } from "../src/model/client";
import { whyOff } from "../src/model/controls";
import type { CommandName } from "../src/model/protocol";
import { sentenceOf } from "../src/model/sentence";
import { outgoingGuard } from "./guards";
import { FakeKernel } from "./kernel";
import { panes, summary, write } from "./samples";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function started(kernel = new FakeKernel()) {
  const client = new Client(kernel);
  client.start();
  const off = (name: CommandName) => whyOff(name, client.state.summary, client.state.underway);
  return { kernel, client, off };
}

const alerts = (client: Client) => client.state.alerts.map(({ text }) => text);

describe("opening and closing", () => {
  it("says hello and asks for nothing that is not looked at", () => {
    const { kernel } = started();
    expect(kernel.sent).toEqual([{ type: "hello", protocol: 1 }]);
  });

  it("asks for nothing before there is a summary", () => {
    const { kernel, client } = started(new FakeKernel(null));
    client.watch(["plan"]);
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
    client.watch(["plan", "state"]);
    client.loadAll("plan");
    client.command("step_frame");
    expect(kernel.sent.flatMap((message) => outgoingGuard(message, "sent"))).toEqual([]);
  });

  it("says so in words when the kernel speaks another protocol, and sends nothing", () => {
    const { kernel, client, off } = started(new FakeKernel(summary({ protocol: 2 })));
    client.watch(["plan"]);
    client.command("step_phase");
    expect(kernel.sent.map(({ type }) => type)).toEqual(["hello"]);
    expect(alerts(client)[0]).toContain("protocol 1 of the stepper and the kernel speaks 2");
    expect(off("step_phase")).toContain("don't fit");
  });
});

describe("panes", () => {
  it("are fetched only while they are looked at", () => {
    const { kernel, client } = started();
    client.watch(["plan", "pending"]);
    expect(kernel.gets.map(({ pane }) => pane)).toEqual(["plan", "pending"]);
    kernel.replyToAll();
    client.watch(["plan", "state"]);
    expect(kernel.gets.map(({ pane }) => pane)).toEqual(["plan", "pending", "state"]);
  });

  it("are not fetched again when nothing newer is known", () => {
    const { kernel, client } = started();
    client.watch(["plan"]);
    kernel.replyToAll();
    client.watch(["xml"]);
    client.watch(["plan"]);
    expect(kernel.gets.map(({ pane }) => pane)).toEqual(["plan", "xml"]);
  });

  it("have one request in flight, however many summaries come", () => {
    const { kernel, client } = started();
    client.watch(["plan"]);
    for (let push = 0; push < 10; push += 1) kernel.push();
    expect(kernel.gets).toHaveLength(1);
    kernel.reply(kernel.gets[0], { seq: 1 });
    expect(kernel.gets).toHaveLength(2);
    expect(client.state.panes.plan.loading).toBe(true);
    kernel.reply(kernel.gets[1]);
    expect(kernel.gets).toHaveLength(2);
    expect(client.state.panes.plan).toMatchObject({ seq: 11, loading: false });
  });

  it("keep the newest reply when an older one comes late", () => {
    const { kernel, client } = started();
    client.watch(["pending"]);
    kernel.push({ seq: 5 }); // a gap: the first request is given up and asked anew
    expect(kernel.gets).toHaveLength(2);
    kernel.reply(kernel.gets[1], { seq: 5 });
    kernel.reply(kernel.gets[0], { seq: 1, data: { frame: 0, writes: [] } });
    expect(client.state.panes.pending.data?.writes).toHaveLength(1);
  });

  it("ignore the replies to another view of the same model", () => {
    const { kernel, client } = started();
    client.watch(["plan"]);
    kernel.reply({ type: "get", id: "other-1", pane: "plan", full: false });
    expect(client.state.panes.plan.data).toBeNull();
  });

  it("are loaded in full until they are left", () => {
    const { kernel, client } = started();
    client.watch(["pending"]);
    client.loadAll("pending");
    expect(kernel.gets.map(({ full }) => full)).toEqual([false]);
    kernel.reply(kernel.gets[0]); // the cut answer is no longer wanted
    expect(client.state.panes.pending.data).toBeNull();
    kernel.reply(kernel.gets[1]);
    kernel.push();
    expect(kernel.gets.map(({ full }) => full)).toEqual([false, true, true]);
    client.watch(["plan"]);
    client.watch(["pending"]);
    kernel.push();
    expect(client.state.panes.pending.full).toBe(false);
  });

  it("show the kernel's error, wait for the next summary, and clear it when all is well", () => {
    const { kernel, client } = started();
    client.watch(["state"]);
    kernel.reply(kernel.gets[0], { data: null, error: "the store is busy" });
    expect(alerts(client)).toEqual(["the store is busy"]);
    expect(kernel.gets).toHaveLength(1);
    kernel.push();
    kernel.reply(kernel.gets[1]);
    expect(alerts(client)).toEqual([]);
  });

  it("give the whole XML to the one who copies it and stay as they are", async () => {
    const { kernel, client } = started();
    const copied = client.wholeXml();
    expect(kernel.gets[0]).toMatchObject({ pane: "xml", full: true });
    kernel.reply(kernel.gets[0]);
    expect((await copied).text).toBe(panes().xml.text);
    expect(client.state.panes.xml.data).toBeNull();
  });

  it("say why the whole XML can't be had", async () => {
    const { kernel, client } = started();
    const copied = client.wholeXml();
    kernel.reply(kernel.gets[0], { data: null, error: "closed" });
    await expect(copied).rejects.toThrow("closed");
  });
});

describe("commands", () => {
  it("are sent once by a double click", () => {
    const { kernel, client } = started();
    client.command("step_frame");
    client.command("step_frame");
    expect(kernel.commands).toHaveLength(1);
  });

  it("keep the other step buttons off until they are done, and Pause and Stop on", () => {
    const { kernel, client, off } = started();
    client.command("step_frame");
    kernel.ack(kernel.commands[0]);
    client.command("until_idle");
    expect(kernel.commands).toHaveLength(1);
    expect(off("step_phase")).toBe("Step frame is under way.");
    expect([off("pause"), off("stop")]).toEqual([null, null]);
    kernel.done(kernel.commands[0]);
    expect(off("step_phase")).toBeNull();
  });

  it("are off while the summary says that another view's command is under way", () => {
    const { kernel, client, off } = started();
    kernel.push({ busy: "until_idle" });
    client.command("step_phase");
    expect(kernel.commands).toEqual([]);
    expect(off("step_phase")).toBe("Until idle is under way.");
    client.command("pause");
    expect(kernel.commands.map(({ name }) => name)).toEqual(["pause"]);
  });

  it("say that the kernel is busy when no ack has come in time, and stop saying so with it", () => {
    const { kernel, client } = started();
    client.command("step_phase");
    vi.advanceTimersByTime(ACK_MS - 1);
    expect(sentenceOf(client.state)).toBe("Frame 4 is at rest: 1 write pending.");
    vi.advanceTimersByTime(1);
    expect(sentenceOf(client.state)).toBe(
      "The kernel is busy: the click is queued. To interrupt the running cell press the kernel's " +
        "Stop button (or I I in command mode).",
    );
    kernel.ack(kernel.commands[0]);
    expect(sentenceOf(client.state)).toBe("Frame 4 is at rest: 1 write pending.");
  });

  it("say why they were refused, and can be sent again", () => {
    const { kernel, client, off } = started();
    client.command("step_phase");
    kernel.ack(kernel.commands[0], false, "another process owns it");
    expect(alerts(client)).toEqual(["Step phase was refused: another process owns it"]);
    expect(off("step_phase")).toBeNull();
    client.command("step_phase");
    expect(alerts(client)).toEqual([]);
  });

  it("show an error that ended them, until it is dismissed", () => {
    const { kernel, client } = started();
    client.command("step_phase");
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
    client.command("step_phase");
    kernel.say({ type: "done", id: "other-1", name: "step_phase", ok: true, error: null });
    expect(off("step_phase")).not.toBeNull();
  });
});

describe("lost messages", () => {
  it("are noticed by a gap in the numbers: hello is said again and what is seen is fetched anew", () => {
    const { kernel, client } = started();
    client.watch(["plan"]);
    kernel.push();
    expect(kernel.hellos).toBe(1);
    kernel.push({ seq: 9 });
    expect(kernel.hellos).toBe(2);
    expect(kernel.gets).toHaveLength(2);
  });

  it("free a button whose end was lost, but not one whose click may be queued", () => {
    const { kernel, client, off } = started();
    client.command("step_frame");
    kernel.push({ seq: 9 });
    expect(off("step_frame")).toBe("Step frame is under way.");
    kernel.ack(kernel.commands[0]);
    kernel.push({ seq: 20 });
    expect(off("step_frame")).toBeNull();
  });

  it("are looked for by one hello when something is owed and nothing is heard", () => {
    const { kernel, client } = started();
    client.watch(["plan"]);
    vi.advanceTimersByTime(10 * SILENCE_MS);
    expect(kernel.hellos).toBe(2);
    kernel.push();
    expect(kernel.gets).toHaveLength(2);
  });

  it("are not looked for when nothing is owed", () => {
    const { kernel, client } = started();
    client.watch(["plan"]);
    kernel.replyToAll();
    vi.advanceTimersByTime(10 * SILENCE_MS);
    expect(kernel.hellos).toBe(1);
  });

  it("are no matter when the kernel begins anew: what was known is fetched again", () => {
    const { kernel, client } = started(new FakeKernel(summary({ seq: 40 })));
    client.watch(["pending"]);
    kernel.replyToAll();
    kernel.data = panes({ pending: { frame: 1, writes: [write(), write({ id: "w2" })] } });
    kernel.push({ seq: 1, frame: 1 });
    kernel.replyToAll();
    expect(client.state.panes.pending.data?.writes).toHaveLength(2);
  });
});
