/** The specification's table "Optimal Replicas Calculation", and the bounds of MPS. */

import fc from 'fast-check';
import tap from 'tap';
import { burstiness, optimalReplicas, suitsMps } from '#src/core/admission/replicas.ts';

const rows: readonly [mean: number, bursts: number, replicas: number][] = [
  [0, 0.9, 8],
  [0.19, 0.71, 8],
  [0.19, 0.69, 4],
  [0.2, 0.9, 4],
  [0.39, 0.51, 4],
  [0.39, 0.49, 2],
  [0.19, 0.49, 2],
  [0.4, 0.59, 2],
  [0.6, 0, 2],
  [0.601, 0, 1],
  [1, 0, 1],
];
for (const [mean, bursts, replicas] of rows) {
  tap.test(`mean ${mean}, burstiness ${bursts}: ${replicas}`, async (t) => {
    // A mean of 0 has no burstiness by its quotient: the figure stands for itself.
    const p95 = mean / (1 - bursts);
    t.equal(optimalReplicas({ mean: mean || 1e-9, p95: p95 || 1e-8 }), replicas);
  });
}

tap.test('burstiness is 1 − mean / p95, and 0 where nothing was used or the mean is above', async (t) => {
  t.equal(burstiness({ mean: 0.25, p95: 0.5 }), 0.5);
  t.equal(burstiness({ mean: 0.5, p95: 0.5 }), 0);
  t.equal(burstiness({ mean: 0, p95: 0 }), 0);
  t.equal(burstiness({ mean: 0.6, p95: 0.5 }), 0);
});

const mps: readonly [mean: number, before: boolean | undefined, suits: boolean][] = [
  [0.5, undefined, true],
  [0.5, false, true],
  [0.55, undefined, true],
  [0.55, true, true],
  [0.55, false, false],
  [0.6, true, true],
  [0.6, false, false],
  [0.601, true, false],
  [1, undefined, false],
];
for (const [mean, before, suits] of mps) {
  tap.test(`mean ${mean}, before ${before}: MPS ${suits ? 'suits' : 'does not suit'}`, async (t) => {
    t.equal(suitsMps({ mean, p95: mean }, before), suits);
  });
}

tap.test('whoever uses more shares with fewer; whoever comes in more of bursts, with more', async () => {
  const share = fc.integer({ min: 1, max: 100 }).map((percent) => percent / 100);
  fc.assert(
    fc.property(share, share, share, (a, b, bursts) => {
      const [less, more] = a < b ? [a, b] : [b, a];
      const at = (mean: number, burst: number) => optimalReplicas({ mean, p95: mean / (1 - burst * 0.99) });
      return at(less, bursts) >= at(more, bursts) && at(a, Math.max(b, bursts)) >= at(a, Math.min(b, bursts));
    }),
    { numRuns: 1_000 },
  );
});
