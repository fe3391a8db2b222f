/**
 * The browser's end of the conversation: knows the newest summary and where one looks, fetches what is
 * looked at, sends commands once, and notices lost messages. Knows nothing of the DOM.
 */

import { type Alert, cleared, raised } from "./alerts";
import { Cache } from "./cache";
import { labelOf, whyOff } from "./controls";
import { type Cursor, type Edge, goTo, LIVE, type Motion, type Walk, walked } from "./cursor";
import type { Watched } from "./layout";
import { mismatch, type Outcome, underwayKey } from "./orders";
import {
  FIRST_NODES,
  type Held,
  heldOf,
  questionOf,
  type Slot,
  type Slots,
  versionOf,
  wantOf,
} from "./panes";
import {
  type Ack,
  type Command,
  type Done,
  type Get,
  type Incoming,
  type Order,
  type Outgoing,
  type Pane,
  type PaneData,
  type PlanNode,
  PROTOCOL,
  type Reply,
  type Summary,
  TAKEN,
  type Want,
} from "./protocol";
import { EMPTY_TRACK, joined, joinFrom, type Track } from "./timeline";

/** A command without an ack for this long means that the kernel is busy. */
export const ACK_MS = 1500;
/** When something is owed and nothing was heard for this long, a message may have been lost. */
export const SILENCE_MS = 5000;
/** After a drag the details are fetched when the cursor has stood still for this long. */
export const SETTLE_MS = 120;

const STEPS: readonly string[] = ["step_phase", "step_frame"];
/** What is asked for together with a step. */
const AHEAD: readonly Pane[] = ["plan", "xml", "pending", "state"];

/** The version of an answer that was read with the summary of that number. */
const asOf = (seq: number): string => `@${seq}`;

/** What the client uses of an anywidget model. */
export interface Channel {
  get(trait: "summary"): unknown;
  on(event: string, listener: (...args: never[]) => void): void;
  off(event: string, listener: (...args: never[]) => void): void;
  send(message: Outgoing): void;
}

export interface Underway {
  readonly id: string;
  readonly acked: boolean;
  /** No ack came in time: the kernel is busy with something else. */
  readonly late: boolean;
}

export interface ClientState {
  readonly summary: Summary | null;
  readonly connected: boolean;
  /** Where one looks. */
  readonly cursor: Cursor;
  /** Where the details are of: the cursor, once it has settled. */
  readonly settled: Cursor;
  /** The newest frame when the live edge was left. */
  readonly left: number;
  /** The pinned frame that is compared with; null: the frame before. */
  readonly base: number | null;
  /** What there is to say about the last motion. */
  readonly note: string | null;
  readonly track: Track;
  readonly bookmarks: readonly number[];
  readonly panes: Slots;
  readonly underway: Readonly<Record<string, Underway>>;
  readonly alerts: readonly Alert[];
}

interface Request {
  readonly want: Want;
  readonly question: string;
  readonly version: string;
  /** The rows that the kernel may refer to. */
  readonly rows: readonly PlanNode[];
  /** Of a request that is for one caller, not for the pane. */
  readonly settle?: (reply: Reply) => void;
  /** Sent with a command, and answered with its end. */
  readonly ahead?: boolean;
}

interface Sent {
  readonly key: string;
  readonly name: string;
  readonly message: Outgoing;
  /** The caller shows how it ended. */
  readonly quiet: boolean;
  readonly settle: (outcome: Outcome) => void;
}

/** Bookmarks are the page's own: several views of one execution agree. */
const BOOKMARKS = new Map<string, readonly number[]>();

export class Client {
  state: ClientState = {
    summary: null,
    connected: true,
    cursor: LIVE,
    settled: LIVE,
    left: 0,
    base: null,
    note: null,
    track: EMPTY_TRACK,
    bookmarks: [],
    panes: {},
    underway: {},
    alerts: [],
  };

  private readonly listeners = new Set<() => void>();
  private readonly requests = new Map<string, Request>();
  private readonly inFlight = new Map<Pane, string>();
  private readonly commands = new Map<string, Sent>();
  /** The panes whose answer comes with the end of a step. */
  private readonly ahead = new Set<Pane>();
  private readonly cache = new Cache();
  private watched: readonly Watched[] = [];
  private limit = FIRST_NODES;
  private trackVersion = -1;
  private recovering = false;
  private silence: ReturnType<typeof setTimeout> | undefined;
  private settling: ReturnType<typeof setTimeout> | undefined;
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
    clearTimeout(this.settling);
    this.listeners.clear();
  }

  /** Calls `listener` after each change; returns what ends that. */
  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Says whether there is a kernel behind the model. */
  connect(connected: boolean): void {
    if (connected === this.state.connected) return;
    this.update({ connected });
    if (connected) this.hello();
    this.refresh();
  }

  // ---- where one looks ----

  get edge(): Edge {
    const { summary } = this.state;
    return {
      frame: summary?.frame ?? 0,
      phase: summary?.phase ?? null,
      recorded: summary?.recorded ?? 0,
    };
  }

  walk(walk: Walk): void {
    this.look(walked(this.state.cursor, walk, this.edge));
  }

  goTo(frame: number, settle = true): void {
    this.look(goTo(frame, this.edge), settle);
  }

  /** Moves the cursor; without `settle` the details follow when it has stood still. */
  look({ cursor, note }: Motion, settle = true): void {
    const { cursor: last, left } = this.state;
    const leaves = last.at === null && cursor.at !== null;
    this.update({ cursor, note, left: leaves ? this.edge.frame : left });
    clearTimeout(this.settling);
    if (settle) this.settle();
    else this.settling = setTimeout(() => this.settle(), SETTLE_MS);
  }

  private settle(): void {
    this.update({ settled: this.state.cursor });
    this.refresh();
  }

  say(note: string | null): void {
    this.update({ note });
  }

  /** Compares with this frame; null: with the one before. */
  pin(base: number | null): void {
    this.update({ base });
    this.refresh();
  }

  bookmark(frame: number): void {
    const { bookmarks, summary } = this.state;
    const next = bookmarks.includes(frame)
      ? bookmarks.filter((one) => one !== frame)
      : [...bookmarks, frame].sort((a, b) => a - b);
    if (summary) BOOKMARKS.set(summary.execution_id, next);
    this.update({ bookmarks: next });
  }

  /** Whether the pane shows what the cursor is on. */
  fits(watched: Watched): boolean {
    return this.state.panes[watched.pane]?.question === questionOf(this.wanted(watched));
  }

  /** Says which panes are looked at: only these are fetched, now and when something newer is known. */
  watch(watched: readonly Watched[]): void {
    this.watched = watched;
    this.refresh();
  }

  /** Fetches more rows of the plan. */
  moreNodes(): void {
    this.limit += 4 * FIRST_NODES;
    this.refresh();
  }

  /** An answer for the caller alone; rejects with the kernel's reason. */
  ask<P extends Pane>(want: Want & { readonly pane: P }): Promise<PaneData[P]> {
    return new Promise((resolve, reject) => {
      const settle = ({ data, error }: Reply) =>
        data === null
          ? reject(new Error(error ?? "There is nothing."))
          : resolve(data as PaneData[P]);
      this.request(want, { settle });
    });
  }

  /** Sends a command, unless it is off or under way; the promise says how it ended, null when it was not sent. */
  order(order: Order, quiet = false): Promise<Outcome | null> {
    const { summary, underway, connected, alerts } = this.state;
    const key = underwayKey(order);
    if (underway[key] !== undefined) return Promise.resolve(null);
    if (whyOff(order.name, summary, underway, connected) !== null) return Promise.resolve(null);
    const id = this.nextId();
    this.update({
      underway: { ...underway, [key]: { id, acked: false, late: false } },
      alerts: cleared(alerts, "command"),
      note: null,
    });
    setTimeout(() => this.lateIfUnheard(key, id), ACK_MS);
    const asked = STEPS.includes(order.name) ? this.askAhead() : [];
    const message = {
      type: "command",
      id,
      ...order,
      ...(asked.length > 0 && { ask: asked }),
    } as Command;
    this.post(message);
    this.listen();
    return new Promise((settle) =>
      this.commands.set(id, { key, name: order.name, message, quiet, settle }),
    );
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
    this.update({
      summary: next,
      connected: true,
      alerts: this.alertsOf(last, next),
      note: this.state.cursor.at === null && last?.frame !== next.frame ? null : this.state.note,
      bookmarks: BOOKMARKS.get(next.execution_id) ?? this.state.bookmarks,
    });
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
    const anew = next.seq < last.seq || next.execution_id !== last.execution_id;
    if (anew) this.cache.clear();
    this.trackVersion = -1;
    const stale = Object.entries(this.state.panes).map(([pane, slot]) => [
      pane,
      { ...slot, version: "" },
    ]);
    this.update({
      panes: Object.fromEntries(stale) as Slots,
      ...(anew && { track: EMPTY_TRACK, cursor: LIVE, settled: LIVE }),
    });
    this.forget();
    this.recover();
  }

  private readonly onMessage = (message: Incoming): void => {
    this.heard();
    if (message.type === "ack") this.onAck(message);
    else if (message.type === "done") this.onDone(message);
    else if (message.type === "reply") this.onReply(message);
    this.listen();
  };

  private onAck({ id, accepted, why }: Ack): void {
    const sent = this.commands.get(id);
    if (sent === undefined) return;
    if (accepted || why === TAKEN) this.setUnderway(sent.key, { id, acked: true, late: false });
    else
      this.end(id, { ok: false, error: `${labelOf(sent.name)} was refused: ${why}`, result: null });
  }

  private onDone({ id, ok, error, result }: Done): void {
    const sent = this.commands.get(id);
    if (sent === undefined) return;
    const words = ok ? error : (error ?? `${labelOf(sent.name)} failed.`);
    this.end(id, { ok, error: words, result });
    this.refresh();
  }

  private onReply(reply: Reply): void {
    const request = this.requests.get(reply.id);
    if (request === undefined) return;
    this.requests.delete(reply.id);
    if (request.ahead) this.ahead.delete(reply.pane);
    if (request.settle) {
      request.settle(reply);
      return;
    }
    if (this.inFlight.get(reply.pane) === reply.id) this.inFlight.delete(reply.pane);
    if (reply.pane === "timeline") this.takeTrack(reply.data, request.version);
    else this.take(reply, request);
    this.refresh();
  }

  private takeTrack(data: PaneData["timeline"] | null, version: string): void {
    if (data === null) return;
    this.trackVersion = Number(version);
    this.update({ track: joined(this.state.track, data) });
  }

  /** Puts a reply into its pane, unless another question was asked since; recorded ones are kept. */
  private take(reply: Reply, request: Request): void {
    const { question, rows, want } = request;
    const version = request.ahead ? asOf(reply.seq) : request.version;
    const { alerts, panes } = this.state;
    const loading = this.inFlight.has(reply.pane);
    const last = panes[reply.pane];
    if (reply.error !== null || reply.data === null) {
      const error = reply.error ?? "There is nothing.";
      this.setPane(reply.pane, { data: last?.data ?? null, question, version, loading });
      this.update({ alerts: raised(alerts, reply.pane, error) });
      return;
    }
    const data = heldOf(reply.pane, reply.data as never, rows);
    if (data === null) {
      // It names rows that are gone: asked again without.
      this.setPane(reply.pane, { data: null, question: "", version: "", loading });
      return;
    }
    if (want.at !== null) this.cache.put(question, version, data);
    const newer =
      last === undefined || last.question !== question || fresher(version, last.version);
    if (question === this.questionNow(reply.pane) && newer) {
      this.setPane(reply.pane, { data, question, version, loading });
      this.update({ alerts: cleared(this.state.alerts, reply.pane) });
    }
  }

  // ---- what goes out ----

  /** Sends; that it can't be sent is how the page hears of a kernel that was shut down. */
  private post(message: Outgoing): void {
    try {
      this.channel.send(message);
    } catch {
      this.forget();
      this.update({ connected: false, underway: {} });
    }
  }

  private hello(): void {
    this.post({ type: "hello", protocol: PROTOCOL });
  }

  private wanted(watched: Watched): Want {
    const { settled, base } = this.state;
    return wantOf(watched, { cursor: settled, base, limit: this.limit });
  }

  private questionNow(pane: Pane): string | null {
    const watched = this.watched.find((one) => one.pane === pane);
    return watched === undefined ? null : questionOf(this.wanted(watched));
  }

  /** Asks for what is looked at and out of date: at most one request in flight for a pane. */
  private refresh(): void {
    const { summary } = this.state;
    if (summary?.protocol !== PROTOCOL) return;
    for (const watched of this.watched) this.refreshPane(watched, summary);
    // The timeline can wait: a round trip less before the new frame is on the screen.
    if (this.inFlight.size === 0) this.refreshTrack(summary);
    this.listen();
  }

  private refreshPane(watched: Watched, summary: Summary): void {
    const { pane } = watched;
    // Of the live frame the summary says it all.
    if (pane === "frame" && this.state.settled.at === null) return;
    const want = this.wanted(watched);
    const question = questionOf(want);
    const version = versionOf(want, summary);
    // Its answer comes with the end of the step, which has come.
    if (this.ahead.has(pane) && summary.busy === null) return;
    const slot = this.state.panes[pane] as Slot<unknown> | undefined;
    if (slot?.question === question && slot.version === asOf(summary.seq)) {
      this.setPane(pane, { ...slot, version });
      return;
    }
    if (slot?.question === question && slot.version === version) {
      if (slot.loading && !this.inFlight.has(pane)) this.setPane(pane, { ...slot, loading: false });
      return;
    }
    const { connected } = this.state;
    const kept = this.cache.find(question, connected ? version : null);
    if (kept !== undefined) {
      this.setPane(pane, { data: kept.data, question, version: kept.version, loading: false });
      return;
    }
    if (!connected || this.inFlight.has(pane)) return;
    const held = pane === "plan" ? this.state.panes.plan?.data : null;
    this.inFlight.set(pane, this.request(want, { question, version, held: held ?? null }));
    this.setPane(pane, {
      data: slot?.data ?? null,
      question: slot?.question ?? "",
      version: slot?.version ?? "",
      loading: true,
    });
  }

  private refreshTrack({ versions }: Summary): void {
    if (this.trackVersion === versions.timeline || this.inFlight.has("timeline")) return;
    if (!this.state.connected) return;
    const want: Want = { pane: "timeline", since: joinFrom(this.state.track) };
    const version = String(versions.timeline);
    this.inFlight.set("timeline", this.request(want, { version }));
  }

  /** The requests for what is looked at, to be sent with a step. */
  private askAhead(): Get[] {
    if (this.state.settled.at !== null) return [];
    const watched = this.watched.filter(({ pane }) => AHEAD.includes(pane));
    return watched.map((one) => {
      const want = this.wanted(one);
      const id = this.nextId();
      const held = one.pane === "plan" ? this.state.panes.plan?.data : null;
      const question = questionOf(want);
      this.requests.set(id, { want, question, version: "", rows: held?.nodes ?? [], ahead: true });
      this.ahead.add(one.pane);
      return { type: "get", id, ...want, ...(held && { known: held.version }) };
    });
  }

  private dropAhead(): void {
    this.ahead.clear();
    for (const [id, { ahead }] of this.requests) if (ahead) this.requests.delete(id);
  }

  private request(
    want: Want,
    about: Partial<Omit<Request, "want" | "rows">> & { held?: Held["plan"] | null },
  ): string {
    const id = this.nextId();
    const { question = "", version = "", held = null, settle } = about;
    const rows = held?.nodes ?? [];
    this.requests.set(id, { want, question, version, rows, ...(settle && { settle }) });
    this.post({ type: "get", id, ...want, ...(held && { known: held.version }) });
    this.listen();
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
    if (!owed || !this.state.connected || this.silence !== undefined || this.recovering) return;
    this.silence = setTimeout(() => {
      this.silence = undefined;
      this.recover();
    }, SILENCE_MS);
  }

  /**
   * Messages may have been lost, either way. A command without an ack is sent again under its id, which the
   * kernel takes once; what it has taken is free again with the summary that answers the hello.
   */
  private recover(): void {
    this.recovering = true;
    for (const { id, acked } of Object.values(this.state.underway)) {
      const sent = this.commands.get(id);
      if (sent !== undefined && !acked) this.post(sent.message);
    }
    this.hello();
  }

  /**
   * Gives up on what may have been lost: the requests in flight, and the commands that were acked. The
   * summary's `busy` still keeps the buttons off while such a command runs. One without an ack may yet
   * be queued in a busy kernel: it stays, or a second click would step twice.
   */
  private forget(): void {
    this.recovering = false;
    for (const id of this.inFlight.values()) this.requests.delete(id);
    this.inFlight.clear();
    this.dropAhead();
    const kept = Object.entries(this.state.underway).filter(([, command]) => !command.acked);
    this.update({ underway: Object.fromEntries(kept) });
  }

  private lateIfUnheard(key: string, id: string): void {
    const command = this.state.underway[key];
    if (command?.id === id && !command.acked) this.setUnderway(key, { ...command, late: true });
  }

  private end(id: string, outcome: Outcome): void {
    const sent = this.commands.get(id);
    if (sent === undefined) return;
    this.commands.delete(id);
    if (STEPS.includes(sent.name)) this.dropAhead();
    const { [sent.key]: ended, ...others } = this.state.underway;
    const underway = ended?.id === id ? others : this.state.underway;
    const { alerts } = this.state;
    const told = sent.quiet || outcome.error === null;
    this.update({
      underway,
      alerts: told ? alerts : raised(alerts, "command", outcome.error ?? ""),
    });
    sent.settle(outcome);
  }

  // ---- state ----

  private nextId(): string {
    this.sent += 1;
    return `${this.prefix}-${this.sent}`;
  }

  private setUnderway(key: string, command: Underway): void {
    this.update({ underway: { ...this.state.underway, [key]: command } });
  }

  private setPane(pane: Pane, slot: Slot<unknown>): void {
    this.update({ panes: { ...this.state.panes, [pane]: slot } as Slots });
  }

  private update(change: Partial<ClientState>): void {
    this.state = { ...this.state, ...change };
    for (const listener of this.listeners) listener();
  }
}

/** Versions of one question are numbers that grow, but for those of recorded frames. */
function fresher(version: string, last: string): boolean {
  const [next, before] = [Number(version), Number(last)];
  return Number.isNaN(next) || Number.isNaN(before) || next >= before;
}
