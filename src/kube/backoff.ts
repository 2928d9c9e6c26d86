/** How long to wait before another try: twice as long after each failure in a row, up to a bound. */

export interface Backoff {
  /** ms after the first failure. */
  readonly baseMs: number;
  readonly maxMs: number;
}

/**
 * @param failures in a row, before this wait; 0 for the first
 * @param random in [0, 1): spreads the tries of many over half to one and a half times; left out, the wait is exact
 */
export function delayOf({ baseMs, maxMs }: Backoff, failures: number, random?: () => number): number {
  const ms = Math.min(maxMs, baseMs * 2 ** failures);
  return random ? Math.round(ms * (0.5 + random())) : ms;
}
