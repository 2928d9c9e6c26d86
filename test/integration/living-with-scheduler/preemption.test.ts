/** A pod of higher priority takes slots from pods of lower priority: as few as it needs, and none in vain. */

import tap, { type Test } from 'tap';
import { CONDITIONS } from '#src/api/keys.ts';
import { clearAfter } from '../../cluster/clear.ts';
import { clusterFor } from '../../cluster/for-test.ts';
import { createNode } from '../../cluster/nodes.ts';
import { bound, createPod, findPod, letGo, listPods, nodeOf, refusalOf } from '../../cluster/pods.ts';
import { startInProcessExtender } from '../../cluster/stack.ts';
import { type Cluster, createAll } from '../../cluster/start.ts';
import { waitFor } from '../../cluster/wait.ts';
import { cpuNode, mpsNode, timeSlicingNode } from '../../objects/nodes.ts';
import { type GpuPodOptions, gpuPod } from '../../objects/pods.ts';

const ONE_SLOT = { 'nvidia.com/gpu.shared': '1' };
const CLASSES = { low: 10, middle: 100, high: 1000 } as const;
type Priority = keyof typeof CLASSES;

tap.test('on nodes with fractional slots', async (t) => {
  const cluster = await clusterFor(t, { nodes: [cpuNode()] });
  if (!cluster) return;
  const { client } = cluster;
  const classes = Object.entries(CLASSES).map(([name, value]) => ({
    apiVersion: 'scheduling.k8s.io/v1',
    kind: 'PriorityClass',
    metadata: { name },
    value,
  }));
  await createAll(client, '/apis/scheduling.k8s.io/v1/priorityclasses', classes);
  const extender = await startInProcessExtender(cluster, 'bestfit');
  t.teardown(() => extender.close());
  await extender.ready;
  await cluster.startScheduler({ extenderUrl: extender.url });

  await t.test('one slot needed: one pod of the lowest priority goes, others and equals stay', async (t) => {
    await setUp(t, cluster, {
      mps: [mpsNode({ name: 'mps', gpus: 1, replicas: 4 }), ['low', 'low', 'middle', 'high']],
      equals: [timeSlicingNode({ name: 'equals', gpus: 1, replicas: 2 }), ['high', 'high']],
    });
    await createPod(client, slotPod('preemptor', 'high'));
    t.equal(await nodeOf(client, 'preemptor'), 'mps');
    const left = await prioritiesOn(cluster, 'mps');
    t.same(left, ['high', 'high', 'low', 'middle'], 'one of the two low ones has gone');
    t.same(await prioritiesOn(cluster, 'equals'), ['high', 'high']);
  });

  await t.test('nobody of lower priority: nobody goes, and the pod waits', async (t) => {
    await setUp(t, cluster, { equals: [timeSlicingNode({ name: 'equals', gpus: 1, replicas: 2 }), ['high', 'high']] });
    await createPod(client, slotPod('preemptor', 'high'));
    t.match(await refusalOf(client, 'preemptor'), /No preemption victims found/);
    t.same(await prioritiesOn(cluster, 'equals'), ['high', 'high']);
  });

  await t.test('while victims go, their slots are kept for the one who is nominated', async (t) => {
    await setUp(t, cluster, {
      mps: [mpsNode({ name: 'mps', gpus: 1, replicas: 4 }), ['low', 'low', 'middle', 'high'], true],
    });
    await createPod(client, slotPod('preemptor', 'high', { slots: 2 }));
    const victims = await waitFor('two pods have been told to go', async () => {
      const going = (await listPods(client)).filter(({ metadata }) => metadata.deletionTimestamp);
      return going.length === 2 && going.map(({ metadata }) => metadata.name);
    });
    t.same(victims, ['mps-0', 'mps-1'], 'those of low priority, and no more than needed');
    const nominated = await waitFor(
      'the pod is nominated',
      async () => (await findPod(client, 'preemptor'))?.status.nominatedNodeName,
    );
    t.equal(nominated, 'mps');

    const [first = '', second = ''] = victims;
    await letGo(client, first);
    await waitFor('it is gone', async () => (await findPod(client, first)) === undefined);
    await createPod(client, slotPod('third', 'middle'));
    t.match(await refusalOf(client, 'third'), /Insufficient nvidia\.com\/gpu\.shared/, 'one slot is free, and kept');
    t.notOk((await findPod(client, 'preemptor'))?.spec.nodeName, 'the terminating pod still holds the other');

    await letGo(client, second);
    t.equal(await nodeOf(client, 'preemptor'), nominated);
    t.notOk((await findPod(client, 'third'))?.spec.nodeName);
    t.same(await prioritiesOn(cluster, 'mps'), ['high', 'high', 'middle'], 'three pods on four slots');
  });

  const small = mpsNode({ name: 'small', gpus: 1, replicas: 8 });
  const declared = { 'gpu-autoscaler.io/gpu-memory': '8Gi' };
  for (const free of [1, 0]) {
    await t.test(`a node whose slots are too small keeps its pods, with ${free} of 8 slots free`, async (t) => {
      await setUp(t, cluster, {
        small: [small, Array.from({ length: 8 - free }, () => 'low')],
        large: [mpsNode({ name: 'large', gpus: 1, replicas: 4 }), ['middle', 'middle', 'middle', 'middle']],
      });
      await createPod(client, slotPod('preemptor', 'high', { annotations: declared }));
      t.equal(await nodeOf(client, 'preemptor'), 'large', 'though its pods are of higher priority');
      t.equal((await prioritiesOn(cluster, 'small')).length, 8 - free);
      t.same(await prioritiesOn(cluster, 'large'), ['high', 'middle', 'middle', 'middle']);
    });
  }

  await t.test(
    'a preemptor that kube-scheduler has lost, as its victims went too fast, is pointed out to it',
    async (t) => {
      await setUp(t, cluster, { mps: [mpsNode({ name: 'mps', gpus: 1, replicas: 4 }), ['low']] });
      // It loses one now and then, which cannot be forced: here it is one that it never had.
      const pod = await createPod(client, slotPod('preemptor', 'high', { schedulerName: 'nobody' }));
      const victims = { Pods: [{ UID: 'gone' }], NumPDBViolations: 0 };
      const reply = await fetch(`${extender.url}/preempt`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ Pod: pod, NodeNameToMetaVictims: { mps: victims } }),
      });
      t.same(await reply.json(), { NodeNameToMetaVictims: { mps: victims } });
      await waitFor('its status is touched', async () =>
        (await findPod(client, 'preemptor'))?.status.conditions.some(({ type }) => type === CONDITIONS.secondLook),
      );
    },
  );
});

type Fleet = Readonly<Record<string, readonly [node: object, pods: readonly Priority[], lingering?: boolean]>>;

/** Nodes with pods on them, of one slot each; gone after the test. */
async function setUp(t: Test, { client }: Cluster, fleet: Fleet): Promise<void> {
  clearAfter(t, client);
  for (const [nodeName, [node, priorities, lingering]] of Object.entries(fleet)) {
    await createNode(client, node);
    for (const [i, priority] of priorities.entries()) {
      const finalizers = lingering ? ['test.invalid/lingers'] : [];
      await createPod(client, slotPod(`${nodeName}-${i}`, priority, { finalizers, nodeName }));
    }
  }
}

type PodOptions = Omit<GpuPodOptions, 'name' | 'resources' | 'spec'> & { readonly slots?: number };

/** Each slot for a container of its own: more than one in a container is refused under MPS. */
function slotPod(name: string, priorityClassName: Priority, { slots = 1, ...options }: PodOptions = {}): object {
  const resources = { requests: ONE_SLOT, limits: ONE_SLOT };
  const containers = Array.from({ length: slots }, (_, i) => ({ name: `c${i}`, image: 'none', resources }));
  return gpuPod({ name, ...options, spec: { priorityClassName, containers } });
}

/** The priorities of the pods on a node, sorted. */
async function prioritiesOn({ client }: Cluster, node: string): Promise<string[]> {
  const pods = bound(await listPods(client)).filter(({ spec }) => spec.nodeName === node);
  return pods.map(({ spec }) => spec.priorityClassName ?? '').sort();
}
