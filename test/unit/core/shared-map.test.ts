/** A copied map: what one changes the other never sees, whoever was copied from whom. */

import fc from 'fast-check';
import tap from 'tap';
import { SharedMap } from '#src/core/shared-map.ts';

tap.test('copies of copies are as maps of their own', async (t) => {
  const step = fc.record({
    map: fc.nat(5),
    key: fc.constantFrom('a', 'b', 'node-00001', 'node-00002', ''),
    does: fc.constantFrom('set', 'delete', 'clone'),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const shared = [new SharedMap<number>()];
      const plain = [new Map<string, number>()];
      for (const [i, { map, key, does }] of steps.entries()) {
        const [ours, theirs] = [shared[map % shared.length], plain[map % plain.length]];
        if (!ours || !theirs) continue;
        if (does === 'set') {
          ours.set(key, i);
          theirs.set(key, i);
        } else if (does === 'delete') {
          ours.delete(key);
          theirs.delete(key);
        } else if (shared.length < 6) {
          shared.push(ours.clone());
          plain.push(new Map(theirs));
        }
        for (const [n, each] of shared.entries()) {
          const expected = [...(plain[n]?.values() ?? [])].sort();
          if (String([...each.values()].sort()) !== String(expected)) throw new Error(`map ${n} after step ${i}`);
        }
      }
    }),
    { numRuns: 300 },
  );
  t.pass('300 runs');
});

tap.test('a key is found, or is not', async (t) => {
  const map = new SharedMap<number>();
  map.set('a', 1);
  t.equal(map.get('a'), 1);
  t.equal(map.get('b'), undefined);
  const copy = map.clone();
  copy.delete('a');
  copy.delete('b');
  t.equal(map.get('a'), 1);
  t.equal(copy.get('a'), undefined);
});
