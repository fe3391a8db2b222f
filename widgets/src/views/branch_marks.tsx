import { ancestors, leaves } from "../model/branches";
import type { BranchesPane } from "../model/protocol";

interface BranchMarksProps {
  readonly pane: BranchesPane | null;
  readonly frames: number;
}

/** Over the timeline: the frames that are of ancestors, and where branches leave. Its words are the slider's. */
export function BranchMarks({ pane, frames }: BranchMarksProps) {
  if (pane === null || frames === 0) return null;
  const place = (frame: number) => `${(100 * Math.min(frame, frames)) / frames}%`;
  return (
    <div class="ss-branch-marks" aria-hidden="true">
      {ancestors(pane).map(({ execution_id, first, last }) => (
        <span
          key={execution_id}
          class="ss-of-ancestor"
          data-last={last}
          style={{
            left: place(first - 1),
            width: `${(100 * (Math.min(last ?? 0, frames) - first + 1)) / frames}%`,
          }}
        />
      ))}
      {[...leaves(pane)].map(([frame, names]) => (
        <span
          key={frame}
          class="ss-leaves"
          data-frame={frame}
          data-count={names.length}
          style={{ left: place(frame) }}
        />
      ))}
    </div>
  );
}
