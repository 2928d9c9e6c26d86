/** The promises of a work queue: one worker a key, what is added meanwhile comes again, a failed or slow key holds no other back. */

import tap, { type Test } from 'tap';
import { WorkQueue, type WorkQueueOptions } from '#src/kube/work-queue.ts';
import { ManualClock } from '../../objects/clock.ts';

interface Call {
  readonly key: string;
  readonly done: () => void;
  readonly fails: (message: string) => void;
}

/** Each piece of work lasts until the test ends it. */
function setUp(t: Test, options: Partial<WorkQueueOptions> = {}) {
  const clock = new ManualClock();
  const calls: Call[] = [];
  const failures: string[] = [];
  const queue = new WorkQueue({
    work: (key) =>
      new Promise((resolve, reject) => {
        calls.push({ key, done: resolve, fails: (message) => reject(new Error(message)) });
      }),
    failed: (key, { message }) => failures.push(`${key}: ${message}`),
    backoff: { baseMs: 100, maxMs: 300 },
    clock,
    ...options,
  });
  t.teardown(async () => {
    for (const { done } of calls) done();
    await queue.stop();
  });
  return { queue, clock, calls, failures, keys: () => calls.map(({ key }) => key).join(' ') };
}

tap.test('what was added before it starts has waited, each key once', async (t) => {
  const { queue, keys, clock } = setUp(t, { concurrency: 4 });
  for (const key of ['a', 'b', 'a']) queue.add(key);
  await clock.pass(1_000);
  t.equal(keys(), '');
  queue.start();
  t.equal(keys(), 'a b');
});

tap.test('so many keys at the same time as was said, the next when one has ended', async (t) => {
  const { queue, keys, calls, clock } = setUp(t, { concurrency: 2 });
  queue.start();
  for (const key of ['slow', 'a', 'b', 'c']) queue.add(key);
  t.equal(keys(), 'slow a');
  calls[1]?.done();
  await clock.pass(0);
  t.equal(keys(), 'slow a b', 'the slow one holds none back');
});

tap.test('a key is worked on by one worker at a time; added meanwhile, it comes again, once', async (t) => {
  const { queue, keys, calls, clock } = setUp(t, { concurrency: 2 });
  queue.start();
  queue.add('a');
  queue.add('a');
  queue.add('a');
  t.equal(keys(), 'a');
  calls[0]?.done();
  await clock.pass(0);
  t.equal(keys(), 'a a');
  calls[1]?.done();
  await clock.pass(0);
  t.equal(keys(), 'a a');
});

tap.test('a later time does not put off an earlier one, and an earlier one counts', async (t) => {
  const { queue, keys, clock, calls } = setUp(t);
  queue.start();
  queue.addAfter('a', 100);
  queue.addAfter('a', 500);
  await clock.pass(99);
  t.equal(keys(), '');
  await clock.pass(1);
  t.equal(keys(), 'a');
  calls[0]?.done();
  await clock.pass(1_000);
  t.equal(keys(), 'a', 'both were one');

  queue.addAfter('a', 500);
  queue.addAfter('a', 100);
  await clock.pass(100);
  t.equal(keys(), 'a a');
});

tap.test('a key that fails comes again later and later, up to a bound, and is told each time', async (t) => {
  const { queue, keys, calls, clock, failures } = setUp(t, { concurrency: 2 });
  queue.start();
  queue.add('bad');
  const waits: number[] = [];
  for (let i = 0; i < 4; i += 1) {
    calls[i]?.fails(`no ${i}`);
    await clock.pass(0);
    waits.push(await clock.next());
  }
  t.strictSame(waits, [100, 200, 300, 300]);
  t.strictSame(failures, ['bad: no 0', 'bad: no 1', 'bad: no 2', 'bad: no 3']);
  queue.add('good');
  t.equal(keys(), 'bad bad bad bad bad good', 'others go on meanwhile');

  calls[4]?.done();
  await clock.pass(0);
  queue.add('bad');
  calls.at(-1)?.fails('again');
  await clock.pass(0);
  t.equal(await clock.next(), 100, 'after a success it begins anew');
});

tap.test('a change cuts the wait of a failed key short', async (t) => {
  const { queue, keys, calls, clock } = setUp(t);
  queue.start();
  queue.add('a');
  calls[0]?.fails('no');
  await clock.pass(0);
  queue.add('a');
  t.equal(keys(), 'a a');
  calls[1]?.done();
  await clock.pass(1_000);
  t.equal(keys(), 'a a', 'and the wait is over');
});

tap.test('what is removed is not due any more', async (t) => {
  const { queue, keys, clock } = setUp(t);
  queue.addAfter('a', 100);
  queue.add('b');
  queue.remove('a');
  queue.remove('b');
  queue.start();
  await clock.pass(1_000);
  t.equal(keys(), '');
});

tap.test('stop waits for what is under way, and nothing begins after it', async (t) => {
  const { queue, keys, calls, clock } = setUp(t);
  queue.start();
  queue.add('a');
  queue.add('b');
  queue.addAfter('c', 10);
  let hasStopped = false;
  const stopped = queue.stop().then(() => {
    hasStopped = true;
  });
  await clock.pass(1_000);
  t.equal(hasStopped, false);
  calls[0]?.done();
  await stopped;
  await clock.pass(1_000);
  t.equal(keys(), 'a');
});

tap.test('a time further away than a timer reaches is waited for', async (t) => {
  const { queue, keys, clock } = setUp(t);
  queue.start();
  queue.addAfter('a', 2 ** 31 + 5_000);
  t.equal(await clock.next(), 2 ** 31 - 1);
  t.equal(keys(), '');
  await clock.next();
  t.equal(keys(), 'a');
});
