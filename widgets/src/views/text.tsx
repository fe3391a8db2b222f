import type { ComponentChildren } from "preact";
import type { Look, Tone } from "../model/looks";
import { visible } from "../model/text";

/** Text of the user's or a model's: literal, its control characters seen, its direction kept inside. */
export function Text({ of }: { readonly of: string }) {
  return <bdi>{visible(of)}</bdi>;
}

/** For screen readers only. */
export function Said({ children }: { readonly children: ComponentChildren }) {
  return <span class="ss-said">{children}</span>;
}

/** A glyph and its word; only the word is read out. */
export function Mark({ look, quiet = false }: { readonly look: Look; readonly quiet?: boolean }) {
  return (
    <span class="ss-mark" data-tone={look.tone satisfies Tone}>
      <span aria-hidden="true">{look.glyph}</span>
      {quiet ? <Said>{look.word}</Said> : <Text of={look.word} />}
    </span>
  );
}
