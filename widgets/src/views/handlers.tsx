import { callLook } from "../model/looks";
import type { Call, Handlers } from "../model/protocol";
import { milliseconds, visible } from "../model/text";
import { type Column, Grid } from "./grid";
import { Mark, Text } from "./text";

/** The handler calls, newest frame first. */
export function HandlersView({ handlers }: { readonly handlers: Handlers }) {
  return (
    <Grid
      name="Handlers"
      columns={COLUMNS}
      rows={handlers.calls}
      keyOf={(call) => call.id}
      empty="No handler has fired yet."
      below={traceback}
    />
  );
}

const COLUMNS: readonly Column<Call>[] = [
  { name: "Frame", align: "end", cell: ({ frame }) => frame },
  {
    name: "Node",
    cell: ({ node_id }) => (
      <code>
        <Text of={node_id} />
      </code>
    ),
  },
  {
    name: "Event",
    cell: ({ event }) => (
      <code>
        <Text of={event} />
      </code>
    ),
  },
  { name: "Outcome", wide: true, cell: ({ status }) => <Mark look={callLook(status)} /> },
  { name: "Writes", align: "end", cell: ({ writes }) => writes },
  { name: "Time", align: "end", cell: ({ ms }) => milliseconds(ms) },
  {
    name: "Source",
    cell: ({ source }) =>
      source !== null && (
        <code>
          <Text of={source} />
        </code>
      ),
  },
];

function traceback({ error }: Call) {
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
