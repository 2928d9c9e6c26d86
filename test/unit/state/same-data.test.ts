/** When two records are the same. */

import fc from 'fast-check';
import tap from 'tap';
import { sameData } from '#src/state/same-data.ts';

tap.test('copies are the same, however deep', async () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => sameData(value, structuredClone(value))));
});

tap.test('different JSON is different', async () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
      const sorted = (value: unknown): unknown =>
        Array.isArray(value)
          ? value.map(sorted)
          : typeof value === 'object' && value !== null
            ? Object.fromEntries(
                Object.entries(value)
                  .sort()
                  .map(([key, each]) => [key, sorted(each)]),
              )
            : Object.is(value, -0)
              ? 0
              : value;
      return sameData(a, b) === (JSON.stringify(sorted(a)) === JSON.stringify(sorted(b)));
    }),
  );
});

const CASES: readonly [says: string, a: unknown, b: unknown, same: boolean][] = [
  ['a property that is undefined is as good as none', { a: 1, b: undefined }, { a: 1 }, true],
  ['on either side', { a: 1 }, { a: 1, b: undefined }, true],
  ['but not one that is null', { a: null }, {}, false],
  ['the order of keys does not matter', { a: 1, b: 2 }, { b: 2, a: 1 }, true],
  ['that of items does', [1, 2], [2, 1], false],
  ['maps by their entries', new Map([['a', [1]]]), new Map([['a', [1]]]), true],
  ['maps of another size', new Map([['a', 1]]), new Map(), false],
  ['sets by their items', new Set(['a']), new Set(['a']), true],
  ['sets with other items', new Set(['a']), new Set(['b']), false],
  ['a list is no object', [], {}, false],
  ['NaN is NaN', Number.NaN, Number.NaN, true],
];
for (const [says, a, b, same] of CASES) tap.test(says, async (t) => t.equal(sameData(a, b), same));
