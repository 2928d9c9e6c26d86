/**
 * Answers pods that cannot be scheduled with the least disruptive change of partitions: most demand served, fewest GPUs
 * changed, nothing that a pod holds touched. Pure: the same facts give the same plan.
 */

import type { Partition } from '../partition.ts';
import { type Asked, inOrder, modesFor } from './asked.ts';
import { type Choice, compareWorth } from './choice.ts';
import { choose } from './choose.ts';
import { describeChange } from './describe.ts';
import type { Plan, PlanningInput } from './facts.ts';
import { inFixedOrder, serve } from './free-slots.ts';
import { GpuTypes } from './gpu-type.ts';
import { classesOf, type NodeClass } from './node-class.ts';
import { refusals } from './refusals.ts';
import { Site } from './site.ts';

/** The nodes as they were, or as they will be, with the pods that they have room for. */
interface Stage {
  readonly sites: readonly Site[];
  /** Pods that want room, by index of what was asked. */
  readonly left: number[];
  readonly classes: readonly NodeClass[];
}

/** What cannot be done is among the refusals: nothing is thrown. */
export function plan({ nodes, demands }: PlanningInput): Plan {
  const types = new GpuTypes();
  const sites = nodes.map((node) => new Site(node, types.of(node.inventory), node.coming));
  const asked = inOrder(demands, types.all());
  const ranks = asked.reduce((most, { rank }) => Math.max(most, rank + 1), 0);
  const flexible = flexibility(asked);
  const start = stageOf(sites, asked, flexible);
  const free = asked.map(({ demand, index }) => demand.pods.length - (start.left[index] ?? 0));

  const choices = new Map<string, Choice>();
  /** Those that were made for the nodes as they are now. */
  let first: readonly Choice[] | undefined;
  let stage = start;
  for (const recommended of [false, true]) {
    for (;;) {
      const found = choose(stage.classes, asked, stage.left, ranks, recommended);
      if (found.length === 0) break;
      first ??= found;
      for (const choice of found) choices.set(choice.site.name, choice);
      // As the next plan will find it: so there will be nothing left to change, whoever moves in first.
      stage = stageOf(
        sites.map((site) => onItsWay(site, choices.get(site.name)?.option.to)),
        asked,
        flexible,
      );
    }
  }
  return handOut(start, asked, free, first ?? [], [...choices.values()], flexible);
}

function stageOf(sites: readonly Site[], asked: readonly Asked[], flexible: (site: Site) => number): Stage {
  const left = asked.map(({ demand }) => demand.pods.length);
  serve(sites, asked, left, flexible);
  return { sites, left, classes: classesOf(sites, asked) };
}

function onItsWay({ node, type, rooms }: Site, to: Partition | undefined): Site {
  return new Site(to ? { ...node, coming: to } : node, type, to ?? node.coming, rooms);
}

/** For how many of what was asked a node could be changed. */
function flexibility(asked: readonly Asked[]): (site: Site) => number {
  const known = new Map<string, number>();
  return (site) => {
    const { inventory, modes, restMs } = site.node;
    if (!site.changeable || restMs > 0) return 0;
    const key = [inventory.product, inventory.gpuMiB, inventory.gpus, ...modes].join();
    let count = known.get(key);
    if (count === undefined) {
      const could = asked.filter((each) => modesFor(each, site.type, site.gpus).some((mode) => modes.has(mode)));
      count = could.length;
      known.set(key, count);
    }
    return count;
  };
}

/**
 * Tells each pod what serves it: the first ones what is free, the next ones a change, the last ones nothing.
 * @param free pods served by what is free, by index of what was asked
 * @param first choices made for the nodes as they are: they have room for their pods
 */
function handOut(
  start: Stage,
  asked: readonly Asked[],
  free: readonly number[],
  first: readonly Choice[],
  choices: readonly Choice[],
  flexible: (site: Site) => number,
): Plan {
  const { left } = start;
  const byName = new Map(start.sites.map((site) => [site.name, site]));
  const changed = choices.flatMap((choice) => {
    const site = byName.get(choice.site.name);
    if (!site) return [];
    site.become(choice.option.to);
    for (const [index, pods] of first.includes(choice) ? choice.option.pods : []) {
      const each = asked[index];
      if (!each) continue;
      site.place(each, pods);
      left[index] = (left[index] ?? 0) - pods;
    }
    return [{ site, option: choice.option }];
  });
  serve(
    changed.map(({ site }) => site),
    asked,
    left,
    flexible,
  );

  const next = [...free];
  const handed = (each: Asked, count: number) => {
    const from = next[each.index] ?? 0;
    next[each.index] = from + count;
    return each.demand.pods.slice(from, from + count);
  };
  const worthOf = (site: Site) => {
    const worth: number[] = [];
    for (const { index, rank, weight } of asked)
      worth[rank] = (worth[rank] ?? 0) + weight * (site.pods.get(index) ?? 0);
    return worth;
  };
  const changes = changed
    .filter(({ site }) => site.pods.size > 0)
    .map(({ site, option }) => ({ site, option, worth: worthOf(site).map((worth) => worth / option.gpus) }))
    .sort(
      (a, b) =>
        Number(a.option.recommendOnly !== undefined) - Number(b.option.recommendOnly !== undefined) ||
        compareWorth(b.worth, a.worth) ||
        inFixedOrder(a.site, b.site),
    )
    .map(({ site, option }) => {
      const served = asked.flatMap((each) => {
        const pods = handed(each, site.pods.get(each.index) ?? 0);
        return pods.length > 0 ? [{ resource: each.resource, pods }] : [];
      });
      return describeChange(site, option, served);
    });
  const servedByFree = asked.flatMap(({ demand, index }) => demand.pods.slice(0, free[index]));
  const refused = refusals(asked, (each) => each.demand.pods.slice(next[each.index]), start.sites, start.classes);
  return { changes, servedByFree, refused };
}
