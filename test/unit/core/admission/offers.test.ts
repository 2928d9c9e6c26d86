/** The kinds of slots that nodes offer to admission. */

import fc from 'fast-check';
import tap from 'tap';
import { countOffers, offeredBy } from '../../../../src/core/admission/offers.ts';
import type { NodeInventory } from '../../../../src/core/inventory.ts';
import { SHARED_GPU, WHOLE_GPU } from '../../../../src/core/resources.ts';
import { node, sharedNode } from '../../make.ts';

const offersOf = (nodes: readonly NodeInventory[]) => countOffers(nodes.flatMap(offeredBy));
const migNode = (...profiles: string[]) =>
  node({ allocatable: new Map(profiles.map((profile) => [`nvidia.com/mig-${profile}`, 4])) });

tap.test('an offer is a kind of slot, and the number of nodes that have it', async (t) => {
  t.strictSame(offersOf([sharedNode('mps', 4), sharedNode('mps', 4), sharedNode('mps', 8)]), [
    { mode: 'mps', resource: SHARED_GPU, profile: undefined, slotMiB: 5_120, slotMilli: 125, nodes: 1, possible: 0 },
    { mode: 'mps', resource: SHARED_GPU, profile: undefined, slotMiB: 10_240, slotMilli: 250, nodes: 2, possible: 0 },
  ]);
});

tap.test('a MIG offer names its profile', async (t) => {
  t.strictSame(offersOf([migNode('1g.5gb.me')]), [
    {
      mode: 'mig',
      resource: 'nvidia.com/mig-1g.5gb.me',
      profile: { name: '1g.5gb+me', computeSlices: 1, gib: 5 },
      slotMiB: 4_864,
      slotMilli: 142,
      nodes: 1,
      possible: 0,
    },
  ]);
});

tap.test('whole GPUs are on offer too; a node whose plugin is away offers nothing', async (t) => {
  t.match(offersOf([node(), node({ allocatable: new Map() })]), [{ mode: 'exclusive', nodes: 1 }]);
  t.strictSame(offersOf([]), []);
});

tap.test('within a mode the smallest slot comes first', async (t) => {
  const mig = offersOf([
    migNode('7g.40gb', '3g.20gb', '1g.10gb'),
    migNode('2g.10gb', '1g.5gb.me', '1g.5gb', '4g.20gb'),
  ]);
  t.strictSame(
    mig.map(({ profile }) => profile?.name),
    ['1g.5gb', '1g.5gb+me', '1g.10gb', '2g.10gb', '3g.20gb', '4g.20gb', '7g.40gb'],
  );
  const shared = offersOf([sharedNode('mps', 2), sharedNode('mps', 4), sharedNode('mps', 4, { gpuMiB: 81_920 })]);
  t.strictSame(
    shared.map(({ slotMiB, slotMilli }) => [slotMiB, slotMilli]),
    [
      [10_240, 250],
      [20_480, 250],
      [20_480, 500],
    ],
  );
});

tap.test('a slot of unknown memory comes last: one that is known to hold the pod is better', async (t) => {
  const offers = offersOf([
    sharedNode('mps', 4, { gpuMiB: undefined, product: 'NVIDIA-Of-Tomorrow' }),
    sharedNode('mps', 2, { gpuMiB: undefined, product: 'NVIDIA-Of-Tomorrow' }),
    sharedNode('mps', 2),
  ]);
  t.strictSame(
    offers.map(({ slotMiB, slotMilli }) => [slotMiB, slotMilli]),
    [
      [20_480, 500],
      [undefined, 250],
      [undefined, 500],
    ],
  );
});

tap.test('the order of offers does not depend on the order of nodes: replicas decide alike', async () => {
  const plain = (sharing: 'mps' | 'timeslicing') =>
    node({ sharing, replicas: 4, allocatable: new Map([[WHOLE_GPU, 32]]) });
  const kinds: NodeInventory[] = [
    sharedNode('mps', 4),
    plain('mps'),
    sharedNode('timeslicing', 4),
    plain('timeslicing'),
    sharedNode('mps', 4, { gpuMiB: undefined, product: 'NVIDIA-Of-Tomorrow' }),
    migNode('1g.10gb'),
    node({ product: 'NVIDIA-A30', allocatable: new Map([['nvidia.com/mig-1g.10gb', 1]]) }),
    node({
      allocatable: new Map([['nvidia.com/mig-1g.10gb', 7]]),
      migMiB: new Map([['nvidia.com/mig-1g.10gb', 9_856]]),
    }),
  ];
  const told = offersOf(kinds);
  fc.assert(
    fc.property(fc.shuffledSubarray(kinds, { minLength: kinds.length }), (nodes) => {
      return JSON.stringify(offersOf(nodes)) === JSON.stringify(told);
    }),
  );
});
