/** Emulated GPU nodes for tests on a control plane: kinds of them, and delays that are short. */

import { CONTROLLER_NAME } from '#src/api/keys.ts';
import type { KubeClient } from '#src/kube/kube-client.ts';
import { NVIDIA, type Timing } from '#src/sandbox/gpu-node/timing.ts';

/** A node of two. */
export const A100 = { gpus: 2, product: 'NVIDIA-A100-SXM4-40GB', memoryMiB: 40_960 } as const;
export const T4 = { gpus: 2, product: 'Tesla-T4', memoryMiB: 15_360 } as const;

/** Short, so that many transitions fit into a test; the order of things is the same. */
export const QUICK: Timing = {
  ...NVIDIA,
  volumeSync: [1_000, 8_000],
  featureLag: [1_000, 5_000],
  pause: [1_000, 3_000],
  mode: [1_000, 4_000],
  geometry: [1_000, 5_000],
};

/** What the reconciler waits for on such nodes. */
export const QUICK_RECONCILER = { propagation: '9s', pluginDeadline: '30s', migDeadline: '60s' } as const;

/** A dead holder is waited for, 15 s each time (lease.test.ts): where that is not the point, its Lease goes. */
export async function dropControllerLease(client: KubeClient): Promise<void> {
  const path = `/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/${CONTROLLER_NAME}`;
  await client.json('DELETE', path).catch(() => {});
}
