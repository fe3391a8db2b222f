import type {
  PaneData,
  PendingWrite,
  PlanNode,
  Problem,
  Summary,
  Value,
} from "../src/model/protocol";

/** Text that would do harm as HTML, reverse its surroundings or hide. */
export const HOSTILE = `<img src=x onerror="window.pwned=1"></script><b>&amp; \u202eevil\u202c 'q'`;

const PHASES = ["SNAPSHOT", "RENDER", "RECONCILE", "COMMIT", "EXECUTE", "EFFECTS", "FLUSH"];

export function summary(change: Partial<Summary> = {}): Summary {
  return {
    protocol: 1,
    seq: 1,
    name: "report",
    execution_id: "e1",
    status: "paused",
    reason: "",
    over: false,
    frame: 4,
    phase: "EFFECTS",
    phases: PHASES.map((name, at) => ({
      name,
      state: at < 6 ? "done" : "current",
      ms: at < 6 ? (name === "COMMIT" ? 63.81 : 0.25) : null,
    })),
    sentence: "Frame 4 is at rest: 1 write pending.",
    busy: null,
    counts: { nodes: 3, pending: 1, handlers: 1, state: 1, problems: 0, running: 0 },
    tokens: 1312,
    cost_usd: null,
    problems: [],
    error: null,
    ...change,
  };
}

export function node(id: string, change: Partial<PlanNode> = {}): PlanNode {
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
    ...change,
  };
}

export function value(text: string, change: Partial<Value> = {}): Value {
  return { text, chars: text.length, cut: false, type: "str", ...change };
}

export function write(change: Partial<PendingWrite> = {}): PendingWrite {
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
    ...change,
  };
}

/** research > claude#notes > text, and write. */
export const TREE: readonly PlanNode[] = [
  node("research", { type: "phase", children: 1, attrs: [["name", "research"]] }),
  node("notes", { parent: "research", depth: 1, type: "claude", explicit_id: true, children: 1 }),
  node("t", { parent: "notes", depth: 2, type: "text", text: "Give two notes." }),
  node("write", { type: "phase" }),
];

export function panes(change: Partial<PaneData> = {}): PaneData {
  return {
    plan: { frame: 4, dry: false, total: TREE.length, nodes: TREE },
    xml: { frame: 4, dry: false, text: '<phase name="research"/>', chars: 24, cut: false },
    pending: { frame: 4, writes: [write()] },
    handlers: { frame: 4, calls: [] },
    state: { frame: 4, total: 0, entries: [] },
    ...change,
  };
}

/** Every pane with the text in every field that is the user's or a model's. */
export function panesFullOf(text: string): PaneData {
  const attrs: PlanNode["attrs"] = [[text, text]];
  const changes = [{ prop: text, old: text, new: text }];
  return {
    plan: {
      frame: 4,
      dry: false,
      total: 1,
      nodes: [
        node(text, {
          type: text,
          key: text,
          explicit_id: true,
          attrs,
          text,
          events: [text],
          status: text,
          change: "changed",
          changes,
          source: text,
          path: text,
        }),
      ],
    },
    xml: { frame: 4, dry: false, text, chars: text.length, cut: false },
    pending: {
      frame: 4,
      writes: [
        write({
          scope: text,
          key: text,
          old: value(text),
          new: value(text),
          origin: text,
          node_id: text,
          trigger: text,
          status: text,
        }),
      ],
    },
    handlers: {
      frame: 4,
      calls: [
        {
          id: "c1",
          frame: 4,
          node_id: text,
          task_id: text,
          event: text,
          status: "raised",
          writes: 1,
          ms: 0.5,
          error: text,
          source: text,
        },
      ],
    },
    state: {
      frame: 4,
      total: 1,
      entries: [
        {
          key: text,
          value: value(text, { type: text }),
          from_frame: 1,
          changed: true,
          writer: text,
        },
      ],
    },
  };
}

export const problem = (text: string): Problem => ({
  kind: text,
  message: text,
  node_id: text,
  phase: text,
  source: text,
});
