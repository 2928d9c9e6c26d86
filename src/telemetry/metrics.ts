/** The metrics of each role. Names are a public contract (docs/reference/metrics.md). */

import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';

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

/** Of all nodes. */
export interface SharingFigures {
  /** Slots by MPS that pods hold. */
  readonly mpsClients: number;
  /** Slots by time-slicing. */
  readonly virtualGpus: number;
}

/** @param figures asked for at each scrape */
export function reconcilerMetrics(registry: Registry, figures: () => SharingFigures) {
  new Gauge({
    name: 'gpu_autoscaler_mps_active_clients',
    help: 'Slots of GPUs shared by MPS that pods hold.',
    registers: [registry],
    collect() {
      this.set(figures().mpsClients);
    },
  });
  new Gauge({
    name: 'gpu_autoscaler_timeslicing_virtual_gpus',
    help: 'Slots that nodes offer by time-slicing.',
    registers: [registry],
    collect() {
      this.set(figures().virtualGpus);
    },
  });
  return {
    inTransition: new Gauge({
      name: 'gpu_autoscaler_nodes_in_transition',
      help: 'Nodes whose partitions are being changed: nobody is placed there.',
      registers: [registry],
    }),
    transitions: new Counter({
      name: 'gpu_autoscaler_partition_transitions_total',
      help: 'Changes of the partitions of a node: finished, postponed (given back unchanged) or failed.',
      labelNames: ['result'] as const,
      registers: [registry],
    }),
    repairs: new Counter({
      name: 'gpu_autoscaler_partition_repairs_total',
      help: "Times that one of NVIDIA's components was told once more: MigFailed, MigStuck or PluginStuck.",
      labelNames: ['reason'] as const,
      registers: [registry],
    }),
    foreignEdits: new Counter({
      name: 'gpu_autoscaler_foreign_edits_total',
      help: 'Labels or texts of ours that somebody else has changed.',
      registers: [registry],
    }),
    statusWrites: new Counter({
      name: 'gpu_autoscaler_node_config_status_writes_total',
      help: 'Writes of the status of a GPUNodeConfig: only when it changes.',
      registers: [registry],
    }),
  };
}
export type ReconcilerMetrics = ReturnType<typeof reconcilerMetrics>;
