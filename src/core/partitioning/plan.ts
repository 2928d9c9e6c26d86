/**
 * Answers pods that cannot be scheduled with the least disruptive change of partitions: most demand served, fewest GPUs
 * changed, nothing that a pod holds touched. Pure: the same facts give the same plan.
 */

import {
  type BaselinePlacement,
  baselinePlacement,
  flexibility,
  type PlacementState,
  placementAfter,
} from './baseline-placement.ts';
import type { CandidateChange } from './candidate-changes.ts';
import { byNodeAge, CandidateNode, inFixedOrder } from './candidate-node.ts';
import { type DemandClass, inOrder } from './demand-class.ts';
import { describeChange } from './describe.ts';
import { serve } from './free-slots.ts';
import { GpuTypes } from './gpu-type.ts';
import type { Plan, PlanningInput } from './plan-input.ts';
import { refusals } from './refusals.ts';
import { search } from './search.ts';
import { compareValue, type SelectedChange } from './selected-change.ts';

/** What cannot be done is among the refusals: nothing is thrown. */
export function plan({ nodes, demands }: PlanningInput): Plan {
  const types = new GpuTypes();
  // The order in which nodes are told decides nothing.
  const typed = nodes
    .toSorted((a, b) => byNodeAge(a.inventory, b.inventory))
    .map((node) => ({ node, type: types.of(node.inventory), rooms: [] }));
  const asked = inOrder(demands, types.all());
  const ranks = asked.reduce((most, { rank }) => Math.max(most, rank + 1), 0);
  const start = baselinePlacement(
    () => typed.map(({ node, type, rooms }) => new CandidateNode(node, type, rooms)),
    asked,
    ranks,
  );
  const free = asked.map(({ demand, index }) => demand.pods.length - (start.remaining[index] ?? 0));

  const choices = new Map<string, SelectedChange>();
  let stage: PlacementState = start;
  let found = start.choices;
  for (const recommended of [false, true]) {
    if (recommended) found = search(stage.classes, asked, stage.remaining, ranks, true);
    while (found.length > 0) {
      for (const choice of found) choices.set(choice.site.name, choice);
      stage = placementAfter(start, choices, asked);
      found = search(stage.classes, asked, stage.remaining, ranks, recommended);
    }
  }
  return handOut(start, asked, ranks, free, [...choices.values()]);
}

/**
 * Tells each pod what serves it: the first ones what is free, the next ones a change, the last ones nothing.
 * @param free pods served by what is free, by index of what was asked
 */
function handOut(
  start: BaselinePlacement,
  asked: readonly DemandClass[],
  ranks: number,
  free: readonly number[],
  choices: readonly SelectedChange[],
): Plan {
  const changed = placed(start, asked, ranks, choices);
  const next = [...free];
  const handed = (each: DemandClass, count: number) => {
    const from = next[each.index] ?? 0;
    next[each.index] = from + count;
    return each.demand.pods.slice(from, from + count);
  };
  const worthOf = (site: CandidateNode) => {
    const worth: number[] = [];
    for (const { index, rank, weight } of asked)
      worth[rank] = (worth[rank] ?? 0) + weight * (site.pods.get(index) ?? 0);
    return worth;
  };
  const changes = changed
    .map(({ site, option }) => ({ site, option, worth: worthOf(site).map((worth) => worth / option.gpus) }))
    .sort(
      (a, b) =>
        Number(a.option.recommendOnly !== undefined) - Number(b.option.recommendOnly !== undefined) ||
        compareValue(b.worth, a.worth) ||
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

interface PlacedChange {
  /** As the change leaves it, with the pods of the plan that it makes room for. */
  readonly site: CandidateNode;
  readonly option: CandidateChange;
  readonly choice: SelectedChange;
}

/**
 * Changes with the pods that each of them serves: none that serves nobody, unless the next plan would ask for it. That
 * one places all pods anew, those that ask for little on nodes that change for others.
 */
function placed(
  start: BaselinePlacement,
  asked: readonly DemandClass[],
  ranks: number,
  choices: readonly SelectedChange[],
): PlacedChange[] {
  const serving = (changed: readonly PlacedChange[]) => changed.filter(({ site }) => site.pods.size > 0);
  const found = placedOn(start, asked, choices, start.choices);
  if (serving(found).length === choices.length || isFinal(start, asked, ranks, serving(found))) return serving(found);
  const anew = placedOn(start, asked, choices, []);
  if (serving(anew).length === choices.length || isFinal(start, asked, ranks, serving(anew))) return serving(anew);
  spread(found, asked);
  return serving(found);
}

/** Whether the next plan, when the changes are on their way, finds nothing more to change, even without recommended ones. */
function isFinal(
  start: BaselinePlacement,
  asked: readonly DemandClass[],
  ranks: number,
  changed: readonly PlacedChange[],
): boolean {
  const own = changed.filter(({ option }) => option.recommendOnly === undefined);
  return (own.length === changed.length ? [own] : [own, changed]).every((coming) => {
    const choices = new Map(coming.map(({ choice }) => [choice.site.name, choice]));
    const stage = placementAfter(start, choices, asked);
    return search(stage.classes, asked, stage.remaining, ranks, false).length === 0;
  });
}

/** Gives each change that serves nobody a pod of one that serves several. */
function spread(changed: readonly PlacedChange[], asked: readonly DemandClass[]): void {
  const pods = ({ site }: PlacedChange) => [...site.pods.values()].reduce((sum, count) => sum + count, 0);
  for (const { site } of changed.filter((each) => pods(each) === 0)) {
    for (const each of asked) {
      const giver = changed.find((other) => pods(other) > 1 && other.site.pods.has(each.index));
      if (!giver || site.takes(each) === 0) continue;
      giver.site.place(each, -1);
      site.place(each, 1);
      break;
    }
  }
}

/**
 * Places the pods that nothing free serves on the nodes that change.
 * @param kept changes that get just the pods that they were chosen for
 */
function placedOn(
  start: BaselinePlacement,
  asked: readonly DemandClass[],
  choices: readonly SelectedChange[],
  kept: readonly SelectedChange[],
): PlacedChange[] {
  const remaining = [...start.remaining];
  const byName = new Map(start.sites.map((site) => [site.name, site]));
  const changed = choices.flatMap((choice) => {
    const { option } = choice;
    const site = byName.get(choice.site.name)?.changedTo(option.to);
    if (!site) return [];
    for (const [index, pods] of kept.includes(choice) ? option.pods : []) {
      const each = asked[index];
      if (!each) continue;
      site.place(each, pods);
      remaining[index] = (remaining[index] ?? 0) - pods;
    }
    return [{ site, option, choice }];
  });
  serve(
    changed.map(({ site }) => site),
    asked,
    remaining,
    flexibility(asked),
  );
  return changed;
}
