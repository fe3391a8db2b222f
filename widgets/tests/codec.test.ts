import { describe, expect, it } from "vitest";
import {
  Column,
  type PackedColumn,
  type PackedPool,
  type PackedTracks,
  Pool,
  Tracks,
} from "../src/player/codec";

interface Written extends PackedPool {
  readonly values: readonly unknown[];
  readonly places: readonly number[];
  readonly cursors: readonly Cursor[];
  readonly tracks: PackedTracks;
}

interface Cursor {
  readonly of: string;
  readonly at: number;
  readonly frame: number;
  readonly value: Readonly<Record<string, unknown>> | null;
}

// As text: written as an object of this language, a key named __proto__ would be lost.
const FILES = import.meta.glob<string>("../../tests/golden/codec.json", {
  eager: true,
  import: "default",
  query: "?raw",
});

function written(): Written {
  const [text] = Object.values(FILES);
  if (text === undefined) {
    throw new Error("tests/golden/codec.json is missing: python -m tests.golden.codec writes it");
  }
  return JSON.parse(text) as Written;
}

const PHASES = 7;
const file = written();
const pool = new Pool(file);
const subjects = ["", "node", "task"];
const last = Math.max(...file.cursors.map(({ at }) => at));

/** What a subject shows at a place: what was written last. The subject without a name follows the cursor's frame. */
function expected(of: string, place: number): unknown {
  const found = file.cursors.findLast((one) => one.of === of && one.at <= place);
  const value = found?.value ?? null;
  if (found === undefined || value === null || of !== "") return value;
  const later = Math.floor(place / PHASES) - found.frame;
  const base = value.base === null ? null : Number(value.base) + later;
  return { ...value, frame: found.frame + later, base };
}

const shown = (tracks: Tracks, of: string, place: number) =>
  tracks.at(of, place, Math.floor(place / PHASES));

describe("the values of a file", () => {
  it.each(file.values.map((value, at) => [JSON.stringify(value), value, at] as const))(
    "%s is read back as it was",
    (_, value, at) => {
      expect(pool.at(file.places[at] as number)).toStrictEqual(value);
    },
  );

  it("are the same objects each time: rows that stay are not drawn again", () => {
    for (const place of file.places) expect(pool.at(place)).toBe(pool.at(place));
  });
});

describe("the panes of a file", () => {
  const forward = Array.from({ length: last + 9 }, (_, place) => place);
  const jumping = forward.map((place) => (place * 101) % forward.length);

  it.each([
    ["forward", forward],
    ["back", forward.toReversed()],
    ["jumping", jumping],
  ])("are as they were written at every cursor, going %s", (_, places) => {
    const tracks = new Tracks(file.tracks, pool);
    for (const place of places) {
      for (const of of subjects) {
        expect(shown(tracks, of, place), `${of} at ${place}`).toStrictEqual(expected(of, place));
      }
    }
  });

  it("are nothing before their first cursor, after they left, and where there are none", () => {
    const tracks = new Tracks(file.tracks, pool);
    for (const [of, frame] of [
      ["task", 2],
      ["task", 10],
      ["node", 4],
      ["nobody", 9],
    ] as const) {
      expect(shown(tracks, of, frame * PHASES)).toBeNull();
    }
    expect(shown(tracks, "task", 22 * PHASES)).not.toBeNull();
  });

  it("keep the rows that stay from one cursor to the next", () => {
    const tracks = new Tracks(file.tracks, pool);
    const rows = (frame: number) =>
      (shown(tracks, "", frame * PHASES) as { readonly rows: readonly unknown[] }).rows;
    const [before, after] = [rows(22), rows(23)];
    expect(after.filter((row) => before.includes(row)).length).toBeGreaterThanOrEqual(4);
  });
});

describe("a column", () => {
  it.each([
    ["numbers", [0, 0, [3, null, 5]], [3, null, 5]],
    ["differences, from one number to the next", [0, 1, [3, null, 2, -9]], [3, null, 5, -4]],
    ["places", [1, 0, [0, null, 1]], [file.values[0], null, file.values[1]]],
    [
      "numbers and places, of more than 32 bits too",
      [2, 0, [2 ** 42, 1, -6]],
      [2 ** 41, file.values[0], -3],
    ],
  ] as const)("has %s", (_, packed, values) => {
    const column = new Column(packed as unknown as PackedColumn);
    expect(column.length).toBe(values.length);
    expect(values.map((_, at) => column.value(at, pool))).toStrictEqual(values);
  });
});
