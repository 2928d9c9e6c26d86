/** Loads of nodes, and the order in which a strategy takes them. */

import type { NodeInventory } from '../../../../src/core/inventory.ts';
import type { NodeLoad } from '../../../../src/core/ledger.ts';
import { WHOLE_GPU } from '../../../../src/core/resources.ts';
import { best, type Strategy } from '../../../../src/core/strategies/strategy.ts';
import { node, request } from '../../make.ts';

/** A node of eight GPUs of which `heldMilli` are held; all of one age. */
export function load(name: string, heldMilli: number, facts: Partial<NodeInventory> = {}): NodeLoad {
  const inventory = { ...node({ name }), ...facts };
  return { inventory, heldMilli, totalMilli: inventory.gpus * 1_000, version: 1 };
}

/** The names of the nodes, best first. */
export function order(strategy: Strategy, nodes: readonly NodeLoad[], count = nodes.length): string[] {
  return best(strategy, nodes, request(WHOLE_GPU, 1), count).map((scored) => scored.node.inventory.name);
}
