/** The interface of a packing strategy, and the ranking that all of them share. */

import type { NodeLoad } from '../ledger.ts';
import type { GpuRequest } from '../request.ts';

export interface Strategy {
  /** The name in configuration and records, lower case: `bestfit`. */
  readonly name: string;
  /** How good the node is for the request; higher is better, any finite number. The node fits. */
  score(node: NodeLoad, request: GpuRequest): number;
}

/**
 * The best `count` nodes, best first. Equal scores are decided by age, then by name, so that the
 * order is total and exactly one node is best: kube-scheduler would pick among equals at random.
 */
export function best(
  strategy: Strategy,
  nodes: Iterable<NodeLoad>,
  request: GpuRequest,
  count: number,
): { readonly node: NodeLoad; readonly score: number }[] {
  const top: { node: NodeLoad; score: number }[] = [];
  for (const node of nodes) {
    const candidate = { node, score: strategy.score(node, request) };
    // One pass with a short sorted list: no sort of thousands to find ten.
    let at = top.length;
    while (at > 0 && ahead(candidate, top[at - 1])) at -= 1;
    if (at >= count) continue;
    top.splice(at, 0, candidate);
    if (top.length > count) top.pop();
  }
  return top;
}

type Scored = { readonly node: NodeLoad; readonly score: number };

function ahead(a: Scored, b: Scored | undefined): boolean {
  if (!b) return true;
  if (a.score !== b.score) return a.score > b.score;
  const [x, y] = [a.node.inventory, b.node.inventory];
  return x.createdAt !== y.createdAt ? x.createdAt < y.createdAt : x.name < y.name;
}

/** milli-GPU held over milli-GPU present, 0 to 1 (above 1 only where a node shrank under its pods). */
export function utilisation({ heldMilli, totalMilli }: NodeLoad): number {
  return totalMilli === 0 ? 0 : heldMilli / totalMilli;
}
