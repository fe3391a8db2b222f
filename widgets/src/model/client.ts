/**
 * The browser's end of the conversation: knows the newest summary, fetches what is looked at, sends
 * commands once, and notices lost messages. Knows nothing of the DOM.
 */

import { type Alert, cleared, raised } from "./alerts";
import { labelOf, whyOff } from "./controls";
import {
  type Ack,
  type CommandName,
  type Done,
  type Incoming,
  type Outgoing,
  PANES,
  type Pane,
  type PaneData,
  PROTOCOL,
  type Reply,
  type Summary,
  type Xml,
} from "./protocol";

/** A command without an ack for this long means that the kernel is busy. */
export const ACK_MS = 1500;
/** When something is owed and nothing was heard for this long, a message may have been lost. */
export const SILENCE_MS = 5000;

/** What the client uses of an anywidget model. */
export interface Channel {
  get(trait: "summary"): unknown;
  on(event: string, listener: (...args: never[]) => void): void;
  off(event: string, listener: (...args: never[]) => void): void;
  send(message: Outgoing): void;
}

export interface PaneState<Data> {
  readonly data: Data | null;
  /** The summary's number that the data is as new as. */
  readonly seq: number;
  readonly loading: boolean;
  /** All of it was asked for: it stays so while the pane is looked at. */
  readonly full: boolean;
}

export type Panes = { readonly [P in Pane]: PaneState<PaneData[P]> };

export interface Underway {
  readonly id: string;
  readonly acked: boolean;
  /** No ack came in time: the kernel is busy with something else. */
  readonly late: boolean;
}

export interface ClientState {
  readonly summary: Summary | null;
  readonly panes: Panes;
  readonly underway: Partial<Readonly<Record<CommandName, Underway>>>;
  readonly alerts: readonly Alert[];
}

interface Request {
  readonly pane: Pane;
  readonly seq: number;
  readonly full: boolean;
  /** Of a request that is for one caller, not for the pane. */
  readonly settle?: (reply: Reply) => void;
}

const UNSEEN = { data: null, seq: -1, loading: false, full: false } as const;

export class Client {
  state: ClientState = {
    summary: null,
    panes: { plan: UNSEEN, xml: UNSEEN, pending: UNSEEN, handlers: UNSEEN, state: UNSEEN },
    underway: {},
    alerts: [],
  };

  private readonly listeners = new Set<() => void>();
  private readonly requests = new Map<string, Request>();
  private readonly inFlight = new Map<Pane, string>();
  private watched: readonly Pane[] = [];
  private recovering = false;
  private silence: ReturnType<typeof setTimeout> | undefined;
  private sent = 0;
  /** Two views of one model hear each other's replies, so each has ids of its own. */
  private readonly prefix = Math.random().toString(36).slice(2, 10);

  constructor(private readonly channel: Channel) {}

  start(): void {
    this.channel.on("change:summary", this.onSummary);
    this.channel.on("msg:custom", this.onMessage);
    this.onSummary();
    this.hello();
  }

  stop(): void {
    this.channel.off("change:summary", this.onSummary);
    this.channel.off("msg:custom", this.onMessage);
    clearTimeout(this.silence);
    this.listeners.clear();
  }

  /** Calls `listener` after each change; returns what ends that. */
  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Says which panes are looked at: only these are fetched, now and when something newer is known. */
  watch(panes: readonly Pane[]): void {
    for (const pane of PANES) {
      if (!panes.includes(pane) && this.state.panes[pane].full) this.setPane(pane, { full: false });
    }
    this.watched = panes;
    this.refresh();
  }

  /** Fetches all of a pane, uncut. */
  loadAll(pane: Pane): void {
    this.setPane(pane, { full: true, seq: -1 });
    this.refresh();
  }

  /** The whole XML, for copying; rejects with the kernel's reason. */
  wholeXml(): Promise<Xml> {
    return new Promise((resolve, reject) => {
      const settle = ({ data, error }: Reply) =>
        data === null ? reject(new Error(error ?? "There is no XML.")) : resolve(data as Xml);
      this.request({ pane: "xml", seq: this.seq(), full: true, settle });
    });
  }

  /** Sends a command, unless its control is off. */
  command(name: CommandName): void {
    if (whyOff(name, this.state.summary, this.state.underway) !== null) return;
    const id = this.nextId();
    this.update({
      underway: { ...this.state.underway, [name]: { id, acked: false, late: false } },
      alerts: cleared(this.state.alerts, "command"),
    });
    setTimeout(() => this.lateIfUnheard(name, id), ACK_MS);
    this.channel.send({ type: "command", id, name });
    this.listen();
  }

  dismiss(alert: Alert): void {
    this.update({ alerts: this.state.alerts.filter(({ text }) => text !== alert.text) });
  }

  // ---- what comes in ----

  private readonly onSummary = (): void => {
    const next = this.channel.get("summary") as Summary | null | undefined;
    if (next?.protocol === undefined) return;
    const last = this.state.summary;
    this.heard();
    this.update({ summary: next, alerts: this.alertsOf(last, next) });
    if (last !== null && (next.seq > last.seq + 1 || next.seq < last.seq)) this.resync(next, last);
    else if (this.recovering) this.forget();
    this.refresh();
  };

  private alertsOf(last: Summary | null, next: Summary): readonly Alert[] {
    const { alerts } = this.state;
    if (next.protocol !== (last?.protocol ?? PROTOCOL)) {
      return raised(alerts, "protocol", mismatch(next.protocol));
    }
    if (next.error === (last?.error ?? null)) return alerts;
    return next.error === null ? cleared(alerts, "kernel") : raised(alerts, "kernel", next.error);
  }

  /** Messages were lost, or the kernel began anew: nothing that is owed can be counted on. */
  private resync(next: Summary, last: Summary): void {
    if (next.seq < last.seq) for (const pane of PANES) this.setPane(pane, { seq: -1 });
    this.forget();
    this.hello();
  }

  private readonly onMessage = (message: Incoming): void => {
    this.heard();
    if (message.type === "ack") this.onAck(message);
    else if (message.type === "done") this.onDone(message);
    else if (message.type === "reply") this.onReply(message);
    this.listen();
  };

  private onAck({ id, accepted, why }: Ack): void {
    const name = this.commandWith(id);
    if (name === undefined) return;
    if (accepted) this.setUnderway(name, { id, acked: true, late: false });
    else this.end(name, `${labelOf(name)} was refused: ${why}`);
  }

  private onDone({ id, ok, error }: Done): void {
    const name = this.commandWith(id);
    if (name === undefined) return;
    this.end(name, ok ? error : (error ?? `${labelOf(name)} failed.`));
  }

  private onReply(reply: Reply): void {
    const request = this.requests.get(reply.id);
    if (request === undefined) return;
    this.requests.delete(reply.id);
    if (request.settle) request.settle(reply);
    else this.take(reply, request);
  }

  /** Puts a reply into its pane, unless something newer is there or something else was asked since. */
  private take(reply: Reply, { pane, seq: asked, full }: Request): void {
    if (this.inFlight.get(pane) === reply.id) this.inFlight.delete(pane);
    const { alerts, panes } = this.state;
    const loading = this.inFlight.has(pane);
    const seq = Math.max(reply.seq, asked);
    if (reply.error !== null) {
      this.setPane(pane, { seq, loading });
      this.update({ alerts: raised(alerts, pane, reply.error) });
    } else if (seq >= panes[pane].seq && full === this.full(pane)) {
      this.setPane(pane, { data: reply.data, seq, loading } as Partial<Panes[Pane]>);
      this.update({ alerts: cleared(alerts, pane) });
    } else this.setPane(pane, { loading });
    this.refresh();
  }

  // ---- what goes out ----

  private hello(): void {
    this.channel.send({ type: "hello", protocol: PROTOCOL });
  }

  /** Asks for what is looked at and out of date: at most one request in flight for a pane. */
  private refresh(): void {
    if (this.state.summary?.protocol !== PROTOCOL) return;
    for (const pane of this.watched) {
      if (this.inFlight.has(pane) || this.state.panes[pane].seq >= this.seq()) continue;
      const id = this.request({ pane, seq: this.seq(), full: this.full(pane) });
      this.inFlight.set(pane, id);
      this.setPane(pane, { loading: true });
    }
    this.listen();
  }

  private request(request: Request): string {
    const id = this.nextId();
    this.requests.set(id, request);
    this.channel.send({ type: "get", id, pane: request.pane, full: request.full });
    return id;
  }

  // ---- what is owed ----

  private heard(): void {
    clearTimeout(this.silence);
    this.silence = undefined;
  }

  /** Says hello again once when something is owed and nothing is heard. */
  private listen(): void {
    const owed = this.inFlight.size > 0 || Object.keys(this.state.underway).length > 0;
    if (!owed || this.silence !== undefined || this.recovering) return;
    this.silence = setTimeout(() => {
      this.silence = undefined;
      this.recovering = true;
      this.hello();
    }, SILENCE_MS);
  }

  /**
   * Gives up on what may have been lost: the requests in flight, and the commands that were acked. The
   * summary's `busy` still keeps the buttons off while such a command runs. One without an ack may yet
   * be queued in a busy kernel: it stays, or a second click would step twice.
   */
  private forget(): void {
    this.recovering = false;
    this.inFlight.clear();
    const kept = Object.entries(this.state.underway).filter(([, command]) => !command.acked);
    this.update({ underway: Object.fromEntries(kept) });
  }

  private lateIfUnheard(name: CommandName, id: string): void {
    const command = this.state.underway[name];
    if (command?.id === id && !command.acked) this.setUnderway(name, { ...command, late: true });
  }

  private commandWith(id: string): CommandName | undefined {
    const entries = Object.entries(this.state.underway) as [CommandName, Underway][];
    return entries.find(([, command]) => command.id === id)?.[0];
  }

  private end(name: CommandName, error: string | null): void {
    const { [name]: _ended, ...underway } = this.state.underway;
    const { alerts } = this.state;
    this.update({ underway, alerts: error === null ? alerts : raised(alerts, "command", error) });
  }

  // ---- state ----

  private readonly seq = (): number => this.state.summary?.seq ?? 0;

  private readonly full = (pane: Pane): boolean => this.state.panes[pane].full;

  private nextId(): string {
    this.sent += 1;
    return `${this.prefix}-${this.sent}`;
  }

  private setUnderway(name: CommandName, command: Underway): void {
    this.update({ underway: { ...this.state.underway, [name]: command } });
  }

  private setPane(pane: Pane, change: Partial<Panes[Pane]>): void {
    const panes = { ...this.state.panes, [pane]: { ...this.state.panes[pane], ...change } };
    this.update({ panes });
  }

  private update(change: Partial<ClientState>): void {
    this.state = { ...this.state, ...change };
    for (const listener of this.listeners) listener();
  }
}

function mismatch(protocol: number): string {
  return (
    `This page speaks protocol ${PROTOCOL} of the stepper and the kernel speaks ${protocol}, so nothing is sent. ` +
    "Restart the kernel and reload the page: then both come from the same smithers_nb."
  );
}
