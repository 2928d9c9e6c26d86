/** Each fault of the proxy is, seen from a client, what its name says. */

import { setTimeout as sleep } from 'node:timers/promises';
import tap, { type Test } from 'tap';
import { seededRandom } from '#src/core/random.ts';
import { KubeClient, KubeError } from '#src/kube/kube-client.ts';
import { waitFor } from '../cluster/wait.ts';
import { FakeApiServer } from '../fakes/api-server.ts';
import { FaultProxy, type FaultProxyOptions } from './fault-proxy.ts';
import { type FaultRates, NO_FAULTS } from './faults.ts';

const PODS = '/api/v1/pods';
const MADE = '/api/v1/namespaces/team/pods';
const BINDING = `${MADE}/a/binding`;
const WATCH = `${PODS}?watch=true&allowWatchBookmarks=true&resourceVersion=100`;

async function setUp(t: Test, rates: Partial<FaultRates>, options: Partial<FaultProxyOptions> = {}) {
  const server = await FakeApiServer.start(t);
  const random = options.random ?? seededRandom(1);
  const proxy = await FaultProxy.start({
    upstream: server.kubeConfig,
    rates: { ...NO_FAULTS, ...rates },
    random,
    ...options,
  });
  const client = new KubeClient(proxy.kubeConfig);
  t.teardown(async () => {
    client.close();
    await proxy.close();
  });
  const put = (name: string) => server.store.put('pods', { metadata: { name, namespace: 'team', uid: name } });
  put('a');
  const nodeOf = (name: string) => server.store.get('pods', `team/${name}`)?.spec?.nodeName;
  const bind = (idleMs = 10_000) =>
    client.json('POST', BINDING, { body: { metadata: { name: 'a', uid: 'a' }, target: { name: 'node' } }, idleMs });
  return { server, proxy, client, put, nodeOf, bind };
}

async function failure(call: Promise<unknown>): Promise<KubeError> {
  const error: unknown = await call.catch((reason: unknown) => reason);
  if (error instanceof KubeError) return error;
  throw new Error('the call did not fail as a call does');
}

tap.test('without faults it is not there: the same bodies, one connection, errors as they are', async (t) => {
  const { server, proxy, client, bind, nodeOf } = await setUp(t, {});
  const direct = new KubeClient(server.kubeConfig);
  t.teardown(() => direct.close());
  for (let i = 0; i < 50; i += 1) t.strictSame(await client.json('GET', PODS), await direct.json('GET', PODS));
  t.equal(server.connections, 2, 'one of the proxy, one past it');
  t.match(await failure(client.json('GET', `${MADE}/nobody`)), { status: 404, reason: 'NotFound' });
  await bind();
  t.equal(nodeOf('a'), 'node');
  t.match(await failure(bind()), { status: 409 });
  t.equal(proxy.counts.size, 0);
});

tap.test('what is refused has had no effect', async (t) => {
  for (const [kind, status] of [
    ['too many requests', 429],
    ['server error', 500],
    ['invented conflict', 409],
    ['reset', undefined],
  ] as const) {
    const { proxy, bind, nodeOf, server } = await setUp(t, { [kind]: 1 });
    const error = await failure(bind());
    t.equal(error.status, status, kind);
    t.equal(nodeOf('a'), undefined);
    t.equal(server.requests.length, 0);
    t.strictSame([...proxy.counts], [[kind, 1]]);
  }
});

tap.test('a conflict is invented of Bindings only', async (t) => {
  const { client, proxy } = await setUp(t, { 'invented conflict': 1 });
  await client.json('GET', PODS);
  await client.json('POST', MADE, { body: { metadata: { name: 'b', namespace: 'team' } } });
  t.equal(proxy.counts.size, 0);
});

tap.test('a reply that is lost, or cut in the middle, hides what has been done', async (t) => {
  for (const kind of ['lost reply', 'cut reply'] as const) {
    const { bind, nodeOf } = await setUp(t, { [kind]: 1 });
    const error = await failure(bind());
    t.equal(error.status, undefined);
    if (kind === 'cut reply') t.match(error.message, /broke off/);
    t.equal(nodeOf('a'), 'node', kind);
  }
});

tap.test('slow is late, and otherwise as ever', async (t) => {
  const { bind, nodeOf } = await setUp(t, { slow: 1 });
  const started = performance.now();
  await bind();
  t.ok(performance.now() - started >= 50);
  t.equal(nodeOf('a'), 'node');
});

tap.test('a frozen request is acted on after its client has given up', async (t) => {
  const { bind, nodeOf, proxy } = await setUp(t, { freeze: 1 }, { freezeMs: [400, 400] });
  t.match(await failure(bind(100)), { status: undefined, message: /no byte for 100 ms/ });
  t.equal(nodeOf('a'), undefined);
  t.equal(proxy.held, 1);
  await waitFor('it is acted on', () => nodeOf('a') === 'node', { everyMs: 10 });
  t.equal(proxy.held, 0);
});

tap.test('a client that goes away in the middle of a reply leaves nothing under way', async (t) => {
  const { proxy, client, put } = await setUp(t, {});
  for (let i = 0; i < 5_000; i += 1) put(`pod-${i}-${'x'.repeat(200)}`);
  for (let i = 0; i < 5; i += 1) (await client.stream('GET', `${PODS}?resourceVersion=0`)).destroy();
  await waitFor('nothing is under way', () => proxy.underWay === 0);
  t.equal(proxy.held, 0);
});

tap.test('what is abandoned is never acted on', async (t) => {
  const { bind, nodeOf, proxy, server } = await setUp(t, { freeze: 1 }, { freezeMs: [300, 300] });
  const failed = failure(bind());
  await waitFor('it is held', () => proxy.held === 1, { everyMs: 5 });
  proxy.abandon();
  t.equal((await failed).status, undefined);
  await sleep(400);
  t.equal(nodeOf('a'), undefined);
  t.equal(server.requests.length, 0);
  t.equal(proxy.underWay, 0);
});

tap.test('a healed proxy does nothing but forward, watches that were to end included', async (t) => {
  const { proxy, bind, client } = await setUp(t, { reset: 1, 'watch dropped': 1000 });
  proxy.heal();
  await bind();
  const watch = await client.stream('GET', WATCH);
  await sleep(300);
  t.notOk(watch.destroyed);
  watch.destroy();
  t.equal(proxy.counts.size, 0);
});

tap.test('a watch streams events as they come, until it is dropped in the middle of a line', async (t) => {
  const { client, put, proxy } = await setUp(t, { 'watch dropped': 3 });
  const watch = await client.stream('GET', WATCH);
  let seen = '';
  const ended = (async () => {
    for await (const chunk of watch) seen += chunk;
  })().then(
    () => 'ended in order',
    (error: Error) => error.message,
  );
  let count = 0;
  const writing = setInterval(() => put(`pod-${count++}`), 20);
  t.equal(await ended, 'aborted');
  clearInterval(writing);
  t.ok(count > 2, `${count} pods`);
  const lines = seen.split('\n');
  t.ok(lines.length > 2);
  t.throws(() => JSON.parse(lines.at(-1) ?? ''));
  t.strictSame([...proxy.counts], [['watch dropped', 1]]);
});

tap.test('a watch without events is dropped as well', async (t) => {
  const { client, proxy } = await setUp(t, { 'watch dropped': 100 });
  const watch = await client.stream('GET', `${PODS}?watch=true&resourceVersion=101`);
  watch.resume();
  await new Promise((closed) => watch.on('error', closed));
  t.strictSame([...proxy.counts], [['watch dropped', 1]]);
});

tap.test('a watch that expires says so in a whole line, and ends in order', async (t) => {
  const { client, proxy } = await setUp(t, { 'watch expired': 100 });
  const watch = await client.stream('GET', WATCH);
  let seen = '';
  for await (const chunk of watch) seen += chunk;
  const last = JSON.parse(seen.trimEnd().split('\n').at(-1) ?? '');
  t.match(last, { type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired' } });
  t.strictSame([...proxy.counts], [['watch expired', 1]]);
});

tap.test(
  'a stale list is an earlier one, whole and page by page; only of pods, and only where now was asked for',
  async (t) => {
    // The first list goes through, since there is none to give again.
    const { client, put, proxy } = await setUp(t, { 'stale list': 1 });
    put('b');
    put('c');
    const list = async (query = '') => {
      const names: string[] = [];
      let version = '';
      for (let cursor = ''; ; ) {
        const url = `${PODS}?${new URLSearchParams({ limit: '2', ...(cursor && { continue: cursor }) })}${query}`;
        const reply = await client.json('GET', url);
        const { items, metadata } = reply as {
          items: { metadata: { name: string } }[];
          metadata: { resourceVersion: string; continue?: string };
        };
        names.push(...items.map((item) => item.metadata.name));
        version = metadata.resourceVersion;
        cursor = metadata.continue ?? '';
        if (!cursor) return [names, version] as const;
      }
    };
    const first = await list();
    t.strictSame(first[0], ['a', 'b', 'c']);
    put('d');
    t.strictSame(await list(), first, 'the past');
    t.strictSame(await list(), first, 'and once more');
    t.strictSame((await list('&resourceVersion=0'))[0], ['a', 'b', 'c', 'd']);
    t.equal(proxy.counts.get('stale list'), 2);
    proxy.heal();
    t.strictSame((await list())[0], ['a', 'b', 'c', 'd']);
  },
);

tap.test('the same seed decides alike', async (t) => {
  const sequences: string[][] = [];
  for (let run = 0; run < 2; run += 1) {
    const { client } = await setUp(t, { 'server error': 0.3, reset: 0.3 }, { random: seededRandom(7) });
    const seen: string[] = [];
    for (let i = 0; i < 30; i += 1) {
      seen.push(
        await client.json('GET', PODS).then(
          () => 'ok',
          (error: KubeError) => String(error.status),
        ),
      );
    }
    sequences.push(seen);
  }
  t.strictSame(sequences[0], sequences[1]);
  t.strictSame(new Set(sequences[0]), new Set(['ok', '500', 'undefined']));
});
