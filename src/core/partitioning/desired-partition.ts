/** What a GPUNodeConfig asks for, on the node at hand: the partition, or the rule of NVIDIA's that stands against it. */

import { gpuModelOf, migProfiles } from '../gpu-catalog.ts';
import { EMPTY, MigGeometry } from '../mig/geometry.ts';
import { faultOf, type GpuKind, type GpuLayout, type Partition, type PartitionFault } from './partition.ts';

export interface Rejection {
  readonly code: PartitionFault['code'] | 'NoSuchGpu' | 'Invalid';
  readonly message: string;
}
export type Desired = { readonly ok: true; readonly partition: Partition } | ({ readonly ok: false } & Rejection);

/** The part of a GPUNodeConfig's spec that says how GPUs are partitioned. */
export interface PartitionSpec {
  readonly migEnabled: boolean;
  readonly migProfiles?: readonly string[] | undefined;
  readonly migLayouts?:
    | readonly { readonly gpus: readonly number[]; readonly profiles: readonly string[] }[]
    | undefined;
  readonly mpsEnabled: boolean;
  readonly mpsMaxClients: number;
  readonly timeSlicingEnabled: boolean;
  readonly timeSlicingReplicas: number;
}

/** The GPUs of one node. */
export interface NodeGpus extends GpuKind {
  readonly gpus: number;
}

/** @param defaultProfile taken where MIG is wanted and no layout is given, if the GPU has it; else its smallest */
export function desiredOf(spec: PartitionSpec, node: NodeGpus, defaultProfile: string | undefined): Desired {
  const { migLayouts = [] } = spec;
  const missing = migLayouts.flatMap(({ gpus }) => gpus).find((gpu) => gpu >= node.gpus);
  if (missing !== undefined) {
    const message = `migLayouts name GPU ${missing}, but the node has ${node.gpus}, numbered from 0`;
    return { ok: false, code: 'NoSuchGpu', message };
  }
  const layouts = spec.migEnabled ? layoutsOf(spec, node, defaultProfile) : new Array<undefined>(node.gpus);
  const partition: Partition = { layouts: Array.from(layouts), sharing: sharingOf(spec) };
  const fault = faultOf(partition, node);
  return fault ? { ok: false, ...fault } : { ok: true, partition };
}

function sharingOf(spec: PartitionSpec): Partition['sharing'] {
  if (spec.mpsEnabled) return { mode: 'mps', replicas: spec.mpsMaxClients };
  if (spec.timeSlicingEnabled) return { mode: 'timeslicing', replicas: spec.timeSlicingReplicas };
  return undefined;
}

function layoutsOf(
  { migProfiles: profiles = [], migLayouts = [] }: PartitionSpec,
  node: NodeGpus,
  defaultProfile: string | undefined,
): (GpuLayout | undefined)[] {
  if (migLayouts.length > 0) {
    return Array.from({ length: node.gpus }, (_, gpu) => {
      const layout = migLayouts.find(({ gpus }) => gpus.includes(gpu));
      return layout && counted(layout.profiles);
    });
  }
  const everywhere = profiles.length > 0 ? counted(profiles) : asManyAsFit(node, defaultProfile);
  return new Array<GpuLayout>(node.gpus).fill(everywhere);
}

function counted(profiles: readonly string[]): GpuLayout {
  const layout: Record<string, number> = {};
  for (const profile of profiles) layout[profile] = (layout[profile] ?? 0) + 1;
  return layout;
}

/** Like NVIDIA's own `all-1g.5gb`; no instance on a GPU without MIG, which `faultOf` refuses. */
function asManyAsFit({ product, memoryMiB }: GpuKind, defaultProfile: string | undefined): GpuLayout {
  const migClass = gpuModelOf(product)?.migClass;
  if (!migClass) return {};
  const names = migProfiles(migClass, Math.ceil(memoryMiB / 1024));
  const kind = Math.max(0, names.indexOf(defaultProfile ?? ''));
  return { [names[kind] ?? '']: new MigGeometry(migClass).room(EMPTY, kind) };
}
