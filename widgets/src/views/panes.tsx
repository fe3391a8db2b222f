import { useState } from "preact/hooks";
import type { Client, ClientState } from "../model/client";
import { ALL_TABS, type Choice, choose, DETAIL_TABS, PLAN_TABS, type Tab } from "../model/layout";
import type { Summary } from "../model/protocol";
import { PaneOf } from "./pane";
import { Tabs } from "./tabs";
import { FIRST_TREE } from "./tree";

interface PanesProps {
  readonly client: Client;
  readonly state: ClientState;
  readonly summary: Summary;
  readonly ids: string;
  readonly choice: Choice;
  readonly setChoice: (choice: Choice) => void;
  /** All tabs in one row, because only one pane fits. */
  readonly single: boolean;
}

interface Group {
  readonly name: string;
  readonly tabs: readonly Tab[];
  readonly chosen: Tab;
}

function groupsOf(choice: Choice, single: boolean): readonly Group[] {
  if (single) return [{ name: "Panes", tabs: ALL_TABS, chosen: choice.last }];
  return [
    { name: "Plan views", tabs: PLAN_TABS, chosen: choice.plan },
    { name: "Details", tabs: DETAIL_TABS, chosen: choice.detail },
  ];
}

export function Panes({ summary, choice, setChoice, single, ...rest }: PanesProps) {
  const [tree, setTree] = useState(FIRST_TREE);
  const { pending, handlers, state, problems } = summary.counts;
  const counts = {
    "Pending writes": pending,
    Handlers: handlers,
    State: state,
    Problems: problems,
  };
  return (
    <div class="ss-panes">
      {groupsOf(choice, single).map((group) => (
        <div key={group.name} class="ss-group">
          <Tabs
            {...group}
            ids={rest.ids}
            counts={counts}
            choose={(tab) => setChoice(choose(choice, tab))}
          />
          <PaneOf {...rest} tab={group.chosen} summary={summary} tree={tree} setTree={setTree} />
        </div>
      ))}
    </div>
  );
}
