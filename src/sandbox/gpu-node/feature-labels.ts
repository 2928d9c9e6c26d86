/** The labels that GPU Feature Discovery writes for what the plugin has registered. Source: k8s-device-plugin 0.20, `internal/lm`. */

import { gpuModelOf } from '../../core/gpu-catalog.ts';
import { namedMiB, parseMigProfile } from '../../core/mig/profile.ts';
import { migResource, WHOLE_GPU } from '../../core/resources.ts';
import type { Gpu, GpuKind } from './hardware.ts';
import type { PluginConfig } from './plugin-config.ts';

/** All of its labels: what is not here any more is removed from the node. */
export function featureLabels(
  { product, memoryMiB }: GpuKind,
  gpus: readonly Gpu[],
  { migStrategy, sharing }: PluginConfig,
): Record<string, string> {
  const model = gpuModelOf(product);
  const [major, minor] = model?.compute ?? [0, 0];
  // Where MIG has every GPU there is none to be shared. Source: `internal/lm/resource.go`.
  const isWhole = migStrategy !== 'mixed' || gpus.some(({ migEnabled }) => !migEnabled);
  const replicas = isWhole ? (sharing?.replicas.get(WHOLE_GPU) ?? 1) : 0;
  // Only shares under the plain name are marked: a renamed resource needs no mark.
  const suffix = replicas > 1 && !sharing?.renameByDefault ? '-SHARED' : '';
  const labels: Record<string, string> = {
    'nvidia.com/gpu.present': 'true',
    'nvidia.com/gpu.count': String(gpus.length),
    'nvidia.com/gpu.product': `${product}${suffix}`,
    'nvidia.com/gpu.memory': String(memoryMiB),
    'nvidia.com/gpu.compute.major': String(major),
    'nvidia.com/gpu.compute.minor': String(minor),
    'nvidia.com/gpu.replicas': String(replicas),
    'nvidia.com/gpu.sharing-strategy': replicas > 1 ? (sharing?.mode === 'mps' ? 'mps' : 'time-slicing') : 'none',
    'nvidia.com/mig.capable': String(model?.migClass !== undefined),
    'nvidia.com/mig.strategy': migStrategy,
    // True only once MPS is configured.
    'nvidia.com/mps.capable': String(sharing?.mode === 'mps'),
  };
  if (migStrategy === 'mixed') Object.assign(labels, instanceLabels(product, gpus));
  return labels;
}

function instanceLabels(product: string, gpus: readonly Gpu[]): Record<string, string> {
  const counts = new Map<string, number>();
  for (const { instances } of gpus)
    for (const { profile } of instances) counts.set(profile, (counts.get(profile) ?? 0) + 1);
  const labels: Record<string, string> = {};
  for (const [profile, count] of counts) {
    const resource = migResource(profile);
    labels[`${resource}.count`] = String(count);
    labels[`${resource}.product`] = `${product}-MIG-${profile.replace('+', '.')}`;
    labels[`${resource}.memory`] = String(instanceMiB(profile));
    labels[`${resource}.replicas`] = '1';
  }
  return labels;
}

/** By the memory in the profile's name; what is not in NVIDIA's table has a little less than it says. Source: MIG user guide. */
const INSTANCE_MIB: Readonly<Record<number, number>> = { 5: 4_864, 10: 9_856, 20: 19_968, 40: 40_192, 80: 80_384 };

function instanceMiB(name: string): number {
  const profile = parseMigProfile(name);
  return profile ? (INSTANCE_MIB[profile.gib] ?? namedMiB(profile)) : 0;
}
