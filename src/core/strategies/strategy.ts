/** The interface of a packing strategy, and the ranking that all of them share. */

import type { NodeView, PackingDemand } from '../scoring/packing-node.ts';
import type { TaskClass } from '../scoring/task-classes.ts';

export interface Placement {
  /** How good the node is for the demand; higher is better, any finite number. */
  readonly score: number;
  /** The GPU for a part of one; -1 for whole GPUs and for pods without. In a live cluster the device plugin chooses. */
  readonly gpu: number;
}

/** What a strategy may know of the cluster besides the node in question. */
export interface Fleet {
  readonly nodes: () => Iterable<NodeView>;
  /** What is asked for, as far as it is known; never what will come. */
  readonly classes: readonly TaskClass[];
}

/** A strategy at work on a fleet. */
export interface Scorer {
  /** The score that `place` would give: where the caller does not need the GPU, it is not looked for. */
  score(node: NodeView, demand: PackingDemand): number;
  /** The best way to place the demand on the node, which has room for it. Nodes of one product and equal free amounts score alike. */
  place(node: NodeView, demand: PackingDemand): Placement;
  /** Moves whenever scores of unchanged nodes may have changed. */
  readonly epoch: number;
  /** Called for every pod that has been placed. */
  placed(): void;
}

export interface Strategy {
  /** The name in configuration and records, lower case: `bestfit`. */
  readonly name: string;
  scorer(fleet: Fleet): Scorer;
}

/** A strategy that needs to know nothing but the node: its score, with the fullest GPU that has room. */
export function nodeStrategy(name: string, score: (node: NodeView) => number): Strategy {
  const scorer: Scorer = {
    epoch: 0,
    score: (node) => score(node),
    place: (node, demand) => ({ score: score(node), gpu: fullestWithRoom(node, demand) }),
    placed: () => {},
  };
  return { name, scorer: () => scorer };
}

function fullestWithRoom({ gpuFree }: NodeView, { gpus, milli }: PackingDemand): number {
  let best = -1;
  if (gpus !== 1 || milli === 1000) return best;
  for (let gpu = 0; gpu < gpuFree.length; gpu += 1) {
    const free = gpuFree[gpu] ?? 0;
    if (free >= milli && (best < 0 || free < (gpuFree[best] ?? 0))) best = gpu;
  }
  return best;
}

/** What decides between equal scores. */
type Aged = Pick<NodeView, 'name' | 'createdAt'>;

/**
 * The best few of the nodes offered, best first. Equal scores are decided by age, then by name, so
 * that the order is total and exactly one node is best: kube-scheduler would pick among equals at random.
 */
export class Best<T extends Aged> {
  readonly nodes: T[] = [];
  readonly #scores: number[] = [];
  readonly #count: number;

  constructor(count: number) {
    this.#count = count;
  }

  /** One pass with a short sorted list: no sort of thousands to find ten. */
  offer(node: T, score: number): void {
    let at = this.nodes.length;
    while (at > 0 && this.#isAhead(node, score, at - 1)) at -= 1;
    if (at >= this.#count) return;
    this.nodes.splice(at, 0, node);
    this.#scores.splice(at, 0, score);
    if (this.nodes.length > this.#count) {
      this.nodes.pop();
      this.#scores.pop();
    }
  }

  #isAhead(node: T, score: number, place: number): boolean {
    const other = this.nodes[place];
    const theirs = this.#scores[place];
    if (other === undefined || theirs === undefined) return true;
    return score === theirs ? byAge(node, other) < 0 : score > theirs;
  }
}

/** The common order of ties: the oldest first, then by name. */
export function byAge(a: Aged, b: Aged): number {
  return a.createdAt - b.createdAt || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
}

/** milli-GPU held over milli-GPU present, 0 to 1 (above 1 only where a node shrank under its pods). */
export function utilisation({ heldMilli, totalMilli }: NodeView): number {
  return totalMilli === 0 ? 0 : heldMilli / totalMilli;
}
