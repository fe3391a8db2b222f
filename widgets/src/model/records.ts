/** What the panes show: the data of the kernel's replies. */

import type { Hit, Problem } from "./protocol";

/** A value of the user's or a model's, as JSON. */
export interface Value {
  readonly text: string;
  /** How many characters the whole has. */
  readonly chars: number;
  readonly cut: boolean;
  readonly type: string;
  /** What to ask the pane "value" for, when this was cut. */
  readonly ref: string | null;
}

export interface FrameHead {
  readonly frame: number;
  readonly recorded: boolean;
  /** `open`: abandoned or under way. */
  readonly status: "done" | "open" | "dry";
  readonly phase: string | null;
  readonly last_phase: string | null;
  readonly phases: readonly {
    readonly name: string;
    /** `current` is the phase that the next "Step phase" runs, or the one that is under way. */
    readonly state: "done" | "current" | "todo";
    readonly ms: number | null;
  }[];
  readonly sentence: string;
  readonly reason: readonly string[];
  readonly created: number | null;
  readonly counts: {
    readonly mounted: number;
    readonly unmounted: number;
    readonly updated: number;
    readonly moved: number;
    readonly writes: number;
    readonly handlers: number;
    readonly problems: number;
    readonly output: number;
  };
  readonly hits: readonly Hit[];
}

type Sparse = readonly (readonly [frame: number, count: number])[];

/** Frames `since` … `to`, column by column. */
export interface Timeline {
  readonly since: number;
  readonly to: number;
  readonly writes: readonly number[];
  readonly handlers: readonly number[];
  readonly changes: readonly number[];
  readonly ms: readonly number[];
  readonly errors: Sparse;
  readonly hits: Sparse;
  readonly tasks: Sparse;
  readonly output: Sparse;
  readonly keys: readonly (readonly [frame: number, keys: readonly string[]])[];
}

export interface PropChange {
  readonly prop: string;
  readonly old: string | null;
  readonly new: string | null;
}

export type Change = "" | "added" | "removed" | "changed" | "moved" | "remounted";

export interface PlanNode {
  readonly id: string;
  readonly parent: string | null;
  readonly depth: number;
  readonly type: string;
  readonly key: string | null;
  readonly explicit_id: boolean;
  readonly attrs: readonly (readonly [string, string])[];
  readonly text: string | null;
  readonly events: readonly string[];
  readonly status: string | null;
  readonly change: Change;
  readonly changes: readonly PropChange[];
  /** How many children it has, sent or not. */
  readonly children: number;
  readonly source: string | null;
  readonly path: string;
  /** It may be moved and changed: `change` says "changed" then. */
  readonly moved: boolean;
  /** Of a remounted node, in words. */
  readonly why: string | null;
  /** The status in the frame that is compared with, when it differs. */
  readonly status_before: string | null;
  /** The frame in which it was mounted; 0: unknown. */
  readonly mounted: number;
  /** The ids of the breakpoints on it. */
  readonly breakpoints: readonly string[];
  readonly task_id: string | null;
}

export interface Plan {
  readonly frame: number;
  readonly dry: boolean;
  readonly total: number;
  readonly version: number;
  /** The frame that the marks compare with; 0: none. */
  readonly base: number;
  /** Rows in document order; a pair [start, count] stands for rows of the list that was named by `known`. */
  readonly nodes: readonly (PlanNode | readonly [number, number])[];
}

export interface Xml {
  readonly frame: number;
  readonly dry: boolean;
  readonly text: string;
  readonly chars: number;
  readonly cut: boolean;
  /** Line from 0, change, node id. */
  readonly marks: readonly (readonly [number, string, string])[];
}

/** Who reads a key. */
export interface Reader {
  readonly component: string;
  readonly path: string;
  readonly node_id: string | null;
}

export interface PendingWrite {
  readonly id: string;
  /** 1 is applied first. */
  readonly order: number;
  readonly scope: string;
  readonly key: string;
  readonly op: "set" | "update" | "delete" | "init";
  readonly old: Value | null;
  /** None for `delete`, and for `update` until it is computed at FLUSH. */
  readonly new: Value | null;
  readonly origin: string;
  readonly origin_id: string | null;
  readonly node_id: string | null;
  readonly handler: string | null;
  readonly trigger: string;
  readonly status: string;
  readonly frame: number;
  /** What came of it at FLUSH; null while that is not known. */
  readonly outcome: string | null;
  /** "overridden by …" or "overrides …", also foreseen. */
  readonly conflict: string | null;
  readonly noop: boolean;
  readonly readers: readonly Reader[];
  /** By whose hand it was changed, in words. */
  readonly edited: string | null;
}

export interface Pending {
  readonly frame: number;
  readonly writes: readonly PendingWrite[];
  readonly editable: boolean;
}

export interface Call {
  readonly id: string;
  readonly frame: number;
  readonly node_id: string;
  readonly task_id: string;
  readonly event: string;
  readonly status: "ok" | "raised" | "stale";
  readonly writes: number;
  readonly ms: number;
  readonly error: string | null;
  readonly source: string | null;
  readonly seq: number;
  readonly phase: string;
  readonly trigger: string;
}

export interface NeverFired {
  readonly node_id: string;
  readonly event: string;
  readonly type: string;
  readonly source: string | null;
  readonly why: string;
}

export interface Handlers {
  readonly frame: number;
  readonly calls: readonly Call[];
  readonly never: readonly NeverFired[];
}

export interface StateEntry {
  readonly key: string;
  readonly value: Value;
  readonly from_frame: number;
  readonly changed: boolean;
  readonly writer: string | null;
  readonly scope: "state" | "vol";
  readonly writer_node: string | null;
  readonly writer_id: string | null;
  readonly old: Value | null;
  readonly readers: readonly Reader[];
  readonly history: readonly {
    readonly frame: number;
    readonly value: string;
    readonly writer: string | null;
  }[];
}

export interface State {
  readonly frame: number;
  readonly total: number;
  readonly entries: readonly StateEntry[];
}

export interface TaskRow {
  readonly task_id: string;
  readonly node_id: string;
  readonly type: string | null;
  readonly iteration: number | null;
  readonly attempt: number;
  readonly max_attempts: number;
  readonly status: string;
  readonly reason: string | null;
  readonly frame: number;
  readonly settled_frame: number | null;
  readonly started: number | null;
  readonly ended: number | null;
  readonly retry_at: number | null;
  readonly requests: number | null;
  readonly tokens: number | null;
  readonly cost_usd: number | null;
  readonly tools: number;
  readonly tail: string;
  readonly error: string | null;
  readonly can: readonly ("cancel" | "retry" | "answer")[];
  readonly options: readonly string[];
}

export interface Tasks {
  readonly frame: number;
  readonly now: number;
  readonly tasks: readonly TaskRow[];
  /** Of the models that have refused a request. */
  readonly windows: readonly Window[];
}

/** When all agents of the file may ask a model of a provider. */
export interface Window {
  readonly name: string;
  /** Until then nobody asks. */
  readonly opens: number | null;
  /** How far apart requests are. */
  readonly apart_ms: number;
  readonly refused: number;
}

/** What a task asked a person. */
export interface Asked {
  readonly approval_id: string;
  readonly kind: string;
  readonly prompt: string;
  readonly options: readonly string[];
  /** What there is to look at, without the diff. */
  readonly payload: Value | null;
  readonly diff: string | null;
  readonly status: string;
  readonly choice: string | null;
  readonly comment: string | null;
}

export interface ToolCall {
  readonly id: number;
  readonly tool: string;
  readonly turn: number;
  readonly attempt: number;
  readonly status: string;
  readonly input: Value;
  readonly output: Value | null;
  readonly ms: number | null;
  readonly error: string | null;
}

export interface ModelCall {
  readonly turn: number;
  readonly attempt: number;
  readonly model: string;
  /** `model`, `cache` or `replay`: only the first was paid for. */
  readonly answered_by: string;
  readonly input_tokens: number | null;
  readonly output_tokens: number | null;
  readonly cost_usd: number | null;
  readonly ms: number;
  readonly error: string | null;
  readonly response: Value | null;
}

export interface Task extends TaskRow {
  readonly prompt: Value | null;
  readonly result: Value | null;
  /** The whole error. */
  readonly trace: string | null;
  readonly source: string | null;
  /** Oldest first. */
  readonly asked: readonly Asked[];
  readonly tool_calls: readonly ToolCall[];
  readonly model_calls: readonly ModelCall[];
}

export interface Breakpoint {
  readonly id: string;
  readonly kind: "node" | "key" | "handler" | "phase" | "error" | "expression";
  readonly target: string | null;
  readonly event: string | null;
  readonly value: string | null;
  readonly when: string | null;
  readonly once: boolean;
  readonly enabled: boolean;
  readonly log_only: boolean;
  readonly hits: number;
  /** It stops from this hit on. */
  readonly after: number;
  /** In words. */
  readonly text: string;
  /** Why its expression could not be computed when it was last looked at. */
  readonly error: string | null;
}

export interface Breakpoints {
  readonly breakpoints: readonly Breakpoint[];
  readonly hits: readonly Hit[];
}

export interface OutputEntry {
  /** 0 while it is not in the file yet. */
  readonly id: number;
  readonly frame: number;
  readonly phase: string | null;
  readonly node_id: string | null;
  /** Who printed it: "on_finished of notes". */
  readonly where: string;
  readonly stream: "stdout" | "stderr";
  readonly text: string;
  readonly cut: boolean;
  readonly ref: string | null;
  readonly at: number;
}

export interface Output {
  readonly frame: number;
  readonly total: number;
  readonly entries: readonly OutputEntry[];
}

/** Errors first, then hints. */
export interface Problems {
  readonly frame: number;
  readonly total: number;
  readonly problems: readonly Problem[];
}

export interface NodeDetail {
  readonly id: string;
  readonly path: string;
  readonly type: string;
  readonly key: string | null;
  readonly explicit_id: boolean;
  readonly source: string | null;
  readonly mounted: number;
  readonly status: string | null;
  readonly change: Change;
  readonly changes: readonly PropChange[];
  readonly why: string | null;
  readonly removed: boolean;
  readonly props: readonly { readonly name: string; readonly value: Value }[];
  readonly text: Value | null;
  readonly events: readonly {
    readonly event: string;
    readonly calls: number;
    readonly last: string | null;
  }[];
  readonly task: TaskRow | null;
  readonly component: string | null;
  readonly reads: readonly {
    readonly key: string;
    readonly scope: string;
    readonly value: Value | null;
    readonly from_frame: number;
    readonly writer: string | null;
    readonly writer_node: string | null;
  }[];
  readonly breakpoints: readonly string[];
}

export interface Found {
  readonly kind: "node" | "key" | "handler" | "task" | "output";
  readonly id: string;
  readonly label: string;
  readonly frame: number;
  readonly node_id: string | null;
}

export interface Search {
  readonly total: number;
  readonly found: readonly Found[];
}

export interface LastChange {
  readonly found: PendingWrite | null;
  readonly before: readonly [number, number] | null;
  readonly text: string;
}

export interface HitFound {
  readonly found: Hit | null;
  readonly before: readonly [number, number] | null;
  readonly text: string;
}

export interface PaneData {
  readonly frame: FrameHead;
  readonly timeline: Timeline;
  readonly plan: Plan;
  readonly xml: Xml;
  readonly pending: Pending;
  readonly handlers: Handlers;
  readonly state: State;
  readonly tasks: Tasks;
  readonly task: Task;
  readonly breakpoints: Breakpoints;
  readonly output: Output;
  readonly problems: Problems;
  readonly node: NodeDetail;
  readonly value: Value;
  readonly search: Search;
  readonly last_change: LastChange;
  readonly hit: HitFound;
}

export type Pane = keyof PaneData;

export const PANES = [
  "frame",
  "timeline",
  "plan",
  "xml",
  "pending",
  "handlers",
  "state",
  "tasks",
  "task",
  "breakpoints",
  "output",
  "problems",
  "node",
  "value",
  "search",
  "last_change",
  "hit",
] as const satisfies Pane[];
