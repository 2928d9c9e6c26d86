/** Labels of NVIDIA's GPU Feature Discovery. Source: k8s-device-plugin 0.20, `internal/lm`. */

import { GFD } from '../../api/keys.ts';
import type { StoredNode } from '../../api/stored-objects.ts';
import { gpusWithInstances, productOf, profileOfProduct } from '../../core/gpu-catalog.ts';
import { MAX_GPUS_PER_NODE, MAX_REPLICAS } from '../../core/inventory.ts';
import { migProfileOf } from '../../core/resources.ts';
import { replicaModeOf } from '../../core/sharing-mode.ts';
import { type GpuReading, type NodeDialect, positive, SILENT, wholeNumber } from './dialect.ts';

const PREFIX = 'nvidia.com/';
const MIG_PREFIX = `${PREFIX}mig-`;
const KEYS: readonly string[] = [GFD.product, GFD.count, GFD.memory, GFD.replicas, GFD.sharingStrategy];

export const gpuFeatureDiscovery: NodeDialect = { name: 'GPU Feature Discovery', read };

function read({ metadata }: StoredNode): GpuReading | undefined {
  const labels = metadata.labels ?? {};
  const mig = readInstances(labels);
  const isSilent =
    mig.migMiB.size === 0 && Object.keys(mig.migCounts).length === 0 && !KEYS.some((key) => key in labels);
  if (isSilent) return undefined;
  const label = labels[GFD.product] ?? '';
  const common = {
    ...SILENT,
    ...mig,
    product: productOf(label),
    // It says 0 where MIG has every GPU.
    replicas: positive(labels[GFD.replicas], MAX_REPLICAS) ?? 1,
    sharing: replicaModeOf(labels[GFD.sharingStrategy]),
    noMig: labels[GFD.migCapable] === 'false',
  };
  const count = positive(labels[GFD.count], MAX_GPUS_PER_NODE);
  const miB = positive(labels[GFD.memory]);
  const inName = profileOfProduct(label);
  if (inName === undefined) {
    return {
      ...common,
      gpus: count,
      gpuMiB: miB,
      changeable: true,
      unsized: count === undefined ? countFault(labels) : undefined,
    };
  }
  if (inName === 'unknown')
    return { ...common, unsized: `its MIG instances are not of one known profile: ${GFD.product}=${label}` };
  // Under the strategy `single` the labels count and measure instances, not GPUs.
  const { gpus, gpuMiB } = gpusWithInstances(common.product, inName, count);
  return { ...common, gpus, gpuMiB, instance: { profile: inName, miB } };
}

function countFault(labels: Readonly<Record<string, string>>): string {
  const text = labels[GFD.count];
  if (text === undefined) return `the label ${GFD.count} is missing`;
  return `${GFD.count}=${text} is no number of GPUs from 1 to ${MAX_GPUS_PER_NODE}`;
}

/** Labels of instances under names of their own: the strategy `mixed`. */
function readInstances(labels: Readonly<Record<string, string>>) {
  const migMiB = new Map<string, number>();
  const migCounts: Record<string, number> = {};
  const migReplicas = new Map<string, number>();
  for (const key in labels) {
    if (!key.startsWith(MIG_PREFIX)) continue;
    const dot = key.lastIndexOf('.');
    const resource = key.slice(0, dot);
    const value = wholeNumber(labels[key]);
    if (value === undefined || !migProfileOf(resource)) continue;
    const what = key.slice(dot + 1);
    if (what === 'memory' && value > 0) migMiB.set(resource, value);
    if (what === 'count') migCounts[resource] = value;
    if (what === 'replicas' && value > 1 && value <= MAX_REPLICAS) migReplicas.set(resource, value);
  }
  return { migMiB, migCounts, migReplicas };
}
