/** Whatever the API server does, nothing is lost, nothing is told twice, and it is not asked in a tight loop. */

import { setTimeout as sleep } from 'node:timers/promises';
import tap from 'tap';
import { waitFor } from '../../cluster/wait.ts';
import type { FakeApiServer, Fault } from '../../fakes/api-server.ts';
import { ALWAYS, LIST, setUp, WATCH } from './reflect.ts';

// They wait more than they work.
tap.jobs = 16;

const gone = JSON.stringify({
  type: 'ERROR',
  object: { kind: 'Status', message: 'too old', reason: 'Expired', code: 410 },
});
const ill = JSON.stringify({ type: 'ERROR', object: { kind: 'Status', message: 'etcd is ill', code: 500 } });
const faults: readonly [where: RegExp, fault: Fault, times?: number][] = [
  ...[400, 401, 403, 409, 410, 429, 500, 503].flatMap((status): [RegExp, Fault][] => [
    [LIST, { status }],
    [WATCH, { status }],
  ]),
  ...(['silence', 'reset', 'lost reply', 'cut', 'stall', 'crumbs'] as const).flatMap((fault): [RegExp, Fault][] => [
    [LIST, fault],
    [/continue=/, fault],
    [WATCH, fault],
  ]),
  [/continue=/, { status: 410 }],
  [LIST, { body: '' }],
  [LIST, { body: '{"kind":"List"}' }],
  [LIST, { body: '{"metadata":{"resourceVersion":"1"},"items":' }],
  [WATCH, { end: true }],
  [WATCH, { line: gone }],
  [WATCH, { line: gone, end: true }],
  [WATCH, { line: ill, end: true }],
  [WATCH, { line: ill, end: true }, 6],
  [WATCH, { line: '{"type":"ADDED","obj' }],
  [WATCH, { line: '{"type":"ADDED","object":{}}' }],
  [WATCH, { line: '[]' }],
  [WATCH, { line: '' }],
];
for (const [on, fault, times = 1] of faults) {
  tap.test(`nothing is lost and nothing told twice: ${times} × ${JSON.stringify(fault)} on ${on.source}`, async (t) => {
    const { server, reflector, put, told, caughtUp, watching } = await setUp(t, { random: () => 0, idleMs: 300 });
    server.meet(on, fault, times);
    reflector.start();
    await waitFor('the fault is met', () => server.count(on) >= times, { everyMs: 5 });
    put('d', { annotations: { 'a/b': 'Zürich 東京 🚀' } });
    put('a');
    server.store.remove('nodes', 'b');
    await caughtUp();
    await watching(1);
    put('e');
    await caughtUp();
    const sinceList = told.slice(told.findLastIndex((what) => what.startsWith('['))).slice(1);
    const versions = sinceList.map((what) => Number(what.split('@')[1]));
    t.strictSame(
      versions,
      [...new Set(versions)].sort((a, b) => a - b),
      told.join(' '),
    );
  });
}

const error = (object: object) => ({ line: JSON.stringify({ type: 'ERROR', object }), end: true });
const sequels: readonly [fault: Fault, sequel: 'list' | 'resume'][] = [
  [{ status: 410 }, 'list'],
  [error({ code: 410 }), 'list'],
  [error({ reason: 'Expired' }), 'list'],
  [error({ reason: 'Gone' }), 'list'],
  [{ line: 'nonsense' }, 'list'],
  [{ line: '{"type":"ADDED","object":{}}' }, 'list'],
  [error({ code: 500 }), 'resume'],
  [error({}), 'resume'],
  [{ status: 429 }, 'resume'],
  [{ status: 500 }, 'resume'],
  ['reset', 'resume'],
  ['lost reply', 'resume'],
  [{ end: true }, 'resume'],
];
for (const [fault, sequel] of sequels) {
  tap.test(`after ${JSON.stringify(fault)} a watch has to ${sequel}`, async (t) => {
    const { server, reflector, watching } = await setUp(t);
    server.meet(WATCH, fault);
    reflector.start();
    await watching(2);
    const asked = server.requests.map((request) => (WATCH.test(request) ? 'watch' : 'page'));
    const after = sequel === 'list' ? ['page', 'page', 'watch'] : ['watch'];
    t.strictSame(asked, ['page', 'page', 'watch', ...after]);
  });
}

tap.test('a version that fails six times in a row is given up for a list', async (t) => {
  const { server, reflector, watching } = await setUp(t, { random: () => 0 });
  server.meet(WATCH, { status: 500 }, 6);
  reflector.start();
  await watching(7);
  t.equal(server.count(LIST), 4);
});

const bookmark = (version: number) =>
  JSON.stringify({ type: 'BOOKMARK', object: { metadata: { resourceVersion: String(version) } } });
const storms: readonly [what: string, plan: (server: FakeApiServer) => void, most: number][] = [
  ['refused by every request', (server) => server.meet(/GET/, { status: 500 }, ALWAYS), 5],
  ['cut off from every list', (server) => server.meet(/continue=/, 'cut', ALWAYS), 10],
  ['told 410 by every page 2', (server) => server.meet(/continue=/, { status: 410 }, ALWAYS), 10],
  ['told 410 by every watch', (server) => server.meet(WATCH, { status: 410 }, ALWAYS), 15],
  ['told 410 in every watch', (server) => server.meet(WATCH, { line: gone, end: true }, ALWAYS), 15],
  ['told nonsense by every watch', (server) => server.meet(WATCH, { line: 'nonsense' }, ALWAYS), 15],
  ['let down by every watch at once', (server) => server.meet(WATCH, { end: true }, ALWAYS), 7],
  [
    'let down by every watch after one bookmark',
    (server) => {
      for (let version = 104; version < 1104; version += 1) server.meet(WATCH, { line: bookmark(version), end: true });
    },
    20,
  ],
];
for (const [what, plan, most] of storms) {
  tap.test(`${what}, it makes no more than ${most} requests in 1.5 s`, async (t) => {
    const { server, reflector } = await setUp(t);
    plan(server);
    reflector.start();
    await sleep(1_500);
    t.ok(server.requests.length >= 4, `${server.requests.length} requests`);
    t.ok(server.requests.length <= most, `${server.requests.length} requests`);
  });
}
