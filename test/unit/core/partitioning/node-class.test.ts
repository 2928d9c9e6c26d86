/** Which nodes are alike for a plan, and what might be made of them while pods hold a part of their GPUs. */

import tap from 'tap';
import { couldMakeRoom } from '#src/core/partitioning/node-class.ts';
import type { PlanningNode, PodDemand } from '#src/core/partitioning/plan-input.ts';
import { SHARED_GPU, WHOLE_GPU } from '#src/core/resources.ts';
import { demand, planningNode, searchable, shared } from './make.ts';

const MIG_1G = 'nvidia.com/mig-1g.5gb';
const MIG_3G = 'nvidia.com/mig-3g.20gb';
const MIXED = { layouts: [undefined, { '1g.5gb': 7 }, { '3g.20gb': 2 }], sharing: undefined };

const ALIKE: readonly [says: string, other: PlanningNode, classes: number][] = [
  ['the name does not matter', planningNode('b'), 1],
  ['the number of GPUs', planningNode('b', { gpus: 1 }), 2],
  ['the product', planningNode('b', { product: 'NVIDIA-L40S', gpuMiB: 49_152 }), 2],
  ['how they are shared', planningNode('b', { partition: shared(2, 'mps', 8) }), 2],
  ['what may be made of it', planningNode('b', { modes: ['mps'] }), 2],
  ['what may only be recommended', planningNode('b', { onlyRecommend: () => 'no' }), 2],
  ['a rest', planningNode('b', { cooldownMs: 1 }), 2],
  ['a node on its way to something else has no class', planningNode('b', { coming: shared(2, 'mps', 8) }), 1],
  ['nor has one of which nobody knows what it is', planningNode('b', { partition: undefined }), 1],
  ['nor one whose GPUs are all held', planningNode('b', { held: { [WHOLE_GPU]: 2 } }), 1],
  ['nor one of which nothing that is asked for can be made', planningNode('b', { modes: ['exclusive'] }), 1],
];
for (const [says, other, count] of ALIKE) {
  tap.test(`classes: ${says}`, async (t) => {
    const { classes } = searchable([planningNode('a'), other], [demand('d', 1, SHARED_GPU)]);
    t.equal(classes.length, count);
  });
}

tap.test('room beside GPUs tells nodes apart, not by a little', async (t) => {
  const rooms: Readonly<Record<string, number>> = { a: 100, b: 101, c: 10 };
  const waits = demand('d', 1, SHARED_GPU, { roomOn: (node) => rooms[node] ?? 0 });
  const { classes } = searchable(
    ['c', 'b', 'a', 'd'].map((name) => planningNode(name)),
    [waits],
  );
  t.strictSame(
    classes.map(({ candidates }) => candidates.map(({ name }) => name)),
    [['c'], ['a', 'b']],
  );
});

tap.test('GPUs with MIG are idle if none of their profiles is held', async (t) => {
  const node = planningNode('a', { gpus: 3, partition: MIXED, held: { [MIG_3G]: 1 } });
  const { classes } = searchable([node], [demand('d', 1, MIG_1G)]);
  t.match(classes, [{ idle: false, canReshare: true, idleMigGpus: [1] }]);
});

const ROOM: readonly [says: string, held: Record<string, number>, waits: PodDemand, could: boolean][] = [
  ['idle: anything', {}, demand('d', 1, SHARED_GPU, { mode: 'mps' }), true],
  ['an idle GPU with MIG can be cut otherwise', { [WHOLE_GPU]: 1 }, demand('d', 1, MIG_3G), true],
  ['none of them is idle', { [MIG_1G]: 1, [MIG_3G]: 1 }, demand('d', 1, 'nvidia.com/mig-2g.10gb'), false],
  ['MPS is not made beside MIG', { [MIG_1G]: 1 }, demand('d', 1, SHARED_GPU, { mode: 'mps' }), false],
  ['time-slices are', { [MIG_1G]: 1 }, demand('d', 1, SHARED_GPU, { mode: 'timeslicing' }), true],
  ['not of GPUs that are held', { [WHOLE_GPU]: 1 }, demand('d', 1, SHARED_GPU, { mode: 'timeslicing' }), false],
  ['what no such node holds', {}, demand('d', 1, WHOLE_GPU, { count: 4 }), false],
];
for (const [says, held, waits, could] of ROOM) {
  tap.test(`${could ? 'room could be made' : 'no room'}: ${says}`, async (t) => {
    const node = planningNode('a', { gpus: 3, partition: MIXED, held });
    const { classes, demandClasses } = searchable([node], [waits, demand('always', 1, MIG_1G)]);
    const [each] = demandClasses.filter(({ demand: { pods } }) => pods[0] === 'd/0');
    const [found] = classes;
    t.equal(each && found && couldMakeRoom(found, each), could);
  });
}
