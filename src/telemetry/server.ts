/** The HTTP server that every role starts from: health, readiness, metrics, and errors from the one table. */

import { STATUS_CODES } from 'node:http';
import type { ServerOptions } from 'node:https';
import type { Socket } from 'node:net';
import {
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type FastifyServerOptions,
  fastify,
  LogController,
} from 'fastify';
import type { Registry } from 'prom-client';
import { ApiError, toApiError } from '../api/errors.ts';
import type { Logger } from './logger.ts';

export interface HttpOptions {
  readonly log: Logger;
  readonly registry: Registry;
  /** What the role still waits for; undefined once it can answer. */
  readonly notReadyReason: () => string | undefined;
  /** Largest body read, in bytes. */
  readonly bodyLimit: number;
  /** Certificate and key; without it, plain HTTP. */
  readonly tls?: Pick<ServerOptions, 'cert' | 'key'>;
}

/**
 * kube-scheduler (Go) keeps an idle connection for 90 s and does not send a POST twice: if we closed
 * first, a request on that connection would be lost.
 */
const KEEP_ALIVE_MS = 120_000;

/** A whole request must have come by then: kube-scheduler and the API server give up long before. */
const REQUEST_MS = 30_000;

/** Node.js looks for late requests only every 30 s, and grants headers a time of their own, unless configured. */
const DEADLINES = { headersTimeout: REQUEST_MS, connectionsCheckingInterval: 5_000 };

/** At the end, requests under way get so long; then open connections are closed. */
const GRACE_MS = 5_000;

export function createServer(options: HttpOptions): FastifyInstance {
  const { log, registry, notReadyReason, bodyLimit, tls } = options;
  const server: FastifyInstance = fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit,
    keepAliveTimeout: KEEP_ALIVE_MS,
    requestTimeout: REQUEST_MS,
    http: DEADLINES,
    frameworkErrors: (thrown: FastifyError, _request: FastifyRequest, reply: FastifyReply) => {
      const error = new ApiError('MalformedRequest', thrown.message, { cause: thrown });
      void reply.code(error.status).send(error.body());
    },
    clientErrorHandler,
    forceCloseConnections: 'idle',
    // An annotation may bear any name; we copy none of them into objects of ours.
    onProtoPoisoning: 'remove',
    onConstructorPoisoning: 'ignore',
    ...(tls && { https: { ...DEADLINES, ...tls } }),
  } as FastifyServerOptions);

  // A connection that never sends a whole request must not keep us from ending.
  let deadline: NodeJS.Timeout | undefined;
  server.addHook('preClose', (done) => {
    deadline = setTimeout(() => server.server.closeAllConnections(), GRACE_MS);
    done();
  });
  server.addHook('onClose', (_server, done) => {
    clearTimeout(deadline);
    done();
  });

  // Only JSON is read; what calls itself text is not tried.
  server.removeContentTypeParser('text/plain');

  server.get('/healthz', () => 'ok');
  server.get('/readyz', (_request, reply) => {
    const missing = notReadyReason();
    if (missing === undefined) return 'ok';
    return reply.code(503).send(new ApiError('NotReady', missing).body());
  });
  server.get('/metrics', async (_request, reply) => reply.type(registry.contentType).send(await registry.metrics()));

  server.setNotFoundHandler((request, reply) => {
    const error = new ApiError('UnknownPath', `${request.method} ${request.url.slice(0, 200)}`);
    return reply.code(error.status).send(error.body());
  });
  server.setErrorHandler((thrown: FastifyError, request, reply) => {
    const error = toApiError(thrown);
    if (error.code === 'Internal') log.error({ err: thrown, url: request.url }, 'unexpected error');
    return reply.code(error.status).send(error.body());
  });
  return server;
}

/** What Node.js's parser refuses before there is a request: the same body as for all other errors. */
function clientErrorHandler(fault: NodeJS.ErrnoException, socket: Socket): void {
  if (fault.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const error = new ApiError(fault.code === 'HPE_HEADER_OVERFLOW' ? 'HeadersTooLarge' : 'MalformedRequest');
  const body = JSON.stringify(error.body());
  const head = `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status]}`;
  const headers = `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close`;
  socket.end(`${head}\r\n${headers}\r\n\r\n${body}`);
}
