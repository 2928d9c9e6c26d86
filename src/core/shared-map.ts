/**
 * A map that is copied in a moment, however much is in it: a copy shares everything with its original, and each of them
 * makes its own what it changes. Keys are spread over parts, so that a first change copies one part alone.
 */

/** Of 50,000 keys a part has two dozen: a few µs to copy. */
const PARTS = 2048;

export class SharedMap<V> {
  /** Parts that hold nothing are left out. */
  #parts: (Map<string, V> | undefined)[] = new Array<undefined>(PARTS).fill(undefined);
  /** By part: 1 where no other map shares it. */
  #owned = new Uint8Array(PARTS);

  get(key: string): V | undefined {
    return this.#parts[partOf(key)]?.get(key);
  }

  set(key: string, value: V): void {
    this.#own(partOf(key)).set(key, value);
  }

  delete(key: string): void {
    const part = partOf(key);
    if (this.#parts[part]?.has(key)) this.#own(part).delete(key);
  }

  /** All values, in no particular order. */
  *values(): Iterable<V> {
    for (const part of this.#parts) if (part) yield* part.values();
  }

  clone(): SharedMap<V> {
    const copy = new SharedMap<V>();
    copy.#parts = this.#parts.slice();
    this.#owned.fill(0);
    return copy;
  }

  #own(index: number): Map<string, V> {
    const part = this.#parts[index];
    if (part && this.#owned[index]) return part;
    const own = new Map(part);
    this.#parts[index] = own;
    this.#owned[index] = 1;
    return own;
  }
}

/** The last characters differ most: those of a uid are random, those of a name count. */
function partOf(key: string): number {
  const { length } = key;
  let hash = length;
  for (let i = Math.max(0, length - 5); i < length; i += 1) hash = (hash * 31 + key.charCodeAt(i)) | 0;
  return hash & (PARTS - 1);
}
