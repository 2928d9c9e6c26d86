/** What the controller does, loop by loop, on one state: wired here for the role, and for the bench that measures it. */

import type { Registry } from 'prom-client';
import type { Configuration } from '../api/configuration.ts';
import { AuditReporter } from '../audit/audit-reporter.ts';
import { Auditor } from '../audit/auditor.ts';
import { auditMetrics } from '../audit/metrics.ts';
import { PolicyStatusWriter } from '../audit/policy-status-writer.ts';
import { reportRefusingNodes } from '../audit/refusing-node-reporter.ts';
import { UnsizedNodeReporter } from '../audit/unsized-node-reporter.ts';
import type { Clock } from '../kube/clock.ts';
import type { EventRecorder } from '../kube/event-recorder.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import type { Lease } from '../kube/lease.ts';
import { plannerMetrics } from '../planner/metrics.ts';
import { Planner } from '../planner/planner.ts';
import { reconcilerMetrics } from '../reconciler/metrics.ts';
import { Reconciler } from '../reconciler/reconciler.ts';
import { reconcilerSettingsOf } from '../reconciler/settings.ts';
import type { ClusterState } from '../state/cluster-state.ts';
import type { AdmissionView } from '../state/evaluate-admission.ts';
import type { RefusingNodes } from '../state/refusing-nodes.ts';
import type { Logger } from '../telemetry/logger.ts';

export interface ControllerLoopsOptions {
  readonly client: Pick<KubeClient, 'json'>;
  readonly events: Pick<EventRecorder, 'record' | 'recordOnce'>;
  /** Must keep pods without GPUs as well. */
  readonly state: ClusterState;
  readonly refusing: Pick<RefusingNodes, 'onRefused'>;
  readonly lease: Pick<Lease, 'hold' | 'isHeld'>;
  readonly view: () => AdmissionView;
  readonly configuration: () => Configuration;
  /** Resolves when the history of workloads is known, if any is kept. */
  readonly historyKnown: () => Promise<unknown>;
  readonly registry: Registry;
  readonly log: Logger;
  readonly clock: Clock;
  /** For tests on nodes whose clock runs that much faster; default 1. */
  readonly speed?: number | undefined;
  /** ms from a change to what follows from it in statuses and reports; default 1,000. */
  readonly settleMs?: number | undefined;
}

export interface ControllerLoops {
  /** Everything has been listed: from now on changes have consequences. */
  begin(): void;
  /** The configuration has changed. */
  configured(): void;
  stop(): Promise<void>;
}

/** Planner, reconciler, policy statuses and audit: they follow the state from now on, and do nothing before `begin`. */
export function controllerLoops(options: ControllerLoopsOptions): ControllerLoops {
  const { events, state, configuration, historyKnown, registry, log, speed, settleMs = 1_000 } = options;
  const reconciler: Reconciler = new Reconciler({
    client: options.client,
    events,
    state,
    lease: options.lease,
    settings: () => reconcilerSettingsOf(configuration(), speed),
    log,
    metrics: reconcilerMetrics(registry, () => reconciler.figures()),
    clock: options.clock,
  });
  const recommend = (all: ReadonlyMap<string, string>) => reconciler.recommend(all);
  const planner = new Planner({ ...options, recommend, metrics: plannerMetrics(registry) });
  const metrics = auditMetrics(registry);
  const statuses = new PolicyStatusWriter({ ...options, metrics, settleMs });
  const reporter = new AuditReporter({ events, log, metrics });
  const auditor = new Auditor({ ...options, historyKnown, reporter, settleMs });
  const unsized = new UnsizedNodeReporter({ ...options, metrics });
  reportRefusingNodes(options);
  const loops = [reconciler, planner, statuses, auditor, unsized];
  return {
    begin() {
      for (const loop of loops) loop.begin();
    },
    configured() {
      reconciler.configured();
      statuses.lookAgain();
      auditor.lookAgain();
    },
    async stop() {
      await Promise.all(loops.map((loop) => loop.stop()));
    },
  };
}
