/** Commands: how they are told apart, which are under way, and how they end. */

import { type Command, type Order, PROTOCOL } from "./protocol";

/** How a command ended. */
export interface Outcome {
  readonly ok: boolean;
  readonly error: string | null;
  readonly result: string | null;
}

export interface Underway {
  readonly id: string;
  /** No ack came in time: the kernel is busy with something else. */
  readonly late: boolean;
}

/** The commands under way, by `underwayKey`. */
export type Underways = Readonly<Record<string, Underway>>;

interface Sent {
  readonly key: string;
  readonly message: Command;
  /** The caller shows how it ended. */
  readonly quiet: boolean;
  /** The requests that were sent with it. */
  readonly asked: readonly string[];
  readonly settle: (outcome: Outcome) => void;
}

/** The commands that were sent and have not ended. */
export class Orders {
  underway: Underways = {};
  private readonly sent = new Map<string, Sent>();
  private readonly acked = new Set<string>();

  begin(sent: Sent): void {
    const { id } = sent.message;
    this.sent.set(id, sent);
    this.underway = { ...this.underway, [sent.key]: { id, late: false } };
  }

  /** Whether that is news to the page: one that was late is not any more. */
  ack(id: string): boolean {
    const key = this.sent.get(id)?.key;
    if (key === undefined) return false;
    this.acked.add(id);
    return this.late(key, id, false);
  }

  /** Whether it has waited for its ack too long. */
  overdue(key: string, id: string): boolean {
    return !this.acked.has(id) && this.late(key, id, true);
  }

  end(id: string): Sent | undefined {
    const sent = this.sent.get(id);
    this.sent.delete(id);
    this.acked.delete(id);
    if (sent !== undefined) this.keep(([key, one]) => key !== sent.key || one.id !== id);
    return sent;
  }

  /** Those that the kernel may not have heard of. */
  get unheard(): readonly Command[] {
    return Object.values(this.underway).flatMap(({ id }) => {
      const sent = this.acked.has(id) ? undefined : this.sent.get(id);
      return sent === undefined ? [] : [sent.message];
    });
  }

  /**
   * Waits no longer for the end of what was acked; returns the requests that came with it. One without an
   * ack may yet be queued in a busy kernel: it stays, or a second click would step twice.
   */
  giveUp(): readonly string[] {
    this.keep(([, { id }]) => !this.acked.has(id));
    return [...this.sent.values()].flatMap(({ asked }) => asked);
  }

  /** There is nobody who could answer. */
  abandon(): void {
    this.underway = {};
  }

  private late(key: string, id: string, late: boolean): boolean {
    const one = this.underway[key];
    if (one?.id !== id || one.late === late) return false;
    this.underway = { ...this.underway, [key]: { id, late } };
    return true;
  }

  private keep(stays: (entry: [string, Underway]) => boolean): void {
    this.underway = Object.fromEntries(Object.entries(this.underway).filter(stays));
  }
}

/** Commands about different things may be under way together; the same one is sent once. */
export function underwayKey(order: Order): string {
  const { name, ...about } = order;
  const target = Object.values(about).filter((value) => typeof value === "string");
  return [name, ...target].join(" ");
}

export function mismatch(protocol: number): string {
  return (
    `This page speaks protocol ${PROTOCOL} of the stepper and the kernel speaks ${protocol}, so nothing is sent. ` +
    "Restart the kernel and reload the page: then both come from the same smithers_nb."
  );
}
