/** Two kube-schedulers take turns as leader, beside one extender: nothing is lost, and nothing given twice (HAMi #2911). */

import tap from 'tap';
import { z } from 'zod';
import { clusterFor } from '../cluster/for-test.ts';
import { createPod, nodeOf, refusalOf } from '../cluster/pods.ts';
import { shippedConfig } from '../cluster/scheduler-config.ts';
import { startInProcessExtender } from '../cluster/stack.ts';
import { waitFor } from '../cluster/wait.ts';
import { mpsNode } from '../objects/nodes.ts';
import { gpuPod } from '../objects/pods.ts';

const { resourceName, resourceNamespace } = shippedConfig().leaderElection;
const LEASE = `/apis/coordination.k8s.io/v1/namespaces/${resourceNamespace}/leases/${resourceName}`;
const leaseSchema = z.object({ spec: z.object({ holderIdentity: z.string().default('') }) });

tap.test('A leads, then B, then A again', async (t) => {
  const cluster = await clusterFor(t, { nodes: [mpsNode({ name: 'mps', gpus: 1, replicas: 3 })] });
  if (!cluster) return;
  const { client } = cluster;
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: resourceNamespace } };
  await client.json('POST', '/api/v1/namespaces', { body: namespace });
  const extender = await startInProcessExtender(cluster, 'bestfit');
  t.teardown(() => extender.close());
  await extender.ready;
  const start = () => cluster.startScheduler({ extenderUrl: extender.url, leaderElection: true });
  const newLeader = (old: string) =>
    waitFor('another leads', async () => {
      // There is none until the first has written it; a leader that says farewell leaves it empty.
      const lease = await client.json('GET', LEASE).then(
        (found) => leaseSchema.parse(found),
        () => undefined,
      );
      const holder = lease?.spec.holderIdentity || old;
      return holder !== old && holder;
    });
  const create = (name: string) => createPod(client, gpuPod({ name, resources: { 'nvidia.com/gpu.shared': 1 } }));
  const ready = async () => (await fetch(`${extender.url}/readyz`)).status;

  const a = await start();
  const leaderA = await newLeader('');
  await create('by-a');
  t.equal(await nodeOf(client, 'by-a'), 'mps');

  const b = await start();
  await a.stop();
  await create('by-b');
  t.equal(await nodeOf(client, 'by-b'), 'mps', 'the one that stood by takes over');
  const leaderB = await newLeader(leaderA);
  t.equal(await ready(), 200);

  await start();
  // Without a farewell: its Lease has to run out.
  await b.stop('SIGKILL');
  await create('by-a-again');
  t.equal(await nodeOf(client, 'by-a-again'), 'mps');
  await newLeader(leaderB);
  t.equal(await ready(), 200);

  await create('one-too-many');
  t.match(await refusalOf(client, 'one-too-many'), /Insufficient nvidia\.com\/gpu\.shared/);
  await waitFor('nothing is reserved any more', () => extender.state.ledger.reservations() === 0);
});
