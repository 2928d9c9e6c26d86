/** The allocation record of a reservation. */

import type { AllocationRecord, HoldingRecord } from '../api/allocation-record.ts';
import type { NodeInventory } from '../core/inventory.ts';
import type { Allocation, Holding } from '../core/ledger.ts';

/** @throws RangeError if the allocation holds nothing, or something that the node does not offer */
export function allocationRecord(node: NodeInventory, allocation: Allocation, strategy: string): AllocationRecord {
  const [first, ...others] = allocation.holdings.map((holding) => holdingRecord(node, holding));
  if (!first) throw new RangeError(`${allocation.pod} holds nothing`);
  return { v: 1, node: node.name, strategy, ...first, ...(others.length > 0 && { others }) };
}

function holdingRecord(node: NodeInventory, { resource, count, gpus }: Holding): HoldingRecord {
  const pool = node.pools.find((candidate) => candidate.resource === resource);
  if (!pool) throw new RangeError(`${node.name} does not offer ${resource}`);
  return {
    mode: pool.mode,
    resource,
    count,
    milliGpu: count * pool.slotMilli,
    ...(pool.slotMiB !== undefined && { memoryMiB: count * pool.slotMiB }),
    gpus: [...gpus],
  };
}
