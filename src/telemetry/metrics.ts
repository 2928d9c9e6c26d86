/** The metrics of each role. Names are a public contract (docs/reference/metrics.md). */

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** Seconds. A filter of 5,000 nodes takes a few ms; kube-scheduler gives up after 5 s. */
const LATENCY_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** A registry with Node.js's own figures in it. */
export function createRegistry(): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  return registry;
}

export interface ClusterFigures {
  readonly nodes: () => number;
  readonly reservations: () => number;
  /** Looks for a class of pods among those remembered. */
  readonly classes: () => { readonly hits: number; readonly misses: number };
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
  return {
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
