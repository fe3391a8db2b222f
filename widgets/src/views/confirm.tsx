import { useLayoutEffect, useRef } from "preact/hooks";
import type { RunningTask } from "../model/protocol";
import { plural } from "../model/text";
import { Text } from "./text";

interface ConfirmStopProps {
  /** Those that are named; there may be more. */
  readonly running: readonly RunningTask[];
  readonly count: number;
  readonly stop: () => void;
  readonly close: () => void;
}

/** Asks before running tasks are ended, and names them. Esc, handled at the root, closes it too. */
export function ConfirmStop({ running, count, stop, close }: ConfirmStopProps) {
  const safe = useRef<HTMLButtonElement>(null);
  useLayoutEffect(() => safe.current?.focus(), []);
  const tasks = count === 1 ? "1 task is" : `${plural(count, "task")} are`;
  return (
    <div class="ss-popup" role="alertdialog" aria-label="Stop the execution?">
      <p>
        <strong>Stop the execution?</strong> {tasks} running and will be ended.
      </p>
      <ul class="ss-running">
        {running.map(({ task_id, node_id, status }) => (
          <li key={task_id}>
            <code>
              <Text of={node_id} />
            </code>{" "}
            <span class="ss-dim">
              <Text of={status} />
            </span>
          </li>
        ))}
        {count > running.length && <li class="ss-dim">and {count - running.length} more</li>}
      </ul>
      <div class="ss-popup-buttons">
        <button type="button" class="ss-button ss-danger" onClick={stop}>
          Stop now
        </button>
        <button type="button" class="ss-button" ref={safe} onClick={close}>
          Keep running
        </button>
      </div>
    </div>
  );
}
