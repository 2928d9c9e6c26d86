/** The extender role: nodes and pods → verbs, behind one HTTP server. */

import { LRUCache } from 'lru-cache';
import type { Configuration } from '../api/configuration.ts';
import type { GpuRequest } from '../core/request.ts';
import { LiveStrategy } from '../core/scoring/live-strategy.ts';
import { strategyByName } from '../core/strategies/registry.ts';
import type { Strategy } from '../core/strategies/strategy.ts';
import { Binder } from '../extender/bind.ts';
import { ComparisonReporter } from '../extender/comparison-reporter.ts';
import { EquivalenceCache } from '../extender/equivalence-cache.ts';
import { extenderMetrics } from '../extender/metrics.ts';
import { Requeuer } from '../extender/requeuer.ts';
import { createExtenderServer } from '../extender/server.ts';
import { Lease } from '../kube/lease.ts';
import { CacheComparer } from '../state/cache-comparer.ts';
import type { ClusterState } from '../state/cluster-state.ts';
import type { Logger } from '../telemetry/logger.ts';
import { type Role, type RunningRole, startRole } from './roles.ts';
import type { Kind, Runtime, RuntimeOptions } from './runtime.ts';

export interface ExtenderRoleOptions {
  readonly host: string;
  /** 0 for any free port. */
  readonly port: number;
  /** Instead of the configuration's. */
  readonly strategy?: Strategy;
  /** Instead of the configuration's. */
  readonly narrowing?: boolean;
  /** ms between two comparisons of the ledger with the API server; 0 (the default) for none. */
  readonly compareMs?: number;
  /** Namespace of the Lease that only one extender holds; default kube-system, which every cluster has. */
  readonly leaseNamespace?: string;
  /** A name for this process alone. */
  readonly identity: string;
}

export interface RunningExtender extends RunningRole {
  readonly state: ClusterState;
}

/** Pods between filter and bind; each is a few hundred bytes. */
const PODS_REMEMBERED = 10_000;
const LEASE = 'gpu-autoscaler-extender';
/** A watch catches up within moments, unless it is dead. */
const CATCH_UP_MS = 3_000;
const KINDS: readonly Kind[] = ['nodes', 'pods', 'limitranges', 'resourcequotas', 'deviceclasses'];
/** DaemonSets tell what the device plugin is: until they are known, allocation records speak of nodes alone. */
const ALL_KINDS: readonly Kind[] = [...KINDS, 'daemonsets'];

export function extenderRole(options: ExtenderRoleOptions): Role<RunningExtender> {
  return { name: 'extender', kinds: ALL_KINDS, start: (runtime, log) => start(runtime, log, options) };
}

/** The extender alone. @throws ConfigurationError */
export function startExtender(options: ExtenderRoleOptions & RuntimeOptions): Promise<RunningExtender> {
  return startRole(options, extenderRole(options));
}

async function start(runtime: Runtime, log: Logger, options: ExtenderRoleOptions): Promise<RunningExtender> {
  const { client, state, refusingNodes: avoided, registry, reflectors, clock, signal } = runtime;
  const { host, port, compareMs = 0, identity, leaseNamespace: namespace = 'kube-system' } = options;
  const { ledger, delegated } = state;
  const live = new LiveStrategy(strategyOf(runtime.configuration, options.strategy), ledger);
  runtime.onConfigured((configuration) => live.use(strategyOf(configuration, options.strategy)));
  const sleep = (ms: number) => clock.sleep(ms, signal);
  const requestCache = new LRUCache<string, GpuRequest>({ max: PODS_REMEMBERED });
  const lease = new Lease({
    client,
    namespace,
    name: LEASE,
    identity,
    takeOver: () => reflectors.listAgain(['pods']),
    log: (message, details) => log.warn({ ...details, namespace, name: LEASE }, message),
    clock,
  });
  const recall = (uid: string) => requestCache.get(uid);
  const strategy = () => live.strategy.name;
  const binder = new Binder({ state, client, strategy, recall, lease, signal, sleep, clock });
  const equivalenceCache = new EquivalenceCache(ledger, live, { delegated, avoided });
  const metrics = extenderMetrics(registry, {
    nodes: () => ledger.size,
    reservations: () => ledger.reservations(),
    classes: () => equivalenceCache.looks,
    watches: () => reflectors.watches(KINDS),
    lag: () => binder.lag(),
    lease: () => lease.isHeld,
    refusing: () => avoided.size,
  });
  const comparer = new CacheComparer({
    client,
    state,
    resync: () => void reflectors.listAgain(KINDS),
    pause: () => sleep(CATCH_UP_MS),
    signal,
  });
  const comparisons = new ComparisonReporter({ comparer, log, metrics });
  const requeuer = new Requeuer({ ledger, equivalenceCache, delegated, client, log, metrics, clock });
  const notReadyReason = () => reflectors.notReadyReason(KINDS);
  const server = createExtenderServer({
    log,
    registry,
    notReadyReason,
    state,
    live,
    equivalenceCache,
    narrowing: () => options.narrowing ?? runtime.configuration.binPacking.narrowing,
    binder,
    lease,
    comparisons,
    metrics,
    requeuer,
    requestCache,
  });
  const ready = reflectors.synced(KINDS).then(() => {
    log.info({ strategy: live.strategy.name, nodes: ledger.size }, 'extender ready');
  });
  const url = await server.listen({ host, port });
  await lease.look();
  void lease.watchOver(sleep, signal);
  if (compareMs > 0) void ready.then(() => comparisons.every(compareMs, signal));

  return {
    url,
    ready,
    state,
    async close() {
      await server.close();
      await requeuer.stop();
      // Others may act at once then: not while anything of ours may still arrive.
      if (!binder.isBusy) await lease.release();
    },
  };
}

/** The strategy that is named, or the configuration's, whose schema knows them all. */
function strategyOf({ binPacking }: Configuration, named: Strategy | undefined): Strategy {
  const strategy = named ?? strategyByName(binPacking.strategy);
  if (!strategy) throw new RangeError(`no strategy is called ${binPacking.strategy}`);
  return strategy;
}
