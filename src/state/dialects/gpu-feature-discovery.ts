/** Labels of NVIDIA's GPU Feature Discovery. Source: k8s-device-plugin 0.20, `internal/lm`. */

import { GFD } from '../../api/keys.ts';
import type { StoredNode } from '../../api/stored-objects.ts';
import { productOf } from '../../core/gpu-catalog.ts';
import { MAX_GPUS_PER_NODE } from '../../core/inventory.ts';
import { migProfileOf } from '../../core/resources.ts';
import { replicaModeOf } from '../../core/sharing-mode.ts';
import type { GpuReading, NodeDialect } from './dialect.ts';

const PREFIX = 'nvidia.com/';
const MIG_PREFIX = `${PREFIX}mig-`;
const KEYS: readonly string[] = [GFD.product, GFD.count, GFD.memory, GFD.replicas, GFD.sharingStrategy];
/** Slots on one GPU: far above any machine. */
const MAX_REPLICAS = 1024;

export const gpuFeatureDiscovery: NodeDialect = { name: 'GPU Feature Discovery', read };

function read({ metadata }: StoredNode): GpuReading | undefined {
  const labels = metadata.labels ?? {};
  const migMiB = new Map<string, number>();
  const migCounts: Record<string, number> = {};
  for (const key in labels) {
    if (!key.startsWith(MIG_PREFIX)) continue;
    const dot = key.lastIndexOf('.');
    const resource = key.slice(0, dot);
    const value = wholeNumber(labels[key]);
    if (value === undefined || !migProfileOf(resource)) continue;
    const what = key.slice(dot + 1);
    if (what === 'memory' && value > 0) migMiB.set(resource, value);
    if (what === 'count') migCounts[resource] = value;
  }
  const isSilent = migMiB.size === 0 && Object.keys(migCounts).length === 0 && !KEYS.some((key) => key in labels);
  if (isSilent) return undefined;
  return {
    product: productOf(labels[GFD.product] ?? ''),
    gpus: positive(labels[GFD.count], MAX_GPUS_PER_NODE),
    gpuMiB: positive(labels[GFD.memory]),
    // It says 0 where MIG has every GPU.
    replicas: positive(labels[GFD.replicas], MAX_REPLICAS) ?? 1,
    sharing: replicaModeOf(labels[GFD.sharingStrategy]),
    migMiB,
    migCounts,
  };
}

function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/** Undefined for what is no number from 1 to the bound: a label is only text, and must not size an array without bound. */
function positive(text: string | undefined, max = Number.MAX_SAFE_INTEGER): number | undefined {
  const value = wholeNumber(text) ?? 0;
  return value > 0 && value <= max ? value : undefined;
}
