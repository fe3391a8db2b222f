import { PHASES } from "../src/model/cursor";
import {
  type AnswerRow,
  type BranchRow,
  type BreakpointRow,
  type CallRow,
  type ComparePane,
  type DifferenceRow,
  type EditedPane,
  type HitRow,
  type NeedsPane,
  type PaneData,
  type PlanRow,
  PROTOCOL,
  type ProblemRow,
  type RunningRow,
  type StatementRow,
  type Summary,
  type TaskPane,
  type TaskRow,
  type Value,
  VERSIONED,
  type Versions,
  type WriteRow,
} from "../src/model/protocol";

/** Text that would do harm as HTML, reverse its surroundings or hide. */
export const HOSTILE = `<img src=x onerror="window.pwned=1"></script><b>&amp; \u202eevil\u202c 'q'`;

export function summary(change: Partial<Summary> = {}): Summary {
  const seq = change.seq ?? 1;
  return {
    protocol: PROTOCOL,
    seq,
    name: "report",
    execution_id: "e1",
    status: "paused",
    reason: "",
    standing: "at rest",
    over: false,
    frame: 4,
    phase: "EFFECTS",
    phases: PHASES.map((name, at) => ({
      name,
      state: at < 6 ? "done" : "current",
      ms: at < 6 ? (name === "COMMIT" ? 63.81 : 0.25) : null,
    })),
    sentence: "Frame 4 is at rest: 1 write is pending.",
    kind: "rest",
    busy: null,
    counts: {
      nodes: 3,
      pending: 1,
      handlers: 1,
      state: 1,
      problems: 0,
      running: 0,
      output: 0,
      tasks: 1,
      breakpoints: 0,
    },
    tokens: 1312,
    cost_usd: null,
    problems: [],
    error: null,
    recorded: 4,
    versions: versions(seq),
    running: [],
    questions: [],
    hit: null,
    breakpoints: 0,
    read_only: null,
    edited: 0,
    limits: [],
    now: Date.now(),
    ...change,
  };
}

/** Every pane has changed with the summary of that number. */
export const versions = (seq: number): Versions =>
  Object.fromEntries(VERSIONED.map((pane) => [pane, seq])) as unknown as Versions;

export function node(id: string, change: Partial<PlanRow> = {}): PlanRow {
  return {
    id,
    parent: null,
    depth: 0,
    type: "step",
    key: null,
    explicit_id: false,
    attrs: [],
    text: null,
    events: [],
    status: null,
    change: "",
    changes: [],
    children: 0,
    source: null,
    path: `App/${id}`,
    moved: false,
    why: null,
    status_before: null,
    raised: false,
    mounted: 1,
    breakpoints: [],
    task_id: null,
    ...change,
  };
}

export function value(text: string, change: Partial<Value> = {}): Value {
  return { text, chars: text.length, cut: false, type: "str", ref: null, ...change };
}

export function write(change: Partial<WriteRow> = {}): WriteRow {
  return {
    id: "w1",
    order: 1,
    scope: "state",
    key: "notes",
    op: "set",
    old: null,
    new: value('"1. tides"'),
    origin: "on_finished of notes",
    origin_id: "h1",
    node_id: "notes",
    handler: "on_finished",
    trigger: "the task finished",
    status: "queued",
    frame: 4,
    outcome: null,
    conflict: null,
    noop: false,
    readers: [],
    edited: null,
    ...change,
  };
}

/** research > claude#notes > text, and write. */
export const TREE: readonly PlanRow[] = [
  node("research", { type: "phase", children: 1, attrs: [["name", "research"]] }),
  node("notes", { parent: "research", depth: 1, type: "claude", explicit_id: true, children: 1 }),
  node("t", { parent: "notes", depth: 2, type: "text", text: "Give two notes." }),
  node("write", { type: "phase" }),
];

export const hit = (change: Partial<HitRow> = {}): HitRow => ({
  breakpoint_id: "b1",
  frame: 2,
  phase: "RECONCILE",
  text: "node notes was mounted",
  node_id: "notes",
  log_only: false,
  at: 0,
  ...change,
});

export const breakpoint = (change: Partial<BreakpointRow> = {}): BreakpointRow => ({
  id: "b1",
  kind: "node",
  target: "notes",
  event: "mount",
  value: null,
  when: null,
  once: false,
  enabled: true,
  log_only: false,
  hits: 1,
  after: 1,
  text: "when node notes is mounted",
  error: null,
  ...change,
});

export const call = (change: Partial<CallRow> = {}): CallRow => ({
  id: "h1",
  frame: 4,
  node_id: "notes",
  task_id: "t1",
  event: "on_finished",
  status: "ok",
  writes: 1,
  ms: 0.5,
  error: null,
  source: "report:12:5",
  seq: 1,
  phase: "EXECUTE",
  trigger: "notes succeeded",
  ...change,
});

export const taskRow = (change: Partial<TaskRow> = {}): TaskRow => ({
  task_id: "t1",
  node_id: "notes",
  type: "claude",
  iteration: null,
  attempt: 1,
  max_attempts: 3,
  status: "succeeded",
  reason: null,
  frame: 1,
  settled_frame: 2,
  started: 1000,
  ended: 3500,
  retry_at: null,
  requests: 1,
  tokens: 42,
  cost_usd: null,
  tools: 0,
  tail: "",
  error: null,
  can: [],
  options: [],
  ...change,
});

export const task = (change: Partial<TaskPane> = {}): TaskPane => ({
  ...taskRow(),
  prompt: null,
  result: null,
  trace: null,
  source: null,
  asked: [],
  earlier: 0,
  conversation: [],
  tool_calls: [],
  model_calls: [],
  ...change,
});

export const running = (change: Partial<RunningRow> = {}): RunningRow => ({
  task_id: "t1",
  node_id: "notes",
  status: "running",
  reason: null,
  attempt: 1,
  max_attempts: 3,
  started: Date.now() - 5000,
  retry_at: null,
  tail: "",
  tokens: null,
  cost_usd: null,
  ...change,
});

export function panes(change: Partial<PaneData> = {}): PaneData {
  return {
    frame: {
      frame: 4,
      recorded: false,
      status: "open",
      phase: "EFFECTS",
      last_phase: "EFFECTS",
      phases: PHASES.map((name) => ({ name, state: "done", ms: 1 })),
      sentence: "Frame 4 is at rest: 1 write is pending.",
      kind: "rest",
      did: [],
      reason: [],
      created: null,
      counts: {
        mounted: 0,
        unmounted: 0,
        updated: 0,
        moved: 0,
        writes: 0,
        handlers: 0,
        problems: 0,
        output: 0,
      },
      hits: [],
    },
    gantt: {
      nodes: ["claude #notes", "claude #draft"],
      tasks: [
        ["notes@1", 0, "succeeded", 1, 2],
        ["draft@3", 1, "running", 3, null],
      ],
      more: false,
    },
    timeline: {
      since: 1,
      to: 4,
      writes: [0, 2, 1, 0],
      handlers: [0, 1, 0, 0],
      changes: [3, 0, 1, 0],
      ms: [1, 1, 1, 1],
      errors: [[3, 1]],
      hits: [[2, 1]],
      tasks: [],
      output: [],
      keys: [[2, ["notes"]]],
    },
    plan: {
      frame: 4,
      dry: false,
      total: TREE.length,
      version: 1,
      base: 3,
      against: null,
      nodes: TREE,
    },
    xml: {
      frame: 4,
      dry: false,
      text: '<phase name="research"/>',
      chars: 24,
      cut: false,
      base: 3,
      against: null,
      marks: [],
    },
    pending: { frame: 4, writes: [write()], editable: true },
    handlers: { frame: 4, calls: [], never: [] },
    state: { frame: 4, total: 0, entries: [] },
    tasks: { frame: 4, now: 10_000, tasks: [], windows: [] },
    task: task(),
    breakpoints: { breakpoints: [], hits: [] },
    output: { frame: 4, total: 0, entries: [] },
    problems: { frame: 4, total: 0, problems: [] },
    node: {
      id: "notes",
      path: "App/notes",
      type: "claude",
      key: null,
      explicit_id: true,
      source: null,
      mounted: 1,
      status: null,
      raised: false,
      change: "",
      changes: [],
      why: null,
      removed: false,
      props: [],
      text: null,
      events: [],
      task: null,
      component: null,
      reads: [],
      breakpoints: [],
    },
    value: value('"all of it"'),
    search: { total: 0, found: [] },
    last_change: { found: null, before: null, text: "nothing before frame 1 wrote it" },
    hit: { found: null, before: null, text: "no breakpoint hit before" },
    edited: { text: "", first: null, last: 0, total: 0, frames: [], pending: [] },
    compare: comparison({ execution_id: null, name: "", text: "", total: 0, rows: [] }),
    branches: {
      family: [branch({})],
      line: [{ execution_id: "e1", name: "report", first: 1, last: null }],
      store: "Store('smithers.db')",
      app: "Report",
    },
    notes: { notes: [] },
    why: { of: null, answers: [], takes: null },
    why_not: { of: null, answers: [], takes: null },
    needs: needs({}),
    ghosts: { frame: 1, total: 0, nodes: [], unknown: [] },
    ...change,
  };
}

export const statement = (change: Partial<StatementRow>): StatementRow => ({
  text: "notes was written",
  depth: 0,
  frame: 2,
  phase: "FLUSH",
  node_id: "notes",
  source: "report:14:9",
  table: "transitions",
  row_id: "2w1",
  execution: null,
  evidence: "recorded",
  link: null,
  ...change,
});

export const answer = (statements: readonly StatementRow[], question = "why?"): AnswerRow => ({
  question,
  negative: false,
  statements: [...statements],
  more: 0,
});

export const needs = (change: Partial<NeedsPane>): NeedsPane => ({
  of: "end",
  frame: 2,
  answer: answer([statement({ text: "end would be in the plan if score were 7" })]),
  found: true,
  after: 1,
  state: '{"score": 7}',
  code: "ex.needs('end', frame=2).fork()",
  ...change,
});

/** Every pane with the text in every field that is the user's or a model's. */
export function panesFullOf(text: string): PaneData {
  const attrs: PlanRow["attrs"] = [[text, text]];
  const changes = [{ prop: text, old: text, new: text }];
  const full = { text, node_id: text, source: text, table: text, row_id: text, link: text };
  const told = [statement(full), statement({ ...full, depth: 1, execution: text })];
  const readers = [{ component: text, path: text, node_id: text }];
  const all = value(text, { type: text });
  const row = taskRow({
    node_id: text,
    type: text,
    status: text,
    reason: text,
    tail: text,
    error: text,
    can: ["answer", "cancel"],
    options: [text],
  });
  const shown = node(text, {
    type: text,
    key: text,
    explicit_id: true,
    attrs,
    text,
    events: [text],
    status: text,
    status_before: text,
    change: "remounted",
    why: text,
    changes,
    source: text,
    path: text,
  });
  return panes({
    edited: edit({ text }),
    compare: comparison({ name: text, text, rows: [difference(text)] }),
    why: { of: null, answers: [answer(told, text)], takes: text },
    why_not: { of: text, answers: [answer(told, text)], takes: text },
    needs: needs({ of: text, answer: answer(told, text), state: text, code: text }),
    ghosts: {
      frame: 4,
      total: 1,
      nodes: [
        {
          of: text,
          type: text,
          name: text,
          component: text,
          source: text,
          guards: [text],
          depth: 0,
          parent: null,
          after: null,
        },
      ],
      unknown: [text],
    },
    plan: { frame: 4, dry: false, total: 1, version: 1, base: 3, against: null, nodes: [shown] },
    xml: {
      frame: 4,
      dry: false,
      text,
      chars: text.length,
      cut: false,
      base: 3,
      against: null,
      marks: [[0, "changed", text]],
    },
    pending: {
      frame: 4,
      editable: true,
      writes: [
        write({
          scope: text,
          key: text,
          old: value(text),
          new: value(text),
          origin: text,
          node_id: text,
          handler: text,
          trigger: text,
          status: text,
          outcome: text,
          conflict: text,
          edited: text,
          readers,
        }),
      ],
    },
    handlers: {
      frame: 4,
      calls: [
        call({
          node_id: text,
          task_id: text,
          event: text,
          status: "raised",
          error: text,
          source: text,
          trigger: text,
        }),
      ],
      never: [{ node_id: text, event: text, type: text, source: text, why: text }],
    },
    state: {
      frame: 4,
      total: 1,
      entries: [
        {
          key: text,
          value: all,
          from_frame: 1,
          changed: true,
          writer: text,
          scope: "state",
          writer_node: text,
          writer_id: text,
          old: value(text),
          readers,
          history: [
            { frame: 2, value: text, writer: text },
            { frame: 1, value: text, writer: text },
          ],
        },
      ],
    },
    tasks: {
      frame: 4,
      now: 10_000,
      tasks: [row],
      windows: [{ name: text, opens: 12_000, apart_ms: 220, refused: 3 }],
    },
    task: task({
      ...row,
      prompt: all,
      result: all,
      trace: text,
      source: text,
      asked: [
        {
          approval_id: text,
          kind: "tool",
          prompt: text,
          options: [text],
          payload: all,
          diff: `-${text}\n+${text}`,
          status: "waiting",
          choice: text,
          comment: text,
          args: text,
          edited: true,
          result: all,
        },
      ],
      earlier: 3,
      conversation: [
        {
          id: 1,
          heading: text,
          ending: text,
          ms: 12.5,
          status: "failed",
          parts: [{ role: "system", kind: text, label: text, text: all, ms: null }],
          results: [{ role: "tool", kind: "thinking", label: text, text: all, ms: 1 }],
        },
      ],
      tool_calls: [
        {
          id: 1,
          tool: text,
          agent: text,
          turn: 1,
          attempt: 1,
          status: text,
          input: all,
          output: all,
          ms: 1,
          error: null,
        },
      ],
      model_calls: [
        {
          id: 1,
          turn: 1,
          attempt: 1,
          model: text,
          agent: null,
          answered_by: "cache",
          input_tokens: 1,
          output_tokens: 1,
          cost_usd: null,
          ms: 1,
          error: text,
          response: null,
        },
      ],
    }),
    breakpoints: {
      breakpoints: [breakpoint({ target: text, event: text, when: text, text, error: text })],
      hits: [hit({ text, node_id: text, phase: text })],
    },
    output: {
      frame: 4,
      total: 1,
      entries: [
        {
          id: 1,
          frame: 4,
          phase: text,
          node_id: null,
          where: text,
          stream: "stdout",
          text,
          cut: false,
          ref: null,
          at: 0,
        },
      ],
    },
    problems: { frame: 4, total: 1, problems: [problem(text)] },
    node: {
      ...panes().node,
      id: text,
      path: text,
      type: text,
      key: text,
      source: text,
      status: text,
      change: "remounted",
      changes,
      why: text,
      props: [{ name: text, value: all }],
      text: all,
      events: [{ event: text, calls: 1, last: text }],
      task: row,
      component: text,
      reads: [
        {
          key: text,
          scope: "state",
          value: all,
          from_frame: 1,
          writer: text,
          writer_node: text,
        },
      ],
    },
  });
}

/** An execution of a family. */
export const branch = (change: Partial<BranchRow>): BranchRow => ({
  execution_id: "e1",
  name: "report",
  parent_id: null,
  depth: 0,
  at: null,
  status: "paused",
  reason: "",
  changed: [],
  last: 4,
  runs: true,
  variable: "report",
  ...change,
});

export const problem = (text: string): ProblemRow => ({
  kind: text,
  message: text,
  node_id: text,
  phase: text,
  source: text,
  frame: 4,
  advice: text,
  severity: "error",
});

export function difference(text: string, change: Partial<DifferenceRow> = {}): DifferenceRow {
  return {
    what: text,
    node_id: text,
    node: text,
    key: text,
    iteration: 2,
    child: null,
    here: text,
    there: text,
    frame: 3,
    other_frame: 5,
    frames: "f3 | f5",
    ...change,
  };
}

export function comparison(change: Partial<ComparePane> = {}): ComparePane {
  return {
    frame: 4,
    execution_id: "b1",
    name: "wind",
    other_frame: 6,
    text: "report and wind differ in 2 places, the first in frame 3.",
    total: 2,
    rows: [
      difference("text", { node: "notes", node_id: "notes", key: null, iteration: null }),
      difference("task", {
        node: "inner",
        node_id: "inner",
        child: "below",
        frame: 0,
        other_frame: 0,
      }),
    ],
    choices: [
      {
        execution_id: "b1",
        name: "wind",
        status: "finished",
        kind: "branch",
        family: true,
        created: 0,
      },
      {
        execution_id: "r2",
        name: "old",
        status: "failed",
        kind: "run",
        family: false,
        created: null,
      },
    ],
    more: 0,
    ...change,
  };
}

export const edit = (change: Partial<EditedPane> = {}): EditedPane => ({
  text: "Frame 4 is the first that differs: draft's prompt. A branch reuses 11 of 14 answers, asks 3 again, about $0.04.",
  first: 4,
  last: 9,
  total: 6,
  frames: [[4, 9]],
  pending: [[1, 3]],
  ...change,
});
