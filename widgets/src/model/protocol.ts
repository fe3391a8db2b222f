/**
 * The messages of the front end and the kernel. Their types are made from the Python ones (`protocol.gen.ts`); here is
 * what the front end makes of them. Times are milliseconds since 1970; `at: null` is the live execution.
 */

import type * as wire from "./protocol.gen";
import type { Command, Get, PaneData } from "./protocol.gen";

export * from "./protocol.gen";

export type Pane = keyof PaneData;
export type ExecutionStatus = wire.Summary["status"];
export type PhaseName = NonNullable<Get["phase"]>;
export type SentenceKind = wire.Summary["kind"];
export type Change = wire.PlanRow["change"];
export type BreakpointKind = wire.BreakpointRow["kind"];

/** An answer for a pane, with the data of that pane. */
export type ReplyOf<P extends Pane> = Omit<wire.Reply, "pane" | "data"> & {
  readonly pane: P;
  readonly data: PaneData[P] | null;
};
export type Reply = { [P in Pane]: ReplyOf<P> }[Pane];
export type Replies = Omit<wire.Replies, "replies"> & { readonly replies: readonly Reply[] };
export type Done = Omit<wire.Done, "replies"> & { readonly replies: readonly Reply[] };
export type Incoming = Reply | Replies | wire.Ack | Done | wire.Pong;

type Unsent<Message> = Message extends unknown ? Omit<Message, "type" | "id"> : never;

/** A command without its id. */
export type Order = Unsent<Command>;
export type CommandName = Command["name"];
export type NewBreakpoint = Omit<wire.BreakAdd, "type" | "id" | "name">;

/** A request for a pane without its id; the kernel has defaults for what is left out. */
export type Want = Unsent<Get>;
