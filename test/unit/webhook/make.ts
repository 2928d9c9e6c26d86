/** A webhook without network: what nodes offer is given, the clock stands still. */

import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { createRegistry } from '#src/telemetry/registry.ts';
import { webhookMetrics } from '#src/webhook/metrics.ts';
import type { ReviewContext } from '#src/webhook/review.ts';
import { createWebhookServer } from '#src/webhook/server.ts';
import { stateOf } from '../state/evaluating.ts';

export const NOW = new Date('2026-01-02T03:04:05.678Z');

const { admission } = stateOf();

/** All four ways of sharing are on offer. */
export function context(): ReviewContext {
  return { view: admission.view(), now: NOW };
}

export function makeWebhook(notReadyReason?: string, made: () => ReviewContext = context): FastifyInstance {
  const registry = createRegistry();
  return createWebhookServer({
    log: pino({ level: 'silent' }),
    registry,
    metrics: webhookMetrics(registry),
    notReadyReason: () => notReadyReason,
    context: made,
  });
}

/** An AdmissionReview of the creation of a pod, as the API server sends it. */
export function reviewOf(pod: unknown, more: object = {}): object {
  return {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid: '705ab4f5-6393-11e8-b7cc-42010a800002',
      kind: { group: '', version: 'v1', kind: 'Pod' },
      resource: { group: '', version: 'v1', resource: 'pods' },
      namespace: 'team-a',
      operation: 'CREATE',
      userInfo: { username: 'admin', groups: ['system:masters'] },
      object: pod,
      oldObject: null,
      dryRun: false,
      options: { apiVersion: 'meta.k8s.io/v1', kind: 'CreateOptions' },
      ...more,
    },
  };
}
