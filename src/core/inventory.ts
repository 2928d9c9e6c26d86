/**
 * What nodes offer. A node has GPUs of one product and offers them in pools: one pool for each
 * extended resource, made of equal slots.
 */

import { gpuModelOf, migClassOf } from './gpu-catalog.ts';
import { instanceMilli, namedMiB } from './mig/profile.ts';
import { migProfileOf, SHARED_GPU, WHOLE_GPU } from './resources.ts';
import type { ReplicaMode, SharingMode } from './sharing-mode.ts';

/** GPUs of one node: far above any machine. A label is only text, and must not size an array without bound. */
export const MAX_GPUS_PER_NODE = 1024;

export interface Pool {
  readonly resource: string;
  readonly mode: SharingMode;
  /** Slots that kubelet says can be allocated. */
  readonly slots: number;
  /** Slots on each physical GPU, index = GPU; their sum is `slots`. */
  readonly slotsPerGpu: readonly number[];
  /** One slot's share of its GPU's compute, in milli-GPU, rounded down: the slots of a GPU never exceed 1000. */
  readonly slotMilli: number;
  /** One slot's memory in MiB; undefined if the node does not report it. */
  readonly slotMiB: number | undefined;
}

export interface NodeInventory {
  readonly name: string;
  /** Creation time, ms since the epoch: the fixed order of FirstFit and of ties. */
  readonly createdAt: number;
  readonly product: string;
  readonly gpus: number;
  /** Memory of one physical GPU in MiB; undefined if the node does not report it. */
  readonly gpuMiB: number | undefined;
  readonly pools: readonly Pool[];
  /** Its partitions are being changed: what kubelet admits now may be gone in a moment. */
  readonly inTransition: boolean;
  /** A time-slice may use the memory of the whole GPU. */
  readonly oversubscribe?: boolean;
}

/** The facts of a node that matter here, as GPU Feature Discovery and the device plugin publish them. */
export interface NodeFacts {
  readonly name: string;
  readonly createdAt: number;
  readonly product: string;
  /** `nvidia.com/gpu.count`; undefined if the label is absent. */
  readonly gpus: number | undefined;
  /** `nvidia.com/gpu.memory`, MiB. */
  readonly gpuMiB: number | undefined;
  /** `nvidia.com/gpu.replicas`: slots on each GPU, 1 if absent. */
  readonly replicas: number;
  /** How GPUs without MIG are shared; undefined: not at all, or unknown. */
  readonly sharing: ReplicaMode | undefined;
  /** Allocatable count of each GPU resource. */
  readonly allocatable: ReadonlyMap<string, number>;
  /** `nvidia.com/mig-<profile>.memory` in MiB, by resource. */
  readonly migMiB: ReadonlyMap<string, number>;
  /** mig-manager is at work on the node; false if absent. */
  readonly inTransition?: boolean;
  /** Whether a time-slice may use the memory of the whole GPU, which is not divided; false if absent. */
  readonly oversubscribe?: boolean;
}

/** A node's inventory; undefined if it offers nothing of a GPU. */
export function inventoryOf(facts: NodeFacts): NodeInventory | undefined {
  const offered = [...facts.allocatable].filter(([, slots]) => slots > 0);
  if (offered.length === 0 && !facts.gpus) return undefined;
  const whole = unpartitionedGpus(facts);
  // Without the count label (GPU Feature Discovery absent or late) the allocatable is the next best evidence.
  const gpus = facts.gpus ?? Math.min(MAX_GPUS_PER_NODE, Math.max(1, whole + partitionedGpus(facts)));
  const { name, createdAt, product, inTransition = false } = facts;
  // The label is the better figure: it is what the driver reports.
  const gpuMiB = facts.gpuMiB ?? gpuModelOf(product)?.memoryMiB;
  const base = {
    name,
    createdAt,
    product,
    gpus,
    gpuMiB,
    inTransition,
    ...(facts.oversubscribe && { oversubscribe: true }),
  };
  const known = { ...facts, gpuMiB };
  return { ...base, pools: offered.map(([resource, slots]) => poolOf(known, resource, slots, gpus, whole)) };
}

/** The GPUs behind the slots of whole and of shared GPUs. */
function unpartitionedGpus(facts: NodeFacts): number {
  const behind = (resource: string) => Math.ceil(slotsOf(facts, resource) / labelledReplicas(facts, resource));
  return behind(WHOLE_GPU) + behind(SHARED_GPU);
}

/** The fewest GPUs that hold the MIG instances. */
function partitionedGpus({ allocatable, product }: NodeFacts): number {
  let slices = 0;
  for (const [resource, slots] of allocatable) slices += slots * (migProfileOf(resource)?.computeSlices ?? 0);
  return Math.ceil(slices / computeSlicesOf(product));
}

function slotsOf({ allocatable }: NodeFacts, resource: string): number {
  return allocatable.get(resource) ?? 0;
}

function computeSlicesOf(product: string): number {
  return migClassOf(product)?.computeSlices ?? 7;
}

/** Slots on each GPU by the labels. */
function labelledReplicas(facts: NodeFacts, resource: string): number {
  // The device plugin takes no fewer than two; without the label we know no more than that.
  if (resource === SHARED_GPU) return Math.max(2, facts.replicas);
  // `renameByDefault: false` shares under the plain name: the replicas label shows it, not the name.
  return facts.sharing === undefined || slotsOf(facts, SHARED_GPU) > 0 ? 1 : Math.max(1, facts.replicas);
}

function poolOf(facts: NodeFacts, resource: string, slots: number, gpus: number, whole: number): Pool {
  const profile = migProfileOf(resource);
  if (profile) {
    const computeSlices = computeSlicesOf(facts.product);
    return {
      resource,
      mode: 'mig',
      slots,
      slotsPerGpu: spread(slots, gpus, whole),
      slotMilli: instanceMilli(profile, computeSlices),
      slotMiB: facts.migMiB.get(resource) ?? namedMiB(profile),
    };
  }
  // Labels lag allocatable: more slots than they explain are a finer cut, never more GPU.
  const perGpu = Math.max(labelledReplicas(facts, resource), Math.ceil(slots / gpus));
  const mode = perGpu === 1 ? 'exclusive' : (facts.sharing ?? 'timeslicing');
  return {
    resource,
    mode,
    slots,
    slotsPerGpu: fill(slots, gpus, perGpu),
    slotMilli: Math.floor(1000 / perGpu),
    slotMiB: replicaMiB(mode, perGpu, facts),
  };
}

/**
 * Memory of one slot of a GPU that is cut into so many, in MiB; undefined if that of the GPU is unknown. Time-slicing
 * does not divide the memory: with `oversubscribe` each slot counts as having all of it.
 */
export function replicaMiB(
  mode: SharingMode,
  replicas: number,
  { gpuMiB, oversubscribe = false }: Pick<NodeInventory, 'gpuMiB' | 'oversubscribe'>,
): number | undefined {
  if (gpuMiB === undefined) return undefined;
  return mode === 'timeslicing' && oversubscribe ? gpuMiB : Math.floor(gpuMiB / replicas);
}

/** No label ties the instances of a profile to GPUs: expect an even spread over those that are not whole. */
function spread(slots: number, gpus: number, whole: number): number[] {
  const first = whole < gpus ? whole : 0;
  const cut = gpus - first;
  return Array.from({ length: gpus }, (_, gpu) =>
    gpu < first ? 0 : Math.floor(slots / cut) + (gpu - first < slots % cut ? 1 : 0),
  );
}

/** Every GPU has `perGpu` slots; an unhealthy one shows as missing slots, which we expect at the end. */
function fill(slots: number, gpus: number, perGpu: number): number[] {
  return Array.from({ length: gpus }, (_, gpu) => Math.max(0, Math.min(perGpu, slots - gpu * perGpu)));
}
