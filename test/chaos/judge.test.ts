/** The judge says of every moment in which a node had given away more than it has, and of records that lie. */

import tap, { type Test } from 'tap';
import { KubeClient } from '#src/kube/kube-client.ts';
import { waitFor } from '../cluster/wait.ts';
import { FakeApiServer } from '../fakes/api-server.ts';
import { exclusiveNode, mpsNode } from '../objects/nodes.ts';
import { podFor } from './fleet.ts';
import { Judge } from './judge.ts';

const GPU = 'nvidia.com/gpu';

async function setUp(t: Test) {
  const server = await FakeApiServer.start(t);
  const nodes = [exclusiveNode({ name: 'two', gpus: 2 }), mpsNode({ name: 'shared', gpus: 1, replicas: 4 })];
  for (const node of nodes) server.store.put('nodes', node);
  const client = new KubeClient(server.kubeConfig);
  const judge = await Judge.start(client);
  t.teardown(() => {
    judge.stop();
    client.close();
  });
  const put = (name: string, count: number, node?: string, phase = 'Pending', record: object = {}) => {
    const pod = podFor(name, { resource: GPU, containers: [count] });
    const written = { v: 1, node, strategy: 'bestfit', mode: 'exclusive', resource: GPU, count, milliGpu: 0, gpus: [] };
    const annotations = { 'gpu-autoscaler.io/allocation': JSON.stringify({ ...written, ...record }) };
    const metadata = { ...pod.metadata, namespace: 'default', uid: name, ...(node !== undefined && { annotations }) };
    const spec = { ...pod.spec, ...(node !== undefined && { nodeName: node }) };
    server.store.put('pods', { ...pod, metadata, spec, status: { phase } });
  };
  const seen = (events: number) => waitFor(`${events} events`, () => judge.events >= events, { everyMs: 5 });
  return { server, judge, put, seen };
}

tap.test('full is not too full; finished, deleted and waiting pods hold nothing', async (t) => {
  const { server, judge, put, seen } = await setUp(t);
  t.equal(judge.slots, 6);
  put('a', 1, 'two');
  put('b', 1, 'two');
  put('waits', 1);
  await seen(3);
  t.equal(judge.held, 2);
  put('a', 1, 'two', 'Succeeded');
  put('c', 1, 'two');
  server.store.remove('pods', 'default/b');
  put('waits', 1, 'two');
  await seen(7);
  t.equal(judge.held, 2);
  t.strictSame(judge.breaches, []);
  t.strictSame([...judge.bound.keys()], ['a', 'b', 'c', 'waits']);
});

tap.test('one slot too many is a breach, even if only for a moment', async (t) => {
  const { server, judge, put, seen } = await setUp(t);
  put('a', 1, 'two');
  put('b', 2, 'two');
  server.store.remove('pods', 'default/b');
  await seen(3);
  t.equal(judge.breaches.length, 1);
  t.match(judge.breaches[0], /two has 2 nvidia.com\/gpu, 3 are given away, the last to b: a \(a\), b \(b\)$/);
});

tap.test('a record has to name the node and the request of its pod', async (t) => {
  for (const record of [{ node: 'shared' }, { count: 2 }, { resource: 'nvidia.com/gpu.shared' }, { v: 2 }]) {
    const { judge, put, seen } = await setUp(t);
    put('a', 1, 'two', 'Pending', record);
    await seen(1);
    t.match(judge.breaches, [/^a is on two with nvidia.com\/gpu=1, its record says /], JSON.stringify(record));
  }
});

tap.test('it goes on where a watch ended, and misses nothing', async (t) => {
  const { server, judge, put, seen } = await setUp(t);
  put('a', 1, 'two');
  await seen(1);
  server.endWatches();
  await waitFor('it watches again', () => server.count(/watch=/) === 2, { everyMs: 5 });
  put('b', 2, 'two');
  await waitFor('the breach is seen', () => judge.breaches.length > 0, { everyMs: 5 });
  t.match(judge.breaches, [/3 are given away/]);
  t.equal(judge.events, 2);
});
