/** A clock that stands still until a test moves it. */

import { setImmediate as turn } from 'node:timers/promises';
import type { Clock } from '#src/kube/clock.ts';

interface Sleeper {
  readonly at: number;
  readonly wake: () => void;
}

export class ManualClock implements Clock {
  ms: number;
  date: Date;
  readonly #sleepers = new Set<Sleeper>();
  /** How often it was asked for the time. */
  asked = 0;

  constructor({ ms = 1_000_000, date = new Date('2026-01-01T00:00:00Z') } = {}) {
    this.ms = ms;
    this.date = date;
  }

  now(): Date {
    return this.date;
  }

  monotonic(): number {
    this.asked += 1;
    return this.ms;
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const sleeper: Sleeper = { at: this.ms + ms, wake: resolve };
      this.#sleepers.add(sleeper);
      signal.addEventListener('abort', () => {
        this.#sleepers.delete(sleeper);
        reject(signal.reason);
      });
    });
  }

  /** Moves the time, wakes whoever has slept for long enough, and lets what follows from that happen. */
  async pass(ms: number): Promise<void> {
    this.ms += ms;
    for (const sleeper of [...this.#sleepers].sort((a, b) => a.at - b.at)) {
      if (sleeper.at > this.ms || !this.#sleepers.delete(sleeper)) continue;
      sleeper.wake();
    }
    await turn();
    await turn();
  }

  /** Moves the time to when the next one wakes; nothing if all are awake. @returns ms that have passed */
  async next(): Promise<number> {
    const at = Math.min(...[...this.#sleepers].map((sleeper) => sleeper.at));
    if (!Number.isFinite(at)) return 0;
    const ms = at - this.ms;
    await this.pass(ms);
    return ms;
  }
}
