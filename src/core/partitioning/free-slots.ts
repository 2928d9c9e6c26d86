/** Serves pods from slots that exist, or that are coming; where that helps, pods of the plan move over for others. */

import { type CandidateNode, inFixedOrder } from './candidate-node.ts';
import type { DemandClass } from './demand-class.ts';

/**
 * Places pods on the nodes as they are offered, in the order of their classes: first on nodes that pods use, so that idle
 * ones can still be changed; then on as few idle ones as will do; then on what is coming. What does not fit at first is
 * tried again by moving others.
 * @param remaining pods that want room, by index of the demand class; lowered by those that are placed
 * @param flexible how much else the plan could make of a node: the least flexible are used first
 */
export function serve(
  candidates: readonly CandidateNode[],
  demandClasses: readonly DemandClass[],
  remaining: number[],
  flexible: (candidate: CandidateNode) => number,
): void {
  const offering = new Map<string, Offering[]>();
  for (const each of demandClasses) {
    if ((remaining[each.index] ?? 0) === 0) continue;
    let offers = offering.get(each.resource);
    if (!offers) {
      offers = offeringOf(candidates, each.resource, flexible);
      offering.set(each.resource, offers);
    }
    const used: Offering[] = [];
    const idle: Offering[] = [];
    const coming: Offering[] = [];
    for (const offer of offers) {
      if (offer.candidate.node.coming) coming.push(offer);
      else (offer.candidate.idle ? idle : used).push(offer);
    }
    let rest = remaining[each.index] ?? 0;
    for (const { candidate } of used) rest -= placeSome(candidate, each, rest);
    rest -= placeOnFew(idle, each, rest);
    for (const { candidate } of coming) rest -= placeSome(candidate, each, rest);
    remaining[each.index] = rest;
  }
  const byResource = [...offering].map(
    ([resource, offers]) => [resource, offers.map(({ candidate }) => candidate)] as const,
  );
  serveByMoves(new Map(byResource), demandClasses, remaining);
}

interface Offering {
  readonly candidate: CandidateNode;
  readonly flexible: number;
}

/**
 * Nodes with slots of the resource that are free, or that pods of the plan hold, which may move: smallest slots first, so
 * that large ones are left for pods that need them.
 */
function offeringOf(
  candidates: readonly CandidateNode[],
  resource: string,
  flexible: (candidate: CandidateNode) => number,
): Offering[] {
  return candidates
    .flatMap((candidate) => {
      const pool = candidate.pool(resource);
      return pool && (candidate.freeSlots(resource) > 0 || candidate.pods.size > 0)
        ? [{ candidate, slot: pool.slotMilli, flexible: flexible(candidate) }]
        : [];
    })
    .sort(
      (a, b) =>
        a.slot - b.slot ||
        a.flexible - b.flexible ||
        a.candidate.gpus - b.candidate.gpus ||
        inFixedOrder(a.candidate, b.candidate),
    );
}

/** Places up to `max` pods on the node. @returns how many */
function placeSome(candidate: CandidateNode, demandClass: DemandClass, max: number): number {
  const pods = max > 0 ? Math.min(max, candidate.takes(demandClass)) : 0;
  if (pods > 0) candidate.place(demandClass, pods);
  return pods;
}

/**
 * Places pods on few nodes: the largest first, until one takes all that is left; of those that do, the smallest. Less
 * flexible nodes go before.
 * @returns how many pods it has placed
 */
function placeOnFew(offers: readonly Offering[], demandClass: DemandClass, pods: number): number {
  if (pods === 0) return 0;
  const takers = offers
    .map(({ candidate, flexible }) => ({ candidate, flexible, takes: candidate.takes(demandClass) }))
    .filter(({ takes }) => takes > 0)
    .sort((a, b) => a.flexible - b.flexible || b.takes - a.takes);
  let rest = pods;
  for (const [i, { candidate, flexible, takes }] of takers.entries()) {
    let last = takes >= rest ? candidate : undefined;
    for (let j = i + 1; last && j < takers.length; j += 1) {
      const other = takers[j];
      if (other?.flexible !== flexible || other.takes < rest) break;
      last = other.candidate;
    }
    rest -= placeSome(last ?? candidate, demandClass, rest);
    if (rest === 0) break;
  }
  return pods - rest;
}

/** Places pods that found no slot at first, by moving others; lowers what is remaining by them. */
function serveByMoves(
  offering: ReadonlyMap<string, readonly CandidateNode[]>,
  demandClasses: readonly DemandClass[],
  remaining: number[],
): void {
  const unplaceable = new Set<number>();
  const byIndex = demandClasses.toSorted((a, b) => a.index - b.index);
  for (const each of demandClasses) {
    const candidates = offering.get(each.resource) ?? [];
    for (;;) {
      const open = remaining[each.index] ?? 0;
      if (open === 0 || !candidates.some((candidate) => candidate.freeSlots(each.resource) > 0)) break;
      const placed = makeRoom(each, open, candidates, byIndex, unplaceable);
      if (placed === 0) break;
      remaining[each.index] = open - placed;
    }
  }
}

/** A pod on its way to a node, where another has left its place for it. */
interface Move {
  readonly to: CandidateNode;
  readonly pod: DemandClass;
  /** How the place was freed that this pod leaves; undefined: it had none. */
  readonly before: Move | undefined;
}

/**
 * Places more pods by a chain of moves: they take the places of pods of another demand, which take the places of a
 * third, until some find free slots. With that, as much is served as can be (Kuhn's augmenting paths), where pods
 * take the same number of slots.
 * @param max pods to place at once
 * @param all demand classes by index
 * @param unplaceable demands that are known to find no free slot, by index; added to
 * @returns how many it has placed
 */
function makeRoom(
  demandClass: DemandClass,
  max: number,
  candidates: readonly CandidateNode[],
  all: readonly DemandClass[],
  unplaceable: Set<number>,
): number {
  if (unplaceable.has(demandClass.index)) return 0;
  const seen = new Set<number>([demandClass.index]);
  let frontier: { readonly pod: DemandClass; readonly before: Move | undefined }[] = [
    { pod: demandClass, before: undefined },
  ];
  while (frontier.length > 0) {
    const next: typeof frontier = [];
    for (const { pod, before } of frontier) {
      const free = candidates.find((candidate) => !goesTo(before, candidate) && candidate.takes(pod) > 0);
      if (free) return makeMoves(pod, free, before, max);
      for (const candidate of candidates) {
        if (goesTo(before, candidate) || !candidate.suits(pod)) continue;
        // A copy: trying a swap takes pods out and puts them back.
        for (const index of [...candidate.pods.keys()]) {
          const other = all[index];
          if (!other || seen.has(index) || unplaceable.has(index)) continue;
          if (other.resource !== pod.resource || other.count !== pod.count || swaps(candidate, other, pod, 1) < 1)
            continue;
          seen.add(index);
          next.push({ pod: other, before: { to: candidate, pod, before } });
        }
      }
    }
    frontier = next;
  }
  for (const index of seen) unplaceable.add(index);
  return 0;
}

function goesTo(move: Move | undefined, candidate: CandidateNode): boolean {
  return move !== undefined && (move.to === candidate || goesTo(move.before, candidate));
}

/** How many of the coming pods, up to `pods`, the node takes once as many of the leaving ones have left. */
function swaps(candidate: CandidateNode, leaving: DemandClass, coming: DemandClass, pods: number): number {
  const { roomLeft } = candidate;
  candidate.place(leaving, -pods);
  const takes = Math.min(pods, candidate.takes(coming));
  candidate.place(leaving, pods);
  // Exactly as before, whatever was rounded.
  candidate.roomLeft = roomLeft;
  return takes;
}

/** Carries a chain out from its end, where there are free slots, for as many pods as go all the way. */
function makeMoves(last: DemandClass, free: CandidateNode, chain: Move | undefined, max: number): number {
  let pods = Math.min(max, free.takes(last));
  let leaving = last;
  for (let move = chain; move; move = move.before) {
    pods = Math.min(pods, move.to.pods.get(leaving.index) ?? 0);
    pods = swaps(move.to, leaving, move.pod, pods) === pods ? pods : 1;
    leaving = move.pod;
  }
  free.place(last, pods);
  leaving = last;
  for (let move = chain; move; move = move.before) {
    move.to.place(leaving, -pods);
    move.to.place(move.pod, pods);
    leaving = move.pod;
  }
  return pods;
}
