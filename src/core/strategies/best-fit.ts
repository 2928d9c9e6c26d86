import { nodeStrategy, utilisation } from './strategy.ts';

/** The most utilised node that fits: least is left over, and empty nodes stay empty. */
export const bestFit = nodeStrategy('bestfit', (node) => utilisation(node));
