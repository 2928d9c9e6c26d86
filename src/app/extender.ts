/** The extender role: reflectors → state → verbs, behind one HTTP server. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { KubeConfig } from '@kubernetes/client-node';
import { LRUCache } from 'lru-cache';
import type { Configuration } from '../api/configuration.ts';
import type { GpuRequest } from '../core/request.ts';
import { LiveStrategy } from '../core/scoring/live-strategy.ts';
import { strategyByName } from '../core/strategies/registry.ts';
import type { Strategy } from '../core/strategies/strategy.ts';
import { Binder } from '../extender/bind.ts';
import { ComparisonReporter } from '../extender/comparison-reporter.ts';
import { EquivalenceCache } from '../extender/equivalence-cache.ts';
import { Requeuer } from '../extender/requeuer.ts';
import { createExtenderServer } from '../extender/server.ts';
import { KubeClient } from '../kube/kube-client.ts';
import { Lease } from '../kube/lease.ts';
import { Reflector } from '../kube/reflector.ts';
import { Reflectors } from '../kube/reflectors.ts';
import { CacheComparer } from '../state/cache-comparer.ts';
import { ClusterState } from '../state/cluster-state.ts';
import type { Logger } from '../telemetry/logger.ts';
import { createRegistry, extenderMetrics } from '../telemetry/metrics.ts';
import { reloadReporter } from '../telemetry/reload-reporter.ts';
import { ConfigurationWatch } from './configuration-watch.ts';

export interface ExtenderOptions {
  readonly kubeConfig: KubeConfig;
  readonly host: string;
  /** 0 for any free port. */
  readonly port: number;
  /** Instead of the configuration's. */
  readonly strategy?: Strategy;
  /** Instead of the configuration's. */
  readonly narrowing?: boolean;
  /** Of the configuration; the defaults hold without one. */
  readonly configurationFile?: string;
  /** ms between two looks at it; default 5,000. */
  readonly configurationMs?: number;
  /** ms between two comparisons of the ledger with the API server; 0 (the default) for none. */
  readonly compareMs?: number;
  /** Of the Lease that only one extender holds; default kube-system, which every cluster has. */
  readonly leaseNamespace?: string;
  /** Of this process alone. */
  readonly identity: string;
  readonly log: Logger;
  readonly random: () => number;
}

export interface RunningExtender {
  /** `http://127.0.0.1:8888` */
  readonly url: string;
  /** Resolves once nodes and pods have been listed. */
  readonly ready: Promise<void>;
  readonly state: ClusterState;
  close(): Promise<void>;
}

/** Pods between filter and bind; each is a few hundred bytes. */
const PODS_REMEMBERED = 10_000;
const LEASE = 'gpu-autoscaler-extender';
/** A watch catches up within moments, unless it is dead. */
const CATCH_UP_MS = 3_000;

/** @throws ConfigurationError */
export async function startExtender(options: ExtenderOptions): Promise<RunningExtender> {
  const { kubeConfig, host, port, compareMs = 0, log, random, identity, configurationFile: file } = options;
  const { leaseNamespace: namespace = 'kube-system' } = options;
  const registry = createRegistry();
  const configuration = new ConfigurationWatch({
    file,
    ...(options.configurationMs !== undefined && { everyMs: options.configurationMs }),
    changed: (changed) => {
      live.use(strategyOf(changed, options.strategy));
      const { oversubscribe } = changed.sharing.timeSlicing;
      if (oversubscribe !== state.oversubscribe) {
        state.oversubscribe = oversubscribe;
        void reflectors.nodes.listAgain();
      }
    },
    tell: reloadReporter(registry, log, file),
  });
  const client = new KubeClient(kubeConfig);
  const state = new ClusterState((message, details) => log.warn(details, message));
  state.oversubscribe = configuration.current.sharing.timeSlicing.oversubscribe;
  const { ledger } = state;
  const live = new LiveStrategy(strategyOf(configuration.current, options.strategy), ledger);
  const reflect = (path: string, feed: ClusterState['nodes']) =>
    new Reflector({ client, path, ...feed, random, log: (message, details) => log.warn(details, message) });
  const reflectors = { nodes: reflect('/api/v1/nodes', state.nodes), pods: reflect('/api/v1/pods', state.pods) };

  const all = new Reflectors(reflectors);
  const ready = all.synced.then(() => {
    log.info({ strategy: live.strategy.name, nodes: ledger.size }, 'extender ready');
  });

  const stopping = new AbortController();
  const { signal } = stopping;
  const requestCache = new LRUCache<string, GpuRequest>({ max: PODS_REMEMBERED });
  const lease = new Lease({
    client,
    namespace,
    name: LEASE,
    identity,
    takeOver: () => reflectors.pods.listAgain(),
    log: (message, details) => log.warn({ ...details, namespace, name: LEASE }, message),
  });
  const recall = (uid: string) => requestCache.get(uid);
  const strategy = () => live.strategy.name;
  const binder = new Binder({ state, client, strategy, recall, lease, signal });
  const equivalenceCache = new EquivalenceCache(ledger, live);
  const metrics = extenderMetrics(registry, {
    nodes: () => ledger.size,
    reservations: () => ledger.reservations(),
    classes: () => equivalenceCache.looks,
    watches: () => Object.entries(reflectors).map(([kind, { silence, faults }]) => ({ kind, silence, faults })),
    lag: () => binder.lag(),
    lease: () => lease.isHeld,
  });
  const comparer = new CacheComparer({
    client,
    ledger,
    relist: () => {
      for (const reflector of Object.values(reflectors)) void reflector.listAgain();
    },
    pause: () => sleep(CATCH_UP_MS, undefined, { signal, ref: false }),
    signal,
  });
  const comparisons = new ComparisonReporter({ comparer, log, metrics });
  const server = createExtenderServer({
    log,
    registry,
    notReadyReason: () => all.notReadyReason(),
    state,
    live,
    equivalenceCache,
    narrowing: () => options.narrowing ?? configuration.current.binPacking.narrowing,
    binder,
    lease,
    comparisons,
    metrics,
    requeuer: new Requeuer({ ledger, equivalenceCache, client, log, metrics, signal }),
    requestCache,
  });
  const url = await server.listen({ host, port });
  await lease.look();
  void lease.watchOver((ms) => sleep(ms, undefined, { signal, ref: false }), signal);
  all.start();
  configuration.start();
  if (compareMs > 0) void ready.then(() => comparisons.every(compareMs, signal));

  return {
    url,
    ready,
    state,
    async close() {
      // Answer what has been asked, then let go of the API server.
      await server.close();
      // Others may act at once then: not while anything of ours may still arrive.
      if (!binder.isBusy) await lease.release();
      stopping.abort();
      await Promise.all([configuration.stop(), all.stop()]);
      client.close();
    },
  };
}

/** The one that is told, or the configuration's, whose schema knows them all. */
function strategyOf({ binPacking }: Configuration, told: Strategy | undefined): Strategy {
  const strategy = told ?? strategyByName(binPacking.strategy);
  if (!strategy) throw new RangeError(`no strategy is called ${binPacking.strategy}`);
  return strategy;
}
