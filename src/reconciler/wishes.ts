/** GPUNodeConfig + the node → what is to be done, or the standing that says why nothing is. */

import type { NodeConfig } from '../api/node-config.ts';
import { isPlanned } from './books.ts';
import { desiredOf, type Rejection } from './desired.ts';
import { migKey, pluginKey } from './keys.ts';
import type { ObservedNode } from './observed.ts';
import type { Standing, Target } from './step.ts';

export interface Wish {
  readonly target?: Target;
  /** Instead of what the node says. */
  readonly standing?: Standing;
  readonly rejection?: Rejection;
}

/** @param defaultProfile of MIG, where no layout is told */
export function wishOf(config: NodeConfig, node: ObservedNode, defaultProfile: string | undefined): Wish {
  const { spec, name, generation } = config;
  if (!spec.ok) return rejected({ code: 'Invalid', message: spec.reason });
  if (!node.gpus) return { standing: UNLABELLED };
  const desired = desiredOf(spec.value, node.gpus, defaultProfile);
  if (!desired.ok) return rejected(desired);
  const { partition } = desired;
  const { whenBusy, drainTimeoutSeconds } = spec.value;
  return {
    target: {
      config: name,
      generation,
      partition,
      plugin: pluginKey(partition, node.gpus.product),
      mig: migKey(partition),
      whenBusy,
      drainMs: drainTimeoutSeconds * 1_000,
    },
  };
}

function rejected({ code, message }: Rejection): Wish {
  return { rejection: { code, message }, standing: { phase: 'Failed', reason: 'Rejected', message } };
}

const UNLABELLED: Standing = {
  phase: 'Pending',
  reason: 'NodeNotLabelled',
  message: 'waits until GPU Feature Discovery has labelled the node (nvidia.com/gpu.product, gpu.count)',
};
export const SWITCHED_OFF: Standing = {
  phase: 'Pending',
  reason: 'SwitchedOff',
  message: 'reconciler.enabled is false in the configuration: nothing is changed',
};

export function unknownNode(name: string): Standing {
  return { phase: 'Pending', reason: 'NoSuchNode', message: `there is no node ${name} with GPUs` };
}

export function conflict(config: NodeConfig, first: NodeConfig | undefined): Standing {
  if (isPlanned(config) && first && !isPlanned(first)) {
    const message = `${first.name}, written by hand, is for the same node and counts`;
    return { phase: 'Pending', reason: 'Superseded', message };
  }
  const message = `${first?.name} is older and for the same node, ${config.nodeName}: delete one of them`;
  return { phase: 'Failed', reason: 'Conflict', message };
}
