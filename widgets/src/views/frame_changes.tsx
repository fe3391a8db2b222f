import type { ClientState } from "../model/client";
import { headAt } from "../model/sentence";
import { Link } from "./links";
import { Text } from "./text";
import { useUi } from "./ui";

/** What the inspector shows while no node is selected and none in the plan has changed: what else the frame did. */
export function FrameChanges() {
  const { state, actions } = useUi();
  const shown = shownIn(state);
  if (shown === null) return <p class="ss-empty">Select a node of the plan to look at it.</p>;
  if (shown.frame === 0) {
    return (
      <p class="ss-empty">
        There is no frame yet: a step renders the first. Select a node of the plan to look at it.
      </p>
    );
  }
  const { frame, did, writes } = shown;
  return (
    <div class="ss-detail ss-frame-did">
      <p class="ss-detail-title">What frame {frame} did</p>
      {did.length > 0 ? (
        <ul class="ss-did" aria-label={`What frame ${frame} did`}>
          {did.map((one) => (
            <li key={one}>
              <Text of={one} />
            </li>
          ))}
        </ul>
      ) : (
        <p class="ss-dim">
          It called no handler, started no task, and changed nothing in the plan.
        </p>
      )}
      {writes > 0 && (
        <p>
          <Link go={() => actions.open("Pending writes")} title="Show the writes">
            {writes === 1 ? "Its write" : `Its ${writes} writes`}
          </Link>
        </p>
      )}
      <p class="ss-dim">Select a node of the plan to look at it.</p>
    </div>
  );
}

/** The frame that is seen; null until it has come. */
function shownIn({ settled, summary, panes }: ClientState) {
  if (settled.at === null) {
    return summary && { frame: summary.frame, did: summary.did, writes: summary.counts.pending };
  }
  const head = headAt(panes.frame, settled);
  return head && { frame: head.frame, did: head.did, writes: head.counts.writes };
}
