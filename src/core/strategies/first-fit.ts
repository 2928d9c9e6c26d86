import type { Strategy } from './strategy.ts';

/** The oldest node that fits, then by name: all nodes score the same, and the common order decides. */
export const firstFit: Strategy = {
  name: 'firstfit',
  score: () => 0,
};
