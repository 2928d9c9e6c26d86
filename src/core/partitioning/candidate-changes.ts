/** Changes of one node, valued by what they make room for. */

import { fit } from '../fit.ts';
import { SHARED_GPU } from '../resources.ts';
import type { SharingMode } from '../sharing-mode.ts';
import { scaledRoom } from './candidate-node.ts';
import { partitionsOf, type Wanted } from './candidate-partitions.ts';
import { type DemandClass, maxReplicasOn } from './demand-class.ts';
import type { NodeClass } from './node-class.ts';
import { changedGpus, disturbed, faultOf, inventoryWith, type Partition } from './partition.ts';

/** A change of one node, and what it is worth. */
export interface CandidateChange {
  readonly to: Partition;
  /** Pods that find room, by index of the demand class. */
  readonly pods: ReadonlyMap<number, number>;
  /** Demand that finds room, in milli-GPU, by rank of priority. */
  readonly value: readonly number[];
  /** GPUs that change. */
  readonly gpus: number;
  /** MIG is switched on or off somewhere. */
  readonly switchesMig: boolean;
  /** Why it may only be recommended. */
  readonly recommendOnly: string | undefined;
}

/** Demand classes for which changes are looked for thoroughly; of more, only the most promising changes are. */
const MAX_CLASSES_THOROUGH = 6;

/** The changes of the nodes of one class, worked out once for each demand that comes up. */
export class CandidateChanges {
  readonly nodeClass: NodeClass;
  readonly #ranks: number;
  readonly #recommended: boolean;
  readonly #known = new Map<string, readonly CandidateChange[]>();
  readonly #targets = new Map<string, CandidatePartition | undefined>();

  /**
   * @param ranks how many priorities there are
   * @param recommended also changes that may only be recommended
   */
  constructor(nodeClass: NodeClass, ranks: number, recommended: boolean) {
    this.nodeClass = nodeClass;
    this.#ranks = ranks;
    this.#recommended = recommended;
  }

  /**
   * Changes of one of the nodes; of those that serve the same pods, the one that changes the fewest GPUs.
   * @param remaining pods that still want room, by index of the demand class
   * @param thorough more partitions and more orders of the pods than just the most promising
   */
  for(remaining: readonly number[], thorough: boolean): readonly CandidateChange[] {
    const { servable, maxPods } = this.nodeClass;
    const wanted: [DemandClass, number][] = [];
    // More pods than the node could ever hold are as good as just those.
    let key = thorough ? 'thorough' : '';
    for (const demandClass of servable) {
      const pods = Math.min(remaining[demandClass.index] ?? 0, maxPods.get(demandClass.index) ?? 0);
      key += `,${pods}`;
      if (pods > 0) wanted.push([demandClass, pods]);
    }
    const known = this.#known.get(key);
    if (known) return known;
    const changes =
      wanted.length === 0 ? [] : this.#enumerate(wanted, thorough && wanted.length <= MAX_CLASSES_THOROUGH);
    this.#known.set(key, changes);
    return changes;
  }

  #enumerate(wanted: Wanted, thorough: boolean): CandidateChange[] {
    const byPods = new Map<string, CandidateChange>();
    const backwards = wanted.toReversed().sort(([a], [b]) => a.rank - b.rank);
    for (const partition of partitionsOf(this.nodeClass, wanted, thorough)) {
      // Of pods of the same value, the node might rather take those that have fewer places, or fewer needs.
      for (const order of thorough && wanted.length > 1 ? [wanted, backwards] : [wanted]) {
        const change = this.#evaluate(partition, order);
        if (!change) continue;
        const key = this.nodeClass.servable.map(({ index }) => change.pods.get(index) ?? 0).join();
        const other = byPods.get(key);
        if (!other || cheaper(change, other)) byPods.set(key, change);
      }
    }
    return [...byPods.values()];
  }

  #evaluate(partition: Partition, wanted: Wanted): CandidateChange | undefined {
    const target = this.#target(partition);
    if (!target) return undefined;
    const pods = this.#pack(target, wanted);
    if (pods.size === 0) return undefined;
    const { to } = target;
    const finer = to.sharing && this.#finest(to.sharing, pods, wanted);
    if (to.sharing && finer && finer > to.sharing.replicas) {
      return this.#evaluate({ ...to, sharing: { ...to.sharing, replicas: finer } }, wanted);
    }
    const value = new Array<number>(this.#ranks).fill(0);
    for (const [{ index, rank, weight }] of wanted) {
      value[rank] = (value[rank] ?? 0) + weight * (pods.get(index) ?? 0);
    }
    const { gpus, switchesMig, recommendOnly } = target;
    return { to, pods, value, gpus, switchesMig, recommendOnly };
  }

  /** The most slots of a GPU that suit all pods served; undefined if the GPUs are shared so already, or not for these pods. */
  #finest(
    sharing: NonNullable<Partition['sharing']>,
    pods: ReadonlyMap<number, number>,
    wanted: Wanted,
  ): number | undefined {
    const { from, representative } = this.nodeClass;
    if (from.sharing?.mode === sharing.mode && from.sharing.replicas === sharing.replicas) return undefined;
    const counts = wanted.flatMap(([demandClass]) =>
      pods.has(demandClass.index) ? (maxReplicasOn(demandClass, sharing.mode, representative.type) ?? []) : [],
    );
    return counts.length > 0 ? Math.min(...counts) : undefined;
  }

  /** Pods that find room on the partition, placed in their order. */
  #pack({ free, suits, inventory }: CandidatePartition, wanted: Wanted): Map<number, number> {
    const { representative } = this.nodeClass;
    const open = new Map(free);
    const pods = new Map<number, number>();
    let roomLeft = representative.roomLeft;
    /** Whom its MPS daemon would serve. */
    let user: number | undefined;
    for (const [demandClass, maxPods] of wanted) {
      const { index, resource, count, request } = demandClass;
      const slots = open.get(resource) ?? 0;
      if (slots < count) continue;
      const usesMps = inventory.pools.some((pool) => pool.resource === resource && pool.mode === 'mps');
      if (usesMps && user !== undefined && request.user !== undefined && request.user !== user) continue;
      let suit = suits.get(index);
      if (suit === undefined) {
        suit = fit(inventory, () => count, demandClass.request).fits && this.#mayShare(inventory, demandClass);
        suits.set(index, suit);
      }
      if (!suit) continue;
      const room = representative.room(demandClass);
      const placed = Math.min(maxPods, Math.floor(slots / count), scaledRoom(room, roomLeft));
      if (placed === 0) continue;
      pods.set(index, placed);
      open.set(resource, slots - placed * count);
      if (usesMps) user ??= request.user;
      roomLeft -= placed / room;
    }
    return pods;
  }

  /** Whether the pod may have a slot of the shared GPUs: newly shared ones are shared by no more pods than suit it. */
  #mayShare({ pools }: CandidatePartition['inventory'], demandClass: DemandClass): boolean {
    if (demandClass.resource !== SHARED_GPU) return true;
    const { from, representative } = this.nodeClass;
    const pool = pools.find(({ resource }) => resource === SHARED_GPU);
    if (!pool || (pool.mode !== 'mps' && pool.mode !== 'timeslicing')) return false;
    const replicas = Math.max(...pool.slotsPerGpu);
    if (from.sharing?.mode === pool.mode && from.sharing.replicas === replicas) return true;
    return replicas <= (maxReplicasOn(demandClass, pool.mode, representative.type) ?? 0);
  }

  #target(to: Partition): CandidatePartition | undefined {
    const key = JSON.stringify([to.sharing, to.layouts.map((layout) => layout ?? 0)]);
    if (this.#targets.has(key)) return this.#targets.get(key);
    const target = this.#examine(to);
    this.#targets.set(key, target);
    return target;
  }

  /** The partition as a candidate; undefined if it cannot or may not be made, or would harm a pod. */
  #examine(to: Partition): CandidatePartition | undefined {
    const { from, representative } = this.nodeClass;
    const { node, type } = representative;
    const changed = changedGpus(from, to);
    if (changed.length === 0 || faultOf(to, { product: type.product, memoryMiB: type.gpuMiB ?? 0 })) return undefined;
    const harmed = disturbed(from, to);
    for (const [resource, slots] of representative.held) {
      if (slots > 0 && (harmed === 'all' || harmed.has(resource))) return undefined;
    }
    const made = new Set<SharingMode>(
      changed.map((gpu) => (to.layouts[gpu] ? 'mig' : (to.sharing?.mode ?? 'exclusive'))),
    );
    let recommendOnly: string | undefined;
    for (const mode of made) {
      if (!node.modes.has(mode)) return undefined;
      recommendOnly ??= node.onlyRecommend(mode);
    }
    if (recommendOnly !== undefined && !this.#recommended) return undefined;
    const inventory = inventoryWith(node.inventory, to);
    const free = new Map(
      inventory.pools.map(({ resource, slots }) => [resource, slots - (representative.held.get(resource) ?? 0)]),
    );
    for (const [resource, slots] of representative.held) {
      // A resource that the node does not offer now either need not be kept.
      if (slots > 0 && free.get(resource) === undefined && offersNow(representative.offers, resource)) return undefined;
      if ((free.get(resource) ?? 0) < 0) return undefined;
    }
    const switchesMig = to.layouts.some((layout, gpu) => (layout === undefined) !== (from.layouts[gpu] === undefined));
    return { to, inventory, free, suits: new Map(), gpus: changed.length, switchesMig, recommendOnly };
  }
}

function offersNow(offers: NodeClass['representative']['offers'], resource: string): boolean {
  return offers?.pools.some((pool) => pool.resource === resource) ?? false;
}

/** A partition that may be made of the nodes of a class. */
interface CandidatePartition {
  readonly to: Partition;
  readonly inventory: ReturnType<typeof inventoryWith>;
  /** Slots that no pod holds, by resource. */
  readonly free: ReadonlyMap<string, number>;
  /** Whether a pod may have a slot, by index of the demand class. */
  readonly suits: Map<number, boolean>;
  readonly gpus: number;
  readonly switchesMig: boolean;
  readonly recommendOnly: string | undefined;
}

/** Whether the first of two changes for the same pods is cheaper: fewer GPUs, then no switch of MIG. */
function cheaper(a: CandidateChange, b: CandidateChange): boolean {
  if (a.gpus !== b.gpus) return a.gpus < b.gpus;
  return Number(a.switchesMig) < Number(b.switchesMig);
}
