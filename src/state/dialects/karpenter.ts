/** Labels of Karpenter on AWS: what the instance type has. They do not tell how a GPU is shared. */

import { KARPENTER_AWS } from '../../api/keys.ts';
import type { StoredNode } from '../../api/stored-objects.ts';
import { MAX_GPUS_PER_NODE } from '../../core/inventory.ts';
import { type GpuReading, type NodeDialect, positive, SILENT } from './dialect.ts';

export const karpenterAws: NodeDialect = { name: 'Karpenter on AWS', read };

function read({ metadata }: StoredNode): GpuReading | undefined {
  const labels = metadata.labels ?? {};
  const name = labels[KARPENTER_AWS.name];
  const gpus = positive(labels[KARPENTER_AWS.count], MAX_GPUS_PER_NODE);
  if (name === undefined || gpus === undefined) return undefined;
  if ((labels[KARPENTER_AWS.manufacturer] ?? 'nvidia') !== 'nvidia') return undefined;
  return { ...SILENT, product: `NVIDIA-${name.toUpperCase()}`, gpus, gpuMiB: positive(labels[KARPENTER_AWS.memory]) };
}
