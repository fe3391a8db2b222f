/**
 * The browser's end of the conversation, over a `Transport`: knows the newest summary and where one looks, fetches what is
 * looked at, sends commands once, and notices lost messages. Knows nothing of the DOM.
 */

import { type Alert, cleared, raised } from "./alerts";
import { Cache } from "./cache";
import { labelOf, whyOff } from "./controls";
import { type Cursor, type Edge, goTo, LIVE, type Motion, type Walk, walked } from "./cursor";
import type { Watched } from "./layout";
import { mismatch, Orders, type Outcome, type Underways, underwayKey } from "./orders";
import { heldOf, questionOf, type Slot, type Slots, seenVersion, versionOf, wantOf } from "./panes";
import {
  type Ack,
  type Command,
  type Done,
  FIRST_NODES,
  type Get,
  type Incoming,
  MOVES,
  type Order,
  type Pane,
  type PaneData,
  PROTOCOL,
  type Reply,
  type Summary,
  TAKEN,
  type Want,
} from "./protocol";
import { type Request, Requests } from "./requests";
import { EMPTY_TRACK, joined, joinFrom, type Track } from "./timeline";
import { type Channel, type Session, Transport } from "./transport";

/** A command that ends in this time is drawn with its end alone: a button that is off for a moment is a flicker. */
export const DRAW_MS = 100;
/** A command without an ack for this long means that the kernel is busy. */
export const ACK_MS = 1500;
/** After a drag the details are fetched when the cursor has stood still for this long. */
export const SETTLE_MS = 120;

export interface ClientState {
  readonly summary: Summary | null;
  readonly connected: boolean;
  /** The kernel has not answered for a while: it is busy, or gone. */
  readonly silent: boolean;
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
  readonly underway: Underways;
  readonly alerts: readonly Alert[];
}

/** Bookmarks are the page's own: several views of one execution agree. */
const BOOKMARKS = new Map<string, readonly number[]>();

export class Client implements Session {
  state: ClientState = {
    summary: null,
    connected: true,
    silent: false,
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
  private readonly requests = new Requests();
  private readonly orders = new Orders();
  private readonly cache = new Cache();
  private watched: readonly Watched[] = [];
  private limit = FIRST_NODES;
  private trackVersion = -1;
  /** The number of the newest summary that came as the trait. */
  private traitSeq: number | null = null;
  private recovering = false;
  private settling: ReturnType<typeof setTimeout> | undefined;
  private readonly transport: Transport;

  constructor(channel: Channel) {
    this.transport = new Transport(channel, this);
  }

  start(): void {
    this.transport.open();
    this.onSummary();
    this.hello();
  }

  stop(): void {
    this.transport.close();
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

  get connected(): boolean {
    return this.state.connected;
  }

  get understood(): boolean {
    return this.state.summary?.protocol === PROTOCOL;
  }

  // ---- where one looks ----

  get edge(): Edge {
    const { summary } = this.state;
    return {
      frame: summary?.frame ?? 0,
      phase: summary?.phase ?? null,
      recorded: summary?.recorded ?? 0,
      readOnly: summary?.read_only != null,
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
    if (frame < 1) return;
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
      const id = this.transport.nextId();
      this.requests.put(id, { want, question: "", version: "", rows: [], settle });
      this.transport.post({ type: "get", id, ...want });
    });
  }

  /** Sends a command, unless it is off or under way; the promise says how it ended, null when it was not sent. */
  order(order: Order, quiet = false): Promise<Outcome | null> {
    const { summary, underway, connected, alerts } = this.state;
    const key = underwayKey(order);
    if (underway[key] !== undefined) return Promise.resolve(null);
    if (whyOff(order.name, summary, underway, connected) !== null) return Promise.resolve(null);
    const id = this.transport.nextId();
    const ask = isMove(order.name) && summary !== null ? this.askAhead(summary) : [];
    const message = { type: "command", id, ...order, ...(ask.length > 0 && { ask }) } as Command;
    return new Promise((settle) => {
      const asked = ask.map((get) => get.id);
      this.orders.begin({ key, message, quiet, asked, settle });
      this.transport.post(message);
      const { underway } = this.orders;
      this.state = { ...this.state, underway, alerts: cleared(alerts, "command"), note: null };
      setTimeout(() => this.draw(), DRAW_MS);
      setTimeout(() => {
        if (this.orders.overdue(key, id)) this.showUnderway();
      }, ACK_MS);
      this.listen();
    });
  }

  dismiss(alert: Alert): void {
    this.update({ alerts: this.state.alerts.filter(({ text }) => text !== alert.text) });
  }

  // ---- what comes in ----

  readonly onSummary = (): void => {
    const next = this.transport.summary as Summary | null | undefined;
    if (next?.protocol === undefined) return;
    const before = this.traitSeq;
    this.traitSeq = next.seq;
    const last = this.state.summary;
    this.heard();
    if (last === null || before === null) this.adopt(next);
    else if (next.seq < before) this.resync(next, true);
    // Those that came with the ends of commands overtake the trait, and it may leave them out.
    else if (next.seq > Math.max(before, last.seq) + 1) this.resync(next, false);
    else if (next.seq > last.seq) this.adopt(next);
    this.refresh();
  };

  private adopt(next: Summary): void {
    const last = this.state.summary;
    this.update({
      summary: next,
      connected: true,
      alerts: this.alertsOf(last, next),
      note: this.state.cursor.at === null && last?.frame !== next.frame ? null : this.state.note,
      bookmarks: BOOKMARKS.get(next.execution_id) ?? this.state.bookmarks,
    });
    if (this.recovering) this.forget();
  }

  private alertsOf(last: Summary | null, next: Summary): readonly Alert[] {
    const { alerts } = this.state;
    if (next.protocol !== (last?.protocol ?? PROTOCOL)) {
      return raised(alerts, "protocol", mismatch(next.protocol));
    }
    if (next.error === (last?.error ?? null)) return alerts;
    return next.error === null ? cleared(alerts, "kernel") : raised(alerts, "kernel", next.error);
  }

  /** Messages were lost, or the kernel began anew: nothing that is owed can be counted on. */
  private resync(next: Summary, anew: boolean): void {
    this.adopt(next);
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
    this.onLoss();
  }

  readonly onMessage = (message: Incoming): void => {
    this.heard();
    if (message.type === "pong") this.connect(true);
    else if (message.type === "ack") this.onAck(message);
    else if (message.type === "done") this.onDone(message);
    else if (message.type === "reply") this.onReply(message);
    else if (message.type === "replies") {
      for (const reply of message.replies) this.onReply(reply);
    }
    this.refresh();
    this.listen();
  };

  private onAck({ id, name, accepted, why }: Ack): void {
    if (!accepted && why !== TAKEN) {
      this.end(id, { ok: false, error: `${labelOf(name)} was refused: ${why}`, result: null });
    } else if (this.orders.ack(id)) this.showUnderway();
  }

  /** The end of a command, also of another view's; what it led to comes with it. */
  private onDone({ id, name, ok, error, result, summary, replies }: Done): void {
    if (summary !== null) {
      for (const reply of replies) this.onReply(reply, summary);
      if (summary.seq > (this.state.summary?.seq ?? -1)) this.adopt(summary);
    }
    this.end(id, { ok, error: ok ? error : (error ?? `${labelOf(name)} failed.`), result });
  }

  /** A reply of its own, or one that came with `summary`, which says of which version it is. */
  private onReply(reply: Reply, summary?: Summary): void {
    const request = this.requests.close(reply.id);
    if (request === undefined) return;
    if (request.settle) {
      request.settle(reply);
      return;
    }
    const version = summary ? versionOf(request.want, summary) : request.version;
    if (reply.pane === "timeline") this.takeTrack(reply.data, version);
    else this.take(reply, request, version);
  }

  private takeTrack(data: PaneData["timeline"] | null, version: string): void {
    if (data === null) return;
    this.trackVersion = Number(version);
    this.update({ track: joined(this.state.track, data) });
  }

  /** Puts a reply into its pane, unless another question was asked since; recorded ones are kept. */
  private take(reply: Reply, { question, rows, want }: Request, version: string): void {
    const { alerts, panes } = this.state;
    const loading = this.requests.flies(reply.pane);
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

  onGone(): void {
    this.forget();
    this.orders.abandon();
    this.update({ connected: false, silent: false, underway: {} });
  }

  onSilence(): void {
    this.update({ silent: true });
  }

  private hello(): void {
    this.transport.post({ type: "hello", protocol: PROTOCOL });
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
    const gets = this.watched.flatMap((watched) => this.refreshPane(watched, summary) ?? []);
    // The timeline can wait: what one looks at comes first.
    if (this.requests.none) gets.push(...this.refreshTrack(summary));
    if (gets.length > 0) this.transport.post({ type: "look", gets });
    this.listen();
  }

  /** The request for a pane; none where what it shows is the newest, or is on its way. */
  private refreshPane(watched: Watched, summary: Summary): Get | null {
    const { pane } = watched;
    // Of the live frame the summary says it all.
    if (pane === "frame" && this.state.settled.at === null) return null;
    const want = this.wanted(watched);
    const question = questionOf(want);
    const version = versionOf(want, summary);
    const slot = this.state.panes[pane] as Slot<unknown> | undefined;
    if (slot?.question === question && slot.version === version) {
      if (slot.loading && !this.requests.flies(pane))
        this.setPane(pane, { ...slot, loading: false });
      return null;
    }
    const { connected } = this.state;
    const kept = this.cache.find(question, connected ? version : null);
    if (kept !== undefined) {
      this.setPane(pane, { data: kept.data, question, version: kept.version, loading: false });
      return null;
    }
    if (!connected || this.requests.flies(pane)) return null;
    this.setPane(pane, {
      data: slot?.data ?? null,
      question: slot?.question ?? "",
      version: slot?.version ?? "",
      loading: true,
    });
    return this.flown(want, version);
  }

  private refreshTrack(summary: Summary): readonly Get[] {
    if (!this.state.connected || this.requests.flies("timeline")) return [];
    const want = this.trackWanted;
    const version = versionOf(want, summary);
    return String(this.trackVersion) === version ? [] : [this.flown(want, version)];
  }

  private get trackWanted(): Want {
    return { pane: "timeline", since: joinFrom(this.state.track) };
  }

  private flown(want: Want, version: string): Get {
    const { request, get } = this.prepared(want, version);
    this.requests.fly(get.id, request);
    return get;
  }

  private prepared(want: Want, version: string): { request: Request; get: Get } {
    const held = want.pane === "plan" ? this.state.panes.plan?.data : null;
    const rows = held?.nodes ?? [];
    return {
      request: { want, question: questionOf(want), version, rows },
      get: {
        type: "get",
        id: this.transport.nextId(),
        ...want,
        ...(held && { known: held.version }),
      },
    };
  }

  /** The requests for all that is looked at, to be sent with a move and answered with its end. */
  private askAhead(summary: Summary): Get[] {
    const { settled, panes } = this.state;
    if (settled.at !== null) return [];
    const live = this.watched.filter(({ pane }) => pane !== "frame");
    const wants = [...live.map((one) => this.wanted(one)), this.trackWanted];
    return wants.map((want) => {
      const { request, get } = this.prepared(want, versionOf(want, summary));
      this.requests.put(get.id, request);
      const seen =
        want.pane === "timeline" ? this.trackVersion : seenVersion(panes[want.pane], request);
      return { ...get, ...(seen >= 0 && { seen }) };
    });
  }

  // ---- what is owed ----

  private heard(): void {
    this.transport.heard();
    if (this.state.silent) this.update({ silent: false });
  }

  /** Says hello again once when something is owed and nothing is heard. */
  private listen(): void {
    const owed = !this.requests.none || Object.keys(this.state.underway).length > 0;
    if (owed && this.state.connected && !this.recovering) this.transport.expect();
  }

  /**
   * Messages may have been lost, either way. A command without an ack is sent again under its id, which the
   * kernel takes once; what it has taken is free again with the summary that answers the hello.
   */
  onLoss(): void {
    this.recovering = true;
    for (const message of this.orders.unheard) this.transport.post(message);
    this.hello();
  }

  /**
   * Gives up on what may have been lost: the requests in flight, and the commands that were acked. The
   * summary's `busy` still keeps the buttons off while such a command runs.
   */
  private forget(): void {
    this.recovering = false;
    this.requests.giveUp();
    this.requests.drop(this.orders.giveUp());
    this.showUnderway();
  }

  private end(id: string, outcome: Outcome): void {
    const sent = this.orders.end(id);
    if (sent === undefined) return;
    this.requests.drop(sent.asked);
    this.showUnderway();
    if (!sent.quiet && outcome.error !== null) {
      this.update({ alerts: raised(this.state.alerts, "command", outcome.error) });
    }
    sent.settle(outcome);
  }

  // ---- state ----

  private showUnderway(): void {
    const { underway } = this.orders;
    if (underway !== this.state.underway) this.update({ underway });
  }

  private setPane(pane: Pane, slot: Slot<unknown>): void {
    this.update({ panes: { ...this.state.panes, [pane]: slot } as Slots });
  }

  private update(change: Partial<ClientState>): void {
    this.state = { ...this.state, ...change };
    this.draw();
  }

  private draw(): void {
    for (const listener of this.listeners) listener();
  }
}

const isMove = (name: string): boolean => (MOVES as readonly string[]).includes(name);

/** Versions of one question are numbers that grow, but for those of recorded frames. */
function fresher(version: string, last: string): boolean {
  const [next, before] = [Number(version), Number(last)];
  return Number.isNaN(next) || Number.isNaN(before) || next >= before;
}
