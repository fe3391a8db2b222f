import { Fragment } from "preact";
import { useRef, useState } from "preact/hooks";
import type { Group, Tab } from "../model/layout";
import type { Summary } from "../model/protocol";
import { remember, remembered, type Split, withShare } from "../model/splits";
import { BreakpointsView } from "./breakpoints";
import { ComparisonView } from "./comparison";
import { FrameChanges } from "./frame_changes";
import { HandlersView } from "./handlers";
import { NodeDetailView } from "./node_detail";
import { OutputView } from "./output";
import { FetchedPanel } from "./panel";
import { PendingView } from "./pending";
import { ProblemsView } from "./problems";
import { Splitter } from "./splitter";
import { StateView } from "./state";
import { Tabs } from "./tabs";
import { TaskDetail } from "./task_detail";
import { TasksView } from "./tasks";
import { TreeView } from "./tree";
import { useUi } from "./ui";
import { WhyPanel } from "./why";
import { XmlView } from "./xml";

interface PanesProps {
  readonly groups: readonly Group[];
  readonly summary: Summary;
  /** The node of the Node tab. */
  readonly node: string | null;
  /** The task of the Task tab. */
  readonly task: string | null;
}

export function Panes({ groups, summary, node, task }: PanesProps) {
  const { actions, ids, state } = useUi();
  const { panes } = state;
  const { counts } = summary;
  const [shares, setShares] = useState(remembered);
  // A drag sets it many times before it is rendered once, and is remembered at its end.
  const newest = useRef(shares);
  const set = (split: Split, share: number | null) => {
    newest.current = withShare(newest.current, split, share);
    setShares(newest.current);
  };
  const badges: Partial<Record<Tab, number>> = {
    "Pending writes": counts.pending,
    Handlers: counts.handlers,
    Tasks: counts.running,
    Breakpoints: counts.breakpoints,
    Output: counts.output,
    Problems: counts.problems,
    Compare: panes.edited?.data?.total ?? 0,
  };
  return (
    <div
      class="ss-panes"
      data-groups={groups.length}
      style={{
        "--ss-inspector": percent(shares.inspector),
        "--ss-details": percent(shares.details),
      }}
    >
      {groups.map((group) => {
        const split = SPLIT_BEFORE[group.name];
        return (
          <Fragment key={group.name}>
            {split && (
              <Splitter
                split={split}
                share={shares[split]}
                set={(share) => set(split, share)}
                done={() => remember(newest.current)}
              />
            )}
            <div class="ss-group" data-group={group.name}>
              <Tabs
                name={group.name}
                tabs={group.tabs}
                chosen={group.chosen}
                choose={actions.open}
                counts={badges}
                bad={counts.problems > 0 ? "Problems" : null}
                ids={ids}
              />
              <PanelOf tab={group.chosen} summary={summary} node={node} task={task} />
            </div>
          </Fragment>
        );
      })}
    </div>
  );
}

/** The bar that stands before a group. */
const SPLIT_BEFORE: Partial<Readonly<Record<Group["name"], Split>>> = {
  Inspector: "inspector",
  Details: "details",
};

const percent = (share: number | undefined): string | undefined =>
  share === undefined ? undefined : `${share}%`;

interface PanelOfProps {
  readonly tab: Tab;
  readonly summary: Summary;
  readonly node: string | null;
  readonly task: string | null;
}

/** The panel of a tab. */
function PanelOf({ tab, summary, node, task }: PanelOfProps) {
  switch (tab) {
    case "Tree":
      return (
        <FetchedPanel tab={tab} pane="plan">
          {(plan) => <TreeView plan={plan} />}
        </FetchedPanel>
      );
    case "XML":
      return (
        <FetchedPanel tab={tab} pane="xml">
          {(xml) => <XmlView xml={xml} />}
        </FetchedPanel>
      );
    case "Node":
      return (
        <FetchedPanel
          tab={tab}
          pane="node"
          of={node}
          {...(node === null && { none: <FrameChanges /> })}
        >
          {(node) => <NodeDetailView node={node} />}
        </FetchedPanel>
      );
    case "State":
      return (
        <FetchedPanel tab={tab} pane="state">
          {(state) => <StateView state={state} />}
        </FetchedPanel>
      );
    case "Task":
      return (
        <FetchedPanel
          tab={tab}
          pane="task"
          of={task}
          {...(task === null && { none: "Select a task, or a node that has one." })}
        >
          {(detail) => <TaskDetail task={detail} summary={summary} />}
        </FetchedPanel>
      );
    case "Why":
      return <WhyPanel />;
    case "Pending writes":
      return (
        <FetchedPanel tab={tab} pane="pending">
          {(pending) => <PendingView pending={pending} />}
        </FetchedPanel>
      );
    case "Handlers":
      return (
        <FetchedPanel tab={tab} pane="handlers">
          {(handlers) => <HandlersView handlers={handlers} />}
        </FetchedPanel>
      );
    case "Tasks":
      return (
        <FetchedPanel tab={tab} pane="tasks">
          {(tasks) => <TasksView tasks={tasks} summary={summary} />}
        </FetchedPanel>
      );
    case "Breakpoints":
      return (
        <FetchedPanel tab={tab} pane="breakpoints">
          {(breakpoints) => <BreakpointsView breakpoints={breakpoints} />}
        </FetchedPanel>
      );
    case "Output":
      return (
        <FetchedPanel tab={tab} pane="output">
          {(output) => <OutputView output={output} />}
        </FetchedPanel>
      );
    case "Problems":
      return (
        <FetchedPanel tab={tab} pane="problems">
          {(problems) => <ProblemsView problems={problems} />}
        </FetchedPanel>
      );
    case "Compare":
      return (
        <FetchedPanel tab={tab} pane="compare">
          {(compare) => <ComparisonView compare={compare} />}
        </FetchedPanel>
      );
  }
}
