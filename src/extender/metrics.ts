/** Metrics of the extender. Names are a public contract (docs/reference/metrics.md). */

import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { LATENCY_BUCKETS } from '../telemetry/registry.ts';

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
  /** Nodes whose kubelet refused pods a short while ago. */
  readonly refusing: () => number;
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
    name: 'gpu_autoscaler_refusing_nodes',
    help: 'Nodes whose kubelet refused pods after they were bound: they are taken last, until a pod starts there or minutes have passed.',
    registers: [registry],
    collect() {
      this.set(figures.refusing());
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
      help: 'Pods refused before the watch reported room, or lost in a preemption: kube-scheduler was notified, or that failed.',
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
