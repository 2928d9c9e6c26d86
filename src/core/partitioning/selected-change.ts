/** Changes that are selected together, and what makes one set of them better than another. */

import type { CandidateChange, CandidateChanges } from './candidate-changes.ts';
import type { CandidateNode } from './candidate-node.ts';

/** A change of one node that is part of the plan. */
export interface SelectedChange {
  readonly candidate: CandidateNode;
  /** Changes of the node's class, of which `change` is one. */
  readonly candidateChanges: CandidateChanges;
  readonly change: CandidateChange;
}

/** Figures of a set of changes. */
export interface Sum {
  /** Demand that finds room, in milli-GPU, by rank of priority. */
  readonly value: readonly number[];
  readonly gpus: number;
  readonly nodes: number;
}

/** Order of sets of changes; above 0 if a is better: more demand served, highest priority first; then fewer GPUs changed; then fewer nodes. */
export function compareSums(a: Sum, b: Sum): number {
  return compareValue(a.value, b.value) || b.gpus - a.gpus || b.nodes - a.nodes;
}

/** Order of values by rank; above 0 if a is larger at the first rank that differs. */
export function compareValue(a: readonly number[], b: readonly number[]): number {
  for (let rank = 0; rank < a.length; rank += 1) {
    const difference = (a[rank] ?? 0) - (b[rank] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

export function sumOf(selectedChanges: readonly SelectedChange[], ranks: number): Sum {
  const value = new Array<number>(ranks).fill(0);
  let gpus = 0;
  for (const { change } of selectedChanges) {
    for (let rank = 0; rank < ranks; rank += 1) value[rank] = (value[rank] ?? 0) + (change.value[rank] ?? 0);
    gpus += change.gpus;
  }
  return { value, gpus, nodes: selectedChanges.length };
}

/** Pods that still want room when the selected changes have served theirs. */
export function remainingAfter(remaining: readonly number[], selectedChanges: readonly SelectedChange[]): number[] {
  const rest = [...remaining];
  for (const { change } of selectedChanges) subtract(rest, change);
  return rest;
}

/** Lowers what is remaining by the pods that the change serves. */
export function subtract(remaining: number[], { pods }: CandidateChange): void {
  for (const [index, count] of pods) remaining[index] = (remaining[index] ?? 0) - count;
}
