/** When it is time to plan. */

import tap from 'tap';
import { Batcher } from '#src/planner/batcher.ts';

const TIMES = { idleDuration: 10_000, maxDuration: 60_000 };

tap.test('nothing is due before anything has changed', async (t) => {
  t.equal(new Batcher().due(0, TIMES), undefined);
});

tap.test('10 s after the last change', async (t) => {
  const batch = new Batcher();
  batch.add(1_000);
  t.equal(batch.due(1_000, TIMES), 10_000);
  batch.add(5_000);
  t.equal(batch.due(6_000, TIMES), 9_000);
  t.equal(batch.due(20_000, TIMES), 0, 'late is now');
});

tap.test('changes that never end are answered 60 s after the first', async (t) => {
  const batch = new Batcher();
  for (let now = 0; now <= 59_000; now += 1_000) batch.add(now);
  t.equal(batch.due(59_000, TIMES), 1_000);
});

tap.test('once planned for, the next change begins anew', async (t) => {
  const batch = new Batcher();
  batch.add(0);
  batch.clear();
  t.equal(batch.due(0, TIMES), undefined);
  batch.add(70_000);
  t.equal(batch.due(70_000, TIMES), 10_000);
});
