/** When it is time to plan: a while after the last of many changes, and not for ever after the first. */

export interface BatcherTimes {
  /** ms without another change. */
  readonly idleDuration: number;
  /** ms since the first change that has not been planned for. */
  readonly maxDuration: number;
}

export class Batcher {
  #first: number | undefined;
  #last = 0;

  /** Something has changed. @param now ms */
  add(now: number): void {
    this.#first ??= now;
    this.#last = now;
  }

  /** ms until it is time; undefined if nothing has changed. */
  due(now: number, { idleDuration, maxDuration }: BatcherTimes): number | undefined {
    if (this.#first === undefined) return undefined;
    return Math.max(0, Math.min(this.#last + idleDuration, this.#first + maxDuration) - now);
  }

  /** It is planned for. */
  clear(): void {
    this.#first = undefined;
  }
}
