/** How long a node rests between two changes, so that demands that alternate do not have it changed for ever. */

const MINUTE = 60_000;
/** Rest after a change, ms. */
export const HOLD_MS = 10 * MINUTE;
/** A change counts for so long, ms. */
const MEMORY_MS = 120 * MINUTE;
const MAX_MS = 60 * MINUTE;

/**
 * ms that a node still has to rest: 10 minutes after its first change, and twice as long for each further one within
 * two hours, up to an hour. So a node changes at most 3 times in any hour and 4 times in any two: the rests between 5
 * changes would be 10 + 20 + 40 + 60 minutes.
 */
export function cooldownOf(history: {
  /** ms ago, newest first */
  readonly lastChanges: readonly number[];
}): number {
  const recent = history.lastChanges.filter((ago) => ago < MEMORY_MS);
  const newest = recent[0];
  if (newest === undefined) return 0;
  const rest = Math.min(MAX_MS, HOLD_MS * 2 ** (recent.length - 1));
  return Math.max(0, rest - newest);
}
