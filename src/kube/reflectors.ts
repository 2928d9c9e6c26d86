/** Reflectors that begin and end together, by the kind of object that each of them lists. */

import type { Reflector } from './reflector.ts';

export class Reflectors<Kind extends string = string> {
  readonly #byKind: ReadonlyMap<Kind, Reflector>;
  readonly #missing: Set<Kind>;

  constructor(byKind: Readonly<Partial<Record<Kind, Reflector>>>) {
    this.#byKind = new Map(Object.entries(byKind) as [Kind, Reflector][]);
    this.#missing = new Set(this.#byKind.keys());
    for (const [kind, { synced }] of this.#byKind) void synced.then(() => this.#missing.delete(kind));
  }

  /** Why requests for these kinds (default: all) cannot be answered: what has not been listed; undefined once it has. */
  notReadyReason(kinds?: readonly Kind[]): string | undefined {
    const missing = [...this.#missing].filter((kind) => kinds?.includes(kind) ?? true);
    return missing.length > 0 ? `waiting for the list of ${missing.join(' and ')}` : undefined;
  }

  /** Resolves once these kinds (all by default) have been listed. */
  async synced(kinds?: readonly Kind[]): Promise<void> {
    await Promise.all(this.#of(kinds).map(({ synced }) => synced));
  }

  start(): void {
    for (const reflector of this.#byKind.values()) reflector.start();
  }

  /** Lists these kinds (all by default) once more; resolves when all of it is in. */
  async listAgain(kinds?: readonly Kind[]): Promise<void> {
    await Promise.all(this.#of(kinds).map((reflector) => reflector.listAgain()));
  }

  /** Of each of these kinds: ms since its watch said anything, and faults met so far. */
  watches(kinds: readonly Kind[]) {
    return kinds.flatMap((kind) => {
      const reflector = this.#byKind.get(kind);
      return reflector ? [{ kind, silence: reflector.silence, faults: reflector.faults }] : [];
    });
  }

  async stop(): Promise<void> {
    await Promise.all(this.#of().map((reflector) => reflector.stop()));
  }

  #of(kinds?: readonly Kind[]): Reflector[] {
    return [...this.#byKind].filter(([kind]) => kinds?.includes(kind) ?? true).map(([, reflector]) => reflector);
  }
}
