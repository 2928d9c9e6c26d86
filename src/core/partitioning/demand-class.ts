/** Demands as the planner works with them: weighed, and in the order in which they are served. */

import { usualReplicas } from '../admission/replicas.ts';
import { replicaMiB } from '../inventory.ts';
import { instanceMilli } from '../mig/profile.ts';
import type { GpuRequest } from '../request.ts';
import { migProfileOf, SHARED_GPU, WHOLE_GPU } from '../resources.ts';
import { REPLICA_MODES, type SharingMode } from '../sharing-mode.ts';
import { type GpuType, kindOf } from './gpu-type.ts';
import type { Sharing } from './partition.ts';
import type { PodDemand } from './plan-input.ts';

export interface DemandClass {
  /** Its place in the order. */
  readonly index: number;
  readonly demand: PodDemand;
  readonly resource: string;
  /** Slots of one pod. */
  readonly count: number;
  readonly request: GpuRequest;
  /** Rank of its priority; 0 goes first. */
  readonly rank: number;
  /** What one pod is worth, in milli-GPU. */
  readonly weight: number;
}

/** Highest priority first; then what is worth most for each slot; then what is hardest to please. */
export function inOrder(demands: readonly PodDemand[], types: readonly GpuType[]): DemandClass[] {
  const ranks = [...new Set(demands.map(({ priority }) => priority))].sort((a, b) => b - a);
  const asked = demands
    .filter(({ pods }) => pods.length > 0)
    .map((demand) => ({ demand, weight: weightOf(demand, types), rank: ranks.indexOf(demand.priority) }));
  asked.sort(
    (a, b) =>
      a.rank - b.rank ||
      b.weight / b.demand.count - a.weight / a.demand.count ||
      b.demand.count - a.demand.count ||
      Number(b.demand.mode !== undefined) - Number(a.demand.mode !== undefined) ||
      (b.demand.slotMiB ?? 0) - (a.demand.slotMiB ?? 0) ||
      a.demand.mostReplicas - b.demand.mostReplicas,
  );
  return asked.map(({ demand, weight, rank }, index) => {
    const { resource, count, largestContainer = count, mode, slotMiB, slotMilli } = demand;
    const request = { resources: [{ resource, count, largestContainer }], mode, slotMiB, slotMilli };
    return { index, demand, resource, count, request, rank, weight };
  });
}

/** milli-GPU of one pod: what it declares, and no less than the smallest slot that may be made for it. */
function weightOf({ resource, count, slotMilli, mostReplicas }: PodDemand, types: readonly GpuType[]): number {
  if (resource === WHOLE_GPU) return 1000 * count;
  if (resource === SHARED_GPU) return Math.max(slotMilli ?? 0, Math.floor(1000 / Math.max(1, mostReplicas))) * count;
  const profile = migProfileOf(resource);
  const type = types.find(({ mig }) => mig?.kinds.has(resource));
  return profile ? instanceMilli(profile, type?.mig?.computeSlices ?? 7) * count : 0;
}

/** The most slots of one GPU, shared in that mode, that still suit such pods; undefined if it cannot be. */
export function mostReplicasOn({ demand }: DemandClass, mode: Sharing['mode'], type: GpuType): number | undefined {
  const { resource, count, largestContainer = count, slotMiB = 0, slotMilli = 0 } = demand;
  if (resource !== SHARED_GPU || (demand.mode !== undefined && demand.mode !== mode)) return undefined;
  if (mode === 'mps' && largestContainer > 1) return undefined;
  const most = mode === 'mps' ? Math.min(demand.mostReplicas, type.mpsClients) : demand.mostReplicas;
  const enough = (replicas: number) =>
    replicas >= 2 &&
    (replicaMiB(mode, replicas, type) ?? Number.POSITIVE_INFINITY) >= slotMiB &&
    Math.floor(1000 / replicas) >= slotMilli;
  const replicas = Math.max(0, ...usualReplicas(most).filter(enough));
  return replicas > 0 ? replicas : undefined;
}

/** Modes in which a node of such GPUs could hold one such pod, were it all free. */
export function modesFor(asked: DemandClass, type: GpuType, gpus: number): SharingMode[] {
  const { demand, resource, count } = asked;
  const { mode, slotMiB = 0, slotMilli = 0 } = demand;
  if (resource === WHOLE_GPU) {
    const holds = count <= gpus && slotMilli <= 1000 && slotMiB <= (type.gpuMiB ?? Number.POSITIVE_INFINITY);
    return holds && (mode === undefined || mode === 'exclusive') ? ['exclusive'] : [];
  }
  if (resource === SHARED_GPU) {
    return REPLICA_MODES.filter((each) => count <= gpus * (mostReplicasOn(asked, each, type) ?? 0));
  }
  const kind = kindOf(type, resource);
  const holds = kind && count <= gpus * kind.most && kind.milli >= slotMilli && kind.miB >= slotMiB;
  return holds && (mode === undefined || mode === 'mig') ? ['mig'] : [];
}

/** The most such pods that one node of such GPUs could hold, were it all free. */
export function mostPods(asked: DemandClass, type: GpuType, gpus: number): number {
  const perGpu = Math.max(
    0,
    ...modesFor(asked, type, gpus).map((mode) => {
      if (mode === 'exclusive') return 1;
      if (mode === 'mig') return kindOf(type, asked.resource)?.most ?? 0;
      return mostReplicasOn(asked, mode, type) ?? 0;
    }),
  );
  return Math.floor((gpus * perGpu) / asked.count);
}
