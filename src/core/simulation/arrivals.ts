/** The order in which pods of a list arrive at a fleet. */

import { randomIndex, seededRandom, shuffled } from '../random.ts';
import type { PackingDemand } from '../scoring/packing-node.ts';

export interface ArrivalOptions {
  readonly capacityMilli: number;
  /** How much is asked for in all, as a share of capacity. */
  readonly ratio: number;
  readonly seed: number;
}

/**
 * All pods in a shuffled order, then pods drawn at random (with replacement) until the next would
 * ask for more than the ratio: the protocol of the published benchmark.
 */
export function arrivals(
  pods: readonly PackingDemand[],
  { capacityMilli, ratio, seed }: ArrivalOptions,
): PackingDemand[] {
  const random = seededRandom(seed);
  const order = shuffled(pods, random);
  let asked = order.reduce((sum, { gpus, milli }) => sum + gpus * milli, 0);
  // Without GPUs asked for, or offered, it would never end.
  if (asked === 0 || capacityMilli === 0) return order;
  for (;;) {
    const next = pods[randomIndex(random, pods.length)];
    if (!next || asked + next.gpus * next.milli > ratio * capacityMilli) return order;
    order.push(next);
    asked += next.gpus * next.milli;
  }
}
