/**
 * Answers pods that cannot be scheduled with the least disruptive change of partitions: most demand served, fewest GPUs
 * changed, nothing that a pod holds touched. Pure: the same facts give the same plan.
 *
 * Free slots serve first (baseline-placement.ts); changes for the others are searched (search.ts, candidate-changes.ts)
 * until nothing is left to change; the pods that still find no room get the reason (refusals.ts).
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
import { serve } from './free-slots.ts';
import { GpuTypes } from './gpu-type.ts';
import { changedGpus, describePartition } from './partition.ts';
import type { Change, Plan, PlanningInput } from './plan-input.ts';
import { refusals } from './refusals.ts';
import { search } from './search.ts';
import { compareValue, type SelectedChange } from './selected-change.ts';

/** The plan for the pods of all demands; what cannot be done is among its refusals, nothing is thrown. */
export function plan({ nodes, demands }: PlanningInput): Plan {
  const types = new GpuTypes();
  // The order in which nodes are listed decides nothing.
  const typed = nodes
    .toSorted((a, b) => byNodeAge(a.inventory, b.inventory))
    .map((node) => ({ node, type: types.of(node.inventory), rooms: [] }));
  const demandClasses = inOrder(demands, types.all());
  const ranks = demandClasses.reduce((max, { rank }) => Math.max(max, rank + 1), 0);
  const baseline = baselinePlacement(
    () => typed.map(({ node, type, rooms }) => new CandidateNode(node, type, rooms)),
    demandClasses,
    ranks,
  );

  const selectedChanges = new Map<string, SelectedChange>();
  let placement: PlacementState = baseline;
  let found = baseline.selectedChanges;
  for (const recommended of [false, true]) {
    if (recommended) found = search(placement.classes, demandClasses, placement.remaining, ranks, true);
    while (found.length > 0) {
      for (const selectedChange of found) selectedChanges.set(selectedChange.candidate.name, selectedChange);
      placement = placementAfter(baseline, selectedChanges, demandClasses);
      found = search(placement.classes, demandClasses, placement.remaining, ranks, recommended);
    }
  }
  const changed = assign(baseline, demandClasses, ranks, [...selectedChanges.values()]);
  return result(baseline, demandClasses, changed);
}

/** A node as its change leaves it, with the pods of the plan that it makes room for. */
interface ChangedNode {
  readonly candidate: CandidateNode;
  readonly selectedChange: SelectedChange;
}

/**
 * Changes with the pods that each of them serves: none that serves no pod, unless the next plan would ask for it. That
 * one places all pods again, those that ask for little on nodes that change for others.
 */
function assign(
  baseline: BaselinePlacement,
  demandClasses: readonly DemandClass[],
  ranks: number,
  selectedChanges: readonly SelectedChange[],
): ChangedNode[] {
  const serving = (changed: readonly ChangedNode[]) => changed.filter(({ candidate }) => candidate.pods.size > 0);
  const isSettled = (changed: readonly ChangedNode[]) =>
    changed.length === selectedChanges.length || isFinal(baseline, demandClasses, ranks, changed);
  const asSearched = assignTo(selectedChanges, baseline, demandClasses, baseline.selectedChanges);
  if (isSettled(serving(asSearched))) return serving(asSearched);
  const afresh = serving(assignTo(selectedChanges, baseline, demandClasses, []));
  if (isSettled(afresh)) return afresh;
  spread(asSearched, demandClasses);
  return serving(asSearched);
}

/**
 * Assigns the pods that nothing free serves to the nodes that change.
 * @param kept changes that get just the pods that they were selected for
 */
function assignTo(
  selectedChanges: readonly SelectedChange[],
  baseline: BaselinePlacement,
  demandClasses: readonly DemandClass[],
  kept: readonly SelectedChange[],
): ChangedNode[] {
  const remaining = [...baseline.remaining];
  const byName = new Map(baseline.candidates.map((candidate) => [candidate.name, candidate]));
  const changed = selectedChanges.flatMap((selectedChange) => {
    const { change } = selectedChange;
    const candidate = byName.get(selectedChange.candidate.name)?.changedTo(change.to);
    if (!candidate) return [];
    for (const [index, pods] of kept.includes(selectedChange) ? change.pods : []) {
      const demandClass = demandClasses[index];
      if (!demandClass) continue;
      candidate.place(demandClass, pods);
      remaining[index] = (remaining[index] ?? 0) - pods;
    }
    return [{ candidate, selectedChange }];
  });
  const candidates = changed.map(({ candidate }) => candidate);
  serve(candidates, demandClasses, remaining, flexibility(demandClasses));
  return changed;
}

/** Whether the next plan, when the changes are on their way, finds nothing more to change, even without recommended ones. */
function isFinal(
  baseline: BaselinePlacement,
  demandClasses: readonly DemandClass[],
  ranks: number,
  changed: readonly ChangedNode[],
): boolean {
  const own = changed.filter(({ selectedChange }) => selectedChange.change.recommendOnly === undefined);
  return (own.length === changed.length ? [own] : [own, changed]).every((coming) => {
    const selected = new Map(coming.map(({ selectedChange }) => [selectedChange.candidate.name, selectedChange]));
    const placement = placementAfter(baseline, selected, demandClasses);
    return search(placement.classes, demandClasses, placement.remaining, ranks, false).length === 0;
  });
}

/** Gives each change that serves no pod one of a change that serves several. */
function spread(changed: readonly ChangedNode[], demandClasses: readonly DemandClass[]): void {
  const pods = ({ candidate }: ChangedNode) => [...candidate.pods.values()].reduce((sum, count) => sum + count, 0);
  for (const { candidate } of changed.filter((each) => pods(each) === 0)) {
    for (const demandClass of demandClasses) {
      const giver = changed.find((other) => pods(other) > 1 && other.candidate.pods.has(demandClass.index));
      if (!giver || candidate.takes(demandClass) === 0) continue;
      giver.candidate.place(demandClass, -1);
      candidate.place(demandClass, 1);
      break;
    }
  }
}

/** The answer to each pod: of a demand, free slots serve the first ones, changes the next ones, nothing the last ones. */
function result(
  baseline: BaselinePlacement,
  demandClasses: readonly DemandClass[],
  changed: readonly ChangedNode[],
): Plan {
  const free = demandClasses.map(({ demand, index }) => demand.pods.length - (baseline.remaining[index] ?? 0));
  const next = [...free];
  const takeNext = ({ index, demand }: DemandClass, count: number) => {
    const from = next[index] ?? 0;
    next[index] = from + count;
    return demand.pods.slice(from, from + count);
  };
  const valuePerGpu = ({ candidate, selectedChange }: ChangedNode) => {
    const value: number[] = [];
    for (const { index, rank, weight } of demandClasses)
      value[rank] = (value[rank] ?? 0) + weight * (candidate.pods.get(index) ?? 0);
    return value.map((milli) => milli / selectedChange.change.gpus);
  };
  const changes = changed
    .map((each) => ({ candidate: each.candidate, change: each.selectedChange.change, value: valuePerGpu(each) }))
    .sort(
      (a, b) =>
        Number(a.change.recommendOnly !== undefined) - Number(b.change.recommendOnly !== undefined) ||
        compareValue(b.value, a.value) ||
        inFixedOrder(a.candidate, b.candidate),
    )
    .map(({ candidate, change }) => {
      const served = demandClasses.flatMap((demandClass) => {
        const pods = takeNext(demandClass, candidate.pods.get(demandClass.index) ?? 0);
        return pods.length > 0 ? [{ resource: demandClass.resource, pods }] : [];
      });
      return describeChange(candidate, change, served);
    });
  const servedByFree = demandClasses.flatMap(({ demand, index }) => demand.pods.slice(0, free[index]));
  const unserved = ({ demand, index }: DemandClass) => demand.pods.slice(next[index]);
  const refused = refusals(demandClasses, unserved, baseline.candidates, baseline.classes);
  return { changes, servedByFree, refused };
}

/**
 * The change, with a sentence for people.
 * @param served pods by the resource that they hold
 */
function describeChange(
  candidate: CandidateNode,
  { to, recommendOnly }: CandidateChange,
  served: readonly { readonly resource: string; readonly pods: readonly string[] }[],
): Change {
  const from = candidate.node.partition ?? to;
  const gpusChanged = changedGpus(from, to);
  const byResource = new Map<string, number>();
  for (const { resource, pods } of served) byResource.set(resource, (byResource.get(resource) ?? 0) + pods.length);
  const serves = served.flatMap(({ pods }) => pods);
  const rooms = [...byResource].map(([resource, pods]) => `${pods} that ask for ${resource}`);
  const why =
    `makes room for ${serves.length === 1 ? '1 pod' : `${serves.length} pods`} (${rooms.join(', ')}) by changing ` +
    `${gpusChanged.length} of ${candidate.gpus} ${candidate.gpus === 1 ? 'GPU' : 'GPUs'} that no pod uses: from ` +
    `${describePartition(from)} to ${describePartition(to)}`;
  return { node: candidate.name, from, to, serves, gpusChanged, recommendOnly, why };
}
