/** The kinds of slots that nodes offer to admission. */

import fc from 'fast-check';
import tap from 'tap';
import { countOffers, type OnDemand, offeredBy, possibleOn } from '#src/core/admission/slot-offer.ts';
import type { NodeInventory } from '#src/core/inventory.ts';
import { SHARED_GPU, WHOLE_GPU } from '#src/core/resources.ts';
import { node, sharedNode } from '../../make.ts';

const offersOf = (nodes: readonly NodeInventory[]) => countOffers(nodes.flatMap(offeredBy));
const migNode = (...profiles: string[]) =>
  node({ allocatable: new Map(profiles.map((profile) => [`nvidia.com/mig-${profile}`, 4])) });

tap.test('an offer is a kind of slot, and the number of nodes that have it', async (t) => {
  t.strictSame(offersOf([sharedNode('mps', 4), sharedNode('mps', 4), sharedNode('mps', 8)]), [
    {
      mode: 'mps',
      resource: SHARED_GPU,
      profile: undefined,
      slotMiB: 5_120,
      slotMilli: 125,
      nodes: 1,
      possible: 0,
      onOneNode: 64,
    },
    {
      mode: 'mps',
      resource: SHARED_GPU,
      profile: undefined,
      slotMiB: 10_240,
      slotMilli: 250,
      nodes: 2,
      possible: 0,
      onOneNode: 32,
    },
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
      onOneNode: 4,
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

const ALL: OnDemand = { mig: true, mps: 48, timeslicing: 4 };
/** `mps 500`, smallest first. */
const possibilities = (inventory: NodeInventory, onDemand = ALL) =>
  countOffers(possibleOn(inventory, onDemand)).map(
    ({ mode, profile, slotMilli }) => profile?.name ?? `${mode} ${slotMilli}`,
  );
const MIG_40 = ['1g.5gb', '1g.10gb', '2g.10gb', '3g.20gb', '4g.20gb', '7g.40gb'];
const MPS_48 = ['mps 20', 'mps 31', 'mps 62', 'mps 125', 'mps 250', 'mps 500'];
const MPS_16 = MPS_48.slice(2);
const SLICES_4 = ['timeslicing 250', 'timeslicing 500'];

const possible: readonly [says: string, node: NodeInventory, ...offers: string[]][] = [
  ['a node of whole GPUs may become anything', node(), ...MIG_40, ...MPS_48, ...SLICES_4],
  ['so may one whose plugin is away', node({ allocatable: new Map() }), ...MIG_40, ...MPS_48, ...SLICES_4],
  ['one that is shared by MPS stays so', sharedNode('mps', 4), ...MPS_48],
  ['one that is time-sliced stays so', sharedNode('timeslicing', 8), ...SLICES_4],
  ['MPS never beside MIG', migNode('1g.5gb'), ...MIG_40],
  ['a GPU without MIG', node({ product: 'Tesla-T4', gpuMiB: 15_360 }), ...MPS_48, ...SLICES_4],
  [
    'before compute capability 7.5 MPS takes 16 clients',
    node({ product: 'Tesla-V100-SXM2-16GB', gpuMiB: 16_160 }),
    ...MPS_16,
    ...SLICES_4,
  ],
  ['a GPU that nobody knows', node({ product: 'NVIDIA-Of-Tomorrow' }), ...MPS_48, ...SLICES_4],
];
for (const [says, inventory, ...offers] of possible) {
  tap.test(`on demand: ${says}`, async (t) => t.strictSame(possibilities(inventory), offers));
}

tap.test('on demand: nothing, unless it is allowed; as fine as it is allowed', async (t) => {
  t.strictSame(possibilities(node(), {}), []);
  t.strictSame(possibilities(node(), { mig: true }), MIG_40);
  t.strictSame(possibilities(node(), { mps: 5 }), ['mps 200', 'mps 250', 'mps 500']);
  t.strictSame(possibilities(node(), { timeslicing: 2 }), ['timeslicing 500']);
});

/** The specification's profiles: share of a GPU, and memory. */
const profiles: readonly [product: string, gpuMiB: number, profile: string, sevenths: number, gb: number][] = [
  ['NVIDIA-A100-SXM4-40GB', 40_960, '1g.5gb', 1, 5],
  ['NVIDIA-A100-SXM4-40GB', 40_960, '2g.10gb', 2, 10],
  ['NVIDIA-A100-SXM4-40GB', 40_960, '3g.20gb', 3, 20],
  ['NVIDIA-A100-SXM4-40GB', 40_960, '4g.20gb', 4, 20],
  ['NVIDIA-A100-SXM4-40GB', 40_960, '7g.40gb', 7, 40],
  ['NVIDIA-A100-SXM4-80GB', 81_920, '1g.10gb', 1, 10],
  ['NVIDIA-A100-SXM4-80GB', 81_920, '2g.20gb', 2, 20],
  ['NVIDIA-A100-SXM4-80GB', 81_920, '3g.40gb', 3, 40],
  ['NVIDIA-A100-SXM4-80GB', 81_920, '4g.40gb', 4, 40],
  ['NVIDIA-A100-SXM4-80GB', 81_920, '7g.80gb', 7, 80],
];
for (const [product, gpuMiB, profile, sevenths, gb] of profiles) {
  tap.test(`${product} could offer ${profile}: ${sevenths}/7 of a GPU, ${gb} GB`, async (t) => {
    const offers = possibleOn(node({ product, gpuMiB }), { mig: true });
    const offer = offers.find((each) => each.profile?.name === profile);
    t.match(offer, { resource: `nvidia.com/mig-${profile}`, slotMilli: Math.floor((1_000 * sevenths) / 7) });
    // The memory in a name is rounded: an instance has a little less.
    t.ok(offer?.slotMiB !== undefined && offer.slotMiB > gb * 1_024 * 0.94 && offer.slotMiB <= gb * 1_024);
  });
}
