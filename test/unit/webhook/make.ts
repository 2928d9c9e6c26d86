/** A webhook without network: what nodes offer is given, the clock stands still. */

import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { admissionConfigurationOf } from '#src/api/admission-settings.ts';
import { configurationSchema } from '#src/api/configuration.ts';
import { AdmissionState } from '#src/state/admission-state.ts';
import { ClusterState } from '#src/state/cluster-state.ts';
import { createRegistry } from '#src/telemetry/registry.ts';
import { webhookMetrics } from '#src/webhook/metrics.ts';
import type { ReviewContext } from '#src/webhook/review.ts';
import { createWebhookServer } from '#src/webhook/server.ts';
import { exclusiveNode, migNode, mpsNode, timeSlicingNode } from '../../cluster/gpu-nodes.ts';
import { takeList } from '../../fakes/listing.ts';

export const NOW = new Date('2026-01-02T03:04:05.678Z');

const NODES = [
  exclusiveNode({ name: 'whole', gpus: 2 }),
  mpsNode({ name: 'mps', gpus: 1, replicas: 8 }),
  timeSlicingNode({ name: 'sliced', gpus: 1, replicas: 4 }),
  migNode({
    name: 'mig',
    gpus: 1,
    layout: { '1g.5gb': 2, '2g.10gb': 1 },
    profileMiB: { '1g.5gb': 4864, '2g.10gb': 9856 },
  }),
];

const CLUSTER = new ClusterState((why) => {
  throw new Error(why);
});
const STATE = new AdmissionState(
  CLUSTER,
  admissionConfigurationOf(configurationSchema.parse({}), 'gpu-autoscaler-system'),
);
takeList(CLUSTER.nodes, NODES);

/** All four ways of sharing are on offer. */
export function context(): ReviewContext {
  return { view: STATE.view(), now: NOW };
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
