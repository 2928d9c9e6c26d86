/** The secondary kube-scheduler: pods that name it wait where none runs. */

import { SCHEDULER_NAME } from '../../../api/keys.ts';
import type { WorkloadResource } from '../../../api/workload-resource.ts';
import { defineCheck, type Finding } from '../check.ts';
import type { Lease } from '../observations.ts';

/** Renewals that may be late: by other clocks, by a busy API server. */
const PATIENCE = 4;

export const scheduler = defineCheck({
  name: 'scheduler',
  about: `no kube-scheduler runs as ${SCHEDULER_NAME}`,
  needs: [],
  uses: ['deployments', 'leases'],
  run: ({ deployments, leases }, { configuration, systemNamespace, now }) => {
    if (!deployments && !leases) return undefined;
    if (!configuration.binPacking.enabled) return [];
    const own = deployments?.find(({ name }) => name === SCHEDULER_NAME);
    const lease = leases?.find(({ name, holder }) => name === SCHEDULER_NAME && holder !== '');
    if (own && own.available > 0) return [];
    if (lease && !isStale(lease, now)) return [];
    // Who may not see Deployments does not know of one that holds no Lease.
    if (!deployments && !lease) return undefined;
    return [absent(own, lease, leases && systemNamespace)];
  },
});

/** By the API server's time; of a snapshot nothing is stale. */
function isStale({ renewedAt, durationMs }: Lease, now: number | undefined): boolean {
  return now !== undefined && !(now - renewedAt <= PATIENCE * durationMs);
}

/** @param namespace of the Lease that was looked for; undefined if none was */
function absent(own: WorkloadResource | undefined, lease: Lease | undefined, namespace: string | undefined): Finding {
  const sign = own
    ? `no pod of Deployment ${own.namespace}/${own.name} is available`
    : lease
      ? `its Lease ${lease.namespace}/${lease.name} is not renewed`
      : namespace === undefined
        ? 'there is no Deployment of that name, and Leases were not looked at'
        : `there is neither a Deployment of that name nor a Lease ${namespace}/${SCHEDULER_NAME}`;
  return {
    severity: 'error',
    message: `no kube-scheduler runs as ${SCHEDULER_NAME} (${sign}): pods that name it wait`,
    fix: own
      ? `kubectl describe pods -n ${own.namespace} -l app.kubernetes.io/component=scheduler`
      : 'install the chart with binPacking.enabled: true, or say with --system-namespace where it is installed',
    objects: [own ? `${own.namespace}/${own.name}` : SCHEDULER_NAME],
  };
}
