/**
 * What nodes offer. A node has GPUs of one product and offers them in pools: one pool for each
 * extended resource, made of equal slots.
 */

import { migClassOf } from './gpu-catalog.ts';
import { migProfileOf, SHARED_GPU, WHOLE_GPU } from './resources.ts';

/** How the GPUs behind a pool are shared; the words are those of the API (annotations, records). */
export type SharingMode = 'exclusive' | 'mps' | 'timeslicing' | 'mig';

export interface Pool {
  readonly resource: string;
  readonly mode: SharingMode;
  /** Slots that kubelet says can be allocated. */
  readonly slots: number;
  /** Slots on each physical GPU, index = GPU; their sum is `slots`. */
  readonly slotsPerGpu: readonly number[];
  /** One slot's share of its GPU's compute, in milli-GPU, rounded down: the slots of a GPU never exceed 1000. */
  readonly slotMilli: number;
  /** One slot's memory in MiB; undefined if the node does not tell. */
  readonly slotMiB: number | undefined;
}

export interface NodeInventory {
  readonly name: string;
  /** Creation time, ms since the epoch: the fixed order of FirstFit and of ties. */
  readonly createdAt: number;
  readonly product: string;
  readonly gpus: number;
  /** Memory of one physical GPU in MiB; undefined if the node does not tell. */
  readonly gpuMiB: number | undefined;
  readonly pools: readonly Pool[];
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
  readonly sharing: 'none' | 'mps' | 'timeslicing';
  /** Allocatable count of each GPU resource. */
  readonly allocatable: ReadonlyMap<string, number>;
  /** `nvidia.com/mig-<profile>.memory` in MiB, by resource. */
  readonly migMiB: ReadonlyMap<string, number>;
}

/** A node's inventory; undefined if it offers nothing of a GPU. */
export function inventoryOf(facts: NodeFacts): NodeInventory | undefined {
  const offered = [...facts.allocatable].filter(([, slots]) => slots > 0);
  if (offered.length === 0 && !facts.gpus) return undefined;
  const replicas = Math.max(1, facts.replicas);
  const gpus = facts.gpus ?? Math.min(MAX_COUNTED_GPUS, countGpus(facts, replicas));
  const base = { name: facts.name, createdAt: facts.createdAt, product: facts.product, gpus, gpuMiB: facts.gpuMiB };
  return { ...base, pools: offered.map(([resource, slots]) => poolOf(facts, resource, slots, gpus, replicas)) };
}

/** A node without labels may claim any number of slots; its GPUs are only a guess, and must not size an array. */
const MAX_COUNTED_GPUS = 1024;

/** Without the count label (GPU Feature Discovery absent or late) the allocatable is the next best evidence. */
function countGpus(facts: NodeFacts, replicas: number): number {
  const whole = facts.allocatable.get(WHOLE_GPU) ?? 0;
  const shared = facts.allocatable.get(SHARED_GPU) ?? 0;
  return Math.max(1, Math.ceil(shared / replicas) + Math.ceil(whole / (shared > 0 ? 1 : replicas)));
}

function poolOf(facts: NodeFacts, resource: string, slots: number, gpus: number, replicas: number): Pool {
  const profile = migProfileOf(resource);
  if (profile) {
    const migClass = migClassOf(facts.product);
    const computeSlices = migClass?.computeSlices ?? 7;
    return {
      resource,
      mode: 'mig',
      slots,
      slotsPerGpu: spread(slots, gpus),
      slotMilli: Math.floor((1000 * Math.min(profile.computeSlices, computeSlices)) / computeSlices),
      slotMiB: facts.migMiB.get(resource) ?? profile.gib * 1024,
    };
  }
  // `renameByDefault: false` shares under the plain name: the replicas label tells, not the name.
  const shared = resource === SHARED_GPU || (facts.sharing !== 'none' && replicas > 1);
  const perGpu = shared ? replicas : 1;
  return {
    resource,
    mode: shared ? (facts.sharing === 'mps' ? 'mps' : 'timeslicing') : 'exclusive',
    slots,
    slotsPerGpu: fill(slots, gpus, perGpu),
    slotMilli: Math.floor(1000 / perGpu),
    slotMiB: facts.gpuMiB === undefined ? undefined : Math.floor(facts.gpuMiB / perGpu),
  };
}

/** Instances of one profile are not tied to GPUs by any label: expect an even spread. */
function spread(slots: number, gpus: number): number[] {
  return Array.from({ length: gpus }, (_, gpu) => Math.floor(slots / gpus) + (gpu < slots % gpus ? 1 : 0));
}

/** Every GPU has `perGpu` slots; an unhealthy one shows as missing slots, which we expect at the end. */
function fill(slots: number, gpus: number, perGpu: number): number[] {
  const counts = Array.from({ length: gpus }, (_, gpu) => Math.max(0, Math.min(perGpu, slots - gpu * perGpu)));
  const excess = slots - counts.reduce((sum, count) => sum + count, 0);
  // More slots than the labels explain (they lag allocatable): keep the total, which kubelet vouches for.
  if (excess > 0) counts[gpus - 1] = (counts[gpus - 1] ?? 0) + excess;
  return counts;
}
