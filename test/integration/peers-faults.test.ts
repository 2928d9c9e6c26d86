/** What went wrong in other GPU schedulers, by the number of their issue, must not go wrong here. */

import tap, { type Test } from 'tap';
import { z } from 'zod';
import { type AllocationRecord, allocationRecordSchema } from '#src/api/allocation-record.ts';
import { slotsHeldPerGpu } from '#src/core/savings.ts';
import type { KubeClient } from '#src/kube/kube-client.ts';
import { clearAfter } from '../cluster/clear.ts';
import { stackFor } from '../cluster/for-test.ts';
import { createNode, setAllocatable } from '../cluster/nodes.ts';
import {
  bound,
  createPod,
  deletePod,
  findPod,
  letGo,
  listPods,
  nodeOf,
  type Pod,
  patchPod,
  refusalOf,
} from '../cluster/pods.ts';
import { createAll } from '../cluster/start.ts';
import { waitFor } from '../cluster/wait.ts';
import { cpuNode, mpsNode, timeSlicingNode } from '../objects/nodes.ts';
import { type GpuPodOptions, gpuPod } from '../objects/pods.ts';

const SHARED = { 'nvidia.com/gpu.shared': 1 };
const INSUFFICIENT = /Insufficient nvidia\.com\/gpu\.shared/;
/** The peers' pods waited for minutes. */
const SOON = { timeoutMs: 2_000 };

tap.test('on one control plane', async (t) => {
  const stack = await stackFor(t, { webhook: false, nodes: [cpuNode()] });
  if (!stack) return;
  const { extender } = stack;
  const { client } = stack.cluster;

  const test = (what: string, body: (t: Test) => Promise<void>) =>
    t.test(what, async (t) => {
      clearAfter(t, client);
      await body(t);
      await waitFor('no reservation is left', () => extender.state.ledger.reservations() === 0);
    });
  const pod = (name: string, options: Omit<GpuPodOptions, 'name'> = {}) =>
    gpuPod({ name, resources: SHARED, ...options });
  const create = (name: string, options?: Omit<GpuPodOptions, 'name'>) => createPod(client, pod(name, options));
  const ask = async (verb: string, body: object) => {
    const headers = { 'content-type': 'application/json' };
    const reply = await fetch(`${extender.url}/${verb}`, { method: 'POST', headers, body: JSON.stringify(body) });
    return reply.json();
  };
  /** What the extender itself says of the node, where kube-scheduler would not even ask. */
  const filter = async (node: string) => {
    const reply = await ask('filter', { Pod: pod('asks'), NodeNames: [node] });
    return filterSchema.parse(reply);
  };

  /** A node whose two slots are held by `first` and `second`, and a third pod that waits for one. */
  const fullNode = async (t: Test) => {
    await createNode(client, mpsNode({ name: 'a', gpus: 1, replicas: 2 }));
    for (const name of ['first', 'second']) {
      await create(name);
      await nodeOf(client, name);
    }
    await create('waits');
    t.match(await refusalOf(client, 'waits'), INSUFFICIENT);
  };

  await test('a deleted pod frees its slot at once (HAMi #2923, #1458), and who waits for it gets it (HAMi #1368, #1875)', async (t) => {
    await fullNode(t);
    await deletePod(client, 'first');
    t.equal(await nodeOf(client, 'waits', SOON), 'a');
  });

  await test('a pod that has failed frees its slot, and blocks nobody (HAMi #3047, #1367)', async (t) => {
    await fullNode(t);
    await patchPod(client, 'first', { status: { phase: 'Failed' } }, '/status');
    t.equal(await nodeOf(client, 'waits', SOON), 'a');
  });

  await test('a bind that fails leaves no phantom (KAI), and stops no other on its node (HAMi #3047)', async (t) => {
    await createNode(client, mpsNode({ name: 'a', gpus: 1, replicas: 4 }));
    // Deleted between filter and bind: the API server refuses each Binding.
    const ghosts = ['ghost-1', 'ghost-2', 'ghost-3', 'ghost-4'];
    await waitFor('the node is known', async () => (await filter('a')).NodeNames.length === 1);
    const fails = async (name: string) => {
      const uid = `uid-${name}`;
      const Pod = { ...pod(name), metadata: { name, namespace: 'default', uid } };
      await ask('filter', { Pod, NodeNames: ['a'] });
      return ask('bind', { PodName: name, PodNamespace: 'default', PodUID: uid, Node: 'a' });
    };
    for (const reply of await Promise.all(ghosts.map(fails))) t.match(reply, { Error: /not found/ });
    const real = ['a', 'b', 'c', 'd'];
    await Promise.all(real.map((name) => create(name)));
    for (const name of real) t.equal(await nodeOf(client, name, SOON), 'a');
  });

  await test('a burst of pods fills each card, and over-packs none (KAI #2153; HAMi #1330, #2232, #2522)', async (t) => {
    await createNode(client, mpsNode({ name: 'a', gpus: 2, replicas: 4 }));
    await createNode(client, timeSlicingNode({ name: 'b', gpus: 3, replicas: 3 }));
    const manifests = Array.from({ length: 30 }, (_, i) => pod(`pod-${i}`));
    await createAll(client, '/api/v1/namespaces/default/pods', manifests);
    await waitFor('all slots are taken', async () => bound(await listPods(client)).length === 17);
    const { ledger } = extender.state;
    const held = ['a', 'b'].map((node) => slotsHeldPerGpu(ledger, node, 'nvidia.com/gpu.shared'));
    t.strictSame(held, [
      [4, 4],
      [3, 3, 3],
    ]);
  });

  await test('a pod whose init container alone asks for a GPU holds it (HAMi #2640, #2795)', async (t) => {
    await createNode(client, mpsNode({ name: 'a', gpus: 1, replicas: 1 }));
    const amounts = { 'nvidia.com/gpu.shared': '1' };
    const spec = {
      initContainers: [{ name: 'init', image: 'none', resources: { requests: amounts, limits: amounts } }],
      containers: [{ name: 'main', image: 'none' }],
    };
    await create('init-only', { spec });
    await nodeOf(client, 'init-only');
    t.match(recordOf(await findPod(client, 'init-only')), { node: 'a', resource: 'nvidia.com/gpu.shared', count: 1 });
    t.match(await filter('a'), { FailedNodes: { a: /^InsufficientSlots/ } });
  });

  await test('a terminating pod holds its slot until it is gone (gpushare)', async (t) => {
    await createNode(client, mpsNode({ name: 'a', gpus: 1, replicas: 2 }));
    for (const name of ['first', 'second']) {
      await create(name, { finalizers: ['test.invalid/lingers'] });
      await nodeOf(client, name);
    }
    await client.json('DELETE', '/api/v1/namespaces/default/pods/first');
    await create('waits');
    t.match(await refusalOf(client, 'waits'), INSUFFICIENT);
    t.ok((await findPod(client, 'first'))?.metadata.deletionTimestamp, 'it is terminating');
    t.match(await filter('a'), { FailedNodes: { a: /^InsufficientSlots/ } });
    await letGo(client, 'first');
    t.equal(await nodeOf(client, 'waits', SOON), 'a');
  });

  await test('a node that shrinks below what is held has nothing free; grown, it has (gpushare)', async (t) => {
    await createNode(client, mpsNode({ name: 'a', gpus: 2, replicas: 2 }));
    for (const name of ['first', 'second', 'third']) {
      await create(name);
      await nodeOf(client, name);
    }
    await setAllocatable(client, 'a', SHARED);
    await create('waits');
    t.match(await refusalOf(client, 'waits'), INSUFFICIENT);
    await waitFor('the extender refuses as well', async () => (await filter('a')).FailedNodes?.a?.startsWith('Ins'));
    await setAllocatable(client, 'a', { 'nvidia.com/gpu.shared': 4 });
    t.equal(await nodeOf(client, 'waits', SOON), 'a');
    t.match(await filter('a'), { FailedNodes: { a: /^InsufficientSlots/ } }, 'and not one more');
  });

  await test('a node name of more than 63 characters is a name like any other (HAMi)', async (t) => {
    const name = `${'gpu-node.'.repeat(20)}example`;
    // A label's value may not be as long; kubelet then shortens the host's.
    await createNode(client, mpsNode({ name, gpus: 1, replicas: 2, labels: { 'kubernetes.io/hostname': 'short' } }));
    await create('pod');
    t.equal(await nodeOf(client, 'pod'), name);
    t.equal(recordOf(await findPod(client, 'pod')).node, name);
  });

  await test('a pod that others gate holds nothing, and has its turn when the gate is gone (InstaSlice #82)', async (t) => {
    await createNode(client, mpsNode({ name: 'a', gpus: 1, replicas: 2 }));
    await create('gated', { spec: { schedulingGates: [{ name: 'test.invalid/gate' }] } });
    for (const name of ['first', 'second']) {
      await create(name);
      t.equal(await nodeOf(client, name), 'a');
    }
    await deletePod(client, 'first');
    await patchPod(client, 'gated', { spec: { schedulingGates: null } });
    t.equal(await nodeOf(client, 'gated', SOON), 'a');
  });

  await test('nothing is written before bind: no object changes in filter, prioritize and preempt (HAMi, InstaSlice #96)', async (t) => {
    await createNode(client, mpsNode({ name: 'a', gpus: 1, replicas: 2 }));
    // Nobody else's either: its scheduler does not exist.
    const made = await create('nobodys', { schedulerName: 'nobody' });
    const Pod = await client.json('GET', '/api/v1/namespaces/default/pods/nobodys');
    await waitFor('the node is known', async () => (await filter('a')).NodeNames.length === 1);
    const before = await versions(client);
    t.match(await ask('filter', { Pod, NodeNames: ['a'] }), { NodeNames: ['a'] });
    t.match(await ask('prioritize', { Pod, NodeNames: ['a'] }), [{ Host: 'a', Score: 10 }]);
    const victims = { a: { Pods: [{ UID: made.metadata.uid }], NumPDBViolations: 0 } };
    t.match(await ask('preempt', { Pod, NodeNameToMetaVictims: victims }), { NodeNameToMetaVictims: victims });
    t.strictSame(await versions(client), before);
  });
});

const filterSchema = z.object({
  NodeNames: z.array(z.string()),
  FailedNodes: z.record(z.string(), z.string()),
});

/** The pod's allocation record. */
function recordOf(pod: Pod | undefined): AllocationRecord {
  return allocationRecordSchema.parse(JSON.parse(pod?.metadata.annotations['gpu-autoscaler.io/allocation'] ?? ''));
}

/** The version of every node and pod: any write moves one. */
async function versions(client: KubeClient): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const kind of ['nodes', 'pods']) {
    const { items } = listSchema.parse(await client.json('GET', `/api/v1/${kind}`));
    for (const { metadata } of items) found[`${kind}/${metadata.name}`] = metadata.resourceVersion;
  }
  return found;
}

const listSchema = z.object({
  items: z.array(z.object({ metadata: z.object({ name: z.string(), resourceVersion: z.string() }) })),
});
