/** Which kinds of pods are asked for, and how often: the only thing a strategy may know of the future. */

import type { PackingDemand } from './packing-node.ts';

interface Weighted {
  /** How often it is asked for; only the proportions count. */
  readonly weight: number;
}

export interface TaskClass extends Weighted {
  readonly demand: PackingDemand;
}

/** An average task is one of the classes that make up this share of all. Source: Weng et al., "Beware of Fragmentation". */
export const AVERAGE_COVERAGE = 0.95;

/** Demands of one kind: memory is left out, it is hardly ever what a GPU node lacks first. */
export function classKey({ cpuMilli, gpus, milli, products }: PackingDemand): string {
  return `${cpuMilli} ${gpus}×${milli} ${products ? [...products].sort().join('|') : '*'}`;
}

/** The classes of demands, most frequent first; of equals, the one seen first. */
export function taskClasses(demands: Iterable<PackingDemand>): TaskClass[] {
  const classes = new Map<string, { demand: PackingDemand; weight: number }>();
  for (const demand of demands) {
    const key = classKey(demand);
    const known = classes.get(key);
    if (known) known.weight += 1;
    else classes.set(key, { demand, weight: 1 });
  }
  return mostFrequentFirst([...classes.values()]);
}

/** The most frequent classes that together make up at least this share (0 to 1) of all. */
export function covering<T extends Weighted>(classes: readonly T[], share: number): T[] {
  const total = classes.reduce((sum, { weight }) => sum + weight, 0);
  let covered = 0;
  return mostFrequentFirst(classes).filter(({ weight }) => {
    if (covered >= share * total) return false;
    covered += weight;
    return true;
  });
}

function mostFrequentFirst<T extends Weighted>(classes: readonly T[]): T[] {
  return classes.toSorted((a, b) => b.weight - a.weight);
}

/** Counts what is asked for in a live cluster, and forgets: after `halfLife` further demands, one counts half. */
export class ObservedDemand {
  readonly #classes = new Map<string, { demand: PackingDemand; weight: number }>();
  readonly #growth: number;
  /** Instead of shrinking all weights at each demand, each new one weighs more. */
  #weight = 1;

  /** @param halfLife in demands */
  constructor(halfLife: number) {
    this.#growth = 2 ** (1 / halfLife);
  }

  observe(demand: PackingDemand): void {
    const key = classKey(demand);
    const known = this.#classes.get(key);
    if (known) known.weight += this.#weight;
    else this.#classes.set(key, { demand, weight: this.#weight });
    this.#weight *= this.#growth;
    if (this.#weight > 1e12) this.#rescale();
  }

  classes(): TaskClass[] {
    return mostFrequentFirst([...this.#classes.values()].map(({ demand, weight }) => ({ demand, weight })));
  }

  /** Keeps the figures small, and drops what has not been asked for in a long time. */
  #rescale(): void {
    for (const [key, known] of this.#classes) {
      known.weight /= this.#weight;
      if (known.weight < 1e-9) this.#classes.delete(key);
    }
    this.#weight = 1;
  }
}
