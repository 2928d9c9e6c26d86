/** The webhook role: nodes → what they offer → decisions, behind one HTTPS server. */

import type { KubeConfig } from '@kubernetes/client-node';
import { ClusterState } from '../cluster/cluster-state.ts';
import { KubeClient } from '../cluster/kube-client.ts';
import { Reflector } from '../cluster/reflector.ts';
import { type AdmissionSettings, type Offer, offersOf } from '../core/admission/facts.ts';
import type { Logger } from '../telemetry/logger.ts';
import { createRegistry, webhookMetrics } from '../telemetry/metrics.ts';
import { createWebhookServer } from './server.ts';

export interface WebhookOptions {
  readonly kubeConfig: KubeConfig;
  readonly host: string;
  /** 0 for any free port. */
  readonly port: number;
  /** PEM. */
  readonly tls: { readonly cert: string; readonly key: string };
  readonly settings: AdmissionSettings;
  readonly log: Logger;
  readonly random: () => number;
  readonly now: () => Date;
}

export interface RunningWebhook {
  /** `https://127.0.0.1:8443` */
  readonly url: string;
  /** Resolves once nodes have been listed. */
  readonly ready: Promise<void>;
  close(): Promise<void>;
}

export async function startWebhook(options: WebhookOptions): Promise<RunningWebhook> {
  const { kubeConfig, host, port, tls, settings, log, random, now } = options;
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
  const ready = reflector.synced.then(() => {
    listed = true;
    log.info('webhook ready');
  });

  let offers: { readonly version: number; readonly list: readonly Offer[] } | undefined;
  const currentOffers = () => {
    if (offers?.version !== state.ledger.offersVersion) {
      offers = { version: state.ledger.offersVersion, list: offersOf(state.ledger.nodes()) };
    }
    return offers.list;
  };
  const registry = createRegistry();
  const server = createWebhookServer({
    log,
    registry,
    tls,
    metrics: webhookMetrics(registry),
    waitsFor: () => (listed ? undefined : 'waiting for the list of nodes'),
    context: () => ({ offers: currentOffers(), settings, now: now() }),
  });
  const url = await server.listen({ host, port });
  reflector.start();

  return {
    url,
    ready,
    async close() {
      await server.close();
      await reflector.stop();
      client.close();
    },
  };
}
