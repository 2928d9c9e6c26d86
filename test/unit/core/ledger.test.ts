/** Who holds what, told step by step. */

import tap, { type Test as Tap } from 'tap';
import { type AllocateOptions, Ledger } from '#src/core/ledger.ts';
import { SHARED_GPU, WHOLE_GPU } from '#src/core/resources.ts';
import { node, sharedNode } from '../make.ts';

const NODE = 'gpu-node-01';
const MIG_3G = 'nvidia.com/mig-3g.20gb';

/** A pod's allocation: one slot of a shared GPU, confirmed. */
function pod(
  uid: string,
  options: Partial<AllocateOptions> & { count?: number; resource?: string; gpus?: number[] } = {},
) {
  const { count = 1, resource = SHARED_GPU, gpus, ...rest } = options;
  const expected = gpus && new Map([[resource, gpus]]);
  const resources = [{ resource, count }];
  return {
    uid,
    pod: `team/${uid}`,
    node: NODE,
    state: 'confirmed',
    resources,
    ...(expected && { expected }),
    ...rest,
  } as const;
}

function ledgerOf(...nodes: ReturnType<typeof node>[]): Ledger {
  const ledger = new Ledger();
  for (const inventory of nodes) ledger.setNode(inventory);
  return ledger;
}

/** The GPUs that each of the pods is expected on. */
function gpus(ledger: Ledger, ...uids: string[]): (readonly number[] | undefined)[] {
  return uids.map((uid) => ledger.allocationOf(uid)?.holdings[0]?.gpus);
}

const figures = (ledger: Ledger, name = NODE, resource = SHARED_GPU) => ({
  free: ledger.freeSlots(name, resource),
  heldMilli: ledger.load(name)?.heldMilli,
});

tap.test('a pod takes slots, and gives back exactly those', async (t) => {
  const ledger = ledgerOf(sharedNode('mps', 4, { gpus: 2 }));
  t.strictSame(figures(ledger), { free: 8, heldMilli: 0 });
  t.strictSame(ledger.allocate(pod('a', { count: 3 })), {
    uid: 'a',
    pod: 'team/a',
    node: NODE,
    state: 'confirmed',
    holdings: [{ resource: SHARED_GPU, count: 3, gpus: [0, 0, 0], wished: [0, 0, 0] }],
  });
  ledger.allocate(pod('b'));
  t.strictSame(figures(ledger), { free: 4, heldMilli: 1_000 });
  t.equal(ledger.release('a'), true);
  t.strictSame(figures(ledger), { free: 7, heldMilli: 250 });
  t.equal(ledger.release('a'), false, 'what is gone cannot go again');
  t.strictSame(figures(ledger), { free: 7, heldMilli: 250 });
});

tap.test('the device plugin packs: the fullest GPU that has room', async (t) => {
  const ledger = ledgerOf(sharedNode('mps', 2, { gpus: 3 }));
  for (const uid of ['a', 'b', 'c', 'd', 'e']) ledger.allocate(pod(uid));
  t.strictSame(gpus(ledger, 'a', 'b', 'c', 'd', 'e'), [[0], [0], [1], [1], [2]]);
  ledger.release('c');
  ledger.release('b');
  ledger.allocate(pod('f', { count: 2 }));
  t.strictSame(gpus(ledger, 'f'), [[0, 1]], 'gaps are filled before an emptier GPU is touched');
});

tap.test('a record tells the GPU, where that GPU has room', async (t) => {
  const ledger = ledgerOf(sharedNode('mps', 2, { gpus: 3 }));
  ledger.allocate(pod('a', { count: 2, gpus: [2, 1] }));
  t.strictSame(gpus(ledger, 'a'), [[2, 1]]);
  ledger.allocate(pod('b', { count: 2, gpus: [2, 2] }));
  t.strictSame(gpus(ledger, 'b'), [[2, 1]], 'the second slot of GPU 2 is the last');
  for (const [uid, hostile] of [
    ['c', -1],
    ['d', 99],
    ['e', 1e9],
  ] as const)
    ledger.allocate(pod(uid, { gpus: [hostile] }));
  t.strictSame(gpus(ledger, 'c', 'd', 'e'), [[0], [0], []], 'a GPU that does not exist has no room');
});

tap.test('what a record tells counts the same, whichever is known first, the pod or its node', async (t) => {
  const inventory = sharedNode('mps', 4, { gpus: 4 });
  const after = ledgerOf(inventory);
  after.allocate(pod('a', { gpus: [3] }));
  const before = new Ledger();
  before.allocate(pod('a', { gpus: [3] }));
  t.equal(before.load(NODE), undefined);
  t.equal(before.freeSlots(NODE, SHARED_GPU), 0);
  before.setNode(inventory);
  t.strictSame(gpus(before, 'a'), [[3]]);
  t.strictSame(gpus(before, 'a'), gpus(after, 'a'));
  t.strictSame(figures(before), figures(after));
});

tap.test('a node that goes and comes back finds its pods where they were', async (t) => {
  const inventory = sharedNode('mps', 4, { gpus: 4 });
  const leave: Record<string, (ledger: Ledger) => void> = {
    'the node is removed': (ledger) => ledger.removeNode(NODE),
    'the device plugin restarts': (ledger) => ledger.setNode({ ...inventory, pools: [] }),
    'a GPU falls ill': (ledger) =>
      ledger.setNode(sharedNode('mps', 4, { gpus: 4, allocatable: new Map([[SHARED_GPU, 4]]) })),
  };
  for (const [what, go] of Object.entries(leave)) {
    const ledger = ledgerOf(inventory);
    ledger.allocate(pod('recorded', { gpus: [3] }));
    ledger.allocate(pod('first', { count: 4 }));
    ledger.allocate(pod('second'));
    t.strictSame(gpus(ledger, 'recorded', 'first', 'second'), [[3], [3, 3, 3, 0], [0]]);
    ledger.release('first');
    go(ledger);
    ledger.setNode(inventory);
    t.strictSame(gpus(ledger, 'recorded', 'second'), [[3], [0]], what);
    t.strictSame(figures(ledger), { free: 14, heldMilli: 500 }, what);
  }
});

tap.test('a removed node offers nothing; its pods are remembered until they go', async (t) => {
  const ledger = ledgerOf(sharedNode('mps', 4, { gpus: 1 }));
  ledger.allocate(pod('a'));
  ledger.removeNode(NODE);
  t.equal(ledger.load(NODE), undefined);
  t.strictSame([...ledger.nodes()], []);
  t.equal(ledger.freeSlots(NODE, SHARED_GPU), 0);
  t.strictSame(
    [...ledger.allocationsOn(NODE)].map(({ uid }) => uid),
    ['a'],
  );
  t.strictSame(gpus(ledger, 'a'), [[]], 'expected nowhere now');
  ledger.release('a');
  t.strictSame([...ledger.allocationsOn(NODE)], []);
  ledger.removeNode('never-heard-of');
  t.equal(ledger.release('never-heard-of'), false);
});

tap.test('a node that shrinks under its pods has nothing free, and never less', async (t) => {
  const ledger = ledgerOf(sharedNode('mps', 4, { gpus: 2 }));
  for (const uid of ['a', 'b', 'c']) ledger.allocate(pod(uid, { count: 2 }));
  ledger.setNode(sharedNode('mps', 4, { gpus: 1 }));
  t.strictSame(figures(ledger), { free: 0, heldMilli: 1_500 });
  t.strictSame(gpus(ledger, 'a', 'b', 'c'), [[0, 0], [0, 0], []]);
  ledger.release('a');
  t.strictSame(figures(ledger), { free: 0, heldMilli: 1_000 });
  ledger.release('b');
  t.strictSame(figures(ledger), { free: 2, heldMilli: 500 });
});

tap.test('when a node changes its mode, pods keep what they hold of a resource that is gone', async (t) => {
  const ledger = ledgerOf(node({ gpus: 2 }));
  ledger.allocate(pod('whole', { resource: WHOLE_GPU }));
  ledger.setNode(sharedNode('timeslicing', 4, { gpus: 2 }));
  t.match(ledger.allocationOf('whole')?.holdings, [{ resource: WHOLE_GPU, count: 1, gpus: [] }]);
  t.equal(ledger.freeSlots(NODE, WHOLE_GPU), 0);
  ledger.allocate(pod('slot'));
  ledger.release('whole');
  t.strictSame(figures(ledger), { free: 7, heldMilli: 250 }, 'the slot stays when the other goes');
  ledger.setNode(sharedNode('timeslicing', 8, { gpus: 2 }));
  t.strictSame(figures(ledger), { free: 15, heldMilli: 125 }, 'a slot is what it is now');
});

tap.test('pools of one node are counted apart', async (t) => {
  const ledger = ledgerOf(
    node({
      gpus: 2,
      allocatable: new Map([
        [WHOLE_GPU, 1],
        [MIG_3G, 2],
      ]),
    }),
  );
  ledger.allocate({
    ...pod('a'),
    resources: [
      { resource: WHOLE_GPU, count: 1 },
      { resource: MIG_3G, count: 1 },
    ],
  });
  t.equal(ledger.freeSlots(NODE, WHOLE_GPU), 0);
  t.equal(ledger.freeSlots(NODE, MIG_3G), 1);
  t.equal(ledger.freeSlots(NODE, SHARED_GPU), 0, 'not offered');
  t.match(ledger.load(NODE), { heldMilli: 1_428, totalMilli: 2_000 });
  t.strictSame(
    ledger.allocationOf('a')?.holdings.map((holding) => holding.gpus),
    [[0], [1]],
  );
});

tap.test('a pod may claim any number of slots without being admitted', async (t) => {
  const ledger = ledgerOf(sharedNode('mps', 4, { gpus: 1 }));
  ledger.allocate(pod('a'));
  ledger.allocate(pod('greedy', { count: 2 ** 20 }));
  t.strictSame(gpus(ledger, 'greedy'), [[0, 0, 0]]);
  t.equal(ledger.freeSlots(NODE, SHARED_GPU), 0);
  ledger.release('greedy');
  t.strictSame(figures(ledger), { free: 3, heldMilli: 250 });
});

tap.test('a reservation becomes a confirmed allocation, on the same GPUs', async (t) => {
  const ledger = ledgerOf(sharedNode('mps', 4, { gpus: 2 }));
  const reserved = ledger.allocate(pod('a', { state: 'reserved', gpus: [1] }));
  t.equal(ledger.reservations(), 1);
  const confirmed = ledger.allocate(pod('a'));
  t.strictSame(confirmed, { ...reserved, state: 'confirmed' });
  t.equal(ledger.allocationOf('a'), confirmed);
  t.strictSame([...ledger.allocationsOn(NODE)], [confirmed]);
  t.equal(ledger.reservations(), 0);
  t.strictSame(figures(ledger), { free: 7, heldMilli: 250 }, 'and is counted once');
});

tap.test('only a reservation can be taken back', async (t) => {
  const ledger = ledgerOf(sharedNode('mps', 4, { gpus: 1 }));
  ledger.allocate(pod('a', { state: 'reserved' }));
  ledger.allocate(pod('b'));
  t.equal(ledger.releaseReservation('b'), false);
  t.equal(ledger.releaseReservation('a'), true);
  t.equal(ledger.releaseReservation('a'), false);
  t.strictSame(figures(ledger), { free: 3, heldMilli: 250 });
});

tap.test('what the API server confirmed, no late reservation undoes', async (t: Tap) => {
  const ledger = ledgerOf(sharedNode('mps', 4, { gpus: 1 }), sharedNode('mps', 4, { gpus: 1, name: 'gpu-node-02' }));
  const confirmed = ledger.allocate(pod('a'));
  const late = {
    'on the same node': pod('a', { state: 'reserved' }),
    'on another node': pod('a', { state: 'reserved', node: 'gpu-node-02' }),
    'of other slots': pod('a', { state: 'reserved', count: 2 }),
  };
  for (const [which, reservation] of Object.entries(late)) {
    t.equal(ledger.allocate(reservation), confirmed, which);
    t.equal(ledger.releaseReservation('a'), false, which);
    t.strictSame([figures(ledger).free, figures(ledger, 'gpu-node-02').free], [3, 4], which);
  }
});

tap.test('news of another node or of other slots moves the pod', async (t) => {
  const ledger = ledgerOf(sharedNode('mps', 4, { gpus: 1 }), sharedNode('mps', 4, { gpus: 1, name: 'gpu-node-02' }));
  ledger.allocate(pod('a', { state: 'reserved' }));
  ledger.allocate(pod('a', { node: 'gpu-node-02' }));
  t.strictSame([figures(ledger).free, figures(ledger, 'gpu-node-02').free], [4, 3], 'bound elsewhere');
  ledger.allocate(pod('a', { node: 'gpu-node-02', count: 2 }));
  t.strictSame([figures(ledger).free, figures(ledger, 'gpu-node-02').free], [4, 2], 'holds two');
  t.equal(ledger.allocationOf('a')?.holdings[0]?.count, 2);
});

tap.test('the version moves with every change, and never comes back', async (t) => {
  const inventory = sharedNode('mps', 4, { gpus: 1 });
  const ledger = ledgerOf(inventory, sharedNode('mps', 4, { gpus: 1, name: 'gpu-node-02' }));
  const seen = new Set([ledger.load(NODE)?.version]);
  const steps: [string, () => unknown][] = [
    ['a pod comes', () => ledger.allocate(pod('a'))],
    ['a pod goes', () => ledger.release('a')],
    ['the node changes', () => ledger.setNode(inventory)],
    ['the node leaves and returns', () => [ledger.removeNode(NODE), ledger.setNode(inventory)]],
    ['a pod comes again', () => ledger.allocate(pod('a'))],
    ['a pod moves away', () => ledger.allocate(pod('a', { node: 'gpu-node-02' }))],
  ];
  for (const [what, step] of steps) {
    step();
    const version = ledger.load(NODE)?.version;
    t.notOk(seen.has(version), what);
    seen.add(version);
  }
  ledger.allocate(pod('b', { node: 'gpu-node-02' }));
  t.ok(seen.has(ledger.load(NODE)?.version), 'what happens elsewhere does not move it');
});
