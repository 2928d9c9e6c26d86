/** The workload that a pod belongs to: what a person made, not what Kubernetes made of it. */

import { type AdmissionPod, controllerOf } from './admission-pod.ts';

export interface Workload {
  readonly namespace: string;
  /** `Deployment`, `StatefulSet`, `Job`, …; `Pod` for a pod without an owner. */
  readonly kind: string;
  readonly name: string;
}

/** The part of a pod's metadata that identifies its workload. */
type Named = Pick<AdmissionPod['metadata'], 'name' | 'ownerReferences'> & {
  readonly generateName?: string | undefined;
  readonly labels?: Readonly<Record<string, string>> | null | undefined;
};

/** Labels with the hash at the end of a ReplicaSet's name, and what has made the ReplicaSet: Kubernetes', and Argo Rollouts'. */
const HASHES = [
  ['pod-template-hash', 'Deployment'],
  ['rollouts-pod-template-hash', 'Rollout'],
] as const;
/** Each revision of a Knative Configuration has a Deployment of its own. */
const KNATIVE = 'serving.knative.dev/configuration';

/**
 * By the owner reference, and by how Kubernetes names what it makes: a ReplicaSet of a Deployment bears its name and
 * the hash that its pods are labelled with, a Job of a CronJob its name and a time in minutes. No call is needed for that.
 */
export function workloadOf(metadata: Named, namespace: string): Workload {
  const owner = controllerOf(metadata);
  if (!owner) return { namespace, kind: 'Pod', name: metadata.name ?? (metadata.generateName ?? '').replace(/-$/, '') };
  const labels = metadata.labels ?? {};
  const configuration = labels[KNATIVE];
  if (configuration !== undefined) return { namespace, kind: 'Configuration', name: configuration };
  for (const [label, kind] of HASHES) {
    const hash = labels[label];
    if (owner.kind !== 'ReplicaSet' || hash === undefined || !owner.name.endsWith(`-${hash}`)) continue;
    return { namespace, kind, name: owner.name.slice(0, -hash.length - 1) };
  }
  const scheduled = owner.kind === 'Job' ? /^(.+)-\d{8,}$/.exec(owner.name)?.[1] : undefined;
  if (scheduled !== undefined) return { namespace, kind: 'CronJob', name: scheduled };
  return { namespace, kind: owner.kind, name: owner.name };
}

/** `team/Deployment/web` */
export function workloadKey({ namespace, kind, name }: Workload): string {
  return `${namespace}/${kind}/${name}`;
}
