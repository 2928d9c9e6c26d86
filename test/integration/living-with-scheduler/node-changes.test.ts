/** Pods that wait for a node get it within seconds once it is as they need it, whatever changes on it. */

import tap, { type Test } from 'tap';
import { clearAfter } from '../../cluster/clear.ts';
import { stackFor } from '../../cluster/for-test.ts';
import { createNode, deleteNode, patchNode, setAllocatable } from '../../cluster/nodes.ts';
import { createPod, findPod, nodeOf, refusalOf } from '../../cluster/pods.ts';
import { cpuNode, exclusiveNode, mpsNode, timeSlicingNode } from '../../objects/nodes.ts';
import { type GpuPodOptions, gpuPod } from '../../objects/pods.ts';

const SHARED = { 'nvidia.com/gpu.shared': 1 };
/** From the change to the binding, with what a pod that has just been refused backs off. */
const SOON = { timeoutMs: 5_000 };

tap.test('while a pod waits', async (t) => {
  const stack = await stackFor(t, { webhook: false, nodes: [cpuNode()] });
  if (!stack) return;
  const { client } = stack.cluster;
  const waits = async (t: Test, options: Omit<GpuPodOptions, 'name'>, why: RegExp) => {
    await createPod(client, gpuPod({ name: 'waits', ...options }));
    t.match(await refusalOf(client, 'waits'), why);
  };

  await t.test('its node is cordoned: nothing lands there; uncordoned, it does', async (t) => {
    clearAfter(t, client);
    await createNode(client, mpsNode({ name: 'a', gpus: 1, replicas: 2 }));
    await createPod(client, gpuPod({ name: 'before', resources: SHARED }));
    await nodeOf(client, 'before');
    await patchNode(client, 'a', { spec: { unschedulable: true } });
    await waits(t, { resources: SHARED }, /1 node\(s\) were unschedulable/);
    await patchNode(client, 'a', { spec: { unschedulable: null } });
    t.equal(await nodeOf(client, 'waits', SOON), 'a');
  });

  await t.test('its node goes and comes back, with the pods that it had', async (t) => {
    clearAfter(t, client);
    const node = mpsNode({ name: 'a', gpus: 1, replicas: 2 });
    await createNode(client, node);
    await createPod(client, gpuPod({ name: 'before', resources: SHARED }));
    await nodeOf(client, 'before');
    await deleteNode(client, 'a');
    await waits(t, { resources: SHARED }, /Insufficient nvidia\.com\/gpu\.shared/);
    await createNode(client, node);
    t.equal(await nodeOf(client, 'waits', SOON), 'a');
    await createPod(client, gpuPod({ name: 'third', resources: SHARED }));
    t.match(await refusalOf(client, 'third'), /Insufficient/, 'the pod from before still holds its slot');
  });

  await t.test('a node gets the label that it selects', async (t) => {
    clearAfter(t, client);
    await createNode(client, mpsNode({ name: 'a', gpus: 1, replicas: 2 }));
    await waits(t, { resources: SHARED, spec: { nodeSelector: { pool: 'gold' } } }, /didn't match Pod's node affinity/);
    await patchNode(client, 'a', { metadata: { labels: { pool: 'gold' } } });
    t.equal(await nodeOf(client, 'waits', SOON), 'a');
  });

  await t.test('its node is shared by fewer: slots grow large enough', async (t) => {
    clearAfter(t, client);
    await createNode(client, timeSlicingNode({ name: 'a', gpus: 1, replicas: 8 }));
    const annotations = { 'gpu-autoscaler.io/gpu-memory': '8Gi' };
    await waits(t, { resources: SHARED, annotations }, /SlotTooSmall/);
    await setAllocatable(client, 'a', { 'nvidia.com/gpu.shared': 4 });
    await patchNode(client, 'a', { metadata: { labels: { 'nvidia.com/gpu.replicas': '4' } } });
    t.equal(await nodeOf(client, 'waits', SOON), 'a');
  });

  const whole = { 'nvidia.com/gpu': 2, 'nvidia.com/gpu.shared': 0 };
  const shared = { 'nvidia.com/gpu': 0, 'nvidia.com/gpu.shared': 8 };
  const wholeLabels = { 'nvidia.com/gpu.replicas': '1', 'nvidia.com/gpu.sharing-strategy': 'none' };
  const sharedLabels = { 'nvidia.com/gpu.replicas': '4', 'nvidia.com/gpu.sharing-strategy': 'mps' };
  const strategy = (mode: string) => ({ annotations: { 'gpu-autoscaler.io/optimization-strategy': mode } });
  const changes = [
    {
      what: 'from shared by MPS to whole GPUs',
      from: mpsNode({ name: 'a', gpus: 2, replicas: 4 }),
      pod: { gpus: 1, ...strategy('exclusive') },
      counts: whole,
      labels: wholeLabels,
    },
    {
      what: 'from whole GPUs to shared by MPS',
      from: exclusiveNode({ name: 'a', gpus: 2 }),
      pod: { resources: SHARED, ...strategy('mps') },
      counts: shared,
      labels: sharedLabels,
    },
  ];
  for (const { what, from, pod, counts, labels } of changes) {
    // The device plugin and GPU Feature Discovery do not wait for each other.
    for (const first of ['labels', 'allocatable']) {
      await t.test(`its node changes ${what}, ${first} first`, async (t) => {
        clearAfter(t, client);
        await createNode(client, from);
        await waits(t, pod, /Insufficient nvidia\.com\/gpu/);
        const steps = [
          () => patchNode(client, 'a', { metadata: { labels } }),
          () => setAllocatable(client, 'a', counts),
        ];
        for (const step of first === 'labels' ? steps : steps.toReversed()) await step();
        t.equal(await nodeOf(client, 'waits', SOON), 'a');
      });
    }
  }

  await t.test('and what waits for what is no longer offered keeps waiting', async (t) => {
    clearAfter(t, client);
    await createNode(client, mpsNode({ name: 'a', gpus: 1, replicas: 2 }));
    await patchNode(client, 'a', { metadata: { labels: wholeLabels } });
    await setAllocatable(client, 'a', { 'nvidia.com/gpu': 1, 'nvidia.com/gpu.shared': 0 });
    await waits(t, { resources: SHARED }, /Insufficient nvidia\.com\/gpu\.shared/);
    await createPod(client, gpuPod({ name: 'whole', gpus: 1 }));
    t.equal(await nodeOf(client, 'whole', SOON), 'a');
    t.notOk((await findPod(client, 'waits'))?.spec.nodeName);
  });
});
