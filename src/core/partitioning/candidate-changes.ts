/** Changes of one node, weighed by what they make room for. */

import { fit } from '../fit.ts';
import { SHARED_GPU } from '../resources.ts';
import type { SharingMode } from '../sharing-mode.ts';
import { scaledRoom } from './candidate-node.ts';
import { type DemandClass, mostReplicasOn } from './demand-class.ts';
import type { NodeClass } from './node-class.ts';
import { changedGpus, disturbed, faultOf, inventoryWith, type Partition } from './partition.ts';
import { targetsOf, type Wanted } from './targets.ts';

export interface CandidateChange {
  readonly to: Partition;
  /** Pods that find room, by index of what was asked. */
  readonly pods: ReadonlyMap<number, number>;
  /** Value, milli-GPU by rank of priority. */
  readonly value: readonly number[];
  /** How many change. */
  readonly gpus: number;
  /** MIG is switched on or off somewhere. */
  readonly switchesMig: boolean;
  /** Why it may only be recommended. */
  readonly recommendOnly: string | undefined;
}

/** Of more kinds of pods than that, only the most promising options are looked at. */
const FEW = 6;

/** The options of the nodes of one class, thought out once for each demand that comes up. */
export class CandidateChanges {
  readonly nodeClass: NodeClass;
  readonly #ranks: number;
  readonly #recommended: boolean;
  readonly #known = new Map<string, readonly CandidateChange[]>();
  readonly #targets = new Map<string, CandidatePartition | undefined>();

  /** @param recommended also those that may only be recommended */
  constructor(node: NodeClass, ranks: number, recommended: boolean) {
    this.nodeClass = node;
    this.#ranks = ranks;
    this.#recommended = recommended;
  }

  /**
   * What could be made of one of the nodes; of options that serve the same, the one that changes fewest GPUs.
   * @param remaining pods that still want room, by index of what was asked
   */
  for(remaining: readonly number[], wide: boolean): readonly CandidateChange[] {
    const { could, most } = this.nodeClass;
    const wanted: [DemandClass, number][] = [];
    // More of it than the node could ever hold is as good as just that.
    let key = wide ? 'wide' : '';
    for (const asked of could) {
      const pods = Math.min(remaining[asked.index] ?? 0, most.get(asked.index) ?? 0);
      key += `,${pods}`;
      if (pods > 0) wanted.push([asked, pods]);
    }
    const known = this.#known.get(key);
    if (known) return known;
    const options = wanted.length === 0 ? [] : this.#think(wanted, wide && wanted.length <= FEW);
    this.#known.set(key, options);
    return options;
  }

  #think(wanted: Wanted, wide: boolean): CandidateChange[] {
    const byPods = new Map<string, CandidateChange>();
    const backwards = wanted.toReversed().sort(([a], [b]) => a.rank - b.rank);
    for (const partition of targetsOf(this.nodeClass, wanted, wide)) {
      // Of pods of the same value, the node might rather take those that have fewer places, or fewer needs.
      for (const order of wide && wanted.length > 1 ? [wanted, backwards] : [wanted]) {
        const option = this.#weigh(partition, order);
        if (!option) continue;
        const key = this.nodeClass.could.map(({ index }) => option.pods.get(index) ?? 0).join();
        const other = byPods.get(key);
        if (!other || cheaper(option, other)) byPods.set(key, option);
      }
    }
    return [...byPods.values()];
  }

  #weigh(partition: Partition, wanted: Wanted): CandidateChange | undefined {
    const target = this.#target(partition);
    if (!target) return undefined;
    const pods = this.#pack(target, wanted);
    if (pods.size === 0) return undefined;
    const { to } = target;
    const finer = to.sharing && this.#finest(to.sharing, pods, wanted);
    if (to.sharing && finer && finer > to.sharing.replicas) {
      return this.#weigh({ ...to, sharing: { ...to.sharing, replicas: finer } }, wanted);
    }
    const value = new Array<number>(this.#ranks).fill(0);
    for (const [{ index, rank, weight }] of wanted) {
      value[rank] = (value[rank] ?? 0) + weight * (pods.get(index) ?? 0);
    }
    const { gpus, switchesMig, recommendOnly } = target;
    return { to, pods, value, gpus, switchesMig, recommendOnly };
  }

  /** More slots of each GPU suit the pods that it would serve as well: undefined if it is not made for them. */
  #finest(
    sharing: NonNullable<Partition['sharing']>,
    pods: ReadonlyMap<number, number>,
    wanted: Wanted,
  ): number | undefined {
    const { from, representative } = this.nodeClass;
    if (from.sharing?.mode === sharing.mode && from.sharing.replicas === sharing.replicas) return undefined;
    const counts = wanted.flatMap(([asked]) =>
      pods.has(asked.index) ? (mostReplicasOn(asked, sharing.mode, representative.type) ?? []) : [],
    );
    return counts.length > 0 ? Math.min(...counts) : undefined;
  }

  /** Places the pods in their order. */
  #pack({ free, suits, inventory }: CandidatePartition, wanted: Wanted): Map<number, number> {
    const { representative } = this.nodeClass;
    const open = new Map(free);
    const pods = new Map<number, number>();
    let roomLeft = representative.roomLeft;
    for (const [asked, most] of wanted) {
      const { index, resource, count } = asked;
      const slots = open.get(resource) ?? 0;
      if (slots < count) continue;
      let suit = suits.get(index);
      if (suit === undefined) {
        suit = fit(inventory, () => count, asked.request).fits && this.#mayShare(inventory, asked);
        suits.set(index, suit);
      }
      if (!suit) continue;
      const room = representative.room(asked);
      const placed = Math.min(most, Math.floor(slots / count), scaledRoom(room, roomLeft));
      if (placed === 0) continue;
      pods.set(index, placed);
      open.set(resource, slots - placed * count);
      roomLeft -= placed / room;
    }
    return pods;
  }

  /** A GPU is not shared by more than the pod would have it, if it is for the pod that it is shared. */
  #mayShare({ pools }: CandidatePartition['inventory'], asked: DemandClass): boolean {
    if (asked.resource !== SHARED_GPU) return true;
    const { from, representative } = this.nodeClass;
    const pool = pools.find(({ resource }) => resource === SHARED_GPU);
    if (!pool || (pool.mode !== 'mps' && pool.mode !== 'timeslicing')) return false;
    const replicas = Math.max(...pool.slotsPerGpu);
    if (from.sharing?.mode === pool.mode && from.sharing.replicas === replicas) return true;
    return replicas <= (mostReplicasOn(asked, pool.mode, representative.type) ?? 0);
  }

  #target(to: Partition): CandidatePartition | undefined {
    const key = JSON.stringify([to.sharing, to.layouts.map((layout) => layout ?? 0)]);
    if (this.#targets.has(key)) return this.#targets.get(key);
    const target = this.#examine(to);
    this.#targets.set(key, target);
    return target;
  }

  /** What the partition is like; undefined if it is not to be had. */
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
      // What nobody offers now either is not ours to keep.
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

interface CandidatePartition {
  readonly to: Partition;
  readonly inventory: ReturnType<typeof inventoryWith>;
  /** Slots that nobody holds, by resource. */
  readonly free: ReadonlyMap<string, number>;
  /** By index of what was asked: whether such a pod may have a slot. */
  readonly suits: Map<number, boolean>;
  readonly gpus: number;
  readonly switchesMig: boolean;
  readonly recommendOnly: string | undefined;
}

/** For the same pods: fewer GPUs, then fewer switches of MIG, then whoever was first. */
function cheaper(a: CandidateChange, b: CandidateChange): boolean {
  if (a.gpus !== b.gpus) return a.gpus < b.gpus;
  return Number(a.switchesMig) < Number(b.switchesMig);
}
