/** Without the extender no GPU pod is bound, each says why, and all go on when it is back. */

import tap from 'tap';
import { failedScheduling } from '../../cluster/events.ts';
import { clusterFor } from '../../cluster/for-test.ts';
import { bound, createPod, findPod, listPods, nodeOf, refusalOf } from '../../cluster/pods.ts';
import { startInProcessExtender } from '../../cluster/stack.ts';
import { waitFor } from '../../cluster/wait.ts';
import { mpsNode } from '../../objects/nodes.ts';
import { gpuPod } from '../../objects/pods.ts';

const SHARED = { 'nvidia.com/gpu.shared': 1 };
/** kube-scheduler backs off for up to 10 s from a pod that met an error. */
const BACK_MS = 15_000;

tap.test('the extender goes, and comes back on its port', async (t) => {
  const cluster = await clusterFor(t, { nodes: [mpsNode({ name: 'mps', gpus: 1, replicas: 4 })] });
  if (!cluster) return;
  const { client } = cluster;
  const first = await startInProcessExtender(cluster, 'bestfit');
  const port = Number(new URL(first.url).port);
  await first.ready;
  await cluster.startScheduler({ extenderUrl: first.url });
  await createPod(client, gpuPod({ name: 'before', resources: SHARED }));
  await nodeOf(client, 'before');
  await first.close();

  const waiting = ['a', 'b', 'c', 'd'];
  for (const name of waiting) await createPod(client, gpuPod({ name, resources: SHARED }));
  const refused = `127.0.0.1:${port}: connect: connection refused`;

  await t.test('pods wait; condition and event name the address, and what is wrong with it', async (t) => {
    for (const name of waiting) {
      t.match(await refusalOf(client, name), refused);
      const [event] = await waitFor('there is an event', async () => {
        const found = await failedScheduling(client, name);
        return found.length > 0 && found;
      });
      t.match(event?.message, refused);
    }
    t.notOk(bound(await listPods(client)).some(({ metadata }) => waiting.includes(metadata.name)));
  });

  await t.test('pods without GPUs are none of its business', async (t) => {
    await createPod(client, gpuPod({ name: 'cpu' }));
    t.equal(await nodeOf(client, 'cpu'), 'mps');
  });

  await t.test('back, it knows who held what before it went: three of four are bound', async (t) => {
    const second = await startInProcessExtender(cluster, 'bestfit', port);
    t.teardown(() => second.close());
    await second.ready;
    const left = await waitFor(
      'three are bound, and one is told that there is no room',
      async () => {
        const pods = await Promise.all(waiting.map((name) => findPod(client, name)));
        const without = pods.filter((pod) => !pod?.spec.nodeName);
        return without.length === 1 && without;
      },
      { timeoutMs: BACK_MS },
    );
    await waitFor('and it says so', async () => {
      const pod = await findPod(client, left[0]?.metadata.name ?? '');
      return pod?.status.conditions.some(({ message }) => message?.includes('Insufficient nvidia.com/gpu.shared'));
    });
  });
});
