/** Who holds GPUs where: what a change of partitions must not harm. */

import { z } from 'zod';
import { hasFinished, podSchema } from '../api/kubernetes.ts';
import type { Feed } from './cluster-state.ts';
import { requestOf } from './projection.ts';
import { recordFeed } from './record-feed.ts';

/** In place of a resource's name: nobody can tell what the pod holds. */
export const ANYTHING = '*';

/** A pod that holds GPUs of the node. */
export interface GpuPod {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly resources: Readonly<Record<string, number>>;
  /** Why it must not be evicted; undefined if it may. */
  readonly nonEvictableReason: string | undefined;
  /** It is on its way out. */
  readonly terminating: boolean;
}

const MIRROR = 'kubernetes.io/config.mirror';

const storedPod = podSchema.extend({
  metadata: podSchema.shape.metadata.extend({
    uid: z.string().min(1),
    ownerReferences: z
      .array(z.object({ kind: z.string(), name: z.string(), controller: z.boolean().nullish() }))
      .nullish(),
  }),
});
type StoredPod = z.infer<typeof storedPod>;

interface Placed extends GpuPod {
  readonly node: string;
}

export class GpuPods {
  readonly feed: Feed;
  readonly #placed = new Map<string, Placed>();
  readonly #byNode = new Map<string, Map<string, GpuPod>>();

  /** @param changed told of the node whose holders have changed */
  constructor(changed: (node: string) => void) {
    const remove = (uid: string) => {
      const before = this.#placed.get(uid);
      if (!before) return;
      this.#placed.delete(uid);
      const there = this.#byNode.get(before.node);
      there?.delete(uid);
      if (there?.size === 0) this.#byNode.delete(before.node);
      changed(before.node);
    };
    this.feed = recordFeed<Placed>({
      read: (object) => {
        const parsed = storedPod.safeParse(object);
        return parsed.success ? { key: parsed.data.metadata.uid, record: placed(parsed.data) } : undefined;
      },
      set: (uid, pod) => {
        if (this.#placed.get(uid)?.node !== pod.node) remove(uid);
        this.#placed.set(uid, pod);
        const there = this.#byNode.get(pod.node) ?? new Map<string, GpuPod>();
        this.#byNode.set(pod.node, there.set(uid, pod));
        changed(pod.node);
      },
      delete: remove,
    });
  }

  on(node: string): readonly GpuPod[] {
    return [...(this.#byNode.get(node)?.values() ?? [])];
  }
}

/** Undefined for a pod that is nowhere, over, or holds no GPU. One that is terminating still holds its own. */
function placed(pod: StoredPod): Placed | undefined {
  const { metadata, spec } = pod;
  if (!spec.nodeName || hasFinished(pod)) return undefined;
  const resources = resourcesOf(pod);
  if (Object.keys(resources).length === 0) return undefined;
  return {
    node: spec.nodeName,
    uid: metadata.uid,
    namespace: metadata.namespace ?? '',
    name: metadata.name ?? '',
    resources,
    nonEvictableReason: whyItStays(metadata),
    terminating: Boolean(metadata.deletionTimestamp),
  };
}

function resourcesOf(pod: StoredPod): Record<string, number> {
  try {
    return Object.fromEntries(requestOf(pod).map(({ resource, count }) => [resource, count]));
  } catch {
    // A quantity that nobody can read: it was bound all the same, so it may hold anything.
    return { [ANYTHING]: 1 };
  }
}

/** As `kubectl drain` refuses them without --force. */
function whyItStays({ annotations, ownerReferences }: StoredPod['metadata']): string | undefined {
  if (annotations?.[MIRROR] !== undefined) return 'is a static pod of its kubelet';
  const owner = ownerReferences?.find(({ controller }) => controller);
  if (!owner) return 'has no controller that would make it anew elsewhere: delete it yourself';
  if (owner.kind === 'DaemonSet') return `belongs to DaemonSet ${owner.name}, which would make it anew on the node`;
  return undefined;
}
