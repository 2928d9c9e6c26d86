/** The controller role: keeps the status of policies true, and finds pods that slipped past the webhook. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { KubeConfig } from '@kubernetes/client-node';
import { CONTROLLER_NAME, CUSTOM_RESOURCES } from '../api/keys.ts';
import { audit } from '../audit/audit.ts';
import { AuditReporter } from '../audit/audit-reporter.ts';
import { policyStatus } from '../audit/policy-status.ts';
import { KubeClient, type KubeError } from '../kube/kube-client.ts';
import { Lease } from '../kube/lease.ts';
import { Loop } from '../kube/loop.ts';
import { isRefusal } from '../kube/refusal.ts';
import { Planner } from '../planner/planner.ts';
import { Reconciler } from '../reconciler/reconciler.ts';
import { reconcilerSettingsOf } from '../reconciler/settings.ts';
import { fanOut } from '../state/fan-out.ts';
import { GpuPodIndex } from '../state/gpu-pod-index.ts';
import { LiveAdmission } from '../state/live-admission.ts';
import { StoredPolicies } from '../state/policy-store.ts';
import { HistoryProvider } from '../telemetry/history/history-provider.ts';
import type { Logger } from '../telemetry/logger.ts';
import {
  controllerMetrics,
  createRegistry,
  historyMetrics,
  plannerMetrics,
  reconcilerMetrics,
} from '../telemetry/metrics.ts';
import { reloadReporter } from '../telemetry/reload-reporter.ts';
import { createServer } from '../telemetry/server.ts';

export interface ControllerOptions {
  readonly kubeConfig: KubeConfig;
  readonly host: string;
  /** 0 for any free port. */
  readonly port: number;
  /** Where we run ourselves: always exempt. */
  readonly namespace: string;
  readonly schedulerName: string;
  readonly configurationFile?: string;
  /** ms between two looks at it; default 5,000. */
  readonly configurationMs?: number;
  /** Of the Lease that only one controller of a cluster holds. */
  readonly leaseNamespace: string;
  /** Of this process alone. */
  readonly identity: string;
  /** For tests on nodes whose clock runs that much faster; default 1. */
  readonly speed?: number;
  readonly log: Logger;
  readonly random: () => number;
  readonly now: () => Date;
  /** ms from a change to what follows from it; default 1,000. */
  readonly settleMs?: number;
}

export interface RunningController {
  /** `http://127.0.0.1:8080` */
  readonly url: string;
  /** Resolves once everything has been listed. */
  readonly ready: Promise<void>;
  close(): Promise<void>;
}

const SETTLE_MS = 1_000;
const RETRY_MS = 5_000;

/** @throws ConfigurationError */
export async function startController(options: ControllerOptions): Promise<RunningController> {
  const { kubeConfig, host, port, namespace, schedulerName, configurationFile: file, log, random, now } = options;
  const client = new KubeClient(kubeConfig);
  const registry = createRegistry();
  const metrics = controllerMetrics(registry);
  const warn = (message: string, details: Record<string, unknown>) => log.warn(details, message);
  const stopping = new AbortController();
  const monotonic = () => performance.now();
  const histories = new HistoryProvider({ log, metrics: historyMetrics(registry), fetch, now: monotonic });
  const trigger = () => loop.trigger();
  const policies = new StoredPolicies(trigger);
  const pods = new GpuPodIndex(trigger);
  const reports = new AuditReporter({ client, log, metrics, now });
  const lease = new Lease({
    client,
    namespace: options.leaseNamespace,
    name: CONTROLLER_NAME,
    identity: options.identity,
    holder: 'controller',
    takeOver: () => admission.listAgain(),
    log: warn,
  });
  const reconciler: Reconciler = new Reconciler({
    client,
    lease,
    settings: () => reconcilerSettingsOf(admission.configuration, options.speed),
    log,
    metrics: reconcilerMetrics(registry, () => reconciler.figures()),
    now: monotonic,
    date: now,
  });
  const planner = new Planner({
    client,
    lease,
    reconciler,
    view: () => admission.view(),
    configuration: () => admission.configuration,
    complain: warn,
    log,
    metrics: plannerMetrics(registry),
    now: monotonic,
    date: now,
    speed: options.speed,
  });
  const admission = new LiveAdmission({
    client,
    namespace,
    schedulerName,
    configurationFile: file,
    configurationMs: options.configurationMs,
    configured: (configuration) => {
      histories.take(configuration);
      reconciler.configured();
    },
    tell: reloadReporter(registry, log, file),
    historyOf: (workload) => histories.current?.of(workload),
    changed: trigger,
    pods: fanOut(pods.feed, reconciler.pods.feed, planner.pods),
    policies: policies.feed,
    nodes: fanOut(reconciler.nodes.feed, planner.nodes),
    nodeConfigs: reconciler.configs.feed,
    warn,
    random,
  });

  const writeStatuses = async () => {
    const view = admission.view();
    let refusal: KubeError | undefined;
    for (const policy of policies.all()) {
      const status = policyStatus(policy, pods.governedBy(policy.name), view, now());
      if (!status) continue;
      const path = `${CUSTOM_RESOURCES.policies}/${encodeURIComponent(policy.name)}/status`;
      const call = { body: { status }, contentType: 'application/merge-patch+json' };
      try {
        await client.json('PATCH', path, call);
        metrics.statusWrites.inc();
      } catch (error) {
        if (!isRefusal(error)) throw error;
        // Gone in the meantime: nothing is left to be told. Any other refusal must not keep back what others are told.
        if (error.status !== 404) refusal = error;
      }
    }
    return refusal;
  };
  const loop = new Loop({
    work: async () => {
      // Half of the picture would say that pods and nodes are gone.
      if (admission.notReadyReason() !== undefined) return;
      const refusal = await writeStatuses();
      // Without its past, a pod might seem to share that would not.
      await histories.current?.firstTry;
      await reports.report(audit(pods, admission.view()));
      if (refusal) throw refusal;
    },
    failed: (error) => log.warn({ error: error.message }, 'could not write to the API server, trying again'),
    settleMs: options.settleMs ?? SETTLE_MS,
    retryMs: RETRY_MS,
  });

  const ready = admission.synced.then(() => {
    log.info('controller ready');
    loop.trigger();
    reconciler.begin();
    planner.begin();
  });

  const server = createServer({ log, registry, notReadyReason: () => admission.notReadyReason(), bodyLimit: 1_024 });
  const url = await server.listen({ host, port });
  await lease.look();
  void lease.watchOver((ms) => sleep(ms, undefined, { signal: stopping.signal, ref: false }), stopping.signal);
  admission.start();
  loop.start();

  return {
    url,
    ready,
    async close() {
      await server.close();
      await Promise.all([planner.stop(), reconciler.stop(), loop.stop()]);
      await lease.release();
      stopping.abort();
      await Promise.all([admission.stop(), histories.stop()]);
      client.close();
    },
  };
}
