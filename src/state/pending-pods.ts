/** GPU pods that kube-scheduler could not place for want of GPUs: what the planner answers. */

import type { GpuRequest } from '../core/request.ts';
import type { PendingDetails, PodRecord } from './pod-record.ts';
import type { Resources } from './resources.ts';
import { sameData } from './same-data.ts';
import type { Store } from './store.ts';

export interface PendingPod extends PendingDetails {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly request: GpuRequest;
  /** cpu and memory that it asks for. */
  readonly size: Resources;
  /** The GPUSharingPolicy that governs it. */
  readonly policy: string | undefined;
}

export class PendingPods {
  readonly #pods = new Map<string, PendingPod>();

  /** @param changed called after each change of a pod that waits, and when one begins or ends to wait */
  constructor(pods: Store<PodRecord>, changed: () => void) {
    pods.follow(({ key, after }) => {
      const pending = after && pendingPodOf(after);
      if (sameData(pending, this.#pods.get(key))) return;
      if (pending) this.#pods.set(key, pending);
      else this.#pods.delete(key);
      changed();
    });
  }

  get size(): number {
    return this.#pods.size;
  }

  /** In the order in which they should be served: by priority, then one of each namespace in turn, the oldest first. */
  inOrder(): PendingPod[] {
    const byAge = [...this.#pods.values()].sort(
      (a, b) =>
        b.priority - a.priority ||
        a.createdAt - b.createdAt ||
        compare(a.namespace, b.namespace) ||
        compare(a.name, b.name),
    );
    const turns = new Map<string, number>();
    const withTurns = byAge.map((pod) => {
      const key = `${pod.priority} ${pod.namespace}`;
      const turn = turns.get(key) ?? 0;
      turns.set(key, turn + 1);
      return { pod, turn };
    });
    // Within a turn it stays by age.
    withTurns.sort((a, b) => b.pod.priority - a.pod.priority || a.turn - b.turn);
    return withTurns.map(({ pod }) => pod);
  }
}

function pendingPodOf({ uid, namespace, name, resources: size, gpu }: PodRecord): PendingPod | undefined {
  if (!gpu?.pending || !gpu.request) return undefined;
  return { uid, namespace, name, size, request: gpu.request, policy: gpu.policy, ...gpu.pending };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
