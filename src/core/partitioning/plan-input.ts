/** What a plan is made from, and what it says. Data only. */

import type { NodeInventory } from '../inventory.ts';
import type { SharingMode } from '../sharing-mode.ts';
import type { Partition } from './partition.ts';

/** Pods that ask for the same, may go to the same nodes, and may share in the same way. */
export interface PodDemand {
  /** `namespace/name`, in the order in which they should be served. */
  readonly pods: readonly string[];
  /** One GPU resource: nvidia.com/gpu, nvidia.com/gpu.shared, nvidia.com/mig-<profile>. */
  readonly resource: string;
  /** Slots of it that one pod holds; at least 1. All of them are on one node. */
  readonly count: number;
  /** The most slots that one container of it holds; `count` if absent. MPS gives a container no more than one. */
  readonly largestContainer?: number;
  /** What the pod was admitted for; undefined: any mode. */
  readonly mode: SharingMode | undefined;
  /** Declared need of each slot in MiB; undefined if nothing was declared. */
  readonly slotMiB: number | undefined;
  /** Declared need of each slot in milli-GPU. */
  readonly slotMilli: number | undefined;
  /** User of its processes where it may hold slots by MPS. */
  readonly user?: number | undefined;
  /** For nvidia.com/gpu.shared: how many may share one GPU at most, on GPUs that are shared for these pods. */
  readonly maxReplicas: number;
  /** Larger goes first. */
  readonly priority: number;
  /**
   * Pods of the demand that the node has room for, but for GPUs: cpu, memory, number of pods; 0 where labels or taints keep
   * them off. Asked once for each node at most. Where different pods share a node, each takes its part of the room.
   */
  readonly roomOn: (node: string) => number;
}

/** A node with GPUs, and what may be made of it. */
export interface PlanningNode {
  /** What it offers now. */
  readonly inventory: NodeInventory;
  /** How it is partitioned now; undefined if that is not known: it is not changed. */
  readonly partition: Partition | undefined;
  /** Partition that it is on the way to, not carried out yet: its slots count as capacity that comes; it is not changed again. */
  readonly coming: Partition | undefined;
  /** Slots held by pods, by resource. */
  readonly held: ReadonlyMap<string, number>;
  /** Users of the pods on it that may hold slots by MPS. */
  readonly users?: readonly number[];
  /** Modes that may be made of it; `exclusive`: back to whole GPUs. */
  readonly modes: ReadonlySet<SharingMode>;
  /** One GPU of it, if there is one, stays whole; false if absent. */
  readonly keepsWholeGpu?: boolean;
  /** Why we may only recommend to make that mode of it; undefined: we may. */
  readonly onlyRecommend: (mode: SharingMode) => string | undefined;
  /** ms for which it must rest before it may be changed again (`cooldownOf`); 0: it may be changed now. */
  readonly cooldownMs: number;
}

export interface PlanningInput {
  readonly nodes: readonly PlanningNode[];
  readonly demands: readonly PodDemand[];
}

/** A change of the partitions of one node. */
export interface Change {
  readonly node: string;
  readonly from: Partition;
  readonly to: Partition;
  /** Pods that it makes room for. */
  readonly serves: readonly string[];
  /** GPUs that change, by index. */
  readonly gpusChanged: readonly number[];
  /** Why it is not carried out; undefined: it may be. */
  readonly recommendOnly: string | undefined;
  /** One sentence for people: what it serves and what it costs. */
  readonly why: string;
}

export type RefusalCode =
  | 'NoGpuHoldsIt'
  | 'NoNodeAllowed'
  | 'ModeNotAllowed'
  | 'PartitionUnknown'
  | 'ChangeUnderWay'
  | 'AllBusy'
  | 'Resting'
  | 'OthersFirst';

export interface PlanRefusal {
  readonly pods: readonly string[];
  readonly code: RefusalCode;
  /** What was refused and why, in one sentence. */
  readonly why: string;
}

/** Answer to all pods: every pod is in exactly one of its parts. */
export interface Plan {
  readonly changes: readonly Change[];
  /** Pods that fit on what is free or comes. */
  readonly servedByFree: readonly string[];
  readonly refused: readonly PlanRefusal[];
}
