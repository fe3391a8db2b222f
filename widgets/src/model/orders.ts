/** Commands: how they are told apart, and how they end. */

import { type Order, PROTOCOL } from "./protocol";

/** How a command ended. */
export interface Outcome {
  readonly ok: boolean;
  readonly error: string | null;
  readonly result: string | null;
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
