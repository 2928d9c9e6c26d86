/**
 * Who holds what: the slots that each pod holds on each node, reserved by us or confirmed by the
 * API server. Built from nodes and pods alone, in any order; every operation costs O(GPUs of one
 * node) at most.
 *
 * Which physical GPU serves a slot is the device plugin's choice. The ledger expects the `packed`
 * policy (the fullest GPU that has room) unless the pod's record says what was expected before.
 */

import type { NodeInventory, Pool } from './inventory.ts';
import type { ResourceRequest } from './request.ts';
import { SlotView } from './slot-view.ts';

export type PodUid = string;

/** Slots of one pool that one pod holds. */
export interface Holding {
  readonly resource: string;
  readonly count: number;
  /** Expected GPU index of each slot; shorter than `count` where the node has no slot left (over-allocated). */
  readonly gpus: readonly number[];
  /** The GPUs of the pod's record, or those first expected: tried again whenever the node changes. */
  readonly wished: readonly number[];
}

export interface Allocation {
  readonly uid: PodUid;
  /** `namespace/name`, for people. */
  readonly pod: string;
  readonly node: string;
  /** `reserved`: our Binding is under way; `confirmed`: the API server says the pod is on the node. */
  readonly state: 'reserved' | 'confirmed';
  readonly holdings: readonly Holding[];
}

/** Slots taken from one pool of one node. */
interface PoolUse {
  total: number;
  readonly perGpu: number[];
}

/** A node's figures as strategies see them. */
export interface NodeLoad {
  readonly inventory: NodeInventory;
  /** milli-GPU held in slots. */
  readonly heldMilli: number;
  /** milli-GPU present: 1000 for each GPU. */
  readonly totalMilli: number;
  /** Moves whenever anything about the node changes, and never takes an earlier value again. */
  readonly version: number;
}

interface NodeState {
  inventory: NodeInventory | undefined;
  readonly use: Map<string, PoolUse>;
  readonly pods: Map<PodUid, Allocation>;
  heldMilli: number;
  version: number;
}

export interface AllocateOptions {
  readonly uid: PodUid;
  readonly pod: string;
  readonly node: string;
  readonly state: Allocation['state'];
  readonly resources: readonly Pick<ResourceRequest, 'resource' | 'count'>[];
  /** Expected GPUs by resource, from the pod's allocation record. */
  readonly expected?: ReadonlyMap<string, readonly number[]>;
}

export class Ledger {
  readonly #nodes = new Map<string, NodeState>();
  readonly #byPod = new Map<PodUid, Allocation>();
  /** Counts the changes of all nodes: a node that comes back must not repeat a version. */
  #changes = 0;

  /** Adds a node or replaces what is known of it; the pods on it keep what they hold. */
  setNode(inventory: NodeInventory): void {
    const state = this.#state(inventory.name);
    state.inventory = inventory;
    this.#recount(state);
  }

  /** Forgets what the node offers. Pods still bound to it are remembered until they go. */
  removeNode(name: string): void {
    const state = this.#nodes.get(name);
    if (!state) return;
    state.inventory = undefined;
    this.#recount(state);
    this.#dropIfEmpty(name, state);
  }

  /**
   * Records what a pod holds, replacing any earlier allocation of the same pod, but never a
   * confirmed one by a reservation. Refuses nothing for want of room: ask `fit` first.
   */
  allocate(options: AllocateOptions): Allocation {
    const { uid, pod, node, resources, expected } = options;
    const earlier = this.#byPod.get(uid);
    // A confirmed holding never goes back to a reservation, whatever the order of news.
    if (earlier?.state === 'confirmed' && options.state === 'reserved') return earlier;
    if (earlier && earlier.node === node && holdsSame(earlier, resources)) {
      if (earlier.state === options.state) return earlier;
      const confirmed: Allocation = { ...earlier, state: options.state };
      this.#byPod.set(uid, confirmed);
      this.#state(node).pods.set(uid, confirmed);
      return confirmed;
    }
    if (earlier) this.release(uid);
    const state = this.#state(node);
    const holdings = resources.map(({ resource, count }) =>
      this.#take(state, resource, count, expected?.get(resource) ?? []),
    );
    const allocation: Allocation = { uid, pod, node, state: options.state, holdings };
    state.pods.set(uid, allocation);
    state.version = this.#nextVersion();
    this.#byPod.set(uid, allocation);
    return allocation;
  }

  /** Frees what a pod holds; false if it held nothing. */
  release(uid: PodUid): boolean {
    const allocation = this.#byPod.get(uid);
    if (!allocation) return false;
    this.#byPod.delete(uid);
    const state = this.#state(allocation.node);
    state.pods.delete(uid);
    for (const holding of allocation.holdings) giveBack(state, holding);
    state.version = this.#nextVersion();
    this.#dropIfEmpty(allocation.node, state);
    return true;
  }

  /** Frees a reservation; a confirmed allocation stays. */
  releaseReservation(uid: PodUid): boolean {
    return this.#byPod.get(uid)?.state === 'reserved' && this.release(uid);
  }

  allocationOf(uid: PodUid): Allocation | undefined {
    return this.#byPod.get(uid);
  }

  allocationsOn(node: string): Iterable<Allocation> {
    return this.#nodes.get(node)?.pods.values() ?? [];
  }

  /** Free slots of a resource; never negative, even where more is held than the node now offers. */
  freeSlots(node: string, resource: string): number {
    const state = this.#nodes.get(node);
    const pool = state && poolOf(state, resource);
    if (!state || !pool) return 0;
    return Math.max(0, pool.slots - (state.use.get(resource)?.total ?? 0));
  }

  /** The node's load; undefined if the node is unknown or offers no GPU. */
  load(node: string): NodeLoad | undefined {
    const state = this.#nodes.get(node);
    if (!state?.inventory) return undefined;
    const { inventory, heldMilli, version } = state;
    return { inventory, heldMilli, totalMilli: inventory.gpus * 1000, version };
  }

  /** The node as strategies see it: its GPUs as the slots of that resource leave them free; undefined if it offers none. */
  view(node: string, resource: string): SlotView | undefined {
    const state = this.#nodes.get(node);
    const pool = state && poolOf(state, resource);
    if (!state?.inventory || !pool) return undefined;
    return new SlotView(state.inventory, pool, state.heldMilli, state.use.get(resource)?.perGpu);
  }

  /** All nodes that offer GPUs, in no particular order. */
  *nodes(): Iterable<NodeInventory> {
    for (const { inventory } of this.#nodes.values()) if (inventory) yield inventory;
  }

  /** Changes so far, of all nodes together: any node's version above an earlier count is newer than that. */
  get changes(): number {
    return this.#changes;
  }

  /** Number of reservations under way. */
  reservations(): number {
    let count = 0;
    for (const { state } of this.#byPod.values()) if (state === 'reserved') count += 1;
    return count;
  }

  #state(name: string): NodeState {
    let state = this.#nodes.get(name);
    if (!state) {
      state = { inventory: undefined, use: new Map(), pods: new Map(), heldMilli: 0, version: 0 };
      this.#nodes.set(name, state);
    }
    return state;
  }

  #nextVersion(): number {
    this.#changes += 1;
    return this.#changes;
  }

  #dropIfEmpty(name: string, state: NodeState): void {
    if (!state.inventory && state.pods.size === 0) this.#nodes.delete(name);
  }

  #take(state: NodeState, resource: string, count: number, wishes: readonly number[]): Holding {
    const pool = poolOf(state, resource);
    const use = useOf(state, resource, pool);
    const gpus: number[] = [];
    // Ends when the node is full, not at `count`: a pod may claim any number without being admitted by kubelet.
    while (gpus.length < count) {
      const wish = wishes[gpus.length];
      const gpu = wish !== undefined && hasRoom(pool, use, wish) ? wish : fullestWithRoom(pool, use);
      if (gpu < 0) break;
      use.perGpu[gpu] = (use.perGpu[gpu] ?? 0) + 1;
      gpus.push(gpu);
    }
    use.total += count;
    state.heldMilli += count * (pool?.slotMilli ?? 0);
    return { resource, count, gpus, wished: [...wishes, ...gpus.slice(wishes.length)] };
  }

  /** After a change of the inventory: place the same pods again, in the order they came. */
  #recount(state: NodeState): void {
    state.use.clear();
    state.heldMilli = 0;
    for (const [uid, allocation] of state.pods) {
      const holdings = allocation.holdings.map(({ resource, count, wished }) =>
        this.#take(state, resource, count, wished),
      );
      const moved: Allocation = { ...allocation, holdings };
      state.pods.set(uid, moved);
      this.#byPod.set(uid, moved);
    }
    state.version = this.#nextVersion();
  }
}

function poolOf(state: NodeState, resource: string): Pool | undefined {
  return state.inventory?.pools.find((pool) => pool.resource === resource);
}

function useOf(state: NodeState, resource: string, pool: Pool | undefined): PoolUse {
  let use = state.use.get(resource);
  if (!use) {
    use = { total: 0, perGpu: Array.from({ length: pool?.slotsPerGpu.length ?? 0 }, () => 0) };
    state.use.set(resource, use);
  }
  return use;
}

function hasRoom(pool: Pool | undefined, use: PoolUse, gpu: number): boolean {
  return (use.perGpu[gpu] ?? 0) < (pool?.slotsPerGpu[gpu] ?? 0);
}

/** The device plugin's `packed` policy: the GPU with most slots taken that has one left; -1 if none has. */
function fullestWithRoom(pool: Pool | undefined, use: PoolUse): number {
  let best = -1;
  for (let gpu = 0; gpu < use.perGpu.length; gpu += 1) {
    if (hasRoom(pool, use, gpu) && (best < 0 || (use.perGpu[gpu] ?? 0) > (use.perGpu[best] ?? 0))) best = gpu;
  }
  return best;
}

function giveBack(state: NodeState, { resource, count, gpus }: Holding): void {
  const use = state.use.get(resource);
  if (!use) return;
  use.total -= count;
  for (const gpu of gpus) use.perGpu[gpu] = (use.perGpu[gpu] ?? 0) - 1;
  state.heldMilli -= count * (poolOf(state, resource)?.slotMilli ?? 0);
}

function holdsSame(allocation: Allocation, resources: AllocateOptions['resources']): boolean {
  return (
    allocation.holdings.length === resources.length &&
    allocation.holdings.every(
      ({ resource, count }, i) => resource === resources[i]?.resource && count === resources[i]?.count,
    )
  );
}
