/**
 * HTTP to the API server: raw JSON over connections that stay open. Configuration and
 * authentication are client-node's; its generated clients are not used, since they open a TLS
 * connection for each call. Knows nothing of pods or nodes.
 */

import type { IncomingMessage } from 'node:http';
import { Agent, type RequestOptions, request } from 'node:https';
import { text } from 'node:stream/consumers';
import type { KubeConfig } from '@kubernetes/client-node';
import { z } from 'zod';
import { type Clock, systemClock } from './clock.ts';

/** Content types of a PATCH: null removes in a merge patch, a JSON patch is a list of operations. */
export const MERGE_PATCH = 'application/merge-patch+json';
export const JSON_PATCH = 'application/json-patch+json';
/** A merge patch that merges lists by their keys. */
export const STRATEGIC_MERGE_PATCH = 'application/strategic-merge-patch+json';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

const statusSchema = z.object({
  message: z.string().optional(),
  reason: z.string().optional(),
  code: z.int().optional(),
});

/** A call that did not succeed. `status` is undefined if no reply came: then it may have taken effect all the same. */
export class KubeError extends Error {
  override readonly name = 'KubeError';
  readonly status: number | undefined;
  /** Kubernetes's reason, such as `Conflict` or `Expired`. */
  readonly reason: string | undefined;

  constructor(message: string, status?: number, reason?: string, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
    this.reason = reason;
  }

  /** True if the API server refused the call, so that it surely had no effect. */
  get refused(): boolean {
    return this.status !== undefined && this.status >= 400 && this.status < 500;
  }
}

export interface CallOptions {
  readonly body?: unknown;
  /** Default `application/json`. */
  readonly contentType?: string;
  readonly signal?: AbortSignal;
  /** ms without a byte in either direction; default 10,000. */
  readonly idleMs?: number;
  /** Asked right before anything is sent: false, and nothing is (NotSentError). */
  readonly maySend?: () => boolean;
}

/** The call was not made: it surely had no effect. */
export class NotSentError extends KubeError {
  override get refused(): boolean {
    return true;
  }
}

/** How long one reading of the credentials is used, ms: tokens on disk change, but not for each call. */
const CREDENTIALS_MS = 30_000;

/** One reading, shared by all calls until then. */
interface Credentials {
  readonly options: Promise<RequestOptions>;
  readonly until: number;
}

export class KubeClient {
  readonly #config: KubeConfig;
  readonly #server: URL;
  readonly #clock: Pick<Clock, 'monotonic'>;
  /** Keeps apart what was opened with another certificate or authority. */
  readonly #agent = new Agent({ keepAlive: true, keepAliveMsecs: 30_000, maxFreeSockets: 64 });
  #credentials: Credentials | undefined;

  /**
   * @throws KubeError if the configuration names no cluster
   */
  constructor(config: KubeConfig, clock: Pick<Clock, 'monotonic'> = systemClock) {
    const server = config.getCurrentCluster()?.server;
    if (!server) throw new KubeError('no API server is configured: set KUBECONFIG or pass --kubeconfig');
    this.#config = config;
    this.#server = new URL(server);
    if (this.#server.protocol !== 'https:') {
      throw new KubeError(`the API server is asked by https only, not at ${server} (is KUBECONFIG set?)`);
    }
    this.#clock = clock;
  }

  /**
   * One call; the reply's JSON.
   * @param path with its query, `/api/v1/pods?limit=500`
   * @throws KubeError
   */
  async json(method: Method, path: string, options: CallOptions = {}): Promise<unknown> {
    const response = await this.stream(method, path, options);
    const body = await text(response).catch((error: Error) => {
      throw new KubeError(`${method} ${path}: the reply broke off: ${error.message}`, undefined, undefined, {
        cause: error,
      });
    });
    try {
      return JSON.parse(body);
    } catch (error) {
      throw new KubeError(`${method} ${path}: the reply is not JSON`, undefined, undefined, { cause: error });
    }
  }

  /**
   * One call; the reply's body as it comes.
   * @throws KubeError for any status but 2xx
   */
  async stream(method: Method, path: string, options: CallOptions = {}): Promise<IncomingMessage> {
    const credentials = this.#authenticate();
    let response = await this.#send(credentials, method, path, options);
    if (response.statusCode === 401) {
      // A token that has just been rotated: read it again, once.
      response.resume();
      this.#forget(credentials);
      response = await this.#send(this.#authenticate(), method, path, options);
    }
    const status = response.statusCode ?? 0;
    if (status >= 200 && status < 300) return response;
    const body = await text(response).catch(() => '');
    const { message, reason } = parseStatus(body);
    throw new KubeError(message ?? `${method} ${path}: HTTP ${status}`, status, reason);
  }

  /** Closes the connections, those of calls under way too. */
  close(): void {
    this.#agent.destroy();
  }

  async #send(
    credentials: Credentials,
    method: Method,
    path: string,
    { body, contentType = 'application/json', signal, idleMs = 10_000, maySend = () => true }: CallOptions,
  ): Promise<IncomingMessage> {
    try {
      const payload = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
      const identity = await credentials.options;
      if (!maySend()) throw new NotSentError(`${method} ${path}: too late to be sent`);
      return await new Promise((resolve, reject) => {
        const outgoing = request({
          ...identity,
          method,
          // An IPv6 address is written in brackets only within a URL.
          host: this.#server.hostname.replace(/^\[(.*)\]$/, '$1'),
          port: this.#server.port || 443,
          path: this.#server.pathname.replace(/\/$/, '') + path,
          headers: {
            ...identity.headers,
            accept: 'application/json',
            ...(payload && { 'content-type': contentType, 'content-length': payload.length }),
          },
          timeout: idleMs,
          ...(signal && { signal }),
        });
        outgoing.on('timeout', () => outgoing.destroy(new Error(`no byte for ${idleMs} ms`)));
        outgoing.on('error', reject);
        outgoing.on('response', (response) => {
          // The reader of the reply learns why it broke off.
          outgoing.on('error', (error) => response.destroy(error));
          resolve(response);
        });
        outgoing.end(payload);
      });
    } catch (error) {
      if (error instanceof NotSentError) throw error;
      throw new KubeError(`${method} ${path}: ${(error as Error).message}`, undefined, undefined, { cause: error });
    }
  }

  /** Calls at once share one reading, which may be a program's run. */
  #authenticate(): Credentials {
    if (this.#credentials && this.#clock.monotonic() < this.#credentials.until) return this.#credentials;
    const credentials = { options: this.#readCredentials(), until: this.#clock.monotonic() + CREDENTIALS_MS };
    credentials.options.catch(() => this.#forget(credentials));
    this.#credentials = credentials;
    return credentials;
  }

  #forget(credentials: Credentials): void {
    if (this.#credentials === credentials) this.#credentials = undefined;
  }

  async #readCredentials(): Promise<RequestOptions> {
    const options: RequestOptions = {};
    await this.#config.applyToHTTPSOptions(options);
    // client-node's own agent opens a connection for each call; a proxy's agent has to stay.
    if (!this.#config.getCurrentCluster()?.proxyUrl) options.agent = this.#agent;
    return options;
  }
}

/** Kubernetes's Status in a reply or an event; empty if it is none. */
export function parseStatus(body: unknown): z.infer<typeof statusSchema> {
  try {
    return statusSchema.safeParse(typeof body === 'string' ? JSON.parse(body) : body).data ?? {};
  } catch {
    return {};
  }
}
