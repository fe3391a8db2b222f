import { type Dispatch, type StateUpdater, useMemo, useRef } from "preact/hooks";
import { breakpointOn, type Subject, sameAs } from "../model/breakpoints";
import type { Client } from "../model/client";
import { motionTo } from "../model/comparison";
import { type Action, effectOf, isLook, whyOff } from "../model/controls";
import { type Cursor, goTo, LIVE, placeOfHit, seenFrame } from "../model/cursor";
import { EDITED } from "../model/panes";
import type { DifferenceRow } from "../model/protocol";
import {
  callShown,
  keyShown,
  nodeSelected,
  nodeShown,
  opened,
  questionAsked,
  selectedKey,
  subjectOf,
  taskShown,
  type UiState,
} from "../model/ui";
import { type Asked, askedOf, cursorOf, ledTo, questionAt, within } from "../model/why";
import { askedAt } from "./ask";
import { selectSource } from "./source";
import type { Actions } from "./ui";

type SetUi = Dispatch<StateUpdater<UiState>>;

/** What the controls and links do. Made once: rows that are handed them need not be drawn anew. */
export function useActions(client: Client, ui: UiState, setUi: SetUi, root: RootRef): Actions {
  const latest = useRef(ui);
  latest.current = ui;
  return useMemo(() => makeActions(client, latest, setUi, root), [client, setUi, root]);
}

export type RootRef = { readonly current: HTMLElement | null };

function makeActions(
  client: Client,
  ui: { readonly current: UiState },
  setUi: SetUi,
  root: RootRef,
): Actions {
  const repeats = new LastChanges(client);

  const toggleBreakpoint = (subject: Subject) => {
    const wanted = breakpointOn(subject);
    const there = sameAs(wanted, client.state.panes.breakpoints?.data?.breakpoints ?? []);
    if (there === undefined) client.order({ name: "break_add", ...wanted });
    else client.order({ name: "break_remove", breakpoint: there.id });
  };

  const view: Partial<Record<Action, () => void>> = {
    breakpoint: () => {
      const subject = subjectOf(ui.current);
      if (subject) toggleBreakpoint(subject);
      else client.say("Select a node, a key, a handler or a phase first, then press B.");
    },
    watch: () => {
      const key = selectedKey(ui.current);
      if (key) toggleBreakpoint({ kind: "key", ...key });
      else client.say("Select a key in State or Pending writes first, then press W.");
    },
    why: () => ask(askedAt(root.current) ?? askedOf(ui.current.selection, recordedFrame(client))),
    last_change: () => {
      const key = selectedKey(ui.current);
      if (key) repeats.seek(key.scope === "vol" ? `vol ${key.key}` : key.key);
      else client.say("Select a key in State or Pending writes first, then press L.");
    },
    edit: () => {
      const { selection } = ui.current;
      if (selection?.kind === "write") setUi((was) => ({ ...was, editing: selection.id }));
      else client.say("Select a pending write first, then press E.");
    },
    search: () => setUi((was) => ({ ...was, popup: "search" })),
    go_to: () => setUi((was) => ({ ...was, popup: "go_to" })),
    compare: () => setUi((was) => opened(was, "Compare")),
    first_difference: () => void showFirstDifference(client, show),
    gantt: () => setUi((was) => ({ ...was, gantt: !was.gantt })),
    help: () => setUi((was) => ({ ...was, popup: "help" })),
    fork: () => setUi((was) => ({ ...was, popup: "fork" })),
    export: () => setUi((was) => ({ ...was, popup: "export" })),
    branches: () => {
      client.renew("branches");
      setUi((was) => ({ ...was, popup: was.popup === "branches" ? null : "branches" }));
    },
  };

  const ask = (asked: Asked) => {
    const question = questionAt(within(asked, client.edge), client.state.cursor);
    setUi((was) => questionAsked(was, question));
  };

  const show = (row: DifferenceRow, name: string) => {
    const motion = motionTo(row, name, client.edge);
    if (motion !== null) client.look(motion);
    if (row.node_id !== null && row.child === null) {
      const id = row.node_id;
      setUi((was) => nodeSelected(was, id, id));
    }
  };

  const act = (action: Action) => {
    // Where nothing runs the keys of the steps walk through the records, and those of all else do nothing.
    const walks = ["step_phase", "step_frame", "continue", "until_idle"].includes(action);
    if (!client.acts && !walks && !isLook({ name: action })) return;
    const effect = effectOf(action, client.state.cursor, client.acts);
    switch (effect.kind) {
      case "walk":
        return client.walk(effect.walk);
      case "seek":
        return void seekHit(client, effect.direction);
      case "view":
        return view[effect.action]?.();
      case "command":
        if (effect.name === "stop" && asksToStop(client)) {
          return setUi((was) => ({ ...was, popup: "stop" }));
        }
        return void client.order({ name: effect.name } as Parameters<Client["order"]>[0]);
    }
  };

  return {
    acts: client.acts,
    act,
    toggleBreakpoint,
    open: (tab) => setUi((was) => opened(was, tab)),
    popup: (popup) => setUi((was) => ({ ...was, popup })),
    select: (selection) => setUi((was) => ({ ...was, selection })),
    selectNode: (id, rowKey) => setUi((was) => nodeSelected(was, id, rowKey)),
    setTree: (change) => setUi((was) => ({ ...was, tree: change(was.tree) })),
    showNode: (id) =>
      setUi((was) => nodeShown(was, client.state.panes.plan?.data?.nodes ?? [], id)),
    showKey: (key, scope) => setUi((was) => keyShown(was, key, scope)),
    selectTask: (task) => setUi((was) => ({ ...was, task })),
    showTask: (task) => setUi((was) => taskShown(was, task)),
    showCall: (call) => setUi((was) => callShown(was, call)),
    showFrame: (frame) => client.goTo(frame),
    showDifference: show,
    showSource: (source) => {
      if (!selectSource(root.current, source)) client.say(`This page has no cell for ${source}.`);
    },
    edit: (editing) => setUi((was) => ({ ...was, editing })),
    ask,
    setNeeds: (needs) => setUi((was) => ({ ...was, needs })),
    setAsked: (change) => setUi((was) => ({ ...was, asked: change(was.asked) })),
    follow: (statement) => {
      const cursor = cursorOf(statement, client.edge);
      if (cursor !== null) client.look({ cursor, note: null });
      setUi((was) => ledTo(was, statement, client.state.panes.plan?.data?.nodes ?? []));
    },
  };
}

/** The newest recorded frame that one may mean: the one in progress has no causes in the file yet. */
const recordedFrame = ({ state, edge }: Client): number =>
  Math.min(seenFrame(state.cursor, edge), edge.recorded);

/** Whether tasks are running that Stop would end. */
function asksToStop(client: Client): boolean {
  const { summary, underway, connected } = client.state;
  return (
    (summary?.counts.running ?? 0) > 0 && whyOff("stop", summary, underway, connected) === null
  );
}

const told = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** To the nearest breakpoint hit in the records; ahead of the last one is the live edge. */
async function seekHit(client: Client, direction: "back" | "forward"): Promise<void> {
  const { at, phase } = client.state.cursor;
  try {
    const hit = await client.ask({ pane: "hit", at, phase, direction });
    if (hit.found !== null) {
      client.look({ cursor: placeOfHit(hit.found), note: hit.found.text });
    } else if (direction === "forward") client.walk("live");
    else client.say(hit.text);
  } catch (error) {
    client.say(told(error));
  }
}

/** The first difference from the execution that is compared with: where none is chosen yet, it is said how to. */
async function showFirstDifference(
  client: Client,
  show: (row: DifferenceRow, name: string) => void,
): Promise<void> {
  const { other } = client.state;
  const edited = client.state.panes.edited?.data ?? null;
  if (other === EDITED && edited !== null) {
    if (edited.first === null) return client.say(edited.text);
    return client.look({ ...goTo(edited.first, client.edge), note: edited.text });
  }
  if (other === null) return client.say("Choose an execution to compare with first: press O.");
  const { at, phase } = client.state.cursor;
  try {
    const { rows, name, text } = await client.ask({ pane: "compare", other, at, phase, limit: 1 });
    const first = rows[0];
    if (first === undefined) client.say(text);
    else show(first, name);
  } catch (error) {
    client.say(told(error));
  }
}

/** L, and L again: each time the change before. */
class LastChanges {
  private key: string | null = null;
  private before: readonly [number, number] | null = null;

  constructor(private readonly client: Client) {}

  async seek(key: string): Promise<void> {
    const before = key === this.key ? this.before : null;
    const { at, phase } = this.client.state.cursor;
    try {
      const change = await this.client.ask({ pane: "last_change", of: key, at, phase, before });
      this.key = key;
      this.before = change.before;
      if (change.found === null) this.client.say(change.text);
      else {
        const cursor: Cursor = { at: change.found.frame, phase: "FLUSH" };
        const live = change.found.frame >= this.client.edge.frame;
        this.client.look({ cursor: live ? LIVE : cursor, note: change.text });
      }
    } catch (error) {
      this.client.say(told(error));
    }
  }
}
