/** prioritize: the strategy's order of the nodes, in the eleven scores that kube-scheduler takes. */

import type { HostPriority } from '../api/extender.ts';
import type { Ledger } from '../core/ledger.ts';
import type { EquivalenceClass } from '../core/scoring/equivalence-class.ts';

const HIGHEST = 10;

/**
 * The ten best nodes get 10 to 1, one each, so that exactly one is best. All others have 0, which is
 * what kube-scheduler takes for a node that is not named: thousands of zeros need not travel.
 */
export function prioritize(ledger: Ledger, table: EquivalenceClass, names: readonly string[]): HostPriority[] {
  // A name that comes twice must not take two places.
  const nodes = new Set(ledger.findAll(names).filter((node) => node !== undefined));
  return table.best(nodes, HIGHEST).map(({ name }, rank) => ({ Host: name, Score: HIGHEST - rank }));
}
