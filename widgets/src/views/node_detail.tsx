import { CHANGE_MARKS, nodeStatusLook } from "../model/looks";
import type { NodePane, Value } from "../model/protocol";
import { nameOf } from "../model/tree";
import { Ask, about } from "./ask";
import { Dot } from "./dot";
import { Facts } from "./facts";
import { type Column, Grid } from "./grid";
import { FrameLink, KeyLink, NodeLink, SourceLink, TaskLink } from "./links";
import { Mark, Text } from "./text";
import { PropDiff } from "./tree_row";
import { useUi } from "./ui";
import { Maybe, ValueView } from "./value";

/** All that is known of the selected node: props, handlers, task, and what its component reads. */
export function NodeDetailView({ node }: { readonly node: NodePane }) {
  return (
    <div class="ss-detail">
      <p class="ss-detail-title">
        <Dot subject={{ kind: "node", id: node.id }} name={node.id} inTabOrder />
        <code>
          <Text of={`${node.type} ${nameOf(node)}`.trim()} />
        </code>
        {node.status !== null && <Mark look={nodeStatusLook(node)} />}
        {node.removed && <span class="ss-dim">removed</span>}
        <Ask asked={{ of: node.id }} name={node.id} inTabOrder />
      </p>
      <Facts
        name="Selected node"
        facts={[
          ["change", node.change && <ChangeWords key="c" node={node} />],
          ["path", <Text key="p" of={node.path} />],
          ["id", <Text key="i" of={node.id} />],
          ["source", node.source && <SourceLink key="s" source={node.source} />],
          ["mounted", node.mounted > 0 && <FrameLink key="m" frame={node.mounted} />],
          ["component", node.component && <Text key="co" of={node.component} />],
          ["task", node.task && <TaskWords key="t" node={node} />],
          ...node.props.map(
            ({ name, value }) =>
              [name, <Prop key={name} node={node.id} name={name} value={value} />] as const,
          ),
          ["text", node.text && <Prop key="te" node={node.id} name="prompt" value={node.text} />],
        ]}
      />
      {node.events.length > 0 && (
        <Grid
          name="Handlers of the node"
          columns={EVENTS}
          rows={node.events.map((event) => ({ ...event, node: node.id }))}
          keyOf={({ event }) => event}
          why={({ event }) => ({ of: `${node.id}.${event}`, name: `${event} of ${node.id}` })}
          empty=""
        />
      )}
      {node.reads.length > 0 && (
        <section class="ss-group-of">
          <h4>Keys that its component reads</h4>
          <Grid
            name="Reads"
            columns={READS}
            rows={node.reads}
            keyOf={({ scope, key }) => `${scope} ${key}`}
            why={({ scope, key }) => (scope === "state" ? { of: `state:${key}`, name: key } : null)}
            empty=""
          />
        </section>
      )}
    </div>
  );
}

interface PropProps {
  readonly node: string;
  readonly name: string;
  readonly value: Value;
}

/** The value of a prop, or the prompt. */
function Prop({ node, name, value }: PropProps) {
  const asked = { of: `${node}.${name}` };
  return (
    <span class="ss-askable" {...about(asked)}>
      <ValueView value={value} />
      <Ask asked={asked} name={`${name} of ${node}`} inTabOrder />
    </span>
  );
}

function ChangeWords({ node }: { readonly node: NodePane }) {
  const { change, why, changes } = node;
  if (change === "") return null;
  return (
    <span>
      {CHANGE_MARKS[change]} {change}
      {why !== null && (
        <>
          : <Text of={why} />
        </>
      )}
      {changes.map((one) => (
        <PropDiff key={one.prop} change={one} />
      ))}
    </span>
  );
}

function TaskWords({ node }: { readonly node: NodePane }) {
  if (node.task === null) return null;
  const { task_id, status, attempt, max_attempts } = node.task;
  return (
    <TaskLink id={task_id}>
      <Text of={`${status}, attempt ${attempt}/${max_attempts}`} />
    </TaskLink>
  );
}

const EVENTS: readonly Column<NodePane["events"][number] & { node: string }>[] = [
  {
    name: "Event",
    cell: ({ event, node }) => (
      <span class="ss-with-dot">
        <Dot subject={{ kind: "handler", node, event }} name={`${event} of ${node}`} />
        <code>
          <Text of={event} />
        </code>
      </span>
    ),
  },
  {
    name: "Calls",
    wide: true,
    cell: ({ calls, last }) => <Calls calls={calls} last={last} />,
  },
];

function Calls({ calls, last }: { readonly calls: number; readonly last: string | null }) {
  const { actions } = useUi();
  if (calls === 0) return <span class="ss-dim">never fired</span>;
  return (
    <button type="button" class="ss-link" onClick={() => actions.open("Handlers")}>
      {calls}, the last was <Text of={last ?? "?"} />
    </button>
  );
}

const READS: readonly Column<NodePane["reads"][number]>[] = [
  {
    name: "Key",
    cell: ({ key, scope }) => (
      <code>
        <KeyLink of={key} scope={scope} />
      </code>
    ),
  },
  { name: "Value", wide: true, cell: ({ value }) => <Maybe value={value} none="unset" /> },
  { name: "Since", rank: 1, cell: ({ from_frame }) => <FrameLink frame={from_frame} /> },
  {
    name: "Writer",
    rank: 2,
    usual: ({ writer }) => writer === null,
    cell: ({ writer, writer_node }) =>
      writer !== null && (
        <span class="ss-nowrap">
          <Text of={writer} /> <NodeLink id={writer_node} />
        </span>
      ),
  },
];
