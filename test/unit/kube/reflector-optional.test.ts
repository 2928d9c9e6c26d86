/** A kind that need not be installed: there are none of it until it is. On the real one: test/contract/optional-kind.test.ts. */

import tap from 'tap';
import { waitFor } from '../../cluster/wait.ts';
import { ALWAYS, LIST, setUp, WATCH } from './reflect.ts';

// They wait more than they work.
tap.jobs = 16;

const ABSENT = { status: 404 } as const;
const OPTIONAL = { optional: true, absentMs: 20 } as const;

tap.test('not installed: empty, and synced', async (t) => {
  const { server, reflector, told, logged } = await setUp(t, OPTIONAL);
  server.meet(/GET/, ABSENT, ALWAYS);
  reflector.start();
  await reflector.synced;
  t.strictSame(told, ['[0]']);
  t.strictSame(logged, [{ path: '/api/v1/nodes' }], 'said, and no fault');
  t.equal(reflector.faults, 0);
});

tap.test('not to be listed: the same, where we need not be allowed to', async (t) => {
  const { server, reflector, told } = await setUp(t, { ...OPTIONAL, optional: 'ifAllowed' });
  server.meet(/GET/, { status: 403 }, ALWAYS);
  reflector.start();
  await reflector.synced;
  t.strictSame(told, ['[0]']);
  t.equal(reflector.faults, 0);
});

tap.test('not to be listed, and needed: it is waited for', async (t) => {
  const { server, reflector, told } = await setUp(t, OPTIONAL);
  server.meet(/GET/, { status: 403 }, ALWAYS);
  reflector.start();
  await waitFor('three looks', () => server.count(LIST) >= 3, { everyMs: 5 });
  t.strictSame(told, []);
});

tap.test('it is asked for again and again, and spoken of once', async (t) => {
  const { server, reflector, logged } = await setUp(t, OPTIONAL);
  server.meet(/GET/, ABSENT, ALWAYS);
  reflector.start();
  await waitFor('six looks', () => server.count(LIST) >= 6, { everyMs: 5 });
  t.equal(logged.length, 1);
  t.equal(server.count(WATCH), 0);
});

tap.test('looks are as far apart as they should be, with their spread', async (t) => {
  const { server, reflector } = await setUp(t, { optional: true, absentMs: 400, random: () => 0 });
  server.meet(/GET/, ABSENT, ALWAYS);
  reflector.start();
  const began = performance.now();
  await waitFor('three looks', () => server.count(LIST) >= 3, { everyMs: 5 });
  t.ok(performance.now() - began >= 390, `${performance.now() - began} ms`);
});

tap.test('installed later: listed, and watched', async (t) => {
  const { server, reflector, put, told, caughtUp, watching } = await setUp(t, OPTIONAL);
  server.meet(/GET/, ABSENT, ALWAYS);
  reflector.start();
  await reflector.synced;
  server.heal();
  await watching(1);
  put('d');
  await caughtUp();
  const [last, change] = told.slice(-2);
  t.strictSame([last, change], ['[3]', 'd@104']);
});

tap.test('it vanishes again: what there was has gone, and it may come back', async (t) => {
  const { server, reflector, told, logged, watching, caughtUp } = await setUp(t, OPTIONAL);
  reflector.start();
  await watching(1);
  server.meet(/GET/, ABSENT, ALWAYS);
  server.endWatches();
  await waitFor('nothing', () => told.at(-1) === '[0]', { everyMs: 5 });
  t.equal(server.count(WATCH), 2, 'one more watch, which found out');
  t.equal(logged.filter((details) => !('error' in details)).length, 1);
  server.heal();
  await caughtUp();
  t.equal(told.at(-1), '[3]');
  server.meet(/GET/, ABSENT, ALWAYS);
  server.breakConnections();
  await waitFor('nothing once more', () => told.at(-1) === '[0]', { everyMs: 5 });
  t.equal(logged.filter((details) => !('error' in details)).length, 2, 'which is news');
});

tap.test('another fault is no absence: what was known stays', async (t) => {
  const { server, reflector, told, watching, logged } = await setUp(t, OPTIONAL);
  reflector.start();
  await watching(1);
  server.meet(/GET/, { status: 403 }, ALWAYS);
  server.breakConnections();
  await waitFor('some faults', () => logged.length >= 3, { everyMs: 5 });
  t.strictSame(told, ['[3]']);
});

tap.test('a kind that must be there is waited for', async (t) => {
  const { server, reflector, told, logged } = await setUp(t, { absentMs: 20 });
  server.meet(/GET/, ABSENT, ALWAYS);
  reflector.start();
  let synced = false;
  void reflector.synced.then(() => {
    synced = true;
  });
  await waitFor('two faults', () => logged.length >= 2, { everyMs: 5 });
  t.equal(synced, false);
  t.strictSame(told, []);
  t.ok(logged.every(({ error }) => typeof error === 'string'));
  server.heal();
  await reflector.synced;
  t.strictSame(told, ['[3]']);
});

tap.test('stop() while it is absent ends it at once', async (t) => {
  const { server, reflector } = await setUp(t, { optional: true, absentMs: 60_000 });
  server.meet(/GET/, ABSENT, ALWAYS);
  reflector.start();
  await reflector.synced;
  const began = performance.now();
  await reflector.stop();
  t.ok(performance.now() - began < 500);
});
