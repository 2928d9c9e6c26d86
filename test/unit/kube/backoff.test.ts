/** Waits between tries: doubled up to a bound, spread where many try. */

import tap from 'tap';
import { delayOf } from '#src/kube/backoff.ts';

const BACKOFF = { baseMs: 100, maxMs: 1_000 };

tap.test('each wait is twice the one before, up to the bound, however many failures', async (t) => {
  t.strictSame(
    [0, 1, 2, 3, 4, 2_000].map((failures) => delayOf(BACKOFF, failures)),
    [100, 200, 400, 800, 1_000, 1_000],
  );
});

tap.test('with chance the wait is from half to one and a half times as long', async (t) => {
  t.equal(
    delayOf(BACKOFF, 1, () => 0),
    100,
  );
  t.equal(
    delayOf(BACKOFF, 1, () => 0.5),
    200,
  );
  t.equal(
    delayOf(BACKOFF, 1, () => 0.999),
    300,
  );
});
