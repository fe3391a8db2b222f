/** The whole history in small numbers: what the timeline draws, a bucket a pixel, without asking anyone. */

import type { TimelinePane } from "./protocol";
import { plural } from "./text";

type Sparse = TimelinePane["errors"];

/** Frames 1 … to; index i of a dense column is frame i + 1. */
export interface Track extends Omit<TimelinePane, "since"> {}

export const EMPTY_TRACK: Track = {
  to: 0,
  writes: [],
  handlers: [],
  changes: [],
  ms: [],
  errors: [],
  hits: [],
  tasks: [],
  output: [],
  keys: [],
};

const DENSE = ["writes", "handlers", "changes", "ms"] as const;
const SPARSE = ["errors", "hits", "tasks", "output", "keys"] as const;

/** The track with the piece put in its place; frames after the piece are dropped. */
export function joined(track: Track, piece: TimelinePane): Track {
  // A piece that begins behind what is known leaves a hole: it is not used, and asked for anew.
  if (piece.since > track.to + 1) return track;
  const dense = DENSE.map((name) => [
    name,
    [...track[name].slice(0, piece.since - 1), ...piece[name]],
  ]);
  const sparse = SPARSE.map((name) => [
    name,
    [...track[name].filter(([frame]) => frame < piece.since), ...piece[name]],
  ]);
  return { to: piece.to, ...Object.fromEntries([...dense, ...sparse]) };
}

/** The first frame that may have changed since: the last that is known. */
export const joinFrom = (track: Track): number => Math.max(1, track.to);

const BARS = ["frames", "writes", "handlers"] as const;
const MARKS = ["errors", "hits", "bookmarks"] as const;
/** Drawn as a bar a frame, or as a mark. */
export type Bar = (typeof BARS)[number];
export type Mark = (typeof MARKS)[number];
export type Lane = Bar | Mark;

export type Buckets = Readonly<Record<Bar, Float32Array>>;

/** A frame is at most this wide: a short run must not look like a long one. */
const BAR_PX = 28;

/** The pixels that the frames take of the room. */
export const usedOf = (frames: number, room: number): number => Math.min(room, frames * BAR_PX);

const SPACE_PX = 8;
const DIGIT_PX = 7;

/** The frames whose numbers are printed: all, or every 2nd, 5th, 10th … of them, whatever there is room for. */
export function ticks(frames: number, used: number): number[] {
  if (frames === 0 || used === 0) return [];
  const apart = SPACE_PX + DIGIT_PX * String(frames).length;
  let step = 1;
  for (let at = 0; (step * used) / frames < apart; at += 1) step *= at % 3 === 1 ? 2.5 : 2;
  return Array.from({ length: Math.floor(frames / step) }, (_, at) => (at + 1) * step);
}

/** The frames with each kind of mark. */
export const marksOf = (
  { errors, hits }: Track,
  bookmarks: readonly number[],
): Readonly<Record<Mark, readonly number[]>> => ({
  errors: errors.map(([frame]) => frame),
  hits: hits.map(([frame]) => frame),
  bookmarks,
});

/** A row of the timeline below the numbers: the bars of one lane, or the marks, which share a row. */
export interface Row {
  readonly label: string;
  readonly lanes: readonly Lane[];
}

const isAny = (column: readonly number[]): boolean => column.some((count) => count > 0);

/** As many rows as there is room for; the marks share one. */
export const ROWS = 3;

/** The rows that hold something; where the branches need their room, writes and handlers share one. */
export function rowsOf(
  track: Track,
  bookmarks: readonly number[],
  branches: number,
): readonly Row[] {
  const bars = (["writes", "handlers"] as const).filter((lane) => isAny(track[lane]));
  const marked = marksOf(track, bookmarks);
  const marks = MARKS.filter((mark) => marked[mark].length > 0);
  const below = branches + Math.min(1, marks.length);
  const rows: Row[] =
    bars.length === 2 && bars.length + below > ROWS
      ? [{ label: "activity", lanes: bars }]
      : bars.map((lane) => ({ label: lane, lanes: [lane] }));
  const [mark] = marks;
  if (mark === undefined) return rows;
  return [...rows, { label: marks.length === 1 ? mark : "marks", lanes: marks }];
}

/** Marks nearer to each other than this are drawn as one. */
const APART_PX = 3;

/** The middles of the frames in pixels, each at its distance from the one before. */
export function middles(marked: readonly number[], frames: number, used: number): number[] {
  const found: number[] = [];
  for (const frame of [...marked].sort((one, other) => one - other)) {
    if (frame < 1 || frame > frames) continue;
    const middle = ((frame - 0.5) * used) / frames;
    if (middle - (found.at(-1) ?? Number.NEGATIVE_INFINITY) >= APART_PX) found.push(middle);
  }
  return found;
}

/** One value a pixel and lane, 0 to 1. Of several frames in one pixel the greatest counts. */
export function bucketed(track: Track, frames: number, width: number): Buckets {
  const buckets = {
    frames: new Float32Array(width),
    writes: new Float32Array(width),
    handlers: new Float32Array(width),
  };
  fill(buckets.frames, track.changes, frames, 0.25);
  fill(buckets.writes, track.writes, frames, 0);
  fill(buckets.handlers, track.handlers, frames, 0);
  return buckets;
}

/** Logarithmic, so that one write can be seen beside a thousand. */
const height = (count: number): number =>
  count <= 0 ? 0 : Math.min(1, 0.55 + Math.log10(count) / 6);

function fill(lane: Float32Array, column: readonly number[], frames: number, least: number): void {
  const width = lane.length;
  for (let x = 0; x < width; x += 1) {
    const first = Math.floor((x * frames) / width);
    const end = Math.max(first + 1, Math.floor(((x + 1) * frames) / width));
    let most = -1;
    for (let at = first; at < end && at < column.length; at += 1) {
      most = Math.max(most, column[at] ?? 0);
    }
    lane[x] = most < 0 ? 0 : Math.max(least, height(most));
  }
}

/** The pixels of a frame: from … to - 1. */
export function spanOf(frame: number, frames: number, width: number): { from: number; to: number } {
  const from = Math.floor(((frame - 1) * width) / Math.max(1, frames));
  return { from, to: Math.floor((frame * width) / Math.max(1, frames)) };
}

/** The frame under a pixel. */
export function frameAt(x: number, frames: number, width: number): number {
  const frame = Math.floor((x * frames) / Math.max(1, width)) + 1;
  return Math.min(Math.max(1, frame), Math.max(1, frames));
}

const countAt = (found: Sparse, frame: number): number =>
  found.find(([at]) => at === frame)?.[1] ?? 0;

/** "frame 42 of 310, 2 writes", as the slider says it. */
export function frameWords(
  track: Track,
  bookmarks: readonly number[],
  frame: number,
  frames: number,
): string {
  if (frames === 0) return "no frames yet";
  const writes = track.writes[frame - 1] ?? 0;
  const handlers = track.handlers[frame - 1] ?? 0;
  const errors = countAt(track.errors, frame);
  const hits = countAt(track.hits, frame);
  const words = [
    `frame ${frame} of ${frames}`,
    plural(writes, "write"),
    handlers > 0 && plural(handlers, "handler"),
    errors > 0 && plural(errors, "error"),
    hits > 0 && plural(hits, "breakpoint hit"),
    bookmarks.includes(frame) && "bookmarked",
  ];
  return words.filter(Boolean).join(", ");
}

const keysAt = (track: Track, frame: number): readonly string[] =>
  track.keys.find(([at]) => at === frame)?.[1] ?? [];

/** "frame 12: 2 writes, verdict changed": what a frame did, for a tooltip; what it did not do is left out. */
export function tipWords(track: Track, bookmarks: readonly number[], frame: number): string {
  if (track.to === 0) return "no frames yet";
  const at = frame - 1;
  const [writes, handlers, changes] = [track.writes, track.handlers, track.changes].map(
    (column) => column[at] ?? 0,
  ) as [number, number, number];
  const tasks = countAt(track.tasks, frame);
  const errors = countAt(track.errors, frame);
  const hits = countAt(track.hits, frame);
  const keys = keysAt(track, frame);
  const words = [
    writes > 0 && plural(writes, "write"),
    keys.length > 0 && `${keys.join(", ")} changed`,
    handlers > 0 && plural(handlers, "handler"),
    errors > 0 && plural(errors, "error"),
    hits > 0 && plural(hits, "breakpoint hit"),
    tasks > 0 && `${plural(tasks, "task")} began`,
    changes > 0 && `${plural(changes, "node")} changed`,
    bookmarks.includes(frame) && "bookmarked",
  ].filter(Boolean);
  return `frame ${frame}: ${words.length > 0 ? words.join(", ") : "changed nothing"}`;
}
