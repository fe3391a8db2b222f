/** The panes by cursor and version: asked for when they are out of date, and the recorded ones kept. */

import { Cache } from "./cache";
import type { Cursor } from "./cursor";
import type { Watched } from "./layout";
import {
  heldOf,
  questionOf,
  type Slot,
  type Slots,
  seenVersion,
  type View,
  versionOf,
  wantOf,
} from "./panes";
import {
  APART,
  FIRST_NODES,
  type Get,
  type Pane,
  type PaneData,
  type Reply,
  type Summary,
  type Want,
} from "./protocol";
import { type Request, Requests } from "./requests";
import { EMPTY_TRACK, joined, joinFrom, type Track } from "./timeline";

/** Where the panes are looked at, and what is known there. */
export interface Outlook {
  /** The cursor, once it has settled. */
  readonly cursor: Cursor;
  /** The frame that is compared with; null: the one before. */
  readonly base: number | null;
  /** The execution that is compared with; null: none. */
  readonly other: string | null;
  readonly summary: Summary;
  readonly connected: boolean;
}

/** An answer that was taken: a pane has what is asked of it, or this error. */
export interface Taken {
  readonly pane: Pane;
  readonly error: string | null;
}

/** Always looked at: its branches are marks on the timeline. */
const FAMILY: Watched = { pane: "branches", of: null };

export class PaneCache {
  panes: Slots = {};
  track: Track = EMPTY_TRACK;
  private readonly requests = new Requests();
  private readonly recorded = new Cache();
  private watched: readonly Watched[] = [];
  private limit = FIRST_NODES;
  private trackVersion = -1;

  constructor(private readonly nextId: () => string) {}

  /** Says which panes are looked at: only these are asked for. */
  watch(watched: readonly Watched[]): void {
    this.watched = watched;
  }

  moreNodes(): void {
    this.limit += 4 * FIRST_NODES;
  }

  /** Whether the pane shows what the cursor is on. */
  fits(watched: Watched, where: Pick<Outlook, "cursor" | "base" | "other">): boolean {
    return this.panes[watched.pane]?.question === questionOf(this.wanted(watched, where));
  }

  /** Whether an answer is on its way. */
  get waits(): boolean {
    return !this.requests.none;
  }

  // ---- asking ----

  /** The requests for what is looked at and out of date: at most one in flight for a pane. */
  due(where: Outlook): readonly Get[] {
    const gets = this.watched.flatMap((watched) => this.renew(watched, where) ?? []);
    // The timeline and its marks can wait: what one looks at comes first.
    if (this.requests.none) gets.push(...this.renewTrack(where), ...this.renewFamily(where));
    return gets;
  }

  /** The requests for all that is looked at live, to be sent with a move and answered with its end. */
  ahead(where: Outlook): readonly Get[] {
    if (where.cursor.at !== null) return [];
    // What takes long by itself is asked after the move, and does not hold up its end.
    const live = this.watched.filter(({ pane }) => pane !== "frame" && !isApart(pane));
    const wants = [...live.map((one) => this.wanted(one, where)), this.trackWanted];
    return wants.map((want) => {
      const { request, get } = this.prepared(want, versionOf(want, where.summary));
      this.requests.put(get.id, request);
      const seen =
        want.pane === "timeline" ? this.trackVersion : seenVersion(this.panes[want.pane], request);
      return { ...get, ...(seen >= 0 && { seen }) };
    });
  }

  /** A request for one caller, which no pane shows; the promise rejects with the kernel's reason. */
  ask<P extends Pane>(want: Want & { readonly pane: P }): readonly [Get, Promise<PaneData[P]>] {
    const id = this.nextId();
    const answer = new Promise<PaneData[P]>((resolve, reject) => {
      const settle = ({ data, error }: Reply) =>
        data === null
          ? reject(new Error(error ?? "There is nothing."))
          : resolve(data as PaneData[P]);
      this.requests.put(id, { want, question: "", version: "", rows: [], settle });
    });
    return [{ type: "get", id, ...want }, answer];
  }

  /** The request for a pane; null where what it shows is the newest, or is on its way. */
  private renew(watched: Watched, where: Outlook): Get | null {
    const { pane } = watched;
    // Of the live frame the summary says it all.
    if (pane === "frame" && where.cursor.at === null) return null;
    const want = this.wanted(watched, where);
    const question = questionOf(want);
    const version = versionOf(want, where.summary);
    const slot = this.panes[pane] as Slot<unknown> | undefined;
    if (slot?.question === question && slot.version === version) {
      if (slot.loading && !this.requests.flies(pane)) this.put(pane, { ...slot, loading: false });
      return null;
    }
    // Without a kernel an older version is better than none.
    const kept = this.recorded.find(question, where.connected ? version : null);
    if (kept !== undefined) {
      this.put(pane, { data: kept.data, question, version: kept.version, loading: false });
      return null;
    }
    if (!where.connected || this.requests.flies(pane)) return null;
    // While it runs, an answer that takes long would be asked for again and again.
    if (isApart(pane) && slot?.question === question && where.summary.busy !== null) return null;
    const { data, question: held, version: of } = slot ?? { data: null, question: "", version: "" };
    this.put(pane, { data, question: held, version: of, loading: true });
    return this.flown(want, version);
  }

  private renewTrack({ summary, connected }: Outlook): readonly Get[] {
    if (!connected || this.requests.flies("timeline")) return [];
    const want = this.trackWanted;
    const version = versionOf(want, summary);
    return String(this.trackVersion) === version ? [] : [this.flown(want, version)];
  }

  private renewFamily(where: Outlook): readonly Get[] {
    const get = where.connected ? this.renew(FAMILY, where) : null;
    return get === null ? [] : [get];
  }

  private get trackWanted(): Want {
    return { pane: "timeline", since: joinFrom(this.track) };
  }

  private wanted(watched: Watched, { cursor, base, other }: Omit<View, "limit">): Want {
    return wantOf(watched, { cursor, base, other, limit: this.limit });
  }

  private flown(want: Want, version: string): Get {
    const { request, get } = this.prepared(want, version);
    this.requests.fly(get.id, request);
    return get;
  }

  private prepared(want: Want, version: string): { request: Request; get: Get } {
    const held = want.pane === "plan" ? this.panes.plan?.data : null;
    const rows = held?.nodes ?? [];
    return {
      request: { want, question: questionOf(want), version, rows },
      get: { type: "get", id: this.nextId(), ...want, ...(held && { known: held.version }) },
    };
  }

  // ---- answers ----

  /**
   * Takes a reply of its own, or one that came with `summary`, which says of which version it is; null where no pane
   * shows it.
   */
  take(reply: Reply, where: Outlook | null, summary?: Summary): Taken | null {
    const request = this.requests.close(reply.id);
    if (request === undefined) return null;
    if (request.settle) {
      request.settle(reply);
      return null;
    }
    const version = summary ? versionOf(request.want, summary) : request.version;
    if (reply.pane !== "timeline") return this.takePane(reply, { ...request, version }, where);
    if (reply.data !== null) {
      this.trackVersion = Number(version);
      this.track = joined(this.track, reply.data);
    }
    return null;
  }

  /** Puts a reply into its pane, unless another question was asked since; recorded ones are kept. */
  private takePane(reply: Reply, request: Request, where: Outlook | null): Taken | null {
    const { question, version, rows, want } = request;
    const { pane } = reply;
    const loading = this.requests.flies(pane);
    const last = this.panes[pane];
    if (reply.error !== null || reply.data === null) {
      this.put(pane, { data: last?.data ?? null, question, version, loading });
      return { pane, error: reply.error ?? "There is nothing." };
    }
    const data = heldOf(pane, reply.data as never, rows);
    if (data === null) {
      // It names rows that are gone: asked again without.
      this.put(pane, { data: null, question: "", version: "", loading });
      return null;
    }
    if (want.at !== null) this.recorded.put(question, version, data);
    const newer =
      last === undefined || last.question !== question || fresher(version, last.version);
    if (!newer || question !== this.questionNow(pane, where)) return null;
    this.put(pane, { data, question, version, loading });
    return { pane, error: null };
  }

  private questionNow(pane: Pane, where: Outlook | null): string | null {
    const watched = [...this.watched, FAMILY].find((one) => one.pane === pane);
    if (watched === undefined || where === null) return null;
    return questionOf(this.wanted(watched, where));
  }

  // ---- losses ----

  /** Gives up on the answers that panes wait for. */
  giveUp(): void {
    this.requests.giveUp();
  }

  /** Gives up on requests that were sent with a command. */
  drop(ids: readonly string[]): void {
    this.requests.drop(ids);
  }

  /** Takes nothing that is held for the newest; after a restart of the kernel, nothing for right. */
  distrust(restarted: boolean): void {
    this.trackVersion = -1;
    const stale = Object.entries(this.panes).map(([pane, slot]) => [
      pane,
      { ...slot, version: "" },
    ]);
    this.panes = Object.fromEntries(stale) as Slots;
    if (!restarted) return;
    this.recorded.clear();
    this.track = EMPTY_TRACK;
  }

  /** Takes the pane that is held for old: it is asked again. */
  renewed(pane: Pane): void {
    const slot = this.panes[pane];
    if (slot !== undefined) this.put(pane, { ...slot, version: "" });
  }

  /** Forgets all of an execution: the page shows another one. What single callers asked is still answered. */
  clear(): void {
    this.requests.clear();
    this.distrust(true);
    // The family stays the same: its button must not go away under the focus.
    const { branches } = this.panes;
    this.panes = branches === undefined ? {} : { branches };
    this.limit = FIRST_NODES;
  }

  private put(pane: Pane, slot: Slot<unknown>): void {
    this.panes = { ...this.panes, [pane]: slot } as Slots;
  }
}

const isApart = (pane: Pane): boolean => (APART as readonly Pane[]).includes(pane);

/** Versions of one question are numbers that grow, but for those of recorded frames. */
function fresher(version: string, last: string): boolean {
  const [next, before] = [Number(version), Number(last)];
  return Number.isNaN(next) || Number.isNaN(before) || next >= before;
}
