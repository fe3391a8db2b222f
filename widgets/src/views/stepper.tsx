import { useEffect, useId, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Client, ClientState } from "../model/client";
import { groupsOf, watchedIn } from "../model/layout";
import { type PhaseChip, type PlanRow, PROTOCOL, type Summary } from "../model/protocol";
import { visible } from "../model/text";
import { followed } from "../model/tree";
import { FIRST_UI, selectedNode, turned, type UiState } from "../model/ui";
import { shownQuestion } from "../model/why";
import { useActions } from "./actions";
import { type Address, useAddress } from "./address";
import { Alerts } from "./alerts";
import { Header } from "./header";
import { useClient, useConnection, useRoom } from "./hooks";
import { actionPressed, keepFromPage, keepShortcutsAway } from "./keys";
import { Panes } from "./panes";
import { Phases } from "./phases";
import { Popups } from "./popups";
import { Predict } from "./predict";
import { Sentence } from "./sentence";
import { TimelineView } from "./timeline";
import { Toolbar } from "./toolbar";
import { UiContext } from "./ui";

const NO_NODES: readonly PlanRow[] = [];

interface StepperProps {
  readonly client: Client;
  /** The part of the page's address that names a place, where the page is the stepper's. */
  readonly address?: Address;
}

export function Stepper({ client, address }: StepperProps) {
  const state = useClient(client);
  const { summary, cursor } = state;
  const root = useRef<HTMLElement>(null);
  const ids = useId();
  const room = useRoom(root);
  useConnection(client, root);
  const [ui, setUi] = useState(FIRST_UI);
  const actions = useActions(client, ui, setUi, root);
  const groups = useMemo(() => groupsOf(ui.choice, room, client.acts), [client, ui.choice, room]);
  const edited = (summary?.edited ?? 0) > 0;
  const { gantt } = ui;
  const nodes = state.panes.plan?.data?.nodes ?? NO_NODES;
  const node = selectedNode(ui) ?? followed(nodes);
  const question = shownQuestion(ui.asked);
  const { ghosts } = ui.tree;
  const task = ui.task ?? nodes.find(({ id }) => id === node)?.task_id ?? null;

  useEffect(
    () => client.watch(watchedIn(groups, { node, task, edited, gantt, question, ghosts })),
    [client, groups, node, task, edited, gantt, question, ghosts],
  );
  useEffect(() => (root.current ? keepShortcutsAway(root.current) : undefined), []);
  useRestoredFocus(root, ui);
  const shown = summary?.execution_id;
  useEffect(() => setUi(turned), [shown]);
  useAddress(address, { client, ui, setUi });

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Escape") {
      const open = ui.popup !== null || ui.editing !== null;
      if (!open) {
        backToPage(root.current);
        return;
      }
      keepFromPage(event);
      if (ui.popup !== null) actions.popup(null);
      else actions.edit(null);
      return;
    }
    keepFromPage(event);
    const action = ui.popup === null ? actionPressed(event) : null;
    if (action === null) return;
    event.preventDefault();
    actions.act(action);
  };

  return (
    <UiContext.Provider value={{ client, state, ui, actions, ids }}>
      <section
        class="smithers-stepper"
        ref={root}
        tabIndex={-1}
        aria-label={`Stepper ${visible(summary?.name ?? "")}`.trim()}
        data-cursor={cursor.at ?? "live"}
        data-room={room}
        data-seq={summary?.seq}
        data-execution={summary?.execution_id}
        data-frame={summary?.frame}
        data-phase={summary?.phase ?? ""}
        data-status={summary?.status}
        data-connected={state.connected}
        data-file={!client.acts || undefined}
        onKeyDown={onKeyDown}
      >
        {summary && <Header summary={summary} />}
        <div class="ss-controls">
          <Toolbar />
          {summary && <Phases phases={chipsOf(state, summary)} />}
          <Popups />
        </div>
        {room !== "tiny" && <TimelineView />}
        <Sentence />
        <Predict />
        <Alerts alerts={state.alerts} dismiss={(alert) => client.dismiss(alert)} />
        {summary?.protocol === PROTOCOL && groups.length > 0 && (
          <Panes groups={groups} summary={summary} node={node} task={task} />
        )}
      </section>
    </UiContext.Provider>
  );
}

/** The phases of the frame that is seen; until they have come those of the live one without their times. */
function chipsOf({ settled, panes }: ClientState, { phases }: Summary): readonly PhaseChip[] {
  const head = panes.frame?.data;
  if (settled.at === null) return phases;
  if (head?.frame === settled.at) return head.phases;
  return phases.map(({ name }) => ({ name, state: "done", ms: null }));
}

/** When a popup closes the focus goes back to where it was. */
function useRestoredFocus(root: { readonly current: HTMLElement | null }, ui: UiState): void {
  const before = useRef<HTMLElement | null>(null);
  const open = ui.popup ?? ui.editing;
  const last = useRef(open);
  if (open !== null && last.current === null)
    before.current = document.activeElement as HTMLElement | null;
  useLayoutEffect(() => {
    if (last.current !== null && open === null) {
      const target = before.current;
      const home = root.current;
      if (target?.isConnected && home?.contains(target)) target.focus();
      else (control(home, last.current) ?? home)?.focus();
    }
    last.current = open;
  }, [open, root]);
}

/** With nothing to close, Esc goes back to the page: in JupyterLab to the notebook around. */
function backToPage(root: HTMLElement | null): void {
  const around = root?.parentElement?.closest<HTMLElement>("[tabindex]");
  if (around) around.focus({ preventScroll: true });
  else (document.activeElement as HTMLElement | null)?.blur();
}

/** The button in the toolbar that opened a popup. */
const control = (root: HTMLElement | null, name: string): HTMLElement | null =>
  [...(root?.querySelectorAll<HTMLElement>("[data-control]") ?? [])].find(
    ({ dataset }) => dataset.control === name,
  ) ?? null;
