/** Pods that wait cost nothing: on an idle cluster nobody asks the extender about them. */

import { setTimeout as sleep } from 'node:timers/promises';
import tap from 'tap';
import { stackFor } from '../../cluster/for-test.ts';
import { listPods, refusal } from '../../cluster/pods.ts';
import { requests } from '../../cluster/requests.ts';
import { createAll } from '../../cluster/start.ts';
import { waitFor } from '../../cluster/wait.ts';
import { exclusiveNode, mpsNode, timeSlicingNode } from '../../objects/nodes.ts';
import { type GpuPodOptions, gpuPod } from '../../objects/pods.ts';

const PODS = 200;
/** What is promised; a condition whose words changed at each try would have the pods tried for ever. */
const IDLE_MS = 30_000;
/** No pod backs off for longer once all have been refused a few times. */
const SETTLED_MS = 5_000;

const shared = { 'nvidia.com/gpu.shared': 1 };
/** One of each: two refused by us, one by kube-scheduler's own count. */
const KINDS: readonly Omit<GpuPodOptions, 'name'>[] = [
  { resources: shared, annotations: { 'gpu-autoscaler.io/gpu-memory': '60Gi' } },
  {
    resources: shared,
    annotations: { 'gpu-autoscaler.io/optimization-strategy': 'timeslicing', 'gpu-autoscaler.io/gpu-memory': '30Gi' },
  },
  { gpus: 16 },
];

tap.test(`${PODS} pods that fit nowhere: no request in ${IDLE_MS / 1000} s`, async (t) => {
  const stack = await stackFor(t, {
    webhook: false,
    nodes: [
      mpsNode({ name: 'mps', gpus: 2, replicas: 8 }),
      timeSlicingNode({ name: 'sliced', gpus: 2, replicas: 4 }),
      exclusiveNode({ name: 'whole', gpus: 8 }),
    ],
  });
  if (!stack) return;
  const { extender } = stack;
  const { client } = stack.cluster;
  const manifests = Array.from({ length: PODS }, (_, i) => gpuPod({ name: `pod-${i}`, ...KINDS[i % KINDS.length] }));
  await createAll(client, '/api/v1/namespaces/default/pods', manifests);
  await waitFor('every pod is refused', async () => (await listPods(client)).every((pod) => refusal(pod)));
  t.ok((await requests(extender, 'filter')) >= (PODS * 2) / 3, 'we have been asked');

  await waitFor('things have settled', async () => {
    const before = await requests(extender);
    await sleep(SETTLED_MS);
    return (await requests(extender)) === before;
  });
  const before = await requests(extender);
  await sleep(IDLE_MS);
  t.equal(await requests(extender), before);
});
