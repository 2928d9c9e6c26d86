/** A set of changes that is being put together, and what makes one set better than another. */

import type { Option, Options } from './options.ts';
import type { Site } from './site.ts';

export interface Choice {
  readonly site: Site;
  /** Of its class. */
  readonly options: Options;
  readonly option: Option;
}

export interface Sum {
  /** milli-GPU that find room, by rank of priority. */
  readonly worth: readonly number[];
  readonly gpus: number;
  readonly nodes: number;
}

/** Above 0 if a is better: more demand served, highest priority first; then fewer GPUs changed; then fewer nodes. */
export function compareSums(a: Sum, b: Sum): number {
  return compareWorth(a.worth, b.worth) || b.gpus - a.gpus || b.nodes - a.nodes;
}

export function compareWorth(a: readonly number[], b: readonly number[]): number {
  for (let rank = 0; rank < a.length; rank += 1) {
    const difference = (a[rank] ?? 0) - (b[rank] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

export function sumOf(choices: readonly Choice[], ranks: number): Sum {
  const worth = new Array<number>(ranks).fill(0);
  let gpus = 0;
  for (const { option } of choices) {
    for (let rank = 0; rank < ranks; rank += 1) worth[rank] = (worth[rank] ?? 0) + (option.worth[rank] ?? 0);
    gpus += option.gpus;
  }
  return { worth, gpus, nodes: choices.length };
}

/** What is left when the choices have served theirs. */
export function leftAfter(left: readonly number[], choices: readonly Choice[]): number[] {
  const rest = [...left];
  for (const { option } of choices) take(rest, option);
  return rest;
}

export function take(left: number[], { pods }: Option): void {
  for (const [index, count] of pods) left[index] = (left[index] ?? 0) - count;
}
