/**
 * A fleet and a list of pods of our own making, for those who have no trace at hand: shapes as they
 * are common in shared clusters, not taken from any.
 */

import { seededRandom } from '../random.ts';
import type { NodeSize, PackingDemand } from '../scoring/packing-node.ts';

export interface Workload {
  /** In the common order. */
  readonly nodes: readonly NodeSize[];
  /** Demands of one kind are one object. */
  readonly pods: readonly PackingDemand[];
}

type Weighted<T> = readonly (readonly [weight: number, value: T])[];

const NODES: Weighted<Omit<NodeSize, 'name' | 'createdAt'>> = [
  [5, { product: 'NVIDIA-A100-SXM4-80GB', cpuMilli: 128_000, memoryMiB: 1_048_576, gpus: 8 }],
  [3, { product: 'NVIDIA-L40S', cpuMilli: 96_000, memoryMiB: 524_288, gpus: 4 }],
  [2, { product: 'Tesla-T4', cpuMilli: 64_000, memoryMiB: 262_144, gpus: 2 }],
];
/** milli-GPU of a pod that shares. */
const SHARES: Weighted<number> = [
  [3, 125],
  [6, 250],
  [4, 330],
  [6, 500],
  [2, 700],
];
const WHOLE: Weighted<number> = [
  [20, 1],
  [4, 2],
  [2, 4],
  [1, 8],
];
/** Milli-cores for each GPU, or part of one. */
const CPU: Weighted<number> = [
  [3, 2_000],
  [4, 4_000],
  [4, 8_000],
  [3, 12_000],
  [1, 20_000],
];
const MEMORY_PER_CPU_MIB = 4;
const PRODUCTS: Weighted<readonly string[] | undefined> = [
  [8, undefined],
  [1, ['NVIDIA-A100-SXM4-80GB']],
  [1, ['NVIDIA-L40S', 'Tesla-T4']],
];

/** @param nodeCount nodes of the fleet; pods ask for about as many GPUs as it has */
export function syntheticWorkload(nodeCount: number, seed: number): Workload {
  const random = seededRandom(seed);
  const nodes = Array.from({ length: nodeCount }, (_, i) => ({
    name: `node-${String(i).padStart(5, '0')}`,
    createdAt: i,
    ...draw(NODES, random),
  }));
  const capacity = nodes.reduce((sum, { gpus }) => sum + gpus * 1000, 0);
  const kinds = new Map<string, PackingDemand>();
  const pods: PackingDemand[] = [];
  for (let asked = 0; asked < capacity; ) {
    const pod = drawPod(random);
    const key = JSON.stringify([pod, pod.products ? [...pod.products] : null]);
    const kind = kinds.get(key) ?? pod;
    kinds.set(key, kind);
    pods.push(kind);
    asked += kind.gpus * kind.milli;
  }
  return { nodes, pods };
}

function drawPod(random: () => number): PackingDemand {
  const products = draw(PRODUCTS, random);
  const cpu = draw(CPU, random);
  const base = { memoryMiB: cpu * MEMORY_PER_CPU_MIB, products: products && new Set(products) };
  const kind = random();
  if (kind < 0.1) return { ...base, cpuMilli: cpu, gpus: 0, milli: 0 };
  if (kind < 0.55) return { ...base, cpuMilli: cpu, gpus: 1, milli: draw(SHARES, random) };
  const gpus = draw(WHOLE, random);
  return { ...base, cpuMilli: Math.min(cpu, 12_000) * gpus, memoryMiB: base.memoryMiB * gpus, gpus, milli: 1000 };
}

function draw<T>(choices: Weighted<T>, random: () => number): T {
  let left = random() * choices.reduce((sum, [weight]) => sum + weight, 0);
  for (const [weight, value] of choices) {
    left -= weight;
    if (left < 0) return value;
  }
  const [last] = choices.slice(-1);
  if (!last) throw new RangeError('nothing to choose from');
  return last[1];
}
