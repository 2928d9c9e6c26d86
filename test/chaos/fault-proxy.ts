/**
 * A bad network and a worse API server in one: stands between a client and the real API server on
 * 127.0.0.1, streams requests and replies through, and lets chance decide what each request meets.
 */

import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Agent, createServer, type RequestOptions, request, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { KubeConfig } from '@kubernetes/client-node';
import { createCertificate } from '../cluster/certificates.ts';
import { type Asked, FaultDice, type FaultKind, type FaultRates } from './faults.ts';
import { RecordedLists } from './recorded-lists.ts';
import { endWatch } from './watch-ends.ts';

export interface FaultProxyOptions {
  /** The real API server, and whom clients are there. */
  readonly upstream: KubeConfig;
  readonly rates: FaultRates;
  /** In [0, 1). */
  readonly random: () => number;
  /** After so many writes that reached the API server the client is cut off for good, the last reply included. */
  readonly writesUntilDeath?: number;
  /** ms that a frozen request is held: longer than clients wait. */
  readonly freezeMs?: readonly [least: number, most: number];
}

/** Clients give up after 10 s without a byte. */
const FREEZE_MS = [10_500, 14_000] as const;

export class FaultProxy {
  /** Faults met so far, by kind. */
  readonly counts = new Map<FaultKind, number>();
  /** For clients: the way through the proxy. */
  readonly kubeConfig = new KubeConfig();
  /** Requests that the API server is working on, watches apart. */
  underWay = 0;
  readonly #options: FaultProxyOptions;
  readonly #identity: RequestOptions;
  readonly #dice: FaultDice;
  readonly #lists = new RecordedLists(() => performance.now());
  readonly #agent = new Agent({ keepAlive: true, maxFreeSockets: 256 });
  readonly #server: Server;
  /** Says of each request that is held back whether it goes on. */
  readonly #held = new Set<(goesOn: boolean) => void>();
  #healed = false;
  #writes = 0;

  private constructor(
    options: FaultProxyOptions,
    identity: RequestOptions,
    tls: { readonly cert: string; readonly key: string },
  ) {
    this.#options = options;
    this.#identity = identity;
    this.#dice = new FaultDice(options.rates, options.random);
    this.#server = createServer(tls, (request, response) => {
      // Whoever has gone away has gone away; whatever else goes wrong shows as a broken connection.
      this.#serve(request, response).catch(() => response.destroy());
    });
  }

  static async start(options: FaultProxyOptions): Promise<FaultProxy> {
    const cluster = options.upstream.getCurrentCluster();
    const user = options.upstream.getCurrentUser();
    if (!cluster || !user) throw new Error('the proxy needs a cluster and a user');
    const identity: RequestOptions = {};
    await options.upstream.applyToHTTPSOptions(identity);
    const { hostname, port } = new URL(cluster.server);
    const tls = await createCertificate();
    const proxy = new FaultProxy(options, { ...identity, hostname, port }, tls);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    const server = `https://127.0.0.1:${(proxy.#server.address() as AddressInfo).port}`;
    const caData = Buffer.from(tls.cert).toString('base64');
    proxy.kubeConfig.loadFromClusterAndUser({ name: 'proxy', server, caData, skipTLSVerify: false }, user);
    return proxy;
  }

  /** From now on nothing new goes wrong. What is held back goes on in its own time. */
  heal(): void {
    this.#healed = true;
  }

  /** Whether the client has made its last write. */
  get isDead(): boolean {
    return this.#writes >= (this.#options.writesUntilDeath ?? Number.POSITIVE_INFINITY);
  }

  /** Writes that have been asked for. */
  get writes(): number {
    return this.#writes;
  }

  /** Requests held back, which may go on later. */
  get held(): number {
    return this.#held.size;
  }

  /** Forgets all that clients have on its way: it will never reach the API server. */
  abandon(): void {
    for (const decide of [...this.#held]) decide(false);
    this.#server.closeAllConnections();
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.abandon();
    this.#agent.destroy();
    await closed;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = request.url ?? '/';
    const body = await buffer(request);
    if (request.socket.destroyed) return;
    const asked = parse(request.method, url);
    if (this.isDead) return void response.destroy();
    if (asked.write) {
      this.#writes += 1;
      if (this.isDead) {
        await buffer(await this.#forward(request, url, body));
        this.abandon();
        return;
      }
    }
    const promised = this.#lists.page(url);
    if (promised) return answer(response, 200, promised);
    const fault = this.#healed ? undefined : this.#dice.draw(asked);
    if (fault === 'stale list') {
      const past = this.#lists.replay(url);
      if (past) this.#count(fault);
      return past ? answer(response, 200, past) : this.#relay(request, url, body, asked, response);
    }
    if (fault) this.#count(fault);
    if (fault === 'reset') response.destroy();
    else if (fault === 'too many requests') refuse(response, 429, 'TooManyRequests');
    else if (fault === 'server error') refuse(response, 500, 'InternalError');
    else if (fault === 'invented conflict') refuse(response, 409, 'Conflict');
    else if (fault === 'lost reply' || fault === 'cut reply') {
      const reply = await this.#forward(request, url, body);
      const whole = await buffer(reply);
      if (fault === 'lost reply') response.destroy();
      else cut(response, reply, whole);
    } else {
      if (fault && !(await this.#hold(this.#delayOf(fault)))) return;
      await this.#relay(request, url, body, asked, response);
    }
  }

  #delayOf(fault: 'slow' | 'very slow' | 'freeze'): number {
    if (fault === 'slow') return this.#dice.between(50, 500);
    if (fault === 'very slow') return this.#dice.between(2_000, 5_000);
    return this.#dice.between(...(this.#options.freezeMs ?? FREEZE_MS));
  }

  /** Resolves after so many ms with true, or at once with false if the request is abandoned. */
  #hold(ms: number): Promise<boolean> {
    return new Promise((resolve) => {
      const decide = (goesOn: boolean) => {
        clearTimeout(timer);
        this.#held.delete(decide);
        resolve(goesOn);
      };
      const timer = setTimeout(decide, ms, true);
      this.#held.add(decide);
    });
  }

  async #relay(request: IncomingMessage, url: string, body: Buffer, asked: Asked, response: ServerResponse) {
    const reply = await this.#forward(request, url, body);
    const { statusCode = 0 } = reply;
    if (asked.watch && statusCode === 200) {
      response.writeHead(statusCode, endToEnd(reply.headers)).flushHeaders();
      response.on('close', () => reply.destroy());
      const end = this.#dice.drawEnd();
      const count = () => {
        if (this.#healed || !end) return false;
        this.#count(end.kind);
        return true;
      };
      endWatch(reply, response, end, count);
      return;
    }
    // Read to its end although the client may have gone: the connection is used again.
    const whole = await buffer(reply);
    if (asked.freshList && statusCode === 200) this.#lists.record(url, whole);
    response.writeHead(statusCode, { ...endToEnd(reply.headers), 'content-length': whole.length });
    response.end(whole);
  }

  async #forward({ method, headers }: IncomingMessage, url: string, body: Buffer): Promise<IncomingMessage> {
    const outgoing = request({
      ...this.#identity,
      agent: this.#agent,
      method,
      path: url,
      headers: { ...endToEnd(headers), 'content-length': body.length },
    });
    const watch = parse(method, url).watch;
    if (!watch) this.underWay += 1;
    outgoing.once('close', () => {
      if (!watch) this.underWay -= 1;
    });
    outgoing.end(body);
    const [reply] = (await once(outgoing, 'response')) as [IncomingMessage];
    outgoing.on('error', (error) => reply.destroy(error));
    return reply;
  }

  #count(kind: FaultKind): void {
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
  }
}

function parse(method: string | undefined, url: string): Asked {
  const { pathname, searchParams } = new URL(url, 'https://any');
  const get = method === 'GET';
  const watch = get && searchParams.has('watch');
  return {
    write: !get,
    binding: method === 'POST' && pathname.endsWith('/binding'),
    watch,
    freshList: get && !watch && pathname === '/api/v1/pods' && !searchParams.has('resourceVersion'),
  };
}

/** Without what holds for one connection only, and for one way of writing the body. */
function endToEnd(headers: IncomingMessage['headers']): IncomingMessage['headers'] {
  const { host, connection, 'keep-alive': keepAlive, 'transfer-encoding': encoding, ...others } = headers;
  return others;
}

function answer(response: ServerResponse, status: number, body: Buffer): void {
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': body.length });
  response.end(body);
}

function refuse(response: ServerResponse, code: number, reason: string): void {
  if (code === 429) response.setHeader('retry-after', '1');
  const status = { kind: 'Status', apiVersion: 'v1', status: 'Failure', message: `chaos: ${reason}`, reason, code };
  answer(response, code, Buffer.from(JSON.stringify(status)));
}

function cut(response: ServerResponse, { statusCode = 0, headers }: IncomingMessage, whole: Buffer): void {
  response.writeHead(statusCode, { ...endToEnd(headers), 'content-length': whole.length });
  response.write(whole.subarray(0, whole.length / 2), () => response.destroy());
}
