/** Slots taken from one pool: which GPU is expected for each, and what is left when a node has fewer than are held. */

import tap from 'tap';
import type { Pool } from '#src/core/inventory.ts';
import { PoolUse } from '#src/core/pool-use.ts';
import { SHARED_GPU } from '#src/core/resources.ts';

/** So many slots on each GPU. */
function pool(...slotsPerGpu: number[]): Pool {
  const slots = slotsPerGpu.reduce((sum, count) => sum + count, 0);
  return { resource: SHARED_GPU, mode: 'mps', slots, slotsPerGpu, slotMilli: 250, slotMiB: undefined };
}

const TAKEN: readonly [
  says: string,
  pool: Pool | undefined,
  taken: number[],
  count: number,
  wishes: number[],
  gpus: number[],
][] = [
  ['of an empty node, the first GPU', pool(2, 2), [], 1, [], [0]],
  ['the fullest GPU that has room', pool(4, 4, 4), [0, 2, 1], 1, [], [1]],
  ['not one that is full', pool(2, 2), [2, 0], 1, [], [1]],
  ['one GPU after the other', pool(2, 2), [], 3, [], [0, 0, 1]],
  ['GPUs with no slot are passed over', pool(0, 0, 2), [], 1, [], [2]],
  ['the GPU that a record names', pool(2, 2), [1, 0], 1, [1], [1]],
  ['not if that has no room', pool(2, 2), [0, 2], 1, [1], [0]],
  ['nor if there is no such GPU', pool(2, 2), [], 1, [7], [0]],
  ['for each slot its own', pool(2, 2), [], 3, [1, 0], [1, 0, 0]],
  ['as many as there are, of more', pool(2, 1), [], 9, [], [0, 0, 1]],
  ['none of a node that is full', pool(1, 1), [1, 1], 2, [], []],
  ['none of what the node does not offer', undefined, [], 2, [0], []],
];
for (const [says, of, taken, count, wishes, gpus] of TAKEN) {
  tap.test(`taken: ${says}`, async (t) => {
    const before = taken.reduce((sum, slots) => sum + slots, 0);
    const use = new PoolUse(of, taken.length > 0 ? taken : undefined, before);
    t.strictSame(use.take(count, wishes), gpus);
    t.equal(use.total, before + count, 'all that is claimed counts, whether it is there or not');
    use.giveBack(count, gpus);
    t.equal(use.total, before);
    t.strictSame([...use.perGpu], taken.length > 0 ? taken : (of?.slotsPerGpu.map(() => 0) ?? []), 'as it was');
  });
}

tap.test('a copy goes its own way', async (t) => {
  const one = new PoolUse(pool(2, 2));
  one.take(1, []);
  const other = one.clone();
  other.take(2, []);
  one.giveBack(1, [0]);
  t.strictSame([one.total, ...one.perGpu], [0, 0, 0]);
  t.strictSame([other.total, ...other.perGpu], [3, 2, 1]);
});
