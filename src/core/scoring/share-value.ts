/**
 * What a part of a GPU is worth, given the sizes that pods ask for: 190 milli are worth nothing
 * where no pod asks for so little, and 530 are worth as much as the 470 that fit.
 *
 * The figures are dual prices of the cutting-stock problem (Gilmore and Gomory, "A linear
 * programming approach to the cutting-stock problem", 1961): a price for each size such that no
 * combination that fits a GPU is worth more than a whole GPU, and the demand as a whole is worth as
 * much as it can be. They are found by column generation: whenever a combination is worth more, its
 * row is added and the program solved again.
 */

import { maximise } from './linear-program.ts';

export interface SizeDemand {
  /** milli-GPU of one GPU, 1 to 1000. */
  readonly milli: number;
  /** How many GPUs or parts of that size are asked for; only the proportions count. */
  readonly weight: number;
}

/** Sizes are rounded up to this many milli-GPU, which keeps the tables small. */
const STEP = 10;
const STEPS = 1000 / STEP;
const EPSILON = 1e-6;

/** Value of a free part of a GPU: index = free milli-GPU (0 to 1000), in milli-GPU (0 to 1000), never falling. */
export type ShareValue = Float64Array;

export function shareValue(demand: readonly SizeDemand[]): ShareValue {
  const sizes = groupBySteps(demand);
  const { best } = sizes.length === 0 ? { best: new Float64Array(STEPS + 1) } : priced(sizes);
  return Float64Array.from({ length: 1001 }, (_, free) => 1000 * (best[Math.floor(free / STEP)] ?? 0));
}

interface Size {
  readonly steps: number;
  readonly weight: number;
}

/** Largest first, which settles which of several optimal solutions is found. */
function groupBySteps(demand: readonly SizeDemand[]): Size[] {
  const weights = new Map<number, number>();
  for (const { milli, weight } of demand) {
    const steps = Math.max(1, Math.ceil(milli / STEP));
    weights.set(steps, (weights.get(steps) ?? 0) + weight);
  }
  return [...weights].map(([steps, weight]) => ({ steps, weight })).sort((a, b) => b.steps - a.steps);
}

function priced(sizes: readonly Size[]): Filled {
  const objective = sizes.map(({ weight }) => weight);
  const patterns = sizes.map(({ steps }, i) => sizes.map((_, j) => (i === j ? Math.floor(STEPS / steps) : 0)));
  for (;;) {
    const prices = maximise(objective, patterns);
    const filled = fill(sizes, prices);
    if ((filled.best[STEPS] ?? 0) <= 1 + EPSILON) return filled;
    patterns.push(filled.pattern(STEPS));
  }
}

interface Filled {
  /** Index = free steps: the most that sizes which fit together are worth. */
  readonly best: Float64Array;
  /** How often each size stands in the best combination. */
  pattern(steps: number): number[];
}

/** The unbounded knapsack, for every capacity up to a whole GPU. */
function fill(sizes: readonly Size[], prices: readonly number[]): Filled {
  const best = new Float64Array(STEPS + 1);
  const choice = new Int16Array(STEPS + 1).fill(-1);
  for (let capacity = 1; capacity <= STEPS; capacity += 1) {
    best[capacity] = best[capacity - 1] ?? 0;
    for (const [i, { steps }] of sizes.entries()) {
      if (steps > capacity) continue;
      const worth = (best[capacity - steps] ?? 0) + (prices[i] ?? 0);
      if (worth <= (best[capacity] ?? 0) + EPSILON / 1000) continue;
      best[capacity] = worth;
      choice[capacity] = i;
    }
  }
  const pattern = (steps: number) => {
    const counts = sizes.map(() => 0);
    for (let left = steps; left > 0; ) {
      const i = choice[left] ?? -1;
      if (i >= 0) counts[i] = (counts[i] ?? 0) + 1;
      left -= i >= 0 ? (sizes[i]?.steps ?? 1) : 1;
    }
    return counts;
  };
  return { best, pattern };
}
