/**
 * Who holds what: the slots that each pod holds on each node, reserved by us or confirmed by the
 * API server (kube-scheduler's cache says assumed for reserved). Built from nodes and pods alone, in
 * any order; every operation costs O(GPUs of one node) at most, and a clone for a what-if costs what
 * is changed on it. Which GPU serves a slot is expected to be what the pod's record says, else what
 * the device plugin would choose (`pool-use.ts`).
 */

import type { NodeInventory, Pool } from './inventory.ts';
import { PoolUse } from './pool-use.ts';
import type { ResourceRequest } from './request.ts';
import { SharedArray } from './shared-array.ts';
import { SharedMap } from './shared-map.ts';
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
  /** User of its processes where it may hold slots by MPS. */
  readonly user?: number | undefined;
  readonly holdings: readonly Holding[];
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

/** A node as the ledger has it until it is next changed: those that remember things by node do so by its index. */
export interface LedgerNode {
  readonly name: string;
  /** Small and dense; given to another node when this one has gone. */
  readonly index: number;
  readonly inventory: NodeInventory | undefined;
  /** As in `NodeLoad`; no two nodes ever have the same. */
  readonly version: number;
}

/** A node in a ledger, and in its clones until one of them changes it. */
class NodeState implements LedgerNode {
  readonly name: string;
  readonly index: number;
  /** The token of the ledger that may change it; any other takes a copy. */
  readonly owner: object;
  inventory: NodeInventory | undefined;
  /** By resource. */
  use = new Map<string, PoolUse>();
  pods = new Map<PodUid, Allocation>();
  /** Users of its pods that may hold slots by MPS, and of how many. */
  users = new Map<number, number>();
  heldMilli = 0;
  version: number;

  constructor(name: string, index: number, version: number, owner: object) {
    this.name = name;
    this.index = index;
    this.version = version;
    this.owner = owner;
  }

  copyFor(owner: object): NodeState {
    const copy = new NodeState(this.name, this.index, this.version, owner);
    copy.inventory = this.inventory;
    for (const [resource, use] of this.use) copy.use.set(resource, use.clone());
    copy.pods = new Map(this.pods);
    copy.users = new Map(this.users);
    copy.heldMilli = this.heldMilli;
    return copy;
  }
}

export interface AllocateOptions {
  readonly uid: PodUid;
  readonly pod: string;
  readonly node: string;
  readonly state: Allocation['state'];
  readonly resources: readonly Pick<ResourceRequest, 'resource' | 'count'>[];
  readonly user?: number | undefined;
  /** Expected GPUs by resource, from the pod's allocation record. */
  readonly expected?: ReadonlyMap<string, readonly number[]>;
}

export class Ledger {
  /** By index. */
  #nodes = new SharedArray<NodeState>();
  #indices = new SharedMap<number>();
  #byPod = new SharedMap<Allocation>();
  readonly #counts = { reserved: 0, confirmed: 0 };
  /** By index of a node: that of the one which came next in the last list of names. */
  readonly #following: number[] = [];
  /** Renewed with each clone: what was ours alone until then is shared from then on. */
  #token = {};
  /** Counts the changes of all nodes: a node that comes back must not repeat a version. */
  #changes = 0;
  /** Indices of nodes that have gone, free for others. */
  readonly #vacant: number[] = [];
  #known = 0;
  #offering = 0;
  #offersVersion = 0;

  /** A copy that changes apart from this one, for a what-if; each change copies the node and the pods that it touches. */
  clone(): Ledger {
    const copy = new Ledger();
    copy.#nodes = this.#nodes.clone();
    copy.#indices = this.#indices.clone();
    copy.#byPod = this.#byPod.clone();
    Object.assign(copy.#counts, this.#counts);
    copy.#changes = this.#changes;
    copy.#vacant.push(...this.#vacant);
    copy.#known = this.#known;
    copy.#offering = this.#offering;
    copy.#offersVersion = this.#offersVersion;
    this.#token = {};
    return copy;
  }

  /** Adds a node or replaces what is known of it; the pods on it keep what they hold. */
  setNode(inventory: NodeInventory): void {
    const state = this.#stateOf(inventory.name);
    if (!state.inventory) this.#offering += 1;
    state.inventory = inventory;
    this.#offersVersion += 1;
    this.#recount(state);
  }

  /** Forgets what the node offers. Pods still bound to it are remembered until they go. */
  removeNode(name: string): void {
    if (!this.#find(name)?.inventory) return;
    const state = this.#stateOf(name);
    this.#offering -= 1;
    state.inventory = undefined;
    this.#offersVersion += 1;
    this.#recount(state);
    this.#dropIfEmpty(state);
  }

  /**
   * Records what a pod holds, replacing any earlier allocation of the same pod, but never a
   * confirmed one by a reservation. Refuses nothing for want of room: ask `fit` first.
   */
  allocate(options: AllocateOptions): Allocation {
    const { uid, pod, node, resources, user, expected } = options;
    const earlier = this.#byPod.get(uid);
    // A confirmed holding never goes back to a reservation, whatever the order of news.
    if (earlier?.state === 'confirmed' && options.state === 'reserved') return earlier;
    if (earlier && earlier.node === node && holdsSame(earlier, resources)) {
      if (earlier.state === options.state) return earlier;
      const confirmed: Allocation = { ...earlier, state: options.state };
      this.#byPod.set(uid, confirmed);
      this.#counts[earlier.state] -= 1;
      this.#counts[options.state] += 1;
      this.#stateOf(node).pods.set(uid, confirmed);
      return confirmed;
    }
    if (earlier) this.release(uid);
    const state = this.#stateOf(node);
    const holdings = resources.map(({ resource, count }) =>
      this.#take(state, resource, count, expected?.get(resource) ?? []),
    );
    // The name that the ledger has already: that of the options is one string more for each pod.
    const allocation: Allocation = {
      uid,
      pod,
      node: state.name,
      state: options.state,
      ...(user !== undefined && { user }),
      holdings,
    };
    state.pods.set(uid, allocation);
    if (user !== undefined) state.users.set(user, (state.users.get(user) ?? 0) + 1);
    state.version = this.#nextVersion();
    this.#byPod.set(uid, allocation);
    this.#counts[allocation.state] += 1;
    return allocation;
  }

  /** Frees what a pod holds; false if it held nothing. */
  release(uid: PodUid): boolean {
    const allocation = this.#byPod.get(uid);
    if (!allocation) return false;
    this.#byPod.delete(uid);
    this.#counts[allocation.state] -= 1;
    const state = this.#stateOf(allocation.node);
    state.pods.delete(uid);
    for (const holding of allocation.holdings) giveBack(state, holding);
    if (allocation.user !== undefined) forgetUser(state, allocation.user);
    state.version = this.#nextVersion();
    this.#dropIfEmpty(state);
    return true;
  }

  /** Frees a reservation; a confirmed allocation stays. */
  releaseReservation(uid: PodUid): boolean {
    return this.#byPod.get(uid)?.state === 'reserved' && this.release(uid);
  }

  /** Computes the expected GPUs of the node's pods again, now that others have gone; what they hold stays the same. */
  placeAgain(node: string): void {
    if (this.#find(node)) this.#recount(this.#stateOf(node));
  }

  allocationOf(uid: PodUid): Allocation | undefined {
    return this.#byPod.get(uid);
  }

  /** All there are, in no particular order. */
  allocations(): Iterable<Allocation> {
    return this.#byPod.values();
  }

  allocationsOn(node: string): Iterable<Allocation> {
    return this.#find(node)?.pods.values() ?? [];
  }

  /** Free slots of a resource; never negative, even where more is held than the node now offers. */
  freeSlots(node: string, resource: string): number {
    const state = this.#find(node);
    const pool = state && poolOf(state, resource);
    if (!state || !pool) return 0;
    return Math.max(0, pool.slots - (state.use.get(resource)?.total ?? 0));
  }

  /** Users of the pods on the node that may hold slots by MPS. */
  users(node: string): Iterable<number> {
    return this.#find(node)?.users.keys() ?? [];
  }

  /** The node; undefined if nothing is known of it. */
  find(name: string): LedgerNode | undefined {
    return this.#find(name);
  }

  /**
   * Many nodes, in order. Lists of names come in much the same order again and again: the node that came next in the
   * last list is tried first, since to compare a name costs less than to hash it.
   */
  findAll(names: readonly string[]): (LedgerNode | undefined)[] {
    const found: (LedgerNode | undefined)[] = [];
    let previous: NodeState | undefined;
    for (const name of names) {
      let node = previous && this.#nodes.get(this.#following[previous.index] ?? -1);
      if (node?.name !== name) {
        node = this.#find(name);
        if (previous && node) this.#following[previous.index] = node.index;
      }
      found.push(node);
      previous = node ?? previous;
    }
    return found;
  }

  /** The node's load; undefined if the node is unknown or offers no GPU. */
  load(node: string): NodeLoad | undefined {
    const state = this.#find(node);
    if (!state?.inventory) return undefined;
    const { inventory, heldMilli, version } = state;
    return { inventory, heldMilli, totalMilli: inventory.gpus * 1000, version };
  }

  /** The node as strategies see it: its GPUs as the slots of that resource leave them free; undefined if it offers none. */
  view(node: string, resource: string): SlotView | undefined {
    const state = this.#find(node);
    const pool = state && poolOf(state, resource);
    if (!state?.inventory || !pool) return undefined;
    return new SlotView(state.inventory, pool, state.heldMilli, state.use.get(resource)?.perGpu);
  }

  /** All nodes that offer GPUs, in no particular order. */
  *nodes(): Iterable<NodeInventory> {
    for (const { inventory } of this.#nodes.values()) if (inventory) yield inventory;
  }

  /** Number of nodes that offer GPUs. */
  get size(): number {
    return this.#offering;
  }

  /** Moves whenever some node offers something else than before. */
  get offersVersion(): number {
    return this.#offersVersion;
  }

  /** Changes so far, of all nodes together: any node's version above an earlier count is newer than that. */
  get changes(): number {
    return this.#changes;
  }

  /** Number of reservations under way. */
  reservations(): number {
    return this.#counts.reserved;
  }

  /** Number of pods that the API server says are on their node. */
  get confirmed(): number {
    return this.#counts.confirmed;
  }

  #find(name: string): NodeState | undefined {
    const index = this.#indices.get(name);
    return index === undefined ? undefined : this.#nodes.get(index);
  }

  /** The node for this ledger alone to change; a new one if nothing is known of it. */
  #stateOf(name: string): NodeState {
    const known = this.#find(name);
    if (known?.owner === this.#token) return known;
    const state = known?.copyFor(this.#token) ?? this.#newState(name);
    this.#nodes.set(state.index, state);
    return state;
  }

  #newState(name: string): NodeState {
    const index = this.#vacant.pop() ?? this.#known;
    this.#known = Math.max(this.#known, index + 1);
    this.#indices.set(name, index);
    return new NodeState(name, index, this.#nextVersion(), this.#token);
  }

  #nextVersion(): number {
    this.#changes += 1;
    return this.#changes;
  }

  #dropIfEmpty({ name, index, inventory, pods }: NodeState): void {
    if (inventory || pods.size > 0) return;
    this.#indices.delete(name);
    this.#nodes.set(index, undefined);
    this.#vacant.push(index);
  }

  #take(state: NodeState, resource: string, count: number, wishes: readonly number[]): Holding {
    const pool = poolOf(state, resource);
    let use = state.use.get(resource);
    if (!use) {
      use = new PoolUse(pool);
      state.use.set(resource, use);
    }
    const gpus = use.take(count, wishes);
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

function giveBack(state: NodeState, { resource, count, gpus }: Holding): void {
  state.use.get(resource)?.giveBack(count, gpus);
  state.heldMilli -= count * (poolOf(state, resource)?.slotMilli ?? 0);
}

function forgetUser({ users }: NodeState, user: number): void {
  const others = (users.get(user) ?? 0) - 1;
  if (others > 0) users.set(user, others);
  else users.delete(user);
}

function holdsSame(allocation: Allocation, resources: AllocateOptions['resources']): boolean {
  return (
    allocation.holdings.length === resources.length &&
    allocation.holdings.every(
      ({ resource, count }, i) => resource === resources[i]?.resource && count === resources[i]?.count,
    )
  );
}
