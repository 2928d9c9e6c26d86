/** Metrics of admission. Names are a public contract (docs/reference/metrics.md). */

import { Counter, Histogram, type Registry } from 'prom-client';
import { LATENCY_BUCKETS } from '../telemetry/registry.ts';

export function webhookMetrics(registry: Registry) {
  return {
    requests: new Histogram({
      name: 'gpu_autoscaler_webhook_request_duration_seconds',
      help: 'Time to answer the API server, by HTTP status.',
      labelNames: ['status'] as const,
      buckets: LATENCY_BUCKETS,
      registers: [registry],
    }),
    decisions: new Counter({
      name: 'gpu_autoscaler_webhook_decisions_total',
      help: 'Admission decisions, by strategy: mig, mps, timeslicing, exclusive, none (left alone) or error.',
      labelNames: ['strategy'] as const,
      registers: [registry],
    }),
  };
}
export type WebhookMetrics = ReturnType<typeof webhookMetrics>;
