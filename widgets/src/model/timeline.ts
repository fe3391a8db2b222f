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

export const LANES = ["frames", "writes", "handlers", "errors", "hits", "bookmarks"] as const;
export type Lane = (typeof LANES)[number];

export type Buckets = Readonly<Record<Lane, Float32Array>>;

/** One value a pixel and lane, 0 to 1. Of several frames in one pixel the greatest counts. */
export function bucketed(
  track: Track,
  bookmarks: readonly number[],
  frames: number,
  width: number,
): Buckets {
  const lane = () => new Float32Array(width);
  const buckets = {
    frames: lane(),
    writes: lane(),
    handlers: lane(),
    errors: lane(),
    hits: lane(),
    bookmarks: lane(),
  };
  fill(buckets.frames, track.changes, frames, 0.25);
  fill(buckets.writes, track.writes, frames, 0);
  fill(buckets.handlers, track.handlers, frames, 0);
  mark(buckets.errors, track.errors, frames);
  mark(buckets.hits, track.hits, frames);
  mark(
    buckets.bookmarks,
    bookmarks.map((frame) => [frame, 1] as const),
    frames,
  );
  return buckets;
}

/** Logarithmic, so that one write can be seen beside a thousand. */
const height = (count: number): number =>
  count <= 0 ? 0 : Math.min(1, 0.4 + Math.log10(count) / 4);

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

function mark(lane: Float32Array, found: Sparse, frames: number): void {
  for (const [frame, count] of found) {
    if (count <= 0 || frame < 1 || frame > frames) continue;
    const { from, to } = spanOf(frame, frames, lane.length);
    lane.fill(1, from, Math.max(from + 1, to));
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

/** The keys that were written in a frame, where they are known. */
export const keysAt = (track: Track, frame: number): readonly string[] =>
  track.keys.find(([at]) => at === frame)?.[1] ?? [];
