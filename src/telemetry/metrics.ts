/** The metrics of each role. Names are a public contract (docs/reference/metrics.md). */

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** Seconds. A filter of 5,000 nodes takes a few ms; kube-scheduler gives up after 5 s. */
const LATENCY_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** A registry with Node.js's own figures in it. */
export function createRegistry(): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  // Gauges whose names say counter: promtool objects, and nodejs_active_resources has the same figures by type.
  for (const kind of ['handles', 'requests', 'resources']) registry.removeSingleMetric(`nodejs_active_${kind}_total`);
  return registry;
}

export interface ClusterFigures {
  readonly nodes: () => number;
  readonly reservations: () => number;
  /** Looks for a class of pods among those remembered. */
  readonly classes: () => { readonly hits: number; readonly misses: number };
  /** Of each kind of object watched: ms since its watch said anything, and faults met so far. */
  readonly watches: () => Iterable<{ readonly kind: string; readonly silence: number; readonly faults: number }>;
  /** ms for which the oldest Binding that was answered has not been seen in the watch; 0 if all have. */
  readonly lag: () => number;
  /** Whether this extender holds the Lease. */
  readonly lease: () => boolean;
}

export function extenderMetrics(registry: Registry, figures: ClusterFigures) {
  new Gauge({
    name: 'gpu_autoscaler_nodes',
    help: 'Nodes that offer GPUs.',
    registers: [registry],
    collect() {
      this.set(figures.nodes());
    },
  });
  new Gauge({
    name: 'gpu_autoscaler_reservations',
    help: 'Allocations whose Binding is under way or not yet seen in the watch.',
    registers: [registry],
    collect() {
      this.set(figures.reservations());
    },
  });
  new Counter({
    name: 'gpu_autoscaler_extender_class_cache_total',
    help: 'Pods whose class (what they ask for) was remembered from an earlier pod, or was not.',
    labelNames: ['result'] as const,
    registers: [registry],
    collect() {
      const { hits, misses } = figures.classes();
      this.reset();
      this.inc({ result: 'hit' }, hits);
      this.inc({ result: 'miss' }, misses);
    },
  });
  new Gauge({
    name: 'gpu_autoscaler_extender_lease_held',
    help: '1 while this extender holds the Lease that only one may hold; idle ones let it lapse.',
    registers: [registry],
    collect() {
      this.set(figures.lease() ? 1 : 0);
    },
  });
  new Gauge({
    name: 'gpu_autoscaler_watch_silence_seconds',
    help: 'Time since the watch said anything; a bookmark comes about once a minute.',
    labelNames: ['kind'] as const,
    registers: [registry],
    collect() {
      for (const { kind, silence } of figures.watches()) this.set({ kind }, silence / 1000);
    },
  });
  new Gauge({
    name: 'gpu_autoscaler_watch_lag_seconds',
    help: 'Time for which the oldest Binding that the API server answered has not been seen in the watch.',
    registers: [registry],
    collect() {
      this.set(figures.lag() / 1000);
    },
  });
  new Counter({
    name: 'gpu_autoscaler_watch_faults_total',
    help: 'Lists and watches that broke off and were begun again.',
    labelNames: ['kind'] as const,
    registers: [registry],
    collect() {
      this.reset();
      for (const { kind, faults } of figures.watches()) this.inc({ kind }, faults);
    },
  });
  return {
    comparisons: new Counter({
      name: 'gpu_autoscaler_ledger_comparisons_total',
      help: 'Comparisons of the ledger with the API server: equal, different, or failed (it could not be asked).',
      labelNames: ['result'] as const,
      registers: [registry],
    }),
    differences: new Counter({
      name: 'gpu_autoscaler_ledger_differences_total',
      help: 'Differences that lasted, and were healed: missing, leftover, different or slots.',
      labelNames: ['kind'] as const,
      registers: [registry],
    }),
    secondLooks: new Counter({
      name: 'gpu_autoscaler_extender_second_looks_total',
      help: 'Pods refused before the watch told of room: kube-scheduler was told to try again, or that failed.',
      labelNames: ['result'] as const,
      registers: [registry],
    }),
    decisions: new Counter({
      name: 'gpu_autoscaler_extender_decisions_total',
      help: 'Answers of filter: narrowed (to the best node), listed (all that fit) or none (no node fits).',
      labelNames: ['strategy', 'result'] as const,
      registers: [registry],
    }),
    requests: new Histogram({
      name: 'gpu_autoscaler_extender_request_duration_seconds',
      help: 'Time to answer kube-scheduler, by verb and HTTP status.',
      labelNames: ['verb', 'status'] as const,
      buckets: LATENCY_BUCKETS,
      registers: [registry],
    }),
    refusals: new Counter({
      name: 'gpu_autoscaler_extender_refused_nodes_total',
      help: 'Nodes that filter refused, by reason code.',
      labelNames: ['reason'] as const,
      registers: [registry],
    }),
    binds: new Counter({
      name: 'gpu_autoscaler_extender_binds_total',
      help: 'Bind requests, by result: bound, refused (the node no longer fits) or failed (the API server said no).',
      labelNames: ['result'] as const,
      registers: [registry],
    }),
  };
}
export type ExtenderMetrics = ReturnType<typeof extenderMetrics>;

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

export function controllerMetrics(registry: Registry) {
  return {
    missed: new Gauge({
      name: 'gpu_autoscaler_missed_pods',
      help: 'Pods that slipped past the webhook and hold, or wait for, a whole GPU that they could share, by how they would.',
      labelNames: ['strategy'] as const,
      registers: [registry],
    }),
    statusWrites: new Counter({
      name: 'gpu_autoscaler_policy_status_writes_total',
      help: 'Writes of the status of a GPUSharingPolicy: only when it changes.',
      registers: [registry],
    }),
  };
}
export type ControllerMetrics = ReturnType<typeof controllerMetrics>;

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

/** Of whoever keeps the certificate that the webhook serves. */
export function certificateMetrics(registry: Registry) {
  return {
    notAfter: new Gauge({
      name: 'gpu_autoscaler_webhook_certificate_not_after_timestamp_seconds',
      help: 'When the serving certificate expires, in Unix time; 0 while there is none.',
      registers: [registry],
    }),
    rotations: new Counter({
      name: 'gpu_autoscaler_webhook_certificate_rotations_total',
      help: 'Changes of certificates: stored (by us), lost (another replica was quicker), taken (served), or failed.',
      labelNames: ['result'] as const,
      registers: [registry],
    }),
  };
}
export type CertificateMetrics = ReturnType<typeof certificateMetrics>;

/** Only where we tell the API server whom to trust. */
export function registrationMetrics(registry: Registry) {
  return {
    registered: new Gauge({
      name: 'gpu_autoscaler_webhook_registered',
      help: '1 while the MutatingWebhookConfiguration is there and trusts the certificate that is served.',
      registers: [registry],
    }),
  };
}
