/** The webhook role: nodes, policies and namespaces → decisions, behind one HTTPS server. */

import { Server } from 'node:https';
import type { Logger } from '../telemetry/logger.ts';
import { type CertificateSource, createCertificateManager } from '../webhook/certificates/source.ts';
import { webhookMetrics } from '../webhook/metrics.ts';
import { RecentDecisions } from '../webhook/reinvocation.ts';
import { createWebhookServer } from '../webhook/server.ts';
import { type Role, type RunningRole, startRole } from './roles.ts';
import type { Kind, Runtime, RuntimeOptions } from './runtime.ts';

export interface WebhookRoleOptions {
  readonly host: string;
  /** 0 for any free port. */
  readonly port: number;
  /** Where the certificate comes from; asked with the configuration as it is at the start. */
  readonly certificates: CertificateSource | ((runtime: Runtime) => CertificateSource);
}

export type RunningWebhook = RunningRole;

/** What it must know before it decides. */
const KINDS: readonly Kind[] = [
  'nodes',
  'namespaces',
  'limitranges',
  'resourcequotas',
  'deviceclasses',
  'policies',
  'nodeconfigs',
];

/** Pods tell which slots are free, queues what they count: it decides without them until they are known. */
const ALL_KINDS: readonly Kind[] = [...KINDS, 'pods', 'localqueues', 'clusterqueues'];

export function webhookRole(options: WebhookRoleOptions): Role<RunningWebhook> {
  return { name: 'webhook', kinds: ALL_KINDS, start: (runtime, log) => start(runtime, log, options) };
}

/** The webhook alone. @throws ConfigurationError, CertificateSettingsError */
export function startWebhook(options: WebhookRoleOptions & RuntimeOptions): Promise<RunningWebhook> {
  return startRole(options, webhookRole(options));
}

async function start(
  runtime: Runtime,
  log: Logger,
  { host, port, certificates }: WebhookRoleOptions,
): Promise<RunningWebhook> {
  const { client, registry, random, clock, reflectors } = runtime;
  // Views follow from the first object on.
  runtime.admissionView();
  const source = typeof certificates === 'function' ? certificates(runtime) : certificates;
  const manager = await createCertificateManager(source, { client, registry, log, random, clock });
  const recent = new RecentDecisions();
  const server = createWebhookServer({
    log,
    registry,
    tls: manager.current,
    metrics: webhookMetrics(registry),
    notReadyReason: () => reflectors.notReadyReason(KINDS) ?? manager.notReadyReason(),
    context: () => ({
      view: runtime.admissionView(),
      promise: (resource, mode, user) => runtime.admission.promise(resource, mode, user),
      withdraw: (resource, mode, user) => runtime.admission.withdraw(resource, mode, user),
      recent,
      now: clock.now(),
    }),
  });
  const url = await server.listen({ host, port });
  manager.start((tls) => {
    // Connections that are open stay as they are.
    if (server.server instanceof Server) server.server.setSecureContext(tls);
  });
  const ready = Promise.all([reflectors.synced(KINDS), manager.ready]).then(() => log.info('webhook ready'));

  return {
    url,
    ready,
    async close() {
      await server.close();
      await manager.stop();
    },
  };
}
