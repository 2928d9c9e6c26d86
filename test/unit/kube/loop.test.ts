/** Work that follows changes: gathered, never two at a time, tried again. */

import { setTimeout as sleep } from 'node:timers/promises';
import tap from 'tap';
import { Loop } from '#src/kube/loop.ts';
import { waitFor } from '../../cluster/wait.ts';

function loopOf(work: () => Promise<void>, failed: (error: Error) => void = () => {}) {
  return new Loop({ work, failed, settleMs: 10, retryMs: 10 });
}

tap.test('many changes, one run; and one more for those that came meanwhile', async (t) => {
  let runs = 0;
  let atOnce = 0;
  const loop = loopOf(async () => {
    runs += 1;
    atOnce += 1;
    t.equal(atOnce, 1, 'never two at a time');
    if (runs === 1) for (let i = 0; i < 5; i += 1) loop.trigger();
    await sleep(20);
    atOnce -= 1;
  });
  t.teardown(() => loop.stop());
  loop.start();
  for (let i = 0; i < 5; i += 1) loop.trigger();
  await waitFor('both runs are over', () => runs === 2 && atOnce === 0);
  await sleep(60);
  t.equal(runs, 2);
});

tap.test('a run that fails is told of, and tried again', async (t) => {
  let runs = 0;
  const told: string[] = [];
  const loop = loopOf(
    async () => {
      runs += 1;
      if (runs < 3) throw new Error(`no ${runs}`);
    },
    ({ message }) => told.push(message),
  );
  t.teardown(() => loop.stop());
  loop.start();
  loop.trigger();
  await waitFor('it has succeeded', () => runs === 3);
  t.same(told, ['no 1', 'no 2']);
});

tap.test('nothing runs without a change, nor after the end', async (t) => {
  let runs = 0;
  const loop = loopOf(async () => {
    runs += 1;
  });
  loop.start();
  await sleep(30);
  t.equal(runs, 0);
  await loop.stop();
  loop.trigger();
  await sleep(30);
  t.equal(runs, 0);
});
