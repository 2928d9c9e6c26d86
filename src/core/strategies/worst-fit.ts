import { nodeStrategy, utilisation } from './strategy.ts';

/** The least utilised node: spreads load, at the price of fragmentation. */
export const worstFit = nodeStrategy('worstfit', (node) => -utilisation(node));
