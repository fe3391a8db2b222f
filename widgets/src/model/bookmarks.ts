/** Bookmarked frames. They are the page's own: several views of one execution agree. */

const BOOKMARKS = new Map<string, readonly number[]>();

/** The bookmarks of an execution; undefined where it never had one on this page. */
export const bookmarksOf = (execution: string): readonly number[] | undefined =>
  BOOKMARKS.get(execution);

/** Sets or removes the bookmark of a frame; returns all. */
export function bookmarked(
  execution: string | undefined,
  bookmarks: readonly number[],
  frame: number,
): readonly number[] {
  const next = bookmarks.includes(frame)
    ? bookmarks.filter((one) => one !== frame)
    : [...bookmarks, frame].sort((a, b) => a - b);
  if (execution !== undefined) BOOKMARKS.set(execution, next);
  return next;
}
