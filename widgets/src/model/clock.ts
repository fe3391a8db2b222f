/** How long something has taken, and how long until something begins, as a person reads it. */

import type { RunningRow, WindowRow } from "./protocol";

/** "12 s", "3 min 5 s", "1 h 2 min". */
export function lasting(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

type Timed = Pick<
  RunningRow,
  "status" | "started" | "retry_at" | "attempt" | "max_attempts" | "reason" | "worker"
> & { readonly ended?: number | null };

/** How long a task has run or ran; "" where it did not. */
export function elapsed({ started, ended }: Timed, now: number): string {
  if (started === null) return "";
  const ms = (ended ?? now) - started;
  return ended != null && ms < 10_000 ? `${(ms / 1000).toFixed(1)} s` : lasting(ms);
}

/** "attempt 3/5, next in 12 s, reason 429"; "worker w0: last seen 12 s ago"; "" for a first attempt without a reason. */
export function attemptWords(task: Timed, now: number): string {
  const { attempt, max_attempts, retry_at } = task;
  const next = retry_at !== null ? `next in ${lasting(Math.max(0, retry_at - now + 999))}` : "";
  const tries = attempt > 1 || next !== "" ? `attempt ${attempt}/${max_attempts}` : "";
  return [tries, next, reasonWords(task)].filter(Boolean).join(", ");
}

/** Why a task waits, in a word; of one that runs, what there is to tell of its worker, in a sentence. */
function reasonWords({ status, reason, worker }: Timed): string {
  if (!reason) return "";
  if (status !== "running") return `reason ${reason}`;
  return worker === null ? reason : `worker ${worker}`;
}

/** "m refused 3 requests: nobody asks for 12 s, then one each 220 ms". */
export function windowWords({ name, refused, opens, apart_ms }: WindowRow, now: number): string {
  const waits =
    opens !== null && opens > now ? `nobody asks for ${lasting(opens - now + 999)}, then ` : "";
  const apart = apart_ms > 0 ? `one each ${Math.round(apart_ms)} ms` : "as they come";
  return `${name} refused ${refused} ${refused === 1 ? "request" : "requests"}: ${waits}${apart}`;
}
