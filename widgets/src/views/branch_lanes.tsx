import type { BranchRows } from "../model/branches";
import { HEAD_PX, ROW_PX } from "./lanes";

interface BranchLanesProps {
  readonly lanes: readonly BranchRows[];
  /** The rows above them. */
  readonly above: number;
  /** The pixels of a frame. */
  readonly slot: number;
}

/** The executions of the family that leave this line, each from its first frame to its last. */
export function BranchLanes({ lanes, above, slot }: BranchLanesProps) {
  return (
    <div class="ss-branch-lanes" aria-hidden="true">
      {lanes.map(({ label, parts }, index) =>
        parts.map(({ execution_id, first, last }) => (
          <span
            key={execution_id}
            data-branch={label}
            style={{
              top: `${HEAD_PX + (above + index) * ROW_PX}px`,
              left: `${(first - 1) * slot}px`,
              width: `${Math.max(2, (last - first + 1) * slot)}px`,
              height: `${ROW_PX}px`,
            }}
          />
        )),
      )}
    </div>
  );
}
