/** An extender without network: state fed by hand, an API server that accepts everything. */

import type { FastifyInstance } from 'fastify';
import { LRUCache } from 'lru-cache';
import { pino } from 'pino';
import { ClusterState } from '../../src/cluster/cluster-state.ts';
import type { GpuRequest } from '../../src/core/request.ts';
import { strategyByName } from '../../src/core/strategies/registry.ts';
import { Binder } from '../../src/extender/bind.ts';
import { SecondLook } from '../../src/extender/second-look.ts';
import { createExtenderServer } from '../../src/extender/server.ts';
import { createRegistry, extenderMetrics } from '../../src/telemetry/metrics.ts';

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
}

export function makeExtender({ nodes = [], strategy: name = 'bestfit', waitsFor }: MakeOptions = {}): Made {
  const strategy = strategyByName(name);
  if (!strategy) throw new RangeError(name);
  const state = new ClusterState((message, details) => {
    throw new Error(`${message} ${JSON.stringify(details)}`);
  });
  state.nodes.replaced(nodes.map((node, age) => aged(node, age)));
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
  const binder = new Binder({ state, client, strategy: name, recall: (uid) => seen.get(uid), signal });
  const registry = createRegistry();
  const metrics = extenderMetrics(registry, { nodes: () => 0, reservations: () => state.ledger.reservations() });
  const log = pino({ level: 'silent' });
  const secondLook = new SecondLook({ state, client, log: () => {}, signal });
  const server = createExtenderServer({
    log,
    registry,
    waitsFor: () => waitsFor,
    state,
    strategy,
    binder,
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

/** A pod as the API server would show it. */
export function livePod(manifest: object, uid: string, more: { nodeName?: string } = {}): object {
  const { metadata, spec } = manifest as { metadata: object; spec: object };
  return { ...manifest, metadata: { namespace: 'default', ...metadata, uid }, spec: { ...spec, ...more } };
}
