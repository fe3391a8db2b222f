/** What the kernel said of recorded frames, kept: it never changes, and is there without a kernel too. */

const KEPT = 120;

interface Kept {
  readonly version: string;
  readonly data: unknown;
}

/** The last answers, by question; the one that was not used for longest goes first. */
export class Cache {
  private readonly kept = new Map<string, Kept>();

  put(question: string, version: string, data: unknown): void {
    this.kept.delete(question);
    this.kept.set(question, { version, data });
    const [oldest] = this.kept.keys();
    if (this.kept.size > KEPT && oldest !== undefined) this.kept.delete(oldest);
  }

  /** The answer, of that version only; of any version when none is named. */
  find(question: string, version: string | null): Kept | undefined {
    const found = this.kept.get(question);
    if (found === undefined || (version !== null && found.version !== version)) return undefined;
    this.kept.delete(question);
    this.kept.set(question, found);
    return found;
  }

  clear(): void {
    this.kept.clear();
  }
}
