/** Pods that hold GPUs, by node: what a change of partitions must not harm. */

import type { PodRecord } from './pod-record.ts';
import type { Store } from './store.ts';

/** In place of a resource's name: what the pod holds cannot be read. */
export const ANYTHING = '*';

/** A pod that holds GPUs of its node. One that is terminating still holds them. */
export interface GpuPod {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  /** Slots by resource. */
  readonly resources: Readonly<Record<string, number>>;
  /** Why it must not be evicted; undefined if it may. */
  readonly nonEvictableReason: string | undefined;
  /** It is on its way out. */
  readonly terminating: boolean;
}

export class GpuPods {
  readonly #byNode = new Map<string, Map<string, PodRecord>>();

  /** @param changed called with the name of the node whose pods have changed */
  constructor(pods: Store<PodRecord>, changed: (node: string) => void) {
    pods.follow(({ key, before, after }) => {
      const [from, to] = [nodeHeld(before), nodeHeld(after)];
      if (from !== undefined && from !== to) {
        this.#remove(from, key);
        changed(from);
      }
      if (after && to !== undefined) {
        this.#add(to, key, after);
        if (from !== to || !before || !isHeldAlike(before, after)) changed(to);
      }
    });
  }

  on(node: string): readonly GpuPod[] {
    return Array.from(this.#byNode.get(node)?.values() ?? [], gpuPodOf);
  }

  #add(node: string, uid: string, record: PodRecord): void {
    const there = this.#byNode.get(node);
    if (there) there.set(uid, record);
    else this.#byNode.set(node, new Map([[uid, record]]));
  }

  #remove(node: string, uid: string): void {
    const there = this.#byNode.get(node);
    there?.delete(uid);
    if (there?.size === 0) this.#byNode.delete(node);
  }
}

/** The node of which the pod holds GPUs. */
function nodeHeld(record: PodRecord | undefined): string | undefined {
  return record?.gpu && !record.finished ? record.node : undefined;
}

/** Whether a change of the pod changes nothing for readers of its node. */
function isHeldAlike(before: PodRecord, after: PodRecord): boolean {
  return (
    before.gpu?.request === after.gpu?.request &&
    before.gpu?.holdsUnknown === after.gpu?.holdsUnknown &&
    before.gpu?.nonEvictableReason === after.gpu?.nonEvictableReason &&
    before.terminating === after.terminating
  );
}

function gpuPodOf({ uid, namespace, name, terminating, gpu }: PodRecord): GpuPod {
  const counted = gpu?.request?.resources.map(({ resource, count }) => [resource, count]) ?? [];
  const resources = { ...Object.fromEntries(counted), ...(gpu?.holdsUnknown && { [ANYTHING]: 1 }) };
  return { uid, namespace, name, resources, nonEvictableReason: gpu?.nonEvictableReason, terminating };
}
