/** API objects as the records that the state makes of them, for tests of what reads records. */

import type { NodeInventory } from '#src/core/inventory.ts';
import { ClusterState, type ClusterStateOptions } from '#src/state/cluster-state.ts';
import type { NodeRecord } from '#src/state/node-record.ts';
import type { ObservedNode } from '#src/state/observed-node.ts';
import type { PodRecord } from '#src/state/pod-record.ts';

/** A state that takes what is unreadable without a word; of all pods, those without GPUs too. */
export function quietState(options: ClusterStateOptions = { podsWithoutGpus: true }): ClusterState {
  return new ClusterState(() => {}, options);
}

/** Keeps nothing: it only reads. */
const READER = quietState();

export function nodeRecord(object: unknown, options?: ClusterStateOptions): NodeRecord | undefined {
  return (options ? quietState(options) : READER).nodes.peek(object);
}

export function podRecord(object: unknown): PodRecord | undefined {
  return READER.pods.peek(object);
}

export function inventoryIn(object: unknown, options?: ClusterStateOptions): NodeInventory | undefined {
  return nodeRecord(object, options)?.inventory;
}

export function observe(object: unknown): ObservedNode | undefined {
  return nodeRecord(object)?.observed;
}
