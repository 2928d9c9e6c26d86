/** What GPUs of one product can be made into, and layouts for demands of several priorities. */

import tap from 'tap';
import type { NodeInventory } from '#src/core/inventory.ts';
import { GpuTypes, kindOf } from '#src/core/partitioning/gpu-type.ts';
import { node } from '../../make.ts';

const typeOf = (facts: Partial<NodeInventory>) => new GpuTypes().of({ ...node(), ...facts });

const TYPES: readonly [
  says: string,
  node: Partial<NodeInventory>,
  gpuMiB: number | undefined,
  clients: number,
  kinds: number,
][] = [
  ['an A100 of 40 GB', {}, 40_960, 48, 7],
  ['its memory without a label', { gpuMiB: undefined }, 40_960, 48, 7],
  ['a label outweighs what is known', { gpuMiB: 40_000 }, 40_000, 48, 7],
  ['an A30', { product: 'NVIDIA-A30', gpuMiB: undefined }, 24_576, 48, 5],
  ['no MIG', { product: 'NVIDIA-L40S', gpuMiB: 46_068 }, 46_068, 48, 0],
  ['before compute capability 7.5', { product: 'Tesla-V100-SXM2-16GB', gpuMiB: 16_384 }, 16_384, 16, 0],
  ['an unknown product is not cut', { product: 'NVIDIA-Z1', gpuMiB: 81_920 }, 81_920, 48, 0],
  ['nor is it known what it has', { product: 'NVIDIA-Z1', gpuMiB: undefined }, undefined, 48, 0],
  ['nor where no label names it', { product: '', gpuMiB: undefined }, undefined, 48, 0],
];
for (const [says, facts, gpuMiB, mpsClients, kinds] of TYPES) {
  tap.test(says, async (t) => {
    const type = typeOf(facts);
    t.match(type, { gpuMiB, mpsClients, oversubscribe: false });
    t.equal(type.mig?.kinds.size ?? 0, kinds);
  });
}

tap.test('a type is made once for all nodes that have such GPUs', async (t) => {
  const types = new GpuTypes();
  const one = types.of(node());
  t.equal(types.of(node({ name: 'other', gpus: 1 })), one);
  const others = [node({ gpuMiB: 81_920 }), node({ product: 'NVIDIA-L40S' }), node({ oversubscribe: true })];
  t.equal(new Set([one, ...others.map((each) => types.of(each))]).size, 4);
  t.equal(types.all().length, 4);
});

/** Of an A100 of 40 GB: Source: MIG user guide. */
const KINDS: readonly [resource: string, maxInstances: number, milli: number, miB: number][] = [
  ['nvidia.com/mig-1g.5gb', 7, 142, 4_864],
  ['nvidia.com/mig-1g.5gb.me', 1, 142, 4_864],
  ['nvidia.com/mig-1g.10gb', 4, 142, 9_728],
  ['nvidia.com/mig-2g.10gb', 3, 285, 9_728],
  ['nvidia.com/mig-3g.20gb', 2, 428, 19_456],
  ['nvidia.com/mig-4g.20gb', 1, 571, 19_456],
  ['nvidia.com/mig-7g.40gb', 1, 1_000, 38_912],
];
for (const [resource, maxInstances, milli, miB] of KINDS) {
  tap.test(`a GPU holds ${maxInstances} of ${resource}`, async (t) => {
    t.match(kindOf(typeOf({}), resource), { maxInstances, milli, miB });
  });
}

tap.test('profiles are named after whole GiB: drivers tell a little less', async (t) => {
  t.ok(kindOf(typeOf({ gpuMiB: 40_000 }), 'nvidia.com/mig-7g.40gb'));
});

tap.test('nothing is known of what such a GPU cannot be', async (t) => {
  for (const resource of ['nvidia.com/mig-1g.10gb', 'nvidia.com/gpu', 'nvidia.com/mig-huge']) {
    t.equal(kindOf(typeOf({ product: 'NVIDIA-A30', gpuMiB: 24_576 }), resource), undefined);
    t.equal(kindOf(typeOf({ product: 'NVIDIA-L40S' }), resource), undefined);
  }
});

type Wanted = Readonly<Record<string, number>>;
/** Instances wanted by rank of priority; layouts of as many GPUs. */
const LAYOUTS: readonly [says: string, tiers: readonly Wanted[], gpus: number, layouts: readonly Wanted[]][] = [
  ['nothing wanted', [], 4, []],
  ['nothing wanted of any priority', [{}, {}], 4, []],
  ['no GPU', [{ '1g.5gb': 1 }], 0, []],
  ['as few GPUs as that takes', [{ '1g.5gb': 8 }], 4, [{ '1g.5gb': 7 }, { '1g.5gb': 7 }]],
  ['4g and 3g share a GPU', [{ '3g.20gb': 1, '4g.20gb': 1 }], 4, [{ '3g.20gb': 1, '4g.20gb': 1 }]],
  ['not all of it fits', [{ '4g.20gb': 3 }], 1, [{ '1g.5gb': 3, '4g.20gb': 1 }]],
  [
    'a lower priority never costs a higher one',
    [{ '7g.40gb': 1 }, { '1g.5gb': 14 }],
    2,
    [{ '7g.40gb': 1 }, { '1g.5gb': 7 }],
  ],
  [
    'and gets nothing where nothing is left',
    [{ '7g.40gb': 2 }, { '1g.5gb': 14 }],
    2,
    [{ '7g.40gb': 1 }, { '7g.40gb': 1 }],
  ],
  ['just one GPU, though more would be wasted on it', [{ '2g.10gb': 3 }], 4, [{ '1g.5gb': 1, '2g.10gb': 3 }]],
  ['both on one GPU where they fit', [{ '3g.20gb': 1 }, { '4g.20gb': 1 }], 2, [{ '3g.20gb': 1, '4g.20gb': 1 }]],
  ['a rank that wants nothing is no obstacle', [{}, { '3g.20gb': 2 }], 2, [{ '3g.20gb': 2 }]],
];
for (const [says, tiers, gpus, layouts] of LAYOUTS) {
  tap.test(`layouts: ${says}`, async (t) => {
    const { mig } = typeOf({});
    if (!mig) return t.fail('an A100 has MIG');
    const counted = tiers.map((tier) => {
      const counts = mig.nothing();
      for (const [name, count] of Object.entries(tier)) {
        const kind = mig.kinds.get(`nvidia.com/mig-${name}`)?.kind ?? -1;
        counts[kind] = count;
      }
      return counts;
    });
    const made = mig.layouts(counted, gpus);
    t.strictSame(made, layouts);
    t.strictSame(mig.layouts(counted, gpus), made, 'the same each time');
  });
}
