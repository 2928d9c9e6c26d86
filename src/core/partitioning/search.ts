/** Which nodes to change, and into what: greedily, then improved by a beam search over a few nodes at once. */

import { type CandidateChange, CandidateChanges } from './candidate-changes.ts';
import { type CandidateNode, inFixedOrder } from './candidate-node.ts';
import type { DemandClass } from './demand-class.ts';
import type { NodeClass } from './node-class.ts';
import {
  compareSums,
  compareValue,
  remainingAfter,
  type SelectedChange,
  type Sum,
  subtract,
  sumOf,
} from './selected-change.ts';

/** Nodes that the beam search looks at together. */
const MAX_NODES_TOGETHER = 8;
/** Sets of changes that it keeps at each node. */
const BEAM_WIDTH = 64;
/** Rounds in which a few nodes of a large plan are searched again, and sets of changes kept in each. */
const REPAIR_ROUNDS = 12;
const REPAIR_BEAM_WIDTH = 12;

/**
 * Changes that serve as much as can be found, at most one of each node.
 * @param remaining pods that want room, by index of the demand class
 * @param ranks how many priorities there are
 * @param recommended also changes that may only be recommended
 */
export function search(
  classes: readonly NodeClass[],
  demandClasses: readonly DemandClass[],
  remaining: readonly number[],
  ranks: number,
  recommended: boolean,
): SelectedChange[] {
  const all = classes
    .filter(({ coolingDown, servable }) => !coolingDown && servable.some(({ index }) => (remaining[index] ?? 0) > 0))
    .map((node) => new CandidateChanges(node, ranks, recommended))
    .filter((candidateChanges) => candidateChanges.for(remaining, false).length > 0)
    // Classes that serve the fewest demands come first: others can stand in for them.
    .sort(
      (a, b) =>
        a.nodeClass.servable.length - b.nodeClass.servable.length ||
        a.nodeClass.representative.gpus - b.nodeClass.representative.gpus,
    );
  if (all.length === 0) return [];
  let best: SelectedChange[] = [];
  for (const measure of MEASURES) best = better(greedy(all, remaining, measure), best, ranks);
  const nodes = all.reduce((sum, { nodeClass }) => sum + nodeClass.candidates.length, 0);
  if (nodes <= MAX_NODES_TOGETHER)
    return better(beam(placesOf(all, MAX_NODES_TOGETHER), remaining, demandClasses, ranks, BEAM_WIDTH), best, ranks);
  return repaired(best, all, demandClasses, remaining, ranks);
}

function better(a: SelectedChange[], b: SelectedChange[], ranks: number): SelectedChange[] {
  return compareSums(sumOf(a, ranks), sumOf(b, ranks)) > 0 ? a : b;
}

/** Up to `max` nodes of each class. */
function placesOf(all: readonly CandidateChanges[], max: number): Place[] {
  return all.flatMap((candidateChanges) =>
    candidateChanges.nodeClass.candidates.slice(0, max).map((candidate) => ({ candidate, candidateChanges })),
  );
}

/** The changes after some were taken back, and their nodes searched again together with some others. */
function repaired(
  start: SelectedChange[],
  all: readonly CandidateChanges[],
  demandClasses: readonly DemandClass[],
  remaining: readonly number[],
  ranks: number,
): SelectedChange[] {
  let best = start;
  const size = MAX_NODES_TOGETHER / 2;
  for (let round = 0; round < REPAIR_ROUNDS; round += 1) {
    // The last changes first: there the greedy search had least to choose from.
    const end = best.length - (round * size) / 2;
    if (end <= 0) break;
    const back = best.slice(Math.max(0, end - size), end);
    const kept = best.filter((selectedChange) => !back.includes(selectedChange));
    const rest = remainingAfter(remaining, kept);
    const used = new Set(best.map(({ candidate }) => candidate));
    const others = all
      .flatMap((candidateChanges) => {
        const candidate = candidateChanges.nodeClass.candidates.find((each) => !used.has(each));
        return candidate && candidateChanges.for(rest, false).length > 0 ? [{ candidate, candidateChanges }] : [];
      })
      .slice(0, MAX_NODES_TOGETHER - back.length);
    const order = new Map(all.map((candidateChanges, place) => [candidateChanges, place]));
    const places = [
      ...back.map(({ candidate, candidateChanges }) => ({ candidate, candidateChanges })),
      ...others,
    ].sort((a, b) => (order.get(a.candidateChanges) ?? 0) - (order.get(b.candidateChanges) ?? 0));
    best = better([...kept, ...beam(places, rest, demandClasses, ranks, REPAIR_BEAM_WIDTH)], best, ranks);
  }
  return best;
}

/** Cost by which the value of a change is divided: the dearer of two of the same value comes later. */
type Measure = (change: CandidateChange, candidate: CandidateNode) => number;

/** Measures of the greedy search: each is best for some clusters, and it costs little to try them all. */
export const MEASURES: readonly Measure[] = [
  // As few GPUs changed as possible for what is served.
  ({ gpus }) => gpus,
  // As few GPUs bound to one use: for clusters where GPUs are short.
  (_, candidate) => candidate.gpus,
  // As much as possible at each step: few nodes.
  () => 1,
];

/** The greedy search's place in one class of nodes. */
interface ClassCursor {
  readonly candidateChanges: CandidateChanges;
  /** Nodes of the class that are changed already: the next one is at this index. */
  used: number;
  best: CandidateChange | undefined;
  /** The step in which `best` was found. */
  step: number;
}

/**
 * One change after the other, always the one that is best by the measure.
 * @param remaining pods that want room, by index of the demand class; not changed
 */
export function greedy(
  classes: readonly CandidateChanges[],
  remaining: readonly number[],
  measure: Measure,
): SelectedChange[] {
  const rest = [...remaining];
  const selectedChanges: SelectedChange[] = [];
  const cursors: ClassCursor[] = classes.map((candidateChanges) => ({
    candidateChanges,
    used: 0,
    best: undefined,
    step: -1,
  }));
  const refresh = (cursor: ClassCursor, step: number) => {
    cursor.step = step;
    cursor.best = undefined;
    const candidate = nodeAt(cursor);
    if (!candidate) return;
    for (const change of cursor.candidateChanges.for(rest, false)) {
      if (!cursor.best || compare(change, candidate, cursor.best, candidate, measure) > 0) cursor.best = change;
    }
  };
  for (const cursor of cursors) refresh(cursor, 0);
  for (let step = 0; ; step += 1) {
    // What was found before is an upper bound of what is there now: less is left. Only the best is looked at again.
    let first = bestOf(cursors, measure);
    while (first && first.step !== step) {
      refresh(first, step);
      first = bestOf(cursors, measure);
    }
    const candidate = first && nodeAt(first);
    if (!first?.best || !candidate) return selectedChanges;
    selectedChanges.push({ candidate, candidateChanges: first.candidateChanges, change: first.best });
    subtract(rest, first.best);
    first.used += 1;
  }
}

function nodeAt({ candidateChanges, used }: ClassCursor): CandidateNode | undefined {
  return candidateChanges.nodeClass.candidates[used];
}

function bestOf(cursors: readonly ClassCursor[], measure: Measure): ClassCursor | undefined {
  let first: ClassCursor | undefined;
  for (const cursor of cursors) {
    const candidate = nodeAt(cursor);
    if (!cursor.best || !candidate) continue;
    const other = first && nodeAt(first);
    if (!first?.best || !other || compare(cursor.best, candidate, first.best, other, measure) > 0) first = cursor;
  }
  return first;
}

/** Order of two changes by the measure; above 0 if the first is better. */
function compare(
  a: CandidateChange,
  candidateA: CandidateNode,
  b: CandidateChange,
  candidateB: CandidateNode,
  measure: Measure,
): number {
  const costA = measure(a, candidateA);
  const costB = measure(b, candidateB);
  for (let rank = 0; rank < a.value.length; rank += 1) {
    const difference = (a.value[rank] ?? 0) * costB - (b.value[rank] ?? 0) * costA;
    if (difference !== 0) return difference;
  }
  return (
    compareValue(a.value, b.value) ||
    b.gpus - a.gpus ||
    Number(b.switchesMig) - Number(a.switchesMig) ||
    candidateB.gpus - candidateA.gpus ||
    candidateB.node.modes.size - candidateA.node.modes.size ||
    inFixedOrder(candidateB, candidateA)
  );
}

/** A node of the beam search. */
interface Place {
  readonly candidate: CandidateNode;
  readonly candidateChanges: CandidateChanges;
}

/** A set of changes of the beam search. */
interface State extends Sum {
  readonly remaining: readonly number[];
  readonly last: { readonly place: Place; readonly change: CandidateChange; readonly before: State } | undefined;
  /** Class of which no further node is changed: nodes that stay as they are come last of their class. */
  readonly skipped: CandidateChanges | undefined;
}

/**
 * Changes of a few nodes, searched together: node by node, every change on top of every set of changes so far that is
 * still promising. With few kinds of demand, sets that leave the same demand are one, and little is lost.
 * @param places nodes of one class stand together
 * @param remaining pods that want room, by index of the demand class
 * @param pods weight and rank of one pod of each demand class
 * @param width sets of changes that are kept at each node
 */
export function beam(
  places: readonly Place[],
  remaining: readonly number[],
  pods: readonly { readonly weight: number; readonly rank: number }[],
  ranks: number,
  width: number,
): SelectedChange[] {
  const start: State = {
    remaining,
    value: new Array<number>(ranks).fill(0),
    gpus: 0,
    nodes: 0,
    last: undefined,
    skipped: undefined,
  };
  let states: State[] = [start];
  for (const [i, place] of places.entries()) {
    const byRemaining = new Map<string, State>();
    const keep = (state: State) => {
      const key = `${state.remaining.join()} ${state.skipped === place.candidateChanges}`;
      const other = byRemaining.get(key);
      if (!other || compareSums(state, other) > 0) byRemaining.set(key, state);
    };
    for (const state of states) {
      keep({ ...state, skipped: place.candidateChanges });
      if (state.skipped === place.candidateChanges) continue;
      for (const change of place.candidateChanges.for(state.remaining, true)) keep(after(state, place, change));
    }
    const rest = places.slice(i + 1);
    states = mostPromising([...byRemaining.values()], rest, pods, width);
  }
  let final = start;
  for (const state of states) if (compareSums(state, final) > 0) final = state;
  const selectedChanges: SelectedChange[] = [];
  for (let { last } = final; last; last = last.before.last) {
    selectedChanges.unshift({
      candidate: last.place.candidate,
      candidateChanges: last.place.candidateChanges,
      change: last.change,
    });
  }
  return selectedChanges;
}

function after(state: State, place: Place, change: CandidateChange): State {
  const remaining = [...state.remaining];
  subtract(remaining, change);
  const value = state.value.map((sum, rank) => sum + (change.value[rank] ?? 0));
  const last = { place, change, before: state };
  return { remaining, value, gpus: state.gpus + change.gpus, nodes: state.nodes + 1, last, skipped: undefined };
}

/** The most promising sets: by what they serve and what the nodes that are not decided yet might serve besides. */
function mostPromising(
  states: State[],
  rest: readonly Place[],
  pods: readonly { readonly weight: number; readonly rank: number }[],
  width: number,
): State[] {
  if (states.length <= width) return states;
  const capacity = rest.reduce((sum, { candidate }) => sum + 1000 * candidate.gpus, 0);
  const maxPods = pods.map((_, index) =>
    rest.reduce((sum, { candidateChanges }) => sum + (candidateChanges.nodeClass.maxPods.get(index) ?? 0), 0),
  );
  const bounds = new Map<State, number[]>();
  for (const state of states) {
    const bound = [...state.value];
    let open = capacity;
    for (const [index, { weight, rank }] of pods.entries()) {
      const more = Math.min(open, weight * Math.min(state.remaining[index] ?? 0, maxPods[index] ?? 0));
      bound[rank] = (bound[rank] ?? 0) + more;
      open -= more;
    }
    bounds.set(state, bound);
  }
  return states
    .sort((a, b) => compareValue(bounds.get(b) ?? [], bounds.get(a) ?? []) || a.gpus - b.gpus || compareSums(b, a))
    .slice(0, width);
}
