/** An extender without network: state fed by hand, an API server that accepts everything. */

import type { FastifyInstance } from 'fastify';
import { LRUCache } from 'lru-cache';
import { pino } from 'pino';
import { ClusterState } from '../../src/cluster/cluster-state.ts';
import type { GpuRequest } from '../../src/core/request.ts';
import { LiveStrategy } from '../../src/core/strategies/live.ts';
import { strategyByName } from '../../src/core/strategies/registry.ts';
import { Binder } from '../../src/extender/bind.ts';
import { Classes } from '../../src/extender/classes.ts';
import { SecondLook } from '../../src/extender/second-look.ts';
import { createExtenderServer } from '../../src/extender/server.ts';
import { type ClusterFigures, createRegistry, extenderMetrics } from '../../src/telemetry/metrics.ts';
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
  readonly waitsFor?: string;
  /** Default false: filter names all nodes that fit. */
  readonly narrowing?: boolean;
}

export function makeExtender(options: MakeOptions = {}): Made {
  const { nodes = [], strategy: name = 'bestfit', waitsFor, narrowing = false } = options;
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
  const seen = new LRUCache<string, GpuRequest>({ max: 100 });
  const signal = new AbortController().signal;
  const lease = { hold: () => undefined, isHeld: true, term: 0 };
  const binder = new Binder({ state, client, strategy: () => name, recall: (uid) => seen.get(uid), lease, signal });
  const registry = createRegistry();
  const live = new LiveStrategy(strategy, state.ledger);
  const classes = new Classes(state.ledger, live);
  const metrics = extenderMetrics(registry, {
    nodes: () => state.ledger.size,
    reservations: () => state.ledger.reservations(),
    classes: () => classes.looks,
    watches: () => [],
    lag: () => binder.lag(),
    lease: () => true,
  });
  const log = pino({ level: 'silent' });
  const secondLook = new SecondLook({ ledger: state.ledger, classes, client, log, metrics, signal });
  const server = createExtenderServer({
    log,
    registry,
    waitsFor: () => waitsFor,
    state,
    live,
    classes,
    narrowing: () => narrowing,
    binder,
    lease,
    comparisons: { now: async () => [] },
    metrics,
    secondLook,
    seen,
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
};

/** A pod as the API server would show it. */
export function livePod(manifest: object, uid: string, more: { nodeName?: string } = {}): object {
  const { metadata, spec } = manifest as { metadata: object; spec: object };
  return { ...manifest, metadata: { namespace: 'default', ...metadata, uid }, spec: { ...spec, ...more } };
}
