/**
 * From the names of pods of the past to the workloads that they may have belonged to: Prometheus knows names alone, and
 * Kubernetes makes those by rule.
 */

import { type Workload, workloadKey } from '../../api/workload.ts';

/** What Kubernetes's generated names are made of. Source: `k8s.io/apimachinery/pkg/util/rand`. */
const SAFE = '[bcdfghjklmnpqrstvwxz2456789]';

const RULES: readonly { readonly kinds: readonly string[]; readonly pattern: RegExp }[] = [
  { kinds: ['Deployment'], pattern: new RegExp(`^(.+)-${SAFE}{1,10}-${SAFE}{5}$`) },
  { kinds: ['CronJob'], pattern: new RegExp(`^(.+)-\\d{8,}-${SAFE}{5}$`) },
  { kinds: ['ReplicaSet', 'Job', 'ReplicationController'], pattern: new RegExp(`^(.+)-${SAFE}{5}$`) },
  // A Job with completionMode Indexed.
  { kinds: ['Job'], pattern: new RegExp(`^(.+)-\\d+-${SAFE}{5}$`) },
  { kinds: ['StatefulSet'], pattern: /^(.+)-\d+$/ },
  { kinds: ['Pod'], pattern: /^(.+)$/ },
];

/** Keys (`workloadKey`) of every workload whose pods may bear this name. */
export function possibleWorkloads(namespace: string, pod: string): string[] {
  const keys = RULES.flatMap(({ kinds, pattern }) => {
    const name = pattern.exec(pod)?.[1];
    return name === undefined ? [] : kinds.map((kind): Workload => ({ namespace, kind, name }));
  });
  return [...new Set(keys.map(workloadKey))];
}
