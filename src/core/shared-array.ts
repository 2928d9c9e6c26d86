/**
 * An array that is copied in a moment, however long it is: a copy shares all pages with its original, and each of them
 * makes its own the pages that it changes.
 */

const PAGE_BITS = 6;
const PAGE_LENGTH = 1 << PAGE_BITS;

export class SharedArray<V> {
  #pages: (V | undefined)[][] = [];
  /** By page: whether no other array shares it. */
  #owned: boolean[] = [];

  get(index: number): V | undefined {
    return this.#pages[index >> PAGE_BITS]?.[index & (PAGE_LENGTH - 1)];
  }

  /** @param value undefined: nothing is there any more */
  set(index: number, value: V | undefined): void {
    const number = index >> PAGE_BITS;
    let page = this.#pages[number];
    if (!page || !this.#owned[number]) {
      page = page?.slice() ?? new Array<undefined>(PAGE_LENGTH).fill(undefined);
      while (this.#pages.length < number) this.#pages.push([]);
      this.#pages[number] = page;
      this.#owned[number] = true;
    }
    page[index & (PAGE_LENGTH - 1)] = value;
  }

  /** All values that are there, by index. */
  *values(): Iterable<V> {
    for (const page of this.#pages) for (const value of page) if (value !== undefined) yield value;
  }

  clone(): SharedArray<V> {
    const copy = new SharedArray<V>();
    copy.#pages = this.#pages.slice();
    this.#owned = [];
    return copy;
  }
}
