/** What the controller keeps of each GPU pod: which policy governs it, and the pod itself where no decision was ever made. */

import { z } from 'zod';
import { type AdmissionPod, admissionPodSchema } from '../api/admission-pod.ts';
import { WRITTEN } from '../api/keys.ts';
import { hasFinished } from '../api/kubernetes.ts';
import type { Feed } from './cluster-state.ts';
import { requestOf } from './projection.ts';
import { recordFeed } from './record-feed.ts';

export interface IndexedPod {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  /** The GPUSharingPolicy that governed its admission. */
  readonly policy: string | undefined;
  /** Where the webhook has left no mark. */
  readonly unmutated: AdmissionPod | undefined;
}

/** Who wrote which field: `nodeName` is in there only if the pod was made with it; a Binding leaves no trace. */
const managedSchema = z.object({
  metadata: z.object({
    managedFields: z.array(z.object({ fieldsV1: z.record(z.string(), z.unknown()).nullish() })).nullish(),
  }),
});

const uidSchema = z.object({ metadata: z.object({ uid: z.string().min(1) }) });

export class GpuPodIndex {
  readonly feed: Feed;
  readonly #notes = new Map<string, IndexedPod>();
  readonly #byPolicy = new Map<string, number>();

  /** @param changed told after each change of what is kept */
  constructor(changed: () => void) {
    this.feed = recordFeed<IndexedPod>({
      read: (object) => {
        const identity = uidSchema.safeParse(object);
        if (!identity.success) return undefined;
        return { key: identity.data.metadata.uid, record: noteOf(object, identity.data.metadata.uid) };
      },
      set: (uid, note) => {
        this.#count(this.#notes.get(uid)?.policy, -1);
        this.#count(note.policy, 1);
        this.#notes.set(uid, note);
        changed();
      },
      delete: (uid) => {
        this.#count(this.#notes.get(uid)?.policy, -1);
        this.#notes.delete(uid);
        changed();
      },
    });
  }

  /** Pods that are not over and that the policy governs. */
  governedBy(policy: string): number {
    return this.#byPolicy.get(policy) ?? 0;
  }

  *unmutated(): Iterable<IndexedPod & { readonly unmutated: AdmissionPod }> {
    for (const note of this.#notes.values()) if (note.unmutated) yield { ...note, unmutated: note.unmutated };
  }

  #count(policy: string | undefined, by: 1 | -1): void {
    if (policy === undefined) return;
    const count = this.governedBy(policy) + by;
    if (count > 0) this.#byPolicy.set(policy, count);
    else this.#byPolicy.delete(policy);
  }
}

/** Undefined for a pod that holds no GPU, or none any more. */
function noteOf(object: unknown, uid: string): IndexedPod | undefined {
  const parsed = admissionPodSchema.safeParse(object);
  if (!parsed.success || !asksForGpu(parsed.data)) return undefined;
  const { metadata } = parsed.data;
  if (hasFinished(parsed.data) || metadata.deletionTimestamp) return undefined;
  const { annotations } = metadata;
  return {
    uid,
    namespace: metadata.namespace ?? '',
    name: metadata.name ?? '',
    policy: annotations?.[WRITTEN.policy],
    unmutated: annotations?.[WRITTEN.optimized] === undefined ? asCreated(parsed.data, object) : undefined,
  };
}

function asksForGpu(pod: AdmissionPod): boolean {
  try {
    return requestOf(pod).length > 0;
  } catch {
    return false;
  }
}

/** As the webhook would have seen it: nobody had placed it yet, unless its author had. */
function asCreated({ metadata, spec }: AdmissionPod, object: unknown): AdmissionPod {
  const managed = managedSchema.safeParse(object).data?.metadata.managedFields ?? [];
  const { nodeName: _, ...rest } = spec;
  const isPinned = managed.some(({ fieldsV1 }) => Object.hasOwn((fieldsV1?.['f:spec'] ?? {}) as object, 'f:nodeName'));
  if (isPinned) return { metadata, spec };
  return { metadata, spec: rest };
}
