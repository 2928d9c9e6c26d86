/** A copied array: what one changes the other never sees, whoever was copied from whom. */

import fc from 'fast-check';
import tap from 'tap';
import { SharedArray } from '#src/core/shared-array.ts';

tap.test('copies of copies are as arrays of their own', async (t) => {
  const step = fc.record({
    array: fc.nat(5),
    index: fc.constantFrom(0, 1, 63, 64, 200),
    does: fc.constantFrom('set', 'clear', 'clone'),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const shared = [new SharedArray<number>()];
      const plain = [new Map<number, number>()];
      for (const [i, { array, index, does }] of steps.entries()) {
        const [ours, theirs] = [shared[array % shared.length], plain[array % plain.length]];
        if (!ours || !theirs) continue;
        if (does === 'set') {
          ours.set(index, i);
          theirs.set(index, i);
        } else if (does === 'clear') {
          ours.set(index, undefined);
          theirs.delete(index);
        } else if (shared.length < 6) {
          shared.push(ours.clone());
          plain.push(new Map(theirs));
        }
        for (const [n, each] of shared.entries()) {
          const expected = [...(plain[n] ?? [])].sort(([a], [b]) => a - b);
          const same = expected.every(([at, value]) => each.get(at) === value);
          if (!same || String([...each.values()]) !== String(expected.map(([, value]) => value)))
            throw new Error(`array ${n} after step ${i}`);
        }
      }
    }),
    { numRuns: 300 },
  );
  t.pass('300 runs');
});

tap.test('what is not there is undefined, at any index', async (t) => {
  const array = new SharedArray<string>();
  array.set(3, 'd');
  t.strictSame(
    [-1, 0, 3, 4, 1_000].map((index) => array.get(index)),
    [undefined, undefined, 'd', undefined, undefined],
  );
});
