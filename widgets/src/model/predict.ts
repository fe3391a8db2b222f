/** What a learner has marked in the form, as the command wants it. */

export interface Marked {
  /** The items that are expected. */
  readonly items: ReadonlySet<string>;
  /** The values that are expected, as they were typed, by key. */
  readonly values: ReadonlyMap<string, string>;
}

export const NOTHING: Marked = { items: new Set(), values: new Map() };

/** Marks an item, or takes the mark back. */
export function marked({ items, values }: Marked, item: string): Marked {
  const next = new Set(items);
  if (!next.delete(item)) next.add(item);
  return { items: next, values };
}

/** The value that is expected of a key; an empty one is none. A key that gets a value is written. */
export function valued({ items, values }: Marked, item: string, text: string): Marked {
  const next = new Map(values);
  if (text === "") next.delete(item);
  else next.set(item, text);
  return { items: text === "" ? items : new Set([...items, item]), values: next };
}

/** The items with what is expected of each, as JSON. */
export function saidIn({ items, values }: Marked): string {
  const said: Record<string, unknown> = {};
  for (const item of items) said[item] = true;
  for (const [item, text] of values) {
    if (items.has(item)) said[item.replace(/^writes:/, "value:")] = meant(text);
  }
  return JSON.stringify(said);
}

/** A value as it was meant: JSON where it is some, else a text. */
function meant(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
