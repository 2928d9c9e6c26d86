/**
 * How the GPUs of a node are partitioned, or are to be: what NVIDIA's device plugin and mig-manager accept, by
 * their rules. One way of sharing for all GPUs without MIG; a MIG layout for each GPU with it.
 */

import { gpuModelOf, migProfiles, mostMpsClients } from '../gpu-catalog.ts';
import { inventoryOf, type NodeInventory } from '../inventory.ts';
import { EMPTY, MigGeometry } from '../mig/geometry.ts';
import { migResource, SHARED_GPU, WHOLE_GPU } from '../resources.ts';
import type { ReplicaMode } from '../sharing-mode.ts';

/** How many instances of each profile one GPU has: `{'1g.5gb': 7}`. A count is at least 1. */
export type GpuLayout = Readonly<Record<string, number>>;

export interface Sharing {
  readonly mode: ReplicaMode;
  /** Slots of each GPU; the device plugin takes no fewer than 2. */
  readonly replicas: number;
}

export interface Partition {
  /** By index of the GPU: its instances; undefined where MIG is off. As many as the node has GPUs. */
  readonly layouts: readonly (GpuLayout | undefined)[];
  /** How the GPUs without MIG are shared; undefined: not at all. */
  readonly sharing: Sharing | undefined;
}

/** The GPUs of a node, as GPU Feature Discovery labels them. */
export interface GpuKind {
  /** `NVIDIA-A100-SXM4-40GB` */
  readonly product: string;
  /** Memory of one GPU in MiB. */
  readonly memoryMiB: number;
}

/** GPUs as they leave the factory. */
export function wholeGpus(gpus: number): Partition {
  return { layouts: new Array<undefined>(gpus).fill(undefined), sharing: undefined };
}

export type PartitionFault = {
  readonly code: 'NoMig' | 'UnknownProfile' | 'ImpossibleLayout' | 'MpsWithMig' | 'TooManyReplicas' | 'NothingToShare';
  /** Names the rule, and what mends it. */
  readonly message: string;
};

/** The rule of NVIDIA's that the partition breaks on such GPUs; undefined if it can be made. */
export function faultOf({ layouts, sharing }: Partition, kind: GpuKind): PartitionFault | undefined {
  const partitioned = layouts.some((layout) => layout !== undefined);
  if (partitioned && sharing?.mode === 'mps') {
    return {
      code: 'MpsWithMig',
      message: "NVIDIA's device plugin refuses MPS on a node with MIG: use one of them",
    };
  }
  if (sharing && layouts.every((layout) => layout !== undefined)) {
    return { code: 'NothingToShare', message: 'MIG is on for every GPU: none is left to be shared in another way' };
  }
  if (sharing?.mode === 'mps' && sharing.replicas > mostMpsClients(kind.product)) {
    const most = mostMpsClients(kind.product);
    return {
      code: 'TooManyReplicas',
      message: `MPS on ${kind.product} takes at most ${most} clients of one GPU, not ${sharing.replicas}`,
    };
  }
  for (const { layout } of layoutGroups({ layouts })) {
    const fault = layout && layoutFault(layout, kind);
    if (fault) return fault;
  }
  return undefined;
}

function layoutFault(layout: GpuLayout, { product, memoryMiB }: GpuKind): PartitionFault | undefined {
  const model = gpuModelOf(product);
  if (!model) return { code: 'NoMig', message: `MIG of ${product || 'a GPU of unknown product'} is not known to us` };
  const { migClass } = model;
  if (!migClass) return { code: 'NoMig', message: `${product} has no MIG` };
  const names = migProfiles(migClass, Math.ceil(memoryMiB / 1024));
  const unknown = Object.keys(layout).find((name) => !names.includes(name));
  if (unknown !== undefined) {
    return { code: 'UnknownProfile', message: `${product} has no MIG profile ${unknown}: it has ${names.join(', ')}` };
  }
  const wanted = names.map((name) => layout[name] ?? 0);
  if (new MigGeometry(migClass).canHost(EMPTY, wanted)) return undefined;
  return {
    code: 'ImpossibleLayout',
    message:
      `no placement of ${describeLayout(layout)} on one ${product}: an instance takes an aligned range of its ` +
      `${migClass.memorySlices} memory slices, and all together at most ${migClass.computeSlices} compute slices`,
  };
}

/** What the device plugin offers of it: allocatable, by resource. */
export function allocatableOf({ layouts, sharing }: Partition): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  const add = (resource: string, count: number) => counts.set(resource, (counts.get(resource) ?? 0) + count);
  for (const layout of layouts) {
    if (layout) for (const [profile, count] of Object.entries(layout)) add(migResource(profile), count);
    else if (sharing) add(SHARED_GPU, sharing.replicas);
    else add(WHOLE_GPU, 1);
  }
  return counts;
}

/** The node as it will be, once it is done with. */
export function inventoryWith(node: NodeInventory, partition: Partition): NodeInventory {
  const { name, createdAt, product, gpus, gpuMiB, oversubscribe = false, noMig = false } = node;
  const after = inventoryOf({
    name,
    createdAt,
    product,
    gpus,
    gpuMiB,
    replicas: partition.sharing?.replicas ?? 1,
    sharing: partition.sharing?.mode,
    allocatable: allocatableOf(partition),
    migMiB: new Map(),
    oversubscribe,
    noMig,
  });
  return after ?? { ...node, pools: [], inTransition: false };
}

/** By index: the GPUs that change on the way from one to the other. */
export function changedGpus(from: Partition, to: Partition): number[] {
  const shared = sameSharing(from.sharing, to.sharing);
  return [...to.layouts.entries()].flatMap(([gpu, layout]) => {
    const before = from.layouts[gpu];
    const same = layout || before ? sameLayout(before, layout) : shared;
    return same ? [] : [gpu];
  });
}

/**
 * Resources whose holders would be harmed on the way from one to the other: pods that hold any must be gone first.
 * `all`: where a MIG mode changes mig-parted clears every GPU that its configuration names, and it names all of them;
 * and where the present one is unknown. Where only layouts change, the GPUs that differ are cleared, and a pod may be on
 * any GPU that has an instance like its own. Source: mig-parted 0.15.
 * @param from undefined if it is not known
 */
export function disturbed(from: Partition | undefined, to: Partition): 'all' | ReadonlySet<string> {
  if (!from || from.layouts.length !== to.layouts.length) return 'all';
  const resources = new Set<string>();
  for (const [gpu, layout] of to.layouts.entries()) {
    const before = from.layouts[gpu];
    if ((before === undefined) !== (layout === undefined)) return 'all';
    if (before && !sameLayout(before, layout)) {
      for (const profile of Object.keys(before)) resources.add(migResource(profile));
    }
  }
  if (!sameSharing(from.sharing, to.sharing)) resources.add(WHOLE_GPU).add(SHARED_GPU);
  return resources;
}

export function samePartition(a: Partition, b: Partition): boolean {
  return a.layouts.length === b.layouts.length && changedGpus(a, b).length === 0 && sameSharing(a.sharing, b.sharing);
}

function sameSharing(a: Sharing | undefined, b: Sharing | undefined): boolean {
  return a?.mode === b?.mode && a?.replicas === b?.replicas;
}

export function sameLayout(a: GpuLayout | undefined, b: GpuLayout | undefined): boolean {
  if (!a || !b) return a === b;
  const profiles = Object.keys(a);
  return profiles.length === Object.keys(b).length && profiles.every((profile) => a[profile] === b[profile]);
}

/** GPUs that have the same layout, or none, by index; in the order of the first of each. */
export interface LayoutGroup {
  readonly layout: GpuLayout | undefined;
  readonly gpus: readonly number[];
}

export function layoutGroups({ layouts }: Pick<Partition, 'layouts'>): LayoutGroup[] {
  const groups: { layout: GpuLayout | undefined; gpus: number[] }[] = [];
  for (const [gpu, layout] of layouts.entries()) {
    const group = groups.find((other) => sameLayout(other.layout, layout));
    if (group) group.gpus.push(gpu);
    else groups.push({ layout, gpus: [gpu] });
  }
  return groups;
}

/** `7 × 1g.5gb`, `1g.5gb + 2g.10gb` */
export function describeLayout(layout: GpuLayout): string {
  const parts = Object.entries(layout).map(([profile, count]) => (count === 1 ? profile : `${count} × ${profile}`));
  return parts.length > 0 ? parts.join(' + ') : 'no instance';
}

/** `2 GPUs by MPS, 8 clients each`, `3 GPUs as 7 × 1g.5gb, 5 whole GPUs`: for people. */
export function describePartition({ layouts, sharing }: Partition): string {
  const groups = layoutGroups({ layouts });
  const parts = groups.flatMap((group) =>
    group.layout ? `${gpus(group.gpus.length)} as ${describeLayout(group.layout)}` : [],
  );
  const rest = groups.find(({ layout }) => layout === undefined)?.gpus.length ?? 0;
  if (rest > 0 && sharing?.mode === 'mps') parts.push(`${gpus(rest)} by MPS, ${sharing.replicas} clients each`);
  else if (rest > 0 && sharing) parts.push(`${gpus(rest)} by time-slicing, ${sharing.replicas} slots each`);
  else if (rest > 0) parts.push(rest === 1 ? '1 whole GPU' : `${rest} whole GPUs`);
  return parts.join(', ');
}

function gpus(count: number): string {
  return count === 1 ? '1 GPU' : `${count} GPUs`;
}
