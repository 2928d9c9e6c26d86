/**
 * Whether the planner may change how a node is partitioned: it asks itself, and admission asks before it promises a slot that
 * is still to be made.
 */

import { isOurs } from '../api/config-name.ts';
import { AUTOSCALER_GPU_LABELS } from '../api/keys.ts';
import type { NodeConfig } from '../api/node-config.ts';
import type { Labels } from '../core/label-selector.ts';
import { isPlanned } from './node-configs.ts';
import { currentPartition, type ObservedNode } from './observed-node.ts';

/** What the GPU Operator gives a node that has none; it asks for nothing. */
const MIG_DEFAULT = 'all-disabled';

/** A configuration of the device plugin or of mig-manager that others have chosen for a node. */
export interface ForeignConfig {
  readonly component: 'plugin' | 'mig';
  /** The value of the component's label. */
  readonly name: string;
}

/** The configuration for whose sake the node is left alone; undefined if there is none, or we have changed the node before. */
export function foreignConfigOf({ plugin, mig, lastApplied }: ObservedNode): ForeignConfig | undefined {
  if (lastApplied !== undefined) return undefined;
  if (plugin !== undefined && !isOurs(plugin)) return { component: 'plugin', name: plugin };
  if (mig !== undefined && mig !== MIG_DEFAULT && !isOurs(mig)) return { component: 'mig', name: mig };
  return undefined;
}

/**
 * Why others have the say on the node's partition, in half a sentence; undefined: nobody has.
 * @param config the GPUNodeConfig that counts for it
 */
export function whyOthersDecide(observed: ObservedNode, config: NodeConfig | undefined): string | undefined {
  if (config && !isPlanned(config)) return `GPUNodeConfig ${config.name} was written by hand`;
  const foreign = foreignConfigOf(observed);
  if (foreign?.component === 'plugin') {
    return `the node's device plugin has a configuration that is not ours (${foreign.name})`;
  }
  if (foreign) return `mig-manager has a configuration of the node that is not ours (${foreign.name})`;
  const [unknown] = observed.unknownResources;
  return unknown && `the node offers ${unknown}, which is not known to us`;
}

/**
 * Whether one GPU of the node stays whole: cluster-autoscaler takes a node that bears the label and offers no `nvidia.com/gpu`
 * for one whose GPUs are not up yet, makes others in its place, and removes it.
 */
export function keepsWholeGpu(labels: Labels): boolean {
  return AUTOSCALER_GPU_LABELS.some((key) => labels[key] !== undefined);
}

/** Whether the planner may change it, be it now, or once it has rested or been changed: how it is partitioned is known to us. */
export function isChangeable(observed: ObservedNode, config: NodeConfig | undefined): boolean {
  if (!observed.gpus || whyOthersDecide(observed, config) !== undefined) return false;
  return observed.transition !== undefined || currentPartition(observed) !== undefined;
}
