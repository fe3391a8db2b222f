import { useEffect, useState } from "preact/hooks";
import type { Value } from "../model/protocol";
import { folded, grouped, size } from "../model/text";
import { Text } from "./text";
import { useUi } from "./ui";

/** As much as is laid out at once: more would freeze the page. */
export const PAGE_CHARS = 65_536;

interface Page {
  readonly ref: string;
  readonly from: number;
  readonly text: string;
}

interface ValueProps {
  readonly value: Value;
  /** Not folded to its first lines: it is what one has opened. */
  readonly whole?: boolean;
}

/** A value's JSON, long ones folded; what is missing of it is on offer, a page at a time. */
export function ValueView({ value, whole: unfolded = false }: ValueProps) {
  const { client } = useUi();
  const [page, setPage] = useState<Page | null>(null);
  const [open, setOpen] = useState(false);
  const { ref } = value;
  useEffect(() => setPage(null), [ref]);

  const load = async (from: number) => {
    if (ref === null) return;
    try {
      // The kernel counts characters from 1.
      const since = from + 1;
      const { text } = await client.ask({ pane: "value", of: ref, since, limit: PAGE_CHARS });
      setPage({ ref, from, text });
    } catch (error) {
      client.say(error instanceof Error ? error.message : String(error));
    }
  };

  const shown = page?.ref === ref ? page : null;
  const whole = shown?.text ?? value.text;
  const first = unfolded ? whole : folded(whole);
  const folds = first !== whole;
  // What was asked for is shown whole; the pane scrolls, not the value in it.
  const text = shown === null && !open ? first : whole;
  const fold = (open: boolean) => {
    setOpen(open);
    if (!open) setPage(null);
  };
  return (
    <span class="ss-value">
      <code>
        <Text of={text} />
      </code>
      {shown !== null && value.chars > PAGE_CHARS && (
        <Pager page={shown} chars={value.chars} load={load} />
      )}
      {shown === null && value.cut && (
        <button type="button" class="ss-link" onClick={() => load(0)}>
          … load all ({size(value.chars)})
        </button>
      )}
      {folds && (shown !== null || !value.cut) && (
        <button type="button" class="ss-link" onClick={() => fold(text !== whole)}>
          {text === whole ? "show less" : `… show all (${size(whole.length)})`}
        </button>
      )}
    </span>
  );
}

interface PagerProps {
  readonly page: Page;
  readonly chars: number;
  readonly load: (from: number) => void;
}

function Pager({ page, chars, load }: PagerProps) {
  const end = Math.min(chars, page.from + PAGE_CHARS);
  return (
    <span class="ss-pager">
      <button
        type="button"
        class="ss-link"
        aria-disabled={page.from === 0}
        onClick={() => page.from > 0 && load(page.from - PAGE_CHARS)}
      >
        ‹ before
      </button>
      <span class="ss-dim">
        {grouped(page.from + 1)}–{grouped(end)} of {grouped(chars)}
      </span>
      <button
        type="button"
        class="ss-link"
        aria-disabled={end >= chars}
        onClick={() => end < chars && load(end)}
      >
        after ›
      </button>
    </span>
  );
}

/** The value, or a word where there is none. */
export function Maybe({ value, none }: { readonly value: Value | null; readonly none: string }) {
  return value === null ? <span class="ss-dim">{none}</span> : <ValueView value={value} />;
}
