/** An extender without network: state fed by hand, an API server that accepts everything. */

import type { FastifyInstance } from 'fastify';
import { LRUCache } from 'lru-cache';
import { pino } from 'pino';
import type { GpuRequest } from '#src/core/request.ts';
import { LiveStrategy } from '#src/core/scoring/live-strategy.ts';
import { strategyByName } from '#src/core/strategies/registry.ts';
import { Binder } from '#src/extender/bind.ts';
import { EquivalenceCache } from '#src/extender/equivalence-cache.ts';
import { type ClusterFigures, extenderMetrics } from '#src/extender/metrics.ts';
import { Requeuer } from '#src/extender/requeuer.ts';
import { createExtenderServer } from '#src/extender/server.ts';
import { systemClock } from '#src/kube/clock.ts';
import { ClusterState } from '#src/state/cluster-state.ts';
import { createRegistry } from '#src/telemetry/registry.ts';
import { takeList } from './listing.ts';

export interface Made {
  readonly server: FastifyInstance;
  readonly state: ClusterState;
  /** Paths that were POSTed to, in order. */
  readonly writes: string[];
}

export interface MakeOptions {
  /** Node manifests, oldest first. */
  readonly nodes?: readonly object[];
  readonly strategy?: string;
  readonly notReadyReason?: string;
  /** Default false: filter names all nodes that fit. */
  readonly narrowing?: boolean;
}

export function makeExtender(options: MakeOptions = {}): Made {
  const { nodes = [], strategy: name = 'bestfit', notReadyReason, narrowing = false } = options;
  const strategy = strategyByName(name);
  if (!strategy) throw new RangeError(name);
  const state = new ClusterState((message, details) => {
    throw new Error(`${message} ${JSON.stringify(details)}`);
  });
  takeList(
    state.nodes,
    nodes.map((node, age) => aged(node, age)),
  );
  const writes: string[] = [];
  const client = {
    async json(method: string, path: string) {
      if (method !== 'POST') throw new Error(`unexpected ${method} ${path}`);
      writes.push(path);
      return {};
    },
  };
  const requestCache = new LRUCache<string, GpuRequest>({ max: 100 });
  const signal = new AbortController().signal;
  const lease = { hold: () => undefined, isHeld: true, term: 0 };
  const binder = new Binder({
    state,
    client,
    strategy: () => name,
    recall: (uid) => requestCache.get(uid),
    lease,
    signal,
  });
  const registry = createRegistry();
  const live = new LiveStrategy(strategy, state.ledger);
  const equivalenceCache = new EquivalenceCache(state.ledger, live);
  const metrics = extenderMetrics(registry, {
    nodes: () => state.ledger.size,
    reservations: () => state.ledger.reservations(),
    classes: () => equivalenceCache.looks,
    watches: () => [],
    lag: () => binder.lag(),
    lease: () => true,
    refusing: () => 0,
  });
  const log = pino({ level: 'silent' });
  const requeuer = new Requeuer({ ledger: state.ledger, equivalenceCache, client, log, metrics, clock: systemClock });
  const server = createExtenderServer({
    log,
    registry,
    notReadyReason: () => notReadyReason,
    state,
    live,
    equivalenceCache,
    narrowing: () => narrowing,
    binder,
    lease,
    comparisons: { now: async () => [] },
    metrics,
    requeuer,
    requestCache,
  });
  return { server, state, writes };
}

function aged(node: object, age: number): object {
  const { metadata } = node as { metadata: object };
  return {
    ...node,
    metadata: { ...metadata, creationTimestamp: new Date(Date.UTC(2026, 0, 1, 0, age)).toISOString() },
  };
}

/** For metrics that nobody looks at. */
export const NO_FIGURES: ClusterFigures = {
  nodes: () => 0,
  reservations: () => 0,
  classes: () => ({ hits: 0, misses: 0 }),
  watches: () => [],
  lag: () => 0,
  lease: () => false,
  refusing: () => 0,
};
