/**
 * Pods arrive at nodes as they are partitioned, and a strategy places them in slots and MIG instances: by the ledger, `fit`
 * and the scoring that the extender uses. Nothing is retried.
 */

import { fit } from '../fit.ts';
import type { NodeInventory } from '../inventory.ts';
import { Ledger, type LedgerNode } from '../ledger.ts';
import { classOf, type GpuRequest } from '../request.ts';
import { slotsHeldPerGpu } from '../savings.ts';
import { EquivalenceClass } from '../scoring/equivalence-class.ts';
import { LiveStrategy } from '../scoring/live-strategy.ts';
import { AVERAGE_COVERAGE, covering } from '../scoring/task-classes.ts';
import type { SharingMode } from '../sharing-mode.ts';
import type { Strategy } from '../strategies/strategy.ts';
import { arrivals } from './arrivals.ts';
import { Curve, type ReplayFigures } from './curve.ts';
import type { RunResult } from './run.ts';

/** A node as it is partitioned, with the cpu and memory that its GPU pods may have. */
export interface SlotNode {
  readonly inventory: NodeInventory;
  readonly cpuMilli: number;
  readonly memoryMiB: number;
}

export interface SlotPod {
  readonly request: GpuRequest;
  readonly cpuMilli: number;
  readonly memoryMiB: number;
}

export interface SlotWorkload {
  /** In the common order: the oldest first. */
  readonly nodes: readonly SlotNode[];
  /** Pods of one kind are one object. */
  readonly pods: readonly SlotPod[];
}

export interface SlotRunOptions {
  readonly workload: SlotWorkload;
  readonly strategy: Strategy;
  readonly seed: number;
  /** How much is asked for in all, as a share of capacity. */
  readonly ratio: number;
}

/** One kind of slot of one node at the end. */
export interface SlotRow {
  readonly node: string;
  readonly product: string;
  readonly resource: string;
  readonly mode: SharingMode;
  /** By GPU. */
  readonly slots: readonly number[];
  readonly held: readonly number[];
}

/** Pods of one kind, and how many of them there are. */
interface PodKind {
  readonly pod: SlotPod;
  readonly weight: number;
}

/** @param now ms of a clock that never goes back */
export function runSlots({ workload, strategy, seed, ratio }: SlotRunOptions, now: () => number): RunResult {
  const fleet = new SlotFleet(workload.nodes);
  const live = new LiveStrategy(strategy, fleet.ledger);
  const average = covering(kindsOf(workload.pods), AVERAGE_COVERAGE);
  const capacityMilli = workload.nodes.reduce((sum, { inventory }) => sum + inventory.gpus * 1000, 0);
  const state = { capacityMilli, arrivedMilli: 0, heldMilli: 0, peakMilli: 0, arrivals: 0, failures: 0 };
  const curve = new Curve<ReplayFigures>(() => fleet.uselessMilli(average));
  const milliOf = largestSlots(workload.nodes);
  const tables = new Map<string, EquivalenceClass>();
  const started = now();
  for (const pod of arrivals(workload.pods, { milliOf, capacityMilli, ratio, seed })) {
    const key = classOf(pod.request);
    const table = tables.get(key) ?? new EquivalenceClass(pod.request, fleet.ledger, live);
    tables.set(key, table);
    live.observe(pod.request);
    state.arrivals += 1;
    state.arrivedMilli += milliOf(pod);
    const [best] = table.best(fleet.roomFor(pod), 1);
    if (best) {
      state.heldMilli += fleet.place(pod, best.name, state.arrivals);
      state.peakMilli = Math.max(state.peakMilli, state.heldMilli);
      live.placed(pod.request);
    } else state.failures += 1;
    curve.observe(state);
  }
  curve.finish(state);
  return {
    strategy: strategy.name,
    seed,
    curve: curve.points,
    peakPercent: (100 * state.peakMilli) / capacityMilli,
    arrivals: state.arrivals,
    failures: state.failures,
    gpuFree: workload.nodes.map(({ inventory }) => fleet.gpuFree(inventory)),
    slots: workload.nodes.flatMap(({ inventory }) => slotRows(fleet.ledger, inventory)),
    ms: now() - started,
  };
}

/** The node's kinds of slots, and how many of each GPU's are held. */
export function slotRows(ledger: Ledger, { name, product, pools }: NodeInventory): SlotRow[] {
  return pools.map(({ resource, mode, slotsPerGpu }) => {
    return { node: name, product, resource, mode, slots: slotsPerGpu, held: slotsHeldPerGpu(ledger, name, resource) };
  });
}

/** Nodes, and what is left of them. */
class SlotFleet {
  readonly ledger = new Ledger();
  readonly #places: readonly LedgerNode[];
  readonly #room = new Map<string, { cpuMilli: number; memoryMiB: number }>();

  constructor(nodes: readonly SlotNode[]) {
    for (const { inventory, cpuMilli, memoryMiB } of nodes) {
      this.ledger.setNode(inventory);
      this.#room.set(inventory.name, { cpuMilli, memoryMiB });
    }
    this.#places = this.ledger
      .findAll(nodes.map(({ inventory }) => inventory.name))
      .filter((place) => place !== undefined);
  }

  /** Nodes that have the cpu and memory; whether they have slots is for the class of the pod to say. */
  *roomFor({ cpuMilli, memoryMiB }: SlotPod): Iterable<LedgerNode> {
    for (const place of this.#places) {
      const room = this.#room.get(place.name);
      if (room && room.cpuMilli >= cpuMilli && room.memoryMiB >= memoryMiB) yield place;
    }
  }

  /** Places the pod; milli-GPU that it holds. */
  place({ request, cpuMilli, memoryMiB }: SlotPod, node: string, number: number): number {
    const before = this.ledger.load(node)?.heldMilli ?? 0;
    const uid = String(number);
    const { resources, user } = request;
    this.ledger.allocate({ uid, pod: uid, node, state: 'confirmed', resources, user });
    const room = this.#room.get(node);
    if (room) {
      room.cpuMilli -= cpuMilli;
      room.memoryMiB -= memoryMiB;
    }
    return (this.ledger.load(node)?.heldMilli ?? 0) - before;
  }

  /** Free milli-GPU of each GPU: those of its free slots. */
  gpuFree({ name, gpus, pools }: NodeInventory): number[] {
    const free = Array.from({ length: gpus }, () => 0);
    for (const { resource } of pools) {
      for (const [gpu, milli] of (this.ledger.view(name, resource)?.gpuFree ?? []).entries()) {
        free[gpu] = Math.min(1000, (free[gpu] ?? 0) + milli);
      }
    }
    return free;
  }

  /** Free milli-GPU that an average pod could not use: the mean over kinds of pods, by how many there are. */
  uselessMilli(kinds: readonly PodKind[]): number {
    let sum = 0;
    let weights = 0;
    for (const { pod, weight } of kinds) {
      weights += weight;
      for (const { name, inventory } of this.#places) {
        if (inventory) sum += weight * this.#useless(pod, name, inventory);
      }
    }
    return weights === 0 ? 0 : sum / weights;
  }

  #useless({ request, cpuMilli, memoryMiB }: SlotPod, name: string, inventory: NodeInventory): number {
    const room = this.#room.get(name);
    const hasRoom = room !== undefined && room.cpuMilli >= cpuMilli && room.memoryMiB >= memoryMiB;
    const free = (resource: string) => this.ledger.freeSlots(name, resource);
    const fits = hasRoom && fit(inventory, free, request, { users: this.ledger.users(name) }).fits;
    let useless = 0;
    for (const { resource, slotMilli } of inventory.pools) {
      const isUsed = fits && request.resources.some((part) => part.resource === resource);
      if (!isUsed) useless += free(resource) * slotMilli;
    }
    return useless;
  }
}

function kindsOf(pods: readonly SlotPod[]): PodKind[] {
  const counts = new Map<SlotPod, number>();
  for (const pod of pods) counts.set(pod, (counts.get(pod) ?? 0) + 1);
  return Array.from(counts, ([pod, weight]) => ({ pod, weight }));
}

/** milli-GPU that a pod asks for, by the largest slot of each kind on offer: it may be given any. */
function largestSlots(nodes: readonly SlotNode[]): (pod: SlotPod) => number {
  const largest = new Map<string, number>();
  for (const { inventory } of nodes) {
    for (const { resource, slotMilli } of inventory.pools) {
      largest.set(resource, Math.max(slotMilli, largest.get(resource) ?? 0));
    }
  }
  return ({ request }) =>
    request.resources.reduce((sum, { resource, count }) => sum + count * (largest.get(resource) ?? 1000), 0);
}
