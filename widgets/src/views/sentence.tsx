import { PROTOCOL } from "../model/protocol";
import { saidOf } from "../model/sentence";
import { visible } from "../model/text";
import { type Asked, askedBy } from "../model/why";
import { about } from "./ask";
import { AskedNow } from "./asked";
import { Text } from "./text";
import { useUi } from "./ui";

/** What happened, what the next step does, and what can be done about it. */
export function Sentence() {
  const { state } = useUi();
  const { text, look, error } = saidOf(state);
  const fits = state.summary?.protocol === PROTOCOL;
  return (
    <div class="ss-hero" data-tone={look.tone}>
      <span class="ss-hero-icon" aria-hidden="true">
        {look.glyph}
      </span>
      <p
        class="ss-sentence"
        role="status"
        aria-label="Stepper status"
        aria-live="polite"
        title={visible(text)}
      >
        <Text of={text} />
      </p>
      {fits && <SentenceActions error={error} asked={askedBy(state)} />}
    </div>
  );
}

interface ActionsProps {
  readonly error: boolean;
  /** What the sentence tells of; null before there is anything to ask about. */
  readonly asked: Asked | null;
}

function SentenceActions({ error, asked }: ActionsProps) {
  const { actions } = useUi();
  return (
    <div class="ss-hero-actions">
      <AskedNow />
      {error && (
        <button type="button" class="ss-button ss-small" onClick={() => actions.open("Problems")}>
          Show error
        </button>
      )}
      {asked !== null && (
        <button
          type="button"
          class="ss-button ss-small"
          title="Why is it so? (Q)"
          onClick={() => actions.ask(asked)}
          {...about(asked)}
        >
          Why
        </button>
      )}
    </div>
  );
}
