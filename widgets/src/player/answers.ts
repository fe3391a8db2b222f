/** Answers to why, put together from the sentences that the file has once: what `player/reasons.py` takes apart. */

import type { StatementRow, WhyPane } from "../model/protocol";

/** The answers with their sentences in one list. */
export interface FlatWhy {
  readonly of: string | null;
  readonly takes: string | null;
  /** Of each answer: the question, whether it is a "why not", how many sentences are left out, and how many there are. */
  readonly heads: readonly (readonly [string, boolean, number, number])[];
  readonly depths: readonly number[];
  readonly statements: readonly Omit<StatementRow, "depth">[];
}

/** Stand for ", in frame N?": the frame of the cursor, and the one that reads what that has written. */
const MARK = "\u0000";
const NEXT = "\u0001";

export function answered(
  { of, takes, heads, depths, statements }: FlatWhy,
  frame: number,
): WhyPane {
  let from = 0;
  const answers = heads.map(([question, negative, more, count]) => {
    const rows = statements.slice(from, from + count).map((statement, at) => ({
      ...statement,
      depth: depths[from + at] ?? 0,
    }));
    from += count;
    return { question: placed(question, frame), negative, statements: rows, more };
  });
  return { of, answers, takes };
}

function placed(question: string, frame: number): string {
  if (question.endsWith(MARK)) return `${question.slice(0, -1)}, in frame ${frame}?`;
  if (question.endsWith(NEXT)) return `${question.slice(0, -1)}, in frame ${frame + 1}?`;
  return question;
}
