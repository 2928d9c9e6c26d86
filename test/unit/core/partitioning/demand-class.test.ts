/** Demands in the order in which they are served, what they are worth, and what could hold them. */

import tap from 'tap';
import { inOrder, maxPodsOn, maxReplicasOn, modesFor } from '#src/core/partitioning/demand-class.ts';
import { GpuTypes } from '#src/core/partitioning/gpu-type.ts';
import type { PodDemand } from '#src/core/partitioning/plan-input.ts';
import { SHARED_GPU, WHOLE_GPU } from '#src/core/resources.ts';
import { demand, demandClass, planningNode } from './make.ts';

const MIG_1G = 'nvidia.com/mig-1g.5gb';
const MIG_3G = 'nvidia.com/mig-3g.20gb';
const NODES = {
  a100: planningNode('a'),
  a30: planningNode('b', { product: 'NVIDIA-A30', gpuMiB: 24_576 }),
  v100: planningNode('c', { product: 'Tesla-V100-SXM2-16GB', gpuMiB: 16_384 }),
  t4: planningNode('d', { product: 'Tesla-T4', gpuMiB: 15_360, oversubscribe: true }),
};
const typeOf = (name: keyof typeof NODES) => new GpuTypes().of(NODES[name].inventory);
const A100 = typeOf('a100');
/** Of a product that nobody knows, and whose memory no label tells. */
const UNKNOWN = new GpuTypes().of({ ...NODES.a100.inventory, product: 'NVIDIA-Z1', gpuMiB: undefined });

const WEIGHTS: readonly [says: string, demand: PodDemand, milli: number, on?: keyof typeof NODES][] = [
  ['a whole GPU', demand('d', 1, WHOLE_GPU), 1000],
  ['several', demand('d', 1, WHOLE_GPU, { count: 3 }), 3000],
  ['the smallest slot that may be made for it', demand('d', 1, SHARED_GPU), 125],
  ['what it declares, if that is more', demand('d', 1, SHARED_GPU, { slotMilli: 300 }), 300],
  ['but no less than the slot', demand('d', 1, SHARED_GPU, { slotMilli: 10 }), 125],
  ['each of its slots', demand('d', 1, SHARED_GPU, { count: 2, slotMilli: 300 }), 600],
  ['a slot of a third is rounded down', demand('d', 1, SHARED_GPU, { maxReplicas: 3 }), 333],
  ['whoever may share with nobody has all of it', demand('d', 1, SHARED_GPU, { maxReplicas: 0 }), 1000],
  ['an instance: its compute slices', demand('d', 1, MIG_3G), 428],
  ['of a GPU of four slices', demand('d', 1, 'nvidia.com/mig-2g.12gb'), 500, 'a30'],
  ['of a GPU that nobody has: of seven', demand('d', 1, 'nvidia.com/mig-2g.12gb'), 285],
  ['something that is no profile is worth nothing', demand('d', 1, 'nvidia.com/mig-huge'), 0],
];
for (const [says, each, milli, on = 'a100'] of WEIGHTS) {
  tap.test(`a pod is worth ${milli}: ${says}`, async (t) => t.equal(demandClass(each, NODES[on]).weight, milli));
}

const ORDERS: readonly [says: string, first: PodDemand, second: PodDemand][] = [
  ['priority before all', demand('a', 1, SHARED_GPU, { priority: 1 }), demand('b', 9, WHOLE_GPU)],
  ['no priority before a negative one', demand('a', 1, SHARED_GPU), demand('b', 1, WHOLE_GPU, { priority: -1 })],
  ['then who is worth most for each slot', demand('a', 1, WHOLE_GPU), demand('b', 1, MIG_3G, { count: 3 })],
  ['then who needs most slots at once', demand('a', 1, WHOLE_GPU, { count: 2 }), demand('b', 1, WHOLE_GPU)],
  ['then who takes one mode only', demand('a', 1, SHARED_GPU, { mode: 'mps' }), demand('b', 1, SHARED_GPU)],
  ['then who needs most memory', demand('a', 1, SHARED_GPU, { slotMiB: 2 }), demand('b', 1, SHARED_GPU)],
  [
    'then who may share with the fewest',
    demand('a', 1, SHARED_GPU, { slotMilli: 500, maxReplicas: 2 }),
    demand('b', 1, SHARED_GPU, { slotMilli: 500 }),
  ],
];
const inTheirOrder = (...demands: PodDemand[]) => inOrder(demands, [A100]).map(({ demand: { pods } }) => pods[0]);
for (const [says, first, second] of ORDERS) {
  tap.test(`order: ${says}`, async (t) => {
    t.strictSame(inTheirOrder(first, second), ['a/0', 'b/0']);
    t.strictSame(inTheirOrder(second, first), ['a/0', 'b/0'], 'whoever came first');
  });
}

tap.test('order: of equals, who came first', async (t) => {
  t.strictSame(inTheirOrder(demand('b', 1, WHOLE_GPU), demand('a', 1, WHOLE_GPU)), ['b/0', 'a/0']);
});

tap.test('ranks count priorities, not pods; a demand of no pods is left out', async (t) => {
  const classes = inOrder(
    [
      demand('a', 1, WHOLE_GPU, { priority: 5 }),
      demand('b', 1, SHARED_GPU, { priority: 5 }),
      demand('c', 0, WHOLE_GPU, { priority: 5 }),
      demand('d', 1, WHOLE_GPU, { priority: -2_000 }),
    ],
    [A100],
  );
  t.match(classes, [
    { index: 0, rank: 0 },
    { index: 1, rank: 0 },
    { index: 2, rank: 1 },
  ]);
  t.strictSame(inOrder([], []), []);
});

const REPLICAS: readonly [
  says: string,
  options: Partial<PodDemand>,
  mps: number | undefined,
  time: number | undefined,
  on?: typeof A100,
][] = [
  ['as many as it lets', { maxReplicas: 10 }, 10, 10],
  ['the usual numbers, and the bound itself', { maxReplicas: 12, slotMilli: 100 }, 8, 8],
  ['no fewer than two', { maxReplicas: 1 }, undefined, undefined],
  ['as many as its memory lets', { slotMiB: 9_000 }, 4, 4],
  ['just its memory', { slotMiB: 5_120 }, 8, 8],
  ['just its share', { slotMilli: 125 }, 8, 8],
  ['more than that', { slotMilli: 126 }, 4, 4],
  ['more than half a GPU', { slotMilli: 501 }, undefined, undefined],
  ['one mode only', { mode: 'mps' }, 8, undefined],
  ['two slots of one container', { count: 2 }, undefined, 8],
  ['of two containers', { count: 2, largestContainer: 1 }, 8, 8],
  ['MPS of an old GPU takes 16', { maxReplicas: 64 }, 16, 64, typeOf('v100')],
  ['of a new one 48', { maxReplicas: 64 }, 48, 64],
  ['memory that time-slices have together', { slotMiB: 15_000 }, undefined, 8, typeOf('t4')],
  ['memory that nobody knows', { slotMiB: 99_999 }, 8, 8, UNKNOWN],
];
for (const [says, options, mps, time, on = A100] of REPLICAS) {
  tap.test(`slots of one GPU: ${says}`, async (t) => {
    const each = demandClass(demand('d', 1, SHARED_GPU, options));
    t.strictSame([maxReplicasOn(each, 'mps', on), maxReplicasOn(each, 'timeslicing', on)], [mps, time]);
  });
}

/** On a node of two GPUs. */
const HOLDS: readonly [says: string, demand: PodDemand, modes: readonly string[], pods: number, on?: typeof A100][] = [
  ['whole GPUs', demand('d', 1, WHOLE_GPU), ['exclusive'], 2],
  ['both for one pod', demand('d', 1, WHOLE_GPU, { count: 2 }), ['exclusive'], 1],
  ['more than there are', demand('d', 1, WHOLE_GPU, { count: 3 }), [], 0],
  ['more memory than a GPU has', demand('d', 1, WHOLE_GPU, { slotMiB: 40_961 }), [], 0],
  ['just as much', demand('d', 1, WHOLE_GPU, { slotMiB: 40_960, slotMilli: 1000 }), ['exclusive'], 2],
  ['more than one GPU for one', demand('d', 1, WHOLE_GPU, { slotMilli: 1001 }), [], 0],
  ['a whole GPU, and yet shared', demand('d', 1, WHOLE_GPU, { mode: 'mps' }), [], 0],
  ['slots of both kinds', demand('d', 1, SHARED_GPU), ['mps', 'timeslicing'], 16],
  ['of which some remain', demand('d', 1, SHARED_GPU, { count: 3, largestContainer: 1 }), ['mps', 'timeslicing'], 5],
  ['too large for a slot', demand('d', 1, SHARED_GPU, { slotMiB: 20_481 }), [], 0],
  ['instances', demand('d', 1, MIG_1G), ['mig'], 14],
  ['two of them at once', demand('d', 1, MIG_3G, { count: 2 }), ['mig'], 2],
  ['more than fit', demand('d', 1, MIG_3G, { count: 5 }), [], 0],
  ['an instance that is too small', demand('d', 1, MIG_1G, { slotMiB: 4_865 }), [], 0],
  ['a share that is too small', demand('d', 1, MIG_1G, { slotMilli: 143 }), [], 0],
  ['of another product', demand('d', 1, MIG_1G), [], 0, typeOf('a30')],
  ['no MIG at all', demand('d', 1, MIG_1G), [], 0, typeOf('v100')],
  ['an unknown product: whole', demand('d', 1, WHOLE_GPU, { slotMiB: 99_999 }), ['exclusive'], 2, UNKNOWN],
  ['an unknown product: shared', demand('d', 1, SHARED_GPU), ['mps', 'timeslicing'], 16, UNKNOWN],
  ['an unknown product: not cut', demand('d', 1, MIG_1G), [], 0, UNKNOWN],
];
for (const [says, each, modes, pods, on = A100] of HOLDS) {
  tap.test(`two GPUs hold ${pods}: ${says}`, async (t) => {
    t.strictSame(modesFor(demandClass(each), on, 2), modes);
    t.equal(maxPodsOn(demandClass(each), on, 2), pods);
  });
}

tap.test('no GPU holds nothing', async (t) => {
  for (const resource of [WHOLE_GPU, SHARED_GPU, MIG_1G])
    t.equal(maxPodsOn(demandClass(demand('d', 1, resource)), A100, 0), 0);
});
