/** The order in which pods of a list arrive at a fleet. */

import { randomIndex, seededRandom, shuffled } from '../random.ts';

export interface ArrivalOptions<Pod> {
  /** milli-GPU that the pod asks for. */
  readonly milliOf: (pod: Pod) => number;
  readonly capacityMilli: number;
  /** How much is asked for in all, as a share of capacity. */
  readonly ratio: number;
  readonly seed: number;
}

/**
 * All pods in a shuffled order, then pods drawn at random (with replacement) until the next would
 * ask for more than the ratio: the protocol of the published benchmark.
 */
export function arrivals<Pod>(
  pods: readonly Pod[],
  { milliOf, capacityMilli, ratio, seed }: ArrivalOptions<Pod>,
): Pod[] {
  const random = seededRandom(seed);
  const order = shuffled(pods, random);
  let asked = order.reduce((sum, pod) => sum + milliOf(pod), 0);
  // Without GPUs asked for, or offered, it would never end.
  if (asked === 0 || capacityMilli === 0) return order;
  for (;;) {
    const next = pods[randomIndex(random, pods.length)];
    if (next === undefined || asked + milliOf(next) > ratio * capacityMilli) return order;
    order.push(next);
    asked += milliOf(next);
  }
}
