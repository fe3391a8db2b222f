/** Reads panes back from columns: what `player/codec.py` writes. */

/** The kind, 1 if it has differences instead of values, and the values. */
export type PackedColumn = readonly [number, number, readonly (number | null)[]];

/** The kind, the names of a dict or the parts of a text between its numbers, and the columns. */
export type PackedTable = readonly [
  number,
  readonly string[],
  readonly PackedColumn[] | readonly unknown[],
];

export interface PackedPool {
  readonly tables: readonly PackedTable[];
  /** The table of each value. */
  readonly order: PackedColumn;
}

export interface PackedTracks {
  /** The names of the fields. */
  readonly names: readonly string[];
  readonly subjects: readonly string[];
  /** The changes of an entry, each as 4 times the number of its field, plus its kind; none where there is no value. */
  readonly masks: readonly (readonly number[])[];
  /** Place of the cursor, subject and mask. */
  readonly entries: readonly [PackedColumn, PackedColumn, PackedColumn];
  readonly cells: Readonly<Record<string, PackedColumn>>;
  /** Of each list: number of runs, their starts, counts, numbers of new members, and these. */
  readonly runs: Readonly<Record<string, readonly PackedColumn[]>>;
}

/** The kinds of tables. */
const [TEXT, RECORD, TUPLE, LIST] = [0, 1, 2, 3];
/** The kinds of columns. */
const [NUMBERS, PLACES] = [0, 1];
/** The kinds of changes; the others are rows, lines and pairs. */
const [CELL, , LINES, PAIRS] = [0, 1, 2, 3];
/** Fields that follow the frame of the cursor: their distance is kept. */
const PLACED: readonly string[] = ["frame", "base"];
/** Lists are kept whole every so many changes: what is read next is near. */
const KEPT = 16;

/** A column of numbers, or of values of the pool. */
export class Column {
  private readonly values: readonly (number | null)[];
  private readonly kind: number;

  constructor([kind, apart, values]: PackedColumn) {
    this.kind = kind;
    this.values = apart ? summed(values) : values;
  }

  get length(): number {
    return this.values.length;
  }

  number(at: number): number {
    return this.values[at] ?? 0;
  }

  value(at: number, pool: Pool): unknown {
    const told = this.values[at] ?? null;
    if (told === null || this.kind === NUMBERS) return told;
    if (this.kind === PLACES) return pool.at(told);
    // Numbers are even, and places odd. Not by bits: these are greater than 32 of them.
    return told % 2 === 0 ? told / 2 : pool.at((told - 1) / 2);
  }
}

function summed(apart: readonly (number | null)[]): (number | null)[] {
  let last = 0;
  return apart.map((one) => {
    if (one === null) return null;
    last += one;
    return last;
  });
}

/** The sums of all numbers before each one. */
export function starts(column: Column): number[] {
  let sum = 0;
  return Array.from({ length: column.length }, (_, at) => {
    sum += column.number(at);
    return sum - column.number(at);
  });
}

/** The values, each read once: equal ones are the same object, so that rows that stay are not drawn again. */
export class Pool {
  private readonly tables: readonly Table[];
  private readonly table: readonly number[];
  private readonly row: readonly number[];
  private readonly read = new Map<number, unknown>();

  constructor({ tables, order }: PackedPool) {
    this.tables = tables.map((table) => new Table(table, this));
    const column = new Column(order);
    const rows = tables.map(() => 0);
    this.table = Array.from({ length: column.length }, (_, at) => column.number(at));
    this.row = this.table.map((table) => {
      const row = rows[table] ?? 0;
      rows[table] = row + 1;
      return row;
    });
  }

  at(place: number): unknown {
    if (!this.read.has(place)) {
      this.read.set(place, this.tables[this.table[place] ?? 0]?.at(this.row[place] ?? 0));
    }
    return this.read.get(place);
  }
}

/** Values of one kind and form; its columns are read with the first of them. */
class Table {
  private columns: readonly Column[] | null = null;
  private starts: readonly number[] = [];

  constructor(
    private readonly packed: PackedTable,
    private readonly pool: Pool,
  ) {}

  at(row: number): unknown {
    const [kind, form, columns] = this.packed;
    if (kind === TEXT) return this.text(form, row);
    if (kind === RECORD) {
      const read = this.read();
      return Object.fromEntries(form.map((name, at) => [name, read[at]?.value(row, this.pool)]));
    }
    if (kind === TUPLE) return this.read().map((column) => column.value(row, this.pool));
    if (kind === LIST) return this.list(row);
    return columns[row];
  }

  private text(parts: readonly string[], row: number): string {
    const numbers = this.read();
    return parts.map((part, at) => (at === 0 ? "" : numbers[at - 1]?.number(row)) + part).join("");
  }

  private list(row: number): unknown[] {
    const [sizes, members] = this.read();
    if (sizes === undefined || members === undefined) return [];
    if (this.starts.length === 0) this.starts = starts(sizes);
    const start = this.starts[row] ?? 0;
    const length = sizes.number(row);
    return Array.from({ length }, (_, at) => members.value(start + at, this.pool));
  }

  private read(): readonly Column[] {
    this.columns ??= this.packed[2].map((column) => new Column(column as PackedColumn));
    return this.columns;
  }
}

/** The changes of one list: the runs of the list before that stay, and the members between them. */
class Runs {
  private readonly columns: readonly Column[];
  /** Where the runs of a change begin, and the new members of a run. */
  private readonly first: readonly number[];
  private readonly fresh: readonly number[];

  constructor(packed: readonly PackedColumn[]) {
    this.columns = packed.map((column) => new Column(column));
    this.first = starts(this.columns[0] as Column);
    this.fresh = starts(this.columns[3] as Column);
  }

  /** The list after a change, as places in the pool. */
  after(change: number, before: readonly number[]): readonly number[] {
    const [sizes, begins, counts, news, places] = this.columns as readonly Column[] as [
      Column,
      Column,
      Column,
      Column,
      Column,
    ];
    const made: number[] = [];
    const first = this.first[change] ?? 0;
    let end = 0;
    for (let run = first; run < first + sizes.number(change); run += 1) {
      const start = end + begins.number(run);
      end = start + counts.number(run);
      for (let at = start; at < end; at += 1) made.push(before[at] as number);
      const fresh = this.fresh[run] ?? 0;
      for (let at = fresh; at < fresh + news.number(run); at += 1) made.push(places.number(at));
    }
    return made;
  }
}

/** A field: the number of its change, its kind, and the list as places. */
interface Field {
  readonly kind: number;
  readonly change: number;
  readonly places: readonly number[];
}

type Fields = readonly Field[] | null;

/** The number of a field, the kind of its change, and the number of the change among those of the field. */
type Change = readonly [field: number, kind: number, change: number];

interface Entry {
  readonly place: number;
  /** Null: there is no value. */
  readonly changes: readonly Change[] | null;
}

/** The values that the panes of one kind take from cursor to cursor. */
export class Tracks {
  private readonly tracks = new Map<string, Track>();

  constructor(packed: PackedTracks, pool: Pool) {
    const fields = packed.names.map((name) => new FieldReader(name, packed, pool));
    const entries = entriesOf(packed);
    packed.subjects.forEach((subject, at) => {
      this.tracks.set(subject, new Track(entries[at] ?? [], fields, subject === ""));
    });
  }

  /** The value of a subject at a cursor; null where there is none. `frame` is the frame that the cursor shows. */
  at(subject: string, place: number, frame: number): unknown {
    return this.tracks.get(subject)?.at(place, frame) ?? null;
  }
}

/** The entries of each subject, in their order. */
function entriesOf({ subjects, masks, entries, names }: PackedTracks): Entry[][] {
  const [places, owners, kinds] = entries.map((column) => new Column(column));
  const found: Entry[][] = subjects.map(() => []);
  const counts = names.map(() => [0, 0] as [number, number]);
  for (let at = 0; at < (places?.length ?? 0); at += 1) {
    const mask = masks[kinds?.number(at) ?? 0] ?? [];
    const changes = mask.map((told): Change => {
      const [field, kind] = [told >> 2, told & 3];
      const count = counts[field] as [number, number];
      // Values and lists of a field are counted apart: they are in columns of their own.
      const of = kind === CELL ? 0 : 1;
      count[of] += 1;
      return [field, kind, count[of] - 1];
    });
    const entry = {
      place: places?.number(at) ?? 0,
      changes: mask.length === 0 ? null : changes,
    };
    found[owners?.number(at) ?? 0]?.push(entry);
  }
  return found;
}

/** Reads the values of one field. */
class FieldReader {
  private readonly cells: Column | null;
  private readonly runs: Runs | null;

  constructor(
    readonly name: string,
    { cells, runs }: PackedTracks,
    private readonly pool: Pool,
  ) {
    this.cells = cells[name] === undefined ? null : new Column(cells[name]);
    this.runs = runs[name] === undefined ? null : new Runs(runs[name]);
  }

  after(before: Field | undefined, kind: number, change: number): Field {
    if (kind === CELL) return { kind, change, places: [] };
    const last = before?.kind === kind ? before.places : [];
    return { kind, change, places: this.runs?.after(change, last) ?? [] };
  }

  value({ kind, change, places }: Field): unknown {
    if (kind === CELL) return this.cells?.value(change, this.pool) ?? null;
    const members = places.map((place) => this.pool.at(place));
    if (kind === LINES) return members.join("\n");
    return kind === PAIRS ? Object.fromEntries(members as [string, unknown][]) : members;
  }
}

/** The values that one pane takes from cursor to cursor. */
class Track {
  private readonly kept = new Map<number, Fields>();
  private last: { readonly entry: number; readonly frame: number; readonly value: unknown } | null =
    null;

  constructor(
    private readonly entries: readonly Entry[],
    private readonly readers: readonly FieldReader[],
    private readonly placed: boolean,
  ) {}

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
    while (from >= 0 && !this.kept.has(from)) from -= 1;
    let fields = this.kept.get(from) ?? null;
    for (let at = from + 1; at <= entry; at += 1) {
      fields = this.changed(fields, this.entries[at]?.changes ?? null);
      if (at % KEPT === 0) this.kept.set(at, fields);
    }
    this.kept.set(entry, fields);
    return fields;
  }

  private changed(before: Fields, changes: readonly Change[] | null): Fields {
    if (changes === null) return null;
    const fields: Field[] = [...(before ?? [])];
    for (const [number, kind, change] of changes) {
      const reader = this.readers[number];
      if (reader !== undefined) fields[number] = reader.after(fields[number], kind, change);
    }
    return fields;
  }

  private made(fields: Fields, frame: number): unknown {
    if (fields === null) return null;
    return Object.fromEntries(
      this.readers.map((reader, at) => {
        const field = fields[at];
        const value = field === undefined ? null : reader.value(field);
        const follows = this.placed && PLACED.includes(reader.name) && typeof value === "number";
        return [reader.name, follows ? frame + value : value];
      }),
    );
  }
}
