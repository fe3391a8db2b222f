/** Text as a person reads it: numbers with units, and control characters that can be seen. */

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for.
const INVISIBLE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;
const DELETE_PICTURE = "\u2421";
const SUBSTITUTE_PICTURE = "\u2426";

/** The text with each control character but newline and tab as its picture (U+24xx), one for one. */
export function visible(text: string): string {
  return text.replace(INVISIBLE, (char) => {
    const code = char.charCodeAt(0);
    if (code < 0x20) return String.fromCharCode(0x2400 + code);
    return code === 0x7f ? DELETE_PICTURE : SUBSTITUTE_PICTURE;
  });
}

/** The first line's worth of a text, on one line. */
export function preview(text: string, limit = 80): string {
  const line = text
    .slice(0, limit * 4)
    .replace(/\s+/g, " ")
    .trim();
  return line.length > limit || text.length > limit * 4 ? `${line.slice(0, limit)}…` : line;
}

const FOLDED_CHARS = 320;
const FOLDED_LINES = 4;

/** The first lines of a text, where it is longer than a cell of a grid should be. */
export function folded(text: string): string {
  const lines = text.slice(0, FOLDED_CHARS).split("\n").slice(0, FOLDED_LINES).join("\n");
  return lines.length < text.length ? lines.trimEnd() : text;
}

/** Digits in groups of three, whatever the browser's locale. */
export function grouped(count: number): string {
  return String(Math.round(count)).replace(/\B(?=(\d{3})+$)/g, ",");
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${grouped(count)} ${count === 1 ? one : many}`;
}

/** How much text there is: "812 characters", "3.1 MB". */
export function size(chars: number): string {
  if (chars < 1000) return plural(chars, "character");
  if (chars < 1_000_000) return `${(chars / 1000).toFixed(1)} KB`;
  return `${(chars / 1_000_000).toFixed(1)} MB`;
}

export function milliseconds(ms: number): string {
  return ms < 1000 ? `${ms.toFixed(1)} ms` : `${(ms / 1000).toFixed(2)} s`;
}

/** Dollars, with four digits below a cent's worth of precision so that cheap runs don't read as free. */
export function dollars(usd: number): string {
  return `$${usd.toFixed(usd !== 0 && usd < 1 ? 4 : 2)}`;
}
