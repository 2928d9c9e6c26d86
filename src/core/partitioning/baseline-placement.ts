/** Free slots serve first; of the ways to place pods on them, one that leaves nodes free to be changed for the others. */

import { CandidateNode } from './candidate-node.ts';
import { type DemandClass, modesFor } from './demand-class.ts';
import { serve } from './free-slots.ts';
import { classesOf, type NodeClass } from './node-class.ts';
import { search } from './search.ts';
import { compareSums, compareValue, type SelectedChange, sumOf } from './selected-change.ts';

/** The nodes as they are, or as they will be, with the pods that they have room for. */
export interface PlacementState {
  readonly candidates: readonly CandidateNode[];
  /** Pods that want room, by index of the demand class. */
  readonly remaining: number[];
  readonly classes: readonly NodeClass[];
}

/** Other placements that are tried at most, each of which leaves one more node free. */
const MAX_ATTEMPTS = 12;
/** Largest problem (nodes × demand classes) for which other placements are tried. */
const MAX_SIZE_FOR_ATTEMPTS = 500;

/** The nodes as they are, with the pods that free slots serve, and the first changes for the others. */
export interface BaselinePlacement extends PlacementState {
  /** Changes for the others. */
  readonly selectedChanges: readonly SelectedChange[];
}

/**
 * Places pods on free slots.
 * @param make makes the candidates without any pod of the plan
 * @param ranks how many priorities there are
 */
export function baselinePlacement(
  make: () => readonly CandidateNode[],
  demandClasses: readonly DemandClass[],
  ranks: number,
): BaselinePlacement {
  const flexible = flexibility(demandClasses);
  let order = demandClasses;
  const attempt = (avoided: ReadonlySet<string>): BaselinePlacement => {
    const candidates = make();
    const placement = placementOf(candidates, order, (candidate) =>
      avoided.has(candidate.name) ? Number.MAX_VALUE : flexible(candidate),
    );
    return {
      ...placement,
      selectedChanges: search(placement.classes, demandClasses, placement.remaining, ranks, false),
    };
  };
  let avoided: ReadonlySet<string> = new Set();
  let best = attempt(avoided);
  if (best.candidates.length * demandClasses.length > MAX_SIZE_FOR_ATTEMPTS) return best;
  const bySize = bySizeBesideGpus(best.candidates, demandClasses);
  if (best.remaining.some((pods) => pods > 0) && bySize.some((each, i) => each !== demandClasses[i])) {
    order = bySize;
    const other = attempt(avoided);
    if (compareBaselines(other, best, demandClasses, ranks) > 0) best = other;
    else order = demandClasses;
  }
  let attempts = 0;
  for (let improved = true; improved; ) {
    improved = false;
    for (const candidate of best.candidates) {
      // A node that was idle until pods of the plan came, and that could have become something else.
      if (candidate.pods.size === 0 || flexible(candidate) === 0) continue;
      if (!wasIdle(candidate) || avoided.has(candidate.name) || best.remaining.every((pods) => pods === 0)) continue;
      if (attempts === MAX_ATTEMPTS) return best;
      attempts += 1;
      const more = new Set([...avoided, candidate.name]);
      const other = attempt(more);
      if (compareBaselines(other, best, demandClasses, ranks) <= 0) continue;
      best = other;
      avoided = more;
      improved = true;
      break;
    }
  }
  return best;
}

/** Classes in order of priority, then with those first of which a node has room for most: who needs much cpu and memory keeps others out. */
function bySizeBesideGpus(
  candidates: readonly CandidateNode[],
  demandClasses: readonly DemandClass[],
): readonly DemandClass[] {
  const rooms = new Map(
    demandClasses.map((each) => [
      each,
      Math.max(0, ...candidates.map((candidate) => candidate.rooms[each.index] ?? 0)),
    ]),
  );
  return demandClasses.toSorted(
    (a, b) => a.rank - b.rank || (rooms.get(b) ?? 0) - (rooms.get(a) ?? 0) || a.index - b.index,
  );
}

function wasIdle({ node }: CandidateNode): boolean {
  return [...node.held.values()].every((slots) => slots <= 0);
}

/** Order of placements; above 0 if a is better: free slots serve as much as they can, then changes do. */
function compareBaselines(
  a: BaselinePlacement,
  b: BaselinePlacement,
  demandClasses: readonly DemandClass[],
  ranks: number,
): number {
  const missing = ({ remaining }: BaselinePlacement) => {
    const value = new Array<number>(ranks).fill(0);
    for (const { index, rank, weight } of demandClasses)
      value[rank] = (value[rank] ?? 0) + weight * (remaining[index] ?? 0);
    return value;
  };
  return (
    compareValue(missing(b), missing(a)) ||
    compareSums(sumOf(a.selectedChanges, ranks), sumOf(b.selectedChanges, ranks))
  );
}

/** @param order classes in the order in which they are served */
function placementOf(
  candidates: readonly CandidateNode[],
  order: readonly DemandClass[],
  flexible: (candidate: CandidateNode) => number,
): PlacementState {
  const demandClasses = order.toSorted((a, b) => a.index - b.index);
  const remaining = demandClasses.map(({ demand }) => demand.pods.length);
  serve(candidates, order, remaining, flexible);
  return { candidates, remaining, classes: classesOf(candidates, demandClasses) };
}

/**
 * The placement that the next plan will find when the changes are on their way: so that there is nothing left to change
 * then, whichever pod moves in first.
 * @param before the placement on free slots, whose pods stay
 */
export function placementAfter(
  before: PlacementState,
  selectedChanges: ReadonlyMap<string, SelectedChange>,
  demandClasses: readonly DemandClass[],
): PlacementState {
  const candidates = before.candidates.map(({ node, type, rooms, name }) => {
    const to = selectedChanges.get(name)?.change.to;
    return new CandidateNode(to ? { ...node, coming: to } : node, type, rooms);
  });
  const remaining = demandClasses.map(({ demand }) => demand.pods.length);
  serve(candidates, demandClasses, remaining, flexibility(demandClasses));
  for (const [i, candidate] of candidates.entries()) {
    for (const [resource, slots] of before.candidates[i]?.held ?? []) {
      candidate.held.set(resource, Math.max(slots, candidate.held.get(resource) ?? 0));
    }
  }
  return { candidates, remaining, classes: classesOf(candidates, demandClasses) };
}

/** How flexible a node is: the number of demand classes for which it could be changed. */
export function flexibility(demandClasses: readonly DemandClass[]): (candidate: CandidateNode) => number {
  const known = new Map<string, number>();
  return (candidate) => {
    const { inventory, modes, cooldownMs } = candidate.node;
    if (!candidate.changeable || cooldownMs > 0) return 0;
    const { product, gpuMiB, gpus, oversubscribe } = inventory;
    const key = [product, gpuMiB, oversubscribe, gpus, ...modes].join();
    let count = known.get(key);
    if (count === undefined) {
      const servable = demandClasses.filter((each) =>
        modesFor(each, candidate.type, candidate.gpus).some((mode) => modes.has(mode)),
      );
      count = servable.length;
      known.set(key, count);
    }
    return count;
  };
}
