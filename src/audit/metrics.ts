/** Metrics of policies and of missed pods. Names are a public contract (docs/reference/metrics.md). */

import { Counter, Gauge, type Registry } from 'prom-client';

export function auditMetrics(registry: Registry) {
  return {
    missed: new Gauge({
      name: 'gpu_autoscaler_missed_pods',
      help: 'Pods that slipped past the webhook and hold, or wait for, a whole GPU that they could share, by how they would.',
      labelNames: ['strategy'] as const,
      registers: [registry],
    }),
    unsizedNodes: new Gauge({
      name: 'gpu_autoscaler_unsized_nodes',
      help: 'Nodes that offer GPU slots of a size that neither labels nor names tell.',
      registers: [registry],
    }),
    statusWrites: new Counter({
      name: 'gpu_autoscaler_policy_status_writes_total',
      help: 'Writes of the status of a GPUSharingPolicy: only when it changes.',
      registers: [registry],
    }),
  };
}
export type AuditMetrics = ReturnType<typeof auditMetrics>;
