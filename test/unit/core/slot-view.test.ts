/** A node in the eyes of a strategy: how much of each GPU is free for one kind of slot. */

import tap from 'tap';
import type { NodeInventory } from '#src/core/inventory.ts';
import { migResource, WHOLE_GPU } from '#src/core/resources.ts';
import { SlotView } from '#src/core/slot-view.ts';
import { node, sharedNode } from '../make.ts';

function view(inventory: NodeInventory, taken?: readonly number[]): SlotView {
  const [pool] = inventory.pools;
  if (!pool) throw new Error('it offers nothing');
  return new SlotView(inventory, pool, 0, taken);
}

const MIG_1G = node({ gpus: 2, allocatable: new Map([[migResource('1g.5gb'), 14]]) });

const FREE: readonly [
  says: string,
  node: NodeInventory,
  taken: readonly number[] | undefined,
  milli: readonly number[],
][] = [
  ['whole GPUs', node({ gpus: 2, allocatable: new Map([[WHOLE_GPU, 2]]) }), undefined, [1000, 1000]],
  ['one of them is held', node({ gpus: 2, allocatable: new Map([[WHOLE_GPU, 2]]) }), [0, 1], [1000, 0]],
  ['four slots', sharedNode('mps', 4, { gpus: 2 }), [1, 4], [750, 0]],
  ['seven slots are a whole GPU, though 7 × 142 is less', MIG_1G, undefined, [1000, 1000]],
  ['six of them are not', MIG_1G, [1, 6], [852, 142]],
  ['three slots are a whole GPU as well', sharedNode('mps', 3, { gpus: 1 }), undefined, [1000]],
  ['two of three', sharedNode('mps', 3, { gpus: 1 }), [1], [666]],
  ['more is held than there is', sharedNode('mps', 4, { gpus: 2 }), [9, 0], [0, 1000]],
  ['an unhealthy GPU offers less', node({ gpus: 2, allocatable: new Map([[WHOLE_GPU, 1]]) }), undefined, [1000, 0]],
  ['more slots than a GPU can have: of unknown size', sharedNode('timeslicing', 1_200, { gpus: 1 }), undefined, []],
  ['GPUs that nobody counts yet', sharedNode('mps', 4, { gpus: 2 }), [2], [500, 1000]],
];
for (const [says, inventory, taken, milli] of FREE) {
  tap.test(`free of each GPU: ${says}`, async (t) => t.strictSame(view(inventory, taken).gpuFree, milli));
}

tap.test('what it is, it says of the node', async (t) => {
  const { name, createdAt, product, totalMilli, slotMilli, heldMilli, cpuFree } = view(
    sharedNode('mps', 3, { gpus: 2 }),
  );
  t.strictSame(
    { name, createdAt, product, totalMilli, slotMilli, heldMilli },
    {
      name: 'gpu-node-01',
      createdAt: 1_000,
      product: 'NVIDIA-A100-SXM4-40GB',
      totalMilli: 2_000,
      slotMilli: 333,
      heldMilli: 0,
    },
  );
  t.equal(cpuFree, Number.POSITIVE_INFINITY, 'which nobody has told it');
});
