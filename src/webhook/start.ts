/** The webhook role: nodes → what they offer → decisions, behind one HTTPS server. */

import { Server } from 'node:https';
import type { KubeConfig } from '@kubernetes/client-node';
import { ClusterState } from '../cluster/cluster-state.ts';
import { KubeClient } from '../cluster/kube-client.ts';
import { Reflector } from '../cluster/reflector.ts';
import { type AdmissionSettings, type Offer, offersOf } from '../core/admission/facts.ts';
import type { Logger } from '../telemetry/logger.ts';
import { createRegistry, webhookMetrics } from '../telemetry/metrics.ts';
import { type CertificateSource, createKeeper } from './certificates/source.ts';
import { createWebhookServer } from './server.ts';

export interface WebhookOptions {
  readonly kubeConfig: KubeConfig;
  readonly host: string;
  /** 0 for any free port. */
  readonly port: number;
  readonly certificates: CertificateSource;
  readonly settings: AdmissionSettings;
  readonly log: Logger;
  readonly random: () => number;
  readonly now: () => Date;
}

export interface RunningWebhook {
  /** `https://127.0.0.1:8443` */
  readonly url: string;
  /** Resolves once nodes have been listed, and there is a certificate to be trusted. */
  readonly ready: Promise<void>;
  close(): Promise<void>;
}

/** @throws CertificateSettingsError */
export async function startWebhook(options: WebhookOptions): Promise<RunningWebhook> {
  const { kubeConfig, host, port, certificates, settings, log, random, now } = options;
  const client = new KubeClient(kubeConfig);
  const state = new ClusterState((message, details) => log.warn(details, message));
  const reflector = new Reflector({
    client,
    path: '/api/v1/nodes',
    ...state.nodes,
    random,
    log: (message, details) => log.warn(details, message),
  });
  let listed = false;
  void reflector.synced.then(() => {
    listed = true;
  });

  let offers: { readonly version: number; readonly list: readonly Offer[] } | undefined;
  const currentOffers = () => {
    if (offers?.version !== state.ledger.offersVersion) {
      offers = { version: state.ledger.offersVersion, list: offersOf(state.ledger.nodes()) };
    }
    return offers.list;
  };
  const registry = createRegistry();
  const keeper = await createKeeper(certificates, { client, registry, log, random, now });
  const server = createWebhookServer({
    log,
    registry,
    tls: keeper.current,
    metrics: webhookMetrics(registry),
    waitsFor: () => (listed ? keeper.waitsFor() : 'waiting for the list of nodes'),
    context: () => ({ offers: currentOffers(), settings, now: now() }),
  });
  const url = await server.listen({ host, port });
  reflector.start();
  keeper.start((tls) => {
    // Connections that are open stay as they are.
    if (server.server instanceof Server) server.server.setSecureContext(tls);
  });
  const ready = Promise.all([reflector.synced, keeper.ready]).then(() => log.info('webhook ready'));

  return {
    url,
    ready,
    async close() {
      await server.close();
      await Promise.all([reflector.stop(), keeper.stop()]);
      client.close();
    },
  };
}
