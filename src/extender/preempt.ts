/**
 * preempt: leaves out nodes that no eviction helps, so that no pod goes in vain. kube-scheduler
 * counts slots itself, but looks for victims on full nodes, which filter has never seen.
 */

import type { MetaVictims } from '../api/extender.ts';
import { fit } from '../core/fit.ts';
import type { Ledger } from '../core/ledger.ts';
import type { GpuRequest } from '../core/request.ts';

/** The candidates that are left, each with the victims as kube-scheduler chose them. */
export function preempt(
  ledger: Ledger,
  request: GpuRequest,
  candidates: Readonly<Record<string, MetaVictims>>,
): Record<string, MetaVictims> {
  const helps = (node: string) => {
    if (request.resources.length === 0) return true;
    const verdict = fit(ledger.load(node)?.inventory, (resource) => ledger.freeSlots(node, resource), request);
    return verdict.fits || verdict.resolvable;
  };
  return Object.fromEntries(Object.entries(candidates).filter(([node]) => helps(node)));
}
