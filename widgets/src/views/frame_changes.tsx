import { Link } from "./links";
import { Text } from "./text";
import { useUi } from "./ui";

/** What the inspector shows while no node is selected and none in the plan has changed: what else the frame did. */
export function FrameChanges() {
  const { state, actions } = useUi();
  const head = state.panes.frame?.data;
  if (!head) return <p class="ss-empty">Select a node of the plan to look at it.</p>;
  if (head.status === "dry") {
    return (
      <p class="ss-empty">
        There is no frame yet: a step renders the first. Select a node of the plan to look at it.
      </p>
    );
  }
  const { frame, did, reason, counts } = head;
  return (
    <div class="ss-detail">
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
      {counts.writes > 0 && (
        <p>
          <Link go={() => actions.open("Pending writes")} title="Show the writes">
            {counts.writes === 1 ? "Its write" : `Its ${counts.writes} writes`}
          </Link>
        </p>
      )}
      {reason.length > 0 && (
        <p class="ss-dim">
          Because of: <Text of={reason.join(", ")} />
        </p>
      )}
      <p class="ss-dim">Select a node of the plan to look at it.</p>
    </div>
  );
}
