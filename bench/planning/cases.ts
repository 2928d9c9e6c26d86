/** Random clusters and pending pods for the planner: small ones to be held against an exact solver, and a large one. */

import { gpuModelOf, migProfiles } from '#src/core/gpu-catalog.ts';
import { inventoryOf, type NodeInventory } from '#src/core/inventory.ts';
import { EMPTY, MigGeometry } from '#src/core/mig/geometry.ts';
import { maximalMultisets } from '#src/core/mig/layouts.ts';
import { allocatableOf, type GpuLayout, type Partition } from '#src/core/partitioning/partition.ts';
import type { PlanningInput, PlanningNode, PodDemand } from '#src/core/partitioning/plan-input.ts';
import { randomIndex } from '#src/core/random.ts';
import { migResource, SHARED_GPU, WHOLE_GPU } from '#src/core/resources.ts';
import type { SharingMode } from '#src/core/sharing-mode.ts';

type Random = () => number;

const MODES: readonly SharingMode[] = ['exclusive', 'mig', 'mps', 'timeslicing'];

export interface Shape {
  readonly products: readonly string[];
  readonly gpus: readonly number[];
  /** Share of the nodes whose GPUs are all whole. */
  readonly whole: number;
  /** Share of the nodes that pods use. */
  readonly used: number;
  /** Of those, the share that is full: pods hold every slot. */
  readonly full: number;
}

/** A node as it might be met: whole, shared or cut; idle or partly held. */
export function randomNode(name: string, createdAt: number, shape: Shape, random: Random): PlanningNode {
  const pick = <T>(items: readonly T[]): T => items[randomIndex(random, items.length)] as T;
  const product = pick(shape.products);
  const gpus = pick(shape.gpus);
  const partition = randomPartition(product, gpus, shape.whole, random);
  const inventory = inventoryWithPartition(name, createdAt, product, gpus, partition);
  const held = new Map<string, number>();
  if (random() < shape.used) {
    const full = random() < shape.full;
    for (const { resource, slots } of inventory.pools) {
      if (full) held.set(resource, slots);
      else if (random() < 0.6) held.set(resource, 1 + randomIndex(random, slots));
    }
  }
  const modes = new Set(random() < 0.7 ? MODES : MODES.filter((mode) => mode === 'exclusive' || random() < 0.6));
  return { inventory, partition, coming: undefined, held, modes, onlyRecommend: () => undefined, cooldownMs: 0 };
}

export function inventoryWithPartition(
  name: string,
  createdAt: number,
  product: string,
  gpus: number,
  partition: Partition,
): NodeInventory {
  const inventory = inventoryOf({
    name,
    createdAt,
    product,
    gpus,
    gpuMiB: gpuModelOf(product)?.memoryMiB,
    replicas: partition.sharing?.replicas ?? 1,
    sharing: partition.sharing?.mode,
    allocatable: allocatableOf(partition),
    migMiB: new Map(),
  });
  if (!inventory) throw new Error('a node without GPUs');
  return inventory;
}

function randomPartition(product: string, gpus: number, wholeShare: number, random: Random): Partition {
  const whole = new Array<undefined>(gpus).fill(undefined);
  if (random() < wholeShare) return { layouts: whole, sharing: undefined };
  const dice = random();
  const replicas = [2, 4, 8][randomIndex(random, 3)] ?? 2;
  const layouts = layoutsOf(product);
  if (dice < 0.3 || (layouts.length === 0 && dice < 0.6)) return { layouts: whole, sharing: { mode: 'mps', replicas } };
  if (dice < 0.5 || layouts.length === 0) return { layouts: whole, sharing: { mode: 'timeslicing', replicas } };
  const cut = 1 + randomIndex(random, gpus);
  const layout = () => layouts[randomIndex(random, layouts.length)];
  return { layouts: whole.map((_, gpu) => (gpu < gpus - cut ? undefined : layout())), sharing: undefined };
}

/** Maximal layouts of one GPU; none without MIG. */
export function layoutsOf(product: string): GpuLayout[] {
  const model = gpuModelOf(product);
  if (!model?.migClass) return [];
  const names = migProfiles(model.migClass, model.memoryMiB / 1024);
  return maximalMultisets(new MigGeometry(model.migClass)).map((counts) =>
    Object.fromEntries(counts.flatMap((count, kind) => (count > 0 ? [[names[kind] ?? '', count] as const] : []))),
  );
}

/** One kind of pending pods. */
export function randomDemand(
  name: string,
  pods: number,
  products: readonly string[],
  rooms: (node: string) => number,
  random: Random,
): PodDemand {
  const pick = <T>(items: readonly T[]): T => items[randomIndex(random, items.length)] as T;
  const base = {
    pods: Array.from({ length: pods }, (_, i) => `${name}/pod-${i}`),
    count: 1,
    mode: undefined,
    slotMiB: undefined,
    slotMilli: undefined,
    maxReplicas: 1,
    priority: 0,
    roomOn: rooms,
  };
  const dice = random();
  if (dice < 0.2) return { ...base, resource: WHOLE_GPU, count: random() < 0.7 ? 1 : 2 };
  if (dice < 0.6) {
    const mode = pick([undefined, 'mps', 'mps', 'timeslicing'] as const);
    const slotMiB = pick([undefined, undefined, 2_000, 9_000]);
    return { ...base, resource: SHARED_GPU, mode, slotMiB, maxReplicas: pick([2, 3, 4, 8, 10, 16]) };
  }
  const model = gpuModelOf(pick(products.filter((product) => gpuModelOf(product)?.migClass)));
  if (!model?.migClass) throw new Error('no product with MIG');
  const geometry = new MigGeometry(model.migClass);
  const names = migProfiles(model.migClass, model.memoryMiB / 1024).filter((_, kind) => geometry.room(EMPTY, kind) > 0);
  return { ...base, resource: migResource(pick(names)), count: random() < 0.9 ? 1 : 2 };
}

const SMALL: Shape = {
  products: ['NVIDIA-A100-SXM4-40GB', 'NVIDIA-A100-SXM4-40GB', 'NVIDIA-A30', 'NVIDIA-L40S'],
  gpus: [1, 2, 3, 4],
  whole: 0.5,
  used: 0.3,
  full: 0,
};

/** 2 to 6 nodes of 1 to 4 GPUs, 1 to 3 kinds of demand. */
export function smallCase(random: Random): PlanningInput {
  const nodes = Array.from({ length: 2 + randomIndex(random, 5) }, (_, i) => randomNode(`n${i}`, i, SMALL, random));
  const demands = Array.from({ length: 1 + randomIndex(random, 3) }, (_, i) => {
    const tight = random() < 0.2;
    const rooms = new Map(
      nodes.map(({ inventory }) => [inventory.name, tight ? [0, 2, 50][randomIndex(random, 3)] : 200]),
    );
    return randomDemand(`d${i}`, 1 + randomIndex(random, 14), SMALL.products, (node) => rooms.get(node) ?? 0, random);
  });
  return { nodes, demands };
}

const LARGE: Shape = {
  products: [
    'NVIDIA-A100-SXM4-40GB',
    'NVIDIA-A100-SXM4-80GB',
    'NVIDIA-H100-80GB-HBM3',
    'NVIDIA-A30',
    'NVIDIA-L40S',
    'Tesla-T4',
  ],
  gpus: [1, 2, 4, 8],
  whole: 0.8,
  used: 0.85,
  full: 0.9,
};

/** Many nodes and pods of all kinds. */
export function largeCase(nodeCount: number, podCount: number, kinds: number, random: Random): PlanningInput {
  const nodes = Array.from({ length: nodeCount }, (_, i) =>
    randomNode(`node-${String(i).padStart(4, '0')}`, i, LARGE, random),
  );
  const pods = podCount / kinds;
  const demands = Array.from({ length: kinds }, (_, i) => {
    // A few node pools that labels and taints keep apart.
    const pool = randomIndex(random, 5);
    const allowed = new Set(
      nodes.filter((_, n) => pool === 0 || n % 5 !== pool).map(({ inventory }) => inventory.name),
    );
    const demand = randomDemand(`d${i}`, pods, LARGE.products, (node) => (allowed.has(node) ? 40 : 0), random);
    return { ...demand, priority: randomIndex(random, 2) };
  });
  return { nodes, demands };
}
