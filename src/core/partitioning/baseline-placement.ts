/** What is free serves first; of the ways to do that, one that leaves nodes free to be changed for the others. */

import { CandidateNode } from './candidate-node.ts';
import { type DemandClass, modesFor } from './demand-class.ts';
import { serve } from './free-slots.ts';
import { classesOf, type NodeClass } from './node-class.ts';
import { search } from './search.ts';
import { compareSums, compareValue, type SelectedChange, sumOf } from './selected-change.ts';

/** The nodes as they are, or as they will be, with the pods that they have room for. */
export interface PlacementState {
  readonly sites: readonly CandidateNode[];
  /** Pods that want room, by index of what was asked. */
  readonly remaining: number[];
  readonly classes: readonly NodeClass[];
}

/** How often it is tried to leave another node free, and the largest cluster (nodes × demands) for which it is. */
const TRIES = 12;
const LARGEST = 500;

export interface BaselinePlacement extends PlacementState {
  /** Changes for the others. */
  readonly choices: readonly SelectedChange[];
}

/** @param make the sites as nobody has touched them */
export function baselinePlacement(
  make: () => readonly CandidateNode[],
  asked: readonly DemandClass[],
  ranks: number,
): BaselinePlacement {
  const flexible = flexibility(asked);
  let order = asked;
  const attempt = (avoided: ReadonlySet<string>): BaselinePlacement => {
    const sites = make();
    const stage = placementOf(sites, order, (site) => (avoided.has(site.name) ? Number.MAX_VALUE : flexible(site)));
    return { ...stage, choices: search(stage.classes, asked, stage.remaining, ranks, false) };
  };
  let avoided: ReadonlySet<string> = new Set();
  let best = attempt(avoided);
  if (best.sites.length * asked.length > LARGEST) return best;
  const bySize = bySizeBesideGpus(best.sites, asked);
  if (best.remaining.some((pods) => pods > 0) && bySize.some((each, i) => each !== asked[i])) {
    order = bySize;
    const other = attempt(avoided);
    if (compareBaselines(other, best, asked, ranks) > 0) best = other;
    else order = asked;
  }
  let tries = 0;
  for (let improved = true; improved; ) {
    improved = false;
    for (const site of best.sites) {
      // A node that was idle until pods of the plan came, and that could have become something else.
      if (site.pods.size === 0 || flexible(site) === 0) continue;
      if (!wasIdle(site) || avoided.has(site.name) || best.remaining.every((pods) => pods === 0)) continue;
      if (tries === TRIES) return best;
      tries += 1;
      const more = new Set([...avoided, site.name]);
      const other = attempt(more);
      if (compareBaselines(other, best, asked, ranks) <= 0) continue;
      best = other;
      avoided = more;
      improved = true;
      break;
    }
  }
  return best;
}

/** Of each priority, those pods first of which a node has room for most: who needs much cpu and memory keeps others out. */
function bySizeBesideGpus(sites: readonly CandidateNode[], asked: readonly DemandClass[]): readonly DemandClass[] {
  const rooms = new Map(asked.map((each) => [each, Math.max(0, ...sites.map((site) => site.rooms[each.index] ?? 0))]));
  return asked.toSorted((a, b) => a.rank - b.rank || (rooms.get(b) ?? 0) - (rooms.get(a) ?? 0) || a.index - b.index);
}

function wasIdle({ node }: CandidateNode): boolean {
  return [...node.held.values()].every((slots) => slots <= 0);
}

/** What is free serves as much as it can; then changes do. */
function compareBaselines(
  a: BaselinePlacement,
  b: BaselinePlacement,
  asked: readonly DemandClass[],
  ranks: number,
): number {
  const missing = ({ remaining }: BaselinePlacement) => {
    const value = new Array<number>(ranks).fill(0);
    for (const { index, rank, weight } of asked) value[rank] = (value[rank] ?? 0) + weight * (remaining[index] ?? 0);
    return value;
  };
  return compareValue(missing(b), missing(a)) || compareSums(sumOf(a.choices, ranks), sumOf(b.choices, ranks));
}

/** @param order in which what was asked is served */
function placementOf(
  sites: readonly CandidateNode[],
  order: readonly DemandClass[],
  flexible: (site: CandidateNode) => number,
): PlacementState {
  const asked = order.toSorted((a, b) => a.index - b.index);
  const remaining = asked.map(({ demand }) => demand.pods.length);
  serve(sites, order, remaining, flexible);
  return { sites, remaining, classes: classesOf(sites, asked) };
}

/**
 * As the next plan will find it, when the choices are on their way: so that there is nothing left to change then,
 * whoever moves in first.
 * @param before what is free serves pods already, and those stay
 */
export function placementAfter(
  before: PlacementState,
  choices: ReadonlyMap<string, SelectedChange>,
  asked: readonly DemandClass[],
): PlacementState {
  const sites = before.sites.map(({ node, type, rooms, name }) => {
    const to = choices.get(name)?.option.to;
    return new CandidateNode(to ? { ...node, coming: to } : node, type, rooms);
  });
  const remaining = asked.map(({ demand }) => demand.pods.length);
  serve(sites, asked, remaining, flexibility(asked));
  for (const [i, site] of sites.entries()) {
    for (const [resource, slots] of before.sites[i]?.held ?? []) {
      site.held.set(resource, Math.max(slots, site.held.get(resource) ?? 0));
    }
  }
  return { sites, remaining, classes: classesOf(sites, asked) };
}

/** For how many of what was asked a node could be changed. */
export function flexibility(asked: readonly DemandClass[]): (site: CandidateNode) => number {
  const known = new Map<string, number>();
  return (site) => {
    const { inventory, modes, cooldownMs } = site.node;
    if (!site.changeable || cooldownMs > 0) return 0;
    const { product, gpuMiB, gpus, oversubscribe } = inventory;
    const key = [product, gpuMiB, oversubscribe, gpus, ...modes].join();
    let count = known.get(key);
    if (count === undefined) {
      const could = asked.filter((each) => modesFor(each, site.type, site.gpus).some((mode) => modes.has(mode)));
      count = could.length;
      known.set(key, count);
    }
    return count;
  };
}
