/** The controller as far as watch events go: its state and loops, without network. */

import { pino } from 'pino';
import { Registry } from 'prom-client';
import { admissionConfigurationOf } from '#src/api/admission-settings.ts';
import { configurationSchema } from '#src/api/configuration.ts';
import { CONTROLLER_NAME, SYSTEM_NAMESPACE } from '#src/api/keys.ts';
import { controllerLoops } from '#src/app/controller-loops.ts';
import { systemClock } from '#src/kube/clock.ts';
import { EventRecorder } from '#src/kube/event-recorder.ts';
import { LeaseError } from '#src/kube/lease.ts';
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
  const loops = controllerLoops({
    client,
    events,
    state,
    refusing: { onRefused: () => {} },
    lease,
    view,
    configuration: () => configuration,
    historyKnown: async () => {},
    registry: new Registry(),
    log,
    clock,
  });

  return {
    listPods: (objects) => takeList(state.pods, objects),
    listNodes: (objects) => takeList(state.nodes, objects),
    podChanged: (object) => state.pods.update(object),
    podDeleted: (object) => state.pods.delete(object),
    nodeChanged: (object) => state.nodes.update(object),
    begin: () => loops.begin(),
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
    stop: () => loops.stop(),
  };
}
