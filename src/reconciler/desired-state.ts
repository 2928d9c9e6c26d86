/** GPUNodeConfig + the node → what is to be done, or the phaseStatus that says why nothing is. */

import type { NodeConfig } from '../api/node-config.ts';
import { desiredOf, type Rejection } from '../core/partitioning/desired-partition.ts';
import { isPlanned } from '../state/node-configs.ts';
import type { ObservedNode } from '../state/observed-node.ts';
import { migConfig, pluginConfig } from './named-config.ts';
import type { DesiredState, PhaseStatus } from './step.ts';

export interface DesiredStateResult {
  readonly desired?: DesiredState;
  /** Instead of what the node says. */
  readonly phaseStatus?: PhaseStatus;
  readonly rejection?: Rejection;
}

/** @param defaultProfile of MIG, where the spec has no layout */
export function desiredStateOf(
  config: NodeConfig,
  node: ObservedNode,
  defaultProfile: string | undefined,
): DesiredStateResult {
  const { spec, name, generation } = config;
  if (!spec.ok) return rejected({ code: 'Invalid', message: spec.reason });
  if (!node.gpus) return { phaseStatus: UNLABELLED };
  const desired = desiredOf(spec.value, node.gpus, defaultProfile);
  if (!desired.ok) return rejected(desired);
  const { partition } = desired;
  const { whenBusy, drainTimeoutSeconds } = spec.value;
  return {
    desired: {
      config: name,
      generation,
      partition,
      plugin: pluginConfig(partition, node.gpus.product),
      mig: migConfig(partition),
      whenBusy,
      drainMs: drainTimeoutSeconds * 1_000,
    },
  };
}

function rejected({ code, message }: Rejection): DesiredStateResult {
  return { rejection: { code, message }, phaseStatus: { phase: 'Failed', reason: 'Rejected', message } };
}

const UNLABELLED: PhaseStatus = {
  phase: 'Pending',
  reason: 'NodeNotLabelled',
  message: 'waits until GPU Feature Discovery has labelled the node (nvidia.com/gpu.product, gpu.count)',
};
export const SWITCHED_OFF: PhaseStatus = {
  phase: 'Pending',
  reason: 'SwitchedOff',
  message: 'reconciler.enabled is false in the configuration: nothing is changed',
};

export function unknownNode(name: string): PhaseStatus {
  return { phase: 'Pending', reason: 'NoSuchNode', message: `there is no node ${name} with GPUs` };
}

export function conflict(config: NodeConfig, first: NodeConfig | undefined): PhaseStatus {
  if (isPlanned(config) && first && !isPlanned(first)) {
    const message = `${first.name}, written by hand, is for the same node and counts`;
    return { phase: 'Pending', reason: 'Superseded', message };
  }
  const message = `${first?.name} is older and for the same node, ${config.nodeName}: delete one of them`;
  return { phase: 'Failed', reason: 'Conflict', message };
}
