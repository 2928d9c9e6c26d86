/** Since when something has been seen at every look, on a clock that never goes back. */

export class FirstSeenTracker {
  readonly #since = new Map<string, number>();

  /** What is not among `keys` starts over when it is seen again. */
  look(keys: Iterable<string>, at: number): void {
    const seen = new Set(keys);
    for (const key of this.#since.keys()) if (!seen.has(key)) this.#since.delete(key);
    for (const key of seen) if (!this.#since.has(key)) this.#since.set(key, at);
  }

  /** For how long, ms; undefined if the last look did not show it. */
  age(key: string, at: number): number | undefined {
    const since = this.#since.get(key);
    return since === undefined ? undefined : at - since;
  }
}
