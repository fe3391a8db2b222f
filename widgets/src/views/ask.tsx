/** The question mark beside a thing, and the mark by which Q finds what has the focus. */

import type { Asked } from "../model/why";
import { useNamed } from "./links";
import { useUi } from "./ui";

/** As an attribute of the element that a question is about: Q asks about the innermost one around the focus. */
export const about = (asked: Asked | null) =>
  asked === null ? {} : { "data-why": JSON.stringify(asked) };

/** What the focus is in. */
export function askedAt(root: HTMLElement | null): Asked | null {
  const around = document.activeElement?.closest<HTMLElement>("[data-why]");
  if (!around || !root?.contains(around)) return null;
  return JSON.parse(around.dataset.why ?? "null");
}

interface AskProps {
  readonly asked: Asked;
  /** What it is about, in words. */
  readonly name: string;
  readonly inTabOrder?: boolean;
}

/** Asks why. Rows leave it out of the tab order: there Q does the same. */
export function Ask({ asked, name, inTabOrder = false }: AskProps) {
  const { actions } = useUi();
  return <AskButton ask={() => actions.ask(asked)} name={name} inTabOrder={inTabOrder} />;
}

interface AskButtonProps extends Pick<AskProps, "name" | "inTabOrder"> {
  readonly ask: () => void;
}

export function AskButton({ ask, name, inTabOrder = false }: AskButtonProps) {
  const why = `Why ${useNamed()(name)}`;
  return (
    <button
      type="button"
      class="ss-ask"
      aria-label={why}
      title={`${why}? (Q)`}
      tabIndex={inTabOrder ? 0 : -1}
      onClick={(event) => {
        event.stopPropagation();
        ask();
      }}
    />
  );
}
