/** What a part of a GPU is worth: known answers, and the conditions that dual prices must meet. */

import fc from 'fast-check';
import tap from 'tap';
import { type SizeDemand, shareValue } from '#src/core/scoring/share-value.ts';

const CASES: readonly [what: string, sizes: SizeDemand[], worth: Record<number, number>][] = [
  ['whole GPUs alone: no part is worth anything', [{ milli: 1000, weight: 5 }], { 0: 0, 500: 0, 990: 0, 1000: 1000 }],
  ['halves', [{ milli: 500, weight: 1 }], { 490: 0, 500: 500, 990: 500, 1000: 1000 }],
  ['a size that fits once is worth the whole GPU', [{ milli: 810, weight: 1 }], { 190: 0, 800: 0, 810: 1000 }],
  ['pairs that leave a rest', [{ milli: 470, weight: 1 }], { 460: 0, 470: 500, 530: 500, 940: 1000 }],
  [
    'a small size beside a large one: the large one needs the GPU, the small one fills the rest for nothing',
    [
      { milli: 810, weight: 10 },
      { milli: 190, weight: 1 },
    ],
    { 190: 0, 810: 1000 },
  ],
  ['nothing asked for', [], { 0: 0, 1000: 0 }],
  ['sizes are rounded up to 10', [{ milli: 333, weight: 1 }], { 330: 0, 340: 500, 670: 500, 680: 1000 }],
];
for (const [what, sizes, worth] of CASES) {
  tap.test(what, async (t) => {
    const value = shareValue(sizes);
    for (const [free, expected] of Object.entries(worth)) {
      t.ok(Math.abs((value[Number(free)] ?? -1) - expected) < 0.01, `${free}: ${value[Number(free)]}, not ${expected}`);
    }
  });
}

const sizes = fc.uniqueArray(
  fc.record({
    milli: fc.integer({ min: 5, max: 100 }).map((steps) => steps * 10),
    weight: fc.integer({ min: 1, max: 50 }),
  }),
  { selector: ({ milli }) => milli, minLength: 1, maxLength: 10 },
);

tap.test('a whole GPU is worth 1000, no part is worth more, and more is never worth less', async () => {
  fc.assert(
    fc.property(sizes, (demand) => {
      const value = shareValue(demand);
      return (
        value.length === 1001 &&
        Math.abs((value[1000] ?? 0) - 1000) < 0.01 &&
        value.every((worth, free) => worth >= (value[free - 1] ?? 0))
      );
    }),
  );
});

tap.test('two parts are worth no more than both together', async () => {
  fc.assert(
    fc.property(sizes, fc.nat({ max: 1000 }), fc.nat({ max: 1000 }), (demand, a, b) => {
      const value = shareValue(demand);
      return a + b > 1000 || (value[a] ?? 0) + (value[b] ?? 0) <= (value[a + b] ?? 0) + 0.01;
    }),
  );
});
