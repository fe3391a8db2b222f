import { useEffect, useRef } from "preact/hooks";
import { plural } from "../model/text";

interface ConfirmStopProps {
  readonly running: number;
  readonly stop: () => void;
  readonly close: () => void;
}

/** Asks before running tasks are ended. Esc, handled at the root, closes it too. */
export function ConfirmStop({ running, stop, close }: ConfirmStopProps) {
  const safe = useRef<HTMLButtonElement>(null);
  useEffect(() => safe.current?.focus(), []);
  const tasks = running === 1 ? "1 task is" : `${plural(running, "task")} are`;
  return (
    <div class="ss-popup" role="alertdialog" aria-label="Stop the execution?">
      <p>
        <strong>Stop the execution?</strong> {tasks} running and will be ended.
      </p>
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
