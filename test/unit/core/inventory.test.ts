/** What a node offers, from the labels of GPU Feature Discovery and kubelet's allocatable. */

import fc from 'fast-check';
import tap from 'tap';
import { inventoryOf, type NodeFacts, type Pool } from '#src/core/inventory.ts';
import { parseMigProfile } from '#src/core/mig/profile.ts';
import { SHARED_GPU, WHOLE_GPU } from '#src/core/resources.ts';
import { node, nodeFacts, sharedNode } from '../make.ts';

const MIG_1G = 'nvidia.com/mig-1g.5gb';
const MIG_3G = 'nvidia.com/mig-3g.20gb';

const slots = (...entries: [resource: string, count: number][]) => new Map(entries);
function pool(facts: Partial<NodeFacts>, resource: string): Pool | undefined {
  return inventoryOf(nodeFacts(facts))?.pools.find((candidate) => candidate.resource === resource);
}

tap.test('a node keeps its name, age, product, and the memory of a GPU', async (t) => {
  const { pools, ...rest } = node();
  t.strictSame(rest, {
    name: 'gpu-node-01',
    createdAt: 1_000,
    product: 'NVIDIA-A100-SXM4-40GB',
    gpus: 8,
    gpuMiB: 40_960,
    inTransition: false,
  });
  t.equal(pools.length, 1);
});

tap.test('whole GPUs are a pool of one slot each', async (t) => {
  t.strictSame(pool({}, WHOLE_GPU), {
    resource: WHOLE_GPU,
    mode: 'exclusive',
    slots: 8,
    slotsPerGpu: [1, 1, 1, 1, 1, 1, 1, 1],
    slotMilli: 1_000,
    slotMiB: 40_960,
  });
});

tap.test('a GPU shared R ways is R slots of 1000/R milli-GPU and memory/R, rounded down', async (t) => {
  t.strictSame(sharedNode('mps', 3, { gpus: 2 }).pools, [
    { resource: SHARED_GPU, mode: 'mps', slots: 6, slotsPerGpu: [3, 3], slotMilli: 333, slotMiB: 13_653 },
  ]);
  t.strictSame(sharedNode('timeslicing', 4, { gpus: 2 }).pools, [
    { resource: SHARED_GPU, mode: 'timeslicing', slots: 8, slotsPerGpu: [4, 4], slotMilli: 250, slotMiB: 10_240 },
  ]);
});

tap.test('without renaming, GPUs are shared under the plain name: the labels tell', async (t) => {
  for (const sharing of ['mps', 'timeslicing'] as const) {
    const shared = pool({ gpus: 2, sharing, replicas: 4, allocatable: slots([WHOLE_GPU, 8]) }, WHOLE_GPU);
    t.match(shared, { mode: sharing, slots: 8, slotsPerGpu: [4, 4], slotMilli: 250 }, sharing);
  }
  t.match(pool({ gpus: 8, sharing: 'mps', replicas: 1 }, WHOLE_GPU), { mode: 'exclusive', slotMilli: 1_000 });
});

tap.test('MIG instances are slots of their compute slices and of the memory that the node tells', async (t) => {
  const facts = { gpus: 2, allocatable: slots([MIG_1G, 14]), migMiB: slots([MIG_1G, 4_864]) };
  t.strictSame(pool(facts, MIG_1G), {
    resource: MIG_1G,
    mode: 'mig',
    slots: 14,
    slotsPerGpu: [7, 7],
    slotMilli: 142,
    slotMiB: 4_864,
  });
});

tap.test('the compute of a MIG instance is its slices of the product: seven, or four', async (t) => {
  const cases: readonly [product: string, resource: string, milli: number][] = [
    ['NVIDIA-A100-SXM4-40GB', 'nvidia.com/mig-1g.5gb.me', 142],
    ['NVIDIA-A100-SXM4-40GB', 'nvidia.com/mig-1g.10gb', 142],
    ['NVIDIA-A100-SXM4-40GB', MIG_3G, 428],
    ['NVIDIA-A100-SXM4-40GB', 'nvidia.com/mig-4g.20gb', 571],
    ['NVIDIA-A100-SXM4-40GB', 'nvidia.com/mig-7g.40gb', 1_000],
    ['NVIDIA-A30', 'nvidia.com/mig-1g.6gb', 250],
    ['NVIDIA-A30', 'nvidia.com/mig-2g.12gb', 500],
    ['NVIDIA-A30', 'nvidia.com/mig-4g.24gb', 1_000],
    ['NVIDIA-A30', 'nvidia.com/mig-7g.40gb', 1_000],
    ['of tomorrow', 'nvidia.com/mig-1g.5gb', 142],
  ];
  for (const [product, resource, milli] of cases) {
    t.equal(
      pool({ product, allocatable: slots([resource, 1]) }, resource)?.slotMilli,
      milli,
      `${resource}, ${product}`,
    );
  }
});

tap.test('instances of one profile are spread evenly, as no label ties them to a GPU', async (t) => {
  const { pools } = node({ gpus: 4, allocatable: slots([MIG_1G, 6], [MIG_3G, 4]) });
  t.match(pools, [
    { resource: MIG_1G, slotsPerGpu: [2, 2, 1, 1] },
    { resource: MIG_3G, slotsPerGpu: [1, 1, 1, 1] },
  ]);
});

tap.test('a GPU that is offered whole carries no instances', async (t) => {
  const { pools } = node({ gpus: 4, allocatable: slots([WHOLE_GPU, 2], [MIG_3G, 4]) });
  t.match(pools, [
    { resource: WHOLE_GPU, mode: 'exclusive', slotsPerGpu: [1, 1, 0, 0] },
    { resource: MIG_3G, mode: 'mig', slotsPerGpu: [0, 0, 2, 2] },
  ]);
  const shared = node({
    gpus: 3,
    sharing: 'timeslicing',
    replicas: 4,
    allocatable: slots([SHARED_GPU, 8], [MIG_3G, 2]),
  });
  t.match(shared.pools, [
    { resource: SHARED_GPU, mode: 'timeslicing', slotsPerGpu: [4, 4, 0] },
    { resource: MIG_3G, mode: 'mig', slotsPerGpu: [0, 0, 2] },
  ]);
  const late = node({ gpus: 2, allocatable: slots([WHOLE_GPU, 2], [MIG_3G, 2]) });
  t.match(late.pools[1], { slotsPerGpu: [1, 1] }, 'while the labels lag, every GPU may carry them');
});

tap.test('an unhealthy GPU is missing from the slots, expected at the end', async (t) => {
  t.match(pool({ allocatable: slots([WHOLE_GPU, 6]) }, WHOLE_GPU), {
    slots: 6,
    slotsPerGpu: [1, 1, 1, 1, 1, 1, 0, 0],
  });
  t.match(pool({ gpus: 3, sharing: 'mps', replicas: 4, allocatable: slots([SHARED_GPU, 8]) }, SHARED_GPU), {
    slotsPerGpu: [4, 4, 0],
    slotMilli: 250,
  });
});

tap.test('a node that offers nothing of a GPU has no inventory', async (t) => {
  t.equal(inventoryOf(nodeFacts({ gpus: undefined, allocatable: slots() })), undefined);
  t.equal(inventoryOf(nodeFacts({ gpus: undefined, allocatable: slots([WHOLE_GPU, 0]) })), undefined);
});

tap.test('a labelled node whose device plugin is away still has its GPUs, and no slots', async (t) => {
  t.match(node({ allocatable: slots([WHOLE_GPU, 0]) }), { gpus: 8, pools: [] });
});

tap.test(
  'without the count label, instances alone tell how many GPUs there are at least: their names have a size',
  async (t) => {
    const cases: readonly [says: string, facts: Partial<NodeFacts>, gpus: number][] = [
      ['seven slices to a GPU', { allocatable: slots([MIG_1G, 15]) }, 3],
      ['slices of all profiles', { allocatable: slots([MIG_1G, 2], [MIG_3G, 4]) }, 2],
      ['four slices to an A30', { product: 'NVIDIA-A30', allocatable: slots(['nvidia.com/mig-1g.6gb', 8]) }, 2],
      ['time-slices of instances', { allocatable: slots([MIG_1G, 28]), migReplicas: slots([MIG_1G, 4]) }, 1],
      ['beside slots without a size', { allocatable: slots([WHOLE_GPU, 2], [MIG_3G, 2]) }, 1],
      ['more than any machine has', { allocatable: slots([MIG_1G, 10 ** 12]) }, 1_024],
    ];
    for (const [says, facts, gpus] of cases) t.equal(node({ ...facts, gpus: undefined }).gpus, gpus, says);
  },
);

tap.test('without the count label, slots under the names of GPUs have no size, and count for no GPU', async (t) => {
  const cases: readonly [facts: Partial<NodeFacts>, pool: Partial<Pool>][] = [
    [{ allocatable: slots([WHOLE_GPU, 4]) }, { resource: WHOLE_GPU, mode: 'exclusive', slots: 4 }],
    [{ allocatable: slots([SHARED_GPU, 16]) }, { resource: SHARED_GPU, mode: 'timeslicing', slots: 16 }],
    [
      { sharing: 'mps', replicas: 4, allocatable: slots([WHOLE_GPU, 16]) },
      { resource: WHOLE_GPU, mode: 'mps' },
    ],
    [
      { gpus: 2, unsized: 'INVALID' },
      { resource: WHOLE_GPU, mode: 'exclusive', slots: 2 },
    ],
  ];
  for (const [facts, expected] of cases) {
    const { gpus, pools, unsized } = node({ gpus: undefined, ...facts });
    t.match(pools, [{ ...expected, slotsPerGpu: [], slotMilli: 0, slotMiB: undefined }]);
    t.equal(gpus, facts.gpus ?? 0);
    t.equal(unsized, facts.unsized ?? 'no label tells its GPUs and how they are shared');
  }
});

tap.test('instances under the name of a GPU have the size of their profile, and are never a whole one', async (t) => {
  const profile = parseMigProfile('1g.5gb');
  if (!profile) throw new Error('no profile');
  const facts = { gpus: 2, instance: { profile, miB: 4_864 } };
  const instances = { resource: WHOLE_GPU, mode: 'mig', slotsPerGpu: [7, 7], slotMilli: 142, slotMiB: 4_864 };
  t.match(node({ ...facts, allocatable: slots([WHOLE_GPU, 14]) }).pools, [instances]);
  const shared = { ...facts, sharing: 'timeslicing' as const, replicas: 4 };
  const slices = { mode: 'timeslicing', slotsPerGpu: [28, 28], slotMilli: 35, slotMiB: 1_216 };
  t.match(node({ ...shared, allocatable: slots([WHOLE_GPU, 56]) }).pools, [{ resource: WHOLE_GPU, ...slices }]);
  t.match(node({ ...shared, allocatable: slots([SHARED_GPU, 56]) }).pools, [{ resource: SHARED_GPU, ...slices }]);
});

tap.test('instances that are shared in turn are time-slices of their size', async (t) => {
  const facts = { gpus: 1, migMiB: slots([MIG_1G, 4_864]), migReplicas: slots([MIG_1G, 4]) };
  for (const resource of [MIG_1G, `${MIG_1G}.shared`]) {
    t.match(pool({ ...facts, allocatable: slots([resource, 28]) }, resource), {
      mode: 'timeslicing',
      slotsPerGpu: [28],
      slotMilli: 35,
      slotMiB: 1_216,
    });
  }
});

tap.test(
  'more slots than GPUs that nobody shares: other models, which no label counts, or labels that lag',
  async (t) => {
    const cases: readonly [facts: Partial<NodeFacts>, gpus: number, pool: Partial<Pool>][] = [
      [{ gpus: 4, allocatable: slots([WHOLE_GPU, 5]) }, 5, { mode: 'exclusive', slotMilli: 1_000, slotMiB: undefined }],
      [
        { gpus: 1, product: 'NVIDIA-GeForce-RTX-4090', allocatable: slots([WHOLE_GPU, 3]) },
        3,
        { mode: 'exclusive', slotMilli: 1_000, slotMiB: undefined },
      ],
      [
        { gpus: 1, product: 'NVIDIA-A10G', allocatable: slots([WHOLE_GPU, 10]) },
        1,
        { mode: 'timeslicing', slotMilli: 100 },
      ],
      // A GPU of four that are shared has failed.
      [{ gpus: 4, allocatable: slots([WHOLE_GPU, 30]) }, 4, { mode: 'timeslicing', slotMilli: 125 }],
    ];
    for (const [facts, gpus, expected] of cases) {
      const inventory = node(facts);
      t.equal(inventory.gpus, gpus);
      t.match(inventory.pools, [expected]);
    }
  },
);

tap.test('a node that does not tell its memory', async (t) => {
  const unknown = { gpuMiB: undefined, product: 'NVIDIA-Of-Tomorrow' };
  t.equal(pool(unknown, WHOLE_GPU)?.slotMiB, undefined, 'has slots of unknown memory');
  t.equal(pool({ gpuMiB: undefined }, WHOLE_GPU)?.slotMiB, 40_960, 'but its product is known');
  // 3g.20gb has 19,968 MiB: the name is rounded, and no more may be promised than is there.
  t.equal(pool({ allocatable: slots([MIG_3G, 2]) }, MIG_3G)?.slotMiB, 19_456, 'and a profile has it in its name');
});

tap.test('labels lag allocatable: a slot is never taken for more than its GPU can give', async (t) => {
  const shared = pool({ allocatable: slots([SHARED_GPU, 32]) }, SHARED_GPU);
  t.match(shared, { mode: 'timeslicing', slots: 32, slotMilli: 250, slotMiB: 10_240 }, 'just shared, by the new name');
  t.strictSame(shared?.slotsPerGpu, [4, 4, 4, 4, 4, 4, 4, 4]);
  const plain = pool({ allocatable: slots([WHOLE_GPU, 32]) }, WHOLE_GPU);
  t.match(plain, { mode: 'timeslicing', slotMilli: 250, slotMiB: 10_240 }, 'just shared, by the plain name');
  const more = pool({ sharing: 'mps', replicas: 2, allocatable: slots([SHARED_GPU, 64]) }, SHARED_GPU);
  t.match(more, { mode: 'mps', slotMilli: 125 }, 'just cut finer');
  const fewer = pool({ sharing: 'mps', replicas: 8, allocatable: slots([SHARED_GPU, 16]) }, SHARED_GPU);
  t.match(fewer, { slots: 16, slotMilli: 125 }, 'just cut coarser: like unhealthy GPUs, until the labels come');
  t.equal(pool({ allocatable: slots([SHARED_GPU, 3]) }, SHARED_GPU)?.slotMilli, 500, 'shared is two ways at least');
});

tap.test('beside the new name, the plain name still stands for whole GPUs', async (t) => {
  const { pools } = node({ gpus: 2, sharing: 'mps', replicas: 4, allocatable: slots([WHOLE_GPU, 2], [SHARED_GPU, 8]) });
  t.match(pools, [
    { resource: WHOLE_GPU, mode: 'exclusive', slotMilli: 1_000 },
    { resource: SHARED_GPU, mode: 'mps', slotMilli: 250 },
  ]);
});

const anyCount = fc.oneof(fc.nat({ max: 64 }), fc.nat());
const anyFacts: fc.Arbitrary<NodeFacts> = fc.record({
  name: fc.constant('gpu-node-01'),
  createdAt: fc.constant(0),
  product: fc.constantFrom('NVIDIA-A100-SXM4-40GB', 'NVIDIA-A30', 'Tesla-T4', ''),
  gpus: fc.option(fc.integer({ min: 1, max: 1_024 }), { nil: undefined }),
  gpuMiB: fc.option(fc.integer({ min: 1, max: 200_000 }), { nil: undefined }),
  replicas: fc.nat({ max: 1_024 }),
  sharing: fc.constantFrom(undefined, 'mps' as const, 'timeslicing' as const),
  allocatable: fc
    .array(fc.tuple(fc.constantFrom(WHOLE_GPU, SHARED_GPU, MIG_1G, MIG_3G), anyCount), { maxLength: 4 })
    .map((entries) => new Map(entries)),
  migMiB: fc.constantFrom(new Map(), slots([MIG_1G, 4_864])),
});

tap.test(
  'whatever the labels say, the pools hold the slots that kubelet vouches for, and no GPU gives twice',
  async () => {
    fc.assert(
      fc.property(anyFacts, (facts) => {
        const inventory = inventoryOf(facts);
        if (!inventory) return ![...facts.allocatable.values()].some((count) => count > 0);
        const offered = [...facts.allocatable].filter(([, count]) => count > 0);
        return (
          inventory.gpus >= 0 &&
          inventory.gpus <= 1_024 &&
          JSON.stringify(inventory.pools.map((p) => [p.resource, p.slots])) === JSON.stringify(offered) &&
          inventory.pools.every(({ mode, slots, slotsPerGpu, slotMilli, slotMiB }) => {
            if (slotMilli === 0)
              return slotsPerGpu.length === 0 && slotMiB === undefined && inventory.unsized !== undefined;
            const fullest = Math.max(...slotsPerGpu);
            return (
              slotsPerGpu.length === inventory.gpus &&
              slotsPerGpu.every((count) => Number.isInteger(count) && count >= 0) &&
              slotsPerGpu.reduce((sum, count) => sum + count) === slots &&
              (mode === 'mig' || fullest * slotMilli <= 1_000) &&
              (mode === 'mig' || fullest * (slotMiB ?? 0) <= (inventory.gpuMiB ?? 0)) &&
              (mode !== 'exclusive' || slotMilli === 1_000)
            );
          })
        );
      }),
      { numRuns: 500 },
    );
  },
);
