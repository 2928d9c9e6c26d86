/** The webhook role: nodes, policies and namespaces → decisions, behind one HTTPS server. */

import { Server } from 'node:https';
import type { KubeConfig } from '@kubernetes/client-node';
import { KubeClient } from '../kube/kube-client.ts';
import { LiveAdmission } from '../state/live-admission.ts';
import { HistoryProvider } from '../telemetry/history/history-provider.ts';
import type { Logger } from '../telemetry/logger.ts';
import { createRegistry, historyMetrics, webhookMetrics } from '../telemetry/metrics.ts';
import { reloadReporter } from '../telemetry/reload-reporter.ts';
import { type CertificateSource, createKeeper } from '../webhook/certificates/source.ts';
import { createWebhookServer } from '../webhook/server.ts';

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
  const warn = (message: string, details: Record<string, unknown>) => log.warn(details, message);
  const monotonic = () => performance.now();
  const histories = new HistoryProvider({ log, metrics: historyMetrics(registry), fetch, now: monotonic });
  const admission = new LiveAdmission({
    client,
    namespace,
    schedulerName,
    configurationFile: file,
    configurationMs: options.configurationMs,
    configured: (configuration) => histories.take(configuration),
    tell: reloadReporter(registry, log, file),
    historyOf: (workload) => histories.current?.of(workload),
    warn,
    random,
  });
  const keeper = await createKeeper(certificates, { client, registry, log, random, now });
  const server = createWebhookServer({
    log,
    registry,
    tls: keeper.current,
    metrics: webhookMetrics(registry),
    notReadyReason: () => admission.notReadyReason() ?? keeper.notReadyReason(),
    context: () => ({ view: admission.view(), now: now() }),
  });
  const url = await server.listen({ host, port });
  admission.start();
  keeper.start((tls) => {
    // Connections that are open stay as they are.
    if (server.server instanceof Server) server.server.setSecureContext(tls);
  });
  const ready = Promise.all([admission.synced, keeper.ready]).then(() => log.info('webhook ready'));

  return {
    url,
    ready,
    async close() {
      await server.close();
      await Promise.all([admission.stop(), histories.stop(), keeper.stop()]);
      client.close();
    },
  };
}
