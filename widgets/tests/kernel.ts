import type {
  Command,
  Get,
  Incoming,
  Outgoing,
  Pane,
  PaneData,
  Reply,
  Summary,
} from "../src/model/protocol";
import type { Callbacks, Channel } from "../src/model/transport";
import { panes, summary as sample, versions } from "./samples";

type Listener = (...args: never[]) => void;

/** A stand-in for the kernel behind an anywidget model: answers only when told to. */
export class FakeKernel implements Channel {
  readonly sent: Outgoing[] = [];
  /** Answers that depend on the question. */
  answers: { [P in Pane]?: (get: Get) => PaneData[P] } = {};
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

  /** A kernel that was started anew: it handles messages and knows no stepper. */
  forgot = false;
  /** Nothing can be sent any more. */
  dead = false;

  send(message: Outgoing, callbacks?: Callbacks): void {
    if (this.dead) throw new Error("Cannot send");
    this.sent.push(message);
    if (message.type === "ping") this.callbacks.push(callbacks);
    if (this.forgot) callbacks?.iopub.status({ content: { execution_state: "idle" } });
  }

  private readonly callbacks: (Callbacks | undefined)[] = [];

  /** Says that a ping was handled. */
  handle(ping: number): void {
    this.callbacks[ping]?.iopub.status({ content: { execution_state: "idle" } });
  }

  get pings(): number {
    return this.sent.filter((message) => message.type === "ping").length;
  }

  get heard(): number {
    return [...this.listeners.values()].reduce((count, { size }) => count + size, 0);
  }

  /** What was asked, but for the timeline and its marks, which are asked for all the time. */
  get gets(): Get[] {
    return this.allGets.filter(({ pane }) => pane !== "timeline" && pane !== "branches");
  }

  private get allGets(): Get[] {
    return this.sent.flatMap((message) => {
      if (message.type === "look") return message.gets;
      return message.type === "get" ? [message] : [];
    });
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
    const number = change.seq ?? seq;
    this.summary = {
      ...(this.summary ?? sample()),
      seq: number,
      versions: versions(number),
      ...change,
    };
    this.emit("change:summary");
  }

  /** Syncs the trait as it is. */
  repeat(): void {
    this.emit("change:summary");
  }

  say(message: Incoming): void {
    this.emit("msg:custom", message);
  }

  reply(get: Get | undefined, change: Partial<Incoming> = {}): void {
    if (get === undefined) throw new Error("nothing was asked");
    this.say(this.answer(get, change));
  }

  private answer(get: Get, change: Partial<Incoming> = {}): Incoming {
    const { id, pane, at = null, phase = null } = get;
    const data = this.answers[pane]?.(get) ?? this.data[pane];
    return { type: "reply", id, pane, at, phase, data, error: null, ...change } as Incoming;
  }

  /** Answers all that was asked and not yet answered; returns how much that was. */
  replyToAll(): number {
    const asked = this.allGets.slice(this.answered);
    this.answered += asked.length;
    for (const get of asked) this.reply(get);
    return asked.length;
  }

  ack(command: Command | undefined, accepted = true, why = ""): void {
    if (command === undefined) throw new Error("no command was sent");
    this.say({ type: "ack", id: command.id, name: command.name, accepted, why });
  }

  /** What was asked of one pane. */
  asked(pane: Pane): Get[] {
    return this.allGets.filter((get) => get.pane === pane);
  }

  done(
    command: Command | undefined,
    error: string | null = null,
    result: string | null = null,
  ): void {
    if (command === undefined) throw new Error("no command was sent");
    const { id, name } = command;
    const ok = error === null;
    this.say({ type: "done", id, name, ok, error, result, summary: null, replies: [] });
  }

  /** Ends a command as the kernel does: with the summary, and answers to what was asked with it. */
  end(
    command: Command | undefined,
    change: Partial<Summary>,
    asked: readonly (Get | undefined)[],
  ): void {
    if (command === undefined) throw new Error("no command was sent");
    const { id, name } = command;
    const seq = (this.summary?.seq ?? 0) + 1;
    const summary = { ...(this.summary ?? sample()), seq, versions: versions(seq), ...change };
    const replies = asked.flatMap((get) => (get ? [this.answer(get) as Reply] : []));
    this.summary = summary;
    this.say({ type: "done", id, name, ok: true, error: null, result: null, summary, replies });
  }

  private answered = 0;

  private emit(event: string, ...args: unknown[]): void {
    for (const listener of this.listeners.get(event) ?? []) listener(...(args as never[]));
  }
}
