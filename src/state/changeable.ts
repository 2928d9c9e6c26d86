/**
 * Whether the planner may change how a node is partitioned: it asks itself, and admission asks before it promises a slot that
 * is still to be made.
 */

import { isOurs } from '../api/config-name.ts';
import type { NodeConfig } from '../api/node-config.ts';
import { isPlanned } from './node-configs.ts';
import { currentPartition, type ObservedNode } from './observed-node.ts';

/** What the GPU Operator gives a node that has none; it asks for nothing. */
const MIG_DEFAULT = 'all-disabled';

/**
 * Why others have the say on the node's partition, in half a sentence; undefined: nobody has.
 * @param config the GPUNodeConfig that counts for it
 */
export function whyOthersDecide(
  { plugin, mig, lastApplied, unknownResources }: ObservedNode,
  config: NodeConfig | undefined,
): string | undefined {
  if (config && !isPlanned(config)) return `GPUNodeConfig ${config.name} was written by hand`;
  if (plugin !== undefined && !isOurs(plugin) && lastApplied === undefined) {
    return `the node's device plugin has a configuration that is not ours (${plugin})`;
  }
  if (mig !== undefined && mig !== MIG_DEFAULT && !isOurs(mig) && lastApplied === undefined) {
    return `mig-manager has a configuration of the node that is not ours (${mig})`;
  }
  const [unknown] = unknownResources;
  return unknown && `the node offers ${unknown}, which is not known to us`;
}

/** Whether the planner may change it, be it now, or once it has rested or been changed: how it is partitioned is known to us. */
export function isChangeable(observed: ObservedNode, config: NodeConfig | undefined): boolean {
  if (!observed.gpus || whyOthersDecide(observed, config) !== undefined) return false;
  return observed.transition !== undefined || currentPartition(observed) !== undefined;
}
