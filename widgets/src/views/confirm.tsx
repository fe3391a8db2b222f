import { useLayoutEffect, useRef } from "preact/hooks";
import { elapsed } from "../model/clock";
import type { RunningRow, Summary } from "../model/protocol";
import { dollars, plural } from "../model/text";
import { useNow } from "./hooks";
import { Text } from "./text";

/** What a task has taken so far: that is in vain, or a part of it. */
export function spent(task: RunningRow, now: number): string[] {
  const { tokens, cost_usd } = task;
  return [
    elapsed(task, now),
    tokens ? plural(tokens, "token") : "",
    cost_usd ? dollars(cost_usd) : "",
  ].filter((part) => part !== "");
}

interface ConfirmStopProps {
  readonly summary: Summary;
  readonly stop: () => void;
  readonly close: () => void;
}

/** Asks before running tasks are interrupted, and says what that costs. Esc, handled at the root, closes it too. */
export function ConfirmStop({ summary, stop, close }: ConfirmStopProps) {
  const now = useNow(true);
  const count = summary.counts.running;
  // There may be more than are named.
  const running = summary.running.filter(({ status }) => status === "running");
  const safe = useRef<HTMLButtonElement>(null);
  useLayoutEffect(() => safe.current?.focus(), []);
  const tasks = count === 1 ? "1 task is" : `${plural(count, "task")} are`;
  return (
    <div class="ss-popup" role="alertdialog" aria-label="Stop the execution?">
      <p>
        <strong>Stop the execution?</strong> {tasks} running and will be interrupted. The next step
        runs {count === 1 ? "it" : "them"} again, from the start; an agent keeps the answers that
        have come, and the request that is cut off is paid for again.
      </p>
      <ul class="ss-running">
        {running.map((task) => (
          <li key={task.task_id}>
            <code>
              <Text of={task.node} />
            </code>{" "}
            <span class="ss-dim">
              <Text of={[task.status, ...spent(task, now)].join(", ")} />
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
