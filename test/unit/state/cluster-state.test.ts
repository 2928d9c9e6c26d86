/** What the API server says becomes the ledger. */

import tap from 'tap';
import { SHARED_GPU, WHOLE_GPU } from '#src/core/resources.ts';
import type { ClusterState } from '#src/state/cluster-state.ts';
import { takeList } from '../../fakes/listing.ts';
import { exclusiveNode, mpsNode } from '../../objects/nodes.ts';
import { NODE, pod, setUp } from './state.ts';

/** Of these pods, those that are known. */
function known(state: ClusterState, uids: readonly string[]): string[] {
  return uids.filter((uid) => state.requestOf(uid) !== undefined);
}

tap.test('a pod holds its GPUs from the moment it is bound until it has finished or is gone', async (t) => {
  const { state, free } = setUp();
  state.pods.update(pod('a'));
  t.equal(free(), 4, 'not bound yet');
  state.pods.update(pod('a', { node: NODE, phase: 'Pending' }));
  t.equal(free(), 3, 'bound');
  state.pods.update(pod('a', { node: NODE, terminating: true }));
  t.equal(free(), 3, 'terminating, it still computes');
  state.pods.update(pod('a', { node: NODE, phase: 'Succeeded' }));
  t.equal(free(), 4, 'finished');
  t.equal(state.hasFinished('a'), true);
  state.pods.delete(pod('a', { node: NODE, phase: 'Succeeded' }));
  t.equal(state.requestOf('a'), undefined);
  t.equal(state.hasFinished('a'), false);

  state.pods.update(pod('b', { node: NODE }));
  state.pods.delete(pod('b', { node: NODE, terminating: true }));
  t.equal(free(), 4, 'gone');
});

tap.test('a pod that asks for no GPU is not kept', async (t) => {
  const { state, list, complaints } = setUp();
  list(pod('a', { count: 0, node: NODE }));
  state.pods.update(pod('b', { count: 0 }));
  t.strictSame([state.requestOf('a'), state.requestOf('b')], [undefined, undefined]);
  t.strictSame(complaints, []);
});

tap.test('pods may be known before their node, and hold what it turns out to have', async (t) => {
  const { state, list, free } = setUp();
  list(pod('a', { node: 'later' }), pod('b', { node: 'later' }));
  t.equal(free('later'), 0);
  state.nodes.update(exclusiveNode({ name: 'later', gpus: 4 }));
  t.equal(free('later'), 2);
});

tap.test('the GPUs of a record are expected, unless it was made for another node', async (t) => {
  const { list, gpusOf } = setUp();
  list(pod('a', { node: NODE, gpu: 3 }), pod('b', { node: NODE, gpu: 2, recordedNode: 'elsewhere' }));
  t.strictSame(gpusOf('a'), [3]);
  t.strictSame(gpusOf('b'), [0]);
});

tap.test('a list replaces all that was known: who is not in it has gone', async (t) => {
  const { state, list, free } = setUp();
  list(pod('a', { node: NODE }), pod('b', { node: NODE, count: 2 }));
  t.equal(free(), 1);
  list(pod('b', { node: NODE, count: 2 }), pod('c', { node: NODE }));
  t.equal(free(), 1);
  t.strictSame(known(state, ['a', 'b', 'c']), ['b', 'c']);
  list();
  t.equal(free(), 4);
});

tap.test(
  'in a list, who has gone makes room before who has come: the newcomer gets the GPU of its record',
  async (t) => {
    const { list, gpusOf } = setUp();
    list(pod('a', { node: NODE, gpu: 2 }));
    list(pod('b', { node: NODE, gpu: 2 }));
    t.strictSame(gpusOf('b'), [2]);
  },
);

tap.test('a node that is not in the list has gone, and comes back with its pods', async (t) => {
  const { state, ledger, list, free } = setUp();
  list(pod('a', { node: NODE }));
  takeList(state.nodes, []);
  t.equal(ledger.load(NODE), undefined);
  takeList(state.nodes, [exclusiveNode({ name: NODE, gpus: 4 })]);
  t.equal(free(), 3);
  state.nodes.delete(exclusiveNode({ name: NODE, gpus: 4 }));
  t.equal(ledger.load(NODE), undefined);
});

tap.test('a node without GPUs is none of ours, also if it had some before', async (t) => {
  const { state, ledger, complaints } = setUp();
  const bare = (name: string) => ({ metadata: { name }, status: { allocatable: { cpu: '8' } } });
  const before = state.ledger.offersVersion;
  state.nodes.update(bare('cpu-node'));
  state.nodes.delete(bare('cpu-node'));
  t.equal(state.ledger.offersVersion, before);
  state.nodes.update(bare(NODE));
  t.equal(ledger.load(NODE), undefined);
  t.ok(state.ledger.offersVersion > before);
  takeList(state.nodes, [bare(NODE)]);
  t.strictSame(complaints, []);
});

tap.test('what cannot be read is complained about and left out, and takes nothing else with it', async (t) => {
  const { state, ledger, complaints, list, free } = setUp();
  const { spec } = pod('x') as { spec: object };
  const unreadable = [null, 'pod', {}, { metadata: { uid: 'x' } }, { metadata: { name: 'x' }, spec }];
  for (const object of unreadable) {
    complaints.length = 0;
    list(object as object, pod('a', { node: NODE }));
    t.equal(complaints.length, 1, JSON.stringify(object));
    t.equal(free(), 3);
    state.pods.update(object);
    t.equal(complaints.length, 2);
    state.pods.delete(object);
    t.strictSame(known(state, ['a', 'x', '']), ['a']);
  }
  complaints.length = 0;
  state.nodes.update({ metadata: {} });
  state.nodes.delete({ metadata: {} });
  t.equal(complaints.length, 1, 'one that has gone need not be readable');
  takeList(state.nodes, [{ metadata: {} }, mpsNode({ name: 'mps', gpus: 1, replicas: 4 })]);
  t.equal(complaints.length, 2);
  t.strictSame(
    [...ledger.nodes()].map(({ name }) => name),
    ['mps'],
  );
  t.equal(ledger.freeSlots('mps', SHARED_GPU), 4);
});

tap.test('a pod whose GPU quantity cannot be read is left out, with its name and the reason', async (t) => {
  const { state, complaints, free } = setUp();
  const { spec, ...rest } = pod('a', { node: NODE }) as { spec: object };
  const containers = [{ name: 'main', resources: { requests: { [WHOLE_GPU]: 'two' } } }];
  state.pods.update({ ...rest, spec: { ...spec, containers } });
  t.equal(free(), 4);
  t.match(complaints, [/left out.*"uid":"a".*two.*is not a Kubernetes quantity/]);
});

tap.test('heartbeats move no version', async (t) => {
  const { state, ledger, list } = setUp();
  list(pod('a', { node: NODE }), pod('b'));
  const versions = () => [state.ledger.offersVersion, ledger.load(NODE)?.version];
  const before = versions();
  const node = exclusiveNode({ name: NODE, gpus: 4 });
  const beat = (n: number) => ({
    metadata: { ...node.metadata, resourceVersion: String(n), annotations: { beat: String(n) } },
    status: { ...node.status, conditions: [{ type: 'Ready', lastHeartbeatTime: String(n) }] },
  });
  state.nodes.update(beat(1));
  takeList(state.nodes, [beat(2)]);
  state.pods.update({ ...pod('a', { node: NODE }), status: { phase: 'Running', podIP: '10.0.0.1' } });
  state.pods.update({ ...pod('b'), status: { phase: 'Pending', conditions: [] } });
  list(pod('a', { node: NODE }), pod('b'));
  t.strictSame(versions(), before);
});

tap.test('whatever moves a node moves its version', async (t) => {
  const { state, ledger } = setUp();
  const version = () => ledger.load(NODE)?.version;
  const seen = new Set([version()]);
  const moves = [
    () => state.pods.update(pod('a', { node: NODE })),
    () => state.pods.update(pod('a', { node: NODE, phase: 'Failed' })),
    () => state.nodes.update(exclusiveNode({ name: NODE, gpus: 8 })),
    () => takeList(state.nodes, [mpsNode({ name: NODE, gpus: 8, replicas: 2 })]),
  ];
  for (const move of moves) {
    move();
    t.notOk(seen.has(version()));
    seen.add(version());
  }
});

tap.test('a reservation is confirmed by the watch, and follows the pod to another node', async (t) => {
  const { state, ledger, reserve, free } = setUp();
  state.nodes.update(exclusiveNode({ name: 'other', gpus: 4 }));
  reserve('a');
  reserve('b');
  state.pods.update(pod('a', { node: NODE }));
  state.pods.update(pod('b', { node: 'other' }));
  t.equal(ledger.reservations(), 0);
  t.strictSame([free(), free('other')], [3, 3]);
});

tap.test(
  'a reservation does not end with a list that does not show its pod: its Binding may be under way',
  async (t) => {
    const { reserve, list, free } = setUp();
    reserve('a');
    list();
    list(pod('b'));
    list(pod('a'), pod('b'));
    t.equal(free(), 3);
  },
);

tap.test('a reservation ends with its pod, once that is known', async (t) => {
  const ends = [
    ({ state }: ReturnType<typeof setUp>) => state.pods.delete(pod('a')),
    ({ state }: ReturnType<typeof setUp>) => state.pods.update(pod('a', { phase: 'Failed' })),
    ({ list }: ReturnType<typeof setUp>) => list(),
  ];
  for (const end of ends) {
    const made = setUp();
    made.state.pods.update(pod('a'));
    made.reserve('a');
    end(made);
    t.equal(made.free(), 4);
  }
});

tap.test('while a list comes in, a slot that changes hands never counts as free', async (t) => {
  const { state, list, free, gpusOf } = setUp();
  list(pod('a', { node: NODE, gpu: 2, count: 1 }), pod('b', { node: NODE }), pod('c', { node: NODE }));
  const listing = state.pods.replace();
  listing.add([pod('b', { node: NODE })]);
  t.equal(free(), 1);
  listing.add([pod('d', { node: NODE, gpu: 2 })]);
  t.equal(free(), 0, 'a and c may have gone, but nobody has said so yet');
  listing.finish('');
  t.equal(free(), 2);
  t.strictSame(gpusOf('d'), [2], 'the GPU of its record, now that a has left it');
});

tap.test('a list that breaks off takes nothing away', async (t) => {
  const { state, list, free } = setUp();
  list(pod('a', { node: NODE }));
  state.pods.replace().add([pod('b', { node: NODE })]);
  t.equal(free(), 2);
  list(pod('a', { node: NODE }), pod('b', { node: NODE }));
  t.equal(free(), 2);
});

tap.test('a reservation of a pod that the list does not know yet stays', async (t) => {
  const { list, reserve, free } = setUp();
  reserve('young');
  list(pod('a', { node: NODE }));
  t.equal(free(), 2);
});

tap.test('soft taints are those of nodes with GPUs, as they are now', async (t) => {
  const { state } = setUp();
  const taints = [
    { key: 'spot', effect: 'PreferNoSchedule' },
    { key: 'gpu', effect: 'NoSchedule' },
  ];
  const tainted = { ...exclusiveNode({ name: NODE, gpus: 4 }), spec: { taints } };
  state.nodes.update(tainted);
  t.strictSame([...state.softTaints], [[NODE, [taints[0]]]]);
  state.nodes.update(exclusiveNode({ name: NODE, gpus: 4 }));
  t.equal(state.softTaints.size, 0);
  state.nodes.update(tainted);
  state.nodes.update({ metadata: { name: NODE }, spec: { taints }, status: { allocatable: { cpu: '1' } } });
  t.equal(state.softTaints.size, 0, 'it has no GPU any more');
});
