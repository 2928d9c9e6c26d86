/** FirstFit packs workloads into the first node in a fixed order: by creation time, then by name. */

import tap from 'tap';
import { firstFit } from '#src/core/strategies/first-fit.ts';
import { load, order } from './make.ts';

const cases: readonly [says: string, nodes: Parameters<typeof order>[1], best: readonly string[]][] = [
  [
    'the oldest comes first, whatever it holds',
    [load('a', 0, { createdAt: 3 }), load('b', 4_000, { createdAt: 2 }), load('c', 7_000, { createdAt: 1 })],
    ['c', 'b', 'a'],
  ],
  [
    'of one age, the name decides, whatever they hold',
    [load('gpu-node-02', 7_000), load('gpu-node-03', 0), load('gpu-node-01', 4_000)],
    ['gpu-node-01', 'gpu-node-02', 'gpu-node-03'],
  ],
  ['the size does not matter', [load('b', 0, { gpus: 16 }), load('a', 0, { gpus: 1 })], ['a', 'b']],
];

for (const [says, nodes, best] of cases) tap.test(says, async (t) => t.strictSame(order(firstFit, nodes), best));
