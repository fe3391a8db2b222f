import type { ComponentChildren } from "preact";
import type { PaneState } from "../model/client";
import type { Tab } from "../model/layout";
import { panelId, tabId } from "./tabs";

interface PanelProps {
  readonly ids: string;
  readonly tab: Tab;
  readonly busy?: boolean;
  readonly seq?: number;
  readonly children: ComponentChildren;
}

export function Panel({ ids, tab, busy = false, seq, children }: PanelProps) {
  return (
    <div
      class="ss-panel"
      role="tabpanel"
      id={panelId(ids, tab)}
      aria-labelledby={tabId(ids, tab)}
      aria-busy={busy}
      data-seq={seq}
    >
      {children}
    </div>
  );
}

interface FetchedProps<Data> {
  readonly ids: string;
  readonly tab: Tab;
  readonly pane: PaneState<Data>;
  readonly children: (data: Data) => ComponentChildren;
}

/** A panel whose data is fetched: what was there stays, dimmed, until the new has come. */
export function FetchedPanel<Data>({ ids, tab, pane, children }: FetchedProps<Data>) {
  return (
    <Panel ids={ids} tab={tab} busy={pane.loading} seq={pane.seq}>
      {pane.data === null ? <p class="ss-empty ss-waiting">Loading…</p> : children(pane.data)}
    </Panel>
  );
}

export function DryNote({ dry }: { readonly dry: boolean }) {
  if (!dry) return null;
  return (
    <p class="ss-note">
      No frames yet. Press N to render the first. This is a dry render: nothing has been executed.
    </p>
  );
}
