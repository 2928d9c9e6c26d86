/** The controller role: planner and reconciler, the status of policies, and pods that slipped past the webhook. */

import { CONTROLLER_NAME } from '../api/keys.ts';
import { EventRecorder } from '../kube/event-recorder.ts';
import { Lease } from '../kube/lease.ts';
import type { Logger } from '../telemetry/logger.ts';
import { createServer } from '../telemetry/server.ts';
import { controllerLoops } from './controller-loops.ts';
import { type Role, type RunningRole, startRole } from './roles.ts';
import type { Kind, Runtime, RuntimeOptions } from './runtime.ts';

export interface ControllerRoleOptions {
  readonly host: string;
  /** 0 for any free port. */
  readonly port: number;
  /** Namespace of the Lease that only one controller of a cluster holds. */
  readonly leaseNamespace: string;
  /** A name for this process alone. */
  readonly identity: string;
  /** For tests on nodes whose clock runs that much faster; default 1. */
  readonly speed?: number;
  /** ms from a change to what follows from it in statuses and reports; default 1,000. */
  readonly settleMs?: number;
}

export type RunningController = RunningRole;

const KINDS: readonly Kind[] = [
  'nodes',
  'pods',
  'namespaces',
  'limitranges',
  'resourcequotas',
  'deviceclasses',
  'localqueues',
  'clusterqueues',
  'policies',
  'nodeconfigs',
];

export function controllerRole(options: ControllerRoleOptions): Role<RunningController> {
  return {
    name: 'controller',
    kinds: KINDS,
    podsWithoutGpus: true,
    start: (runtime, log) => start(runtime, log, options),
  };
}

/** The controller alone. @throws ConfigurationError */
export function startController(options: ControllerRoleOptions & RuntimeOptions): Promise<RunningController> {
  return startRole(options, controllerRole(options));
}

async function start(runtime: Runtime, log: Logger, options: ControllerRoleOptions): Promise<RunningController> {
  const { client, state, registry, reflectors, clock, signal, history } = runtime;
  const { host, port, leaseNamespace: namespace, identity, speed, settleMs } = options;
  const lease = new Lease({
    client,
    namespace,
    name: CONTROLLER_NAME,
    identity,
    holder: 'controller',
    takeOver: () => reflectors.listAgain(),
    log: (message, details) => log.warn(details, message),
    clock,
  });
  const events = new EventRecorder({
    client,
    component: CONTROLLER_NAME,
    clock,
    failed: ({ message }) => log.warn({ error: message }, 'an event could not be made'),
  });
  const loops = controllerLoops({
    client,
    events,
    state,
    refusing: runtime.refusingNodes,
    lease,
    view: runtime.admissionView,
    configuration: () => runtime.configuration,
    historyKnown: async () => history.current?.firstTry,
    registry,
    log,
    clock,
    speed,
    settleMs,
  });
  runtime.onConfigured(() => loops.configured());

  const server = createServer({
    log,
    registry,
    notReadyReason: () => reflectors.notReadyReason(KINDS),
    bodyLimit: 1_024,
  });
  const url = await server.listen({ host, port });
  await lease.look();
  void lease.watchOver((ms) => clock.sleep(ms, signal), signal);
  const ready = reflectors.synced(KINDS).then(() => {
    log.info('controller ready');
    loops.begin();
  });

  return {
    url,
    ready,
    async close() {
      await server.close();
      await loops.stop();
      await lease.release();
    },
  };
}
