/** A small linear program: textbook cases, and the optimality conditions themselves. */

import fc from 'fast-check';
import tap from 'tap';
import { maximise } from '#src/core/scoring/linear-program.ts';

const worth = (objective: readonly number[], x: readonly number[]) =>
  objective.reduce((sum, c, i) => sum + c * (x[i] ?? 0), 0);

const CASES: readonly [what: string, c: number[], rows: number[][], b: number[], optimum: number][] = [
  // Wyndor Glass (Hillier and Lieberman): 36 at (2, 6).
  [
    'two products, three plants',
    [3, 5],
    [
      [1, 0],
      [0, 2],
      [3, 2],
    ],
    [4, 12, 18],
    36,
  ],
  ['a bound of 0 allows nothing', [1], [[1]], [0], 0],
  ['nothing is worth anything', [0, -1], [[1, 1]], [1], 0],
  [
    'a degenerate corner',
    [10, -57, -9, -24],
    [
      [0.5, -5.5, -2.5, 9],
      [0.5, -1.5, -0.5, 1],
      [1, 0, 0, 0],
    ],
    [0, 0, 1],
    1,
  ],
];
for (const [what, c, rows, b, optimum] of CASES) {
  tap.test(what, async (t) => {
    t.ok(Math.abs(worth(c, maximise(c, rows, b)) - optimum) < 1e-9);
  });
}

tap.test('a variable that nothing bounds is an error, not a loop', async (t) => {
  t.throws(() => maximise([1, 1], [[1, 0]]), { name: 'RangeError', message: /variable 1 is not bounded/ });
});

tap.test('no feasible point on a grid is worth more', async () => {
  const row = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 3, maxLength: 3 });
  fc.assert(
    fc.property(row, fc.array(row, { minLength: 1, maxLength: 4 }), (c, rows) => {
      const x = maximise(c, rows);
      const feasible = (point: readonly number[]) => rows.every((r) => worth(r, point) <= 1 + 1e-9);
      if (!feasible(x) || x.some((value) => value < -1e-9)) return false;
      const best = worth(c, x);
      const steps = [0, 0.05, 0.1, 0.2, 0.25, 1 / 3, 0.5, 1];
      return steps.every((p) =>
        steps.every((q) => steps.every((r) => !feasible([p, q, r]) || worth(c, [p, q, r]) <= best + 1e-9)),
      );
    }),
  );
});
