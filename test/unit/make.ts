/** Facts of the domain for tests: valid defaults, and what the test is about on top. */

import { inventoryOf, type NodeFacts, type NodeInventory } from '#src/core/inventory.ts';
import type { GpuRequest } from '#src/core/request.ts';
import { SHARED_GPU, WHOLE_GPU } from '#src/core/resources.ts';

/** A node of eight A100-40 that nobody shares, fully labelled. */
export function nodeFacts(facts: Partial<NodeFacts> = {}): NodeFacts {
  return {
    name: 'gpu-node-01',
    createdAt: 1_000,
    product: 'NVIDIA-A100-SXM4-40GB',
    gpus: 8,
    gpuMiB: 40_960,
    replicas: 1,
    sharing: undefined,
    allocatable: new Map([[WHOLE_GPU, facts.gpus ?? 8]]),
    migMiB: new Map(),
    ...facts,
  };
}

/** The inventory of `nodeFacts`; throws where there is none. */
export function node(facts: Partial<NodeFacts> = {}): NodeInventory {
  const inventory = inventoryOf(nodeFacts(facts));
  if (!inventory) throw new Error('these facts make no inventory');
  return inventory;
}

/** A node whose GPUs are shared under the name `nvidia.com/gpu.shared`. */
export function sharedNode(
  sharing: 'mps' | 'timeslicing',
  replicas: number,
  facts: Partial<NodeFacts> = {},
): NodeInventory {
  const gpus = facts.gpus ?? 8;
  return node({ gpus, sharing, replicas, allocatable: new Map([[SHARED_GPU, gpus * replicas]]), ...facts });
}

/** A pod's request of one resource, of one container. */
export function request(resource: string, count: number, demand: Partial<GpuRequest> = {}): GpuRequest {
  const resources = [{ resource, count, largestContainer: count }];
  return { resources, mode: undefined, slotMiB: undefined, slotMilli: undefined, ...demand };
}
