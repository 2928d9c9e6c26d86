/**
 * Remembers, for one kind of demand, how every node of a fleet scores, and knows the best of them:
 * a tournament tree over the nodes in their common order. A node that changed costs one look-up or
 * one new score, and the way up the tree; nodes that did not change cost nothing, however many there
 * are, and nodes that are alike are scored once.
 */

import type { Placement, Scorer } from '../strategies/strategy.ts';
import type { PackingDemand, PackingNode } from './packing-node.ts';

/** Nodes in the common order of ties, what state each is in, and the order in which they changed. */
export class FleetLog {
  readonly nodes: readonly PackingNode[];
  readonly #changes: number[] = [];
  /** Nodes with the same number are alike in all that a score depends on. */
  readonly #states: Int32Array;
  readonly #numbers = new Map<string, number>();

  /** @param nodes in the common order: of equals, the first is taken */
  constructor(nodes: readonly PackingNode[]) {
    this.nodes = nodes;
    this.#states = Int32Array.from(nodes, (node) => this.#numberOf(node));
  }

  changed(index: number): void {
    const node = this.nodes[index];
    if (!node) throw new RangeError(`there is no node ${index}`);
    this.#states[index] = this.#numberOf(node);
    this.#changes.push(index);
  }

  stateOf(index: number): number {
    return this.#states[index] ?? -1;
  }

  get length(): number {
    return this.#changes.length;
  }

  /** Indices of nodes changed since the log had that length; some may come twice. */
  since(length: number): readonly number[] {
    return this.#changes.slice(length);
  }

  #numberOf({ product, cpuFree, gpuFree }: PackingNode): number {
    const state = `${product} ${cpuFree} ${gpuFree.join()}`;
    let number = this.#numbers.get(state);
    if (number === undefined) {
      number = this.#numbers.size;
      this.#numbers.set(state, number);
    }
    return number;
  }
}

const NONE: Placement = { score: Number.NEGATIVE_INFINITY, gpu: -1 };

export class ScoreTable {
  readonly #demand: PackingDemand;
  readonly #scorer: Scorer;
  readonly #fleet: FleetLog;
  /** Of each node, by index; those beyond the last never win. */
  readonly #scores: Float64Array;
  /** Inner places of the tree from 1 on: the index of the best node below. Leaves would be `#size` + index. */
  readonly #winners: Int32Array;
  readonly #size: number;
  readonly #gpus: Int16Array;
  /** By state of the node, in this epoch. */
  readonly #placements = new Map<number, Placement>();
  #epoch = -1;
  #read = 0;

  constructor(demand: PackingDemand, scorer: Scorer, fleet: FleetLog) {
    this.#demand = demand;
    this.#scorer = scorer;
    this.#fleet = fleet;
    this.#size = 2 ** Math.ceil(Math.log2(Math.max(1, fleet.nodes.length)));
    this.#scores = new Float64Array(this.#size).fill(Number.NEGATIVE_INFINITY);
    this.#winners = new Int32Array(this.#size);
    this.#gpus = new Int16Array(fleet.nodes.length);
  }

  /** The best node for the demand, by index, and the GPU there; undefined if none has room. */
  best(): { readonly index: number; readonly gpu: number } | undefined {
    this.#catchUp();
    const index = this.#winnerAt(1);
    if (this.#scores[index] === Number.NEGATIVE_INFINITY) return undefined;
    return { index, gpu: this.#gpus[index] ?? -1 };
  }

  #catchUp(): void {
    const { length } = this.#fleet;
    const behind = length - this.#read;
    if (this.#epoch !== this.#scorer.epoch || behind > this.#size) this.#rebuild();
    else if (behind > 0) {
      for (const index of new Set(this.#fleet.since(this.#read))) {
        this.#score(index);
        for (let at = (this.#size + index) >> 1; at >= 1; at >>= 1) this.#play(at);
      }
    }
    this.#read = length;
  }

  #rebuild(): void {
    if (this.#epoch !== this.#scorer.epoch) this.#placements.clear();
    this.#epoch = this.#scorer.epoch;
    for (let index = 0; index < this.#fleet.nodes.length; index += 1) this.#score(index);
    for (let at = this.#size - 1; at >= 1; at -= 1) this.#play(at);
  }

  #score(index: number): void {
    const { score, gpu } = this.#placement(index);
    this.#scores[index] = score;
    this.#gpus[index] = gpu;
  }

  #placement(index: number): Placement {
    const node = this.#fleet.nodes[index];
    if (!node || node.misfit(this.#demand) !== undefined) return NONE;
    const state = this.#fleet.stateOf(index);
    let placement = this.#placements.get(state);
    if (!placement) {
      placement = this.#scorer.place(node, this.#demand);
      this.#placements.set(state, placement);
    }
    return placement;
  }

  /** Of equals the left one wins: the first in the common order. */
  #play(at: number): void {
    const left = this.#winnerAt(2 * at);
    const right = this.#winnerAt(2 * at + 1);
    this.#winners[at] = (this.#scores[left] ?? 0) >= (this.#scores[right] ?? 0) ? left : right;
  }

  #winnerAt(place: number): number {
    return place >= this.#size ? place - this.#size : (this.#winners[place] ?? 0);
  }
}
