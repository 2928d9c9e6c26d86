/** Demands, and random fleets of nodes for properties of packing. */

import fc from 'fast-check';
import type { NodeSize, PackingDemand } from '#src/core/scoring/packing-node.ts';

/** One GPU of any model, and what the test is about on top. */
export function demand(facts: Partial<PackingDemand> = {}): PackingDemand {
  return { cpuMilli: 0, memoryMiB: 0, gpus: 1, milli: 1_000, products: undefined, ...facts };
}

const PRODUCTS = ['A100', 'T4'];

/** Few distinct amounts, so that nodes are often alike and ties are common. */
export const demands: fc.Arbitrary<PackingDemand> = fc
  .record({
    cpuMilli: fc.constantFrom(0, 1_000, 4_000),
    memoryMiB: fc.constantFrom(0, 1_024),
    size: fc.constantFrom([0, 0], [1, 250], [1, 330], [1, 500], [1, 810], [1, 1_000], [2, 1_000], [4, 1_000]),
    products: fc.constantFrom(undefined, new Set(['A100']), new Set(PRODUCTS)),
  })
  .map(({ cpuMilli, memoryMiB, size: [gpus = 0, milli = 0], products }) => ({
    cpuMilli,
    memoryMiB,
    gpus,
    milli,
    products,
  }));

export const fleets: fc.Arbitrary<NodeSize[]> = fc
  .array(
    fc.record({
      product: fc.constantFrom(...PRODUCTS),
      cpuMilli: fc.constantFrom(4_000, 16_000),
      memoryMiB: fc.constantFrom(2_048, 65_536),
      gpus: fc.constantFrom(1, 2, 4),
    }),
    { minLength: 1, maxLength: 12 },
  )
  .map((sizes) => sizes.map((size, i) => ({ ...size, name: `node-${i}`, createdAt: i })));
