/** How the panes share their room: what the person has set, remembered on this page and the next. */

/** The pane whose share of the room is set: of the width, and of the height. */
export type Split = "inspector" | "details";

/** Percent of the room; a split that is not set follows the layout. */
export type Shares = Readonly<Partial<Record<Split, number>>>;

export const LEAST = 15;
export const MOST = 80;
const STEP = 5;

const KEY = "smithers_nb stepper splits";

const within = (share: number): number =>
  Math.round(Math.min(MOST, Math.max(LEAST, share)) * 10) / 10;

/** The shares with one of them set; null gives it back to the layout. */
export function withShare(shares: Shares, split: Split, share: number | null): Shares {
  const { [split]: _, ...others } = shares;
  return share === null ? others : { ...others, [split]: within(share) };
}

/** The share that a key press asks for; null: the layout's; undefined: the key means nothing here. */
export function pressedShare(split: Split, share: number, key: string): number | null | undefined {
  const [more, less] =
    split === "inspector" ? ["ArrowLeft", "ArrowRight"] : ["ArrowUp", "ArrowDown"];
  switch (key) {
    case more:
      return within(share + STEP);
    case less:
      return within(share - STEP);
    case "Home":
      return LEAST;
    case "End":
      return MOST;
    case "Enter":
      return null;
    default:
      return undefined;
  }
}

/** What is remembered; nothing where the page has no storage, or holds something else. */
export function remembered(): Shares {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(KEY) ?? "{}");
    return sharesIn(found);
  } catch {
    return {}; // Storage can be forbidden, and a text of another version need not be JSON.
  }
}

function sharesIn(found: unknown): Shares {
  if (typeof found !== "object" || found === null) return {};
  const shares = found as Partial<Record<Split, unknown>>;
  return (["inspector", "details"] as const).reduce<Shares>((all, split) => {
    const share = shares[split];
    return typeof share === "number" && Number.isFinite(share) ? withShare(all, split, share) : all;
  }, {});
}

export function remember(shares: Shares): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(shares));
  } catch {
    // Storage can be forbidden or full: the shares hold as long as the page.
  }
}
