/** The ledger against a list of now: what lasts is a difference, what passes is not. */

import tap, { type Test } from 'tap';
import { WHOLE_GPU } from '#src/core/resources.ts';
import { KubeError } from '#src/kube/kube-client.ts';
import { CacheComparer } from '#src/state/cache-comparer.ts';
import { ClusterState } from '#src/state/cluster-state.ts';
import { takeList } from '../../fakes/listing.ts';
import { exclusiveNode, T4, timeSlicingNode } from '../../objects/nodes.ts';
import { NODE, pod } from './state.ts';

const HELD = `1 ${WHOLE_GPU} on ${NODE}`;

/** One node, pods a and b on it, of which the ledger knows; and an API server that says so. */
function setUp(t: Test, whileWaiting: (made: { state: ClusterState; truth: Truth }) => void = () => {}) {
  const truth: Truth = {
    nodes: [exclusiveNode({ name: NODE, gpus: 4 })],
    pods: [pod('a', { node: NODE }), pod('b', { node: NODE }), pod('waiting')],
  };
  const state = new ClusterState((message) => t.fail(message));
  const relist = () => {
    takeList(state.nodes, truth.nodes);
    takeList(state.pods, truth.pods);
  };
  relist();
  let lists = 0;
  let pauses = 0;
  let relists = 0;
  const comparer = new CacheComparer({
    client: {
      async json(_method, path) {
        lists += 1;
        const items = path.startsWith('/api/v1/nodes') ? truth.nodes : truth.pods;
        return { metadata: { resourceVersion: '1' }, items };
      },
    },
    state,
    resync: () => {
      relists += 1;
      relist();
    },
    pause: async () => {
      pauses += 1;
      whileWaiting({ state, truth });
    },
    signal: new AbortController().signal,
  });
  return { comparer, state, truth, counts: () => ({ lists, pauses, relists }) };
}

interface Truth {
  nodes: object[];
  pods: object[];
}

tap.test('a ledger that agrees is looked at once, and left alone', async (t) => {
  const { comparer, state, counts } = setUp(t);
  state.ledger.allocate({
    uid: 'waiting',
    pod: 'team/waiting',
    node: NODE,
    state: 'reserved',
    resources: [{ resource: WHOLE_GPU, count: 1 }],
  });
  const version = state.ledger.load(NODE)?.version;
  t.strictSame(await comparer.compare(), [], 'a reservation under way is no difference');
  t.strictSame(counts(), { lists: 2, pauses: 0, relists: 0 });
  t.equal(state.ledger.load(NODE)?.version, version);
});

type Made = ReturnType<typeof setUp>;
const LOST: readonly [what: string, spoil: (made: Made) => void, expected: object][] = [
  [
    'a pod that the ledger has lost',
    ({ state }) => state.ledger.release('a'),
    { kind: 'missing', object: 'pod', name: 'team/a', truth: HELD, ledger: 'nothing' },
  ],
  [
    'a pod that is gone, and still holds',
    ({ truth }) => truth.pods.splice(0, 1),
    { kind: 'leftover', object: 'pod', name: 'team/a', truth: 'nothing', ledger: HELD },
  ],
  [
    'a pod that has finished, and still holds',
    ({ truth }) => truth.pods.splice(0, 1, pod('a', { node: NODE, phase: 'Succeeded' })),
    { kind: 'leftover', object: 'pod', name: 'team/a', truth: 'nothing', ledger: HELD },
  ],
  [
    'a pod that holds something else',
    ({ truth }) => truth.pods.splice(0, 1, pod('a', { node: NODE, count: 2 })),
    { kind: 'different', object: 'pod', name: 'team/a', truth: `2 ${WHOLE_GPU} on ${NODE}`, ledger: HELD },
  ],
  [
    'a pod that is elsewhere',
    ({ truth }) => truth.pods.splice(0, 1, pod('a', { node: 'other' })),
    { kind: 'different', object: 'pod', name: 'team/a', truth: `1 ${WHOLE_GPU} on other`, ledger: HELD },
  ],
  [
    'a pod that was never bound',
    ({ truth }) => truth.pods.splice(0, 1, pod('a')),
    { kind: 'leftover', object: 'pod', name: 'team/a', truth: 'nothing', ledger: HELD },
  ],
  [
    'a node that the ledger does not know',
    ({ truth }) => truth.nodes.push(exclusiveNode({ name: 'new', gpus: 1 })),
    { kind: 'missing', object: 'node', name: 'new', ledger: 'nothing' },
  ],
  [
    'a node that has gone',
    ({ state }) => state.nodes.update(exclusiveNode({ name: 'old', gpus: 1 })),
    { kind: 'leftover', object: 'node', name: 'old', truth: 'nothing' },
  ],
  [
    'a node that offers something else',
    ({ truth }) => truth.nodes.splice(0, 1, exclusiveNode({ name: NODE, gpus: 8 })),
    { kind: 'different', object: 'node', name: NODE, truth: /"gpus":8/, ledger: /"gpus":4/ },
  ],
];
for (const [what, spoil, expected] of LOST) {
  tap.test(`${what} is found, and healed`, async (t) => {
    const made = setUp(t);
    spoil(made);
    const differences = await made.comparer.compare();
    t.equal(differences.length, 1);
    t.match(differences[0], expected);
    t.strictSame(made.counts(), { lists: 4, pauses: 1, relists: 1 });
    t.strictSame(await made.comparer.compare(), [], 'the next comparison finds nothing');
  });
}

tap.test('what the watch brings in the meantime is no difference', async (t) => {
  const late = pod('c', { node: NODE });
  const { comparer, truth, counts } = setUp(t, ({ state }) => state.pods.update(late));
  truth.pods.push(late);
  t.strictSame(await comparer.compare(), []);
  t.strictSame(counts(), { lists: 4, pauses: 1, relists: 0 });
});

tap.test('nor is one that differs at the second look only', async (t) => {
  const { comparer, state, counts } = setUp(t, ({ state, truth }) => {
    takeList(state.pods, truth.pods);
    truth.pods.push(pod('c', { node: NODE }));
  });
  state.ledger.release('b');
  t.strictSame(await comparer.compare(), []);
  t.equal(counts().relists, 0);
});

tap.test('nodes are read by the settings in force: `oversubscribe` is no difference', async (t) => {
  const sliced = timeSlicingNode({ name: NODE, gpus: 1, replicas: 4, gpu: T4 });
  const state = new ClusterState((message) => t.fail(message), { oversubscribe: true });
  takeList(state.nodes, [sliced]);
  t.equal(state.ledger.load(NODE)?.inventory.pools[0]?.slotMiB, 15_360, 'each slot has the memory of the whole GPU');
  const comparer = new CacheComparer({
    client: {
      json: async (_method, path) => ({
        metadata: { resourceVersion: '1' },
        items: path.startsWith('/api/v1/nodes') ? [sliced] : [],
      }),
    },
    state,
    resync: () => void t.fail('nothing is listed again'),
    pause: async () => void t.fail('nothing is looked at twice'),
    signal: new AbortController().signal,
  });
  t.strictSame(await comparer.compare(), []);
});

tap.test('whoever asks while it looks gets the same answer', async (t) => {
  const { comparer, counts } = setUp(t);
  const [one, other] = await Promise.all([comparer.compare(), comparer.compare()]);
  t.equal(one, other);
  t.equal(counts().lists, 2);
});

tap.test('an API server that cannot be asked is an error, and the next comparison asks again', async (t) => {
  let calls = 0;
  const state = new ClusterState(() => {});
  const comparer = new CacheComparer({
    client: {
      async json() {
        calls += 1;
        throw new KubeError('no', 500);
      },
    },
    state,
    resync: () => t.fail(),
    pause: async () => {},
    signal: new AbortController().signal,
  });
  await t.rejects(comparer.compare(), KubeError);
  await t.rejects(comparer.compare(), KubeError);
  t.equal(calls, 2);
});
