/**
 * Answers to why: walks from facts to their causes, as `history/causes/why.py` walks; `player/reasons.py` writes the
 * facts.
 */

import type { StatementRow, WhyPane } from "../model/protocol";
import { Column, type PackedColumn, type Pool, starts } from "./codec";

export interface PackedFacts {
  /** The most sentences of an answer, and the number of times that it may come to the same subject. */
  readonly most: number;
  readonly rounds: number;
  /** The end of a sentence whose causes are folded; the most characters of a sentence. */
  readonly and_so_on: string;
  readonly longest: number;
  /** The statements, as places in the pool. */
  readonly statements: PackedColumn;
  /** Of each fact: its statement, its subject or -1, its number of causes, and how far each is before it. */
  readonly says: PackedColumn;
  readonly subjects: PackedColumn;
  readonly sizes: PackedColumn;
  readonly causes: PackedColumn;
}

/** Answers by the facts at their top. */
export interface PlacedWhy {
  readonly takes: string | null;
  /** Of each answer the question, and whether it is a "why not". */
  readonly heads: readonly (readonly [string, boolean])[];
  readonly facts: readonly (readonly number[])[];
}

type Statement = Omit<StatementRow, "depth">;

/** Stand for ", in frame N?": the frame of the cursor, and the one that reads what that has written. */
const MARK = "\u0000";
const NEXT = "\u0001";

export class Answers {
  private readonly statements: Column;
  private readonly says: Column;
  private readonly subjects: Column;
  private readonly sizes: Column;
  private readonly causes: Column;
  private readonly first: readonly number[];

  constructor(
    readonly packed: PackedFacts,
    private readonly pool: Pool,
  ) {
    this.statements = new Column(packed.statements);
    this.says = new Column(packed.says);
    this.subjects = new Column(packed.subjects);
    this.sizes = new Column(packed.sizes);
    this.causes = new Column(packed.causes);
    this.first = starts(this.sizes);
  }

  /** The answers about a target in a frame. */
  told({ takes, heads, facts }: PlacedWhy, of: string | null, frame: number): WhyPane {
    const answers = heads.map(([question, negative], at) => ({
      question: placed(question, frame),
      negative,
      statements: new Chain(this).told(facts[at] ?? []),
      more: 0,
    }));
    return { of, answers, takes };
  }

  /** The number of the statement of a fact. */
  said(fact: number): number {
    return this.says.number(fact);
  }

  statement(said: number): Statement {
    return this.pool.at(this.statements.number(said)) as Statement;
  }

  /** The subject, by which facts that differ only in their frame are the same; -1 of what is no fact by itself. */
  subject(fact: number): number {
    return this.subjects.number(fact);
  }

  causesOf(fact: number): readonly number[] {
    const first = this.first[fact] ?? 0;
    const length = this.sizes.number(fact);
    return Array.from({ length }, (_, at) => fact - this.causes.number(first + at));
  }
}

/** The sentences of one answer so far. */
class Chain {
  private readonly rows: StatementRow[] = [];
  private readonly known = new Set<number>();

  constructor(private readonly answers: Answers) {}

  told(facts: readonly number[]): StatementRow[] {
    for (const fact of facts) this.tell(fact, 0, []);
    return this.rows;
  }

  private tell(fact: number, depth: number, path: readonly number[]): void {
    const { answers, known } = this;
    const { most, rounds, and_so_on, longest } = answers.packed;
    // Cut by number and not by depth: a wide tree is as unreadable as a deep one.
    if (this.rows.length >= most) return;
    const said = answers.said(fact);
    const statement = answers.statement(said);
    const subject = answers.subject(fact);
    // Only along the path from the question: side by side, the same subject is no round.
    if (subject >= 0 && path.filter((one) => one === subject).length >= rounds) {
      this.rows.push({ ...statement, depth, text: joined(statement.text, and_so_on, longest) });
      return;
    }
    this.rows.push({ ...statement, depth });
    if (subject >= 0) {
      // What was told already is named again, and its causes are not: the reader has them above.
      if (known.has(said)) return;
      known.add(said);
    }
    const below = subject >= 0 ? [...path, subject] : path;
    for (const cause of answers.causesOf(fact)) this.tell(cause, depth + 1, below);
  }
}

/** A text with its end, and cut where it is too long: characters are counted as Python does. */
function joined(text: string, end: string, longest: number): string {
  const all = [...text];
  // It was cut before, and its last character says so.
  if (all.length > longest) return text;
  const whole = [...all, ...end];
  return whole.length <= longest ? whole.join("") : `${whole.slice(0, longest).join("")}…`;
}

function placed(question: string, frame: number): string {
  if (question.endsWith(MARK)) return `${question.slice(0, -1)}, in frame ${frame}?`;
  if (question.endsWith(NEXT)) return `${question.slice(0, -1)}, in frame ${frame + 1}?`;
  return question;
}
