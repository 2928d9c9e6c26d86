/** Savings as the specification counts them. */

import tap from 'tap';
import { saving } from '#src/core/savings.ts';

const EXAMPLES: readonly [what: string, before: number, after: number, saved: number, percent: number][] = [
  ['10 inference pods on 2 GPUs', 10, 2, 8, 80],
  ['20 batch jobs on 3 GPUs', 20, 3, 17, 85],
  ['16 notebooks on 4 GPUs', 16, 4, 12, 75],
  ['nothing shared', 5, 5, 0, 0],
  ['nothing at all', 0, 0, 0, 0],
];
for (const [what, before, after, saved, percent] of EXAMPLES) {
  tap.test(`${what}: ${saved} GPUs (${percent}%)`, async (t) => {
    t.same(saving(before, after), { before, after, saved, percent });
  });
}
