/** Moves pods of the plan about among free slots, so that more of them find one. */

import type { CandidateNode } from './candidate-node.ts';
import type { DemandClass } from './demand-class.ts';

/** Pods that found no slot at first are placed by moving others; what is remaining is lowered by those. */
export function serveByMoves(
  offering: ReadonlyMap<string, readonly CandidateNode[]>,
  asked: readonly DemandClass[],
  remaining: number[],
): void {
  const dead = new Set<number>();
  const byIndex = asked.toSorted((a, b) => a.index - b.index);
  for (const each of asked) {
    const sites = offering.get(each.resource) ?? [];
    for (;;) {
      const open = remaining[each.index] ?? 0;
      if (open === 0 || !sites.some((site) => site.freeSlots(each.resource) > 0)) break;
      const placed = makeRoom(each, open, sites, byIndex, dead);
      if (placed === 0) break;
      remaining[each.index] = open - placed;
    }
  }
}

/** A pod on its way to a site, where another has remaining its place for it. */
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
 * @param most pods to place at once
 * @param all what was asked, by index
 * @param dead demands that are known to find no free slot, by index; added to
 * @returns how many it has placed
 */
function makeRoom(
  asked: DemandClass,
  most: number,
  sites: readonly CandidateNode[],
  all: readonly DemandClass[],
  dead: Set<number>,
): number {
  if (dead.has(asked.index)) return 0;
  const seen = new Set<number>([asked.index]);
  let wanting: { readonly pod: DemandClass; readonly before: Move | undefined }[] = [{ pod: asked, before: undefined }];
  while (wanting.length > 0) {
    const next: typeof wanting = [];
    for (const { pod, before } of wanting) {
      const free = sites.find((site) => !goesTo(before, site) && site.takes(pod) > 0);
      if (free) return makeMoves(pod, free, before, most);
      for (const site of sites) {
        if (goesTo(before, site) || !site.suits(pod)) continue;
        // A copy: trying a swap takes pods out and puts them back.
        for (const index of [...site.pods.keys()]) {
          const other = all[index];
          if (!other || seen.has(index) || dead.has(index)) continue;
          if (other.resource !== pod.resource || other.count !== pod.count || swaps(site, other, pod, 1) < 1) continue;
          seen.add(index);
          next.push({ pod: other, before: { to: site, pod, before } });
        }
      }
    }
    wanting = next;
  }
  for (const index of seen) dead.add(index);
  return 0;
}

function goesTo(move: Move | undefined, site: CandidateNode): boolean {
  return move !== undefined && (move.to === site || goesTo(move.before, site));
}

/** How many of the one, up to so many, the site takes once as many of the other have remaining. */
function swaps(site: CandidateNode, leaving: DemandClass, coming: DemandClass, pods: number): number {
  const { roomLeft } = site;
  site.place(leaving, -pods);
  const takes = Math.min(pods, site.takes(coming));
  site.place(leaving, pods);
  // Exactly as before, whatever was rounded.
  site.roomLeft = roomLeft;
  return takes;
}

/** Carries a chain out from its end, where there are free slots, for as many pods as go all the way. */
function makeMoves(last: DemandClass, free: CandidateNode, chain: Move | undefined, most: number): number {
  let pods = Math.min(most, free.takes(last));
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
