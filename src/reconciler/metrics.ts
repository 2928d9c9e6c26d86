/** Metrics of the reconciler. Names are a public contract (docs/reference/metrics.md). */

import { Counter, Gauge, type Registry } from 'prom-client';

/** What all nodes share, together. */
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
      help: 'Nodes whose partitions are being changed: no pod is placed there.',
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
      help: "Times that one of NVIDIA's components was configured again: MigFailed, MigStuck or PluginStuck.",
      labelNames: ['reason'] as const,
      registers: [registry],
    }),
    foreignEdits: new Counter({
      name: 'gpu_autoscaler_foreign_edits_total',
      help: 'Labels or texts of ours that another client has changed.',
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
