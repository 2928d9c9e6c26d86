/**
 * What nodes offer. A node has GPUs of one product and offers them in pools: one pool for each
 * extended resource, made of equal slots.
 */

import { gpuModelOf, migClassOf } from './gpu-catalog.ts';
import { instanceMilli, type MigProfile, namedMiB } from './mig/profile.ts';
import { migProfileOf, SHARED_GPU, unsharedName, WHOLE_GPU } from './resources.ts';
import type { ReplicaMode, SharingMode } from './sharing-mode.ts';

/** GPUs of one node: far above any machine. A label is only text, and must not size an array without bound. */
export const MAX_GPUS_PER_NODE = 1024;

/** Slots of one GPU: of more, none would have a milli-GPU. */
export const MAX_REPLICAS = 1000;
/** The most GPUs that are built into one machine. */
const MAX_BUILT = 16;

export interface Pool {
  readonly resource: string;
  readonly mode: SharingMode;
  /** Slots that kubelet says can be allocated. */
  readonly slots: number;
  /** Slots on each physical GPU, index = GPU; their sum is `slots`. Empty where the size of a slot is not known. */
  readonly slotsPerGpu: readonly number[];
  /** One slot's share of its GPU's compute, in milli-GPU, rounded down: the slots of a GPU never exceed 1000. 0: not known. */
  readonly slotMilli: number;
  /** One slot's memory in MiB; undefined if the node does not report it. */
  readonly slotMiB: number | undefined;
}

export interface NodeInventory {
  readonly name: string;
  /** Creation time, ms since the epoch: the fixed order of FirstFit and of ties. */
  readonly createdAt: number;
  readonly product: string;
  /** Physical GPUs that are known: none are counted behind slots whose size is not known. */
  readonly gpus: number;
  /** Memory of one physical GPU in MiB; undefined if the node does not report it. */
  readonly gpuMiB: number | undefined;
  readonly pools: readonly Pool[];
  /** Its partitions are being changed: what kubelet admits now may be gone in a moment. */
  readonly inTransition: boolean;
  /** A time-slice may use the memory of the whole GPU. */
  readonly oversubscribe?: boolean;
  /** MIG cannot be switched on, whatever the product. */
  readonly noMig?: boolean;
  /** Why the size of some slots is not known, in one sentence. */
  readonly unsized?: string;
}

/** An instance of MIG that a device plugin offers under the name of a GPU. */
export interface PlainInstance {
  readonly profile: MigProfile;
  /** Its memory in MiB; undefined if the node does not tell. */
  readonly miB: number | undefined;
}

/** The facts of a node that matter here, as its labels and the device plugin publish them. */
export interface NodeFacts {
  readonly name: string;
  readonly createdAt: number;
  readonly product: string;
  /** Physical GPUs by the labels; undefined if they do not tell. */
  readonly gpus: number | undefined;
  /** Memory of a physical GPU, MiB. */
  readonly gpuMiB: number | undefined;
  /** Slots on each GPU, or on each `instance`; 1 if nothing is shared. */
  readonly replicas: number;
  /** How GPUs without MIG are shared; undefined: not at all, or unknown. */
  readonly sharing: ReplicaMode | undefined;
  /** Allocatable count of each GPU resource. */
  readonly allocatable: ReadonlyMap<string, number>;
  /** Memory of one instance in MiB, by resource. */
  readonly migMiB: ReadonlyMap<string, number>;
  /** Slots on each instance that is shared in turn, by resource; 1 if absent. */
  readonly migReplicas?: ReadonlyMap<string, number>;
  /** What `nvidia.com/gpu` stands for under the MIG strategy `single`; undefined: for a GPU. */
  readonly instance?: PlainInstance | undefined;
  /** Why the labels do not tell the size of what is offered; undefined: they do, or there are none. */
  readonly unsized?: string | undefined;
  readonly noMig?: boolean;
  /** mig-manager is at work on the node; false if absent. */
  readonly inTransition?: boolean;
  /** Whether a time-slice may use the memory of the whole GPU, which is not divided; false if absent. */
  readonly oversubscribe?: boolean;
}

/** A node's inventory; undefined if it offers nothing of a GPU. */
export function inventoryOf(facts: NodeFacts): NodeInventory | undefined {
  const offered = [...facts.allocatable].filter(([, slots]) => slots > 0);
  if (offered.length === 0 && !facts.gpus) return undefined;
  const { name, createdAt, product, inTransition = false } = facts;
  const others = hasOtherModels(facts);
  const gpus = others ? Math.min(MAX_GPUS_PER_NODE, slotsOf(facts, WHOLE_GPU)) : (facts.gpus ?? partitionedGpus(facts));
  // The label is the better figure: it is what the driver reports. Of several models it tells one.
  const gpuMiB = others ? undefined : (facts.gpuMiB ?? gpuModelOf(product)?.memoryMiB);
  const isSized = facts.gpus !== undefined && facts.unsized === undefined;
  const known = { ...facts, gpuMiB, gpus, isSized };
  const pools = offered.map(([resource, slots]) => poolOf(known, resource, slots));
  return {
    name,
    createdAt,
    product,
    gpus,
    gpuMiB,
    pools,
    inTransition,
    ...(facts.oversubscribe && { oversubscribe: true }),
    ...(facts.noMig && { noMig: true }),
    ...(pools.some(({ slotMilli }) => slotMilli === 0) && {
      unsized: facts.unsized ?? 'no label tells its GPUs and how they are shared',
    }),
  };
}

/** Whether there are more GPUs than the labels count, which know one model of a node. */
function hasOtherModels(facts: NodeFacts): boolean {
  const { gpus, sharing, instance, product } = facts;
  const slots = slotsOf(facts, WHOLE_GPU);
  if (gpus === undefined || sharing !== undefined || instance || slots <= gpus || slots > MAX_BUILT) return false;
  // Servers have one model: labels that lag, or are wrong, are likelier there.
  return slots % gpus !== 0 || /GeForce|RTX|TITAN|Quadro/i.test(product);
}

/** The GPUs behind the slots of whole and of shared GPUs. */
function unpartitionedGpus(facts: NodeFacts): number {
  const behind = (resource: string) => Math.ceil(slotsOf(facts, resource) / labelledReplicas(facts, resource));
  return behind(WHOLE_GPU) + behind(SHARED_GPU);
}

/** The fewest GPUs that hold the MIG instances, whose names tell their size. */
function partitionedGpus({ allocatable, product, migReplicas }: NodeFacts): number {
  let slices = 0;
  for (const [resource, slots] of allocatable) {
    const replicas = migReplicas?.get(unsharedName(resource)) ?? (unsharedName(resource) === resource ? 1 : undefined);
    if (replicas === undefined) continue;
    slices += Math.ceil(slots / replicas) * (migProfileOf(resource)?.computeSlices ?? 0);
  }
  return Math.min(MAX_GPUS_PER_NODE, Math.ceil(slices / computeSlicesOf(product)));
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

/** Facts with what follows from them; `isSized`: the labels tell what a GPU and a slot of one is. */
type KnownFacts = NodeFacts & { readonly gpus: number; readonly isSized: boolean };

function poolOf(facts: KnownFacts, resource: string, slots: number): Pool {
  const profile = migProfileOf(resource);
  if (profile) return instancePool(facts, resource, slots, profile);
  const { gpus, instance, isSized, sharing = 'timeslicing' } = facts;
  // Labels lag allocatable: more slots than they explain are a finer cut, never more GPU.
  const perGpu = Math.max(labelledReplicas(facts, resource), Math.ceil(slots / gpus));
  if (!isSized || perGpu > MAX_REPLICAS) {
    const mode = resource === SHARED_GPU || facts.sharing ? sharing : 'exclusive';
    return { resource, mode, slots, slotsPerGpu: [], slotMilli: 0, slotMiB: undefined };
  }
  if (instance) {
    const replicas = labelledReplicas(facts, resource);
    const slot = instanceSlot(facts, instance.profile, replicas, instance.miB);
    return { resource, slots, slotsPerGpu: spread(slots, gpus, 0), ...slot };
  }
  const mode = perGpu === 1 ? 'exclusive' : sharing;
  return {
    resource,
    mode,
    slots,
    slotsPerGpu: fill(slots, gpus, perGpu),
    slotMilli: Math.floor(1000 / perGpu),
    slotMiB: replicaMiB(mode, perGpu, facts),
  };
}

/** Instances under names of their own (MIG strategy `mixed`), perhaps shared in turn by time-slicing. */
function instancePool(facts: KnownFacts, resource: string, slots: number, profile: MigProfile): Pool {
  const plain = unsharedName(resource);
  const replicas = facts.migReplicas?.get(plain) ?? (plain === resource ? 1 : undefined);
  if (replicas === undefined) {
    return { resource, mode: 'timeslicing', slots, slotsPerGpu: [], slotMilli: 0, slotMiB: undefined };
  }
  const whole = facts.isSized ? unpartitionedGpus(facts) : 0;
  const slot = instanceSlot(facts, profile, replicas, facts.migMiB.get(plain));
  return { resource, slots, slotsPerGpu: spread(slots, facts.gpus, whole), ...slot };
}

/** A slot of an instance; MIG keeps nothing apart within it. */
function instanceSlot(
  { product, oversubscribe = false }: NodeFacts,
  profile: MigProfile,
  replicas: number,
  miB = namedMiB(profile),
): Pick<Pool, 'mode' | 'slotMilli' | 'slotMiB'> {
  const mode = replicas > 1 ? 'timeslicing' : 'mig';
  const slotMilli = Math.floor(instanceMilli(profile, computeSlicesOf(product)) / replicas);
  return { mode, slotMilli, slotMiB: replicaMiB(mode, replicas, { gpuMiB: miB, oversubscribe }) };
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
