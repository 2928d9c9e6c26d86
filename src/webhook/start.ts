/** The webhook role: nodes, policies and namespaces → decisions, behind one HTTPS server. */

import { Server } from 'node:https';
import type { KubeConfig } from '@kubernetes/client-node';
import { admissionConfigurationOf } from '../api/admission-settings.ts';
import type { Configuration } from '../api/configuration.ts';
import { CUSTOM_RESOURCES } from '../api/keys.ts';
import { AdmissionState } from '../cluster/admission-state.ts';
import { ConfigurationWatch } from '../cluster/configuration-watch.ts';
import { KubeClient } from '../cluster/kube-client.ts';
import { Reflector } from '../cluster/reflector.ts';
import { configurationNews } from '../telemetry/configuration-news.ts';
import { CurrentHistory } from '../telemetry/history/current.ts';
import type { Logger } from '../telemetry/logger.ts';
import { createRegistry, historyMetrics, webhookMetrics } from '../telemetry/metrics.ts';
import { type CertificateSource, createKeeper } from './certificates/source.ts';
import { createWebhookServer } from './server.ts';

export interface WebhookOptions {
  readonly kubeConfig: KubeConfig;
  readonly host: string;
  /** 0 for any free port. */
  readonly port: number;
  readonly certificates: CertificateSource;
  /** Where we run ourselves: always exempt. */
  readonly namespace: string;
  readonly schedulerName: string;
  /** Of the configuration; the defaults hold without one. */
  readonly configurationFile?: string;
  /** ms between two looks at it; default 5,000. */
  readonly configurationMs?: number;
  readonly log: Logger;
  readonly random: () => number;
  readonly now: () => Date;
}

export interface RunningWebhook {
  /** `https://127.0.0.1:8443` */
  readonly url: string;
  /** Resolves once everything has been listed, and there is a certificate to be trusted. */
  readonly ready: Promise<void>;
  close(): Promise<void>;
}

/** @throws ConfigurationError, CertificateSettingsError */
export async function startWebhook(options: WebhookOptions): Promise<RunningWebhook> {
  const { kubeConfig, host, port, certificates, namespace, schedulerName, log, random, now } = options;
  const { configurationFile: file } = options;
  const client = new KubeClient(kubeConfig);
  const registry = createRegistry();
  const settingsOf = (configuration: Configuration) =>
    admissionConfigurationOf(configuration, namespace, schedulerName);
  const configuration = new ConfigurationWatch({
    file,
    ...(options.configurationMs !== undefined && { everyMs: options.configurationMs }),
    changed: (changed) => {
      if (state.configure(settingsOf(changed))) void reflectors.nodes.listAgain();
      histories.take(changed);
    },
    tell: configurationNews(registry, log, file),
  });
  const warn = (message: string, details: Record<string, unknown>) => log.warn(details, message);
  const monotonic = () => performance.now();
  const histories = new CurrentHistory({ log, metrics: historyMetrics(registry), fetch, now: monotonic });
  const state = new AdmissionState(settingsOf(configuration.current), warn);
  const reflect = (path: string, feed: AdmissionState['nodes'], optional = false) =>
    new Reflector({ client, path, ...feed, optional, random, log: warn });
  const reflectors = {
    nodes: reflect('/api/v1/nodes', state.nodes),
    namespaces: reflect('/api/v1/namespaces', state.namespaces),
    policies: reflect(CUSTOM_RESOURCES.policies, state.policies, true),
  };
  const missing = new Set(Object.keys(reflectors));
  for (const [kind, { synced }] of Object.entries(reflectors)) void synced.then(() => missing.delete(kind));
  const keeper = await createKeeper(certificates, { client, registry, log, random, now });
  const server = createWebhookServer({
    log,
    registry,
    tls: keeper.current,
    metrics: webhookMetrics(registry),
    waitsFor: () => (missing.size > 0 ? `waiting for the list of ${[...missing].join(' and ')}` : keeper.waitsFor()),
    context: () => ({ view: state.view((workload) => histories.current?.of(workload)), now: now() }),
  });
  const url = await server.listen({ host, port });
  for (const reflector of Object.values(reflectors)) reflector.start();
  configuration.start();
  histories.take(configuration.current);
  keeper.start((tls) => {
    // Connections that are open stay as they are.
    if (server.server instanceof Server) server.server.setSecureContext(tls);
  });
  const lists = Object.values(reflectors).map(({ synced }) => synced);
  const ready = Promise.all([...lists, keeper.ready]).then(() => log.info('webhook ready'));

  return {
    url,
    ready,
    async close() {
      await server.close();
      await Promise.all([
        configuration.stop(),
        histories.stop(),
        keeper.stop(),
        ...Object.values(reflectors).map((reflector) => reflector.stop()),
      ]);
      client.close();
    },
  };
}
