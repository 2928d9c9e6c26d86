/** The dialects that we understand, the more informative one first. */

import type { StoredNode } from '../../api/stored-objects.ts';
import { type GpuReading, type NodeDialect, SILENT } from './dialect.ts';
import { gke } from './gke.ts';
import { gpuFeatureDiscovery } from './gpu-feature-discovery.ts';
import { karpenterAws } from './karpenter.ts';

export const DIALECTS: readonly NodeDialect[] = [gpuFeatureDiscovery, gke, karpenterAws];

/** What the node says of its GPUs, in the first dialect that it speaks. */
export function readGpus(node: StoredNode): GpuReading {
  for (const dialect of DIALECTS) {
    const reading = dialect.read(node);
    if (reading) return reading;
  }
  return SILENT;
}
