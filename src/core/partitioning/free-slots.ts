/** Serves pods from slots that exist, or that are coming. */

import { type CandidateNode, inFixedOrder } from './candidate-node.ts';
import type { DemandClass } from './demand-class.ts';
import { serveByMoves } from './moves.ts';

/**
 * Places pods on the sites as they are offered, in the order of what was asked: first on nodes that pods use, so that
 * idle ones can still be changed; then on as few idle ones as will do; then on what is coming. What does not fit at
 * first is tried again by moving others.
 * @param remaining pods of each asked; lowered by those that are placed
 * @param flexible how much else the plan could make of a site: the least flexible are used first
 */
export function serve(
  sites: readonly CandidateNode[],
  asked: readonly DemandClass[],
  remaining: number[],
  flexible: (site: CandidateNode) => number,
): void {
  const offering = new Map<string, Offering[]>();
  for (const each of asked) {
    if ((remaining[each.index] ?? 0) === 0) continue;
    let offers = offering.get(each.resource);
    if (!offers) {
      offers = offeringOf(sites, each.resource, flexible);
      offering.set(each.resource, offers);
    }
    const used: Offering[] = [];
    const idle: Offering[] = [];
    const coming: Offering[] = [];
    for (const offer of offers) {
      if (offer.site.node.coming) coming.push(offer);
      else (offer.site.idle ? idle : used).push(offer);
    }
    let rest = remaining[each.index] ?? 0;
    for (const { site } of used) rest -= placeSome(site, each, rest);
    rest -= placeOnFew(idle, each, rest);
    for (const { site } of coming) rest -= placeSome(site, each, rest);
    remaining[each.index] = rest;
  }
  const bySite = [...offering].map(([resource, offers]) => [resource, offers.map(({ site }) => site)] as const);
  serveByMoves(new Map(bySite), asked, remaining);
}

interface Offering {
  readonly site: CandidateNode;
  readonly flexible: number;
}

/**
 * Sites with slots of the resource that are free, or that pods of the plan hold, which may move: smallest slots first, so
 * that large ones are left for who needs them.
 */
function offeringOf(
  sites: readonly CandidateNode[],
  resource: string,
  flexible: (site: CandidateNode) => number,
): Offering[] {
  return sites
    .flatMap((site) => {
      const pool = site.pool(resource);
      return pool && (site.freeSlots(resource) > 0 || site.pods.size > 0)
        ? [{ site, slot: pool.slotMilli, flexible: flexible(site) }]
        : [];
    })
    .sort(
      (a, b) => a.slot - b.slot || a.flexible - b.flexible || a.site.gpus - b.site.gpus || inFixedOrder(a.site, b.site),
    );
}

function placeSome(site: CandidateNode, asked: DemandClass, most: number): number {
  const pods = most > 0 ? Math.min(most, site.takes(asked)) : 0;
  if (pods > 0) site.place(asked, pods);
  return pods;
}

/** The largest nodes first, until one takes all that is left: of those the smallest. Less flexible ones go before. */
function placeOnFew(offers: readonly Offering[], asked: DemandClass, pods: number): number {
  if (pods === 0) return 0;
  const takers = offers
    .map(({ site, flexible }) => ({ site, flexible, takes: site.takes(asked) }))
    .filter(({ takes }) => takes > 0)
    .sort((a, b) => a.flexible - b.flexible || b.takes - a.takes);
  let rest = pods;
  for (const [i, { site, flexible, takes }] of takers.entries()) {
    let last = takes >= rest ? site : undefined;
    for (let j = i + 1; last && j < takers.length; j += 1) {
      const other = takers[j];
      if (other?.flexible !== flexible || other.takes < rest) break;
      last = other.site;
    }
    rest -= placeSome(last ?? site, asked, rest);
    if (rest === 0) break;
  }
  return pods - rest;
}
