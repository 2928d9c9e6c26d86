import { setTimeout as sleep } from 'node:timers/promises';
import tap from 'tap';
import { waitFor } from '../../cluster/wait.ts';
import type { Fault } from '../../fakes/api-server.ts';
import { ManualClock } from '../../objects/clock.ts';
import { ALWAYS, LIST, setUp, WATCH, watchedFrom } from './reflect.ts';

// They wait more than they work.
tap.jobs = 16;

tap.test('lists page by page, then tells each change once', async (t) => {
  const { server, reflector, put, told, watching, caughtUp } = await setUp(t);
  reflector.start();
  await reflector.synced;
  t.strictSame(told, ['[3]']);
  t.equal(server.count(LIST), 2);
  await watching(1);
  put('d');
  put('a');
  server.store.remove('nodes', 'b');
  await caughtUp();
  t.strictSame(told, ['[3]', 'd@104', 'a@105', '-b@106']);
  t.equal(server.count(WATCH), 1);
});

tap.test('what happens between the pages of a list is told after it', async (t) => {
  const { server, reflector, put, told, caughtUp } = await setUp(t);
  server.meet(/continue=/, 'stall');
  reflector.start();
  await waitFor('page 2', () => server.count(/continue=/) === 1, { everyMs: 5 });
  put('a');
  put('d');
  await caughtUp();
  t.equal(told.filter((what) => what.startsWith('[')).length, 1);
});

tap.test('a watch that breaks is resumed where it was, without a list', async (t) => {
  const { server, reflector, put, told, watching, caughtUp } = await setUp(t);
  reflector.start();
  await watching(1);
  put('d');
  await caughtUp();
  server.breakConnections();
  put('e');
  await caughtUp();
  t.strictSame(watchedFrom(server), ['103', '104']);
  t.strictSame(told, ['[3]', 'd@104', 'e@105']);
  t.equal(server.count(LIST), 2);
});

tap.test('a bookmark moves the version and tells nothing', async (t) => {
  const { server, reflector, told, watching } = await setUp(t);
  reflector.start();
  await watching(1);
  server.store.put('pods', { metadata: { name: 'elsewhere', namespace: 'default' } });
  server.bookmark();
  await sleep(20);
  server.breakConnections();
  await watching(2);
  t.strictSame(watchedFrom(server), ['103', '104']);
  t.strictSame(told, ['[3]']);
});

tap.test('a line that comes in pieces is told whole, and its characters of many bytes too', async (t) => {
  const annotations = { 'a/b': 'Zürich 東京 🚀' };
  const seen: unknown[] = [];
  const { server, reflector, watching } = await setUp(t, { changed: (object) => void seen.push(object) });
  server.meet(WATCH, 'crumbs');
  reflector.start();
  await watching(1);
  server.store.put('nodes', { metadata: { name: 'd', annotations } });
  server.store.put('nodes', { metadata: { name: 'e', annotations } });
  await waitFor('two changes', () => seen.length === 2);
  t.match(seen, [{ metadata: { name: 'd', annotations } }, { metadata: { name: 'e', annotations } }]);
  t.equal(server.requests.length, 3);
});

tap.test('an expired version is answered with a list, which shows what was missed', async (t) => {
  const { server, reflector, put, told, watching, caughtUp } = await setUp(t);
  reflector.start();
  await watching(1);
  server.breakConnections();
  server.store.remove('nodes', 'b');
  put('a');
  server.store.compact();
  await caughtUp();
  t.strictSame(told, ['[3]', '[2]']);
});

tap.test('a change that cannot be taken in is told again', async (t) => {
  let trouble = 1;
  const { server, reflector, put, watching } = await setUp(t, {
    changed: () => {
      trouble -= 1;
      if (trouble >= 0) throw new Error('not now');
    },
  });
  reflector.start();
  await watching(1);
  put('d');
  await waitFor('the change is told again', () => trouble === -1, { everyMs: 5 });
  t.strictSame(watchedFrom(server), ['103', '103']);
});

tap.test('delays double from 100 ms to 10 s, spread by half in both directions', async (t) => {
  const { server, reflector, logged } = await setUp(t, { random: () => 0 });
  server.meet(/GET/, { status: 500 }, ALWAYS);
  reflector.start();
  await waitFor('eight delays', () => logged.length === 8, { timeoutMs: 20_000 });
  t.strictSame(
    logged.map(({ delayMs }) => delayMs),
    [50, 100, 200, 400, 800, 1600, 3200, 5000],
  );
});

tap.test('the spread is that of the random number', async (t) => {
  const numbers = [0, 0.5, 0.999];
  const { server, reflector, logged } = await setUp(t, { random: () => numbers.shift() ?? 0 });
  server.meet(LIST, { status: 500 }, ALWAYS);
  reflector.start();
  await waitFor('three delays', () => logged.length === 3);
  t.strictSame(
    logged.map(({ delayMs }) => delayMs),
    [50, 200, 600],
  );
});

tap.test('an event, or ten seconds of a watch, end a row of failures', async (t) => {
  const clock = new ManualClock({ ms: 0 });
  const { server, reflector, put, logged, watching, caughtUp } = await setUp(t, { clock });
  server.meet(WATCH, { status: 500 }, 2);
  reflector.start();
  await watching(3);
  put('d');
  await caughtUp();
  server.meet(WATCH, { status: 500 }, 2);
  server.breakConnections();
  await watching(6);
  clock.ms += 10_001;
  server.breakConnections();
  await watching(7);
  t.strictSame(
    logged.map(({ delayMs }) => delayMs),
    [100, 200, 100, 200, 400, 100],
  );
});

tap.test('a watch that ends in its own time is no fault, and is not spoken of', async (t) => {
  const clock = new ManualClock({ ms: 0 });
  const { server, reflector, logged, watching } = await setUp(t, { clock });
  reflector.start();
  for (const times of [1, 2, 3]) {
    await watching(times);
    clock.ms += 300_000;
    server.endWatches();
  }
  await watching(4);
  t.strictSame(logged, []);
  t.equal(server.count(LIST), 2);
});

tap.test('watches that end at once, time and again, are a fault', async (t) => {
  const { server, reflector, logged, watching } = await setUp(t);
  server.meet(WATCH, { end: true }, 3);
  reflector.start();
  await watching(4);
  t.strictSame(
    logged.map(({ delayMs, error }) => `${delayMs}: ${error}`),
    ['200: the watch ended without an event', '400: the watch ended without an event'],
  );
});

const phases: readonly [phase: string, on: RegExp, fault: Fault | undefined, times?: number][] = [
  ['a list is asked for', LIST, 'silence'],
  ['a list comes in', LIST, 'stall'],
  ['a second page comes in', /continue=/, 'stall'],
  ['it waits to list again', LIST, { status: 500 }, 4],
  ['a watch is asked for', WATCH, 'silence'],
  ['a watch is open', WATCH, undefined],
  ['half a line of a watch has come', WATCH, 'stall'],
  ['it waits to watch again', WATCH, 'reset', 4],
];
for (const [phase, on, fault, times = 1] of phases) {
  tap.test(`stop() while ${phase} ends it at once, for good, and without a complaint`, async (t) => {
    const { server, reflector, put, told, logged } = await setUp(t, { random: () => 0.999 });
    if (fault) server.meet(on, fault, ALWAYS);
    reflector.start();
    await waitFor('the phase', () => server.count(on) >= times, { everyMs: 1 });
    put('d');
    await sleep(20);
    const complaints = logged.length;
    const began = performance.now();
    await reflector.stop();
    t.ok(performance.now() - began < 500);
    const before = { requests: server.requests.length, told: [...told] };
    server.heal();
    put('e');
    reflector.start();
    await sleep(200);
    t.strictSame({ requests: server.requests.length, told }, before);
    t.equal(logged.length, complaints);
  });
}

tap.test('stop() before start() leaves nothing to start', async (t) => {
  const { server, reflector } = await setUp(t);
  await reflector.stop();
  reflector.start();
  await sleep(50);
  t.equal(server.requests.length, 0);
});

tap.test('start() twice reflects once', async (t) => {
  const { server, reflector, watching } = await setUp(t);
  reflector.start();
  reflector.start();
  await watching(1);
  t.equal(server.count(LIST), 2);
});

const page = (version: number, names: readonly string[]) =>
  JSON.stringify({
    metadata: { resourceVersion: String(version) },
    items: names.map((name) => ({ metadata: { name, resourceVersion: String(version) } })),
  });

tap.test('a list from before what the watch has told is not taken', async (t) => {
  const { server, reflector, put, told, logged, watching, caughtUp } = await setUp(t);
  reflector.start();
  await watching(1);
  put('d');
  await caughtUp();
  server.meet(LIST, { body: page(103, ['a', 'b']) }, 2);
  reflector.listAgain();
  await waitFor('the next whole list', () => told.length === 3);
  t.strictSame(told, ['[3]', 'd@104', '[4]']);
  t.match(logged, Array(2).fill({ error: 'the list is older (103) than what the watch has sent (104)' }));
});

tap.test('unless it stays that old: then a backup has been restored', async (t) => {
  const { server, reflector, put, told, watching, caughtUp } = await setUp(t, { random: () => 0 });
  reflector.start();
  await watching(1);
  put('d');
  await caughtUp();
  server.meet(LIST, { body: page(103, ['a', 'b']) }, 6);
  reflector.listAgain();
  await waitFor('the old list', () => told.includes('[2]'));
  t.strictSame(told.slice(0, 4), ['[3]', 'd@104', 'versions forgotten', '[2]']);
});

tap.test('asked to list again, it does so at once, and watches from there', async (t) => {
  const { server, reflector, told, logged, watching } = await setUp(t);
  reflector.start();
  await watching(1);
  server.store.put('pods', { metadata: { name: 'elsewhere', namespace: 'default' } });
  reflector.listAgain();
  await watching(2);
  t.strictSame(told, ['[3]', '[3]']);
  t.strictSame(watchedFrom(server), ['103', '104']);
  t.strictSame(logged, []);
  t.equal(reflector.faults, 0);
});

tap.test('asked before it has begun, or while it lists, it lists no less than once', async (t) => {
  const { server, reflector, told, watching } = await setUp(t);
  reflector.listAgain();
  server.meet(/continue=/, 'stall');
  reflector.start();
  await waitFor('page 2', () => server.count(/continue=/) === 1, { everyMs: 5 });
  reflector.listAgain();
  await watching(1);
  t.match(told, ['[3]']);
});

tap.test('silence is the time since the API server said anything; faults are counted', async (t) => {
  const clock = new ManualClock({ ms: 0 });
  const { server, reflector, put, watching, caughtUp } = await setUp(t, { clock });
  reflector.start();
  await watching(1);
  clock.ms = 40_000;
  t.equal(reflector.silence, 40_000);
  put('d');
  await caughtUp();
  t.equal(reflector.silence, 0);
  server.breakConnections();
  await watching(2);
  t.equal(reflector.faults, 1);
});

tap.test('a kind that is served in one of two versions is found, and listed again', async (t) => {
  const paths = ['/api/v9/nodes', '/api/v1/nodes'];
  const { server, reflector, put, told, watching, caughtUp } = await setUp(t, { path: paths, optional: true });
  reflector.start();
  await watching(1);
  put('d');
  await caughtUp();
  t.strictSame(told, ['[3]', 'd@104']);
  t.equal(server.count(/^GET \/api\/v9/), 1);
  await reflector.listAgain();
  t.strictSame(told, ['[3]', 'd@104', '[4]']);
});

tap.test('served in neither: there are none, and both are looked for', async (t) => {
  const paths = ['/api/v9/nodes', '/api/v8/nodes'];
  const { server, reflector, told } = await setUp(t, { path: paths, optional: 'ifAllowed', absentMs: 10 });
  reflector.start();
  await reflector.synced;
  await waitFor('a second look', () => server.count(/^GET \/api\/v9/) > 1 && server.count(/^GET \/api\/v8/) > 1);
  t.equal(told[0], '[0]');
});

tap.test('who asks for another list of what is absent does not wait for the next look', async (t) => {
  const { server, reflector } = await setUp(t, { path: '/api/v9/nodes', optional: true, absentMs: 60_000 });
  reflector.start();
  await reflector.synced;
  await reflector.listAgain();
  await Promise.all([reflector.listAgain(), reflector.listAgain()]);
  t.ok(server.count(/^GET \/api\/v9/) >= 3);
});

tap.test('that a kind is absent is said once, unless most clusters do not have it', async (t) => {
  for (const mostlyAbsent of [false, true]) {
    const options = { path: '/api/v9/nodes', optional: true, absentMs: 5, mostlyAbsent };
    const { server, reflector, logged } = await setUp(t, options);
    reflector.start();
    await waitFor('some looks', () => server.count(/^GET \/api\/v9/) > 3);
    t.equal(logged.length, mostlyAbsent ? 0 : 1);
  }
});
