/** The tables of the classes of pods that came last, as many as fit in a fixed amount of memory. */

import { LRUCache } from 'lru-cache';
import type { Ledger } from '../core/ledger.ts';
import { classOf, type GpuRequest } from '../core/request.ts';
import { BYTES_PER_NODE, type ClassSurroundings, EquivalenceClass } from '../core/scoring/equivalence-class.ts';
import type { LiveStrategy } from '../core/scoring/live-strategy.ts';

const MAX_BYTES = 64 * 2 ** 20;
const MAX_CLASSES = 1_000;

export class EquivalenceCache {
  readonly #ledger: Ledger;
  readonly #live: LiveStrategy;
  readonly #surroundings: ClassSurroundings;
  #delegations: number;
  readonly #tables = new LRUCache<string, EquivalenceClass>({ max: MAX_CLASSES, maxSize: MAX_BYTES });
  #hits = 0;
  #misses = 0;

  constructor(ledger: Ledger, live: LiveStrategy, surroundings: ClassSurroundings = {}) {
    this.#ledger = ledger;
    this.#live = live;
    this.#surroundings = surroundings;
    this.#delegations = surroundings.delegated?.changes ?? 0;
  }

  /** Looks for a class so far: found, and not. */
  get looks(): { readonly hits: number; readonly misses: number } {
    return { hits: this.#hits, misses: this.#misses };
  }

  of(request: GpuRequest): EquivalenceClass {
    const delegations = this.#surroundings.delegated?.changes ?? 0;
    if (this.#delegations !== delegations) {
      this.#delegations = delegations;
      this.#tables.clear();
    }
    const key = classOf(request);
    let table = this.#tables.get(key);
    if (table) {
      this.#hits += 1;
      return table;
    }
    this.#misses += 1;
    table = new EquivalenceClass(request, this.#ledger, this.#live, this.#surroundings);
    this.#tables.set(key, table, { size: BYTES_PER_NODE * (this.#ledger.size + 1) });
    return table;
  }
}
