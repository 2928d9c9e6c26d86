/** How a node's GPUs may be partitioned, what that makes of the node, and what a change of it disturbs. */

import tap from 'tap';
import {
  allocatableOf,
  changedGpus,
  describePartition,
  disturbed,
  faultOf,
  type GpuKind,
  type GpuLayout,
  inventoryWith,
  type Partition,
  samePartition,
  wholeGpus,
} from '#src/core/partitioning/partition.ts';
import { node } from '../../make.ts';

const A100: GpuKind = { product: 'NVIDIA-A100-SXM4-40GB', memoryMiB: 40_960 };
const V100: GpuKind = { product: 'Tesla-V100-SXM2-16GB', memoryMiB: 16_384 };
const T4: GpuKind = { product: 'Tesla-T4', memoryMiB: 15_360 };

const SEVEN: GpuLayout = { '1g.5gb': 7 };
const HALVES: GpuLayout = { '3g.20gb': 2 };

const cut = (...layouts: (GpuLayout | undefined)[]): Partition => ({ layouts, sharing: undefined });
const sliced = (gpus: number, replicas: number): Partition => ({
  ...wholeGpus(gpus),
  sharing: { mode: 'timeslicing', replicas },
});
const mps = (gpus: number, replicas: number): Partition => ({ ...wholeGpus(gpus), sharing: { mode: 'mps', replicas } });

tap.test("what NVIDIA's rules allow has no fault", async (t) => {
  const cases: readonly [says: string, partition: Partition, kind: GpuKind][] = [
    ['whole GPUs', wholeGpus(8), A100],
    ['MPS with as many clients as CUDA takes', mps(8, 48), A100],
    ['MPS before compute capability 7.5', mps(8, 16), V100],
    ['time-slicing', sliced(8, 100), T4],
    ['one layout everywhere', cut(SEVEN, SEVEN), A100],
    ['a layout for some, the others whole', cut(SEVEN, undefined), A100],
    ['a layout for some, the others time-sliced', { ...sliced(2, 4), layouts: [SEVEN, undefined] }, A100],
    ['MIG on, without an instance', cut({}), A100],
    ['media engines once', cut({ '1g.5gb+me': 1, '1g.5gb': 6 }), A100],
    ['the smallest instance with double memory', cut({ '1g.10gb': 4 }), A100],
  ];
  for (const [says, partition, kind] of cases) t.equal(faultOf(partition, kind), undefined, says);
});

tap.test('what they do not is refused, with the rule', async (t) => {
  const cases: readonly [says: string, partition: Partition, kind: GpuKind, code: string, message: RegExp][] = [
    [
      'MPS beside MIG',
      { ...mps(2, 8), layouts: [SEVEN, undefined] },
      A100,
      'MpsWithMig',
      /^NVIDIA's device plugin refuses MPS on a node with MIG: use one of them$/,
    ],
    [
      'time-slicing where MIG has every GPU',
      { ...sliced(2, 4), layouts: [SEVEN, HALVES] },
      A100,
      'NothingToShare',
      /^MIG is on for every GPU: none is left to be shared in another way$/,
    ],
    [
      'too many clients',
      mps(1, 49),
      A100,
      'TooManyReplicas',
      /^MPS on NVIDIA-A100-SXM4-40GB takes at most 48 clients of one GPU, not 49$/,
    ],
    ['too many for an old GPU', mps(1, 17), V100, 'TooManyReplicas', /at most 16 clients of one GPU, not 17$/],
    ['MIG on a GPU that has none', cut(SEVEN), T4, 'NoMig', /^Tesla-T4 has no MIG$/],
    [
      'MIG on a GPU that nobody knows',
      cut(SEVEN),
      { product: '', memoryMiB: 0 },
      'NoMig',
      /^MIG of a GPU of unknown product is not known to us$/,
    ],
    [
      'a profile of another GPU',
      cut({ '1g.10gb': 2 }, { '1g.18gb': 1 }),
      A100,
      'UnknownProfile',
      /^NVIDIA-A100-SXM4-40GB has no MIG profile 1g\.18gb: it has 1g\.5gb, 1g\.5gb\+me, 1g\.10gb, 2g\.10gb, 3g\.20gb/,
    ],
    ['a name out of a prototype', cut({ constructor: 1 }), A100, 'UnknownProfile', /no MIG profile constructor/],
    [
      'too many slices',
      cut({ '1g.5gb': 8 }),
      A100,
      'ImpossibleLayout',
      /^no placement of 8 × 1g\.5gb on one NVIDIA-A100-SXM4-40GB: .* 8 memory slices, and all together at most 7 compute/,
    ],
    [
      'enough slices, but no place for them',
      cut({ '3g.20gb': 2, '1g.5gb': 1 }),
      A100,
      'ImpossibleLayout',
      /^no placement of 2 × 3g\.20gb \+ 1g\.5gb on one/,
    ],
    ['media engines twice', cut({ '1g.5gb+me': 2 }), A100, 'ImpossibleLayout', /no placement of 2 × 1g\.5gb\+me/],
    ['on the last GPU only', cut(SEVEN, HALVES, { '7g.40gb': 2 }), A100, 'ImpossibleLayout', /2 × 7g\.40gb/],
  ];
  for (const [says, partition, kind, code, message] of cases)
    t.match(faultOf(partition, kind), { code, message }, says);
});

tap.test('what the device plugin offers of it', async (t) => {
  const cases: readonly [partition: Partition, allocatable: Record<string, number>][] = [
    [wholeGpus(8), { 'nvidia.com/gpu': 8 }],
    [mps(2, 8), { 'nvidia.com/gpu.shared': 16 }],
    [sliced(2, 4), { 'nvidia.com/gpu.shared': 8 }],
    [cut(SEVEN, HALVES, SEVEN), { 'nvidia.com/mig-1g.5gb': 14, 'nvidia.com/mig-3g.20gb': 2 }],
    [cut({ '1g.5gb+me': 1 }, undefined), { 'nvidia.com/mig-1g.5gb.me': 1, 'nvidia.com/gpu': 1 }],
    [
      { ...sliced(2, 4), layouts: [HALVES, undefined] },
      { 'nvidia.com/mig-3g.20gb': 2, 'nvidia.com/gpu.shared': 4 },
    ],
    [cut({}), {}],
  ];
  for (const [partition, allocatable] of cases) {
    t.strictSame(Object.fromEntries(allocatableOf(partition)), allocatable, describePartition(partition));
  }
});

tap.test('the node as it will be: the same GPUs in other pools', async (t) => {
  const before = node({ gpus: 2, allocatable: new Map([['nvidia.com/gpu', 2]]), inTransition: true });
  const shared = inventoryWith(before, mps(2, 8));
  const { pools, inTransition } = shared;
  t.strictSame(
    pools.map(({ resource, mode, slots, slotMilli }) => ({ resource, mode, slots, slotMilli })),
    [{ resource: 'nvidia.com/gpu.shared', mode: 'mps', slots: 16, slotMilli: 125 }],
  );
  t.notOk(inTransition, 'it has arrived');
  const { name, createdAt, product, gpus, gpuMiB } = before;
  t.match(shared, { name, createdAt, product, gpus, gpuMiB });
  t.strictSame(
    inventoryWith(before, cut(SEVEN, undefined)).pools.map(({ resource, mode, slots }) => ({ resource, mode, slots })),
    [
      { resource: 'nvidia.com/mig-1g.5gb', mode: 'mig', slots: 7 },
      { resource: 'nvidia.com/gpu', mode: 'exclusive', slots: 1 },
    ],
  );
  t.strictSame(inventoryWith(before, cut({}, {})).pools, [], 'MIG on without instances offers nothing');
});

tap.test('GPUs that change, and what the change disturbs', async (t) => {
  const unshared = new Set(['nvidia.com/gpu', 'nvidia.com/gpu.shared']);
  type Expected = 'all' | Set<string>;
  const cases: readonly [says: string, from: Partition, to: Partition, changed: number[], disturbs: Expected][] = [
    ['nothing changes', cut(SEVEN, undefined), cut({ ...SEVEN }, undefined), [], new Set()],
    ['a mode goes on anywhere: everything', cut(SEVEN, undefined), cut(SEVEN, SEVEN), [1], 'all'],
    ['a mode goes off anywhere: everything', cut(SEVEN, HALVES), cut(SEVEN, undefined), [1], 'all'],
    [
      'one layout: its instances, wherever they are',
      cut(SEVEN, HALVES, SEVEN),
      cut(HALVES, HALVES, SEVEN),
      [0],
      new Set(['nvidia.com/mig-1g.5gb']),
    ],
    [
      'two layouts change places',
      cut(SEVEN, HALVES),
      cut(HALVES, SEVEN),
      [0, 1],
      new Set(['nvidia.com/mig-1g.5gb', 'nvidia.com/mig-3g.20gb']),
    ],
    ['instances are added to an empty GPU: nobody', cut({}, SEVEN), cut(HALVES, SEVEN), [0], new Set()],
    [
      'one instance less of the same kind: all of the kind',
      cut({ '1g.5gb+me': 1, '1g.5gb': 6 }),
      cut({ '1g.5gb': 6 }),
      [0],
      new Set(['nvidia.com/mig-1g.5gb.me', 'nvidia.com/mig-1g.5gb']),
    ],
    ['sharing begins', wholeGpus(2), mps(2, 8), [0, 1], unshared],
    ['sharing ends', sliced(2, 4), wholeGpus(2), [0, 1], unshared],
    ['shared by other means', sliced(2, 8), mps(2, 8), [0, 1], unshared],
    ['shared in more ways', mps(2, 4), mps(2, 8), [0, 1], unshared],
    [
      'sharing beside MIG leaves the instances alone',
      cut(SEVEN, undefined),
      { ...sliced(2, 4), layouts: [SEVEN, undefined] },
      [1],
      unshared,
    ],
  ];
  for (const [says, from, to, changed, disturbs] of cases) {
    t.strictSame(changedGpus(from, to), changed, says);
    t.strictSame(disturbed(from, to), disturbs, says);
    t.equal(samePartition(from, to), changed.length === 0, says);
    t.equal(samePartition(to, from), changed.length === 0, says);
  }
});

tap.test('where nobody knows what is there, or not of how many GPUs, everything may be disturbed', async (t) => {
  t.equal(disturbed(undefined, wholeGpus(2)), 'all');
  t.equal(disturbed(wholeGpus(1), wholeGpus(2)), 'all');
  t.notOk(samePartition(wholeGpus(1), wholeGpus(2)));
  t.notOk(samePartition(wholeGpus(2), wholeGpus(1)));
});

tap.test('the order in which profiles are named makes no other partition', async (t) => {
  t.ok(samePartition(cut({ '1g.5gb': 1, '2g.10gb': 3 }), cut({ '2g.10gb': 3, '1g.5gb': 1 })));
  t.notOk(samePartition(cut({ '1g.5gb': 1 }), cut({ '1g.5gb': 1, '2g.10gb': 1 })));
  t.notOk(samePartition(cut({ '1g.5gb': 1, '2g.10gb': 1 }), cut({ '1g.5gb': 1 })));
  t.notOk(samePartition(cut({}), cut(undefined)), 'MIG without instances is not MIG switched off');
});

tap.test('a partition in words', async (t) => {
  const cases: readonly [partition: Partition, says: string][] = [
    [wholeGpus(1), '1 whole GPU'],
    [wholeGpus(8), '8 whole GPUs'],
    [mps(2, 8), '2 GPUs by MPS, 8 clients each'],
    [sliced(1, 4), '1 GPU by time-slicing, 4 slots each'],
    [cut(SEVEN, HALVES, SEVEN, undefined), '2 GPUs as 7 × 1g.5gb, 1 GPU as 2 × 3g.20gb, 1 whole GPU'],
    [cut({ '1g.5gb': 1, '2g.10gb': 1 }), '1 GPU as 1g.5gb + 2g.10gb'],
    [cut({}), '1 GPU as no instance'],
    [
      { ...sliced(3, 4), layouts: [SEVEN, undefined, undefined] },
      '1 GPU as 7 × 1g.5gb, 2 GPUs by time-slicing, 4 slots each',
    ],
  ];
  for (const [partition, says] of cases) t.equal(describePartition(partition), says);
});
