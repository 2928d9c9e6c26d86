/** What is changed for which pods. Each case: the cluster, the pods that wait, and what becomes of both. */

import tap from 'tap';
import { describePartition, type Partition, wholeGpus } from '#src/core/partitioning/partition.ts';
import { plan } from '#src/core/partitioning/plan.ts';
import type { Plan, PlanningNode, PodDemand } from '#src/core/partitioning/plan-input.ts';
import { SHARED_GPU, WHOLE_GPU } from '#src/core/resources.ts';
import { demand, planningNode, shared } from './make.ts';

const MIG_1G = 'nvidia.com/mig-1g.5gb';
const MIG_3G = 'nvidia.com/mig-3g.20gb';
const MIG_4G = 'nvidia.com/mig-4g.20gb';
const sevens = (gpus: number): Partition => ({ layouts: new Array(gpus).fill({ '1g.5gb': 7 }), sharing: undefined });

/** `a: 2 GPUs by MPS, 8 clients each (12)`: node, what it becomes, and how many pods that serves. */
function changesOf({ changes }: Plan): string[] {
  return changes.map(({ node, to, serves, recommendOnly }) => {
    return `${node}: ${describePartition(to)} (${serves.length})${recommendOnly === undefined ? '' : ', recommended'}`;
  });
}

interface Case {
  readonly says: string;
  readonly nodes: readonly PlanningNode[];
  readonly demands: readonly PodDemand[];
  readonly changes: readonly string[];
  /** Pods served by what is free or coming. */
  readonly free?: number;
  /** Codes of refusals, with how many pods they concern. */
  readonly refused?: readonly string[];
}

const CASES: readonly Case[] = [
  {
    says: 'nothing waits, nothing changes',
    nodes: [planningNode('a')],
    demands: [],
    changes: [],
  },
  {
    says: 'what is free serves first, and costs no change',
    nodes: [planningNode('a'), planningNode('b', { partition: shared(2, 'mps', 8), held: { [SHARED_GPU]: 10 } })],
    demands: [demand('d', 6, SHARED_GPU, { mode: 'mps' })],
    changes: [],
    free: 6,
  },
  {
    says: 'one GPU stays whole where it must, and the others are cut',
    nodes: [planningNode('a', { gpus: 3, keepsWholeGpu: true, modes: ['exclusive', 'mig'] })],
    demands: [demand('d', 30, MIG_1G)],
    changes: ['a: 2 GPUs as 7 × 1g.5gb, 1 whole GPU (14)'],
    refused: ['OthersFirst 16'],
  },
  {
    says: 'slots of an MPS daemon that serves another user are none: another node is made for the pods',
    nodes: [
      planningNode('a', { partition: shared(2, 'mps', 8), held: { [SHARED_GPU]: 1 }, users: [0] }),
      planningNode('b'),
    ],
    demands: [
      demand('d', 2, SHARED_GPU, { mode: 'mps', user: 1000 }),
      demand('e', 1, SHARED_GPU, { mode: 'mps', user: 0 }),
    ],
    changes: ['b: 2 GPUs by MPS, 8 clients each (2)'],
    free: 1,
  },
  {
    says: 'pods of two users are not put on one node that shares by MPS',
    nodes: [planningNode('a'), planningNode('b')],
    demands: [
      demand('d', 2, SHARED_GPU, { mode: 'mps', user: 1000 }),
      demand('e', 2, SHARED_GPU, { mode: 'mps', user: 0 }),
    ],
    changes: ['a: 2 GPUs by MPS, 8 clients each (2)', 'b: 2 GPUs by MPS, 8 clients each (2)'],
  },
  {
    says: 'an idle one serves the first, and then no other user',
    nodes: [planningNode('a', { partition: shared(2, 'mps', 8) })],
    demands: [
      demand('d', 2, SHARED_GPU, { mode: 'mps', user: 1000 }),
      demand('e', 2, SHARED_GPU, { mode: 'mps', user: 0 }),
    ],
    changes: [],
    free: 2,
    refused: ['AllBusy 2'],
  },
  {
    says: 'what is coming serves as well, and is not changed again',
    nodes: [planningNode('a', { coming: shared(2, 'mps', 8), inTransition: true })],
    demands: [demand('d', 6, SHARED_GPU, { mode: 'mps' }), demand('e', 1, MIG_1G)],
    changes: [],
    free: 6,
    refused: ['ChangeUnderWay 1'],
  },
  {
    says: 'a node in transition offers nothing, if nobody knows into what',
    nodes: [planningNode('a', { inTransition: true })],
    demands: [demand('d', 1, WHOLE_GPU)],
    changes: [],
    refused: ['ChangeUnderWay 1'],
  },
  {
    says: 'GPUs that are not needed stay whole',
    nodes: [planningNode('a', { gpus: 8 })],
    demands: [demand('d', 9, MIG_1G)],
    changes: ['a: 2 GPUs as 7 × 1g.5gb, 6 whole GPUs (9)'],
  },
  {
    says: '4g and 3g share a GPU',
    nodes: [planningNode('a', { gpus: 4 })],
    demands: [demand('d', 2, MIG_4G), demand('e', 2, MIG_3G)],
    changes: ['a: 2 GPUs as 3g.20gb + 4g.20gb, 2 whole GPUs (4)'],
  },
  {
    says: '2 GPUs are shared rather than 8, if 2 suffice',
    nodes: [planningNode('a', { gpus: 8 }), planningNode('b', { gpus: 2 })],
    demands: [demand('d', 12, SHARED_GPU, { mode: 'mps' })],
    changes: ['b: 2 GPUs by MPS, 8 clients each (12)'],
  },
  {
    says: 'as many share a GPU as the need of the pods lets them',
    nodes: [planningNode('a')],
    demands: [demand('d', 3, SHARED_GPU, { mode: 'mps', slotMiB: 9_000 })],
    changes: ['a: 2 GPUs by MPS, 4 clients each (3)'],
  },
  {
    says: 'a policy that lets 10 share is followed, though 10 is no usual number',
    nodes: [planningNode('a', { gpus: 1 })],
    demands: [demand('d', 10, SHARED_GPU, { mode: 'timeslicing', maxReplicas: 10 })],
    changes: ['a: 1 GPU by time-slicing, 10 slots each (10)'],
  },
  {
    says: 'MPS takes no more clients than NVIDIA lets it',
    nodes: [planningNode('a', { gpus: 1, product: 'Tesla-V100-SXM2-32GB', gpuMiB: 32_768 })],
    demands: [demand('d', 17, SHARED_GPU, { mode: 'mps', maxReplicas: 40 })],
    changes: ['a: 1 GPU by MPS, 16 clients each (16)'],
    refused: ['OthersFirst 1'],
  },
  {
    says: 'a container may hold one slot of MPS only: two of them are time-sliced',
    nodes: [planningNode('a', { gpus: 1 })],
    demands: [demand('d', 2, SHARED_GPU, { count: 2 })],
    changes: ['a: 1 GPU by time-slicing, 8 slots each (2)'],
  },
  {
    says: 'two containers with a slot each may use MPS',
    nodes: [planningNode('a', { gpus: 1, modes: ['mps'] })],
    demands: [demand('d', 2, SHARED_GPU, { count: 2, largestContainer: 1 })],
    changes: ['a: 1 GPU by MPS, 8 clients each (2)'],
  },
  {
    says: 'an idle shared node goes back to whole GPUs',
    nodes: [planningNode('a', { partition: shared(2, 'mps', 4) })],
    demands: [demand('d', 1, WHOLE_GPU, { count: 2 })],
    changes: ['a: 2 whole GPUs (1)'],
  },
  {
    says: 'so does an idle GPU with MIG, and only as many as it takes',
    nodes: [planningNode('a', { partition: sevens(2) })],
    demands: [demand('d', 1, WHOLE_GPU)],
    changes: ['a: 1 GPU as 7 × 1g.5gb, 1 whole GPU (1)'],
  },
  {
    says: 'how GPUs are shared does not change under a pod',
    nodes: [planningNode('a', { partition: shared(2, 'mps', 4), held: { [SHARED_GPU]: 1 } })],
    demands: [demand('d', 1, WHOLE_GPU)],
    changes: [],
    refused: ['AllBusy 1'],
  },
  {
    says: 'MIG is switched on nowhere on a node that a pod uses',
    nodes: [planningNode('a', { gpus: 8, held: { [WHOLE_GPU]: 1 } })],
    demands: [demand('d', 1, MIG_1G)],
    changes: [],
    refused: ['AllBusy 1'],
  },
  {
    says: 'a GPU with MIG may get another layout beside one that pods use',
    nodes: [
      planningNode('a', {
        partition: { layouts: [{ '3g.20gb': 2 }, { '1g.5gb': 7 }], sharing: undefined },
        held: { [MIG_3G]: 1 },
      }),
    ],
    demands: [demand('d', 1, MIG_4G)],
    changes: ['a: 1 GPU as 2 × 3g.20gb, 1 GPU as 3 × 1g.5gb + 4g.20gb (1)'],
  },
  {
    says: 'but not if its own instances might be the ones that are held',
    nodes: [planningNode('a', { partition: sevens(2), held: { [MIG_1G]: 1 } })],
    demands: [demand('d', 1, MIG_4G)],
    changes: [],
    refused: ['AllBusy 1'],
  },
  {
    says: 'pods that find free slots hold them: nobody changes the node under them',
    nodes: [planningNode('a', { gpus: 1 })],
    demands: [demand('d', 1, WHOLE_GPU), demand('e', 8, SHARED_GPU)],
    changes: [],
    free: 1,
    refused: ['AllBusy 8'],
  },
  {
    says: 'and they leave free a node that others need',
    nodes: [planningNode('a', { gpus: 1 }), planningNode('b', { gpus: 1, product: 'NVIDIA-L40S', gpuMiB: 49_152 })],
    demands: [demand('d', 1, WHOLE_GPU), demand('e', 7, MIG_1G)],
    changes: ['a: 1 GPU as 7 × 1g.5gb (7)'],
    free: 1,
  },
  {
    says: 'MPS and MIG want the same nodes: each gets its own',
    nodes: [planningNode('a'), planningNode('b', { gpus: 1 })],
    demands: [demand('d', 7, MIG_1G), demand('e', 16, SHARED_GPU, { mode: 'mps' })],
    changes: ['a: 2 GPUs by MPS, 8 clients each (16)', 'b: 1 GPU as 7 × 1g.5gb (7)'],
  },
  {
    says: 'beside MIG GPUs may be time-sliced',
    nodes: [planningNode('a')],
    demands: [demand('d', 7, MIG_1G), demand('e', 8, SHARED_GPU, { mode: 'timeslicing' })],
    changes: ['a: 1 GPU as 7 × 1g.5gb, 1 GPU by time-slicing, 8 slots each (15)'],
  },
  {
    says: 'priority goes before number',
    nodes: [planningNode('a', { gpus: 1 })],
    demands: [demand('d', 7, MIG_1G), demand('e', 1, SHARED_GPU, { mode: 'mps', priority: 5 })],
    changes: ['a: 1 GPU by MPS, 8 clients each (1)'],
    refused: ['OthersFirst 7'],
  },
  {
    says: 'all slots of a pod are on one node',
    nodes: [planningNode('a', { gpus: 1, partition: shared(1, 'mps', 2) }), planningNode('b', { gpus: 1 })],
    demands: [demand('d', 1, WHOLE_GPU, { count: 2 })],
    changes: [],
    refused: ['NoGpuHoldsIt 1'],
  },
  {
    says: 'of equal nodes the oldest goes first, then the first by name',
    nodes: [planningNode('b', { gpus: 1 }), planningNode('a', { gpus: 1 })],
    demands: [demand('d', 7, MIG_1G)],
    changes: ['a: 1 GPU as 7 × 1g.5gb (7)'],
  },
  {
    says: 'a node that has MIG already is taken before one where it must be switched on',
    nodes: [
      planningNode('a', { gpus: 1 }),
      planningNode('b', { gpus: 1, partition: { layouts: [{ '3g.20gb': 2 }], sharing: undefined } }),
    ],
    demands: [demand('d', 7, MIG_1G)],
    changes: ['b: 1 GPU as 7 × 1g.5gb (7)'],
  },
  {
    says: 'a node that we may only recommend is used if no other can serve',
    nodes: [
      planningNode('a', { gpus: 1, onlyRecommend: () => 'autoConfig is off' }),
      planningNode('b', { gpus: 1, partition: shared(1, 'timeslicing', 2) }),
    ],
    demands: [demand('d', 10, MIG_1G)],
    changes: ['b: 1 GPU as 7 × 1g.5gb (7)', 'a: 1 GPU as 7 × 1g.5gb (3), recommended'],
  },
  {
    says: 'a node rests after a change',
    nodes: [planningNode('a', { cooldownMs: 1 })],
    demands: [demand('d', 1, MIG_1G)],
    changes: [],
    refused: ['Resting 1'],
  },
  {
    says: 'nodes that labels, taints, cpu or memory rule out are not changed for the pod',
    nodes: [planningNode('a')],
    demands: [demand('d', 1, MIG_1G, { roomOn: () => 0 })],
    changes: [],
    refused: ['NoNodeAllowed 1'],
  },
  {
    says: 'where cpu is short, no more pods are counted on than there is room for, of all demands together',
    nodes: [planningNode('a', { gpus: 1 })],
    demands: [demand('d', 4, MIG_1G, { roomOn: () => 4 }), demand('e', 4, MIG_1G, { roomOn: () => 4 })],
    changes: ['a: 1 GPU as 7 × 1g.5gb (4)'],
    refused: ['OthersFirst 4'],
  },
  {
    says: 'nor where one pod would have to make room for another on the same node',
    nodes: [planningNode('a', { partition: shared(2, 'mps', 8), modes: [] })],
    demands: [
      demand('d', 3, SHARED_GPU, { roomOn: () => 3, maxReplicas: 4 }),
      demand('e', 1, SHARED_GPU, { roomOn: () => 20, maxReplicas: 4 }),
    ],
    changes: [],
    free: 3,
    refused: ['ModeNotAllowed 1'],
  },
  {
    says: 'pods move over for one that fits nowhere else, where slots are free',
    nodes: [
      planningNode('a', { gpus: 1, partition: shared(1, 'mps', 2), held: { [SHARED_GPU]: 1 } }),
      planningNode('b', { gpus: 1, partition: shared(1, 'mps', 2) }),
    ],
    demands: [demand('d', 1, SHARED_GPU), demand('e', 1, SHARED_GPU, { roomOn: (node) => (node === 'a' ? 9 : 0) })],
    changes: [],
    free: 2,
  },
  {
    says: 'a pod for which nobody would be changed takes a place on a node that changes for others, who move over',
    nodes: [planningNode('a'), planningNode('b', { gpus: 3, partition: shared(3, 'mps', 8), modes: ['mps'] })],
    demands: [
      demand('d', 1, SHARED_GPU, { maxReplicas: 1, roomOn: (node) => (node === 'a' ? 9 : 0) }),
      demand('e', 4, SHARED_GPU, { slotMilli: 300, roomOn: (node) => (node === 'a' ? 9 : 3) }),
    ],
    changes: ['a: 2 GPUs by MPS, 2 clients each (4)', 'b: 3 GPUs by MPS, 2 clients each (1)'],
  },
  {
    says: 'and if they cannot move over one by one, all of them go elsewhere',
    nodes: [planningNode('a', { gpus: 1, partition: shared(1, 'timeslicing', 2) }), planningNode('b', { gpus: 3 })],
    demands: [
      demand('d', 1, SHARED_GPU, { mode: 'mps', maxReplicas: 1, roomOn: (node) => (node === 'a' ? 1 : 0) }),
      demand('e', 2, SHARED_GPU, { mode: 'mps', roomOn: (node) => (node === 'a' ? 20 : 99) }),
    ],
    changes: ['a: 1 GPU by MPS, 8 clients each (1)', 'b: 3 GPUs by MPS, 8 clients each (2)'],
  },
  {
    says: 'a change that becomes superfluous since its pod takes a place elsewhere is not made',
    nodes: [planningNode('a'), planningNode('b'), planningNode('c')],
    demands: [
      demand('d', 1, SHARED_GPU, {
        mode: 'timeslicing',
        maxReplicas: 2,
        roomOn: (node) => ({ a: 99, b: 20 })[node] ?? 0,
      }),
      demand('e', 4, SHARED_GPU, { count: 2, slotMiB: 9_000, roomOn: (node) => ({ b: 20, c: 3 })[node] ?? 0 }),
    ],
    changes: ['b: 2 GPUs by time-slicing, 4 slots each (4)', 'c: 2 GPUs by time-slicing, 4 slots each (1)'],
  },
  {
    says: 'a mode that nobody allows is not made',
    nodes: [planningNode('a', { modes: ['exclusive', 'mps'] })],
    demands: [demand('d', 1, MIG_1G)],
    changes: [],
    refused: ['ModeNotAllowed 1'],
  },
  {
    says: 'a GPU without MIG is not cut',
    nodes: [planningNode('a', { product: 'NVIDIA-L40S', gpuMiB: 49_152 })],
    demands: [demand('d', 1, MIG_1G)],
    changes: [],
    refused: ['NoGpuHoldsIt 1'],
  },
  {
    says: 'a node is left alone if nobody knows how it is partitioned',
    nodes: [planningNode('a', { partition: undefined })],
    demands: [demand('d', 1, MIG_1G)],
    changes: [],
    refused: ['PartitionUnknown 1'],
  },
];

for (const { says, nodes, demands, changes, free = 0, refused = [] } of CASES) {
  tap.test(says, async (t) => {
    const planned = plan({ nodes, demands });
    t.strictSame(changesOf(planned), changes);
    t.equal(planned.servedByFree.length, free);
    t.strictSame(
      planned.refused.map(({ code, pods }) => `${code} ${pods.length}`),
      refused,
    );
    const to = new Map(planned.changes.map((change) => [change.node, change.to]));
    const onTheirWay = nodes.map((node) => ({ ...node, coming: to.get(node.inventory.name) ?? node.coming }));
    t.strictSame(
      changesOf(plan({ nodes: onTheirWay, demands })),
      [],
      'nor is there more to change once it is on its way',
    );
  });
}

tap.test('a change says what it serves and what it costs', async (t) => {
  const { changes } = plan({ nodes: [planningNode('a', { gpus: 4 })], demands: [demand('team/d', 9, MIG_1G)] });
  t.strictSame(changes, [
    {
      node: 'a',
      from: wholeGpus(4),
      to: { layouts: [undefined, undefined, { '1g.5gb': 7 }, { '1g.5gb': 7 }], sharing: undefined },
      serves: Array.from({ length: 9 }, (_, i) => `team/d/${i}`),
      gpusChanged: [2, 3],
      recommendOnly: undefined,
      why:
        'makes room for 9 pods (9 that ask for nvidia.com/mig-1g.5gb) by changing 2 of 4 GPUs that no pod uses: from ' +
        '4 whole GPUs to 2 GPUs as 7 × 1g.5gb, 2 whole GPUs',
    },
  ]);
});

tap.test('pods are served in their order', async (t) => {
  const nodes = [planningNode('a', { gpus: 1 }), planningNode('b', { gpus: 1, partition: shared(1, 'mps', 2) })];
  const { servedByFree, changes, refused } = plan({ nodes, demands: [demand('d', 4, WHOLE_GPU)] });
  t.strictSame(servedByFree, ['d/0']);
  t.strictSame(changes[0]?.serves, ['d/1']);
  t.strictSame(refused[0]?.pods, ['d/2', 'd/3']);
});
