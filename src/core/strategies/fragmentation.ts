/**
 * fragmentation: take the place whose loss hurts least what is asked for.
 *
 * A node's free capacity is worth what it can still hold. Two figures say so, and a pod goes where
 * their sum falls least (docs/fragmentation.md has the whole story and its sources):
 *
 * 1. The share value of each GPU's free part: dual prices of the cutting-stock problem.
 * 2. For each class of task, how many GPUs' worth of it the node could still take if it took nothing
 *    else, counting GPUs, CPU and the model of the GPU; weighted by how often the class is asked for
 *    and by how scarce such room has become in the whole fleet.
 *
 * FGD (Weng et al., "Beware of Fragmentation", USENIX ATC 2023) has the idea of asking every class;
 * it counts a GPU as lost or not, where we count how much of it can be filled, and has no price for
 * what is scarce.
 */

import type { NodeView, PackingDemand } from '../scoring/packing-node.ts';
import { type ShareValue, shareValue } from '../scoring/share-value.ts';
import { covering, type TaskClass } from '../scoring/task-classes.ts';
import { type Fleet, type Placement, type Scorer, type Strategy, utilisation } from './strategy.ts';

/** Classes that make up this share of all pods are asked; the rare rest would add cost and no sense. */
const COVERAGE = 0.97;
/** How steeply the price of room rises as it gets scarce: 1 would be in proportion. */
const SCARCITY_EXPONENT = 1.5;
/** Weight of the share value against all classes together. */
const SHARE_WEIGHT = 10;
/** Of places that lose the same, the one on the fuller node: empty nodes stay empty. Far below any difference in worth. */
const FULLER_WEIGHT = 1e-6;
/** Prices are renewed after one placement for so many nodes: the cost of each placement stays the same however large the fleet. */
const NODES_PER_PLACEMENT = 6;
const MIN_PLACEMENTS = 50;

export const fragmentation: Strategy = {
  name: 'fragmentation',
  scorer: (fleet) => new FragmentationScorer(fleet),
};

class FragmentationScorer implements Scorer {
  readonly #fleet: Fleet;
  readonly #shareValue: ShareValue;
  /** Classes that ask for GPUs, as columns. */
  readonly #classes: readonly TaskClass[];
  readonly #cpu: Float64Array;
  readonly #gpus: Int32Array;
  readonly #milli: Int32Array;
  /** Price of one milli-GPU of room for the class. */
  readonly #price: Float64Array;
  /** By product: which classes it will do for. */
  readonly #suits = new Map<string, Uint8Array>();
  readonly #known = new WeakMap<NodeView, { epoch: number; version: number; worth: number }>();
  #epoch = 0;
  #placements = 0;
  #renewAt = 0;
  #scratch = new Int32Array(8);
  readonly #free: Free = { whole: 0, part: new Int32Array(8), parts: 0, value: 0 };

  constructor(fleet: Fleet) {
    this.#fleet = fleet;
    const withGpu = fleet.classes.filter(({ demand }) => demand.gpus > 0);
    this.#shareValue = shareValue(
      withGpu.map(({ demand, weight }) => ({ milli: demand.milli, weight: weight * demand.gpus })),
    );
    this.#classes = covering(fleet.classes, COVERAGE).filter(({ demand }) => demand.gpus > 0);
    this.#cpu = Float64Array.from(this.#classes, ({ demand }) => demand.cpuMilli);
    this.#gpus = Int32Array.from(this.#classes, ({ demand }) => demand.gpus);
    this.#milli = Int32Array.from(this.#classes, ({ demand }) => demand.milli);
    this.#price = new Float64Array(this.#classes.length);
    this.#renewPrices();
  }

  get epoch(): number {
    return this.#epoch;
  }

  placed(): void {
    this.#placements += 1;
    if (this.#placements >= this.#renewAt) this.#renewPrices();
  }

  score(node: NodeView, demand: PackingDemand): number {
    return this.place(node, demand).score;
  }

  place(node: NodeView, demand: PackingDemand): Placement {
    const { gpuFree, cpuFree } = node;
    const suits = this.#suitsOf(node.product);
    this.#reserve(gpuFree.length);
    const before = this.#worthBefore(node, suits);
    const fuller = FULLER_WEIGHT * utilisation(node);
    const after = this.#copy(gpuFree);
    const cpuLeft = cpuFree - demand.cpuMilli;
    if (demand.gpus !== 1 || demand.milli === 1000) {
      let wanted = demand.gpus;
      for (let gpu = 0; gpu < gpuFree.length && wanted > 0; gpu += 1) {
        if (after[gpu] !== 1000) continue;
        after[gpu] = 0;
        wanted -= 1;
      }
      return { score: this.#worth(after, gpuFree.length, cpuLeft, suits) - before + fuller, gpu: -1 };
    }
    let best: Placement | undefined;
    for (let gpu = 0; gpu < gpuFree.length; gpu += 1) {
      const free = gpuFree[gpu] ?? 0;
      if (free < demand.milli || firstWith(gpuFree, free) < gpu) continue;
      after[gpu] = free - demand.milli;
      const score = this.#worth(after, gpuFree.length, cpuLeft, suits) - before + fuller;
      after[gpu] = free;
      // Of equals, the fuller GPU.
      if (!best || score > best.score || (score === best.score && free < (gpuFree[best.gpu] ?? 0)))
        best = { score, gpu };
    }
    return best ?? { score: Number.NEGATIVE_INFINITY, gpu: -1 };
  }

  /** What the free capacity of a node is worth as it is; every demand that is placed on it asks the same. */
  #worthBefore(node: NodeView, suits: Uint8Array): number {
    const known = this.#known.get(node);
    if (known && known.epoch === this.#epoch && known.version === node.version) return known.worth;
    const worth = this.#worth(node.gpuFree, node.gpuFree.length, node.cpuFree, suits);
    if (node.version !== undefined) this.#known.set(node, { epoch: this.#epoch, version: node.version, worth });
    return worth;
  }

  /** What free capacity is worth. */
  #worth(gpuFree: ArrayLike<number>, count: number, cpuFree: number, suits: Uint8Array): number {
    const free = this.#sum(gpuFree, count);
    let worth = SHARE_WEIGHT * free.value;
    for (let c = 0; c < this.#price.length; c += 1) {
      if (suits[c] === 1) worth += (this.#price[c] ?? 0) * this.#room(c, free, cpuFree);
    }
    return worth;
  }

  /** A node's free GPUs, summed up once for all classes. */
  #sum(gpuFree: ArrayLike<number>, count: number): Free {
    const free = this.#free;
    free.whole = 0;
    free.parts = 0;
    free.value = 0;
    for (let gpu = 0; gpu < count; gpu += 1) {
      const milli = gpuFree[gpu] ?? 0;
      free.value += this.#shareValue[milli] ?? 0;
      if (milli === 1000) free.whole += 1;
      else if (milli > 0) {
        free.part[free.parts] = milli;
        free.parts += 1;
      }
    }
    return free;
  }

  /** milli-GPU that the class could still fill, were nothing else to come. */
  #room(c: number, { whole, part, parts }: Free, cpuFree: number): number {
    const cpu = this.#cpu[c] ?? 0;
    if (cpu > cpuFree) return 0;
    const gpus = this.#gpus[c] ?? 1;
    const milli = this.#milli[c] ?? 1000;
    let copies = milli === 1000 ? Math.trunc(whole / gpus) : whole * Math.trunc(1000 / milli);
    if (milli < 1000) for (let i = 0; i < parts; i += 1) copies += Math.trunc((part[i] ?? 0) / milli);
    if (copies * cpu > cpuFree) copies = Math.trunc(cpuFree / cpu);
    return copies * gpus * milli;
  }

  #renewPrices(): void {
    const room = new Float64Array(this.#classes.length);
    let nodes = 0;
    for (const node of this.#fleet.nodes()) {
      nodes += 1;
      const suits = this.#suitsOf(node.product);
      this.#reserve(node.gpuFree.length);
      const free = this.#sum(node.gpuFree, node.gpuFree.length);
      for (let c = 0; c < room.length; c += 1) {
        if (suits[c] === 1) room[c] = (room[c] ?? 0) + this.#room(c, free, node.cpuFree);
      }
    }
    let sum = 0;
    for (const [c, { weight }] of this.#classes.entries()) {
      // Never less than one GPU's worth: a price must stay finite.
      const price = weight / Math.max(1000, room[c] ?? 0) ** SCARCITY_EXPONENT;
      this.#price[c] = price;
      sum += price;
    }
    for (let c = 0; c < this.#price.length; c += 1) this.#price[c] = (this.#price[c] ?? 0) / sum;
    this.#epoch += 1;
    this.#renewAt = this.#placements + Math.max(MIN_PLACEMENTS, Math.ceil(nodes / NODES_PER_PLACEMENT));
  }

  #suitsOf(product: string): Uint8Array {
    let suits = this.#suits.get(product);
    if (!suits) {
      suits = Uint8Array.from(this.#classes, ({ demand }) => (demand.products?.has(product) === false ? 0 : 1));
      this.#suits.set(product, suits);
    }
    return suits;
  }

  #copy(gpuFree: ArrayLike<number>): Int32Array {
    this.#scratch.set(gpuFree);
    return this.#scratch;
  }

  /** Makes the scratch space large enough for a node; it is allocated once and not for each score. */
  #reserve(gpus: number): void {
    if (this.#scratch.length >= gpus) return;
    this.#scratch = new Int32Array(gpus);
    this.#free.part = new Int32Array(gpus);
  }
}

interface Free {
  /** GPUs that are free as a whole. */
  whole: number;
  /** Free milli-GPU of those in part, the first `parts` entries. */
  part: Int32Array;
  parts: number;
  /** Share value of all. */
  value: number;
}

function firstWith(gpuFree: ArrayLike<number>, free: number): number {
  let gpu = 0;
  while (gpuFree[gpu] !== free) gpu += 1;
  return gpu;
}
