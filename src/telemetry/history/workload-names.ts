/**
 * From the names of pods of the past to the workloads that they may have belonged to: Prometheus knows names alone, and
 * Kubernetes makes those by rule.
 */

import { type Workload, workloadKey } from '../../api/workload.ts';

/** A name of Kubernetes's making: `generateName`, and five of these. Source: `k8s.io/apimachinery/pkg/util/rand`. */
const GENERATED = /^(.+)[bcdfghjklmnpqrstvwxz2456789]{5}$/;
/** `generateName` is cut to this length. Source: `k8s.io/apiserver/pkg/storage/names`. */
const MAX_BASE = 58;

/**
 * A ReplicaSet of a Deployment: its name, and a 32-bit hash in decimal whose digits are spelt so. One in 40,000 has
 * fewer than six of them; to look for those would take every `train-4` for a Deployment's.
 */
const HASHED = /^(.+)-[456789bcdf]{6,10}$/;
/** The Deployment of a revision of a Knative Configuration. */
const REVISION = /^(.+)-\d{5}-deployment$/;
/** A Job of a CronJob: its name, and minutes since 1970; one of many of an Indexed Job: that, and a number. */
const TIMED = /^(.+)-\d{8,}(?:-\d+)?$/;
/** The same, cut. */
const TIMED_AND_CUT = /^(.+)-\d{1,8}$/;
const NUMBERED = /^(.+)-\d+$/;

/** Under which what is known of a workload is kept: of long names pods bear the beginning alone. */
export function historyKey({ namespace, kind, name }: Workload): string {
  return workloadKey({ namespace, kind, name: name.slice(0, MAX_BASE) });
}

/** Keys (`historyKey`) of every workload whose pods may bear this name. */
export function possibleWorkloads(namespace: string, pod: string): Set<string> {
  const keys = new Set<string>();
  const add = (kind: string, name: string | undefined) => {
    if (name) keys.add(historyKey({ namespace, kind, name }));
  };
  add('Pod', pod);
  add('StatefulSet', NUMBERED.exec(pod)?.[1]);
  const base = GENERATED.exec(pod)?.[1];
  if (base === undefined) return keys;
  // By hand anything may be generated from; controllers put a dash at the end.
  const stem = base.replace(/-$/, '');
  add('Pod', stem);
  const isCut = base.length === MAX_BASE;
  if (stem === base && !isCut) return keys;
  for (const kind of ['ReplicaSet', 'Job', 'ReplicationController']) add(kind, stem);
  add('Job', NUMBERED.exec(stem)?.[1]);
  const hashed = HASHED.exec(stem)?.[1];
  add('Deployment', hashed);
  add('Rollout', hashed);
  add('Configuration', REVISION.exec(hashed ?? '')?.[1]);
  add('CronJob', TIMED.exec(stem)?.[1]);
  if (isCut) {
    for (const kind of ['Deployment', 'Rollout']) {
      add(kind, /^(.+)-[456789bcdf]{1,10}$/.exec(stem)?.[1]);
      add(kind, stem);
    }
    add('CronJob', TIMED_AND_CUT.exec(stem)?.[1]);
  }
  return keys;
}
