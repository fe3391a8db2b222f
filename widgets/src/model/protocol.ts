/**
 * What the stepper's front end and the kernel say to each other: `smithers_nb/history/panes/protocol.py`
 * in TypeScript. `tests/golden/protocol.json`, written by the Python tests, keeps the two together.
 * Times are milliseconds since 1970; `at: null` is the live execution.
 */

import type { FrameHead, PaneData, Pane as PaneName } from "./records";

export * from "./records";

export const PROTOCOL = 4;

/** What moves the execution; one at a time. */
export const MOVES = ["step_phase", "step_frame", "until_idle", "continue"] as const;
export type MoveName = (typeof MOVES)[number];

// ---- kernel to browser ----

export type PhaseChip = FrameHead["phases"][number];

export interface Problem {
  readonly kind: string;
  readonly message: string;
  readonly node_id: string | null;
  readonly phase: string | null;
  readonly source: string | null;
  /** 0: of no frame. */
  readonly frame: number;
  /** What to do, where the message doesn't say it. */
  readonly advice: string | null;
  readonly severity: "error" | "hint";
}

export interface Counts {
  readonly nodes: number;
  readonly pending: number;
  readonly handlers: number;
  readonly state: number;
  /** Errors; hints are not counted. */
  readonly problems: number;
  /** Tasks under way. */
  readonly running: number;
  readonly output: number;
  readonly tasks: number;
  readonly breakpoints: number;
}

export type ExecutionStatus =
  | "ready"
  | "running"
  | "paused"
  | "waiting"
  | "finished"
  | "failed"
  | "stopped"
  | "stalled"
  | "terminated";

export interface RunningTask {
  readonly task_id: string;
  readonly node_id: string;
  readonly status: string;
  readonly reason: string | null;
  readonly attempt: number;
  readonly max_attempts: number;
  readonly started: number | null;
  readonly retry_at: number | null;
  /** The end of what it has streamed so far. */
  readonly tail: string;
  /** What an agent has used so far. */
  readonly tokens: number | null;
  readonly cost_usd: number | null;
}

/** An approval that waits for a person. */
export interface Question {
  readonly approval_id: string;
  readonly node_id: string;
  readonly prompt: string;
  readonly options: readonly string[];
  readonly kind: string;
}

/** A breakpoint that hit. */
export interface Hit {
  readonly breakpoint_id: string;
  readonly frame: number;
  readonly phase: string;
  readonly text: string;
  readonly node_id: string | null;
  readonly log_only: boolean;
  readonly at: number;
}

export const VERSIONED = [
  "frame",
  "timeline",
  "plan",
  "xml",
  "pending",
  "handlers",
  "state",
  "tasks",
  "breakpoints",
  "output",
  "problems",
] as const satisfies PaneName[];

export type Versions = { readonly [P in (typeof VERSIONED)[number]]: number };

export interface Summary {
  readonly protocol: number;
  /** Grows by one with each push. */
  readonly seq: number;
  readonly name: string;
  readonly execution_id: string;
  readonly status: ExecutionStatus;
  readonly reason: string;
  /** It has ended, and nothing is left that a step could do. */
  readonly over: boolean;
  /** The number of the newest frame; 0 before the first. */
  readonly frame: number;
  readonly phase: string | null;
  readonly phases: readonly PhaseChip[];
  readonly sentence: string;
  /** The move that is under way. */
  readonly busy: string | null;
  readonly counts: Counts;
  readonly tokens: number;
  readonly cost_usd: number | null;
  readonly problems: readonly Problem[];
  readonly error: string | null;
  /** The newest frame in the file. */
  readonly recorded: number;
  /** A pane's number changes when its live content does. */
  readonly versions: Versions;
  readonly running: readonly RunningTask[];
  readonly questions: readonly Question[];
  /** The breakpoint at which it stands now. */
  readonly hit: Hit | null;
  readonly breakpoints: number;
  /** What is limited here, in words. */
  /** Why nothing can be executed here, in words; null where an engine runs the execution. */
  readonly read_only: string | null;
  readonly limits: readonly string[];
  /** The kernel's clock when this was made. */
  readonly now: number;
}

interface ReplyTo<P extends PaneName> {
  readonly type: "reply";
  readonly id: string;
  readonly pane: P;
  readonly at: number | null;
  readonly phase: string | null;
  readonly data: PaneData[P] | null;
  readonly error: string | null;
}
export type ReplyOf<P extends PaneName> = ReplyTo<P>;
export type Reply = { [P in PaneName]: ReplyTo<P> }[PaneName];

export interface Ack {
  readonly type: "ack";
  readonly id: string;
  readonly name: string;
  readonly accepted: boolean;
  readonly why: string;
}

/** The `why` of a command that came twice. */
export const TAKEN = "it was taken already";

export interface Done {
  readonly type: "done";
  readonly id: string;
  readonly name: string;
  readonly ok: boolean;
  readonly error: string | null;
  readonly result: string | null;
  /** What the trait has from now on; null where there were too many: it follows. */
  readonly summary: Summary | null;
  /** To what was asked with a move, read after `summary`. */
  readonly replies: readonly Reply[];
}

/** The answers to what was looked at, in one message: the page draws them at once. */
export interface Replies {
  readonly type: "replies";
  readonly replies: readonly Reply[];
}

/** The answer to a ping. */
export interface Pong {
  readonly type: "pong";
  readonly id: string;
}

export type Incoming = Reply | Replies | Ack | Done | Pong;

// ---- browser to kernel ----

export interface Hello {
  readonly type: "hello";
  readonly protocol: number;
}

export const BREAKPOINT_KINDS = ["node", "key", "handler", "phase", "error", "expression"] as const;
export type BreakpointKind = (typeof BREAKPOINT_KINDS)[number];

export interface NewBreakpoint {
  readonly kind: BreakpointKind;
  readonly target?: string | null;
  readonly event?: string | null;
  readonly value?: string | null;
  readonly when?: string | null;
  readonly once?: boolean;
  readonly log_only?: boolean;
  readonly after?: number;
}

/** What can be asked of the kernel, by name. */
export type Order =
  | {
      readonly name: MoveName | "pause" | "stop";
      /** What is asked of the place that it leads to: answered with its end, which saves a round trip. */
      readonly ask?: readonly Get[];
    }
  | { readonly name: "edit_pending"; readonly write: string; readonly value: string }
  | { readonly name: "drop_pending"; readonly write: string }
  | { readonly name: "cancel" | "retry"; readonly node: string }
  | {
      readonly name: "answer";
      readonly approval: string;
      readonly choice: string;
      readonly comment?: string | null;
    }
  | ({ readonly name: "break_add" } & NewBreakpoint)
  | { readonly name: "break_check"; readonly when: string }
  | { readonly name: "break_remove"; readonly breakpoint: string }
  | {
      readonly name: "break_change";
      readonly breakpoint: string;
      readonly enabled?: boolean;
      readonly once?: boolean;
      readonly log_only?: boolean;
      readonly when?: string | null;
    };

export type CommandName = Order["name"];
export type Command = Order & { readonly type: "command"; readonly id: string };

/** What is wanted of a pane; what is left out has the kernel's default. */
export interface Want {
  readonly pane: PaneName;
  readonly at?: number | null;
  readonly phase?: string | null;
  readonly base?: number | null;
  readonly of?: string | null;
  readonly known?: number | null;
  /** The version that is held: with a move it is not answered while that is the newest. */
  readonly seen?: number | null;
  readonly since?: number;
  readonly limit?: number;
  readonly before?: readonly [number, number] | null;
  readonly direction?: "back" | "forward";
  readonly full?: boolean;
}

export type Get = Want & { readonly type: "get"; readonly id: string };

/** Asks for panes, answered together. */
export interface Look {
  readonly type: "look";
  readonly gets: readonly Get[];
}

/** Asks whether the kernel still has this stepper. */
export interface Ping {
  readonly type: "ping";
  readonly id: string;
}

export type Outgoing = Hello | Ping | Command | Get | Look;
