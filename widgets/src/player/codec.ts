/** Reads panes back from a pool of values and tracks of differences: what `player/codec.py` writes. */

/**
 * A scalar or short text; `[n]`, which is in the pool; `[shape, member, …]`; or the members of a list of rows or
 * lines, two numbers stand for a run of the list before.
 */
export type Encoded =
  | string
  | number
  | boolean
  | null
  | readonly Encoded[]
  | { readonly rows: readonly Encoded[] }
  | { readonly lines: readonly Encoded[] }
  | { readonly frame: number }
  | Record<string, never>;

export interface PackedTrack {
  readonly names: readonly string[];
  /**
   * The distance from the entry before; then number and value of each changed field, or `WHOLE` and all fields,
   * or `NONE`.
   */
  readonly entries: readonly (readonly Encoded[])[];
}

/** The marks of entries: there is no value; all fields follow, and none of the entries before is needed. */
const NONE = -1;
const WHOLE = -2;
/** The shape of a list. */
const LIST = -1;
/** Fields are kept every so many entries: what is read next is near. */
const KEPT = 16;

/** The place that is told from another one: below -1 its distance. */
const placeOf = (told: number, base: number): number => (told < -1 ? base + 2 + told : told);

const isPlace = (encoded: Encoded): encoded is readonly [number] =>
  Array.isArray(encoded) && encoded.length === 1 && encoded[0] !== LIST;

/** The values, each read once: equal ones are the same object, so that rows that stay are not drawn again. */
export class Pool {
  private readonly read = new Map<number, unknown>();

  constructor(
    private readonly entries: readonly Encoded[],
    private readonly shapes: readonly (readonly string[])[],
  ) {}

  at(place: number): unknown {
    if (!this.read.has(place)) this.read.set(place, this.made(this.entries[place] ?? null, place));
    return this.read.get(place);
  }

  /** A value; places that are near are told from `base`. */
  value(encoded: Encoded, base: number): unknown {
    return isPlace(encoded) ? this.at(placeOf(encoded[0], base)) : this.made(encoded, base);
  }

  private made(encoded: Encoded, base: number): unknown {
    if (!Array.isArray(encoded)) return encoded;
    const [shape, ...members] = encoded as readonly Encoded[];
    const values = members.map((member) => this.value(member, base));
    const names = this.shapes[shape as number];
    if (names === undefined) return values;
    return Object.fromEntries(names.map((name, at) => [name, values[at]]));
  }
}

/** A run of the list before. */
class Run {
  constructor(
    readonly start: number,
    readonly count: number,
  ) {}
}

/** A field of a pane: the distance of its frame, its rows or lines, or what it is. */
type Field =
  | { readonly frame: number }
  | { readonly rows: readonly unknown[] }
  | { readonly lines: readonly unknown[] }
  | { readonly value: unknown };

type Fields = readonly Field[] | null;

/** A changed field, with the runs of the list before. */
type Change = readonly [number, Field];

interface Entry {
  readonly place: number;
  readonly whole: boolean;
  /** Null: there is no value. */
  readonly changes: readonly Change[] | null;
}

/** The values that one pane takes from cursor to cursor. */
export class Track {
  private readonly entries: readonly Entry[];
  private readonly kept = new Map<number, Fields>();
  private last: { readonly entry: number; readonly frame: number; readonly value: unknown } | null =
    null;

  constructor(
    private readonly packed: PackedTrack,
    pool: Pool,
  ) {
    this.entries = entriesOf(packed, pool);
  }

  /** The value at a cursor; null where there is none. `frame` is the frame that the cursor shows. */
  at(place: number, frame: number): unknown {
    const entry = this.entryAt(place);
    if (entry < 0) return null;
    const { last } = this;
    if (last?.entry === entry && last.frame === frame) return last.value;
    const value = this.made(this.fields(entry), frame);
    this.last = { entry, frame, value };
    return value;
  }

  /** The last entry that is not after a place; -1 for none. */
  private entryAt(place: number): number {
    let from = 0;
    let to = this.entries.length;
    while (from < to) {
      const middle = (from + to) >> 1;
      if ((this.entries[middle]?.place ?? 0) <= place) from = middle + 1;
      else to = middle;
    }
    return from - 1;
  }

  private fields(entry: number): Fields {
    let from = entry;
    while (from > 0 && !this.kept.has(from) && !this.entries[from]?.whole) from -= 1;
    let fields = this.kept.get(from) ?? changed(null, this.entries[from]);
    for (let at = from + 1; at <= entry; at += 1) {
      fields = changed(fields, this.entries[at]);
      if (at % KEPT === 0) this.kept.set(at, fields);
    }
    this.kept.set(entry, fields);
    return fields;
  }

  private made(fields: Fields, frame: number): unknown {
    if (fields === null) return null;
    const { names } = this.packed;
    return Object.fromEntries(names.map((name, at) => [name, this.field(fields[at], frame)]));
  }

  private field(field: Field | undefined, frame: number): unknown {
    if (field === undefined) return null;
    if ("frame" in field) return frame + field.frame;
    if ("rows" in field) return field.rows;
    return "lines" in field ? field.lines.join("\n") : field.value;
  }
}

/** The entries with their places: a place in the pool may be told from the last one in the track. */
function entriesOf({ entries }: PackedTrack, pool: Pool): readonly Entry[] {
  const told = new Told(pool);
  let place = 0;
  return entries.map(([apart, mark, ...rest]) => {
    place += apart as number;
    if (mark === NONE) return { place, whole: true, changes: null };
    const whole = mark === WHOLE;
    const members = whole || mark === undefined ? rest : [mark, ...rest];
    const changes: Change[] = [];
    for (let at = 0; at < members.length; at += whole ? 1 : 2) {
      const number = whole ? at : (members[at] as number);
      changes.push([number, told.field(members[whole ? at : at + 1] ?? null)]);
    }
    return { place, whole, changes };
  });
}

/** Reads the fields of a track in their order. */
class Told {
  private base = 0;

  constructor(private readonly pool: Pool) {}

  field(encoded: Encoded): Field {
    if (encoded === null || typeof encoded !== "object") return { value: encoded };
    if ("frame" in encoded) return { frame: encoded.frame as number };
    if ("rows" in encoded) return { rows: this.members(encoded.rows) };
    if ("lines" in encoded) return { lines: this.members(encoded.lines) };
    return { value: this.value(encoded as Encoded) };
  }

  private value(encoded: Encoded): unknown {
    if (!isPlace(encoded)) return this.pool.value(encoded, this.base);
    this.base = placeOf(encoded[0], this.base);
    return this.pool.at(this.base);
  }

  private members(told: readonly Encoded[]): unknown[] {
    const members: unknown[] = [];
    for (let at = 0; at < told.length; at += 1) {
      const member = told[at] ?? null;
      if (typeof member !== "number") members.push(this.value(member));
      else {
        at += 1;
        members.push(new Run(member, told[at] as number));
      }
    }
    return members;
  }
}

function changed(before: Fields, entry: Entry | undefined): Fields {
  const changes = entry?.changes ?? null;
  if (entry === undefined || changes === null) return null;
  const fields: Field[] = entry.whole || before === null ? [] : [...before];
  for (const [number, field] of changes) fields[number] = joined(fields[number], field);
  return fields;
}

/** The field with the runs of the list before it put in. */
function joined(before: Field | undefined, field: Field): Field {
  if ("rows" in field) return { rows: unrolled(field.rows, membersOf(before)) };
  if ("lines" in field) return { lines: unrolled(field.lines, membersOf(before)) };
  return field;
}

function membersOf(field: Field | undefined): readonly unknown[] {
  if (field !== undefined && "rows" in field) return field.rows;
  return field !== undefined && "lines" in field ? field.lines : [];
}

function unrolled(members: readonly unknown[], before: readonly unknown[]): unknown[] {
  return members.flatMap((member) =>
    member instanceof Run
      ? before.slice(member.start, member.start + member.count)
      : // In a list of its own: a row may be a list.
        [member],
  );
}
