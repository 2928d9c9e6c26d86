/** Demands as the planner works with them: with what they are worth, and in the order in which they are served. */

import { usualReplicas } from '../admission/replicas.ts';
import { replicaMiB } from '../inventory.ts';
import { instanceMilli } from '../mig/profile.ts';
import type { GpuRequest } from '../request.ts';
import { migProfileOf, SHARED_GPU, WHOLE_GPU } from '../resources.ts';
import { REPLICA_MODES, type SharingMode } from '../sharing-mode.ts';
import { type GpuType, kindOf } from './gpu-type.ts';
import type { Sharing } from './partition.ts';
import type { PodDemand } from './plan-input.ts';

/** Pods that are alike for a plan. */
export interface DemandClass {
  /** Place in the order of all classes. */
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

/** Classes in order: highest priority first; then what is worth most for each slot; then what is hardest to please. */
export function inOrder(demands: readonly PodDemand[], types: readonly GpuType[]): DemandClass[] {
  const ranks = [...new Set(demands.map(({ priority }) => priority))].sort((a, b) => b - a);
  const weighed = demands
    .filter(({ pods }) => pods.length > 0)
    .map((demand) => ({ demand, weight: weightOf(demand, types), rank: ranks.indexOf(demand.priority) }));
  weighed.sort(
    (a, b) =>
      a.rank - b.rank ||
      b.weight / b.demand.count - a.weight / a.demand.count ||
      b.demand.count - a.demand.count ||
      Number(b.demand.mode !== undefined) - Number(a.demand.mode !== undefined) ||
      (b.demand.slotMiB ?? 0) - (a.demand.slotMiB ?? 0) ||
      a.demand.maxReplicas - b.demand.maxReplicas,
  );
  return weighed.map(({ demand, weight, rank }, index) => {
    const { resource, count, largestContainer = count, mode, slotMiB, slotMilli, user } = demand;
    const request = { resources: [{ resource, count, largestContainer }], mode, slotMiB, slotMilli, user };
    return { index, demand, resource, count, request, rank, weight };
  });
}

/** Weight of one pod in milli-GPU: what it declares, and no less than the smallest slot that may be made for it. */
function weightOf({ resource, count, slotMilli, maxReplicas }: PodDemand, types: readonly GpuType[]): number {
  if (resource === WHOLE_GPU) return 1000 * count;
  if (resource === SHARED_GPU) return Math.max(slotMilli ?? 0, Math.floor(1000 / Math.max(1, maxReplicas))) * count;
  const profile = migProfileOf(resource);
  const type = types.find(({ mig }) => mig?.kinds.has(resource));
  return profile ? instanceMilli(profile, type?.mig?.computeSlices ?? 7) * count : 0;
}

/** The most slots of one GPU, shared in that mode, that still suit such pods; undefined if it cannot be. */
export function maxReplicasOn({ demand }: DemandClass, mode: Sharing['mode'], type: GpuType): number | undefined {
  const { resource, count, largestContainer = count, slotMiB = 0, slotMilli = 0 } = demand;
  if (resource !== SHARED_GPU || (demand.mode !== undefined && demand.mode !== mode)) return undefined;
  if (mode === 'mps' && largestContainer > 1) return undefined;
  const bound = mode === 'mps' ? Math.min(demand.maxReplicas, type.mpsClients) : demand.maxReplicas;
  const enough = (replicas: number) =>
    replicas >= 2 &&
    (replicaMiB(mode, replicas, type) ?? Number.POSITIVE_INFINITY) >= slotMiB &&
    Math.floor(1000 / replicas) >= slotMilli;
  const replicas = Math.max(0, ...usualReplicas(bound).filter(enough));
  return replicas > 0 ? replicas : undefined;
}

/** Modes in which a node of such GPUs could hold one such pod, were it all free. */
export function modesFor(demandClass: DemandClass, type: GpuType, gpus: number): SharingMode[] {
  const { demand, resource, count } = demandClass;
  const { mode, slotMiB = 0, slotMilli = 0 } = demand;
  if (resource === WHOLE_GPU) {
    const holds = count <= gpus && slotMilli <= 1000 && slotMiB <= (type.gpuMiB ?? Number.POSITIVE_INFINITY);
    return holds && (mode === undefined || mode === 'exclusive') ? ['exclusive'] : [];
  }
  if (resource === SHARED_GPU) {
    return REPLICA_MODES.filter((each) => count <= gpus * (maxReplicasOn(demandClass, each, type) ?? 0));
  }
  const kind = kindOf(type, resource);
  const holds = kind && count <= gpus * kind.maxInstances && kind.milli >= slotMilli && kind.miB >= slotMiB;
  return holds && (mode === undefined || mode === 'mig') ? ['mig'] : [];
}

/** The most such pods that one node of such GPUs could hold, were it all free. */
export function maxPodsOn(demandClass: DemandClass, type: GpuType, gpus: number): number {
  const perGpu = Math.max(
    0,
    ...modesFor(demandClass, type, gpus).map((mode) => {
      if (mode === 'exclusive') return 1;
      if (mode === 'mig') return kindOf(type, demandClass.resource)?.maxInstances ?? 0;
      return maxReplicasOn(demandClass, mode, type) ?? 0;
    }),
  );
  return Math.floor((gpus * perGpu) / demandClass.count);
}
