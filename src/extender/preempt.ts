/**
 * preempt: leaves out nodes that no eviction helps, so that no pod goes in vain. kube-scheduler
 * counts slots itself, but looks for victims on full nodes, which filter has never seen.
 */

import type { MetaVictims } from '../api/extender.ts';
import type { Ledger } from '../core/ledger.ts';
import type { EquivalenceClass } from '../core/scoring/equivalence-class.ts';

/** The candidates that are left, each with the victims as kube-scheduler chose them. */
export function preempt(
  ledger: Ledger,
  table: EquivalenceClass,
  candidates: Readonly<Record<string, MetaVictims>>,
): Record<string, MetaVictims> {
  const asksForNone = table.request.resources.length === 0;
  const helps = (name: string) => asksForNone || (table.refusalOf(ledger.find(name))?.resolvable ?? true);
  return Object.fromEntries(Object.entries(candidates).filter(([node]) => helps(node)));
}
