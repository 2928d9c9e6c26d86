/**
 * How much of a node's free GPU a class of task could not use: the definition of Weng et al., "Beware
 * of Fragmentation" (USENIX ATC 2023). A measure to report; our own strategy judges by others.
 */

import type { NodeView, PackingDemand } from './packing-node.ts';
import type { TaskClass } from './task-classes.ts';

/** milli-GPU that are free on the node, and of no use to a task of this kind. */
export function fragment(
  { product, cpuFree, gpuFree }: NodeView,
  { cpuMilli, gpus, milli, products }: PackingDemand,
): number {
  let free = 0;
  let tooSmall = 0;
  let suitable = 0;
  for (let gpu = 0; gpu < gpuFree.length; gpu += 1) {
    const part = gpuFree[gpu] ?? 0;
    free += part;
    if (part >= milli) suitable += 1;
    else tooSmall += part;
  }
  const useless = gpus === 0 || cpuFree < cpuMilli || suitable < gpus || products?.has(product) === false;
  return useless ? free : tooSmall;
}

/** The mean over the classes, by their weights; in milli-GPU. */
export function expectedFragment(node: NodeView, classes: readonly TaskClass[]): number {
  let sum = 0;
  let weights = 0;
  for (const { demand, weight } of classes) {
    sum += weight * fragment(node, demand);
    weights += weight;
  }
  return weights === 0 ? 0 : sum / weights;
}
