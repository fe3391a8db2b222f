/** Arrow keys within a toolbar or a list of tabs: one of its buttons is in the tab order at a time. */

type Arrow = "ArrowLeft" | "ArrowRight" | "Home" | "End";

const TARGETS: Readonly<Record<Arrow, (at: number, count: number) => number>> = {
  ArrowLeft: (at, count) => (at + count - 1) % count,
  ArrowRight: (at, count) => (at + 1) % count,
  Home: () => 0,
  End: (_at, count) => count - 1,
};

/** Moves the focus to where the key leads; returns the button's index, or null for another key. */
export function rove(event: KeyboardEvent & { currentTarget: HTMLElement }): number | null {
  const target = TARGETS[event.key as Arrow];
  const buttons = [...event.currentTarget.querySelectorAll("button")];
  const at = buttons.indexOf(event.target as HTMLButtonElement);
  if (target === undefined || at < 0) return null;
  event.preventDefault();
  const next = target(at, buttons.length);
  buttons[next]?.focus();
  return next;
}
