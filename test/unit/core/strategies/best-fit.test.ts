/** BestFit packs workloads into the most utilised node that can fit them (specification, 1). */

import tap from 'tap';
import { bestFit } from '#src/core/strategies/best-fit.ts';
import { load, order } from './make.ts';

const cases: readonly [says: string, nodes: Parameters<typeof order>[1], best: readonly string[]][] = [
  [
    'the fuller, the better',
    [load('half', 4_000), load('empty', 0), load('nearly-full', 7_000), load('quarter', 2_000)],
    ['nearly-full', 'half', 'quarter', 'empty'],
  ],
  ['a slot more makes the difference', [load('a', 4_000), load('b', 4_125)], ['b', 'a']],
  [
    'of two with the same pods, the smaller node is fuller',
    [load('large', 1_000, { gpus: 8 }), load('small', 1_000, { gpus: 2 })],
    ['small', 'large'],
  ],
  [
    'age does not outweigh load',
    [load('old', 0, { createdAt: 1 }), load('young', 1_000, { createdAt: 2 })],
    ['young', 'old'],
  ],
  [
    'empty nodes stay empty: the oldest is opened first',
    [load('young', 0, { createdAt: 2 }), load('old', 0, { createdAt: 1 })],
    ['old', 'young'],
  ],
];

for (const [says, nodes, best] of cases) tap.test(says, async (t) => t.strictSame(order(bestFit, nodes), best));
