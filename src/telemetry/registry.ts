/** The registry that a process puts its metrics into, and what metrics of all roles have in common. */

import { collectDefaultMetrics, Registry } from 'prom-client';

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
