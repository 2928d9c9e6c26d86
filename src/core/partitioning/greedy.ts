/** One change after the other, always the one that is best by some measure. */

import type { CandidateChange, CandidateChanges } from './candidate-changes.ts';
import { type CandidateNode, inFixedOrder } from './candidate-node.ts';
import { compareValue, type SelectedChange, take } from './selected-change.ts';

/** By what value is divided: the dearer of two that are value the same comes later. */
export type Measure = (option: CandidateChange, site: CandidateNode) => number;

/** Each is best for some clusters, and it costs little to try them all. */
export const MEASURES: readonly Measure[] = [
  // As few GPUs changed as possible for what is served.
  ({ gpus }) => gpus,
  // As few GPUs bound to one use: for clusters where GPUs are short.
  (_, site) => site.gpus,
  // As much as possible at each step: few nodes.
  () => 1,
];

interface Candidate {
  readonly options: CandidateChanges;
  /** Of the nodes of the class, those used. */
  used: number;
  best: CandidateChange | undefined;
  /** The step in which it was found. */
  step: number;
}

/** @param remaining pods that want room, by index of what was asked; not changed */
export function greedy(
  classes: readonly CandidateChanges[],
  remaining: readonly number[],
  measure: Measure,
): SelectedChange[] {
  const rest = [...remaining];
  const choices: SelectedChange[] = [];
  const candidates: Candidate[] = classes.map((options) => ({ options, used: 0, best: undefined, step: -1 }));
  const refresh = (candidate: Candidate, step: number) => {
    candidate.step = step;
    candidate.best = undefined;
    const site = siteOf(candidate);
    if (!site) return;
    for (const option of candidate.options.for(rest, false)) {
      if (!candidate.best || compare(option, site, candidate.best, site, measure) > 0) candidate.best = option;
    }
  };
  for (const candidate of candidates) refresh(candidate, 0);
  for (let step = 0; ; step += 1) {
    // What was found before is an upper bound of what is there now: less is left. Only the best is looked at again.
    let first = bestOf(candidates, measure);
    while (first && first.step !== step) {
      refresh(first, step);
      first = bestOf(candidates, measure);
    }
    const site = first && siteOf(first);
    if (!first?.best || !site) return choices;
    choices.push({ site, options: first.options, option: first.best });
    take(rest, first.best);
    first.used += 1;
  }
}

function siteOf({ options, used }: Candidate): CandidateNode | undefined {
  return options.nodeClass.sites[used];
}

function bestOf(candidates: readonly Candidate[], measure: Measure): Candidate | undefined {
  let first: Candidate | undefined;
  for (const candidate of candidates) {
    const site = siteOf(candidate);
    if (!candidate.best || !site) continue;
    const other = first && siteOf(first);
    if (!first?.best || !other || compare(candidate.best, site, first.best, other, measure) > 0) first = candidate;
  }
  return first;
}

/** Above 0 if the first is better. */
function compare(
  a: CandidateChange,
  siteA: CandidateNode,
  b: CandidateChange,
  siteB: CandidateNode,
  measure: Measure,
): number {
  const costA = measure(a, siteA);
  const costB = measure(b, siteB);
  for (let rank = 0; rank < a.value.length; rank += 1) {
    const difference = (a.value[rank] ?? 0) * costB - (b.value[rank] ?? 0) * costA;
    if (difference !== 0) return difference;
  }
  return (
    compareValue(a.value, b.value) ||
    b.gpus - a.gpus ||
    Number(b.switchesMig) - Number(a.switchesMig) ||
    siteB.gpus - siteA.gpus ||
    siteB.node.modes.size - siteA.node.modes.size ||
    inFixedOrder(siteB, siteA)
  );
}
