/** GPU pods that kube-scheduler could not place for want of GPUs: what the planner answers. */

import { z } from 'zod';
import { admissionPodSchema, nodeConstraintsOf } from '../api/admission-pod.ts';
import { WRITTEN } from '../api/keys.ts';
import { hasFinished, type Toleration } from '../api/kubernetes.ts';
import { type Workload, workloadOf } from '../api/workload.ts';
import type { NodeConstraints } from '../core/admission/slot-index.ts';
import type { GpuRequest } from '../core/request.ts';
import type { Feed } from './cluster-state.ts';
import { type Resources, resourcesOf } from './node-resource-usage.ts';
import { projectPod } from './projection.ts';
import { recordFeed } from './record-feed.ts';

export interface PendingPod {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly priority: number;
  /** ms since the epoch. */
  readonly createdAt: number;
  readonly request: GpuRequest;
  readonly placement: NodeConstraints;
  readonly tolerations: readonly Toleration[];
  readonly size: Resources;
  /** The GPUSharingPolicy that governs it. */
  readonly policy: string | undefined;
  readonly workload: Workload;
}

const pendingSchema = admissionPodSchema.extend({
  metadata: admissionPodSchema.shape.metadata.extend({ uid: z.string().min(1) }),
  spec: admissionPodSchema.shape.spec.extend({ schedulingGates: z.array(z.unknown()).nullish() }),
  status: z
    .object({
      phase: z.string().nullish(),
      conditions: z
        .array(
          z.object({
            type: z.string(),
            status: z.string(),
            reason: z.string().nullish(),
            message: z.string().nullish(),
          }),
        )
        .nullish(),
    })
    .nullish(),
});

export class PendingPods {
  readonly feed: Feed;
  readonly #pods = new Map<string, PendingPod>();

  /** @param changed told after each change */
  constructor(changed: () => void) {
    this.feed = recordFeed<PendingPod>({
      read: (object) => {
        const parsed = pendingSchema.safeParse(object);
        return parsed.success ? { key: parsed.data.metadata.uid, record: pending(parsed.data) } : undefined;
      },
      set: (uid, pod) => {
        this.#pods.set(uid, pod);
        changed();
      },
      delete: (uid) => {
        this.#pods.delete(uid);
        changed();
      },
    });
  }

  get size(): number {
    return this.#pods.size;
  }

  /** In the order in which they should be served: by priority, then age. */
  inOrder(): PendingPod[] {
    return [...this.#pods.values()].sort(
      (a, b) =>
        b.priority - a.priority ||
        a.createdAt - b.createdAt ||
        compare(a.namespace, b.namespace) ||
        compare(a.name, b.name),
    );
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Undefined for a pod that is placed, over, on its way out, kept back by others, or waits for something else. */
function pending(pod: z.infer<typeof pendingSchema>): PendingPod | undefined {
  const { metadata, spec, status } = pod;
  if (spec.nodeName || metadata.deletionTimestamp || (spec.schedulingGates?.length ?? 0) > 0) return undefined;
  if (hasFinished(pod)) return undefined;
  const verdict = status?.conditions?.find(({ type, status: is }) => type === 'PodScheduled' && is === 'False');
  if (verdict?.reason !== 'Unschedulable' || !isForWantOfGpus(verdict.message ?? '')) return undefined;
  let request: GpuRequest;
  try {
    ({ request } = projectPod(pod));
  } catch {
    return undefined;
  }
  if (request.resources.length === 0) return undefined;
  return {
    uid: metadata.uid,
    namespace: metadata.namespace ?? '',
    name: metadata.name ?? '',
    priority: spec.priority ?? 0,
    createdAt: Date.parse(metadata.creationTimestamp ?? '') || 0,
    request,
    placement: nodeConstraintsOf(pod),
    tolerations: spec.tolerations ?? [],
    size: resourcesOf(pod),
    policy: metadata.annotations?.[WRITTEN.policy],
    workload: workloadOf(pod, metadata.namespace ?? ''),
  };
}

/**
 * Whether more slots, or other ones, would help on at least one node: kube-scheduler counts too few of a resource, or our
 * extender has refused nodes for what their GPUs are (sentences of `core/fit.ts`).
 */
function isForWantOfGpus(message: string): boolean {
  return /Insufficient nvidia\.com\/|nvidia\.com\/(gpu|mig-)|the pod was admitted for |MIG instance|GPU/.test(message);
}
