/** Whether a kube-scheduler of our name runs. */

import tap from 'tap';
import { scheduler } from '#src/cli/doctor/checks/scheduler.ts';
import { leaseSchema } from '#src/cli/doctor/observations.ts';
import { contextOf, deployment, essence, findingsOf, workloadsOf } from '../make.ts';

const NOW = Date.UTC(2026, 0, 2);
const NAME = 'gpu-autoscaler-scheduler';
const lease = (renewedMsAgo: number, holderIdentity = 'x') =>
  leaseSchema.parse({
    metadata: { name: NAME, namespace: 'gpu-autoscaler-system' },
    spec: { holderIdentity, leaseDurationSeconds: 15, renewTime: new Date(NOW - renewedMsAgo).toISOString() },
  });
const live = contextOf({}, NOW);
const running = workloadsOf(deployment(NAME));
const down = workloadsOf(deployment(NAME, { available: 0 }));

tap.test('a Deployment that is available, or a Lease that is renewed: it runs', async (t) => {
  t.same(findingsOf(scheduler, { deployments: running, leases: [] }, live), []);
  t.same(findingsOf(scheduler, { deployments: [], leases: [lease(2_000)] }, live), []);
  t.same(findingsOf(scheduler, { leases: [lease(2_000)] }, live), []);
  t.same(findingsOf(scheduler, { deployments: [], leases: [lease(9e9)] }), [], 'of a snapshot nothing is stale');
});

tap.test('none: the sign is named', async (t) => {
  const says = (seen: Parameters<typeof scheduler.run>[0]) => findingsOf(scheduler, seen, live)[0]?.message;
  t.match(
    says({ deployments: [], leases: [] }),
    /neither a Deployment of that name nor a Lease gpu-autoscaler-system\//,
  );
  t.match(says({ deployments: [] }), /no Deployment of that name, and Leases were not looked at/);
  t.match(says({ deployments: down, leases: [] }), /no pod of Deployment kube-system\/gpu-autoscaler-scheduler/);
  t.match(says({ deployments: [], leases: [lease(600_000)] }), /its Lease .* is not renewed/);
  t.match(says({ deployments: [], leases: [lease(0, '')] }), /neither/, 'a Lease that was given back');
  t.strictSame(essence(findingsOf(scheduler, { deployments: [], leases: [] }, live)), [`error: ${NAME}`]);
});

tap.test('what was seen does not tell', async (t) => {
  t.equal(scheduler.run({}, live), undefined);
  t.equal(scheduler.run({ leases: [] }, live), undefined, 'it may run without a Lease');
});

tap.test('without a scheduler of ours none is missed', async (t) => {
  const context = contextOf({ binPacking: { enabled: false } }, NOW);
  t.same(findingsOf(scheduler, { deployments: [], leases: [] }, context), []);
});
