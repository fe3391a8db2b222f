/** Where one looks: LIVE, or at a recorded frame. Moving it never executes anything. */

import type { HitRow, PhaseName, Summary } from "./protocol";

export const PHASES = [
  "SNAPSHOT",
  "RENDER",
  "RECONCILE",
  "COMMIT",
  "EXECUTE",
  "EFFECTS",
  "FLUSH",
] as const satisfies PhaseName[];

const REST = PHASES.indexOf("EFFECTS");

export interface Cursor {
  /** The frame; null: live. */
  readonly at: number | null;
  /** After which phase; null: at the frame's rest. */
  readonly phase: PhaseName | null;
}

export const LIVE: Cursor = { at: null, phase: null };

/** The place of a breakpoint's hit. */
export const placeOfHit = ({ frame, phase }: HitRow): Cursor => ({
  at: frame,
  phase: phase === "EFFECTS" ? null : (phase as PhaseName),
});

/** How far the execution is. */
export interface Edge {
  readonly frame: number;
  readonly phase: string | null;
  /** The newest frame in the file. */
  readonly recorded: number;
  /** Whether no engine runs the execution: at its edge nothing executes either. */
  readonly readOnly?: boolean;
  /** The oldest frame that is there. */
  readonly first?: number;
  /** The oldest frame of which every phase is there. */
  readonly phased?: number;
}

/** How far an execution is by its summary. */
export const edgeOf = (summary: Summary | null): Edge => ({
  frame: summary?.frame ?? 0,
  phase: summary?.phase ?? null,
  recorded: summary?.recorded ?? 0,
  readOnly: summary?.read_only != null,
});

export interface Motion {
  readonly cursor: Cursor;
  /** What there is to say about it. */
  readonly note: string | null;
}

export const AT_EDGE = "You are at the live edge: nothing was executed. Next: step executes.";
const AT_END = "This is the last frame of a recorded execution: nothing executes.";
const atEdge = ({ readOnly }: Edge): Motion => ({
  cursor: LIVE,
  note: readOnly ? AT_END : AT_EDGE,
});
const AT_START = "This is the first frame: there is nothing before it.";

export type Walk =
  | "back"
  | "forward"
  | "first"
  | "live"
  | "back_phase"
  | "forward_phase"
  | "back_frame"
  | "forward_frame";

const indexOf = (phase: string | null): number =>
  phase === null ? REST : (PHASES as readonly string[]).indexOf(phase);

/** A place in the records as one number: seven to a frame. */
const placeOf = (frame: number, phase: string | null): number => frame * 7 + indexOf(phase);

const cursorAt = (place: number): Cursor => {
  const index = place % 7;
  return { at: Math.floor(place / 7), phase: index === REST ? null : (PHASES[index] ?? null) };
};

/** The frame that is seen. */
export const seenFrame = (cursor: Cursor, edge: Edge): number => cursor.at ?? edge.frame;

/** The cursor on a frame; the newest frame is seen live. */
export function goTo(frame: number, edge: Edge): Motion {
  if (frame >= edge.frame || frame > edge.recorded) return { cursor: LIVE, note: null };
  return { cursor: { at: Math.max(edge.first ?? 1, frame), phase: null }, note: null };
}

export function walked(cursor: Cursor, walk: Walk, edge: Edge): Motion {
  const frame = seenFrame(cursor, edge);
  const first = edge.first ?? 1;
  switch (walk) {
    case "first":
      return goTo(first, edge);
    case "live":
      return { cursor: LIVE, note: null };
    case "back":
    case "back_frame":
      if (frame <= first) return { cursor, note: AT_START };
      return goTo(Math.min(frame - 1, edge.recorded), edge);
    case "forward":
    case "forward_frame":
      return ahead(cursor, placeOf(frame + 1, null), edge);
    case "forward_phase":
      if (frame < (edge.phased ?? 1)) return ahead(cursor, placeOf(frame + 1, null), edge);
      return ahead(cursor, placeOf(frame, cursor.phase) + 1, edge);
    case "back_phase":
      return phaseBack(cursor, edge);
  }
}

function ahead({ at }: Cursor, place: number, edge: Edge): Motion {
  const next = cursorAt(place);
  if (at === null || next.at === null) return atEdge(edge);
  const reached = next.at > edge.recorded || place >= placeOf(edge.frame, edge.phase);
  const whole = next.phase === null && next.at >= edge.frame;
  return reached || whole ? atEdge(edge) : { cursor: next, note: null };
}

function phaseBack(cursor: Cursor, edge: Edge): Motion {
  const from =
    cursor.at === null ? placeOf(edge.frame, edge.phase) : placeOf(cursor.at, cursor.phase);
  const last = placeOf(edge.recorded, "FLUSH");
  if (cursor.at !== null && cursor.at < (edge.phased ?? 1)) return walked(cursor, "back", edge);
  const place = Math.min(from - 1, last);
  if (place < placeOf(edge.first ?? 1, "SNAPSHOT")) return { cursor, note: AT_START };
  return { cursor: atRest(cursorAt(place), edge), note: null };
}

/** The cursor, at the frame's rest where its phases are not there. */
export function atRest(cursor: Cursor, { phased = 1 }: Edge): Cursor {
  return cursor.at !== null && cursor.at < phased ? { at: cursor.at, phase: null } : cursor;
}

/** How many frames came since the live edge was left. */
export const newFrames = (cursor: Cursor, left: number, edge: Edge): number =>
  cursor.at === null ? 0 : Math.max(0, edge.frame - left);

/** Frames as a person names them: "42", "f42", "-1" for the one before. */
export function frameNamed(text: string, edge: Edge, cursor: Cursor): number | null {
  const named = /^\s*f?\s*([+-]?)(\d+)\s*$/i.exec(text);
  if (named === null) return /^\s*live\s*$/i.test(text) ? edge.frame : null;
  const count = Number(named[2]);
  if (named[1] === "-") return Math.max(1, seenFrame(cursor, edge) - count);
  if (named[1] === "+") return seenFrame(cursor, edge) + count;
  return count >= 1 && count <= edge.frame ? count : null;
}

/** What is said of a recorded place before the kernel has said more. */
export function placeWords({ at, phase }: Cursor, edge: Edge): string {
  const after = phase === null ? "at rest" : `after ${phase}`;
  return `You are at frame ${at} of ${edge.frame}, ${after} (recorded). Nothing executes here.`;
}
