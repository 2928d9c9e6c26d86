/**
 * A small API server on 127.0.0.1 that misbehaves on request. What it answers when it behaves is
 * proved against the real one in test/contract.
 */

import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { setImmediate as turn } from 'node:timers/promises';
import { KubeConfig } from '@kubernetes/client-node';
import type { Test } from 'tap';
import { createCertificate } from '../cluster/certificates.ts';
import { type Change, type Kind, keyOf, ObjectStore, type Reply, refusal, typed } from './object-store.ts';

/** What a request meets. */
export type Fault =
  /** Is refused, without effect. */
  | { readonly status: number }
  /** Gets no answer, ever. */
  | 'silence'
  /** The connection breaks before anything is done. */
  | 'reset'
  /** What was asked is done, and the connection breaks instead of an answer. */
  | 'lost reply'
  /** The connection breaks in the middle of the body; a watch's, in the middle of its next line. */
  | 'cut'
  /** The body, or the watch's next line, stops in the middle, and nothing follows. */
  | 'stall'
  /** The body comes byte by byte; a watch's next line does. */
  | 'crumbs'
  /** Is answered 200 with this body. */
  | { readonly body: string }
  /** The watch says this (if anything) before anything else, and ends (if told to). */
  | { readonly line: string; readonly end?: boolean }
  | { readonly end: boolean };

export class FakeApiServer {
  readonly store = new ObjectStore();
  /** `GET /api/v1/pods?limit=500`, in the order they came. */
  readonly requests: string[] = [];
  /** Connections ever opened. */
  connections = 0;
  /** What clients have to present; `kubeConfig` holds the first. */
  token = 'first';
  readonly kubeConfig = new KubeConfig();
  readonly #server: Server;
  readonly #watches = new Set<ServerResponse>();
  readonly #faults: { readonly on: RegExp; readonly fault: Fault; times: number }[] = [];

  private constructor(tls: { readonly cert: string; readonly key: string }) {
    this.#server = createServer(tls, (request, response) => void this.#serve(request, response));
    this.#server.on('secureConnection', () => {
      this.connections += 1;
    });
  }

  /** Ends with the test. */
  static async start(t: Test): Promise<FakeApiServer> {
    const tls = await createCertificate();
    const fake = new FakeApiServer(tls);
    fake.#server.listen(0, '127.0.0.1');
    await once(fake.#server, 'listening');
    const server = `https://127.0.0.1:${(fake.#server.address() as AddressInfo).port}`;
    const caData = Buffer.from(tls.cert).toString('base64');
    fake.kubeConfig.loadFromClusterAndUser(
      { name: 'fake', server, caData, skipTLSVerify: false },
      { name: 'test', token: fake.token },
    );
    t.teardown(() => fake.#close());
    return fake;
  }

  /** The next requests whose `METHOD path` matches meet this; what was planned first comes first. */
  meet(on: RegExp, fault: Fault, times = 1): void {
    this.#faults.push({ on, fault, times });
  }

  /** Ends every fault that was planned. */
  heal(): void {
    this.#faults.length = 0;
  }

  /** Requests so far that match. */
  count(on: RegExp): number {
    return this.requests.filter((request) => on.test(request)).length;
  }

  /** All connections break, idle ones too. */
  breakConnections(): void {
    this.#server.closeAllConnections();
  }

  /** Ends all watches in order, as a server does when their time is over. */
  endWatches(): void {
    for (const response of this.#watches) response.end();
  }

  /** Tells all watches the version of now. */
  bookmark(): void {
    for (const tell of this.store.watchers) {
      tell(this.store.bookmark('nodes'));
      tell(this.store.bookmark('pods'));
    }
  }

  async #close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.breakConnections();
    await closed;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const line = `${request.method} ${request.url}`;
    this.requests.push(line);
    const body = await text(request).catch(() => '');
    const plan = this.#faults.find(({ on, times }) => times > 0 && on.test(line));
    if (plan) plan.times -= 1;
    const fault = plan?.fault;
    if (fault === 'silence') return;
    const asked = parse(request.url ?? '/');
    if (fault === 'reset') response.destroy();
    else if (request.headers.authorization !== `Bearer ${this.token}`) await send(response, refusal(401, line), fault);
    else if (has(fault, 'status')) await send(response, refusal(fault.status, `a planned ${fault.status}`));
    else if (!asked) {
      const reply: Reply = has(fault, 'body') ? [200, {}] : refusal(404, `there is no ${request.url}`);
      await send(response, reply, fault);
    } else if (asked.query.has('watch')) await this.#watch(asked, response, fault);
    else await send(response, this.#reply(request.method, asked, body), fault);
  }

  #reply(method: string | undefined, { kind, namespace, name, binding, query }: Asked, body: string): Reply {
    const { store } = this;
    const key = keyOf({ name, namespace });
    if (method === 'POST') {
      const given = JSON.parse(body);
      return binding ? store.bind(key, given) : store.create(kind, namespace, given);
    }
    if (!name) return store.list(kind, namespace, Number(query.get('limit')), query.get('continue'));
    const stored = store.get(kind, key);
    if (!stored) return refusal(404, `${kind} "${name}" not found`);
    if (method === 'DELETE') store.remove(kind, key);
    return [200, typed(kind, stored)];
  }

  async #watch({ kind, namespace, query }: Asked, response: ServerResponse, fault?: Fault): Promise<void> {
    const { store } = this;
    const from = query.get('resourceVersion') ?? '';
    if (!/^\d+$/.test(from)) {
      return send(response, refusal(500, `resourceVersion: Invalid value: "${from}"`), fault);
    }
    response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders();
    if (has(fault, 'line')) response.write(`${fault.line}\n`);
    if (Number(from) < store.oldest) {
      const [, object] = refusal(410, `too old resource version: ${from} (${store.oldest})`);
      response.write(`${JSON.stringify({ type: 'ERROR', object })}\n`);
    }
    if (has(fault, 'end') || Number(from) < store.oldest) {
      response.end();
      return;
    }
    let next = fault;
    let writing = Promise.resolve();
    const tell = (change: Change) => {
      const { version, type, object } = change;
      if (change.kind !== kind || version <= Number(from)) return;
      if (type === 'BOOKMARK' ? !query.has('allowWatchBookmarks') : !isIn(object.metadata, namespace)) return;
      if (next === 'cut' || next === 'stall') stop();
      const line = Buffer.from(`${JSON.stringify({ type, object: typed(kind, object) })}\n`);
      const how = next;
      writing = writing.then(() => write(response, line, how));
      next = undefined;
    };
    const end = () => {
      tell(store.bookmark(kind));
      void writing.then(() => response.end());
    };
    const timer = setTimeout(end, Number(query.get('timeoutSeconds') ?? 300) * 1000);
    const stop = () => {
      clearTimeout(timer);
      store.watchers.delete(tell);
      this.#watches.delete(response);
    };
    response.on('close', stop);
    store.watchers.add(tell);
    this.#watches.add(response);
    for (const change of store.history) if (store.watchers.has(tell)) tell(change);
  }
}

interface Asked {
  readonly kind: Kind;
  readonly namespace: string | undefined;
  /** Empty for a whole collection. */
  readonly name: string;
  readonly binding: boolean;
  readonly query: URLSearchParams;
}

const PATH =
  /^\/api\/v1\/(?:namespaces\/(?<namespace>[^/]+)\/)?(?<kind>nodes|pods)(?:\/(?<name>[^/]+))?(?<binding>\/binding)?$/;

function parse(url: string): Asked | undefined {
  const { pathname, searchParams: query } = new URL(url, 'https://127.0.0.1');
  const { namespace, kind, name = '', binding } = PATH.exec(pathname)?.groups ?? {};
  if (kind !== 'nodes' && kind !== 'pods') return undefined;
  return { kind, namespace, name, binding: binding !== undefined, query };
}

async function send(response: ServerResponse, [status, body]: Reply, fault?: Fault): Promise<void> {
  if (fault === 'lost reply') {
    response.destroy();
    return;
  }
  const payload = Buffer.from(has(fault, 'body') ? fault.body : JSON.stringify(body));
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': payload.length });
  await write(response, payload, fault);
  if (fault !== 'cut' && fault !== 'stall') response.end();
}

async function write(response: ServerResponse, payload: Buffer, fault?: Fault): Promise<void> {
  const half = payload.subarray(0, payload.length / 2);
  if (fault === 'stall') response.write(half);
  else if (fault === 'cut') response.write(half, () => response.destroy());
  else if (fault !== 'crumbs') response.write(payload);
  else {
    for (const byte of payload) {
      response.write(Buffer.of(byte));
      // What is written in one turn is sent in one piece.
      await turn();
    }
  }
}

function isIn(metadata: { readonly namespace?: string }, namespace: string | undefined): boolean {
  return namespace === undefined || metadata.namespace === namespace;
}

function has<K extends string>(fault: Fault | undefined, key: K): fault is Extract<Fault, Record<K, unknown>> {
  return typeof fault === 'object' && key in fault;
}
