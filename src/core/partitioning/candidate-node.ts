/** A node while a plan is made: what it offers, who holds it, and the room that is left beside its GPUs. */

import { fit } from '../fit.ts';
import type { NodeInventory, Pool } from '../inventory.ts';
import type { DemandClass } from './demand-class.ts';
import type { GpuType } from './gpu-type.ts';
import { inventoryWith, type Partition } from './partition.ts';
import type { PlanningNode } from './plan-input.ts';

export class CandidateNode {
  readonly node: PlanningNode;
  readonly type: GpuType;
  /** Slots held by pods that run and by pods of the plan, by resource. */
  readonly held: Map<string, number>;
  /** Pods of the plan, by index of the demand class. */
  readonly pods = new Map<number, number>();
  /** Part of its room beside GPUs that pods of the plan leave: 0 to 1. */
  roomLeft = 1;
  readonly #offers: NodeInventory | undefined;
  /** Whether such pods may have slots of it, by index of the demand class. */
  readonly #suits: (boolean | undefined)[] = [];
  readonly #rooms: (number | undefined)[];
  /** Users of pods of the plan that may hold slots by MPS, and of how many. */
  readonly #users = new Map<number, number>();

  /**
   * @param rooms rooms that an earlier candidate of the same node has asked for: none is asked for twice
   */
  constructor(node: PlanningNode, type: GpuType, rooms: (number | undefined)[]) {
    this.node = node;
    this.type = type;
    this.held = new Map([...node.held].filter(([, slots]) => slots > 0));
    this.#rooms = rooms;
    const { inventory, coming } = node;
    if (coming) this.#offers = inventoryWith(inventory, coming);
    else this.#offers = inventory.inTransition ? undefined : inventory;
  }

  get name(): string {
    return this.node.inventory.name;
  }
  get gpus(): number {
    return this.node.inventory.gpus;
  }
  /** What it offers for the plan; undefined while it is being changed and it is not known into what. */
  get offers(): NodeInventory | undefined {
    return this.#offers;
  }
  get rooms(): (number | undefined)[] {
    return this.#rooms;
  }

  /** Whether it may be changed: its partition is known, and it is not on its way to another. */
  get changeable(): boolean {
    const { partition, inventory } = this.node;
    return partition?.layouts.length === inventory.gpus && !this.changing;
  }
  get changing(): boolean {
    return this.node.coming !== undefined || this.node.inventory.inTransition;
  }

  /** The node with that on its way: pods that it had room for before stay, and are not moved any more. */
  changedTo(coming: Partition): CandidateNode {
    const changed = new CandidateNode({ ...this.node, coming }, this.type, this.#rooms);
    changed.roomLeft = this.roomLeft;
    for (const [resource, slots] of this.held) changed.held.set(resource, slots);
    return changed;
  }

  /** Pods of the class that it has room for beside its GPUs, were no other pods in the plan. */
  room({ index, demand }: DemandClass): number {
    let room = this.#rooms[index];
    if (room === undefined) {
      room = coarse(demand.roomOn(this.name));
      this.#rooms[index] = room;
    }
    return room;
  }

  /** The slots of a resource as it is offered; undefined if it offers none. */
  pool(resource: string): Pool | undefined {
    return this.#offers?.pools.find((each) => each.resource === resource);
  }

  /** Slots that neither pods that run hold, nor pods of the plan. */
  freeSlots(resource: string): number {
    return (this.pool(resource)?.slots ?? 0) - (this.held.get(resource) ?? 0);
  }

  /** Further pods of the class that it takes as it is offered. */
  takes(demandClass: DemandClass): number {
    const { resource, count } = demandClass;
    const free = this.freeSlots(resource);
    if (free < count || !this.suits(demandClass) || !this.#serves(demandClass)) return 0;
    return Math.min(Math.floor(free / count), scaledRoom(this.room(demandClass), this.roomLeft));
  }

  /** Whether such a pod may have slots of it, were they free. */
  suits(demandClass: DemandClass): boolean {
    if (!this.#offers) return false;
    let suits = this.#suits[demandClass.index];
    if (suits === undefined) {
      const users = this.node.users ?? [];
      suits = fit(this.#offers, () => demandClass.count, demandClass.request, { users }).fits;
      this.#suits[demandClass.index] = suits;
    }
    return suits && this.room(demandClass) > 0;
  }

  /** Whether its MPS daemon would serve the user of the pods beside those of the plan. */
  #serves({ resource, request: { user } }: DemandClass): boolean {
    if (user === undefined || this.#users.size === 0 || this.pool(resource)?.mode !== 'mps') return true;
    return this.#users.size === 1 && this.#users.has(user);
  }

  /** Places pods, or takes them away again if fewer than 0. */
  place(demandClass: DemandClass, pods: number): void {
    const { index, resource, count } = demandClass;
    this.held.set(resource, (this.held.get(resource) ?? 0) + pods * count);
    const there = (this.pods.get(index) ?? 0) + pods;
    if (there === 0) this.pods.delete(index);
    else this.pods.set(index, there);
    this.roomLeft -= pods / this.room(demandClass);
    const { user } = demandClass.request;
    if (user === undefined) return;
    const ofUser = (this.#users.get(user) ?? 0) + pods;
    if (ofUser === 0) this.#users.delete(user);
    else this.#users.set(user, ofUser);
  }

  /** Whether no pod holds a GPU of it. */
  get idle(): boolean {
    for (const slots of this.held.values()) if (slots > 0) return false;
    return true;
  }
}

/** Pods that fit into what is left of a room for `room` pods. */
export function scaledRoom(room: number, left: number): number {
  return room === Number.POSITIVE_INFINITY ? room : Math.max(0, Math.floor(room * left + 1e-9));
}

/** Rounded down to four significant bits: nodes whose rooms differ by a little are alike. */
function coarse(room: number): number {
  if (room === Number.POSITIVE_INFINITY) return room;
  if (!(room >= 1)) return 0;
  const step = 2 ** Math.max(0, Math.floor(Math.log2(room)) - 3);
  return Math.floor(room / step) * step;
}

/** Order of candidates by age, then by name. */
export function inFixedOrder(a: CandidateNode, b: CandidateNode): number {
  return byNodeAge(a.node.inventory, b.node.inventory);
}

/** Order of nodes by age, then by name. */
export function byNodeAge(a: NodeInventory, b: NodeInventory): number {
  return a.createdAt - b.createdAt || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
}
