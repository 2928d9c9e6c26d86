/** The client, and what a Prometheus, or what stands before it, may answer. */

import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import tap, { type Test } from 'tap';
import { Prometheus, type PrometheusOptions, type Sample } from '#src/telemetry/history/prometheus.ts';
import { freePorts } from '../../../cluster/processes.ts';

type Handler = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

async function serve(t: Test, handler: Handler): Promise<string> {
  const server = createServer((request, response) => void handler(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function ask(url: string, more: Partial<PrometheusOptions> = {}, signal = new AbortController().signal) {
  const prometheus = new Prometheus({ url, fetch, ...more });
  const all: Sample[] = [];
  for await (const samples of prometheus.query('up', signal)) all.push(...samples);
  return all;
}

const vector = (...values: readonly string[]) => ({
  status: 'success',
  data: { resultType: 'vector', result: values.map((value) => ({ metric: { pod: 'a' }, value: [1.5, value] })) },
});
const reply = (body: unknown, status = 200): Handler => {
  return (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  };
};

tap.test('samples, those that are numbers', async (t) => {
  const url = await serve(t, reply(vector('1', 'NaN', '0.25', '+Inf', '-Inf', '1e3', '-2')));
  t.strictSame(
    (await ask(url)).map(({ value }) => value),
    [1, 0.25, 1_000, -2],
  );
  t.strictSame(await ask(await serve(t, reply(vector()))), [], 'none is an answer as well');
});

tap.test('what an answer holds besides, and in which order, does not matter', async (t) => {
  const { data } = vector('1');
  const body = {
    data: { result: data.result, resultType: 'vector' },
    warnings: ['x'],
    stats: { result: [1] },
    status: 'success',
  };
  t.match(await ask(await serve(t, reply(body))), [{ labels: { pod: 'a' }, value: 1 }]);
});

const PATHS: readonly [base: string, path: string][] = [
  ['', '/api/v1/query'],
  ['/', '/api/v1/query'],
  ['/prometheus', '/prometheus/api/v1/query'],
  ['/prometheus/', '/prometheus/api/v1/query'],
  ['/a/b//', '/a/b/api/v1/query'],
  ['/tenant?dedup=true', '/tenant/api/v1/query?dedup=true'],
];
for (const [base, path] of PATHS) {
  tap.test(`a Prometheus at …:9090${base} is asked at ${path}`, async (t) => {
    let asked: { url: string | undefined; method: string | undefined; body: string } | undefined;
    const url = await serve(t, async (request, response) => {
      asked = { url: request.url, method: request.method, body: await text(request) };
      await reply(vector('1'))(request, response);
    });
    await ask(`${url}${base}`);
    t.strictSame(asked, { url: path, method: 'POST', body: 'query=up&timeout=30000ms' });
  });
}

tap.test('user and password of the URL are sent as such, and told to nobody', async (t) => {
  const headers: unknown[] = [];
  const url = await serve(t, (request, response) => {
    headers.push(request.headers.authorization);
    void reply('no', 401)(request, response);
  });
  const error = await ask(url.replace('//', '//anna:s%40cret@')).catch((reason: Error) => reason);
  t.strictSame(headers, [`Basic ${btoa('anna:s@cret')}`]);
  t.match(error, { name: 'PrometheusError', message: 'HTTP 401, and no answer of a Prometheus' });
  await ask(url.replace('//', '//anna:%E2%82%AC@')).catch(() => {});
  t.equal(headers[1], `Basic ${Buffer.from('anna:€').toString('base64')}`, 'in any script');
});

tap.test('compressed, and in crumbs', async (t) => {
  const zipped = gzipSync(JSON.stringify(vector('1', '2')));
  const url = await serve(t, async (_request, response) => {
    response.writeHead(200, { 'content-encoding': 'gzip' });
    for (const byte of zipped) {
      response.write(Buffer.of(byte));
      await new Promise(setImmediate);
    }
    response.end();
  });
  t.equal((await ask(url)).length, 2);
});

const failure = { status: 'error', errorType: 'bad_data', error: 'invalid parameter "query": parse error' };
const BAD: readonly [says: string, handler: Handler, why: RegExp][] = [
  ['HTTP 400 with Prometheus’s own words', reply(failure, 400), /^invalid parameter "query": parse error$/],
  ['HTTP 503 with them', reply({ ...failure, error: 'query timed out' }, 503), /^query timed out$/],
  ['HTTP 200 with them', reply(failure), /^invalid parameter/],
  ['HTTP 502 of a proxy', reply('<html>Bad Gateway</html>', 502), /^HTTP 502, and no answer of a Prometheus$/],
  ['a login page', reply('<!doctype html><title>Sign in</title>'), /^HTTP 200, and no answer of a Prometheus$/],
  ['nothing', reply(''), /^HTTP 200, and no/],
  ['HTTP 204', reply('', 204), /^HTTP 204, and no/],
  ['other JSON', reply([1, 2]), /^HTTP 200, and no/],
  ['JSON of an API server', reply({ kind: 'Status', status: 'Failure' }, 403), /^HTTP 403, and no/],
  ['half of it', reply(JSON.stringify(vector('1')).slice(0, -3)), /^HTTP 200, and no/],
  ['more than it', reply(`${JSON.stringify(vector('1'))}{}`), /^HTTP 200, and no/],
  ['a matrix', reply({ status: 'success', data: { resultType: 'matrix', result: [] } }), /^HTTP 200, and no/],
  ['a scalar', reply({ status: 'success', data: { resultType: 'scalar', result: [1, '2'] } }), /^HTTP 200, and no/],
  [
    'series that are none',
    reply({ status: 'success', data: { resultType: 'vector', result: [{ metric: { a: 1 } }] } }),
    /^HTTP 200/,
  ],
  [
    'a connection that breaks',
    (_request, response) => void response.writeHead(200).write('{"st', () => response.destroy()),
    /terminated|closed|hang up/,
  ],
];
for (const [says, handler, why] of BAD) {
  tap.test(`${says}: ${why.source}`, async (t) => {
    const url = await serve(t, handler);
    await t.rejects(ask(url), { name: 'PrometheusError', message: why });
  });
}

tap.test('too large: read no further', async (t) => {
  const url = await serve(t, reply(vector(...Array<string>(1_000).fill('1'))));
  await t.rejects(ask(url, { maxBytes: 20_000 }), { message: 'the answer is larger than 20000 bytes' });
});

tap.test('nobody listens, at one address or several', async (t) => {
  const [port = 0] = await freePorts(1);
  for (const host of ['127.0.0.1', 'localhost']) {
    await t.rejects(ask(`http://${host}:${port}`), { name: 'PrometheusError', message: /ECONNREFUSED/ });
  }
});

const SLOW: readonly [says: string, handler: Handler][] = [
  ['no answer', () => {}],
  ['a body that stops', (_request, response) => void response.write('{"status":"success"')],
];
for (const [says, handler] of SLOW) {
  tap.test(`${says}: given up after the time that was set`, async (t) => {
    const url = await serve(t, handler);
    const started = performance.now();
    await t.rejects(ask(url, { timeoutMs: 200 }), { name: 'PrometheusError', message: /timeout/ });
    t.ok(performance.now() - started < 5_000);
  });
  tap.test(`${says}: given up at once when we stop`, async (t) => {
    const url = await serve(t, handler);
    const stopping = new AbortController();
    const asked = ask(url, {}, stopping.signal);
    setImmediate(() => stopping.abort());
    await t.rejects(asked, { name: 'PrometheusError' });
  });
}
