/** prioritize: the strategy's order of the nodes, in the eleven scores that kube-scheduler takes. */

import type { HostPriority } from '../api/extender.ts';
import type { Ledger, NodeLoad } from '../core/ledger.ts';
import type { GpuRequest } from '../core/request.ts';
import { best, type Strategy } from '../core/strategies/strategy.ts';

const HIGHEST = 10;

/** The ten best nodes get 10 to 1, one each, so that exactly one is best; all others get 0. */
export function prioritize(
  ledger: Ledger,
  strategy: Strategy,
  request: GpuRequest,
  names: readonly string[],
): HostPriority[] {
  const loads: NodeLoad[] = [];
  for (const name of new Set(names)) {
    const load = ledger.load(name);
    if (load) loads.push(load);
  }
  const ranked = best(strategy, loads, request, HIGHEST);
  const scores = new Map(ranked.map(({ node }, rank) => [node.inventory.name, HIGHEST - rank]));
  return names.map((Host) => ({ Host, Score: scores.get(Host) ?? 0 }));
}
