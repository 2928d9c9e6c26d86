import { setTimeout as sleep } from 'node:timers/promises';
import { KubeConfig } from '@kubernetes/client-node';
import tap, { type Test } from 'tap';
import { KubeClient, KubeError } from '#src/kube/kube-client.ts';
import { createCertificate } from '../../cluster/certificates.ts';
import { FakeApiServer, type Fault } from '../../fakes/api-server.ts';
import { ManualClock } from '../../objects/clock.ts';

const NODES = '/api/v1/nodes';

async function setUp(t: Test, clock?: ManualClock) {
  const server = await FakeApiServer.start(t);
  const client = new KubeClient(server.kubeConfig, clock);
  t.teardown(() => client.close());
  return { server, client };
}

/** The KubeError that the call ends with. */
async function failure(t: Test, call: Promise<unknown>): Promise<KubeError> {
  const error = await call.then(
    () => new Error('the call succeeded'),
    (reason: unknown) => reason,
  );
  t.type(error, KubeError, String(error));
  return error as KubeError;
}

/** A configuration of the same cluster, and of this user. */
function reconfigure(config: KubeConfig, user: { token?: string; certData?: string; keyData?: string }): void {
  const cluster = config.getCurrentCluster();
  if (!cluster) throw new Error('no cluster');
  config.loadFromClusterAndUser(cluster, { name: 'test', ...user });
}

tap.test('200 calls, one after another, share one connection', async (t) => {
  const { server, client } = await setUp(t);
  for (let i = 0; i < 200; i += 1) await client.json('GET', NODES);
  t.equal(server.requests.length, 200);
  t.equal(server.connections, 1);
});

tap.test('200 calls, at most 10 at once, need no more than 10 connections', async (t) => {
  const { server, client } = await setUp(t);
  const queue = Array.from({ length: 200 }).values();
  const worker = async () => {
    for (const _ of queue) await client.json('GET', NODES);
  };
  await Promise.all(Array.from({ length: 10 }, worker));
  t.equal(server.requests.length, 200);
  t.ok(server.connections <= 10, `${server.connections} connections`);
});

tap.test('a refusal leaves its connection usable', async (t) => {
  const { server, client } = await setUp(t);
  for (const status of [403, 404, 409, 429, 500]) {
    server.meet(/GET/, { status });
    await failure(t, client.json('GET', NODES));
  }
  t.equal(server.connections, 1);
});

tap.test('an answer of the API server that is no success carries its status, reason and message', async (t) => {
  const { server, client } = await setUp(t);
  const cases: readonly [status: number, reason: string | undefined, refused: boolean][] = [
    [403, 'Forbidden', true],
    [404, 'NotFound', true],
    [409, 'Conflict', true],
    [410, 'Expired', true],
    [422, 'Invalid', true],
    [429, 'TooManyRequests', true],
    [500, undefined, false],
    [503, undefined, false],
  ];
  for (const [status, reason, refused] of cases) {
    server.meet(/GET/, { status });
    const error = await failure(t, client.json('GET', NODES));
    t.match(error, { status, reason, refused, message: `a planned ${status}` });
  }
});

tap.test('without a whole reply the status is unknown, and the call is not called refused', async (t) => {
  const { server, client } = await setUp(t);
  const faults: readonly Fault[] = ['reset', 'lost reply', 'cut', { body: 'not JSON' }, { body: '' }];
  for (const fault of faults) {
    server.meet(/GET/, fault);
    const error = await failure(t, client.json('GET', NODES));
    t.match(error, { status: undefined, refused: false, message: `GET ${NODES}: ` }, JSON.stringify(fault));
    t.ok(error.cause instanceof Error);
  }
  await client.json('GET', NODES);
});

tap.test('a reply that comes byte by byte is put together, characters of many bytes too', async (t) => {
  const { server, client } = await setUp(t);
  const annotations = { 'a/b': 'Zürich 東京 🚀' };
  server.store.put('nodes', { metadata: { name: 'n', annotations } });
  server.meet(/GET/, 'crumbs');
  t.match(await client.json('GET', `${NODES}/n`), { metadata: { annotations } });
});

tap.test('silence ends a call after idleMs, before and within the reply, and says so', async (t) => {
  const { server, client } = await setUp(t);
  for (const fault of ['silence', 'stall'] as const) {
    await client.json('GET', NODES);
    server.meet(/GET/, fault);
    const began = performance.now();
    const error = await failure(t, client.json('GET', NODES, { idleMs: 150 }));
    const tookMs = performance.now() - began;
    t.equal(error.status, undefined);
    t.match(error.message, /no byte for 150 ms/, fault);
    t.ok(tookMs > 100 && tookMs < 2_000, `${fault}: ${tookMs} ms`);
  }
});

tap.test('a signal ends a call in any phase', async (t) => {
  const { server, client } = await setUp(t);
  await failure(t, client.json('GET', NODES, { signal: AbortSignal.abort() }));
  for (const fault of ['silence', 'stall'] as const) {
    server.meet(/GET/, fault);
    const signal = AbortSignal.timeout(50);
    const began = performance.now();
    const error = await failure(t, client.json('GET', NODES, { signal }));
    t.equal(error.status, undefined);
    t.ok(performance.now() - began < 2_000, fault);
  }
});

tap.test('a 401 has the credentials read again, once', async (t) => {
  const { server, client } = await setUp(t);
  await client.json('GET', NODES);
  const { kubeConfig } = server;
  const reads = t.capture(kubeConfig, 'applyToHTTPSOptions', kubeConfig.applyToHTTPSOptions);

  await t.test('a token that was rotated is taken up', async (t) => {
    server.token = 'second';
    reconfigure(kubeConfig, { token: 'second' });
    t.match(await client.json('GET', NODES), { items: [] });
    t.equal(reads().length, 1);
  });

  await t.test('a token that stays wrong is not tried a third time', async (t) => {
    const before = server.requests.length;
    server.token = 'third';
    t.match(await failure(t, client.json('GET', NODES)), { status: 401, reason: 'Unauthorized', refused: true });
    t.equal(reads().length, 1);
    t.equal(server.requests.length - before, 2);
  });

  await t.test('a 401 whose body breaks off harms nothing', async (t) => {
    reconfigure(kubeConfig, { token: 'third' });
    await client.json('GET', NODES);
    server.token = 'fourth';
    reconfigure(kubeConfig, { token: 'fourth' });
    server.meet(/GET/, 'cut');
    t.match(await client.json('GET', NODES), { items: [] });
  });
});

tap.test('calls at once read the credentials once, at first and after a rotation', async (t) => {
  const { server, client } = await setUp(t);
  const { kubeConfig } = server;
  const reads = t.capture(kubeConfig, 'applyToHTTPSOptions', kubeConfig.applyToHTTPSOptions);
  const calls = () => Promise.all(Array.from({ length: 64 }, () => client.json('GET', NODES)));
  await calls();
  t.equal(reads().length, 1);
  server.token = 'second';
  reconfigure(kubeConfig, { token: 'second' });
  await calls();
  t.equal(reads().length, 1);
});

tap.test('credentials are read again after 30 s', async (t) => {
  const clock = new ManualClock({ ms: 0 });
  const { server, client } = await setUp(t, clock);
  const { kubeConfig } = server;
  const reads = t.capture(kubeConfig, 'applyToHTTPSOptions', kubeConfig.applyToHTTPSOptions);
  await client.json('GET', NODES);
  clock.ms = 29_999;
  await client.json('GET', NODES);
  t.equal(reads().length, 1);
  clock.ms = 30_000;
  await client.json('GET', NODES);
  t.equal(reads().length, 1);
  t.equal(server.connections, 1);
});

tap.test('credentials that cannot be read are a KubeError, and are tried again with the next call', async (t) => {
  const { server, client } = await setUp(t);
  const restore = t.capture(server.kubeConfig, 'applyToHTTPSOptions', async () => {
    throw new Error('no such plugin');
  });
  const error = await failure(t, client.json('GET', NODES));
  t.match(error, { status: undefined, message: `GET ${NODES}: no such plugin` });
  restore.restore();
  t.match(await client.json('GET', NODES), { items: [] });
});

tap.test('what cannot be sent is a KubeError', async (t) => {
  const { server, client } = await setUp(t);
  await failure(t, client.json('GET', '/with spaces'));
  reconfigure(server.kubeConfig, { token: 'with\nnewline' });
  await failure(t, new KubeClient(server.kubeConfig).json('GET', NODES));
  t.equal(server.requests.length, 0);
});

tap.test('a new client certificate opens a new connection, and breaks no call under way', async (t) => {
  const clock = new ManualClock({ ms: 0 });
  const { server, client } = await setUp(t, clock);
  const watch = await client.stream('GET', `${NODES}?watch=true&resourceVersion=100`);
  await client.json('GET', NODES);
  t.equal(server.connections, 2);
  clock.ms = 30_000;
  const { cert, key } = await createCertificate();
  const [certData, keyData] = [cert, key].map((pem) => Buffer.from(pem).toString('base64'));
  reconfigure(server.kubeConfig, { token: 'first', ...(certData && keyData && { certData, keyData }) });
  await client.json('GET', NODES);
  t.equal(server.connections, 3);
  server.store.put('nodes', { metadata: { name: 'later' } });
  const [chunk] = await Promise.race([watch.take(1).toArray(), sleep(1_000, [])]);
  t.match(String(chunk), /later/);
  watch.destroy();
});

tap.test('close() breaks the calls under way', async (t) => {
  const { server, client } = await setUp(t);
  server.meet(/GET/, 'silence');
  const call = failure(t, client.json('GET', NODES));
  while (server.requests.length === 0) await sleep(5);
  const began = performance.now();
  client.close();
  t.equal((await call).status, undefined);
  t.ok(performance.now() - began < 2_000);
});

tap.test('the path of the configured server comes before that of the call', async (t) => {
  const { server } = await setUp(t);
  const cluster = server.kubeConfig.getCurrentCluster();
  const config = new KubeConfig();
  if (cluster) config.loadFromClusterAndUser({ ...cluster, server: `${cluster.server}/k8s/c-1/` }, { name: 'test' });
  await failure(t, new KubeClient(config).json('GET', NODES));
  t.strictSame(server.requests, [`GET /k8s/c-1${NODES}`, `GET /k8s/c-1${NODES}`]);
});

tap.test('an IPv6 address is an address, not a name to look up', async (t) => {
  const config = new KubeConfig();
  config.loadFromClusterAndUser({ name: 'v6', server: 'https://[::1]:1', skipTLSVerify: false }, { name: 'test' });
  const error = await failure(t, new KubeClient(config).json('GET', NODES));
  t.not((error.cause as NodeJS.ErrnoException).code, 'ENOTFOUND', error.message);
});

tap.test('a configuration without a server, or with one that is not https, is refused at once', async (t) => {
  t.throws(() => new KubeClient(new KubeConfig()), { name: 'KubeError', message: /set KUBECONFIG/ });
  const config = new KubeConfig();
  config.loadFromClusterAndUser({ name: 'x', server: 'http://127.0.0.1:1', skipTLSVerify: false }, { name: 'test' });
  t.throws(() => new KubeClient(config), { name: 'KubeError', message: /https only/ });
});

tap.test('whoever may not send any more once the credentials are there sends nothing', async (t) => {
  const { server, client } = await setUp(t);
  const error = await failure(t, client.json('POST', `${NODES}`, { body: {}, maySend: () => false }));
  t.ok(error.refused, 'it surely had no effect');
  t.strictSame(server.requests, []);
  server.token = 'second';
  let asked = 0;
  const once = () => {
    asked += 1;
    return asked === 1;
  };
  t.match(await failure(t, client.json('GET', NODES, { maySend: once })), { message: /too late to be sent/ });
  t.equal(asked, 2, 'asked again before it is sent again with other credentials');
});
