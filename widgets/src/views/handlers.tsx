import { callLook } from "../model/looks";
import type { CallRow, HandlersPane, NeverFiredRow } from "../model/protocol";
import { milliseconds, plural, visible } from "../model/text";
import { Dot } from "./dot";
import { type Column, Grid } from "./grid";
import { FrameLink, NodeLink, SourceLink, TaskLink } from "./links";
import { Mark, Text } from "./text";
import { useUi } from "./ui";

/** The handler calls up to the cursor, newest frame first; and those that were never called. */
export function HandlersView({ handlers }: { readonly handlers: HandlersPane }) {
  const { ui, actions } = useUi();
  const { selection, call: shown } = ui;
  return (
    <>
      <Grid
        name="Handlers"
        columns={COLUMNS}
        rows={handlers.calls}
        keyOf={({ id }) => id}
        why={({ id, event, node_id }) => ({ of: id, name: `${event} of ${node_id}` })}
        empty="No handler has fired yet."
        below={traceback}
        select={({ node_id: node, event }) => actions.select({ kind: "handler", node, event })}
        isSelected={({ id, node_id, event }) =>
          shown !== null
            ? id === shown
            : selection?.kind === "handler" &&
              selection.node === node_id &&
              selection.event === event
        }
        reveal={ui.reveal}
      />
      {handlers.never.length > 0 && (
        <section class="ss-group-of">
          <h4>Registered, never fired ({handlers.never.length})</h4>
          <Grid
            name="Never fired"
            columns={NEVER}
            rows={handlers.never}
            keyOf={({ node_id, event }) => `${node_id} ${event}`}
            why={({ node_id, event }) => ({
              of: `${node_id}.${event}`,
              name: `${event} of ${node_id} has not fired`,
            })}
            empty=""
            select={({ node_id: node, event }) => actions.select({ kind: "handler", node, event })}
          />
        </section>
      )}
    </>
  );
}

const EVENT: Column<{ node_id: string; event: string }> = {
  name: "Event",
  cell: ({ node_id, event }) => (
    <span class="ss-with-dot">
      <Dot subject={{ kind: "handler", node: node_id, event }} name={`${event} of ${node_id}`} />
      <code>
        <Text of={event} />
      </code>
    </span>
  ),
};

const COLUMNS: readonly Column<CallRow>[] = [
  { name: "#", align: "end", rank: 3, usual: ({ seq }) => seq === 1, cell: ({ seq }) => seq },
  {
    name: "Frame",
    rank: 0,
    cell: ({ frame, phase }) => (
      <span class="ss-nowrap">
        <FrameLink frame={frame} /> · {phase}
      </span>
    ),
  },
  {
    name: "Node",
    cell: ({ node_id, task_id }) => (
      <code>
        <NodeLink id={node_id} named={task_id} />
      </code>
    ),
  },
  EVENT,
  {
    name: "Trigger",
    rank: 1,
    cell: ({ trigger, task_id }) => (
      <TaskLink id={task_id}>
        <Text of={trigger} />
      </TaskLink>
    ),
  },
  { name: "Outcome", wide: true, cell: (call) => <Outcome call={call} /> },
  { name: "Writes", align: "end", rank: 2, cell: ({ writes }) => writes },
  { name: "Time", align: "end", rank: 4, cell: ({ ms }) => milliseconds(ms) },
  {
    name: "Source",
    rank: 5,
    usual: ({ source }) => source === null,
    cell: ({ source }) => (
      <code>
        <SourceLink source={source} />
      </code>
    ),
  },
];

function Outcome({ call }: { readonly call: CallRow }) {
  const look = callLook(call.status);
  if (call.status !== "raised") return <Mark look={look} />;
  const word = `raised: ${plural(call.writes, "write")} rolled back`;
  return <Mark look={{ ...look, word }} />;
}

const NEVER: readonly Column<NeverFiredRow>[] = [
  {
    name: "Node",
    cell: ({ node_id }) => (
      <code>
        <NodeLink id={node_id} />
      </code>
    ),
  },
  EVENT as Column<NeverFiredRow>,
  {
    name: "Why",
    wide: true,
    cell: ({ why }) => (
      <span class="ss-message">
        <Text of={why} />
      </span>
    ),
  },
  {
    name: "Source",
    rank: 5,
    usual: ({ source }) => source === null,
    cell: ({ source }) => (
      <code>
        <SourceLink source={source} />
      </code>
    ),
  },
];

function traceback({ error }: CallRow) {
  if (error === null) return null;
  const message = error.trimEnd().split("\n").at(-1) ?? "";
  return (
    <details>
      <summary>
        <Text of={message} />
      </summary>
      <pre>{visible(error)}</pre>
    </details>
  );
}
