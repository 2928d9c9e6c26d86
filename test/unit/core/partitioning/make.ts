/** Nodes and pending pods for tests of the planner: valid defaults, and what the test is about on top. */

import { CandidateNode } from '#src/core/partitioning/candidate-node.ts';
import { type DemandClass, inOrder } from '#src/core/partitioning/demand-class.ts';
import { GpuTypes } from '#src/core/partitioning/gpu-type.ts';
import { classesOf } from '#src/core/partitioning/node-class.ts';
import { inventoryWith, type Partition, wholeGpus } from '#src/core/partitioning/partition.ts';
import type { PlanningNode, PodDemand } from '#src/core/partitioning/plan-input.ts';
import type { SharingMode } from '#src/core/sharing-mode.ts';
import { node } from '../../make.ts';

const MODES: readonly SharingMode[] = ['exclusive', 'mig', 'mps', 'timeslicing'];

interface NodeOptions extends Partial<Omit<PlanningNode, 'inventory' | 'held' | 'modes'>> {
  readonly gpus?: number;
  readonly product?: string;
  readonly gpuMiB?: number;
  readonly inTransition?: boolean;
  readonly oversubscribe?: boolean;
  readonly held?: Readonly<Record<string, number>>;
  readonly modes?: readonly SharingMode[];
}

/** Two idle A100-40 that nobody shares, unless stated otherwise; anything may be made of them. */
export function planningNode(name: string, options: NodeOptions = {}): PlanningNode {
  const { gpus = 2, product = 'NVIDIA-A100-SXM4-40GB', gpuMiB = 40_960, inTransition = false } = options;
  const { oversubscribe = false, held = {}, modes = MODES, partition = wholeGpus(gpus) } = options;
  return {
    coming: undefined,
    onlyRecommend: () => undefined,
    cooldownMs: 0,
    ...options,
    partition: 'partition' in options ? options.partition : partition,
    inventory: { ...inventoryWith(node({ name, product, gpus, gpuMiB, oversubscribe }), partition), inTransition },
    held: new Map(Object.entries(held)),
    modes: new Set(modes),
  };
}

/** `gpus` GPUs without MIG, shared so. */
export function shared(gpus: number, mode: 'mps' | 'timeslicing', replicas: number): Partition {
  return { ...wholeGpus(gpus), sharing: { mode, replicas } };
}

/** So many pods that ask for one slot each, and for nothing else; 8 may share a GPU. */
export function demand(name: string, pods: number, resource: string, options: Partial<PodDemand> = {}): PodDemand {
  return {
    pods: Array.from({ length: pods }, (_, i) => `${name}/${i}`),
    resource,
    count: 1,
    mode: undefined,
    slotMiB: undefined,
    slotMilli: undefined,
    maxReplicas: 8,
    priority: 0,
    roomOn: () => Number.POSITIVE_INFINITY,
    ...options,
  };
}

/** The one class of such a demand; `on`: nodes that tell which GPUs there are. */
export function demandClass(each: PodDemand, ...on: readonly PlanningNode[]): DemandClass {
  const [found] = searchable(on, [each]).demandClasses;
  if (!found) throw new Error('nobody asks for anything');
  return found;
}

/** What a search works on: the nodes as no change has touched them, and the demands in their order. */
export function searchable(nodes: readonly PlanningNode[], demands: readonly PodDemand[]) {
  const types = new GpuTypes();
  const candidates = nodes.map((node) => new CandidateNode(node, types.of(node.inventory), []));
  const demandClasses = inOrder(demands, types.all());
  const remaining = demandClasses.map(({ demand: { pods } }) => pods.length);
  const ranks = Math.max(...demandClasses.map(({ rank }) => rank)) + 1;
  return { candidates, demandClasses, remaining, ranks, classes: classesOf(candidates, demandClasses) };
}
