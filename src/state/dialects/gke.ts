/** Labels of GKE's node pools, which run a device plugin of Google's. */

import { GKE } from '../../api/keys.ts';
import type { StoredNode } from '../../api/stored-objects.ts';
import { gpuModelOf } from '../../core/gpu-catalog.ts';
import { MAX_GPUS_PER_NODE, MAX_REPLICAS } from '../../core/inventory.ts';
import { parseMigProfile } from '../../core/mig/profile.ts';
import type { ReplicaMode } from '../../core/sharing-mode.ts';
import { type GpuReading, type NodeDialect, positive, SILENT } from './dialect.ts';

export const gke: NodeDialect = { name: 'GKE', read };

const STRATEGIES: Readonly<Record<string, ReplicaMode>> = { 'time-sharing': 'timeslicing', mps: 'mps' };

function read({ metadata }: StoredNode): GpuReading | undefined {
  const labels = metadata.labels ?? {};
  const accelerator = labels[GKE.accelerator];
  if (accelerator === undefined || !accelerator.startsWith('nvidia')) return undefined;
  const size = labels[GKE.partitionSize];
  const profile = size === undefined ? undefined : parseMigProfile(size);
  const product = productOf(accelerator);
  const sharing = STRATEGIES[labels[GKE.sharingStrategy] ?? ''];
  return {
    ...SILENT,
    product,
    gpus: positive(labels[GKE.count], MAX_GPUS_PER_NODE),
    gpuMiB: gpuModelOf(product)?.memoryMiB,
    replicas: (sharing && positive(labels[GKE.clientsPerGpu], MAX_REPLICAS)) ?? 1,
    sharing,
    instance: profile && { profile, miB: undefined },
    unsized: size !== undefined && !profile ? `${GKE.partitionSize}=${size} is no MIG profile that we know` : undefined,
  };
}

/** `nvidia-tesla-a100` → `NVIDIA-A100`; `nvidia-h100-80gb` → `NVIDIA-H100-80GB`. */
function productOf(accelerator: string): string {
  return accelerator.replace('-tesla-', '-').toUpperCase();
}
