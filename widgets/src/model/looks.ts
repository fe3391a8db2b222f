/** How a status, a change or a phase looks: a glyph, a word and a tone, never a colour alone. */

import type {
  Change,
  ExecutionStatus,
  PhaseChip,
  PlanRow,
  ProblemRow,
  SentenceKind,
  Summary,
} from "./protocol";
import { milliseconds } from "./text";

export type Tone = "good" | "live" | "warn" | "bad" | "idle";

export interface Look {
  readonly glyph: string;
  readonly word: string;
  readonly tone: Tone;
}

const look = (glyph: string, word: string, tone: Tone): Look => ({ glyph, word, tone });

const EXECUTION: Readonly<Record<ExecutionStatus, Look>> = {
  ready: look("○", "ready", "idle"),
  running: look("▶", "running", "live"),
  paused: look("‖", "paused", "warn"),
  waiting: look("◔", "waiting", "live"),
  finished: look("✓", "finished", "good"),
  failed: look("✗", "failed", "bad"),
  stopped: look("■", "stopped", "warn"),
  stalled: look("∞", "stalled", "warn"),
  terminated: look("■", "terminated", "bad"),
};

const NODE = new Map<string, Look>([
  ["pending", look("○", "pending", "idle")],
  ["running", look("▶", "running", "live")],
  ["active", look("▶", "active", "live")],
  ["blocked", look("‖", "blocked", "warn")],
  ["succeeded", look("✓", "succeeded", "good")],
  ["settled", look("✓", "settled", "good")],
  ["finished", look("✓", "finished", "good")],
  ["failed", look("✗", "failed", "bad")],
  ["cancelled", look("⊘", "cancelled", "warn")],
  ["abandoned", look("⊘", "abandoned", "bad")],
]);

const WRITE = new Map<string, Look>([
  ["queued", look("○", "queued", "live")],
  ["applied", look("✓", "applied", "good")],
  ["noop", look("≡", "no-op", "idle")],
  ["overridden", look("⊘", "overridden", "warn")],
  ["rolled_back", look("↶", "rolled back", "bad")],
  ["edited", look("✎", "edited by you", "warn")],
  ["dropped", look("✗", "dropped", "warn")],
  ["stale", look("⊘", "stale", "warn")],
]);

const CALL = new Map<string, Look>([
  ["ok", look("✓", "ok", "good")],
  ["raised", look("✗", "raised: writes rolled back", "bad")],
  ["stale", look("⊘", "stale: suppressed", "warn")],
]);

const unknown = (word: string): Look => look("•", word, "idle");

const SENTENCE: Readonly<Record<Exclude<SentenceKind, "rest"> | "recorded", Look>> = {
  hit: look("●", "stopped", "warn"),
  error: look("✗", "error", "bad"),
  waiting: look("◔", "waiting", "warn"),
  over: look("✓", "over", "good"),
  recorded: look("◷", "recorded", "idle"),
};

/** How the sentence looks: by what it tells of. */
export const sentenceLook = (kind: Exclude<SentenceKind, "rest"> | "recorded"): Look =>
  SENTENCE[kind];

/** A status as people read it, as `Summary.standing` words it. */
export const standingLook = ({ status, standing }: Summary): Look =>
  standing === "at rest"
    ? look("□", standing, "live")
    : { ...executionLook(status), word: standing };

export const executionLook = (status: ExecutionStatus): Look =>
  EXECUTION[status] ?? unknown(status);
/** A node as it stands: one whose handler raised has failed, whatever its task did. */
export const nodeStatusLook = ({ status, raised }: Pick<PlanRow, "status" | "raised">): Look =>
  raised
    ? look("✗", `${nodeLook(status ?? "").word}, handler raised`, "bad")
    : nodeLook(status ?? "");
export const nodeLook = (status: string): Look => NODE.get(status) ?? unknown(status);
export const writeLook = (status: string): Look => WRITE.get(status) ?? unknown(status);
export const callLook = (status: string): Look => CALL.get(status) ?? unknown(status);

/** Whether it is worth a look, and perhaps meant so. */
export const isHint = ({ severity }: ProblemRow): boolean => severity === "hint";

export const problemLook = (problem: ProblemRow): Look =>
  isHint(problem) ? look("△", problem.kind, "warn") : look("✗", problem.kind, "bad");

export const CHANGE_MARKS: Readonly<Record<Exclude<Change, "">, string>> = {
  added: "+",
  removed: "−",
  changed: "~",
  moved: "↕",
  remounted: "⟳",
};

/** Of a node whose status is another than in the frame that is compared with. */
export const STATUS_MARK = "●";

const TYPE_GLYPHS = new Map<string, string>([
  ["phase", "▣"],
  ["step", "▢"],
  ["claude", "✦"],
  ["agent", "✦"],
  ["smithers", "✦"],
  ["task", "◆"],
  ["approval", "◆"],
  ["if", "◇"],
  ["while", "↻"],
  ["ralph", "↻"],
  ["each", "≡"],
  ["effect", "ϟ"],
  ["text", "¶"],
  ["stop", "■"],
  ["end", "■"],
]);

export const typeGlyph = (type: string): string => TYPE_GLYPHS.get(type) ?? "•";

/** A phase slower than this is pointed out. */
export const SLOW_MS = 50;

export interface PhaseLook {
  readonly glyph: string;
  readonly ms: string;
  readonly slow: boolean;
  readonly title: string;
}

const PHASE_GLYPHS = { done: "✓", current: "▶", todo: "○" } as const;
const PHASE_WORDS = { done: "done", current: "current", todo: "to come" } as const;

export function phaseLook(chip: PhaseChip): PhaseLook {
  const slow = chip.ms !== null && chip.ms > SLOW_MS;
  const ms = chip.ms === null ? "" : milliseconds(chip.ms);
  const words = [PHASE_WORDS[chip.state], ms, slow ? `slow: over ${SLOW_MS} ms` : ""];
  return {
    glyph: PHASE_GLYPHS[chip.state],
    ms,
    slow,
    title: `${chip.name}: ${words.filter(Boolean).join(", ")}`,
  };
}
