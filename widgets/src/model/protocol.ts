/**
 * What the stepper's front end and the kernel say to each other: `smithers_nb/notebook/protocol.py`
 * in TypeScript. `tests/golden/protocol.json`, written by the Python tests, keeps the two together.
 */

export const PROTOCOL = 1;

export const COMMANDS = ["step_phase", "step_frame", "until_idle", "pause", "stop"] as const;
export type CommandName = (typeof COMMANDS)[number];

// ---- kernel to browser ----

export interface PhaseChip {
  readonly name: string;
  /** `current` is the phase that the next "Step phase" runs, or the one that is under way. */
  readonly state: "done" | "current" | "todo";
  readonly ms: number | null;
}

export interface Problem {
  readonly kind: string;
  readonly message: string;
  readonly node_id: string | null;
  readonly phase: string | null;
  readonly source: string | null;
}

export interface Counts {
  readonly nodes: number;
  readonly pending: number;
  readonly handlers: number;
  readonly state: number;
  readonly problems: number;
  /** Tasks under way. */
  readonly running: number;
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
  readonly busy: string | null;
  readonly counts: Counts;
  readonly tokens: number;
  readonly cost_usd: number | null;
  readonly problems: readonly Problem[];
  readonly error: string | null;
}

export interface Value {
  /** JSON, cut unless all of it was asked for. */
  readonly text: string;
  /** How many characters the whole has. */
  readonly chars: number;
  readonly cut: boolean;
  readonly type: string;
}

export interface PropChange {
  readonly prop: string;
  readonly old: string | null;
  readonly new: string | null;
}

export type Change = "" | "added" | "removed" | "changed" | "moved";

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
}

export interface Plan {
  readonly frame: number;
  readonly dry: boolean;
  readonly total: number;
  /** In document order, parents first. */
  readonly nodes: readonly PlanNode[];
}

export interface Xml {
  readonly frame: number;
  readonly dry: boolean;
  readonly text: string;
  readonly chars: number;
  readonly cut: boolean;
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
}

export interface Pending {
  readonly frame: number;
  readonly writes: readonly PendingWrite[];
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
}

export interface Handlers {
  readonly frame: number;
  readonly calls: readonly Call[];
}

export interface StateEntry {
  readonly key: string;
  readonly value: Value;
  readonly from_frame: number;
  readonly changed: boolean;
  readonly writer: string | null;
}

export interface State {
  readonly frame: number;
  readonly total: number;
  readonly entries: readonly StateEntry[];
}

export interface PaneData {
  readonly plan: Plan;
  readonly xml: Xml;
  readonly pending: Pending;
  readonly handlers: Handlers;
  readonly state: State;
}
export type Pane = keyof PaneData;
export const PANES = ["plan", "xml", "pending", "handlers", "state"] as const satisfies Pane[];

export interface ReplyOf<P extends Pane> {
  readonly type: "reply";
  readonly id: string;
  readonly pane: P;
  /** The summary's `seq` when this was read. */
  readonly seq: number;
  readonly data: PaneData[P] | null;
  readonly error: string | null;
}
export type Reply = { [P in Pane]: ReplyOf<P> }[Pane];

export interface Ack {
  readonly type: "ack";
  readonly id: string;
  readonly name: string;
  readonly accepted: boolean;
  readonly why: string;
}

export interface Done {
  readonly type: "done";
  readonly id: string;
  readonly name: string;
  readonly ok: boolean;
  readonly error: string | null;
}

export type Incoming = Reply | Ack | Done;

// ---- browser to kernel ----

export interface Hello {
  readonly type: "hello";
  readonly protocol: number;
}

export interface Command {
  readonly type: "command";
  readonly id: string;
  readonly name: CommandName;
}

export interface Get {
  readonly type: "get";
  readonly id: string;
  readonly pane: Pane;
  readonly full: boolean;
}

export type Outgoing = Hello | Command | Get;
