/**
 * Where MIG instances fit on one GPU. An instance owns an aligned range of memory slices (a bit
 * mask), so many compute slices, and perhaps the one set of media engines.
 */

import type { MigClass } from '../gpu-catalog.ts';

/** One place for one kind of instance; `kind` is its index in the class. */
export interface MigPlacement {
  readonly kind: number;
  readonly start: number;
  /** Memory slices. */
  readonly size: number;
  readonly mask: number;
  readonly compute: number;
  readonly me: 0 | 1;
}

/** What is taken of a GPU. */
export interface MigUse {
  /** Memory slices, as bits. */
  readonly mask: number;
  readonly compute: number;
  readonly me: number;
}

/** How many instances of each kind, by index in the class. */
export type Multiset = readonly number[];

export const EMPTY: MigUse = { mask: 0, compute: 0, me: 0 };

export class MigGeometry {
  readonly migClass: MigClass;
  /** All places, by kind and start. */
  readonly placements: readonly MigPlacement[];
  readonly #byKind: readonly (readonly MigPlacement[])[];
  /** By state: multisets known to fit or not. */
  readonly #answers = new Map<number, Map<string, boolean>>();

  constructor(migClass: MigClass) {
    this.migClass = migClass;
    this.#byKind = migClass.instances.map(({ compute, memory, me, starts }, kind) =>
      starts.map((start) => {
        const mask = ((1 << memory) - 1) << start;
        return { kind, start, size: memory, mask, compute, me: me ? 1 : 0 };
      }),
    );
    this.placements = this.#byKind.flat();
  }

  fits(use: MigUse, { mask, compute, me }: MigPlacement): boolean {
    return (use.mask & mask) === 0 && use.compute + compute <= this.migClass.computeSlices && use.me + me <= 1;
  }

  /** Places where one more instance of the kind fits. */
  options(use: MigUse, kind: number): MigPlacement[] {
    return (this.#byKind[kind] ?? []).filter((placement) => this.fits(use, placement));
  }

  /**
   * The place for one more instance that leaves most room for others (by the number of places that
   * stay possible, then the highest start); undefined if it fits nowhere.
   */
  allocate(use: MigUse, kind: number): MigPlacement | undefined {
    let best: MigPlacement | undefined;
    let most = -1;
    for (const placement of this.options(use, kind)) {
      const after = add(use, placement);
      const left = this.placements.reduce((count, other) => count + (this.fits(after, other) ? 1 : 0), 0);
      if (left < most) continue;
      most = left;
      best = placement;
    }
    return best;
  }

  /** Whether so many instances of each kind fit into what is free, wherever they start. */
  canHost(use: MigUse, wanted: Multiset): boolean {
    const state = (use.mask << 5) | (use.compute << 1) | Math.min(1, use.me);
    let answers = this.#answers.get(state);
    if (!answers) {
      answers = new Map();
      this.#answers.set(state, answers);
    }
    const key = wanted.join();
    let answer = answers.get(key);
    if (answer === undefined) {
      answer = this.#search(use, [...wanted], wanted.length - 1);
      answers.set(key, answer);
    }
    return answer;
  }

  /** Largest kinds first: they have the fewest places. */
  #search(use: MigUse, left: number[], from: number): boolean {
    let kind = from;
    while (kind >= 0 && (left[kind] ?? 0) === 0) kind -= 1;
    if (kind < 0) return true;
    for (const placement of this.options(use, kind)) {
      left[kind] = (left[kind] ?? 0) - 1;
      const found = this.#search(add(use, placement), left, kind);
      left[kind] = (left[kind] ?? 0) + 1;
      if (found) return true;
    }
    return false;
  }

  /** How many further instances of the kind fit. */
  room(use: MigUse, kind: number): number {
    let count = 0;
    const wanted = this.migClass.instances.map(() => 0);
    for (;;) {
      wanted[kind] = count + 1;
      if (!this.canHost(use, wanted)) return count;
      count += 1;
    }
  }

  /**
   * Share (0 to 1) of the instances of the kind that the free slices would make if they lay together,
   * but do not as they lie; 0 if the free slices are too few for even one.
   */
  fragmentation(use: MigUse, kind: number): number {
    const { computeSlices, memorySlices, instances } = this.migClass;
    const instance = instances[kind];
    if (!instance) throw new RangeError(`there is no kind ${kind}`);
    const memoryFree = memorySlices - bits(use.mask);
    const computeFree = computeSlices - use.compute;
    const media = instance.me ? 1 - use.me : Number.POSITIVE_INFINITY;
    const ideal = Math.min(
      Math.floor(memoryFree / instance.memory),
      Math.floor(computeFree / instance.compute),
      media,
      this.room(EMPTY, kind),
    );
    return ideal <= 0 ? 0 : 1 - this.room(use, kind) / ideal;
  }
}

export function add(use: MigUse, { mask, compute, me }: MigPlacement): MigUse {
  return { mask: use.mask | mask, compute: use.compute + compute, me: use.me + me };
}

/** The use without an instance that is part of it. */
export function remove(use: MigUse, { mask, compute, me }: MigPlacement): MigUse {
  return { mask: use.mask & ~mask, compute: use.compute - compute, me: use.me - me };
}

function bits(mask: number): number {
  let count = 0;
  for (let rest = mask; rest !== 0; rest &= rest - 1) count += 1;
  return count;
}
