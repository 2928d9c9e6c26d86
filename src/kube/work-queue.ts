/**
 * Keys of work that is due, as client-go's work queue: a key is worked on by one worker at a time; added meanwhile, it comes
 * again; a failed one comes again later and later, and holds no other back.
 */

import { type Backoff, delayOf } from './backoff.ts';
import type { Clock } from './clock.ts';

export interface WorkQueueOptions {
  /** Does what is due for the key; rejects if it must be tried again. */
  readonly work: (key: string) => Promise<void>;
  /** Called on each failure, before the key waits for another try. */
  readonly failed: (key: string, error: Error) => void;
  /** Keys that are worked on at the same time; default 1. */
  readonly concurrency?: number;
  readonly backoff: Backoff;
  readonly clock: Pick<Clock, 'monotonic' | 'sleep'>;
}

/** A longer time than a timer takes would be none at all. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export class WorkQueue {
  readonly #options: WorkQueueOptions;
  /** Keys that are due, in order. */
  readonly #due = new Set<string>();
  /** Keys that will be due, and when, ms. */
  readonly #waiting = new Map<string, number>();
  readonly #working = new Map<string, Promise<void>>();
  /** Failures of a key in a row. */
  readonly #failures = new Map<string, number>();
  #timer = new AbortController();
  #timerAt = Number.POSITIVE_INFINITY;
  #state: 'new' | 'running' | 'stopped' = 'new';

  constructor(options: WorkQueueOptions) {
    this.#options = options;
  }

  /** Makes the key due now. */
  add(key: string): void {
    this.#waiting.delete(key);
    this.#due.add(key);
    this.#next();
  }

  /** Makes the key due after so many ms, or earlier if it is due earlier already. */
  addAfter(key: string, ms: number): void {
    if (ms <= 0) {
      this.add(key);
      return;
    }
    if (this.#due.has(key)) return;
    const now = this.#options.clock.monotonic();
    const known = this.#waiting.get(key) ?? Number.POSITIVE_INFINITY;
    // Its time has come, though the timer has not fired yet: a busy process, or one that was suspended.
    if (known <= now) this.add(key);
    if (known <= now + ms) return;
    this.#waiting.set(key, now + ms);
    this.#setTimer(now + ms);
  }

  /** Takes the key off: it is not due any more, now or later. */
  remove(key: string): void {
    this.#due.delete(key);
    this.#waiting.delete(key);
  }

  /** Begins to work: what has been added until now has waited. */
  start(): void {
    if (this.#state !== 'new') return;
    this.#state = 'running';
    this.#wake();
  }

  /** Begins nothing more, and resolves when what is under way has ended. */
  async stop(): Promise<void> {
    this.#state = 'stopped';
    this.#timer.abort();
    await Promise.all(this.#working.values());
  }

  #next(): void {
    const { concurrency = 1 } = this.#options;
    if (this.#state !== 'running') return;
    for (const key of this.#due) {
      if (this.#working.size >= concurrency) return;
      if (this.#working.has(key)) continue;
      this.#due.delete(key);
      // It is looked at now: what it would have been looked at for later is for the work to say again.
      this.#waiting.delete(key);
      this.#working.set(key, this.#work(key));
    }
  }

  async #work(key: string): Promise<void> {
    const { work, failed, backoff } = this.#options;
    try {
      await work(key);
      this.#failures.delete(key);
    } catch (error) {
      const failures = this.#failures.get(key) ?? 0;
      this.#failures.set(key, failures + 1);
      failed(key, error as Error);
      this.addAfter(key, delayOf(backoff, failures));
    } finally {
      this.#working.delete(key);
      this.#next();
    }
  }

  #wake(): void {
    this.#timerAt = Number.POSITIVE_INFINITY;
    const now = this.#options.clock.monotonic();
    let next = Number.POSITIVE_INFINITY;
    for (const [key, at] of this.#waiting) {
      if (at <= now) {
        this.#waiting.delete(key);
        this.#due.add(key);
      } else next = Math.min(next, at);
    }
    if (next < Number.POSITIVE_INFINITY) this.#setTimer(next);
    this.#next();
  }

  #setTimer(at: number): void {
    if (this.#state !== 'running' || at >= this.#timerAt) return;
    this.#timer.abort();
    this.#timer = new AbortController();
    this.#timerAt = at;
    // Not before its time: a timer may fire a fraction of a ms early.
    const ms = Math.min(MAX_TIMER_MS, Math.max(1, Math.ceil(at - this.#options.clock.monotonic())));
    const { signal } = this.#timer;
    void this.#options.clock.sleep(ms, signal).then(
      () => signal.aborted || this.#wake(),
      () => {},
    );
  }
}
