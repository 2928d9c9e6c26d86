/** Which nodes to change, and into what: greedily, then mended by thinking about a few nodes at once. */

import { beam, type Place } from './beam.ts';
import { CandidateChanges } from './candidate-changes.ts';
import type { DemandClass } from './demand-class.ts';
import { greedy, MEASURES } from './greedy.ts';
import type { NodeClass } from './node-class.ts';
import { compareSums, remainingAfter, type SelectedChange, sumOf } from './selected-change.ts';

/** Nodes that are thought about together. */
const WINDOW = 8;
/** Sets of changes kept for them. */
const WIDTH = 64;
/** Of a large plan, how many times a few nodes are thought over again, and with how many sets. */
const ROUNDS = 12;
const NARROW = 12;

/**
 * @param remaining pods that want room, by index of what was asked
 * @param recommended also changes that may only be recommended
 */
export function search(
  classes: readonly NodeClass[],
  asked: readonly DemandClass[],
  remaining: readonly number[],
  ranks: number,
  recommended: boolean,
): SelectedChange[] {
  const all = classes
    .filter(({ coolingDown, could }) => !coolingDown && could.some(({ index }) => (remaining[index] ?? 0) > 0))
    .map((node) => new CandidateChanges(node, ranks, recommended))
    .filter((options) => options.for(remaining, false).length > 0)
    // Who can serve least is thought about first: others can stand in for it.
    .sort(
      (a, b) =>
        a.nodeClass.could.length - b.nodeClass.could.length ||
        a.nodeClass.representative.gpus - b.nodeClass.representative.gpus,
    );
  if (all.length === 0) return [];
  let best: SelectedChange[] = [];
  for (const measure of MEASURES) best = better(greedy(all, remaining, measure), best, ranks);
  const nodes = all.reduce((sum, { nodeClass }) => sum + nodeClass.sites.length, 0);
  if (nodes <= WINDOW) return better(beam(placesOf(all, WINDOW), remaining, asked, ranks, WIDTH), best, ranks);
  return mended(best, all, asked, remaining, ranks);
}

function better(a: SelectedChange[], b: SelectedChange[], ranks: number): SelectedChange[] {
  return compareSums(sumOf(a, ranks), sumOf(b, ranks)) > 0 ? a : b;
}

/** Up to so many nodes of each class. */
function placesOf(all: readonly CandidateChanges[], most: number): Place[] {
  return all.flatMap((options) => options.nodeClass.sites.slice(0, most).map((site) => ({ site, options })));
}

/** Takes some of the changes back, and thinks about those nodes and some others together. */
function mended(
  start: SelectedChange[],
  all: readonly CandidateChanges[],
  asked: readonly DemandClass[],
  remaining: readonly number[],
  ranks: number,
): SelectedChange[] {
  let best = start;
  const size = WINDOW / 2;
  for (let round = 0; round < ROUNDS; round += 1) {
    // From the end, where the greedy had least to choose from.
    const end = best.length - (round * size) / 2;
    if (end <= 0) break;
    const back = best.slice(Math.max(0, end - size), end);
    const kept = best.filter((choice) => !back.includes(choice));
    const rest = remainingAfter(remaining, kept);
    const used = new Set(best.map(({ site }) => site));
    const others = all
      .flatMap((options) => {
        const site = options.nodeClass.sites.find((each) => !used.has(each));
        return site && options.for(rest, false).length > 0 ? [{ site, options }] : [];
      })
      .slice(0, WINDOW - back.length);
    const order = new Map(all.map((options, place) => [options, place]));
    const places = [...back.map(({ site, options }) => ({ site, options })), ...others].sort(
      (a, b) => (order.get(a.options) ?? 0) - (order.get(b.options) ?? 0),
    );
    best = better([...kept, ...beam(places, rest, asked, ranks, NARROW)], best, ranks);
  }
  return best;
}
