/** The kinds of GPU nodes that benches mix, and what a pod on them asks for. */

import type { HoldingRecord } from '#src/api/allocation-record.ts';
import { SHARED_GPU, WHOLE_GPU } from '#src/core/resources.ts';

export interface Share {
  readonly mode: HoldingRecord['mode'];
  readonly resource: string;
  /** On each of the node's GPUs. */
  readonly slots: number;
  readonly slotMilli: number;
  readonly slotMiB: number;
  /** Annotation of the pod's author: what it says that it needs. */
  readonly gpuMemory: string;
  /** Why the webhook has decided so. */
  readonly reason: string;
}

export const GPUS_PER_NODE = 8;
export const GPU_MIB = 40_960;

/** Of a node as `sharedNodes` makes them. */
export const BY_MPS: Share = {
  mode: 'mps',
  resource: SHARED_GPU,
  slots: 4,
  slotMilli: 250,
  slotMiB: GPU_MIB / 4,
  gpuMemory: '8Gi',
  reason: 'policy inference (priority 100) applied; considered MPS: 8 GiB is declared and fits a slot of 10 GiB',
};

/** Of NVIDIA A100s of 40 GB. */
const SHARES: readonly Share[] = [
  {
    mode: 'exclusive',
    resource: WHOLE_GPU,
    slots: 1,
    slotMilli: 1_000,
    slotMiB: GPU_MIB,
    gpuMemory: '36Gi',
    reason: 'training keeps a whole GPU',
  },
  BY_MPS,
  {
    mode: 'timeslicing',
    resource: SHARED_GPU,
    slots: 4,
    slotMilli: 250,
    slotMiB: GPU_MIB / 4,
    gpuMemory: '8Gi',
    reason:
      'policy inference (priority 100) applied; considered time-slicing: 8 GiB is declared and fits a slot of 10 GiB',
  },
  {
    mode: 'mig',
    resource: 'nvidia.com/mig-1g.5gb',
    slots: 7,
    slotMilli: 142,
    slotMiB: 4_864,
    gpuMemory: '4Gi',
    reason: 'policy inference (priority 100) applied; considered MIG: 4 GiB is declared and fits 1g.5gb',
  },
];

/** Which kind node n is of. */
export function shareOf(node: number): Share {
  const share = SHARES[node % SHARES.length];
  if (!share) throw new RangeError(`node ${node}`);
  return share;
}
