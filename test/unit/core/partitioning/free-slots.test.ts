/** Pods on slots that are free, or coming: where they go, and who moves for whom. */

import tap from 'tap';
import { serve } from '#src/core/partitioning/free-slots.ts';
import type { PlanningNode, PodDemand } from '#src/core/partitioning/plan-input.ts';
import { SHARED_GPU, WHOLE_GPU } from '#src/core/resources.ts';
import { demand, planningNode, searchable, shared } from './make.ts';

const MIG_1G = 'nvidia.com/mig-1g.5gb';
/** One GPU, shared by so many. */
const mps = (name: string, replicas: number, held = 0, more: Parameters<typeof planningNode>[1] = {}) =>
  planningNode(name, { gpus: 1, partition: shared(1, 'mps', replicas), held: { [SHARED_GPU]: held }, ...more });

interface Case {
  readonly says: string;
  readonly nodes: readonly PlanningNode[];
  readonly demands: readonly PodDemand[];
  /** Pods on each node, by the name of their demand. */
  readonly pods: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** Pods that still want room. */
  readonly remaining?: readonly number[];
  /** How much else might be made of the nodes; nothing by default. */
  readonly flexible?: Readonly<Record<string, number>>;
}

const CASES: readonly Case[] = [
  { says: 'nobody waits', nodes: [mps('a', 4)], demands: [], pods: {} },
  { says: 'there is no node', nodes: [], demands: [demand('d', 2, SHARED_GPU)], pods: {}, remaining: [2] },
  {
    says: 'nodes that pods use come first, then idle ones, then what is coming',
    nodes: [mps('a', 2, 0, { coming: shared(1, 'mps', 2) }), mps('b', 2), mps('c', 2, 1)],
    demands: [demand('d', 4, SHARED_GPU)],
    pods: { a: { d: 1 }, b: { d: 2 }, c: { d: 1 } },
  },
  {
    says: 'so that idle ones can still be changed',
    nodes: [mps('a', 2), mps('b', 2, 1)],
    demands: [demand('d', 1, SHARED_GPU)],
    pods: { b: { d: 1 } },
  },
  {
    says: 'what does not fit remains',
    nodes: [mps('a', 2, 1), mps('b', 2)],
    demands: [demand('d', 5, SHARED_GPU)],
    pods: { a: { d: 1 }, b: { d: 2 } },
    remaining: [2],
  },
  {
    says: 'small slots first, large ones are left for who needs them',
    nodes: [mps('a', 8, 7, { gpus: 4, partition: shared(4, 'mps', 2) }), mps('b', 8, 7)],
    demands: [demand('d', 1, SHARED_GPU)],
    pods: { b: { d: 1 } },
  },
  {
    says: 'as few idle nodes as will do: the smallest that takes all that is left',
    nodes: [
      mps('a', 4, 0, { gpus: 4, partition: shared(4, 'mps', 4) }),
      mps('b', 4),
      mps('c', 4, 0, { gpus: 2, partition: shared(2, 'mps', 4) }),
    ],
    demands: [demand('d', 6, SHARED_GPU)],
    pods: { c: { d: 6 } },
  },
  {
    says: 'or the largest first, where none takes all, and the smallest for the rest',
    nodes: [
      mps('a', 4),
      mps('b', 4, 0, { gpus: 4, partition: shared(4, 'mps', 4) }),
      mps('c', 4, 0, { gpus: 2, partition: shared(2, 'mps', 4) }),
    ],
    demands: [demand('d', 18, SHARED_GPU)],
    pods: { a: { d: 2 }, b: { d: 16 } },
  },
  {
    says: 'nodes of which nothing else could be made go before larger ones',
    nodes: [mps('a', 4, 0, { gpus: 2, partition: shared(2, 'mps', 4) }), mps('b', 4)],
    demands: [demand('d', 4, SHARED_GPU)],
    pods: { b: { d: 4 } },
    flexible: { a: 2 },
  },
  {
    says: 'each resource by itself',
    nodes: [planningNode('a', { gpus: 1 }), mps('b', 2)],
    demands: [demand('d', 2, WHOLE_GPU), demand('e', 1, SHARED_GPU), demand('f', 1, MIG_1G)],
    pods: { a: { d: 1 }, b: { e: 1 } },
    remaining: [1, 1, 0],
  },
  {
    says: 'all slots of a pod are on one node',
    nodes: [mps('a', 4, 3), mps('b', 4, 3)],
    demands: [demand('d', 1, SHARED_GPU, { count: 2, largestContainer: 1 })],
    pods: {},
    remaining: [1],
  },
  {
    says: 'the first in order has the last slot',
    nodes: [mps('a', 2, 1)],
    demands: [demand('d', 1, SHARED_GPU), demand('e', 1, SHARED_GPU, { priority: 1 })],
    pods: { a: { e: 1 } },
    remaining: [0, 1],
  },
  {
    says: 'a pod moves over for one that can go nowhere else',
    nodes: [mps('a', 2, 1), mps('b', 2, 1)],
    demands: [
      demand('d', 1, SHARED_GPU, { slotMiB: 2 }),
      demand('e', 1, SHARED_GPU, { slotMiB: 1, roomOn: (node) => (node === 'a' ? 9 : 0) }),
    ],
    pods: { a: { e: 1 }, b: { d: 1 } },
  },
  {
    says: 'in a chain, if need be',
    nodes: [mps('a', 2, 1), mps('b', 2, 1), mps('c', 2, 1)],
    demands: [
      demand('d', 1, SHARED_GPU, { slotMiB: 3, roomOn: (node) => ({ a: 9, b: 9 })[node] ?? 0 }),
      demand('e', 1, SHARED_GPU, { slotMiB: 2, roomOn: (node) => ({ b: 9, c: 9 })[node] ?? 0 }),
      demand('f', 1, SHARED_GPU, { slotMiB: 1, roomOn: (node) => (node === 'a' ? 9 : 0) }),
    ],
    pods: { a: { f: 1 }, b: { d: 1 }, c: { e: 1 } },
  },
  {
    says: 'only for one that takes as many slots',
    nodes: [mps('a', 4, 2), mps('b', 2)],
    demands: [
      demand('d', 1, SHARED_GPU, { count: 2, largestContainer: 1, priority: 1 }),
      demand('e', 1, SHARED_GPU, { roomOn: (node) => (node === 'a' ? 9 : 0) }),
    ],
    pods: { a: { d: 1 } },
    remaining: [0, 1],
  },
];
for (const { says, nodes, demands, pods, remaining: left, flexible = {} } of CASES) {
  tap.test(says, async (t) => {
    const { candidates, demandClasses, remaining } = searchable(nodes, demands);
    const waiting = [...remaining];
    serve(candidates, demandClasses, remaining, ({ name }) => flexible[name] ?? 0);
    const names = demandClasses.map(
      ({
        demand: {
          pods: [first = ''],
        },
      }) => first.replace(/\/.*/, ''),
    );
    const placed = candidates.map(({ name, pods: counts }) => {
      return [name, Object.fromEntries([...counts].map(([index, count]) => [names[index], count]))] as const;
    });
    t.strictSame(Object.fromEntries(placed.filter(([, counts]) => Object.keys(counts).length > 0)), pods);
    t.strictSame(remaining, left ?? waiting.map(() => 0));
    const overdrawn = candidates.filter((each) => each.freeSlots(SHARED_GPU) < 0 || each.freeSlots(WHOLE_GPU) < 0);
    t.strictSame(overdrawn, [], 'no node gives more than it has');
  });
}
