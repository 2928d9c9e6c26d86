/** The effective request of a pod, by the rule of Kubernetes's "Sidecar Containers". */

import fc from 'fast-check';
import tap from 'tap';
import { type ContainerDemand, effectiveRequest, type ResourceRequest } from '#src/core/request.ts';
import { SHARED_GPU, WHOLE_GPU } from '#src/core/resources.ts';

const asks = (count: number, resource = WHOLE_GPU): ContainerDemand => ({
  resources: new Map([[resource, count]]),
  sidecar: false,
});
const sidecar = (count: number): ContainerDemand => ({ ...asks(count), sidecar: true });
const whole = (count: number, largestContainer = count): ResourceRequest => ({
  resource: WHOLE_GPU,
  count,
  largestContainer,
});

interface Case {
  readonly says: string;
  readonly init?: readonly ContainerDemand[];
  readonly run: readonly ContainerDemand[];
  readonly expected: readonly ResourceRequest[];
}

const cases: readonly Case[] = [
  { says: 'a container holds what it asks for', run: [asks(1)], expected: [whole(1)] },
  { says: 'containers run side by side: their requests add up', run: [asks(1), asks(2)], expected: [whole(3, 2)] },
  {
    says: 'an init container runs alone, before: the larger counts',
    init: [asks(4)],
    run: [asks(1)],
    expected: [whole(4)],
  },
  {
    says: 'a small init container costs nothing more',
    init: [asks(1)],
    run: [asks(2), asks(2)],
    expected: [whole(4, 2)],
  },
  {
    says: 'init containers run one after the other: the largest counts',
    init: [asks(3), asks(2)],
    run: [asks(1)],
    expected: [whole(3)],
  },
  {
    says: 'a sidecar keeps running beside the containers',
    init: [sidecar(1)],
    run: [asks(2)],
    expected: [whole(3, 2)],
  },
  {
    says: 'an init container runs beside the sidecars started before it',
    init: [sidecar(1), asks(4)],
    run: [asks(1)],
    expected: [whole(5, 4)],
  },
  { says: 'and not beside those started after it', init: [asks(4), sidecar(1)], run: [asks(1)], expected: [whole(4)] },
  {
    says: 'sidecars add up, each init container with those before it',
    init: [sidecar(1), asks(2), sidecar(2), asks(1)],
    run: [asks(0)],
    expected: [whole(4, 2)],
  },
  {
    says: 'a GPU asked for by an init container alone is held too',
    init: [asks(1)],
    run: [asks(0)],
    expected: [whole(1)],
  },
  { says: 'nothing asked for, nothing requested', run: [asks(0)], expected: [] },
  { says: 'no container, nothing requested', run: [], expected: [] },
  { says: 'what is no GPU does not count', run: [asks(8, 'cpu'), asks(1, 'amd.com/gpu')], expected: [] },
  {
    says: 'each resource is counted by itself, in the order of names',
    init: [asks(2, SHARED_GPU)],
    run: [asks(1, 'nvidia.com/mig-1g.5gb'), asks(1, SHARED_GPU), asks(1)],
    expected: [
      whole(1),
      { resource: SHARED_GPU, count: 2, largestContainer: 2 },
      { resource: 'nvidia.com/mig-1g.5gb', count: 1, largestContainer: 1 },
    ],
  },
];

for (const { says, init = [], run, expected } of cases) {
  tap.test(says, async (t) => t.strictSame(effectiveRequest(init, run), expected));
}

const demand = fc.tuple(fc.nat({ max: 8 }), fc.boolean()).map(([count, side]) => (side ? sidecar(count) : asks(count)));
const plain = fc.nat({ max: 8 }).map((count) => asks(count));

tap.test('a pod can always run: no moment of its life needs more than it requests', async () => {
  fc.assert(
    fc.property(fc.array(demand, { maxLength: 6 }), fc.array(plain, { minLength: 1, maxLength: 4 }), (init, run) => {
      const held = effectiveRequest(init, run)[0]?.count ?? 0;
      // Play the pod's life: who is alive at each moment.
      let alive: ContainerDemand[] = [];
      const need = () => alive.reduce((sum, { resources }) => sum + (resources.get(WHOLE_GPU) ?? 0), 0);
      let peak = 0;
      for (const container of init) {
        alive.push(container);
        peak = Math.max(peak, need());
        alive = alive.filter((other) => other.sidecar);
      }
      alive.push(...run);
      return held === Math.max(peak, need());
    }),
  );
});

tap.test('the order of containers does not matter', async () => {
  const shuffled = fc
    .array(plain, { maxLength: 5 })
    .chain((run) => fc.tuple(fc.constant(run), fc.shuffledSubarray(run, { minLength: run.length })));
  fc.assert(
    fc.property(fc.array(demand, { maxLength: 3 }), shuffled, (init, [run, other]) => {
      const [a, b] = [effectiveRequest(init, run), effectiveRequest(init, other)];
      return JSON.stringify(a) === JSON.stringify(b);
    }),
  );
});
