/** Time, as everything that waits or measures is given it. */

import { setTimeout as timeout } from 'node:timers/promises';

export interface Clock {
  /** The time of day, for people; it may jump. */
  now(): Date;
  /** ms of a clock that never goes back. */
  monotonic(): number;
  /** Resolves after so many ms; rejects when the signal aborts. Keeps no process alive. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => new Date(),
  monotonic: () => performance.now(),
  sleep: (ms, signal) => timeout(ms, undefined, { signal, ref: false }),
};
