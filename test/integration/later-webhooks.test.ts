/** What webhooks after ours write into a pod counts: the API server asks us again, and the pod is decided anew. */

import tap from 'tap';
import { stackFor } from '../cluster/for-test.ts';
import { startLabellingWebhook } from '../cluster/labelling-webhook.ts';
import { createPod, nodeOf } from '../cluster/pods.ts';
import { waitFor } from '../cluster/wait.ts';
import { exclusiveNode, mpsNode } from '../objects/nodes.ts';
import { gpuPod } from '../objects/pods.ts';

const KEY = 'gpu-autoscaler.io/';

tap.test('a policy engine calls a pod training that looked like inference to us', async (t) => {
  const stack = await stackFor(t, {
    nodes: [mpsNode({ name: 'mps', gpus: 1, replicas: 8 }), exclusiveNode({ name: 'whole', gpus: 1 })],
  });
  if (!stack) return;
  const { cluster } = stack;
  const { client } = cluster;
  const inference = (name: string) =>
    gpuPod({ name, gpus: 1, labels: { [`${KEY}workload-type`]: 'inference' }, schedulerName: 'default-scheduler' });

  const before = await createPod(client, inference('before'));
  t.equal(before.metadata.annotations[`${KEY}optimization-strategy`], 'mps');
  t.equal(await nodeOf(client, 'before'), 'mps');

  await startLabellingWebhook(t, cluster, 'gpu-autoscaler.io~1workload-type', 'training');
  await waitFor('the API server asks it', async () => {
    const reply = await client.json('POST', '/api/v1/namespaces/default/pods?dryRun=All', { body: inference('probe') });
    return JSON.stringify(reply).includes('training');
  });
  const after = await createPod(client, inference('after'));
  t.equal(after.metadata.labels[`${KEY}workload-type`], 'training');
  t.equal(after.metadata.annotations[`${KEY}optimization-strategy`], 'exclusive');
  t.match(after.metadata.annotations[`${KEY}optimization-reason`], /training keeps a whole GPU/);
  t.match(after.spec.containers[0]?.resources.requests, { 'nvidia.com/gpu': '1' });
  t.notOk(after.spec.containers[0]?.resources.requests?.['nvidia.com/gpu.shared']);
  t.equal(await nodeOf(client, 'after'), 'whole');
});
