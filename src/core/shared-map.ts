/**
 * A map that is copied in a moment, however much is in it: a copy shares everything with its original, and each of them
 * makes its own what it changes. Keys are spread over parts, so that a first change copies one part alone.
 */

import { SharedArray } from './shared-array.ts';

/** Of 50,000 keys a part has six: a `Map` of twice as many costs several times as much to copy. */
const PARTS = 8192;

interface Part<V> {
  /** The token of the map that may change it; any other takes a copy. */
  readonly owner: object;
  readonly entries: Map<string, V>;
}

export class SharedMap<V> {
  #parts = new SharedArray<Part<V>>();
  /** Renewed with each copy: what was ours alone until then is shared from then on. */
  #token = {};

  get(key: string): V | undefined {
    return this.#parts.get(partOf(key))?.entries.get(key);
  }

  set(key: string, value: V): void {
    this.#own(partOf(key)).set(key, value);
  }

  delete(key: string): void {
    const part = partOf(key);
    if (this.#parts.get(part)?.entries.has(key)) this.#own(part).delete(key);
  }

  /** All values, in no particular order. */
  *values(): Iterable<V> {
    for (const { entries } of this.#parts.values()) yield* entries.values();
  }

  clone(): SharedMap<V> {
    const copy = new SharedMap<V>();
    copy.#parts = this.#parts.clone();
    this.#token = {};
    return copy;
  }

  #own(index: number): Map<string, V> {
    const part = this.#parts.get(index);
    if (part?.owner === this.#token) return part.entries;
    const entries = new Map(part?.entries);
    this.#parts.set(index, { owner: this.#token, entries });
    return entries;
  }
}

/** The last characters differ most: those of a uid are random, those of a name count. */
function partOf(key: string): number {
  const { length } = key;
  let hash = length;
  for (let i = Math.max(0, length - 5); i < length; i += 1) hash = (hash * 31 + key.charCodeAt(i)) | 0;
  return hash & (PARTS - 1);
}
