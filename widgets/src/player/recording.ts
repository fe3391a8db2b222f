/** The execution in the file: answers what the front end asks of a kernel elsewhere. */

import { PHASES } from "../model/cursor";
import type { Get, Pane, PlanRow, Summary, Value, WhyPane } from "../model/protocol";
import { Answers, type PackedFacts, type PlacedWhy } from "./answers";
import { type PackedPool, type PackedTracks, Pool, Tracks } from "./codec";
import { type Searchable, searched } from "./search";

/** The block `smithers-panes`, as `player/panes.py` writes it. */
export interface Packed extends PackedPool {
  readonly format: number;
  /** The first and the last frame; 0 where there is none. */
  readonly first: number;
  readonly last: number;
  /** The first frame of which every phase is there. */
  readonly phased: number;
  readonly summary: Summary;
  /** The panes that are the same at every cursor. */
  readonly fixed: Readonly<Record<string, unknown>>;
  /** By pane. */
  readonly tracks: Readonly<Record<string, PackedTracks>>;
  /** What answers are made of. */
  readonly facts: PackedFacts;
  /** Why the execution stands as it does. */
  readonly end: PlacedWhy;
  readonly texts: readonly { readonly text: string; readonly type: string }[];
  /** The places of `Changes` and `Searchable` rows in the pool. */
  readonly changes: number;
  readonly searchable: number;
}

/** By key: frame and number of a change, and the answer for the one before it. */
type Changes = readonly (readonly [string, readonly (readonly [number, number, unknown])[]])[];

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
  private readonly tracks = new Map<string, Tracks>();
  private readonly answers: Answers;

  constructor(private readonly packed: Packed) {
    this.pool = new Pool(packed);
    this.answers = new Answers(packed.facts, this.pool);
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
        return searched(
          this.pool.at(this.packed.searchable) as readonly Searchable[],
          get.of ?? "",
          this.nodesAt(get),
        );
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
    return this.tracksOf(get.pane)?.at(of, place, frame) ?? null;
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
    if (get.at == null && get.of == null) return this.answers.told(end, null, last);
    const rest = get.at != null && get.at !== last ? { ...get, phase: null } : get;
    const [frame] = this.placeOf(rest);
    const found = this.optional(rest, get.of ?? "");
    if (found === null) {
      const what = get.of ?? "the frame";
      throw new Missing(`this file has no answer about ${what} in frame ${frame}. ${IN_PYTHON}`);
    }
    return this.answers.told(found as PlacedWhy, get.of ?? null, frame);
  }

  /** The frame, and the place of the cursor: seven to a frame. */
  private placeOf({ at, phase }: Pick<Get, "at" | "phase">): readonly [number, number] {
    const { last, phased } = this.packed;
    if (at === null || at === undefined) return [last, last * PHASES.length + LAST];
    const whole = at >= phased || at === last;
    const index = phase === null || phase === undefined || !whole ? REST : PHASES.indexOf(phase);
    return [at, at * PHASES.length + index];
  }

  private tracksOf(pane: Pane): Tracks | undefined {
    const packed = this.packed.tracks[pane];
    let known = this.tracks.get(pane);
    if (known === undefined && packed !== undefined) {
      known = new Tracks(packed, this.pool);
      this.tracks.set(pane, known);
    }
    return known;
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
    if (before === null || before === undefined) return this.at(get, of ?? "");
    const changes = this.pool.at(this.packed.changes) as Changes;
    const known = changes.find(([key]) => key === of)?.[1] ?? [];
    const found = known.find(([frame, seq]) => frame === before[0] && seq === before[1]);
    if (found === undefined)
      throw new Missing(`the change of ${of} before this one is not in the file.`);
    return found[2];
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
