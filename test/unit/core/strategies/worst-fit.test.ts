/** WorstFit packs workloads into the least utilised node (specification, 1). */

import tap from 'tap';
import { worstFit } from '#src/core/strategies/worst-fit.ts';
import { load, order } from './make.ts';

const cases: readonly [says: string, nodes: Parameters<typeof order>[1], best: readonly string[]][] = [
  [
    'the emptier, the better',
    [load('half', 4_000), load('empty', 0), load('nearly-full', 7_000), load('quarter', 2_000)],
    ['empty', 'quarter', 'half', 'nearly-full'],
  ],
  ['a slot more makes the difference', [load('a', 4_125), load('b', 4_000)], ['b', 'a']],
  [
    'of two with the same pods, the larger node is emptier',
    [load('small', 1_000, { gpus: 2 }), load('large', 1_000, { gpus: 8 })],
    ['large', 'small'],
  ],
  [
    'age does not outweigh load',
    [load('old', 1_000, { createdAt: 1 }), load('young', 0, { createdAt: 2 })],
    ['young', 'old'],
  ],
];

for (const [says, nodes, best] of cases) tap.test(says, async (t) => t.strictSame(order(worstFit, nodes), best));
