import { type Strategy, utilisation } from './strategy.ts';

/** The least utilised node: spreads load, at the price of fragmentation. */
export const worstFit: Strategy = {
  name: 'worstfit',
  score: (node) => -utilisation(node),
};
