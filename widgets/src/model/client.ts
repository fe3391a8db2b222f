/**
 * The page's side of an execution: joins the session with the kernel, the panes and the cursor into one state that views
 * draw. Knows nothing of the DOM.
 */

import { type Alert, cleared, raised } from "./alerts";
import { bookmarked, bookmarksOf } from "./bookmarks";
import { labelOf, whyOff } from "./controls";
import {
  atRest,
  type Cursor,
  type Edge,
  edgeOf,
  goTo,
  LIVE,
  type Motion,
  type Walk,
  walked,
} from "./cursor";
import type { Watched } from "./layout";
import { mismatch, type Outcome, type Underways, underwayKey } from "./orders";
import { type Outlook, PaneCache, type Taken } from "./pane_cache";
import type { Slots } from "./panes";
import {
  type Ack,
  type Done,
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
import { Session } from "./session";
import { EMPTY_TRACK, type Track } from "./timeline";
import { type Channel, type Receiver, Transport } from "./transport";

/** A command that ends in this time is drawn with its end alone: a button that is off for a moment is a flicker. */
export const DRAW_MS = 100;
/** After a drag the details are fetched when the cursor has stood still for this long. */
export const SETTLE_MS = 120;

export interface ClientState {
  readonly summary: Summary | null;
  /** By how many milliseconds the kernel's clock is ahead of the page's. */
  readonly ahead: number;
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
  /** The execution whose matching frame is compared with, in place of `base`; null: none. */
  readonly other: string | null;
  /** What there is to say about the last motion. */
  readonly note: string | null;
  readonly track: Track;
  readonly bookmarks: readonly number[];
  readonly panes: Slots;
  readonly underway: Underways;
  readonly alerts: readonly Alert[];
}

export class Client implements Receiver {
  state: ClientState = {
    summary: null,
    ahead: 0,
    connected: true,
    silent: false,
    cursor: LIVE,
    settled: LIVE,
    left: 0,
    base: null,
    other: null,
    note: null,
    track: EMPTY_TRACK,
    bookmarks: [],
    panes: {},
    underway: {},
    alerts: [],
  };

  private readonly listeners = new Set<() => void>();
  private settling: ReturnType<typeof setTimeout> | undefined;
  private readonly transport: Transport;
  private readonly session: Session;
  private readonly cache: PaneCache;

  constructor(private readonly channel: Channel) {
    this.transport = new Transport(channel, this);
    this.session = new Session(this.transport, () => this.showUnderway());
    this.cache = new PaneCache(() => this.transport.nextId());
  }

  start(): void {
    this.transport.open();
    this.onSummary();
    this.session.greet();
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
    if (connected) this.session.greet();
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
    return { ...edgeOf(this.state.summary), ...this.channel.kept };
  }

  /** Whether something can be done here, and not only looked at: not in a page that is a file. */
  get acts(): boolean {
    return this.channel.kept === undefined;
  }

  walk(walk: Walk): void {
    this.look(walked(this.state.cursor, walk, this.edge));
  }

  goTo(frame: number, settle = true): void {
    this.look(goTo(frame, this.edge), settle);
  }

  /** Moves the cursor; without `settle` the details follow when it has stood still. */
  look({ cursor: wanted, note }: Motion, settle = true): void {
    const { cursor: last, left } = this.state;
    const cursor = atRest(wanted, this.edge);
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
    this.update({ base, other: null });
    this.refresh();
  }

  /** Compares with the matching frames of another execution; null: with the frame before. */
  against(other: string | null): void {
    this.update({ other, base: null });
    this.refresh();
  }

  bookmark(frame: number): void {
    const { bookmarks, summary } = this.state;
    if (frame < 1) return;
    this.update({ bookmarks: bookmarked(summary?.execution_id, bookmarks, frame) });
  }

  // ---- panes ----

  /** Whether the pane shows what the cursor is on. */
  fits(watched: Watched): boolean {
    const { settled, base, other } = this.state;
    return this.cache.fits(watched, { cursor: settled, base, other });
  }

  /** Says which panes are looked at: only these are fetched, now and when something newer is known. */
  watch(watched: readonly Watched[]): void {
    this.cache.watch(watched);
    this.refresh();
  }

  /** Fetches more rows of the plan. */
  moreNodes(): void {
    this.cache.moreNodes();
    this.refresh();
  }

  /** An answer for the caller alone; rejects with the kernel's reason. */
  ask<P extends Pane>(want: Want & { readonly pane: P }): Promise<PaneData[P]> {
    const [get, answer] = this.cache.ask(want);
    this.transport.post(get);
    return answer;
  }

  // ---- commands ----

  /** Sends a command, unless it is off or under way; the promise says how it ended, null when it was not sent. */
  order(order: Order, quiet = false): Promise<Outcome | null> {
    const { summary, underway, connected, alerts } = this.state;
    if (underway[underwayKey(order)] !== undefined) return Promise.resolve(null);
    if (whyOff(order.name, summary, underway, connected) !== null) return Promise.resolve(null);
    const where = isMove(order.name) ? this.outlook : null;
    const ask = where === null ? [] : this.cache.ahead(where);
    const outcome = this.session.send(order, quiet, ask, summary?.execution_id);
    this.state = {
      ...this.state,
      underway: this.session.underway,
      alerts: cleared(alerts, "command"),
      note: null,
    };
    setTimeout(() => this.draw(), DRAW_MS);
    this.listen();
    return outcome;
  }

  /** Shows another execution of the family in this stepper; the summary that follows is its own. */
  show(execution_id: string): void {
    this.transport.post({ type: "show", execution_id });
  }

  /** Asks again for what may have changed without a word: a branch of another process runs on. */
  renew(pane: Pane): void {
    this.cache.renewed(pane);
    this.refresh();
  }

  dismiss(alert: Alert): void {
    this.update({ alerts: this.state.alerts.filter(({ text }) => text !== alert.text) });
  }

  // ---- what comes in ----

  readonly onSummary = (): void => {
    const next = this.transport.summary as Summary | null | undefined;
    if (next?.protocol === undefined) return;
    this.heard();
    const arrival = this.session.arrived(next.seq, this.state.summary?.seq ?? null);
    if (arrival === "restart" || arrival === "gap") this.resync(next, arrival === "restart");
    else if (arrival !== "old") this.adopt(next);
    this.refresh();
  };

  private adopt(next: Summary): void {
    const last = this.state.summary;
    const turned = last !== null && last.execution_id !== next.execution_id;
    if (turned) this.turn();
    this.update({
      summary: next,
      // Now, as it comes: a view that is opened later would take its age for a difference of the clocks.
      ahead: next.now - Date.now(),
      connected: true,
      alerts: alertsOf(this.state.alerts, last, next),
      note:
        turned || (this.state.cursor.at === null && last?.frame !== next.frame)
          ? null
          : this.state.note,
      bookmarks: bookmarksOf(next.execution_id) ?? this.state.bookmarks,
    });
    if (this.session.recovering) this.forget();
  }

  /** Another execution is shown: nothing of the last one is true of it. Its commands go on. */
  private turn(): void {
    clearTimeout(this.settling);
    this.cache.clear();
    this.session.abandon();
    this.state = {
      ...this.state,
      cursor: LIVE,
      settled: LIVE,
      base: null,
      other: null,
      alerts: [],
      bookmarks: [],
      panes: this.cache.panes,
      track: this.cache.track,
      underway: this.session.underway,
    };
  }

  /** Messages were lost, or the kernel was restarted: nothing that is owed can be counted on. */
  private resync(next: Summary, restarted: boolean): void {
    this.adopt(next);
    this.cache.distrust(restarted);
    this.showPanes(restarted ? { cursor: LIVE, settled: LIVE } : {});
    this.forget();
    this.onLoss();
  }

  readonly onMessage = (message: Incoming): void => {
    this.heard();
    if (message.type === "pong") this.connect(true);
    else if (message.type === "ack") this.onAck(message);
    else if (message.type === "done") this.onDone(message);
    else this.onReplies(message.type === "reply" ? [message] : message.replies);
    this.refresh();
    this.listen();
  };

  private onAck({ id, name, accepted, why }: Ack): void {
    if (accepted || why === TAKEN) this.session.acked(id);
    else this.end(id, { ok: false, error: `${labelOf(name)} was refused: ${why}`, result: null });
  }

  /** The end of a command, also of another view's; what it led to comes with it. */
  private onDone({ id, name, ok, error, result, summary, replies }: Done): void {
    if (summary !== null) {
      this.onReplies(replies, summary);
      if (summary.seq > (this.state.summary?.seq ?? -1)) this.adopt(summary);
    }
    this.end(id, { ok, error: ok ? error : (error ?? `${labelOf(name)} failed.`), result });
  }

  private onReplies(replies: readonly Reply[], summary?: Summary): void {
    const taken = replies.map((reply) => this.cache.take(reply, this.outlook, summary));
    this.showPanes({ alerts: taken.reduce(paneAlerts, this.state.alerts) });
  }

  private end(id: string, outcome: Outcome): void {
    const ended = this.session.end(id, outcome);
    if (ended === undefined) return;
    this.cache.drop(ended.asked);
    this.showUnderway();
    if (!ended.quiet && outcome.error !== null) {
      this.update({ alerts: raised(this.state.alerts, "command", outcome.error) });
    }
  }

  // ---- what is owed ----

  /** Asks for what is looked at and out of date. */
  private refresh(): void {
    const where = this.outlook;
    if (where === null) return;
    const gets = this.cache.due(where);
    this.showPanes();
    if (gets.length > 0) this.transport.post({ type: "look", gets });
    this.listen();
  }

  private heard(): void {
    this.transport.heard();
    if (this.state.silent) this.update({ silent: false });
  }

  /** Says hello again once when something is owed and nothing is heard. */
  private listen(): void {
    const owed = this.cache.waits || this.session.owes;
    if (owed && this.state.connected && !this.session.recovering) this.transport.expect();
  }

  onLoss(): void {
    this.session.recover();
  }

  onSilence(): void {
    this.update({ silent: true });
  }

  onGone(): void {
    this.forget();
    this.session.abandon();
    this.update({ connected: false, silent: false, underway: this.session.underway });
  }

  /** Gives up on what may have been lost. */
  private forget(): void {
    this.cache.giveUp();
    this.cache.drop(this.session.giveUp());
    this.showUnderway();
  }

  // ---- state ----

  /** Where the panes are looked at; null while the kernel is not known to speak this protocol. */
  private get outlook(): Outlook | null {
    const { summary, settled, base, other, connected } = this.state;
    if (summary?.protocol !== PROTOCOL) return null;
    return { cursor: settled, base, other, summary, connected };
  }

  private showUnderway(): void {
    const { underway } = this.session;
    if (underway !== this.state.underway) this.update({ underway });
  }

  private showPanes(change: Partial<ClientState> = {}): void {
    const { panes, track } = this.cache;
    const next = { ...this.state, ...change, panes, track };
    const keys = Object.keys(next) as (keyof ClientState)[];
    if (keys.some((key) => next[key] !== this.state[key])) this.update(next);
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

/** The alerts after a summary: one that fits the page no more, and the kernel's own error. */
function alertsOf(alerts: readonly Alert[], last: Summary | null, next: Summary): readonly Alert[] {
  if (next.protocol !== (last?.protocol ?? PROTOCOL)) {
    return raised(alerts, "protocol", mismatch(next.protocol));
  }
  if (next.error === (last?.error ?? null)) return alerts;
  return next.error === null ? cleared(alerts, "kernel") : raised(alerts, "kernel", next.error);
}

function paneAlerts(alerts: readonly Alert[], taken: Taken | null): readonly Alert[] {
  if (taken === null) return alerts;
  if (taken.error !== null) return raised(alerts, taken.pane, taken.error);
  const wrong = alerts.some(({ source }) => source === taken.pane);
  return wrong ? cleared(alerts, taken.pane) : alerts;
}
