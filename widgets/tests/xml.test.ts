import { describe, expect, it } from "vitest";
import { tokenise } from "../src/model/xml";
import { HOSTILE } from "./samples";

const joined = (xml: string) =>
  tokenise(xml)
    .map(({ text }) => text)
    .join("");

/** Small numbers that look random and are the same each time (mulberry32). */
function* numbers(seed: number): Generator<number> {
  for (let state = seed; ; ) {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    yield (mixed ^ (mixed >>> 14)) >>> 0;
  }
}

const ALPHABET = [
  "<",
  ">",
  "</",
  "/>",
  "<!--",
  "-->",
  "<?",
  "=",
  '"',
  "'",
  "&",
  "&amp;",
  " ",
  "\n",
  "a",
  "é",
  "𝕏",
  "\ud800",
  "\u202e",
  "\u0000",
];

function arbitrary(seed: number): string {
  const random = numbers(seed);
  const length = random.next().value % 40;
  const pieces = Array.from({ length }, () => ALPHABET[random.next().value % ALPHABET.length]);
  return pieces.join("");
}

describe("tokens", () => {
  it("joined are the text, whatever the text", () => {
    for (let seed = 0; seed < 2000; seed += 1) {
      const xml = arbitrary(seed);
      expect(joined(xml)).toBe(xml);
    }
  });

  it.each([HOSTILE, "", "<", "<a", '<a b="', "<!-- never ends", "a < b && c > d", "<<a>>"])(
    "of %j joined are the text",
    (xml) => {
      expect(joined(xml)).toBe(xml);
    },
  );

  it("name the parts of an element", () => {
    const kinds = tokenise('<claude id="notes">2 &lt; 3</claude>')
      .filter(({ text }) => text.trim() !== "")
      .map(({ kind, text }) => `${kind} ${text}`);
    expect(kinds).toEqual([
      "punct <",
      "tag claude",
      "attr id",
      "punct =",
      'value "notes"',
      "punct >",
      "text 2 ",
      "entity &lt;",
      "text  3",
      "punct </",
      "tag claude",
      "punct >",
    ]);
  });

  it("take time in proportion to the text", () => {
    const long = `${"&a".repeat(50_000)}${"<!-".repeat(50_000)}${'<a b="'.repeat(50_000)}`;
    const start = performance.now();
    expect(joined(long)).toBe(long);
    expect(performance.now() - start).toBeLessThan(2000);
  });
});
