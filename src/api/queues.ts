/** Kueue's queues, as far as they say what they count of a pod, and how a pod shows that Kueue counts it. */

import { z } from 'zod';
import { parseQuantity } from '../core/units.ts';
import { type AdmissionPod, controllerOf } from './admission-pod.ts';
import { QUOTA } from './keys.ts';

const PREFIX = 'kueue.x-k8s.io/';
const QUEUE_NAME = `${PREFIX}queue-name`;
/** The pod is one of several that are admitted together, or was counted with the object that made it. */
const NOT_ALONE: readonly string[] = ['pod-group-name', 'podset', 'workload'].map((name) => PREFIX + name);
/** Owners that Kueue does not count as a whole: their pods are queued one by one. Source: Kueue, `pkg/controller/jobs`. */
const OWNERS: ReadonlySet<string> = new Set(['ReplicaSet', 'ReplicationController']);

/** How a pod shows that Kueue has a say in it. */
export interface QueueSigns {
  /** A label, annotation or scheduling gate of Kueue's. */
  readonly sign: string;
  /** The LocalQueue that counts the pod by what the pod itself asks for; undefined: Kueue counts another object, or has no name yet. */
  readonly localQueue: string | undefined;
}

/** Undefined: Kueue has no say in the pod that can be seen. */
export function queueSignsOf({ metadata, spec }: AdmissionPod): QueueSigns | undefined {
  const { labels, annotations } = metadata;
  const keys = [...Object.keys(labels ?? {}), ...Object.keys(annotations ?? {})];
  const gates = (spec.schedulingGates ?? []).map(({ name }) => name);
  // The gate is the surest sign: with a default queue there is no label.
  const sign = [...keys, ...gates].find((each) => each.startsWith(PREFIX));
  if (sign === undefined) return undefined;
  const owner = controllerOf(metadata);
  const isAlone =
    (!owner || OWNERS.has(owner.kind)) &&
    !NOT_ALONE.some((key) => labels?.[key] !== undefined || annotations?.[key] !== undefined);
  return { sign, localQueue: isAlone ? labels?.[QUEUE_NAME] : undefined };
}

export interface LocalQueue {
  readonly namespace: string;
  readonly name: string;
  readonly clusterQueue: string;
}

export interface ClusterQueue {
  readonly name: string;
  /** Resources that it counts. */
  readonly covers: readonly string[];
  /** Those of which a pod can get any: there is quota, or a cohort that may lend some; what counts as milli-GPU included. */
  readonly grants: readonly string[];
}

const metadata = z.object({
  name: z.string(),
  namespace: z.string().default('default'),
  annotations: z.record(z.string(), z.string()).nullish(),
});

export const localQueueSchema = z
  .object({ metadata, spec: z.object({ clusterQueue: z.string() }) })
  .transform(({ metadata: { name, namespace }, spec }): LocalQueue => ({ name, namespace, ...spec }));

const amount = z.union([z.string(), z.number()]).nullish();
const quota = z.object({ name: z.string(), nominalQuota: amount, borrowingLimit: amount });
type Amount = z.infer<typeof amount>;
const group = z.object({
  coveredResources: z.array(z.string()).nullish(),
  flavors: z.array(z.object({ resources: z.array(quota).nullish() })).nullish(),
});

export const clusterQueueSchema = z
  .object({
    metadata,
    spec: z
      .object({
        resourceGroups: z.array(group).nullish(),
        // The name in v1beta1, and since.
        cohort: z.string().nullish(),
        cohortName: z.string().nullish(),
      })
      .nullish(),
  })
  .transform(({ metadata: { name, annotations }, spec }): ClusterQueue => {
    const groups = spec?.resourceGroups ?? [];
    const covers = groups.flatMap(({ coveredResources }) => coveredResources ?? []);
    const quotas = groups.flatMap(({ flavors }) => flavors ?? []).flatMap(({ resources }) => resources ?? []);
    const isInCohort = Boolean(spec?.cohortName || spec?.cohort);
    const granted = quotas.filter(
      ({ nominalQuota, borrowingLimit }) => isSome(nominalQuota) || (isInCohort && isSome(borrowingLimit ?? 1)),
    );
    const grants = covers.filter((resource) => granted.some(({ name }) => name === resource));
    const counted = grants.includes(QUOTA.milliGpu) ? (annotations?.[QUOTA.countedResources] ?? '') : '';
    return { name, covers, grants: [...grants, ...counted.split(/[\s,]+/).filter(Boolean)] };
  });

/** Whether a quantity is more than nothing. */
function isSome(amount: Amount): boolean {
  const quantity = parseQuantity(String(amount ?? 0));
  return quantity.ok && quantity.value > 0n;
}
