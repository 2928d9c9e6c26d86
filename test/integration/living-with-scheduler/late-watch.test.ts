/** kube-scheduler hears of a change before us, asks too early, and is refused: the pod must not wait for the next event. */

import tap, { type Test } from 'tap';
import { clearAfter } from '../../cluster/clear.ts';
import { clusterFor } from '../../cluster/for-test.ts';
import { startLaggingApi } from '../../cluster/lagging-api.ts';
import { createNode, patchNode } from '../../cluster/nodes.ts';
import { createPod, deletePod, nodeOf, refusalOf } from '../../cluster/pods.ts';
import { requests } from '../../cluster/requests.ts';
import { startInProcessExtender } from '../../cluster/stack.ts';
import { waitFor } from '../../cluster/wait.ts';
import { cpuNode, timeSlicingNode } from '../../objects/nodes.ts';
import { gpuPod } from '../../objects/pods.ts';

/** Both slots of the node. */
const SHARED = { 'nvidia.com/gpu.shared': 2 };
/** Kubernetes's own safety net is a try every five minutes. */
const WITHIN = { timeoutMs: 10_000 };
/** Before 1.33 a pod that was refused rests for a second, and perhaps a second more: an answer after that is not early. */
const REST_MS = 2_000;

for (const lagMs of [200, 2_500]) {
  tap.test(`watches that are late by ${lagMs} ms`, async (t) => {
    const cluster = await clusterFor(t, { nodes: [cpuNode()] });
    if (!cluster) return;
    const { client } = cluster;
    const api = await startLaggingApi(cluster, lagMs);
    t.teardown(() => api.close());
    const extender = await startInProcessExtender({ ...cluster, kubeConfig: api.kubeConfig }, 'bestfit');
    t.teardown(() => extender.close());
    await extender.ready;
    await cluster.startScheduler({ extenderUrl: extender.url });
    const node = timeSlicingNode({ name: 'a', gpus: 1, replicas: 2 });
    const known = (offers: boolean) =>
      waitFor('the extender knows', () => extender.state.ledger.freeSlots('a', 'nvidia.com/gpu.shared') > 0 === offers);
    const tooEarly = async (t: Test, change: () => Promise<void>) => {
      const before = await requests(extender, 'filter');
      await change();
      t.equal(await nodeOf(client, 'waits', WITHIN), 'a');
      const asked = (await requests(extender, 'filter')) - before;
      if (lagMs > REST_MS) t.ok(asked > 1, 'the first answer was too early');
    };

    await t.test('slots that have grown large enough', async (t) => {
      clearAfter(t, client);
      await createNode(client, node);
      await patchNode(client, 'a', { metadata: { labels: { 'nvidia.com/gpu.memory': '20000' } } });
      await known(true);
      const annotations = { 'gpu-autoscaler.io/gpu-memory': '16Gi' };
      await createPod(client, gpuPod({ name: 'waits', resources: SHARED, annotations }));
      t.match(await refusalOf(client, 'waits'), /SlotTooSmall/);
      await tooEarly(t, () => patchNode(client, 'a', { metadata: { labels: { 'nvidia.com/gpu.memory': '40960' } } }));
    });

    await t.test('a slot that has become free', async (t) => {
      clearAfter(t, client);
      await known(false);
      await createNode(client, node);
      await known(true);
      await createPod(client, gpuPod({ name: 'before', resources: SHARED }));
      await nodeOf(client, 'before');
      await createPod(client, gpuPod({ name: 'waits', resources: SHARED }));
      t.match(await refusalOf(client, 'waits'), /Insufficient/);
      await tooEarly(t, () => deletePod(client, 'before'));
    });

    await t.test('a node that is new', async (t) => {
      clearAfter(t, client);
      await known(false);
      await createPod(client, gpuPod({ name: 'waits', resources: SHARED }));
      await refusalOf(client, 'waits');
      // Often it is tried before the node is ready, and once more when it is.
      await createNode(client, node);
      t.equal(await nodeOf(client, 'waits', WITHIN), 'a');
    });
  });
}
