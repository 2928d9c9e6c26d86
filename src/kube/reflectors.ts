/** Reflectors that begin and end together, and what of them has not been listed yet. */

import type { Reflector } from './reflector.ts';

export class Reflectors {
  readonly #all: readonly Reflector[];
  readonly #missing: Set<string>;

  /** @param byKind what each lists, in the words of `notReadyReason` */
  constructor(byKind: Readonly<Record<string, Reflector>>) {
    this.#all = Object.values(byKind);
    this.#missing = new Set(Object.keys(byKind));
    for (const [kind, { synced }] of Object.entries(byKind)) {
      void synced.then(() => this.#missing.delete(kind));
    }
  }

  /** What has not been listed yet; undefined once everything has. */
  notReadyReason(): string | undefined {
    return this.#missing.size > 0 ? `waiting for the list of ${[...this.#missing].join(' and ')}` : undefined;
  }

  /** Resolves once everything has been listed. */
  get synced(): Promise<void> {
    return Promise.all(this.#all.map(({ synced }) => synced)).then(() => {});
  }

  start(): void {
    for (const reflector of this.#all) reflector.start();
  }

  /** Everything once more; resolves when all of it is in. */
  async listAgain(): Promise<void> {
    await Promise.all(this.#all.map((reflector) => reflector.listAgain()));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#all.map((reflector) => reflector.stop()));
  }
}
