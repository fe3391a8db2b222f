/** The wire to the kernel: sends, numbers what is sent, and notices that the kernel says nothing or is gone. */

import type { Incoming, Outgoing } from "./protocol";

/** When something is owed and nothing was heard for this long, a message may have been lost. */
export const SILENCE_MS = 5000;
/** When nothing was heard for this long, the kernel is asked whether it is there. */
export const BEAT_MS = 3000;
/** When so many of these were not answered, the page says so: the kernel is busy, or gone. */
export const BEATS = 4;
/** The answer to a ping comes before the kernel says that it has handled it, but for this long. */
export const PONG_MS = 500;

/** The frames that a file has: what it does not have cannot be asked for. */
export interface Kept {
  readonly first: number;
  /** The first frame of which every phase is there; older ones are there at their rest. */
  readonly phased: number;
}

/** The part of an anywidget model that is used; or a file in its place. */
export interface Channel {
  /** A file's, behind which nothing runs: there is nothing to do here but to look. */
  readonly kept?: Kept;
  get(trait: "summary"): unknown;
  on(event: string, listener: (...args: never[]) => void): void;
  off(event: string, listener: (...args: never[]) => void): void;
  /** `callbacks.iopub.status` hears that the kernel begins and ends to handle the message. */
  send(message: Outgoing, callbacks?: Callbacks): void;
}

export interface Callbacks {
  readonly iopub: {
    readonly status: (message: { readonly content: { readonly execution_state: string } }) => void;
  };
}

/** The side that uses the wire. */
export interface Receiver {
  readonly connected: boolean;
  /** Whether the kernel is known to speak this protocol: only such a one is asked whether it is there. */
  readonly understood: boolean;
  readonly onSummary: () => void;
  readonly onMessage: (message: Incoming) => void;
  /** The kernel has not answered for a while. */
  onSilence(): void;
  /** Something is owed, and nothing came: a message may have been lost. */
  onLoss(): void;
  /** There is no kernel any more, or another one. */
  onGone(): void;
}

export class Transport {
  private silence: ReturnType<typeof setTimeout> | undefined;
  private beating: ReturnType<typeof setInterval> | undefined;
  private pings = 0;
  /** The pings that had been sent when something was heard last. */
  private answered = 0;
  private heardSinceBeat = true;
  private sent = 0;
  /** Two views of one model hear each other's replies, so each has ids of its own. */
  private readonly prefix = Math.random().toString(36).slice(2, 10);

  constructor(
    private readonly channel: Channel,
    private readonly receiver: Receiver,
  ) {}

  open(): void {
    this.channel.on("change:summary", this.receiver.onSummary);
    this.channel.on("msg:custom", this.receiver.onMessage);
    this.beating = setInterval(() => this.beat(), BEAT_MS);
  }

  close(): void {
    clearInterval(this.beating);
    clearTimeout(this.silence);
    this.channel.off("change:summary", this.receiver.onSummary);
    this.channel.off("msg:custom", this.receiver.onMessage);
  }

  /** The synced trait; its type is not checked. */
  get summary(): unknown {
    return this.channel.get("summary");
  }

  nextId(): string {
    this.sent += 1;
    return `${this.prefix}-${this.sent}`;
  }

  /** Sends; that it can't be sent is how the page hears of a kernel that was shut down. */
  post(message: Outgoing): void {
    try {
      this.channel.send(message);
    } catch {
      this.receiver.onGone();
    }
  }

  /** Notes that the kernel said something. */
  heard(): void {
    clearTimeout(this.silence);
    this.silence = undefined;
    this.heardSinceBeat = true;
    this.answered = this.pings;
  }

  /** Expects to hear something: else it is a loss. */
  expect(): void {
    if (this.silence !== undefined) return;
    this.silence = setTimeout(() => {
      this.silence = undefined;
      this.receiver.onLoss();
    }, SILENCE_MS);
  }

  /** Asks a kernel that says nothing whether it is there. One that was restarted handles that and does not answer. */
  private beat(): void {
    const quiet = !this.heardSinceBeat;
    this.heardSinceBeat = false;
    if (!quiet || !this.receiver.understood) return;
    this.pings += 1;
    if (this.pings - this.answered > BEATS && this.receiver.connected) this.receiver.onSilence();
    const ping = this.pings;
    // Beats of a page that was held up come close together: a later ping says nothing about this one.
    const handled = () => {
      if (this.answered < ping && this.receiver.connected) this.receiver.onGone();
    };
    const status = ({ content }: { readonly content: { readonly execution_state: string } }) => {
      if (content.execution_state === "idle") setTimeout(handled, PONG_MS);
    };
    try {
      this.channel.send({ type: "ping", id: this.nextId() }, { iopub: { status } });
    } catch {
      if (this.receiver.connected) this.receiver.onGone();
    }
  }
}
