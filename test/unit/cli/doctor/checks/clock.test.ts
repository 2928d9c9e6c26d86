/** Clock skew is told in seconds, and in which direction. */

import tap from 'tap';
import { clock } from '#src/cli/doctor/checks/clock.ts';
import { findingsOf } from '../make.ts';

const CASES: readonly [aheadMs: number, uncertaintyMs: number, says: RegExp | undefined][] = [
  [0, 500, undefined],
  [5_400, 500, undefined],
  [-5_400, 500, undefined],
  [42_000, 500, /clock is 42 s ahead of the API server's/],
  [-42_000, 500, /clock is 42 s behind the API server's/],
  [9_000, 6_000, undefined],
];
for (const [aheadMs, uncertaintyMs, says] of CASES) {
  tap.test(`${aheadMs} ms ahead, ± ${uncertaintyMs} ms`, async (t) => {
    const found = findingsOf(clock, { clock: { aheadMs, uncertaintyMs } });
    if (says) t.match(found, [{ severity: 'warning', message: says }]);
    else t.same(found, []);
  });
}
