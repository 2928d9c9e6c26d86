/** Views of nodes, and the order in which a strategy takes them. */

import type { NodeView, PackingDemand } from '#src/core/scoring/packing-node.ts';
import { taskClasses } from '#src/core/scoring/task-classes.ts';
import { Best, type Scorer, type Strategy } from '#src/core/strategies/strategy.ts';

export interface LoadFacts {
  readonly createdAt?: number;
  readonly gpus?: number;
  readonly product?: string;
  readonly cpuFree?: number;
}

/** A demand of whole GPUs, or of a part of one. */
export function demand(gpus: number, milli = 1_000, facts: Partial<PackingDemand> = {}): PackingDemand {
  return { cpuMilli: 0, memoryMiB: 0, gpus, milli, products: undefined, ...facts };
}

export const ONE = demand(1);

/** A node of eight GPUs of which `heldMilli` are held, on the first GPUs; all of one age. */
export function load(name: string, heldMilli: number, facts: LoadFacts = {}): NodeView {
  const { createdAt = 1_000, gpus = 8, product = 'A100', cpuFree = Number.POSITIVE_INFINITY } = facts;
  const gpuFree = Array.from(
    { length: gpus },
    (_, gpu) => 1_000 - Math.min(1_000, Math.max(0, heldMilli - gpu * 1_000)),
  );
  return { name, createdAt, product, cpuFree, gpuFree, heldMilli, totalMilli: gpus * 1_000 };
}

/** The strategy on a fleet in which single GPUs are asked for, unless told otherwise. */
export function scorer(strategy: Strategy, nodes: readonly NodeView[], classes = taskClasses([ONE])): Scorer {
  return strategy.scorer({ nodes: () => nodes, classes });
}

/** The best few of the nodes, best first. */
export function best(by: Scorer, nodes: readonly NodeView[], count: number, what = ONE): NodeView[] {
  const few = new Best<NodeView>(count);
  for (const node of nodes) few.offer(node, by.score(node, what));
  return few.nodes;
}

/** The names of the nodes, best first. */
export function order(strategy: Strategy, nodes: readonly NodeView[], count = nodes.length, what = ONE): string[] {
  return best(scorer(strategy, nodes), nodes, count, what).map(({ name }) => name);
}
