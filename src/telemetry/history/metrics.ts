/** Metrics of the history of workloads. Names are a public contract (docs/reference/metrics.md). */

import { Counter, Gauge, type Registry } from 'prom-client';

export function historyMetrics(registry: Registry) {
  return {
    refreshes: new Counter({
      name: 'gpu_autoscaler_history_refreshes_total',
      help: 'Times that Prometheus was asked how workloads used their GPUs: answered or failed.',
      labelNames: ['result'] as const,
      registers: [registry],
    }),
    workloads: new Gauge({
      name: 'gpu_autoscaler_history_workloads',
      help: 'Names of workloads that something is known of.',
      registers: [registry],
    }),
  };
}
export type HistoryMetrics = ReturnType<typeof historyMetrics>;
