import type { Channel } from "../src/model/client";
import type { Command, Get, Incoming, Outgoing, PaneData, Summary } from "../src/model/protocol";
import { panes, summary as sample } from "./samples";

type Listener = (...args: never[]) => void;

/** A stand-in for the kernel behind an anywidget model: answers only when told to. */
export class FakeKernel implements Channel {
  readonly sent: Outgoing[] = [];
  private readonly listeners = new Map<string, Set<Listener>>();

  constructor(
    public summary: Summary | null = sample(),
    public data: PaneData = panes(),
  ) {}

  get = (): unknown => this.summary;

  on(event: string, listener: Listener): void {
    const known = this.listeners.get(event) ?? new Set();
    this.listeners.set(event, known.add(listener));
  }

  off(event: string, listener: Listener): void {
    this.listeners.get(event)?.delete(listener);
  }

  send(message: Outgoing): void {
    this.sent.push(message);
  }

  get heard(): number {
    return [...this.listeners.values()].reduce((count, { size }) => count + size, 0);
  }

  get gets(): Get[] {
    return this.sent.filter((message) => message.type === "get");
  }

  get commands(): Command[] {
    return this.sent.filter((message) => message.type === "command");
  }

  get hellos(): number {
    return this.sent.filter((message) => message.type === "hello").length;
  }

  /** Pushes a summary, by default with the next number. */
  push(change: Partial<Summary> = {}): void {
    const seq = (this.summary?.seq ?? 0) + 1;
    this.summary = { ...(this.summary ?? sample()), seq, ...change };
    this.emit("change:summary");
  }

  say(message: Incoming): void {
    this.emit("msg:custom", message);
  }

  reply(get: Get | undefined, change: Partial<Incoming> = {}): void {
    if (get === undefined) throw new Error("nothing was asked");
    const seq = this.summary?.seq ?? 0;
    const { id, pane } = get;
    const message = { type: "reply", id, pane, seq, data: this.data[pane], error: null, ...change };
    this.say(message as Incoming);
  }

  /** Answers all that was asked and not yet answered. */
  replyToAll(): void {
    const asked = this.gets.slice(this.answered);
    this.answered = this.gets.length;
    for (const get of asked) this.reply(get);
  }

  ack(command: Command | undefined, accepted = true, why = ""): void {
    if (command === undefined) throw new Error("no command was sent");
    this.say({ type: "ack", id: command.id, name: command.name, accepted, why });
  }

  done(command: Command | undefined, error: string | null = null): void {
    if (command === undefined) throw new Error("no command was sent");
    const { id, name } = command;
    this.say({ type: "done", id, name, ok: error === null, error });
  }

  private answered = 0;

  private emit(event: string, ...args: unknown[]): void {
    for (const listener of this.listeners.get(event) ?? []) listener(...(args as never[]));
  }
}
