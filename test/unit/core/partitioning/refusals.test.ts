/** Why pods find no room: of all nodes, what keeps the one that comes nearest from being changed. */

import tap from 'tap';
import type { PlanningNode, PlanRefusal, PodDemand } from '#src/core/partitioning/plan-input.ts';
import { refusals } from '#src/core/partitioning/refusals.ts';
import { SHARED_GPU, WHOLE_GPU } from '#src/core/resources.ts';
import { demand, planningNode, searchable, shared } from './make.ts';

const MIG_1G = 'nvidia.com/mig-1g.5gb';

function refused(nodes: readonly PlanningNode[], demands: readonly PodDemand[]): PlanRefusal[] {
  const { candidates, classes, demandClasses } = searchable(nodes, demands);
  return refusals(demandClasses, ({ demand: { pods } }) => pods.slice(1), candidates, classes);
}

/** Two pods wait, one has found room. From the farthest to the nearest. */
const OBSTACLES: readonly [code: string, node: PlanningNode, options?: Partial<PodDemand>][] = [
  ['NoGpuHoldsIt', planningNode('a', { product: 'NVIDIA-L40S', gpuMiB: 49_152 })],
  ['NoNodeAllowed', planningNode('b', { modes: [] }), { roomOn: (node) => (node === 'b' ? 0 : 9) }],
  ['ModeNotAllowed', planningNode('c', { modes: ['mps'], partition: undefined })],
  ['PartitionUnknown', planningNode('d', { partition: undefined })],
  ['ChangeUnderWay', planningNode('e', { coming: shared(2, 'mps', 8) })],
  ['ChangeUnderWay', planningNode('f', { inTransition: true, held: { [WHOLE_GPU]: 1 } })],
  ['AllBusy', planningNode('g', { held: { [WHOLE_GPU]: 1 }, cooldownMs: 1 })],
  [
    'AllBusy',
    planningNode('g', {
      partition: { layouts: [undefined, { '1g.5gb': 7 }], sharing: undefined },
      held: { [MIG_1G]: 1 },
    }),
  ],
  ['Resting', planningNode('h', { cooldownMs: 1 })],
  ['OthersFirst', planningNode('i')],
];
for (const [i, [code, node, options]] of OBSTACLES.entries()) {
  tap.test(`${code}: node ${node.inventory.name}`, async (t) => {
    t.match(refused([node], [demand('d', 2, MIG_1G, options)]), [{ code, pods: ['d/1'] }]);
    const farther = OBSTACLES.slice(0, i + 1).map(([, other]) => other);
    const most = { roomOn: (name: string) => (name === 'b' ? 0 : 9) };
    t.match(refused(farther.toReversed(), [demand('d', 2, MIG_1G, most)]), [{ code }], 'and not what is farther');
  });
}

tap.test('without any node no GPU holds it', async (t) => {
  t.match(refused([], [demand('d', 2, WHOLE_GPU)]), [{ code: 'NoGpuHoldsIt', pods: ['d/1'] }]);
});

tap.test('who has found room is not refused; each other demand is by its own', async (t) => {
  const demands = [demand('d', 1, WHOLE_GPU), demand('e', 2, WHOLE_GPU, { count: 8 }), demand('f', 3, SHARED_GPU)];
  t.match(
    refused([planningNode('a', { modes: ['mps'] })], demands).map(({ code, pods }) => [code, ...pods]),
    [
      ['NoGpuHoldsIt', 'e/1'],
      ['OthersFirst', 'f/1', 'f/2'],
    ],
  );
});

const SENTENCES: readonly [demand: PodDemand, sentence: string][] = [
  [demand('d', 2, MIG_1G), 'to hold nvidia.com/mig-1g.5gb'],
  [demand('d', 2, WHOLE_GPU, { count: 9 }), 'to hold 9 × nvidia.com/gpu on one node'],
  [demand('d', 2, WHOLE_GPU, { slotMiB: 0 }), 'to hold nvidia.com/gpu with 0 MiB each'],
  [demand('d', 2, WHOLE_GPU, { slotMilli: 800 }), 'to hold nvidia.com/gpu with 800 milli-GPU each'],
  [
    demand('d', 2, SHARED_GPU, { count: 2, slotMiB: 30_000, slotMilli: 600 }),
    'to hold 2 × nvidia.com/gpu.shared on one node with 30000 MiB and 600 milli-GPU each',
  ],
];
for (const [each, sentence] of SENTENCES) {
  tap.test(`says what it was: ${sentence}`, async (t) => {
    const [refusal] = refused([], [each]);
    t.equal(refusal?.why, `no node has GPUs that could be partitioned ${sentence}`);
  });
}
