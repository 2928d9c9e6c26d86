/** Where time-slices may use the memory of the whole GPU, pods that declare nearly all of it still share one. */

import tap from 'tap';
import { GpuTypes } from '#src/core/partitioning/gpu-type.ts';
import { inventoryWith, wholeGpus } from '#src/core/partitioning/partition.ts';
import { plan } from '#src/core/partitioning/plan.ts';
import type { Plan, PlanningNode } from '#src/core/partitioning/plan-input.ts';
import { SHARED_GPU } from '#src/core/resources.ts';
import { node } from '../../make.ts';
import { demand, planningNode, shared } from './make.ts';

const T4 = { product: 'Tesla-T4', gpuMiB: 15_360, gpus: 1 };
const SLICED = shared(1, 'timeslicing', 4);
/** Four pods of 15 GiB each. */
const WAITING = demand('d', 4, SHARED_GPU, { mode: 'timeslicing', slotMiB: 15_360, maxReplicas: 4 });

function answer({ changes, servedByFree, refused }: Plan) {
  return {
    free: servedByFree.length,
    to: changes.map(({ to }) => to.sharing),
    refused: refused.map(({ code }) => code),
  };
}

const CASES: readonly [says: string, node: PlanningNode, answer: ReturnType<typeof answer>][] = [
  [
    'a T4 is sliced for them',
    planningNode('a', { ...T4, oversubscribe: true }),
    { free: 0, to: [SLICED.sharing], refused: [] },
  ],
  [
    'slots that are free serve them',
    planningNode('a', { ...T4, oversubscribe: true, partition: SLICED }),
    { free: 4, to: [], refused: [] },
  ],
  [
    'slots that come serve them',
    planningNode('a', { ...T4, oversubscribe: true, coming: SLICED }),
    { free: 4, to: [], refused: [] },
  ],
  [
    'without it, a slot has a part of the memory',
    planningNode('a', T4),
    { free: 0, to: [], refused: ['NoGpuHoldsIt'] },
  ],
  [
    'and there, not even slots that are free do',
    planningNode('a', { ...T4, partition: SLICED }),
    { free: 0, to: [], refused: ['NoGpuHoldsIt'] },
  ],
];
for (const [says, each, expected] of CASES) {
  tap.test(says, async (t) => {
    t.strictSame(answer(plan({ nodes: [each], demands: [WAITING] })), expected);
  });
}

tap.test('nodes that differ in that alone each do what they can', async (t) => {
  const nodes = [planningNode('a', T4), planningNode('b', { ...T4, oversubscribe: true })];
  t.strictSame(
    plan({ nodes, demands: [WAITING] }).changes.map(({ node: name }) => name),
    ['b'],
  );
});

tap.test('MPS divides the memory all the same', async (t) => {
  const demands = [demand('d', 4, SHARED_GPU, { mode: 'mps', slotMiB: 15_360, maxReplicas: 4 })];
  const nodes = [planningNode('a', { ...T4, oversubscribe: true })];
  t.strictSame(answer(plan({ nodes, demands })), { free: 0, to: [], refused: ['NoGpuHoldsIt'] });
});

tap.test('a node keeps it through a change of its partition, and its type of GPU has it', async (t) => {
  const { pools, ...after } = inventoryWith(node({ ...T4, oversubscribe: true }), SLICED);
  t.equal(after.oversubscribe, true);
  t.match(pools, [{ resource: SHARED_GPU, slots: 4, slotMiB: 15_360 }]);
  t.equal(inventoryWith({ ...after, pools }, wholeGpus(1)).oversubscribe, true);
  t.equal(new GpuTypes().of({ ...after, pools }).oversubscribe, true);
  const types = new GpuTypes();
  t.not(types.of(node(T4)), types.of(node({ ...T4, oversubscribe: true })));
});
