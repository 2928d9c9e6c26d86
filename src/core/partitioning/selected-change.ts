/** A set of changes that is being put together, and what makes one set better than another. */

import type { CandidateChange, CandidateChanges } from './candidate-changes.ts';
import type { CandidateNode } from './candidate-node.ts';

export interface SelectedChange {
  readonly site: CandidateNode;
  /** Of its class. */
  readonly options: CandidateChanges;
  readonly option: CandidateChange;
}

export interface Sum {
  /** milli-GPU that find room, by rank of priority. */
  readonly value: readonly number[];
  readonly gpus: number;
  readonly nodes: number;
}

/** Above 0 if a is better: more demand served, highest priority first; then fewer GPUs changed; then fewer nodes. */
export function compareSums(a: Sum, b: Sum): number {
  return compareValue(a.value, b.value) || b.gpus - a.gpus || b.nodes - a.nodes;
}

export function compareValue(a: readonly number[], b: readonly number[]): number {
  for (let rank = 0; rank < a.length; rank += 1) {
    const difference = (a[rank] ?? 0) - (b[rank] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

export function sumOf(choices: readonly SelectedChange[], ranks: number): Sum {
  const value = new Array<number>(ranks).fill(0);
  let gpus = 0;
  for (const { option } of choices) {
    for (let rank = 0; rank < ranks; rank += 1) value[rank] = (value[rank] ?? 0) + (option.value[rank] ?? 0);
    gpus += option.gpus;
  }
  return { value, gpus, nodes: choices.length };
}

/** What is remaining when the choices have served theirs. */
export function remainingAfter(remaining: readonly number[], choices: readonly SelectedChange[]): number[] {
  const rest = [...remaining];
  for (const { option } of choices) take(rest, option);
  return rest;
}

export function take(remaining: number[], { pods }: CandidateChange): void {
  for (const [index, count] of pods) remaining[index] = (remaining[index] ?? 0) - count;
}
