/** The kernel's place in a page that is a file: answers from the recording, at once. */

import type { Get, Incoming, Outgoing, Reply } from "../model/protocol";
import type { Channel, Kept } from "../model/transport";
import type { Recording } from "./recording";

type Listener = (...args: never[]) => void;

export class RecordedChannel implements Channel {
  readonly kept: Kept;
  private readonly listeners = new Map<string, Set<Listener>>();

  constructor(private readonly recording: Recording) {
    this.kept = { first: Math.max(1, recording.first), phased: recording.phased };
  }

  get(): unknown {
    return this.recording.summary;
  }

  on(event: string, listener: Listener): void {
    const known = this.listeners.get(event) ?? new Set();
    this.listeners.set(event, known.add(listener));
  }

  off(event: string, listener: Listener): void {
    this.listeners.get(event)?.delete(listener);
  }

  /** Answers at once; there is nothing to greet, and nothing else to show. */
  send(message: Outgoing): void {
    if (message.type === "get") this.say(this.reply(message));
    else if (message.type === "look") {
      const replies = message.gets.map((get) => this.reply(get));
      this.say({ type: "replies", replies });
    } else if (message.type === "ping") this.say({ type: "pong", id: message.id });
    else if (message.type === "command") {
      const { id, name } = message;
      const why = this.recording.summary.read_only ?? "";
      this.say({ type: "ack", id, name, accepted: false, why });
    }
  }

  private say(message: Incoming): void {
    for (const listener of this.listeners.get("msg:custom") ?? []) listener(message as never);
  }

  private reply(get: Get): Reply {
    const { id, pane, at = null, phase = null } = get;
    const about = { type: "reply", id, pane, at, phase } as const;
    try {
      return { ...about, data: this.recording.answer(get), error: null } as Reply;
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      return { ...about, data: null, error: why } as Reply;
    }
  }
}
