/** Made by `make widget` from the types in Python; do not edit. */

export const PROTOCOL = 4 as const;
export const MOVES = ["step_phase", "step_frame", "continue", "until", "until_idle"] as const;
export const FIRST_NODES = 500 as const;
export const TAKEN = "it was taken already" as const;
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
  "branches",
] as const;
export const APART = ["why", "why_not", "needs", "ghosts"] as const;
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
  "compare",
  "edited",
  "branches",
  "notes",
  "why",
  "why_not",
  "needs",
  "ghosts",
  "gantt",
] as const;
export const BREAKPOINT_KINDS = ["node", "key", "handler", "phase", "error", "expression"] as const;
export type Command =
  | StepPhase
  | StepFrame
  | Continue
  | Until
  | UntilIdle
  | Pause
  | Stop
  | EditPending
  | DropPending
  | Cancel
  | Retry
  | HandleAgain
  | Answer
  | SetState
  | Predict
  | Fork
  | BranchEdited
  | BreakAdd
  | BreakCheck
  | BreakRemove
  | BreakChange
  | Export
  | Why
  | WhyNot
  | Needs
  | Follow;
export type Outgoing =
  | Hello
  | Ping
  | Show
  | (
      | StepPhase
      | StepFrame
      | Continue
      | Until
      | UntilIdle
      | Pause
      | Stop
      | EditPending
      | DropPending
      | Cancel
      | Retry
      | HandleAgain
      | Answer
      | SetState
      | Predict
      | Fork
      | BranchEdited
      | BreakAdd
      | BreakCheck
      | BreakRemove
      | BreakChange
      | Export
      | Why
      | WhyNot
      | Needs
      | Follow
    )
  | Get
  | LookMessage;

/**
 * The acknowledgement of a command, or its refusal: sent at once; for an accepted move only when it lasts.
 */
export interface Ack {
  readonly type: "ack";
  readonly id: string;
  readonly name: string;
  readonly accepted: boolean;
  readonly why: string;
}
/**
 * Answers an approval, named by its id or its node's.
 */
export interface Answer {
  readonly type: "command";
  readonly id: string;
  readonly name: "answer";
  readonly execution_id?: string | null;
  /**
   * the id of an approval, or of its node
   */
  readonly approval: string;
  /**
   * one of the options
   */
  readonly choice: string;
  /**
   * a comment for the records
   */
  readonly comment?: string | null;
  /**
   * arguments of the tool instead of the model's, as JSON
   */
  readonly args?: string | null;
  /**
   * the result of a call that is made elsewhere, as JSON
   */
  readonly result?: string | null;
}
/**
 * A question and the sentences of its answer.
 */
export interface AnswerRow {
  readonly question: string;
  /**
   * True for a "why not".
   */
  readonly negative: boolean;
  readonly statements: ReadonlyArray<StatementRow>;
  /**
   * The number of sentences that are not sent.
   */
  readonly more: number;
}
/**
 * A sentence of an answer. One that is one deeper than the sentence before it is a cause of that one.
 */
export interface StatementRow {
  readonly text: string;
  readonly depth: number;
  readonly frame: number | null;
  readonly phase: string | null;
  readonly node_id: string | null;
  readonly source: string | null;
  /**
   * The table of the row that says it; None where no row does.
   */
  readonly table: string | null;
  readonly row_id: string | null;
  /**
   * The name of the execution whose row it is, where the cursor can't go to its frame: of a child, say.
   */
  readonly execution: string | null;
  /**
   * recorded, derived or inferred; None for a sentence that names a gap in the records.
   */
  readonly evidence: ("recorded" | "derived" | "inferred") | null;
  /**
   * The target of a further question, in the same frame: the prompt of an answer.
   */
  readonly link: string | null;
}
/**
 * A question of a task to a person.
 */
export interface AskedRow {
  readonly approval_id: string;
  readonly kind: string;
  readonly prompt: string;
  readonly options: ReadonlyArray<string>;
  /**
   * The payload of the question, without its diff.
   */
  readonly payload: Value | null;
  /**
   * The first 20,000 characters.
   */
  readonly diff: string | null;
  /**
   * waiting, answered or withdrawn.
   */
  readonly status: string;
  readonly choice: string | null;
  readonly comment: string | null;
  /**
   * The tool's arguments as JSON, to be edited while it waits; then those that it was called with. None if the
   * question is about none, or they have over 20,000 characters.
   */
  readonly args: string | null;
  /**
   * True if a person wrote the arguments.
   */
  readonly edited: boolean;
  /**
   * The result of a tool call that was made elsewhere, as a person gave it.
   */
  readonly result: Value | null;
}
/**
 * A value of the user's or a model's: shown as text, never as markup.
 */
export interface Value {
  /**
   * JSON, cut after `VALUE_CHARS` characters unless all of it was asked for.
   */
  readonly text: string;
  /**
   * The length of the whole text, in characters.
   */
  readonly chars: number;
  readonly cut: boolean;
  /**
   * `str`, `int`, `list` … as in the state table.
   */
  readonly type: string;
  /**
   * The subject to ask the pane `value` for, where this is cut.
   */
  readonly ref: string | null;
}
/**
 * Makes a branch with the code of the last --dry, from the frame before the first that differs.
 */
export interface BranchEdited {
  readonly type: "command";
  readonly id: string;
  readonly name: "branch_edited";
  readonly execution_id?: string | null;
  /**
   * the name of the branch
   */
  readonly branch?: string | null;
}
/**
 * An execution of the family.
 */
export interface BranchRow {
  readonly execution_id: string;
  readonly name: string;
  /**
   * The execution that it was forked from; None for the first of the family.
   */
  readonly parent_id: string | null;
  /**
   * The number of forks between it and the first of the family.
   */
  readonly depth: number;
  /**
   * The last frame that it shares with its parent.
   */
  readonly at: number | null;
  readonly status: string;
  readonly reason: string;
  /**
   * What the fork changed, in words: `state n`, `code`, `prop topic`, `model sonnet`.
   */
  readonly changed: ReadonlyArray<string>;
  /**
   * The number of its newest frame.
   */
  readonly last: number;
  /**
   * True if this kernel runs it: it can be stepped.
   */
  readonly runs: boolean;
  /**
   * The variable of the notebook that holds it; "" without one.
   */
  readonly variable: string;
}
export interface BranchesPane {
  /**
   * Each parent before its branches, which are in the order of their forks.
   */
  readonly family: ReadonlyArray<BranchRow>;
  /**
   * The executions that the frames belong to, oldest first: the last one is shown.
   */
  readonly line: ReadonlyArray<StretchRow>;
  /**
   * The expression that opens the file, in Python.
   */
  readonly store: string;
  /**
   * The name of the app.
   */
  readonly app: string;
}
/**
 * Frames of the line that belong to one execution.
 */
export interface StretchRow {
  readonly execution_id: string;
  readonly name: string;
  readonly first: number;
  /**
   * None for the execution at the end of the line.
   */
  readonly last: number | null;
}
/**
 * Sets a breakpoint; the result is its id.
 */
export interface BreakAdd {
  readonly type: "command";
  readonly id: string;
  readonly name: "break_add";
  readonly execution_id?: string | null;
  readonly kind: "node" | "key" | "handler" | "phase" | "error" | "expression";
  readonly target?: string | null;
  readonly event?: string | null;
  readonly value?: string | null;
  readonly when?: string | null;
  readonly once?: boolean;
  readonly log_only?: boolean;
  readonly after?: number;
}
/**
 * Changes the named parts of a breakpoint; an empty expression is removed.
 */
export interface BreakChange {
  readonly type: "command";
  readonly id: string;
  readonly name: "break_change";
  readonly execution_id?: string | null;
  /**
   * the id of a breakpoint
   */
  readonly breakpoint: string;
  readonly enabled?: boolean | null;
  readonly once?: boolean | null;
  readonly log_only?: boolean | null;
  /**
   * an expression over state, prev, node, frame and writes
   */
  readonly when?: string | null;
}
/**
 * Checks the expression of a breakpoint.
 */
export interface BreakCheck {
  readonly type: "command";
  readonly id: string;
  readonly name: "break_check";
  readonly execution_id?: string | null;
  /**
   * an expression over state, prev, node, frame and writes
   */
  readonly when: string;
}
/**
 * Removes a breakpoint.
 */
export interface BreakRemove {
  readonly type: "command";
  readonly id: string;
  readonly name: "break_remove";
  readonly execution_id?: string | null;
  /**
   * the id of a breakpoint
   */
  readonly breakpoint: string;
}
export interface BreakpointRow {
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
  readonly after: number;
  readonly text: string;
  /**
   * The last error of its expression.
   */
  readonly error: string | null;
}
export interface BreakpointsPane {
  readonly breakpoints: ReadonlyArray<BreakpointRow>;
  /**
   * Newest first, 200.
   */
  readonly hits: ReadonlyArray<HitRow>;
  /**
   * The names of the nodes that it tells of, by id.
   */
  readonly names: {
    [k: string]: string;
  };
}
/**
 * A hit of a breakpoint.
 */
export interface HitRow {
  readonly breakpoint_id: string;
  readonly frame: number;
  readonly phase: string;
  /**
   * The event: `n changed 1 → 2`.
   */
  readonly text: string;
  readonly node_id: string | null;
  readonly log_only: boolean;
  /**
   * Milliseconds since the epoch; 0 where it was found in the records.
   */
  readonly at: number;
}
export interface CallRow {
  readonly id: string;
  readonly frame: number;
  readonly node_id: string;
  readonly task_id: string;
  readonly event: string;
  readonly status: "ok" | "raised" | "stale";
  readonly writes: number;
  readonly ms: number;
  /**
   * The traceback, when it raised.
   */
  readonly error: string | null;
  readonly source: string | null;
  /**
   * The place in the frame, from 1.
   */
  readonly seq: number;
  readonly phase: string;
  /**
   * The cause, in words.
   */
  readonly trigger: string;
}
/**
 * Ends the task of a node.
 */
export interface Cancel {
  readonly type: "command";
  readonly id: string;
  readonly name: "cancel";
  readonly execution_id?: string | null;
  /**
   * the id of a node with a running task
   */
  readonly node: string;
}
/**
 * An execution that can be compared with.
 */
export interface ChoiceRow {
  readonly execution_id: string;
  readonly name: string;
  readonly status: string;
  /**
   * run, branch or replay.
   */
  readonly kind: string;
  /**
   * True for a branch, a parent or a sibling of this execution.
   */
  readonly family: boolean;
  readonly created: number | null;
}
/**
 * The differences of this execution and the other, of all recorded frames.
 */
export interface ComparePane {
  readonly frame: number;
  /**
   * The other execution; None while none is chosen.
   */
  readonly execution_id: string | null;
  readonly name: string;
  /**
   * Its frame that matches the cursor; 0 for none.
   */
  readonly other_frame: number;
  readonly text: string;
  readonly total: number;
  /**
   * The earliest first; the first `limit` of them.
   */
  readonly rows: ReadonlyArray<DifferenceRow>;
  /**
   * The newest executions of the file, those of the family first.
   */
  readonly choices: ReadonlyArray<ChoiceRow>;
  /**
   * The number of executions that are not among the choices.
   */
  readonly more: number;
}
/**
 * Something that is not the same in both executions.
 */
export interface DifferenceRow {
  /**
   * node, text, prop, task, model call, tool call, handler, effect, write, state or end.
   */
  readonly what: string;
  readonly node_id: string | null;
  /**
   * The node in words.
   */
  readonly node: string | null;
  readonly key: string | null;
  readonly iteration: number | null;
  /**
   * The node whose child execution it is in.
   */
  readonly child: string | null;
  /**
   * The value in this execution, cut around the difference; None where it is not there.
   */
  readonly here: string | null;
  readonly there: string | null;
  /**
   * The frame to look at in this execution; 0 in a child, or where there is none.
   */
  readonly frame: number;
  readonly other_frame: number;
  /**
   * The frames of both sides, in words.
   */
  readonly frames: string;
}
/**
 * Runs to the end, to a breakpoint, or for the given number of frames.
 */
export interface Continue {
  readonly type: "command";
  readonly id: string;
  readonly name: "continue";
  readonly execution_id?: string | null;
  /**
   * @maxItems 12
   */
  readonly ask?: ReadonlyArray<Get>;
  /**
   * the most frames
   */
  readonly frames?: number | null;
}
/**
 * A request for a pane, at a cursor.
 */
export interface Get {
  readonly type: "get";
  readonly id: string;
  readonly pane:
    | "frame"
    | "timeline"
    | "plan"
    | "xml"
    | "pending"
    | "handlers"
    | "state"
    | "tasks"
    | "task"
    | "breakpoints"
    | "output"
    | "problems"
    | "node"
    | "value"
    | "search"
    | "last_change"
    | "hit"
    | "compare"
    | "edited"
    | "branches"
    | "notes"
    | "why"
    | "why_not"
    | "needs"
    | "ghosts"
    | "gantt";
  readonly at?: number | null;
  readonly phase?:
    | ("SNAPSHOT" | "RENDER" | "RECONCILE" | "COMMIT" | "EXECUTE" | "EFFECTS" | "FLUSH")
    | null;
  readonly base?: number | null;
  readonly other?: string | null;
  readonly edited?: boolean;
  readonly of?: string | null;
  readonly known?: number | null;
  readonly seen?: number | null;
  readonly since?: number;
  readonly limit?: number;
  readonly before?: readonly [number, number] | null;
  readonly direction?: "back" | "forward";
  readonly full?: boolean;
}
export interface Counts {
  readonly nodes: number;
  readonly pending: number;
  readonly handlers: number;
  readonly state: number;
  /**
   * The errors of all frames so far; hints are not counted.
   */
  readonly problems: number;
  /**
   * Running tasks.
   */
  readonly running: number;
  /**
   * All tasks so far.
   */
  readonly tasks: number;
  /**
   * Pieces of the frame in progress.
   */
  readonly output: number;
  readonly breakpoints: number;
}
/**
 * Sent when an accepted command has ended.
 */
export interface Done {
  readonly type: "done";
  readonly id: string;
  readonly name: string;
  readonly ok: boolean;
  readonly error: string | null;
  /**
   * The id of the new breakpoint, for `break_add`, or of the branch, for `fork` and `branch_edited`.
   */
  readonly result: string | null;
  /**
   * The new value of the trait; None where there were too many: it follows.
   */
  readonly summary: Summary | null;
  /**
   * The answers to the requests of a move, to be read after `summary`.
   */
  readonly replies: ReadonlyArray<Reply>;
}
/**
 * The synced trait: the contents of the header, the toolbar, the strip and the sentence. At most 64 KiB.
 */
export interface Summary {
  readonly protocol: number;
  /**
   * Raised by one with each push; a gap makes the browser send `hello`.
   */
  readonly seq: number;
  readonly name: string;
  readonly execution_id: string;
  readonly status:
    | "ready"
    | "running"
    | "paused"
    | "waiting"
    | "finished"
    | "failed"
    | "stopped"
    | "stalled"
    | "terminated";
  /**
   * The reason for this status, in words; "" where there is none.
   */
  readonly reason: string;
  /**
   * The status as people read it: at rest, where a step has left it so.
   */
  readonly standing: string;
  /**
   * True when it has ended, and a step would do nothing.
   */
  readonly over: boolean;
  /**
   * The number of the newest frame; 0 before the first.
   */
  readonly frame: number;
  /**
   * The last phase of that frame that is done.
   */
  readonly phase: string | null;
  /**
   * Always seven, in order.
   */
  readonly phases: ReadonlyArray<PhaseChip>;
  /**
   * What the newest frame did, and the effect of the next step, in words.
   */
  readonly sentence: string;
  readonly kind: "rest" | "hit" | "error" | "waiting" | "over";
  /**
   * What the newest frame did so far, in words.
   */
  readonly did: ReadonlyArray<string>;
  /**
   * The running command, if any. Its buttons are off meanwhile; Pause and Stop are on.
   */
  readonly busy: string | null;
  readonly counts: Counts;
  readonly tokens: number;
  readonly cost_usd: number | null;
  /**
   * The first 20.
   */
  readonly problems: ReadonlyArray<ProblemRow>;
  /**
   * An error of the stepper itself or of the last command, to be shown in the widget.
   */
  readonly error: string | null;
  /**
   * The newest frame in the file: a cursor may point to 1 up to this one.
   */
  readonly recorded: number;
  readonly versions: Versions;
  /**
   * The first 20.
   */
  readonly running: ReadonlyArray<RunningRow>;
  /**
   * The first 10.
   */
  readonly questions: ReadonlyArray<QuestionRow>;
  /**
   * The breakpoint that stopped it.
   */
  readonly hit: HitRow | null;
  /**
   * The number of enabled breakpoints.
   */
  readonly breakpoints: number;
  /**
   * The reason why nothing can be executed here, in words; None where an engine runs the execution.
   */
  readonly read_only: string | null;
  /**
   * The number of times that edited code was given for the recorded frames; 0 where there is none.
   */
  readonly edited: number;
  /**
   * The predictions of a learner; None where this stepper asks for none.
   */
  readonly predict: Predicting | null;
  /**
   * The limits of this kernel, in words.
   */
  readonly limits: ReadonlyArray<string>;
  /**
   * The time of this summary, in milliseconds since the epoch.
   */
  readonly now: number;
}
/**
 * A chip of the phase strip.
 */
export interface PhaseChip {
  /**
   * SNAPSHOT, RENDER, RECONCILE, COMMIT, EXECUTE, EFFECTS or FLUSH.
   */
  readonly name: string;
  /**
   * `current` is the phase that the next "Step phase" runs, or the running one.
   */
  readonly state: "done" | "current" | "todo";
  /**
   * Milliseconds; None while it has not run in this frame.
   */
  readonly ms: number | null;
}
/**
 * An error or warning.
 */
export interface ProblemRow {
  /**
   * The error's class name, e.g. `HandlerError`.
   */
  readonly kind: string;
  readonly message: string;
  readonly node_id: string | null;
  readonly phase: string | null;
  /**
   * The place in the user's code, e.g. `report:14:9`.
   */
  readonly source: string | null;
  /**
   * Of a finding about the plan: the frame that was looked at.
   */
  readonly frame: number;
  /**
   * The way to mend it, where the message does not say it.
   */
  readonly advice: string | null;
  readonly severity: "error" | "hint";
}
/**
 * A number for each pane, raised when a live view of it may have changed.
 */
export interface Versions {
  readonly frame: number;
  readonly timeline: number;
  readonly plan: number;
  readonly xml: number;
  readonly pending: number;
  readonly handlers: number;
  readonly state: number;
  readonly tasks: number;
  readonly breakpoints: number;
  readonly output: number;
  readonly problems: number;
  readonly branches: number;
}
/**
 * A running task, or one that waits for a person or its next attempt.
 */
export interface RunningRow {
  readonly task_id: string;
  readonly node_id: string;
  /**
   * The name of the node.
   */
  readonly node: string;
  /**
   * running, blocked, pending.
   */
  readonly status: string;
  /**
   * rate_limit, approval, retry …
   */
  readonly reason: string | null;
  /**
   * The worker that has it, in words, with what there is to tell of it; None for a task of the kernel.
   */
  readonly worker: string | null;
  readonly attempt: number;
  readonly max_attempts: number;
  /**
   * Milliseconds since the epoch.
   */
  readonly started: number | null;
  /**
   * The next attempt, in milliseconds since the epoch.
   */
  readonly retry_at: number | null;
  /**
   * The end of its streamed text; all tails together have at most `TAILS_CHARS`.
   */
  readonly tail: string;
  /**
   * The tokens that an agent has used so far; None for another task.
   */
  readonly tokens: number | null;
  readonly cost_usd: number | null;
}
/**
 * A question to a person.
 */
export interface QuestionRow {
  readonly approval_id: string;
  readonly node_id: string;
  /**
   * The id of the node where the user gave it, or else its name.
   */
  readonly node: string;
  readonly kind: string;
  readonly prompt: string;
  readonly options: ReadonlyArray<string>;
}
/**
 * The form for the prediction of the next frame, and the result of the last one.
 */
export interface Predicting {
  readonly learner: string;
  /**
   * The frame that has to be predicted before a step; None while a step is free.
   */
  readonly frame: number | null;
  readonly nodes: ReadonlyArray<PredictOption>;
  readonly handlers: ReadonlyArray<PredictOption>;
  readonly keys: ReadonlyArray<PredictOption>;
  /**
   * The number of items that the form leaves out.
   */
  readonly more: number;
  readonly result: PredictResult | null;
}
/**
 * An item of which a learner may say something.
 */
export interface PredictOption {
  /**
   * `starts:NODE`, `fires:NODE.on_finished` or `writes:KEY`.
   */
  readonly item: string;
  readonly label: string;
}
/**
 * The outcome of a prediction.
 */
export interface PredictResult {
  readonly frame: number;
  readonly right: number;
  /**
   * The number of items whose answer is known.
   */
  readonly of: number;
  readonly rows: ReadonlyArray<PredictRow>;
  /**
   * The number of items that were rightly not expected.
   */
  readonly quiet: number;
  /**
   * False if the execution ended before the frame.
   */
  readonly reached: boolean;
}
/**
 * An item that was expected or that happened.
 */
export interface PredictRow {
  readonly item: string;
  readonly label: string;
  readonly said: string;
  /**
   * None until FLUSH computes it.
   */
  readonly was: string | null;
  readonly right: boolean | null;
  /**
   * The cause of what happened; "" where it did not.
   */
  readonly because: string;
  /**
   * The target of a question about it; None where it has no name.
   */
  readonly ask: string | null;
  readonly happened: boolean;
}
export interface Reply {
  readonly type: "reply";
  readonly id: string;
  readonly pane: string;
  readonly at: number | null;
  /**
   * The frame and phase of the request.
   */
  readonly phase: string | null;
  readonly data: unknown;
  readonly error: string | null;
}
/**
 * Discards a pending write.
 */
export interface DropPending {
  readonly type: "command";
  readonly id: string;
  readonly name: "drop_pending";
  readonly execution_id?: string | null;
  /**
   * the id of a pending write
   */
  readonly write: string;
}
/**
 * Changes a pending write to a value, given as JSON.
 */
export interface EditPending {
  readonly type: "command";
  readonly id: string;
  readonly name: "edit_pending";
  readonly execution_id?: string | null;
  /**
   * the id of a pending write
   */
  readonly write: string;
  /**
   * the new value as JSON
   */
  readonly value: string;
}
/**
 * The recorded frames as edited code renders them, after `%%smithers NAME --dry`.
 */
export interface EditedPane {
  /**
   * The first frame that differs, the answers that a branch reuses and asks again, and their cost.
   */
  readonly text: string;
  /**
   * The first frame that differs; a branch begins before it.
   */
  readonly first: number | null;
  /**
   * The newest frame that was rendered; 0 for none.
   */
  readonly last: number;
  /**
   * The number of frames that differ.
   */
  readonly total: number;
  /**
   * The frames that differ, as (first, last).
   */
  readonly frames: ReadonlyArray<readonly [number, number]>;
  /**
   * The frames that differ only in phases that have not begun.
   */
  readonly pending: ReadonlyArray<readonly [number, number]>;
}
/**
 * A request to a model in one attempt, with the parts that are new in it and those of its answer.
 */
export interface ExchangeRow {
  readonly id: number;
  /**
   * `turn 2, attempt 2 after 1.2 s · MODEL`.
   */
  readonly heading: string;
  /**
   * The finish reason or the error, tokens and cost.
   */
  readonly ending: string;
  readonly ms: number;
  readonly status: "running" | "ok" | "failed" | "cancelled" | "interrupted";
  readonly parts: ReadonlyArray<PartRow>;
  /**
   * The results of its tool calls that no request has yet.
   */
  readonly results: ReadonlyArray<PartRow>;
}
/**
 * A part of a message.
 */
export interface PartRow {
  readonly role: "system" | "user" | "assistant" | "tool";
  readonly kind: string;
  /**
   * `user`, `calls weather`, `weather returned (ok)`.
   */
  readonly label: string;
  readonly text: Value;
  readonly ms: number | null;
}
/**
 * Writes what is recorded to a file, a page or lines, and tells what went out.
 */
export interface Export {
  readonly type: "command";
  readonly id: string;
  readonly name: "export";
  readonly execution_id?: string | null;
  /**
   * a page that is a store, run.html, or lines, run.ndjson; by default a page named as the run
   */
  readonly path?: string;
  /**
   * keys of the state and columns that are removed, separated by commas
   */
  readonly redact?: string | null;
}
/**
 * Tells where a text or value came from, and all that holds it.
 */
export interface Follow {
  readonly type: "command";
  readonly id: string;
  readonly name: "follow";
  readonly execution_id?: string | null;
  /**
   * a text, the id of a node, or a key of the state
   */
  readonly text: string;
  /**
   * the frame that is asked about, by default the last one
   */
  readonly frame?: number | null;
}
/**
 * Makes a branch that begins after a frame, by default the last flushed one.
 */
export interface Fork {
  readonly type: "command";
  readonly id: string;
  readonly name: "fork";
  readonly execution_id?: string | null;
  /**
   * the frame after which the branch begins; 0 for the beginning
   */
  readonly frame?: number | null;
  /**
   * the name of the branch
   */
  readonly branch?: string | null;
  /**
   * values that differ, by key, as a JSON object
   */
  readonly state?: string | null;
  /**
   * what is answered from the file: agents, tools, approvals, tasks; - for nothing
   */
  readonly reuse?: string | null;
  /**
   * the tasks and tools that may be repeated, separated by commas
   */
  readonly allow_repeat?: string | null;
}
export interface FoundRow {
  readonly kind: "node" | "key" | "handler" | "task" | "output";
  readonly id: string;
  readonly label: string;
  readonly frame: number;
  readonly node_id: string | null;
}
/**
 * Numbers of the events of a frame.
 */
export interface FrameCounts {
  readonly mounted: number;
  readonly unmounted: number;
  readonly updated: number;
  readonly moved: number;
  readonly writes: number;
  readonly handlers: number;
  readonly problems: number;
  readonly output: number;
}
/**
 * The header, the strip and the sentence at a frame.
 */
export interface FramePane {
  readonly frame: number;
  readonly recorded: boolean;
  /**
   * open: in progress, or abandoned.
   */
  readonly status: "done" | "open" | "dry";
  /**
   * The phase that is shown.
   */
  readonly phase: string | null;
  /**
   * The last phase that is done.
   */
  readonly last_phase: string | null;
  readonly phases: ReadonlyArray<PhaseChip>;
  readonly sentence: string;
  readonly kind: "rest" | "hit" | "error" | "waiting" | "over";
  /**
   * What the frame did up to the cursor, in words.
   */
  readonly did: ReadonlyArray<string>;
  readonly reason: ReadonlyArray<string>;
  readonly created: number | null;
  readonly counts: FrameCounts;
  readonly hits: ReadonlyArray<HitRow>;
}
/**
 * The tasks by the frames of the timeline, oldest first.
 */
export interface GanttPane {
  /**
   * The names of their nodes, each once.
   */
  readonly nodes: ReadonlyArray<string>;
  /**
   * Task id, place in `nodes`, status, first frame, and the frame that dealt with its end: None until then.
   */
  readonly tasks: ReadonlyArray<readonly [string, number, string, number, number | null]>;
  /**
   * True if there are older tasks than these.
   */
  readonly more: boolean;
}
/**
 * A node that the code can return, and that is not in the plan.
 */
export interface GhostRow {
  /**
   * The target of `why_not`.
   */
  readonly of: string;
  readonly type: string;
  readonly name: string;
  readonly component: string;
  readonly source: string;
  /**
   * The conditions around it in the code, in words, outermost first.
   */
  readonly guards: ReadonlyArray<string>;
  readonly depth: number;
  /**
   * The node of the plan that it would stand in; None for the top of the plan.
   */
  readonly parent: string | null;
  /**
   * The node of the plan behind which it would stand; None where it would be the first in its parent.
   */
  readonly after: string | null;
}
export interface GhostsPane {
  readonly frame: number;
  readonly total: number;
  /**
   * In the order of the code; those below a ghost follow it, one deeper.
   */
  readonly nodes: ReadonlyArray<GhostRow>;
  /**
   * The components whose code can't be read, and why.
   */
  readonly unknown: ReadonlyArray<string>;
}
/**
 * Calls the handler of a node again, on its recorded result.
 */
export interface HandleAgain {
  readonly type: "command";
  readonly id: string;
  readonly name: "handle_again";
  readonly execution_id?: string | null;
  /**
   * the id of a node whose task has ended
   */
  readonly node: string;
}
export interface HandlersPane {
  readonly frame: number;
  /**
   * Newest frame first, within a frame in the order in which they fired; the last 200.
   */
  readonly calls: ReadonlyArray<CallRow>;
  readonly never: ReadonlyArray<NeverFiredRow>;
  /**
   * The names of the nodes that it tells of, by id.
   */
  readonly names: {
    [k: string]: string;
  };
}
/**
 * A handler of the plan that was not called so far.
 */
export interface NeverFiredRow {
  readonly node_id: string;
  readonly event: string;
  readonly type: string;
  readonly source: string | null;
  readonly why: string;
}
/**
 * A view was opened, or saw a gap in `seq`: the kernel pushes a fresh summary.
 */
export interface Hello {
  readonly type: "hello";
  readonly protocol: number;
}
export interface HitPane {
  readonly found: HitRow | null;
  readonly before: readonly [number, number] | null;
  readonly text: string;
}
export interface LastChangePane {
  readonly found: WriteRow | null;
  /**
   * The place to pass as `before` to continue.
   */
  readonly before: readonly [number, number] | null;
  readonly text: string;
}
export interface WriteRow {
  readonly id: string;
  /**
   * The order of application, from 1.
   */
  readonly order: number;
  readonly scope: string;
  readonly key: string;
  readonly op: "set" | "update" | "delete" | "init";
  readonly old: Value | null;
  /**
   * None for `delete`, and for `update` until it is computed at FLUSH.
   */
  readonly new: Value | null;
  readonly origin: string;
  readonly origin_id: string | null;
  readonly node_id: string | null;
  readonly handler: string | null;
  /**
   * The cause, in words.
   */
  readonly trigger: string;
  /**
   * queued, applied, noop, overridden, rolled_back, edited, dropped.
   */
  readonly status: string;
  readonly frame: number;
  /**
   * The status of a recorded write after FLUSH.
   */
  readonly outcome: string | null;
  /**
   * The other write of the same key that wins, or loses.
   */
  readonly conflict: string | null;
  /**
   * True where it sets the present value.
   */
  readonly noop: boolean;
  /**
   * The first 10 readers of the key.
   */
  readonly readers: ReadonlyArray<ReaderRow>;
  /**
   * The change that a person made to it.
   */
  readonly edited: string | null;
}
/**
 * A component that reads a key.
 */
export interface ReaderRow {
  readonly component: string;
  readonly path: string;
  readonly node_id: string | null;
}
/**
 * Asks for panes, answered together.
 */
export interface LookMessage {
  readonly type: "look";
  /**
   * @maxItems 12
   */
  readonly gets: ReadonlyArray<Get>;
}
export interface ModelCallRow {
  readonly id: number;
  readonly turn: number;
  readonly attempt: number;
  readonly model: string;
  /**
   * The agent that made it, where a tool of the node's agent ran that one.
   */
  readonly agent: string | null;
  readonly answered_by: string;
  readonly input_tokens: number | null;
  readonly output_tokens: number | null;
  readonly cost_usd: number | null;
  readonly ms: number;
  readonly error: string | null;
  readonly response: Value | null;
}
/**
 * Tells the smallest edit of the state after which a node or component is in the plan.
 */
export interface Needs {
  readonly type: "command";
  readonly id: string;
  readonly name: "needs";
  readonly execution_id?: string | null;
  /**
   * the id of a node, or the name of a component
   */
  readonly target: string;
  /**
   * the frame that is asked about, by default the last one
   */
  readonly frame?: number | null;
}
/**
 * The smallest edit of the state after which something is in the plan of a frame.
 */
export interface NeedsPane {
  readonly of: string;
  readonly frame: number;
  readonly answer: AnswerRow;
  readonly found: boolean;
  /**
   * The frame after which a branch with the edit begins.
   */
  readonly after: number;
  /**
   * The edit as the text of a JSON object, as the command `fork` takes it; None where there is nothing to edit, or
   * JSON can't say it.
   */
  readonly state: string | null;
  /**
   * The expression that branches with it, in Python.
   */
  readonly code: string;
}
export interface NodeEvent {
  readonly event: string;
  readonly calls: number;
  readonly last: string | null;
}
export interface NodePane {
  readonly id: string;
  readonly path: string;
  readonly type: string;
  readonly key: string | null;
  readonly explicit_id: boolean;
  readonly source: string | null;
  readonly mounted: number;
  readonly status: string | null;
  /**
   * As in the plan.
   */
  readonly raised: boolean;
  readonly change: "" | "added" | "removed" | "changed" | "moved" | "remounted";
  readonly changes: ReadonlyArray<PropChange>;
  readonly why: string | null;
  readonly removed: boolean;
  readonly props: ReadonlyArray<NodeProp>;
  /**
   * All text in it: the prompt of an agent.
   */
  readonly text: Value | null;
  readonly events: ReadonlyArray<NodeEvent>;
  readonly task: TaskRow | null;
  /**
   * The component that rendered it.
   */
  readonly component: string | null;
  /**
   * The values that the component reads.
   */
  readonly reads: ReadonlyArray<NodeRead>;
  readonly breakpoints: ReadonlyArray<string>;
  /**
   * The names of the nodes that it tells of, by id.
   */
  readonly names: {
    [k: string]: string;
  };
}
export interface PropChange {
  /**
   * A prop's name, or `text`, `events`.
   */
  readonly prop: string;
  readonly old: string | null;
  readonly new: string | null;
}
export interface NodeProp {
  readonly name: string;
  readonly value: Value;
}
export interface TaskRow {
  readonly task_id: string;
  readonly node_id: string;
  readonly type: string | null;
  /**
   * The iteration of the loop around it.
   */
  readonly iteration: number | null;
  readonly attempt: number;
  readonly max_attempts: number;
  readonly status: string;
  readonly reason: string | null;
  /**
   * The worker that has it, in words, with what there is to tell of it; None for a task of the kernel.
   */
  readonly worker: string | null;
  /**
   * The frame in which it was mounted.
   */
  readonly frame: number;
  readonly settled_frame: number | null;
  readonly started: number | null;
  readonly ended: number | null;
  readonly retry_at: number | null;
  readonly requests: number | null;
  readonly tokens: number | null;
  readonly cost_usd: number | null;
  /**
   * The number of its tool calls.
   */
  readonly tools: number;
  readonly tail: string;
  /**
   * The message: the last line of the traceback; of a blocked task, what it waits for.
   */
  readonly error: string | null;
  /**
   * The commands that apply to it; none in a recorded frame.
   */
  readonly can: ReadonlyArray<"cancel" | "retry" | "handle_again" | "answer">;
  /**
   * The options of an approval that waits.
   */
  readonly options: ReadonlyArray<string>;
}
export interface NodeRead {
  readonly key: string;
  readonly scope: string;
  readonly value: Value | null;
  readonly from_frame: number;
  readonly writer: string | null;
  readonly writer_node: string | null;
}
export interface NotesPane {
  /**
   * What a branch has to know of its parent, in words.
   */
  readonly notes: ReadonlyArray<string>;
}
export interface OutputPane {
  readonly frame: number;
  readonly total: number;
  /**
   * Oldest first, the last `limit` of them.
   */
  readonly entries: ReadonlyArray<PrintedRow>;
  /**
   * The names of the nodes that it tells of, by id.
   */
  readonly names: {
    [k: string]: string;
  };
}
export interface PrintedRow {
  /**
   * 0 while it is not in the file.
   */
  readonly id: number;
  readonly frame: number;
  /**
   * None: a task printed it, whatever the frame was doing.
   */
  readonly phase: string | null;
  readonly node_id: string | null;
  /**
   * `Report`, `on_finished of notes`, `task notes`.
   */
  readonly where: string;
  readonly stream: "stdout" | "stderr";
  readonly text: string;
  readonly cut: boolean;
  readonly ref: string | null;
  readonly at: number;
}
export interface PaneData {
  readonly frame: FramePane;
  readonly timeline: TimelinePane;
  readonly gantt: GanttPane;
  readonly plan: PlanPane;
  readonly xml: XmlPane;
  readonly pending: PendingPane;
  readonly handlers: HandlersPane;
  readonly state: StatePane;
  readonly tasks: TasksPane;
  readonly task: TaskPane;
  readonly breakpoints: BreakpointsPane;
  readonly output: OutputPane;
  readonly problems: ProblemsPane;
  readonly node: NodePane;
  readonly value: Value;
  readonly search: SearchPane;
  readonly last_change: LastChangePane;
  readonly hit: HitPane;
  readonly compare: ComparePane;
  readonly branches: BranchesPane;
  readonly notes: NotesPane;
  readonly edited: EditedPane;
  readonly why: WhyPane;
  readonly why_not: WhyPane;
  readonly needs: NeedsPane;
  readonly ghosts: GhostsPane;
}
/**
 * Frames `since` to `to`, column by column. Dense columns have an entry a frame, the others (frame, count).
 */
export interface TimelinePane {
  readonly since: number;
  readonly to: number;
  readonly writes: ReadonlyArray<number>;
  readonly handlers: ReadonlyArray<number>;
  /**
   * Nodes mounted, unmounted, updated and moved.
   */
  readonly changes: ReadonlyArray<number>;
  readonly ms: ReadonlyArray<number>;
  readonly errors: ReadonlyArray<readonly [number, number]>;
  readonly hits: ReadonlyArray<readonly [number, number]>;
  /**
   * Tasks that began.
   */
  readonly tasks: ReadonlyArray<readonly [number, number]>;
  readonly output: ReadonlyArray<readonly [number, number]>;
  /**
   * Up to 3 keys that were changed, of the newest 200 frames.
   */
  readonly keys: ReadonlyArray<readonly [number, ReadonlyArray<string>]>;
}
export interface PlanPane {
  readonly frame: number;
  /**
   * True for the dry render before the first frame: nothing was executed or stored.
   */
  readonly dry: boolean;
  /**
   * The number of rows, removed ones included.
   */
  readonly total: number;
  /**
   * The name of this list of rows, for `Get.known`.
   */
  readonly version: number;
  /**
   * The frame that the marks compare with; 0 for none.
   */
  readonly base: number;
  /**
   * The execution that the marks compare with, where it is not this one.
   */
  readonly against: string | null;
  /**
   * The first `limit` rows; removed ones stand where they were. (start, count) stands for rows of the list that the
   * browser said it has.
   */
  readonly nodes: ReadonlyArray<PlanRow | readonly [number, number]>;
}
/**
 * A row of the plan tree, in document order (parents first).
 */
export interface PlanRow {
  readonly id: string;
  readonly parent: string | null;
  /**
   * 0 for a root.
   */
  readonly depth: number;
  readonly type: string;
  readonly key: string | null;
  /**
   * True when the user gave the id; a generated one is not shown in the tree's label.
   */
  readonly explicit_id: boolean;
  /**
   * The XML attributes in their order.
   */
  readonly attrs: ReadonlyArray<readonly [string, string]>;
  /**
   * The text of a text node.
   */
  readonly text: string | null;
  readonly events: ReadonlyArray<string>;
  /**
   * pending, running, succeeded, failed, cancelled … of a runnable or a phase; None for the rest.
   */
  readonly status: string | null;
  /**
   * True if the last call of one of its handlers raised.
   */
  readonly raised: boolean;
  /**
   * The mark against the frame before, or the one that is compared with.
   */
  readonly change: "" | "added" | "removed" | "changed" | "moved" | "remounted";
  /**
   * True where it moved; it may have changed as well.
   */
  readonly moved: boolean;
  /**
   * The reason why it was mounted again, when `change` is "remounted"; also for the removed node of such a pair.
   */
  readonly why: string | null;
  /**
   * The props that changed, when `change` is "changed".
   */
  readonly changes: ReadonlyArray<PropChange>;
  /**
   * The number of its children, sent or not.
   */
  readonly children: number;
  readonly source: string | null;
  readonly path: string;
  /**
   * The status in the frame that is compared with, where it differs.
   */
  readonly status_before: string | null;
  /**
   * The frame in which it was mounted, if that is this one; else 0.
   */
  readonly mounted: number;
  /**
   * Ids of the breakpoints on this node.
   */
  readonly breakpoints: ReadonlyArray<string>;
  /**
   * The newest task of the node.
   */
  readonly task_id: string | null;
}
export interface XmlPane {
  readonly frame: number;
  readonly dry: boolean;
  readonly text: string;
  readonly chars: number;
  readonly cut: boolean;
  readonly base: number;
  /**
   * As in the plan.
   */
  readonly against: string | null;
  /**
   * (line from 0, change, node id).
   */
  readonly marks: ReadonlyArray<readonly [number, string, string]>;
}
export interface PendingPane {
  readonly frame: number;
  readonly writes: ReadonlyArray<WriteRow>;
  readonly editable: boolean;
  /**
   * The names of the nodes that it tells of, by id.
   */
  readonly names: {
    [k: string]: string;
  };
}
export interface StatePane {
  readonly frame: number;
  readonly total: number;
  /**
   * The first `limit` by key, and all that changed.
   */
  readonly entries: ReadonlyArray<StateRow>;
  /**
   * The names of the nodes that it tells of, by id.
   */
  readonly names: {
    [k: string]: string;
  };
}
export interface StateRow {
  readonly scope: "state" | "vol";
  readonly key: string;
  readonly value: Value;
  /**
   * The first frame that could read this value.
   */
  readonly from_frame: number;
  /**
   * True when the newest flush changed it.
   */
  readonly changed: boolean;
  /**
   * The last author, in words: `on_finished of notes`, `operator`, `init`.
   */
  readonly writer: string | null;
  readonly writer_node: string | null;
  /**
   * The handler call that wrote it; None where no handler did.
   */
  readonly writer_id: string | null;
  /**
   * The value before.
   */
  readonly old: Value | null;
  readonly readers: ReadonlyArray<ReaderRow>;
  /**
   * Newest first, at most 5.
   */
  readonly history: ReadonlyArray<VersionRow>;
}
/**
 * A value that a key had.
 */
export interface VersionRow {
  /**
   * The first frame that read it.
   */
  readonly frame: number;
  /**
   * JSON, at most 60 characters.
   */
  readonly value: string;
  readonly writer: string | null;
}
export interface TasksPane {
  readonly frame: number;
  readonly now: number;
  /**
   * Newest first, 200.
   */
  readonly tasks: ReadonlyArray<TaskRow>;
  /**
   * The windows of the models that have refused a request; empty in a recorded frame.
   */
  readonly windows: ReadonlyArray<WindowRow>;
  /**
   * The names of the nodes by id, and by the ids of their tasks: in a loop, each in the iteration of its own.
   */
  readonly names: {
    [k: string]: string;
  };
}
/**
 * The times at which all agents of the file may ask a model of a provider.
 */
export interface WindowRow {
  /**
   * `provider:model`.
   */
  readonly name: string;
  /**
   * The end of the pause, in milliseconds since the epoch.
   */
  readonly opens: number | null;
  /**
   * The interval between requests, in milliseconds.
   */
  readonly apart_ms: number;
  readonly refused: number;
}
export interface TaskPane {
  readonly task_id: string;
  readonly node_id: string;
  readonly type: string | null;
  readonly iteration: number | null;
  readonly attempt: number;
  readonly max_attempts: number;
  readonly status: string;
  readonly reason: string | null;
  readonly worker: string | null;
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
  readonly can: ReadonlyArray<"cancel" | "retry" | "handle_again" | "answer">;
  readonly options: ReadonlyArray<string>;
  readonly prompt: Value | null;
  readonly result: Value | null;
  readonly trace: string | null;
  readonly source: string | null;
  /**
   * Oldest first.
   */
  readonly asked: ReadonlyArray<AskedRow>;
  /**
   * The number of requests before those of `conversation`.
   */
  readonly earlier: number;
  /**
   * The newest requests to models, oldest first.
   */
  readonly conversation: ReadonlyArray<ExchangeRow>;
  readonly tool_calls: ReadonlyArray<ToolCallRow>;
  readonly model_calls: ReadonlyArray<ModelCallRow>;
  /**
   * The names of the nodes that it tells of, by id.
   */
  readonly names: {
    [k: string]: string;
  };
}
export interface ToolCallRow {
  readonly id: number;
  readonly tool: string;
  /**
   * The agent that made it, where a tool of the node's agent ran that one.
   */
  readonly agent: string | null;
  readonly turn: number;
  readonly attempt: number;
  readonly status: string;
  readonly input: Value;
  readonly output: Value | null;
  readonly ms: number | null;
  readonly error: string | null;
}
export interface ProblemsPane {
  readonly frame: number;
  readonly total: number;
  /**
   * Errors first, then hints; of each the newest frame first.
   */
  readonly problems: ReadonlyArray<ProblemRow>;
  /**
   * The names of the nodes that it tells of, by id.
   */
  readonly names: {
    [k: string]: string;
  };
}
export interface SearchPane {
  readonly total: number;
  readonly found: ReadonlyArray<FoundRow>;
}
/**
 * The answers to a question about a target: the first one is the one that it asks for.
 */
export interface WhyPane {
  readonly of: string | null;
  readonly answers: ReadonlyArray<AnswerRow>;
  /**
   * The target of `needs`, where something is absent that an edit of the state may bring.
   */
  readonly takes: string | null;
}
/**
 * Ends the running move after its phase; tasks continue.
 */
export interface Pause {
  readonly type: "command";
  readonly id: string;
  readonly name: "pause";
  readonly execution_id?: string | null;
  /**
   * @maxItems 12
   */
  readonly ask?: ReadonlyArray<Get>;
}
/**
 * Asks whether the kernel still has this stepper; a pong answers at once.
 */
export interface Ping {
  readonly type: "ping";
  readonly id: string;
}
/**
 * The answer to a ping.
 */
export interface Pong {
  readonly type: "pong";
  readonly id: string;
}
/**
 * Predicts the next frame: which nodes start, which handlers fire, which keys are written.
 */
export interface Predict {
  readonly type: "command";
  readonly id: string;
  readonly name: "predict";
  readonly execution_id?: string | null;
  /**
   * the number of the next frame
   */
  readonly frame: number;
  /**
   * what it will do, as JSON: {"starts:notes": true}; nothing skips it
   */
  readonly said?: string | null;
  /**
   * the name of the learner
   */
  readonly learner?: string;
}
/**
 * The answers to a look, in one message: the page draws them together.
 */
export interface Replies {
  readonly type: "replies";
  readonly replies: ReadonlyArray<Reply>;
}
/**
 * Runs the task of a node again.
 */
export interface Retry {
  readonly type: "command";
  readonly id: string;
  readonly name: "retry";
  readonly execution_id?: string | null;
  /**
   * the id of a node whose task has ended
   */
  readonly node: string;
}
/**
 * Sets a key of the state to a value, given as JSON: the next frame reads it.
 */
export interface SetState {
  readonly type: "command";
  readonly id: string;
  readonly name: "set_state";
  readonly execution_id?: string | null;
  /**
   * a key of the state
   */
  readonly key: string;
  /**
   * the new value as JSON
   */
  readonly value: string;
}
/**
 * Shows another execution of the family in this stepper: the running one, or its records where none runs here.
 */
export interface Show {
  readonly type: "show";
  readonly execution_id: string;
}
/**
 * Runs one frame, up to its rest; or several, up to a breakpoint.
 */
export interface StepFrame {
  readonly type: "command";
  readonly id: string;
  readonly name: "step_frame";
  readonly execution_id?: string | null;
  /**
   * @maxItems 12
   */
  readonly ask?: ReadonlyArray<Get>;
  /**
   * the number of frames
   */
  readonly frames?: number;
}
/**
 * Runs the next phase.
 */
export interface StepPhase {
  readonly type: "command";
  readonly id: string;
  readonly name: "step_phase";
  readonly execution_id?: string | null;
  /**
   * @maxItems 12
   */
  readonly ask?: ReadonlyArray<Get>;
}
/**
 * Ends the running move and interrupts the tasks; a later step runs them again.
 */
export interface Stop {
  readonly type: "command";
  readonly id: string;
  readonly name: "stop";
  readonly execution_id?: string | null;
  /**
   * @maxItems 12
   */
  readonly ask?: ReadonlyArray<Get>;
}
/**
 * Runs until the key of the state, or the expression, is true.
 */
export interface Until {
  readonly type: "command";
  readonly id: string;
  readonly name: "until";
  readonly execution_id?: string | null;
  /**
   * @maxItems 12
   */
  readonly ask?: ReadonlyArray<Get>;
  /**
   * a state key, or an expression such as state['n'] > 3
   */
  readonly condition: string;
}
/**
 * Runs until nothing is left to do, or a frame has a problem.
 */
export interface UntilIdle {
  readonly type: "command";
  readonly id: string;
  readonly name: "until_idle";
  readonly execution_id?: string | null;
  /**
   * @maxItems 12
   */
  readonly ask?: ReadonlyArray<Get>;
}
/**
 * Tells why a node, value, handler call, frame or the execution is as it is: its causes, down to the roots.
 */
export interface Why {
  readonly type: "command";
  readonly id: string;
  readonly name: "why";
  readonly execution_id?: string | null;
  /**
   * a node, node.prop, node.on_finished, state:KEY, component, frame or id
   */
  readonly target?: string;
  /**
   * the frame that is asked about, by default the last one
   */
  readonly frame?: number | null;
}
/**
 * Tells what keeps a node, task, handler, write or frame from being there, outermost first.
 */
export interface WhyNot {
  readonly type: "command";
  readonly id: string;
  readonly name: "why_not";
  readonly execution_id?: string | null;
  /**
   * a node, node.prop, node.on_finished, state:KEY, component, frame or id
   */
  readonly target?: string;
  /**
   * the frame that is asked about, by default the last one
   */
  readonly frame?: number | null;
}
