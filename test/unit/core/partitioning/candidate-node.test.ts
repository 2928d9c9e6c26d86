/** A node while a plan is made: what is free on it, for whom, and how its room beside GPUs is rounded. */

import tap from 'tap';
import { CandidateNode, scaledRoom } from '#src/core/partitioning/candidate-node.ts';
import { GpuTypes } from '#src/core/partitioning/gpu-type.ts';
import type { PlanningNode } from '#src/core/partitioning/plan-input.ts';
import { SHARED_GPU, WHOLE_GPU } from '#src/core/resources.ts';
import { demand, demandClass, planningNode, shared } from './make.ts';

const MIG_1G = 'nvidia.com/mig-1g.5gb';
const BY_MPS = shared(2, 'mps', 4);

function candidate(options?: Parameters<typeof planningNode>[1]): CandidateNode {
  const node = planningNode('a', options);
  return new CandidateNode(node, new GpuTypes().of(node.inventory), []);
}

const waits = (resource: string, options?: Parameters<typeof demand>[3]) =>
  demandClass(demand('d', 1, resource, options));

/** What `roomOn` says, and the room that is counted on. */
const ROOMS: readonly [says: string, room: number, counted: number][] = [
  ['none', 0, 0],
  ['less than a pod', 0.99, 0],
  ['less than none', -3, 0],
  ['nobody can tell', Number.NaN, 0],
  ['one pod', 1, 1],
  ['up to 15 as it is', 15, 15],
  ['from 16 on by 2', 17, 16],
  ['from 32 on by 4', 35, 32],
  ['a kubelet’s 110', 110, 104],
  ['whole pods only', 7.9, 7],
  ['no bound', Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY],
];
for (const [says, room, counted] of ROOMS) {
  tap.test(`room, rounded down to four bits: ${says}`, async (t) => {
    t.equal(candidate().room(waits(WHOLE_GPU, { roomOn: () => room })), counted);
  });
}

tap.test('the room of a node is asked for once, whichever candidate is made of it', async (t) => {
  let asked = 0;
  const each = waits(WHOLE_GPU, {
    roomOn: (node) => {
      asked += 1;
      return node === 'a' ? 3 : 0;
    },
  });
  const before = candidate();
  const after = before.changedTo(BY_MPS);
  t.strictSame([before.room(each), after.room(each), before.room(each)], [3, 3, 3]);
  t.equal(asked, 1);
});

const SCALED: readonly [room: number, left: number, pods: number][] = [
  [3, 1, 3],
  [3, 2 / 3, 2],
  [3, 1 - 1 / 3 - 1 / 3, 1],
  [10, 0.29, 2],
  [10, 0, 0],
  [10, -0.5, 0],
  [0, 1, 0],
  [Number.POSITIVE_INFINITY, 0, Number.POSITIVE_INFINITY],
];
for (const [room, left, pods] of SCALED) {
  tap.test(`of a room for ${room}, ${left} leaves room for ${pods}`, async (t) =>
    t.equal(scaledRoom(room, left), pods),
  );
}

tap.test('placed one by one, a node takes just the pods that it has room for', async (t) => {
  for (const room of [1, 3, 7, 11, 13, 15, 26, 104]) {
    const node = candidate({ gpus: 4, partition: shared(4, 'timeslicing', 32) });
    const each = waits(SHARED_GPU, { roomOn: () => room });
    let placed = 0;
    for (; node.takes(each) > 0; placed += 1) {
      t.equal(node.takes(each), room - placed);
      node.place(each, 1);
    }
    t.equal(placed, room);
    for (; placed > 0; placed -= 1) node.place(each, -1);
    t.equal(node.takes(each), room, 'and as many again when they have left');
  }
});

/** Pods of one slot each of which the node takes. */
const TAKES: readonly [says: string, node: CandidateNode, takes: number, options?: Parameters<typeof demand>[3]][] = [
  ['what is free', candidate({ partition: BY_MPS, held: { [SHARED_GPU]: 3 } }), 5],
  ['no more than it has room for', candidate({ partition: BY_MPS }), 6, { roomOn: () => 6 }],
  [
    'all slots of a pod, or none',
    candidate({ partition: BY_MPS, held: { [SHARED_GPU]: 3 } }),
    2,
    { count: 2, largestContainer: 1 },
  ],
  ['more slots than there are', candidate({ partition: BY_MPS }), 0, { count: 9, largestContainer: 1 }],
  ['nothing where it shrank under its pods', candidate({ partition: BY_MPS, held: { [SHARED_GPU]: 11 } }), 0],
  ['nothing that it does not offer', candidate(), 0],
  ['not in another mode', candidate({ partition: BY_MPS }), 0, { mode: 'timeslicing' }],
  ['not two slots of MPS for one container', candidate({ partition: BY_MPS }), 0, { count: 2 }],
  ['not slots that are too small', candidate({ partition: BY_MPS }), 0, { slotMiB: 10_241 }],
  ['slots that are just large enough', candidate({ partition: BY_MPS }), 8, { slotMiB: 10_240, slotMilli: 250 }],
  ['nothing while nobody knows what it becomes', candidate({ partition: BY_MPS, inTransition: true }), 0],
  ['what it becomes', candidate({ coming: BY_MPS, inTransition: true }), 8],
  ['what it becomes, and no more than that', candidate({ partition: BY_MPS, coming: shared(2, 'mps', 2) }), 4],
];
for (const [says, node, takes, options] of TAKES) {
  tap.test(`takes ${says}`, async (t) => t.equal(node.takes(waits(SHARED_GPU, options)), takes));
}

tap.test('a pod suits that could have slots of it, were they free', async (t) => {
  const full = () => candidate({ partition: BY_MPS, held: { [SHARED_GPU]: 8 } });
  t.equal(full().suits(waits(SHARED_GPU)), true);
  t.equal(full().suits(waits(SHARED_GPU, { roomOn: () => 0.5 })), false, 'it has no room beside its GPUs');
  t.equal(full().suits(waits(SHARED_GPU, { mode: 'timeslicing' })), false);
  t.equal(full().suits(waits(WHOLE_GPU)), false);
});

tap.test('what is being changed offers nothing, or what it becomes', async (t) => {
  const nobodyKnows = candidate({ partition: BY_MPS, inTransition: true });
  t.strictSame([nobodyKnows.offers, nobodyKnows.freeSlots(SHARED_GPU)], [undefined, 0]);
  t.equal(candidate({ coming: BY_MPS, inTransition: true }).freeSlots(SHARED_GPU), 8);
});

tap.test('one pod of a demand leaves that much less room for those of another', async (t) => {
  const node = candidate({ partition: BY_MPS });
  const [large, small] = [
    demandClass(demand('d', 1, SHARED_GPU, { roomOn: () => 2 })),
    { ...demandClass(demand('e', 1, SHARED_GPU, { roomOn: () => 10 })), index: 1 },
  ];
  node.place(large, 1);
  t.strictSame([node.takes(large), node.takes(small)], [1, 5]);
  t.strictSame([...node.pods], [[0, 1]]);
  node.place(large, -1);
  t.strictSame([...node.pods], []);
  t.equal(node.idle, true);
});

const STATES: readonly [says: string, node: PlanningNode, idle: boolean, changeable: boolean][] = [
  ['nobody holds anything', planningNode('a'), true, true],
  ['nor slots of which none are held', planningNode('a', { held: { [MIG_1G]: 0 } }), true, true],
  ['a pod holds a GPU', planningNode('a', { held: { [WHOLE_GPU]: 1 } }), false, true],
  ['nobody knows how it is partitioned', planningNode('a', { partition: undefined }), true, false],
  ['a GPU is missing in what is known', planningNode('a', { partition: shared(1, 'mps', 4) }), true, false],
  ['it is on its way', planningNode('a', { coming: BY_MPS }), true, false],
  ['something changes it', planningNode('a', { inTransition: true }), true, false],
];
for (const [says, node, idle, changeable] of STATES) {
  tap.test(`${says}: ${idle ? 'idle' : 'busy'}, ${changeable ? 'may be changed' : 'is left alone'}`, async (t) => {
    const { idle: isIdle, changeable: mayChange } = new CandidateNode(node, new GpuTypes().of(node.inventory), []);
    t.strictSame([isIdle, mayChange], [idle, changeable]);
  });
}

tap.test('changed, it keeps its pods and what they leave of its room, and is not changed again', async (t) => {
  const before = candidate({ partition: BY_MPS });
  const each = waits(SHARED_GPU, { roomOn: () => 4 });
  before.place(each, 3);
  const after = before.changedTo(shared(2, 'mps', 8));
  t.equal(after.changeable, false);
  t.equal(after.freeSlots(SHARED_GPU), 13);
  t.equal(after.takes(each), 1);
  t.strictSame([...after.pods], [], 'they are not moved any more');
  after.place(each, 1);
  t.equal(before.freeSlots(SHARED_GPU), 5, 'nor is the one before touched');
});
