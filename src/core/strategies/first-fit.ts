import { nodeStrategy } from './strategy.ts';

/** The oldest node that fits, then by name: all nodes score the same, and the common order decides. */
export const firstFit = nodeStrategy('firstfit', () => 0);
