import { type Strategy, utilisation } from './strategy.ts';

/** The most utilised node that fits: least is left over, and empty nodes stay empty. */
export const bestFit: Strategy = {
  name: 'bestfit',
  score: (node) => utilisation(node),
};
