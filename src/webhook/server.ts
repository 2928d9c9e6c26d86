/** The webhook's HTTPS face. */

import type { FastifyInstance } from 'fastify';
import { type AdmissionRequest, admissionReviewSchema } from '../api/admission-review.ts';
import { ApiError } from '../api/errors.ts';
import { WEBHOOK_PATH } from '../api/keys.ts';
import { formatIssues } from '../api/kubernetes.ts';
import { createServer, type HttpOptions } from '../telemetry/server.ts';
import type { WebhookMetrics } from './metrics.ts';
import { admitUndecided, type ReviewContext, type Reviewed, review } from './review.ts';

/** The API server takes objects of up to 3 MiB; a review may hold the pod twice. */
const BODY_LIMIT = 7 * 1024 * 1024;

export interface WebhookServerOptions extends Omit<HttpOptions, 'bodyLimit'> {
  readonly metrics: WebhookMetrics;
  /** What decisions are made from, as of now. */
  readonly context: () => ReviewContext;
}

export function createWebhookServer(options: WebhookServerOptions): FastifyInstance {
  const { log, metrics, notReadyReason, context } = options;
  const server = createServer({ ...options, bodyLimit: BODY_LIMIT });

  /** A fault of ours must keep no pod from being made. */
  const safely = (request: AdmissionRequest): Reviewed => {
    try {
      return review(request, context());
    } catch (error) {
      log.error({ err: error, uid: request.uid }, 'unexpected error: pod admitted as it is');
      const why = 'an unexpected error: see the log of the webhook';
      return { reply: admitUndecided(request, why), strategy: 'error', pod: '', reasons: [why] };
    }
  };

  server.post(WEBHOOK_PATH, {
    onResponse: (_request, reply, done) => {
      metrics.requests.observe({ status: reply.statusCode }, reply.elapsedTime / 1000);
      done();
    },
    handler: ({ body }) => {
      const parsed = admissionReviewSchema.safeParse(body);
      if (!parsed.success) throw new ApiError('InvalidEnvelope', formatIssues(parsed.error));
      const { request } = parsed.data;
      const missing = notReadyReason();
      if (missing !== undefined) {
        metrics.decisions.inc({ strategy: 'error' });
        log.warn({ uid: request.uid, why: missing }, 'no optimization: pod admitted as it is');
        return admitUndecided(request, missing);
      }
      const { reply, strategy, pod, reasons, policy } = safely(request);
      metrics.decisions.inc({ strategy });
      log[strategy === 'error' ? 'warn' : 'info']({ pod, strategy, policy, reasons }, 'optimization decided');
      return reply;
    },
  });

  return server;
}
