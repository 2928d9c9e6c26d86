/** Fragments as FGD's paper defines them. */

import tap from 'tap';
import { expectedFragment, fragment } from '#src/core/scoring/fragment.ts';
import type { NodeView, PackingDemand } from '#src/core/scoring/packing-node.ts';
import { demand } from './make.ts';

const node: NodeView = {
  name: 'a',
  createdAt: 0,
  product: 'A100',
  cpuFree: 8_000,
  gpuFree: [1000, 500, 200],
  heldMilli: 1_300,
  totalMilli: 3_000,
};

const CASES: readonly [what: string, asked: Partial<PackingDemand>, milli: number][] = [
  ['a task of 200 can use all that is free', { milli: 200 }, 0],
  ['a task of 300 cannot use the 200', { milli: 300 }, 200],
  ['a whole GPU: only the free one is of use', {}, 700],
  ['two whole GPUs: there is only one, so all is lost', { gpus: 2 }, 1_700],
  ['too little CPU: all is lost', { milli: 200, cpuMilli: 9_000 }, 1_700],
  ['another model: all is lost', { milli: 200, products: new Set(['T4']) }, 1_700],
  ['a task without a GPU uses none', { gpus: 0, milli: 0 }, 1_700],
];
for (const [what, asked, milli] of CASES) tap.test(what, async (t) => t.equal(fragment(node, demand(asked)), milli));

tap.test('the expected fragment is the mean over the classes', async (t) => {
  const classes = [
    { demand: demand({ milli: 200 }), weight: 3 },
    { demand: demand({}), weight: 1 },
  ];
  t.equal(expectedFragment(node, classes), 175);
  t.equal(expectedFragment(node, []), 0);
});
