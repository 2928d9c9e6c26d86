/** Metrics of the planner. Names are a public contract (docs/reference/metrics.md). */

import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

export function plannerMetrics(registry: Registry) {
  return {
    pods: new Gauge({
      name: 'gpu_autoscaler_planner_pods',
      help: 'Pods that could not be placed when it was planned last, by answer: free (slots are free or come), change, refused.',
      labelNames: ['answer'] as const,
      registers: [registry],
    }),
    changes: new Counter({
      name: 'gpu_autoscaler_planner_changes_total',
      help: 'Changes of partitions that were planned: carried-out, or outdated (another client was quicker).',
      labelNames: ['result'] as const,
      registers: [registry],
    }),
    duration: new Histogram({
      name: 'gpu_autoscaler_planner_duration_seconds',
      help: 'Time to make one plan.',
      buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 2],
      registers: [registry],
    }),
  };
}
export type PlannerMetrics = ReturnType<typeof plannerMetrics>;
