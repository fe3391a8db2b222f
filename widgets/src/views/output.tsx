import type { OutputPane, PrintedRow } from "../model/protocol";
import { grouped, visible } from "../model/text";
import { FrameLink, NodeLink } from "./links";
import { Text } from "./text";
import { useUi } from "./ui";
import { ValueView } from "./value";

/** What user code printed up to the cursor, oldest first, by frame and phase. */
export function OutputView({ output }: { readonly output: OutputPane }) {
  const before = output.total - output.entries.length;
  if (output.total === 0) return <p class="ss-empty">Nothing has been printed.</p>;
  return (
    <div class="ss-output" role="grid" aria-label="Output">
      {before > 0 && <p class="ss-empty">… {grouped(before)} earlier pieces.</p>}
      {output.entries.map((entry, order) => (
        <Piece key={before + order} entry={entry} />
      ))}
    </div>
  );
}

function Piece({ entry }: { readonly entry: PrintedRow }) {
  const { settled } = useUi().state;
  const { frame, phase, node_id, where, stream, text, cut, ref } = entry;
  return (
    <div
      class="ss-piece"
      role="row"
      data-stream={stream}
      data-here={settled.at === frame || undefined}
    >
      <span class="ss-piece-where" role="gridcell" title={visible(where)}>
        <FrameLink frame={frame} />
        {phase !== null && (
          <span class="ss-dim">
            {" · "}
            <Text of={phase} />
          </span>
        )}{" "}
        {node_id === null ? <Text of={where} /> : <NodeLink id={node_id} />}
        {stream === "stderr" && <span data-tone="bad"> stderr</span>}
      </span>
      {cut ? (
        <span role="gridcell">
          <ValueView value={{ text, chars: Number.NaN, cut, type: "str", ref }} />
        </span>
      ) : (
        <pre class="ss-piece-text" role="gridcell">
          {visible(text)}
        </pre>
      )}
    </div>
  );
}
