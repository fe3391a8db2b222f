import { executionLook } from "../model/looks";
import type { Summary } from "../model/protocol";
import { dollars, grouped, plural } from "../model/text";
import { Mark, Text } from "./text";

export function Header({ summary }: { readonly summary: Summary }) {
  const { status, reason, frame, tokens, cost_usd, counts } = summary;
  return (
    <header class="ss-header">
      <strong class="ss-name">
        <Text of={summary.name} />
      </strong>
      <span class="ss-status" title={reason || undefined}>
        <Mark look={executionLook(status)} />
        {reason !== "" && (
          <span class="ss-reason">
            <Text of={reason} />
          </span>
        )}
      </span>
      <span class="ss-facts">
        <span>frame {grouped(frame)}</span>
        {counts.running > 0 && <span>{plural(counts.running, "task")} running</span>}
        <span>{plural(tokens, "token")}</span>
        {cost_usd !== null && <span>{dollars(cost_usd)}</span>}
      </span>
    </header>
  );
}
