/** Does a request fit on a node, and if not, why: the codes are a contract. */

import fc from 'fast-check';
import tap from 'tap';
import { type Fit, type FitCode, fit } from '#src/core/fit.ts';
import type { NodeInventory } from '#src/core/inventory.ts';
import { type GpuRequest, SEVERAL_USERS } from '#src/core/request.ts';
import { SHARED_GPU, WHOLE_GPU } from '#src/core/resources.ts';
import { node, request, sharedNode } from '../make.ts';

const MIG_1G = 'nvidia.com/mig-1g.5gb';
const whole = node();
const mps = sharedNode('mps', 4);
const sliced = sharedNode('timeslicing', 4);
const mig = node({ allocatable: new Map([[MIG_1G, 14]]), gpus: 2, migMiB: new Map([[MIG_1G, 4_864]]) });
const changing = node({ inTransition: true });
const unsized = node({ gpus: undefined, allocatable: new Map([[WHOLE_GPU, 4]]) });
const untold = sharedNode('mps', 4, { gpuMiB: undefined, product: 'NVIDIA-Of-Tomorrow' });

/** `fit` on a node where nothing is taken, or where only `free` slots are left of everything. */
function ask(on: NodeInventory | undefined, asked: GpuRequest, free?: number): Fit {
  const slots = (resource: string) => on?.pools.find((pool) => pool.resource === resource)?.slots ?? 0;
  return fit(on, (resource) => free ?? slots(resource), asked);
}

tap.test('a request fits where every slot is large enough and enough of them are free', async (t) => {
  const cases: readonly [says: string, on: NodeInventory, asked: GpuRequest, free?: number][] = [
    ['no GPU fits on any node that has some', whole, { ...request(WHOLE_GPU, 1), resources: [] }],
    ['a whole GPU', whole, request(WHOLE_GPU, 1)],
    ['all GPUs of a node', whole, request(WHOLE_GPU, 8)],
    ['exactly the free ones', whole, request(WHOLE_GPU, 3), 3],
    ['the mode that was promised', mps, request(SHARED_GPU, 1, { mode: 'mps' })],
    ['a slot of just the memory declared', mps, request(SHARED_GPU, 1, { slotMiB: 10_240 })],
    ['a slot of just the share declared', mps, request(SHARED_GPU, 1, { slotMilli: 250 })],
    ['a slot of unknown memory, for a pod that declares none', untold, request(SHARED_GPU, 1)],
    ['slots of unknown size, for the same', unsized, request(WHOLE_GPU, 2, { mode: 'exclusive' })],
    ['a MIG instance', mig, request(MIG_1G, 1, { mode: 'mig', slotMiB: 4_864, slotMilli: 142 })],
    ['several time slices in one container', sliced, request(SHARED_GPU, 2)],
    [
      'several slots of MPS, one in each container',
      mps,
      { ...request(SHARED_GPU, 1), resources: [{ resource: SHARED_GPU, count: 2, largestContainer: 1 }] },
    ],
  ];
  for (const [says, on, asked, free] of cases) t.strictSame(ask(on, asked, free), { fits: true }, says);
});

interface Refusal {
  readonly says: string;
  readonly on: NodeInventory | undefined;
  readonly asked: GpuRequest;
  readonly free?: number;
  readonly code: FitCode;
  readonly message: string;
  readonly numbers?: Record<string, number>;
  readonly resolvable?: true;
}

const refusals: readonly Refusal[] = [
  {
    says: 'a node that is not known',
    on: undefined,
    asked: request(WHOLE_GPU, 1),
    code: 'UnknownNode',
    message: 'the node is unknown or offers no GPU',
  },
  {
    says: 'a node whose partitions are being changed, though all of it is free',
    on: changing,
    asked: request(WHOLE_GPU, 1),
    code: 'NodeInTransition',
    message: 'the partitions of the GPUs are being changed',
  },
  {
    says: 'a resource that the node does not offer',
    on: whole,
    asked: request(SHARED_GPU, 1),
    code: 'WrongMode',
    message: 'the node does not offer nvidia.com/gpu.shared',
  },
  {
    says: 'a MIG profile that the layout of the node lacks',
    on: mig,
    asked: request('nvidia.com/mig-3g.20gb', 1),
    code: 'NoMigPlacement',
    message: 'no GPU of the node has a MIG instance of 3g.20gb',
  },
  {
    says: 'a MIG profile on a node that is not cut at all',
    on: whole,
    asked: request(MIG_1G, 1),
    code: 'WrongMode',
    message: 'the node does not offer nvidia.com/mig-1g.5gb',
  },
  {
    says: 'MPS was promised, the node slices time',
    on: sliced,
    asked: request(SHARED_GPU, 1, { mode: 'mps' }),
    code: 'WrongMode',
    message: 'the pod was admitted for MPS, the node shares by time-slicing',
  },
  {
    says: 'a whole GPU was promised, the node shares under the plain name',
    on: node({ sharing: 'mps', replicas: 4, allocatable: new Map([[WHOLE_GPU, 32]]) }),
    asked: request(WHOLE_GPU, 1, { mode: 'exclusive' }),
    code: 'WrongMode',
    message: 'the pod was admitted for whole GPUs, the node shares by MPS',
  },
  {
    says: 'two slots of MPS in one container, which the device plugin refuses',
    on: mps,
    asked: request(SHARED_GPU, 2),
    code: 'SharedCountTooLarge',
    message: 'a container may hold only one slot of a GPU shared by MPS',
    numbers: { asked: 2 },
  },
  {
    says: 'a slot of a MiB too little',
    on: mps,
    asked: request(SHARED_GPU, 1, { slotMiB: 10_241 }),
    code: 'SlotTooSmall',
    message: 'a slot of nvidia.com/gpu.shared has less GPU memory than the pod declares',
    numbers: { slotMiB: 10_240, askedMiB: 10_241 },
  },
  {
    says: 'a slot of a milli-GPU too little',
    on: mps,
    asked: request(SHARED_GPU, 1, { slotMilli: 251 }),
    code: 'SlotTooSmall',
    message: 'a slot of nvidia.com/gpu.shared is a smaller share of a GPU than the pod declares',
    numbers: { slotMilli: 250, askedMilli: 251 },
  },
  {
    says: 'too few free slots: who holds the others might go',
    on: whole,
    asked: request(WHOLE_GPU, 4),
    free: 3,
    code: 'InsufficientSlots',
    message: 'not enough free slots of nvidia.com/gpu',
    numbers: { free: 3, asked: 4 },
    resolvable: true,
  },
  {
    says: 'all slots of the node, some taken: possible without the others',
    on: whole,
    asked: request(WHOLE_GPU, 8),
    free: 7,
    code: 'InsufficientSlots',
    message: 'not enough free slots of nvidia.com/gpu',
    numbers: { free: 7, asked: 8 },
    resolvable: true,
  },
  {
    says: 'more slots than the node has: no eviction helps',
    on: whole,
    asked: request(WHOLE_GPU, 9),
    code: 'InsufficientSlots',
    message: 'not enough free slots of nvidia.com/gpu',
    numbers: { free: 8, asked: 9 },
  },
];

for (const { says, on, asked, free, code, message, numbers = {}, resolvable = false } of refusals) {
  tap.test(`${code}: ${says}`, async (t) => {
    t.strictSame(ask(on, asked, free), { fits: false, code, message, numbers, resolvable });
  });
}

tap.test('an MPS daemon serves one user at a time', async (t) => {
  const asked = (user?: number) => request(SHARED_GPU, 1, { user });
  const ask = (on: NodeInventory, user: number | undefined, users: readonly number[]) => {
    const verdict = fit(on, () => 1, asked(user), { users });
    return verdict.fits ? 'fits' : `${verdict.code} ${JSON.stringify(verdict.numbers)} ${verdict.resolvable}`;
  };
  t.equal(ask(mps, 1000, []), 'fits', 'nobody is there');
  t.equal(ask(mps, 1000, [1000]), 'fits', 'the same');
  t.equal(ask(mps, 1000, [0]), 'WrongUser {"user":0,"asked":1000} false', 'another; no eviction is worth it');
  t.equal(ask(mps, 0, [0, 7]), 'WrongUser {"user":7,"asked":0} false', 'one of several');
  t.equal(ask(mps, SEVERAL_USERS, []), 'WrongUser {} false', 'its own containers differ');
  t.equal(ask(sliced, 1000, [0]), 'fits', 'time-slicing does not care');
  t.equal(ask(mps, undefined, [0]), 'fits', 'whole GPUs and instances do not either');
});

tap.test('what eviction cannot help outweighs what it can, in whatever order the parts stand', async (t) => {
  const full = { resource: WHOLE_GPU, count: 1, largestContainer: 1 };
  const never = { resource: MIG_1G, count: 1, largestContainer: 1 };
  for (const resources of [
    [full, never],
    [never, full],
  ]) {
    t.match(ask(whole, { ...request(WHOLE_GPU, 1), resources }, 0), { code: 'WrongMode', resolvable: false });
  }
  const both = { ...request(WHOLE_GPU, 1), resources: [full, { ...never, resource: SHARED_GPU }] };
  const two = { ...whole, pools: [...whole.pools, ...sliced.pools] };
  t.match(
    ask(two, both, 0),
    { message: /nvidia.com\/gpu$/, resolvable: true },
    'the first part that eviction can help',
  );
});

tap.test('a sentence does not change with the load: kube-scheduler tries a pod again when it does', async () => {
  const pair = fc.tuple(fc.nat({ max: 8 }), fc.nat({ max: 8 }), fc.integer({ min: 1, max: 12 }));
  fc.assert(
    fc.property(
      fc.constantFrom(whole, mps, sliced),
      fc.constantFrom(WHOLE_GPU, SHARED_GPU),
      pair,
      (on, resource, [a, b, count]) => {
        const [first, second] = [ask(on, request(resource, count), a), ask(on, request(resource, count), b)];
        return first.fits || second.fits || first.message === second.message;
      },
    ),
  );
});

tap.test('what fits with little free, fits with more', async () => {
  fc.assert(
    fc.property(fc.nat({ max: 8 }), fc.nat({ max: 8 }), fc.integer({ min: 1, max: 12 }), (free, more, count) => {
      const asked = request(WHOLE_GPU, count);
      return !ask(whole, asked, free).fits || ask(whole, asked, free + more).fits;
    }),
  );
});
