/** The metrics of each role. Names are a public contract (docs/reference/metrics.md). */

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** Seconds. A filter of 5,000 nodes takes a few ms; kube-scheduler gives up after 5 s. */
export const LATENCY_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** A registry with Node.js's own figures in it. */
export function createRegistry(): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  // Gauges whose names say counter: promtool objects, and nodejs_active_resources has the same figures by type.
  for (const kind of ['handles', 'requests', 'resources']) registry.removeSingleMetric(`nodejs_active_${kind}_total`);
  return registry;
}

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
      help: 'Changes of partitions that were planned: carried-out, or outdated (somebody else was quicker).',
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
