// Writes src/model/protocol.gen.ts from the JSON schema on stdin, which `python -m tests.golden.schema` prints.

import { readFileSync, writeFileSync } from "node:fs";
import { compile } from "json-schema-to-typescript";

// The generator reads a tuple from `items`, as JSON schema had it until draft 2019-09, and loses the name of a
// `$ref` that has a description beside it.
const plain = (_key, value) => {
  if (value?.prefixItems) return { ...value, prefixItems: undefined, items: value.prefixItems };
  if (value?.$ref && value.description)
    return { allOf: [{ $ref: value.$ref }], description: value.description };
  return value;
};

const { definitions, constants } = JSON.parse(readFileSync(0, "utf8"), plain);
const types = await compile({ title: "Unnamed", type: "object", definitions }, "Unnamed", {
  additionalProperties: false,
  bannerComment: "",
  format: false,
  maxItems: 4,
  unknownAny: true,
  unreachableDefinitions: true,
});

/** Makes a field, and the lists and tuples in it, read-only: the generator has no option for it. */
function readonly(line) {
  if (!/^\w+\??: /.test(line)) return line;
  const list = /(\w+|\[[^[\]]+\]|\((?:[^()]|\([^()]*\))+\))\[\]/;
  let field = `readonly ${line}`;
  while (list.test(field)) field = field.replace(list, "ReadonlyArray<$1>");
  return field.replaceAll("[", "readonly [");
}

const text = types
  .replace(/export interface Unnamed \{\s*\}/, "")
  .replaceAll(/( \*\s*\n)? \* This interface was referenced by `Unnamed`'s JSON-Schema\n \* via the `definition` ".*"\.\n/g, "")
  .replaceAll(/\/\*\*\n \*\/\n/g, "")
  .replaceAll("``", "`")
  .split("\n")
  .map(readonly);
const values = Object.entries(constants).map(
  ([name, value]) => `export const ${name} = ${JSON.stringify(value)} as const;`,
);
writeFileSync(
  new URL("src/model/protocol.gen.ts", import.meta.url),
  ["/** Made by `make widget` from the types in Python; do not edit. */", "", ...values, ...text].join("\n"),
);
