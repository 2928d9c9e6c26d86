/** What sharing saves: whole GPUs that pods asked for, against GPUs that hold them. */

import type { Allocation, Ledger } from './ledger.ts';

export interface Saving {
  /** Whole GPUs that the pods asked for. */
  readonly before: number;
  /** GPUs that hold at least one of them. */
  readonly after: number;
  readonly saved: number;
  /** Of `before`, rounded; 0 if nothing was asked for. */
  readonly percent: number;
}

export function saving(before: number, after: number): Saving {
  const saved = before - after;
  return { before, after, saved, percent: before === 0 ? 0 : Math.round((100 * saved) / before) };
}

/** Physical GPUs that hold at least one slot of the allocations: each (node, GPU) once. */
export function gpusInUse(allocations: Iterable<Allocation>): number {
  const used = new Set<string>();
  for (const { node, holdings } of allocations) {
    for (const { gpus } of holdings) for (const gpu of gpus) used.add(`${node}/${gpu}`);
  }
  return used.size;
}

/** Slots of a resource held on each GPU of a node, index = GPU. */
export function slotsHeldPerGpu(ledger: Ledger, node: string, resource: string): number[] {
  const held = Array.from({ length: ledger.load(node)?.inventory.gpus ?? 0 }, () => 0);
  for (const { holdings } of ledger.allocationsOn(node)) {
    for (const holding of holdings) {
      if (holding.resource !== resource) continue;
      for (const gpu of holding.gpus) held[gpu] = (held[gpu] ?? 0) + 1;
    }
  }
  return held;
}
