/** XML as coloured pieces. Whatever the text, the pieces joined are the text. */

export type XmlKind = "text" | "entity" | "punct" | "tag" | "attr" | "value" | "comment";

export interface XmlToken {
  readonly kind: XmlKind;
  readonly text: string;
}

type Rule = readonly [XmlKind, RegExp];

const OUTSIDE: readonly Rule[] = [
  ["text", /[^<&]+/y],
  ["entity", /&#?\w+;/y],
  ["comment", /<!--[\s\S]*?(?:-->|$)/y],
  ["punct", /<[/?!]?(?=[\p{L}_])/uy],
  ["text", /[\s\S]/y],
];

const INSIDE: readonly Rule[] = [
  ["text", /\s+/y],
  ["value", /"[^"]*"?|'[^']*'?/y],
  ["attr", /[^\s"'=<>/?]+/y],
  ["punct", /[\s\S]/y],
];

export function tokenise(xml: string): XmlToken[] {
  const tokens: XmlToken[] = [];
  let inside = false;
  for (let at = 0; at < xml.length; ) {
    const token = match(xml, at, inside ? INSIDE : OUTSIDE);
    const opensTag = tokens.at(-1)?.kind === "punct" && tokens.at(-1)?.text.startsWith("<");
    tokens.push(inside && opensTag && token.kind === "attr" ? { ...token, kind: "tag" } : token);
    if (token.kind === "punct") inside = token.text !== ">";
    at += token.text.length;
  }
  return tokens;
}

function match(xml: string, at: number, rules: readonly Rule[]): XmlToken {
  for (const [kind, pattern] of rules) {
    pattern.lastIndex = at;
    const found = pattern.exec(xml);
    if (found) return { kind, text: found[0] };
  }
  // The last rule of each list takes any character.
  return { kind: "text", text: xml.slice(at, at + 1) };
}
