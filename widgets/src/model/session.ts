/** What this page and the kernel owe each other: commands that were sent, summaries in order, and lost messages. */

import { Orders, type Outcome, type Underways, underwayKey } from "./orders";
import { type Command, type Get, type Order, type Outgoing, PROTOCOL } from "./protocol";

/** A command without an ack for this long means that the kernel is busy. */
export const ACK_MS = 1500;

/** What of the transport a session needs. */
export interface Wire {
  nextId(): string;
  post(message: Outgoing): void;
}

/** How a summary that came as the trait stands to those before it. */
export type Arrival = "first" | "next" | "old" | "gap" | "restart";

/** How a command ended that this page had sent. */
export interface Ended {
  /** The caller shows how it ended. */
  readonly quiet: boolean;
  /** The requests that were sent with it. */
  readonly asked: readonly string[];
}

export class Session {
  /** Whether messages were lost, and the summary that answers the hello has not come. */
  recovering = false;
  private readonly orders = new Orders();
  /** The number of the newest summary that came as the trait. */
  private seq: number | null = null;

  constructor(
    private readonly wire: Wire,
    /** Called when a command is late, or is no longer. */
    private readonly onLate: () => void,
  ) {}

  get underway(): Underways {
    return this.orders.underway;
  }

  get owes(): boolean {
    return Object.keys(this.underway).length > 0;
  }

  /** Takes the number of a summary that came as the trait; `shown` is the number of the one on the page. */
  arrived(seq: number, shown: number | null): Arrival {
    const before = this.seq;
    this.seq = seq;
    if (before === null || shown === null) return "first";
    if (seq < before) return "restart";
    // Those that came with the ends of commands overtake the trait, and it may leave them out.
    if (seq > Math.max(before, shown) + 1) return "gap";
    return seq > shown ? "next" : "old";
  }

  /** Sends a command with the requests for what it leads to; the promise says how it ended. */
  send(order: Order, quiet: boolean, ask: readonly Get[], execution_id?: string): Promise<Outcome> {
    const id = this.wire.nextId();
    const key = underwayKey(order);
    const about = { ...order, execution_id };
    const message = { type: "command", id, ...about, ...(ask.length > 0 && { ask }) } as Command;
    return new Promise((settle) => {
      this.orders.begin({ key, message, quiet, asked: ask.map((get) => get.id), settle });
      this.wire.post(message);
      setTimeout(() => {
        if (this.orders.overdue(key, id)) this.onLate();
      }, ACK_MS);
    });
  }

  acked(id: string): void {
    if (this.orders.ack(id)) this.onLate();
  }

  /** Tells the caller how its command ended; undefined where another view sent it. */
  end(id: string, outcome: Outcome): Ended | undefined {
    const sent = this.orders.end(id);
    sent?.settle(outcome);
    return sent;
  }

  greet(): void {
    this.wire.post({ type: "hello", protocol: PROTOCOL });
  }

  /**
   * Messages may have been lost, either way. A command without an ack is sent again under its id, which the
   * kernel takes once; what it has taken is free again with the summary that answers the hello.
   */
  recover(): void {
    this.recovering = true;
    for (const message of this.orders.unheard) this.wire.post(message);
    this.greet();
  }

  /**
   * Gives up on the commands that were acked, whose end may have been lost; returns the requests that were sent with
   * commands. The summary's `busy` still keeps the buttons off while such a command runs.
   */
  giveUp(): readonly string[] {
    this.recovering = false;
    return this.orders.giveUp();
  }

  /** There is no kernel that could answer. */
  abandon(): void {
    this.orders.abandon();
  }
}
