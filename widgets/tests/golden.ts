import type { Golden } from "./guards";

const FILES = import.meta.glob<Golden>("../../tests/golden/protocol.json", {
  eager: true,
  import: "default",
});

/** What the Python tests wrote: one run's summary, replies and messages. */
export function golden(): Golden {
  const [written] = Object.values(FILES);
  if (written === undefined) {
    throw new Error("tests/golden/protocol.json is missing: the Python tests write it");
  }
  return written;
}
