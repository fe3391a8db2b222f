/** The execution in the file: answers what the front end asks of a kernel elsewhere. */

import { PHASES } from "../model/cursor";
import type { Get, Pane, PlanRow, Summary, Value, WhyPane } from "../model/protocol";
import { answered, type FlatWhy } from "./answers";
import { type Encoded, type PackedTrack, Pool, Track } from "./codec";
import { type Searchable, searched } from "./search";

/** The block `smithers-panes`, as `player/panes.py` writes it. */
export interface Packed {
  readonly format: number;
  /** The first and the last frame; 0 where there is none. */
  readonly first: number;
  readonly last: number;
  /** The first frame of which every phase is there. */
  readonly phased: number;
  /** The first frame of which it is told why everything is as it is. */
  readonly explained: number;
  readonly summary: Summary;
  /** The panes that are the same at every cursor. */
  readonly fixed: Readonly<Record<string, unknown>>;
  readonly shapes: readonly (readonly string[])[];
  readonly pool: readonly Encoded[];
  /** By pane and subject. */
  readonly tracks: Readonly<Record<string, Readonly<Record<string, PackedTrack>>>>;
  /** Why the execution stands as it does. */
  readonly end: WhyPane;
  readonly texts: readonly { readonly text: string; readonly type: string }[];
  /** By key: the place of a change, and the answer for the one before it. */
  readonly changes: Readonly<Record<string, readonly (readonly [number, number, number])[]>>;
  readonly searchable: readonly Searchable[];
}

const REST = PHASES.indexOf("EFFECTS");
const LAST = PHASES.indexOf("FLUSH");
/** The most of a value that a kernel sends at once, and the limit of a request that names none. */
const PAGE = 262_144;
const DEFAULT_LIMIT = 500;

const IN_PYTHON =
  'In Python: h = Store("run.html").open("NAME"), then h.why(…), or h.why_not(…, app=App).';

/** What has no answer, in words. */
export class Missing extends Error {}

export class Recording {
  private readonly pool: Pool;
  private readonly tracks = new Map<string, Track>();

  constructor(private readonly packed: Packed) {
    this.pool = new Pool(packed.pool, packed.shapes);
  }

  get summary(): Summary {
    return this.packed.summary;
  }

  /** The frames that there are. */
  get first(): number {
    return this.packed.first;
  }

  get phased(): number {
    return this.packed.phased;
  }

  /** The data of a pane; an error that says why there is none. */
  answer(get: Get): unknown {
    const { pane } = get;
    if (pane in this.packed.fixed) return this.packed.fixed[pane];
    switch (pane) {
      case "value":
        return this.value(get);
      case "search":
        return searched(this.packed.searchable, get.of ?? "", this.nodesAt(get));
      case "last_change":
        return this.lastChange(get);
      case "why":
        return this.why(get);
      case "why_not":
      case "needs":
      case "ghosts":
        throw new Missing(`that takes the code, which is not in this file. ${IN_PYTHON}`);
      case "hit":
        return this.at(get, get.direction === "forward" ? "forward" : "back");
      default:
        return this.at(get, get.of ?? "");
    }
  }

  private optional(get: Get, of: string): unknown {
    const [frame, place] = this.placeOf(get);
    return this.track(get.pane, of)?.at(place, frame) ?? null;
  }

  private at(get: Get, of: string): unknown {
    const [frame] = this.placeOf(get);
    const found = this.optional(get, of);
    if (found === null)
      throw new Missing(`there is no ${get.pane}${of === "" ? "" : ` ${of}`} in frame ${frame}.`);
    return found;
  }

  /** Frames are asked about at their rest: the answers of their phases are the same. */
  private why(get: Get): WhyPane {
    const { last, end } = this.packed;
    if (get.at == null && get.of == null) return end;
    const rest = get.at != null && get.at !== last ? { ...get, phase: null } : get;
    const [frame] = this.placeOf(rest);
    const found = this.optional(rest, get.of ?? "");
    if (found === null) {
      const { explained } = this.packed;
      const some = explained > this.first ? ` It has those of frames ${explained} to ${last}.` : "";
      const what = get.of ?? "the frame";
      throw new Missing(
        `this file has no answer about ${what} in frame ${frame}.${some} ${IN_PYTHON}`,
      );
    }
    return answered(found as FlatWhy, frame);
  }

  /** The frame, and the place of the cursor: seven to a frame. */
  private placeOf({ at, phase }: Pick<Get, "at" | "phase">): readonly [number, number] {
    const { last, phased } = this.packed;
    if (at === null || at === undefined) return [last, last * PHASES.length + LAST];
    const whole = at >= phased || at === last;
    const index = phase === null || phase === undefined || !whole ? REST : PHASES.indexOf(phase);
    return [at, at * PHASES.length + index];
  }

  private track(pane: Pane, of: string): Track | undefined {
    const name = `${pane} ${of}`;
    const known = this.tracks.get(name);
    if (known !== undefined) return known;
    const tracks = this.packed.tracks[pane];
    // The names are a model's, too: `constructor` is none of an object's own.
    const packed = tracks !== undefined && Object.hasOwn(tracks, of) ? tracks[of] : undefined;
    if (packed === undefined) return undefined;
    const track = new Track(packed, this.pool);
    this.tracks.set(name, track);
    return track;
  }

  private nodesAt(get: Get): ReadonlySet<string> {
    const plan = this.at({ ...get, pane: "plan" }, "") as { readonly nodes: readonly PlanRow[] };
    return new Set(plan.nodes.filter(({ change }) => change !== "removed").map(({ id }) => id));
  }

  /** A page of a whole text; its name is its place. Characters are counted as Python does, not in halves of pairs. */
  private value({ of, since = 1, limit = DEFAULT_LIMIT }: Get): Value {
    const found = this.packed.texts[Number(of)];
    if (found === undefined) throw new Missing("this value is not in the file.");
    const size = Math.min(limit === DEFAULT_LIMIT ? PAGE : limit, PAGE);
    const { page, chars } = paged(found.text, since - 1, size);
    const cut = since - 1 + size < chars;
    return { text: page, chars, cut, type: found.type, ref: cut ? (of ?? null) : null };
  }

  /** The write that changed a key last before the cursor, or before the one that was found before. */
  private lastChange(get: Get): unknown {
    const { of, before } = get;
    const changes = this.packed.changes;
    if (before === null || before === undefined) return this.at(get, of ?? "");
    const known = of != null && Object.hasOwn(changes, of) ? (changes[of] ?? []) : [];
    const found = known.find(([frame, seq]) => frame === before[0] && seq === before[1]);
    if (found === undefined)
      throw new Missing(`the change of ${of} before this one is not in the file.`);
    return this.pool.at(found[2]);
  }
}

/** A page of a text, counted in characters and not in UTF-16 units. */
function paged(text: string, start: number, size: number): { page: string; chars: number } {
  if (!/[\ud800-\udbff][\udc00-\udfff]/.test(text)) {
    return { page: text.slice(start, start + size), chars: text.length };
  }
  const all = [...text];
  return { page: all.slice(start, start + size).join(""), chars: all.length };
}
