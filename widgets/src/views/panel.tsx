import type { ComponentChildren } from "preact";
import type { Tab, Watched } from "../model/layout";
import type { Held } from "../model/panes";
import type { Pane } from "../model/protocol";
import { NamesContext } from "./links";
import { panelId, tabId } from "./tabs";
import { useUi } from "./ui";

interface PanelProps {
  readonly tab: Tab;
  readonly busy?: boolean;
  readonly at?: number | null | undefined;
  readonly children: ComponentChildren;
}

export function Panel({ tab, busy = false, at, children }: PanelProps) {
  const { ids } = useUi();
  return (
    <div
      class="ss-panel"
      role="tabpanel"
      id={panelId(ids, tab)}
      aria-labelledby={tabId(ids, tab)}
      aria-busy={busy}
      data-at={at === undefined ? undefined : (at ?? "live")}
    >
      {children}
    </div>
  );
}

interface FetchedProps<P extends Pane> {
  readonly tab: Tab;
  readonly pane: P;
  /** The node or task that it is about. */
  readonly of?: string | null;
  /** Where it is looked at, if not at the cursor. */
  readonly place?: Watched["place"];
  /** Shown where there is nothing to fetch. */
  readonly none?: ComponentChildren;
  readonly children: (data: Held[P]) => ComponentChildren;
}

/** A panel whose data is fetched: what was there stays, dimmed, until the new has come. */
export function FetchedPanel<P extends Pane>(props: FetchedProps<P>) {
  const { tab, pane, of = null, place, none, children } = props;
  const { client, state } = useUi();
  const slot = state.panes[pane];
  const fits = client.fits({ pane, of, ...(place && { place }) });
  if (none !== undefined) {
    return (
      <Panel tab={tab}>{typeof none === "string" ? <p class="ss-empty">{none}</p> : none}</Panel>
    );
  }
  if (!state.connected && !fits) {
    return (
      <Panel tab={tab}>
        <p class="ss-empty">There is no kernel, and this was not fetched before it went away.</p>
      </Panel>
    );
  }
  const data = slot?.data ?? null;
  return (
    <Panel
      tab={tab}
      busy={(slot?.loading ?? true) && !fits}
      at={fits ? (place ?? state.settled).at : undefined}
    >
      {data === null ? (
        <p class="ss-empty ss-waiting">Loading…</p>
      ) : (
        <NamesContext.Provider value={namesIn(data)}>
          {children(data as Held[P])}
        </NamesContext.Provider>
      )}
    </Panel>
  );
}

const NO_NAMES: Readonly<Record<string, string>> = {};

const namesIn = (data: object): Readonly<Record<string, string>> =>
  "names" in data ? (data.names as Readonly<Record<string, string>>) : NO_NAMES;

export function DryNote({ dry }: { readonly dry: boolean }) {
  if (!dry) return null;
  return (
    <p class="ss-note">
      No frames yet. Press N to render the first. This is a dry render: nothing has been executed.
    </p>
  );
}
