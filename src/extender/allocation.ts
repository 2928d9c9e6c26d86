/** The allocation record of a reservation. */

import type { AllocationRecord, HoldingRecord } from '../api/allocation-record.ts';
import type { NodeInventory, Pool } from '../core/inventory.ts';
import type { Allocation, Holding } from '../core/ledger.ts';
import { migProfileOf } from '../core/resources.ts';
import { REPLICA_MODES, type SharingMode } from '../core/sharing-mode.ts';

/**
 * @param node undefined for one that offers nothing by itself
 * @param packs whether the node's device plugin gives away the slots of one GPU before those of the next
 * @throws RangeError if the allocation holds nothing
 */
export function allocationRecord(
  node: NodeInventory | undefined,
  allocation: Allocation,
  strategy: string,
  packs: boolean,
): AllocationRecord {
  const [first, ...others] = allocation.holdings.map((holding) => holdingRecord(node, holding, packs));
  if (!first) throw new RangeError(`${allocation.pod} holds nothing`);
  return { v: 1, node: allocation.node, strategy, ...first, ...(others.length > 0 && { others }) };
}

function holdingRecord(node: NodeInventory | undefined, holding: Holding, packs: boolean): HoldingRecord {
  const { resource, count, gpus } = holding;
  const pool = node?.pools.find((candidate) => candidate.resource === resource);
  // kube-scheduler has chosen the devices: the pod's ResourceClaim tells which.
  if (!pool) return { mode: 'dra', resource, count, milliGpu: 0 };
  return {
    mode: pool.mode,
    resource,
    count,
    milliGpu: count * pool.slotMilli,
    ...(pool.slotMiB !== undefined && { memoryMiB: count * pool.slotMiB }),
    ...(isGpuKnown(pool, holding, packs) && { gpus: [...gpus] }),
  };
}

const REPLICAS: ReadonlySet<SharingMode> = new Set(REPLICA_MODES);

/** Whether there is no other GPU that could serve the slots, or the device plugin takes the one that the ledger expects. */
function isGpuKnown({ slots, slotsPerGpu, mode }: Pool, { resource, count }: Holding, packs: boolean): boolean {
  const isOnlyOne = slotsPerGpu.filter((each) => each > 0).length === 1;
  // Instances of MIG, and whole GPUs, are chosen in ways of their own. Source: k8s-device-plugin 0.20, `getPreferredAllocation`.
  const isReplica = REPLICAS.has(mode) && migProfileOf(resource) === undefined;
  return isOnlyOne || count === slots || (packs && isReplica);
}
