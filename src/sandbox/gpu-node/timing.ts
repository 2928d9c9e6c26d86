/** How long things take on a GPU node, and a clock that may run faster than the world's. */

import { setTimeout as sleep } from 'node:timers/promises';

/** ms, from the shortest to the longest. */
export type Range = readonly [least: number, most: number];

/** Sources: NVIDIA's components as summarised in docs/reference/gpu-node-emulator.md. */
export interface Timing {
  /** Until kubelet has brought a changed ConfigMap into a pod's volume. */
  readonly volumeSync: Range;
  /** Until a sidecar that watches its node's labels acts. */
  readonly notice: Range;
  /** While the plugin registers again, and its resources are at 0. */
  readonly reload: Range;
  /** Until GPU Feature Discovery labels what the plugin has registered. */
  readonly featureLag: Range;
  /** Until the pods that hold the driver have gone, before MIG may change. */
  readonly pause: Range;
  /** Until the MIG mode is applied. */
  readonly mode: Range;
  /** Until GPUs are cut. */
  readonly geometry: Range;
  /** First pause of a container that crashed; doubles up to `longestBackoff`. */
  readonly backoff: number;
  readonly longestBackoff: number;
  /** Until the containers of a pod that is deleted have ended. */
  readonly termination: Range;
  /** For which kubelet remembers the capacity of a resource that has vanished. */
  readonly capacityKept: number;
}

export const NVIDIA: Timing = {
  volumeSync: [1_000, 90_000],
  notice: [200, 2_000],
  reload: [1_000, 3_000],
  featureLag: [1_000, 60_000],
  pause: [5_000, 30_000],
  mode: [10_000, 40_000],
  geometry: [5_000, 50_000],
  backoff: 10_000,
  longestBackoff: 300_000,
  termination: [500, 10_000],
  capacityKept: 300_000,
};

export interface Clock {
  /** ms, in the node's own time. */
  now(): number;
  /** Rejects when the signal aborts. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** @param speed 60: a minute there is a second here */
export function scaledClock(speed: number): Clock {
  return {
    now: () => performance.now() * speed,
    sleep: (ms, signal) => sleep(ms / speed, undefined, { signal }),
  };
}

export function within([least, most]: Range, random: () => number): number {
  return least + (most - least) * random();
}
