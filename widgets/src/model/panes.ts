/** What is known of each pane: which question its data answers, and whether that is still the question. */

import type { Cursor } from "./cursor";
import type { Watched } from "./layout";
import { completed, type WholePlan } from "./plan";
import {
  APART,
  type Pane,
  type PaneData,
  type PlanRow,
  type Summary,
  VERSIONED,
  type Versions,
  type Want,
} from "./protocol";

/** What a pane holds: its reply, the plan with all its rows. */
export type Held = Omit<PaneData, "plan"> & { readonly plan: WholePlan };

export interface Slot<Data> {
  readonly data: Data | null;
  /** The question that the data answers. */
  readonly question: string;
  readonly version: string;
  /** A fresher answer is on its way, or will be asked for. */
  readonly loading: boolean;
}

export type Slots = { readonly [P in Pane]?: Slot<Held[P]> };

/** What decides which data a pane should show. */
export interface View {
  readonly cursor: Cursor;
  /** The frame that is compared with; null: the one before. */
  readonly base: number | null;
  /** The execution that is compared with in place of a frame; null: none. */
  readonly other: string | null;
  readonly limit: number;
}

const BASED: readonly Pane[] = ["plan", "xml", "node"];

/** In the place of another execution: the edited code. No name begins with a blank. */
export const EDITED = " edited";

const beside = (other: string) => (other === EDITED ? { edited: true } : { other });

/** The request for a pane, but for what the kernel may leave out because it is held. */
export function wantOf({ pane, of, place }: Watched, view: View): Want {
  const { base, other, limit } = view;
  const cursor = place ?? view.cursor;
  // These are the same wherever one looks.
  if (pane === "branches" || pane === "edited" || pane === "gantt") return { pane, at: null };
  return {
    pane,
    at: cursor.at,
    phase: cursor.phase,
    ...(BASED.includes(pane) && { base }),
    ...(BASED.includes(pane) && other !== null && beside(other)),
    ...(pane === "compare" && other !== null && other !== EDITED && { other }),
    ...(of !== null && { of }),
    ...(pane === "plan" && { limit }),
  };
}

export const questionOf = (want: Want): string => JSON.stringify(want);

/** Panes of recorded frames that show something that may change later. */
const MARKED: readonly Pane[] = ["plan", "node", "breakpoints", "frame", "compare", ...APART];
/** Of these not the breakpoints, but the frames: a comparison, and what has not happened, is of all of them. */
const BY_FRAME: readonly Pane[] = ["frame", "compare", ...APART];

/** A name for the state of things that a pane shows: asked again when it is another. */
export function versionOf(want: Want, summary: Summary): string {
  const { versions } = summary;
  if (want.pane === "edited") return `edited ${summary.edited}`;
  const at = want.at ?? null;
  if (want.edited === true) return `edited ${summary.edited} ${liveVersion(want.pane, versions)}`;
  if (at === null || at >= summary.frame) return liveVersion(want.pane, versions);
  if (!MARKED.includes(want.pane)) return "recorded";
  return `recorded ${BY_FRAME.includes(want.pane) ? versions.frame : versions.breakpoints}`;
}

function liveVersion(pane: Pane, versions: Versions): string {
  const own = (VERSIONED as readonly Pane[]).includes(pane);
  if (own) return String(versions[pane as keyof Versions]);
  const { plan, state, tasks, breakpoints, handlers, timeline, pending, frame } = versions;
  if (pane === "gantt") return `${tasks}.${timeline}`;
  const most = [plan, state, tasks, breakpoints, handlers];
  // A question may be about anything.
  return ((APART as readonly Pane[]).includes(pane) ? [...most, pending, frame] : most).join(".");
}

/** The version of a live pane that is held, as the kernel counts them; -1 where it holds something else. */
export function seenVersion(
  slot: Slot<unknown> | undefined,
  { want, question }: { readonly want: Want; readonly question: string },
): number {
  const counted = (VERSIONED as readonly Pane[]).includes(want.pane);
  return counted && slot?.question === question && slot.version !== "" ? Number(slot.version) : -1;
}

/** A reply's data as it is held; null when it can't be put together. */
export function heldOf<P extends Pane>(
  pane: P,
  data: PaneData[P],
  rows: readonly PlanRow[],
): Held[P] | null {
  if (pane !== "plan") return data as Held[P];
  return completed(data as PaneData["plan"], rows) as Held[P] | null;
}
