/** Strategies by name. */

import { bestFit } from './best-fit.ts';
import { firstFit } from './first-fit.ts';
import { fragmentation } from './fragmentation.ts';
import type { Strategy } from './strategy.ts';
import { worstFit } from './worst-fit.ts';

const STRATEGIES: readonly Strategy[] = [bestFit, firstFit, worstFit, fragmentation];

export const strategyNames: readonly string[] = STRATEGIES.map(({ name }) => name);

/** The strategy of that name, in any case (`BestFit`, `bestfit`); undefined if there is none. */
export function strategyByName(name: string): Strategy | undefined {
  return STRATEGIES.find((strategy) => strategy.name === name.toLowerCase());
}
