/** The seeded generator: results that were published with a seed come out everywhere, for ever. */

import tap from 'tap';
import { randomIndex, seededRandom, shuffled } from '#src/core/random.ts';

const take = (seed: number, length: number) => Array.from({ length }, seededRandom(seed));

/** In 2³²nds. */
const FIRST: readonly [seed: number, numbers: readonly number[]][] = [
  [0, [1_144_304_738, 1_416_247, 958_946_056]],
  [1, [2_693_262_067, 11_749_833, 2_265_367_787]],
  [42, [2_581_720_956, 1_925_393_290, 3_661_312_704]],
  [-1, [3_850_105_811, 813_802_916, 3_073_704_848]],
  [2 ** 32 + 1, [2_693_262_067, 11_749_833, 2_265_367_787]],
];
for (const [seed, numbers] of FIRST) {
  tap.test(`seed ${seed} begins as ever`, async (t) => {
    t.strictSame(
      take(seed, 3).map((number) => number * 2 ** 32),
      numbers,
    );
  });
}

tap.test('numbers are spread over [0, 1)', async (t) => {
  const numbers = take(7, 1_000);
  t.ok(numbers.every((number) => number >= 0 && number < 1));
  const mean = numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
  t.ok(mean > 0.45 && mean < 0.55);
});

tap.test('an index is one of the list, up to the last', async (t) => {
  t.strictSame(
    [0, 0.24, 0.25, 0.999_999].map((number) => randomIndex(() => number, 4)),
    [0, 0, 1, 3],
  );
  t.equal(
    randomIndex(() => 0.5, 0),
    0,
    'and 0 where there is none',
  );
});

tap.test('shuffled: a copy with everything in it, in the order of the seed', async (t) => {
  const list = Object.freeze([1, 2, 3, 4, 5, 6, 7, 8]);
  t.strictSame(shuffled(list, seededRandom(42)), [3, 8, 2, 1, 7, 6, 4, 5]);
  t.strictSame(shuffled(list, seededRandom(43)).sort(), list);
  t.strictSame(shuffled([], seededRandom(1)), []);
  t.strictSame(shuffled(['alone'], seededRandom(1)), ['alone']);
});

tap.test('each order of three comes as often as any other', async (t) => {
  const random = seededRandom(5);
  const counts = new Map<string, number>();
  for (let i = 0; i < 6_000; i += 1) {
    const order = shuffled(['a', 'b', 'c'], random).join('');
    counts.set(order, (counts.get(order) ?? 0) + 1);
  }
  t.equal(counts.size, 6);
  t.ok(
    [...counts.values()].every((count) => count > 900 && count < 1_100),
    JSON.stringify([...counts]),
  );
});
