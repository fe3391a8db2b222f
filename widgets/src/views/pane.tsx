import type { Client, ClientState } from "../model/client";
import type { DetailTab, PlanTab, Tab } from "../model/layout";
import type { Summary } from "../model/protocol";
import { HandlersView } from "./handlers";
import { FetchedPanel, Panel } from "./panel";
import { PendingView } from "./pending";
import { ProblemsView } from "./problems";
import { StateView } from "./state";
import { type SetTreeChoice, type TreeChoice, TreeView } from "./tree";
import { XmlView } from "./xml";

export interface PaneProps {
  readonly client: Client;
  readonly state: ClientState;
  readonly summary: Summary;
  readonly ids: string;
  readonly tree: TreeChoice;
  readonly setTree: SetTreeChoice;
}

/** The panel of a tab. */
export function PaneOf({ tab, ...props }: PaneProps & { readonly tab: Tab }) {
  return tab === "Tree" || tab === "XML" ? (
    <PlanPane tab={tab} {...props} />
  ) : (
    <DetailPane tab={tab} {...props} />
  );
}

function PlanPane({ tab, client, state, ids, tree, setTree }: PaneProps & { tab: PlanTab }) {
  if (tab === "Tree") {
    return (
      <FetchedPanel ids={ids} tab={tab} pane={state.panes.plan}>
        {(plan) => (
          <TreeView
            plan={plan}
            choice={tree}
            setChoice={setTree}
            loadAll={() => client.loadAll("plan")}
          />
        )}
      </FetchedPanel>
    );
  }
  return (
    <FetchedPanel ids={ids} tab={tab} pane={state.panes.xml}>
      {(xml) => (
        <XmlView xml={xml} loadAll={() => client.loadAll("xml")} whole={() => client.wholeXml()} />
      )}
    </FetchedPanel>
  );
}

function DetailPane({ tab, client, state, summary, ids }: PaneProps & { tab: DetailTab }) {
  switch (tab) {
    case "Pending writes":
      return (
        <FetchedPanel ids={ids} tab={tab} pane={state.panes.pending}>
          {(pending) => <PendingView pending={pending} loadAll={() => client.loadAll("pending")} />}
        </FetchedPanel>
      );
    case "Handlers":
      return (
        <FetchedPanel ids={ids} tab={tab} pane={state.panes.handlers}>
          {(handlers) => <HandlersView handlers={handlers} />}
        </FetchedPanel>
      );
    case "State":
      return (
        <FetchedPanel ids={ids} tab={tab} pane={state.panes.state}>
          {(entries) => <StateView state={entries} loadAll={() => client.loadAll("state")} />}
        </FetchedPanel>
      );
    case "Problems":
      return (
        <Panel ids={ids} tab={tab} seq={summary.seq}>
          <ProblemsView problems={summary.problems} total={summary.counts.problems} />
        </Panel>
      );
  }
}
