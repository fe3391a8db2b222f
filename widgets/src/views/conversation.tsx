import type { ExchangeRow, PartRow } from "../model/protocol";
import { milliseconds, plural, preview } from "../model/text";
import { Text } from "./text";
import { ValueView } from "./value";

/** A longer part is folded, unless it is an answer or says what went wrong. */
const OPEN_CHARS = 400;
const ANSWERS: readonly string[] = ["text", "output"];
const answers = ({ role, kind }: PartRow) => role === "assistant" && ANSWERS.includes(kind);

interface ConversationProps {
  readonly earlier: number;
  readonly exchanges: readonly ExchangeRow[];
}

/** What an agent and its models said, in order: a request an item, its parts folded one by one. */
export function Conversation({ earlier, exchanges }: ConversationProps) {
  if (exchanges.length === 0) return null;
  return (
    <section class="ss-group-of">
      <h4>Conversation ({earlier + exchanges.length})</h4>
      {earlier > 0 && (
        <p class="ss-dim ss-talk-earlier">
          {plural(earlier, "earlier request")}: ex.transcript has all.
        </p>
      )}
      <ol class="ss-talk" aria-label="Conversation">
        {exchanges.map((exchange) => (
          <li class="ss-talk-request" key={exchange.id} data-status={exchange.status}>
            <p class="ss-talk-head">
              <Text of={exchange.heading} />
            </p>
            <Parts parts={exchange.parts} />
            <p class="ss-talk-end">
              <Text of={exchange.ending} />
              {exchange.ms > 0 && ` · ${milliseconds(exchange.ms)}`}
            </p>
            <Parts parts={exchange.results} />
          </li>
        ))}
      </ol>
    </section>
  );
}

function Parts({ parts }: { readonly parts: readonly PartRow[] }) {
  return (
    <>
      {parts.map((part, place) => (
        // Parts are only ever added at the end.
        <PartView key={place} part={part} />
      ))}
    </>
  );
}

function PartView({ part }: { readonly part: PartRow }) {
  const { role, kind, label, text, ms } = part;
  const open = text.chars <= OPEN_CHARS || kind === "retry" || answers(part);
  return (
    <details class="ss-talk-part" data-role={role} data-kind={kind} open={open}>
      <summary>
        <span class="ss-talk-label">
          <Text of={label} />
          {ms !== null && ` · ${milliseconds(ms)}`}
        </span>
        <span class="ss-talk-preview" aria-hidden="true">
          <Text of={preview(text.text)} />
        </span>
      </summary>
      <ValueView value={text} whole />
    </details>
  );
}
