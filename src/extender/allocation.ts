/** The allocation record of a reservation. */

import type { AllocationRecord, HoldingRecord } from '../api/allocation-record.ts';
import type { NodeInventory } from '../core/inventory.ts';
import type { Allocation, Holding } from '../core/ledger.ts';

/**
 * @param node undefined for one that offers nothing by itself
 * @throws RangeError if the allocation holds nothing
 */
export function allocationRecord(
  node: NodeInventory | undefined,
  allocation: Allocation,
  strategy: string,
): AllocationRecord {
  const [first, ...others] = allocation.holdings.map((holding) => holdingRecord(node, holding));
  if (!first) throw new RangeError(`${allocation.pod} holds nothing`);
  return { v: 1, node: allocation.node, strategy, ...first, ...(others.length > 0 && { others }) };
}

function holdingRecord(node: NodeInventory | undefined, { resource, count, gpus }: Holding): HoldingRecord {
  const pool = node?.pools.find((candidate) => candidate.resource === resource);
  // kube-scheduler has chosen the devices: the pod's ResourceClaim tells which.
  if (!pool) return { mode: 'dra', resource, count, milliGpu: 0, gpus: [] };
  return {
    mode: pool.mode,
    resource,
    count,
    milliGpu: count * pool.slotMilli,
    ...(pool.slotMiB !== undefined && { memoryMiB: count * pool.slotMiB }),
    gpus: [...gpus],
  };
}
