/** The controller as far as watch events go: its state and views, wired as `src/app/controller.ts` wires them, without network. */

import { pino } from 'pino';
import { Registry } from 'prom-client';
import { admissionConfigurationOf } from '#src/api/admission-settings.ts';
import { configurationSchema } from '#src/api/configuration.ts';
import { CONTROLLER_NAME, SYSTEM_NAMESPACE } from '#src/api/keys.ts';
import { AuditReporter } from '#src/audit/audit-reporter.ts';
import { Auditor } from '#src/audit/auditor.ts';
import { auditMetrics } from '#src/audit/metrics.ts';
import { PolicyStatusWriter } from '#src/audit/policy-status-writer.ts';
import { systemClock } from '#src/kube/clock.ts';
import { EventRecorder } from '#src/kube/event-recorder.ts';
import { LeaseError } from '#src/kube/lease.ts';
import { plannerMetrics } from '#src/planner/metrics.ts';
import { Planner } from '#src/planner/planner.ts';
import { reconcilerMetrics } from '#src/reconciler/metrics.ts';
import { Reconciler } from '#src/reconciler/reconciler.ts';
import { reconcilerSettingsOf } from '#src/reconciler/settings.ts';
import { AdmissionState } from '#src/state/admission-state.ts';
import { ClusterState } from '#src/state/cluster-state.ts';
import { takeList } from '../../test/fakes/listing.ts';

/** Objects are as JSON.parse makes them, and nobody's but the controller's. */
export interface ControllerEvents {
  /** All there are. */
  listPods(objects: readonly unknown[]): void;
  listNodes(objects: readonly unknown[]): void;
  /** ADDED or MODIFIED. */
  podChanged(object: unknown): void;
  podDeleted(object: unknown): void;
  nodeChanged(object: unknown): void;
  /** From now on changes have consequences, as once everything has been listed. */
  begin(): void;
  /** What is known by now: whoever measures can see that it did its work. */
  counts(policy: string): ControllerCounts;
  stop(): Promise<void>;
}

export interface ControllerCounts {
  /** With GPUs. */
  readonly nodes: number;
  /** Nodes that mig-manager is at work on. */
  readonly changing: number;
  /** Pods that hold GPUs. */
  readonly holders: number;
  /** Pods that the policy governs. */
  readonly governed: number;
  /** GPUs, or parts of them, that nodes offer to the webhook: how many kinds. */
  readonly offers: number;
}

export function controllerEvents(): ControllerEvents {
  const configuration = configurationSchema.parse({});
  const log = pino({ level: 'silent' });
  const registry = new Registry();
  const complain = (message: string, details: unknown = {}): never => {
    throw new Error(`${message} ${JSON.stringify(details)}`);
  };
  const client = {
    json: async (method: string, path: string): Promise<unknown> =>
      complain('nothing is written here', { method, path }),
  };
  // Another controller acts: this one only knows.
  const lease = { hold: () => Promise.reject(new LeaseError('another controller is at work')), isHeld: false };
  const clock = systemClock;
  const state = new ClusterState(complain, { podsWithoutGpus: true });
  const admission = new AdmissionState(state, admissionConfigurationOf(configuration, SYSTEM_NAMESPACE));
  const view = () => admission.view();
  const failed = ({ message }: Error) => complain(message);
  const events = new EventRecorder({ client, component: CONTROLLER_NAME, clock, failed });
  const reconciler: Reconciler = new Reconciler({
    client,
    events,
    state,
    lease,
    settings: () => reconcilerSettingsOf(configuration),
    log,
    metrics: reconcilerMetrics(registry, () => reconciler.figures()),
    clock,
  });
  const planner = new Planner({
    client,
    events,
    state,
    lease,
    recommend: (all) => reconciler.recommend(all),
    view,
    configuration: () => configuration,
    log,
    metrics: plannerMetrics(registry),
    clock,
  });
  const metrics = auditMetrics(registry);
  const settleMs = 1_000;
  const statuses = new PolicyStatusWriter({ client, state, view, log, metrics, clock, settleMs });
  const reporter = new AuditReporter({ events, log, metrics });
  const auditor = new Auditor({ state, view, historyKnown: async () => {}, reporter, log, clock, settleMs });

  return {
    listPods: (objects) => takeList(state.pods, objects),
    listNodes: (objects) => takeList(state.nodes, objects),
    podChanged: (object) => state.pods.update(object),
    podDeleted: (object) => state.pods.delete(object),
    nodeChanged: (object) => state.nodes.update(object),
    begin() {
      for (const loop of [reconciler, planner, statuses, auditor]) loop.begin();
    },
    counts(policy) {
      const nodes = [...state.nodes.values()];
      const pods = [...state.pods.values()].filter(({ gpu, finished }) => gpu && !finished);
      return {
        nodes: nodes.length,
        changing: nodes.filter(({ observed }) => observed.migState === 'pending').length,
        holders: pods.filter(({ node }) => node !== undefined && state.nodes.get(node)).length,
        governed: pods.filter(({ gpu, terminating }) => gpu?.policy === policy && !terminating).length,
        offers: view().offers([]).length,
      };
    },
    async stop() {
      await Promise.all([planner, reconciler, statuses, auditor].map((loop) => loop.stop()));
    },
  };
}
