/** The controller as far as watch events go: its stores and views, wired as `src/controller/start.ts` wires them, without network. */

import { pino } from 'pino';
import { Registry } from 'prom-client';
import { admissionConfigurationOf } from '../../src/api/admission-settings.ts';
import { configurationSchema } from '../../src/api/configuration.ts';
import { SYSTEM_NAMESPACE } from '../../src/api/keys.ts';
import { AdmissionState } from '../../src/cluster/admission-state.ts';
import { allOf } from '../../src/cluster/feeds.ts';
import { LeaseError } from '../../src/cluster/lease.ts';
import { Loop } from '../../src/cluster/loop.ts';
import { Planner } from '../../src/controller/planning/planner.ts';
import { PodNotes } from '../../src/controller/pod-notes.ts';
import { Reconciler } from '../../src/reconciler/reconciler.ts';
import { reconcilerSettingsOf } from '../../src/reconciler/settings.ts';
import { plannerMetrics, reconcilerMetrics } from '../../src/telemetry/metrics.ts';
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
  const now = () => performance.now();
  const date = () => new Date();
  const complain = (message: string, details: unknown = {}): never => {
    throw new Error(`${message} ${JSON.stringify(details)}`);
  };
  const client = {
    json: async (method: string, path: string): Promise<unknown> =>
      complain('nothing is written here', { method, path }),
  };
  // Another controller acts: this one only knows.
  const lease = { hold: () => Promise.reject(new LeaseError('another controller is at work')), isHeld: false };
  const loop = new Loop({
    work: async () => {},
    failed: ({ message }) => complain(message),
    settleMs: 1_000,
    retryMs: 5_000,
  });
  const trigger = () => loop.trigger();

  const notes = new PodNotes(trigger);
  const admission = new AdmissionState(admissionConfigurationOf(configuration, SYSTEM_NAMESPACE), complain, trigger);
  const reconciler: Reconciler = new Reconciler({
    client,
    lease,
    settings: () => reconcilerSettingsOf(configuration),
    log,
    metrics: reconcilerMetrics(registry, () => reconciler.figures()),
    now,
    date,
  });
  const planner = new Planner({
    client,
    lease,
    reconciler,
    view: () => admission.view(),
    configuration: () => configuration,
    complain,
    log,
    metrics: plannerMetrics(registry),
    now,
    date,
  });
  const pods = allOf(notes.feed, reconciler.pods.feed, planner.pods);
  const nodes = allOf(admission.nodes, allOf(reconciler.nodes.feed, planner.nodes));

  return {
    listPods: (objects) => takeList(pods, objects),
    listNodes: (objects) => takeList(nodes, objects),
    podChanged: pods.changed,
    podDeleted: pods.deleted,
    nodeChanged: nodes.changed,
    begin() {
      loop.start();
      reconciler.begin();
      planner.begin();
    },
    counts(policy) {
      const all = [...reconciler.nodes.all()];
      return {
        nodes: all.length,
        changing: all.filter(({ migState }) => migState === 'pending').length,
        holders: all.reduce((sum, { name }) => sum + reconciler.pods.on(name).length, 0),
        governed: notes.governedBy(policy),
        offers: admission.view().offers([]).length,
      };
    },
    async stop() {
      await Promise.all([planner.stop(), reconciler.stop(), loop.stop()]);
    },
  };
}
