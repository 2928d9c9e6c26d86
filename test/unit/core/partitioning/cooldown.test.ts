/** How long a node rests; test/property/planning.test.ts has demands that alternate. */

import tap from 'tap';
import { cooldownOf } from '#src/core/partitioning/cooldown.ts';

const CASES: readonly [what: string, minutesAgo: readonly number[], rest: number][] = [
  ['a node that never changed may change', [], 0],
  ['it rests 10 minutes after a change', [0], 10],
  ['of which some have passed', [4], 6],
  ['after that it may change', [10], 0],
  ['the second change in two hours doubles it', [0, 30], 20],
  ['so does the third', [0, 30, 70], 40],
  ['it never rests longer than an hour', [0, 30, 70, 100, 110, 115], 60],
  ['what was two hours ago is forgotten', [0, 120, 121], 10],
  ['only the newest change is waited for', [25, 30, 70], 15],
];
for (const [what, minutesAgo, rest] of CASES) {
  tap.test(what, async (t) => {
    t.equal(cooldownOf({ lastChanges: minutesAgo.map((ago) => ago * 60_000) }), rest * 60_000);
  });
}
