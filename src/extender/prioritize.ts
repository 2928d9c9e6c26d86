/** prioritize: the strategy's order of the nodes, in the eleven scores that kube-scheduler takes. */

import type { HostPriority } from '../api/extender.ts';
import type { GpuRequest } from '../core/request.ts';
import type { LiveStrategy } from '../core/strategies/live.ts';

const HIGHEST = 10;

/** The ten best nodes get 10 to 1, one each, so that exactly one is best; all others get 0. */
export function prioritize(strategy: LiveStrategy, request: GpuRequest, names: readonly string[]): HostPriority[] {
  const ranked = strategy.best(request, new Set(names), HIGHEST);
  const scores = new Map(ranked.map(({ node }, rank) => [node.name, HIGHEST - rank]));
  return names.map((Host) => ({ Host, Score: scores.get(Host) ?? 0 }));
}
