/** A control plane with our webhook and extender at work in this process. */

import { randomUUID } from 'node:crypto';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type RunningController, startController } from '../../src/controller/start.ts';
import { strategyByName } from '../../src/core/strategies/registry.ts';
import { type RunningExtender, startExtender } from '../../src/extender/start.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { webhookConfiguration } from '../../src/webhook/configuration.ts';
import { type RunningWebhook, startWebhook } from '../../src/webhook/start.ts';
import { createCertificate } from './certificates.ts';
import { installDefinitions } from './custom-resources.ts';
import { gpuPod } from './pods.ts';
import { type Cluster, type ClusterOptions, startCluster } from './start.ts';
import { waitFor } from './wait.ts';

export interface StackOptions extends Omit<ClusterOptions, 'scheduler'> {
  /** Default bestfit. */
  readonly strategy?: string;
  /** Default true. */
  readonly webhook?: boolean;
  /** Custom resources, and the controller that keeps their status; default false. */
  readonly controller?: boolean;
}

export interface Stack {
  readonly cluster: Cluster;
  readonly extender: RunningExtender;
  readonly webhook: RunningWebhook | undefined;
  readonly controller: RunningController | undefined;
  stop(options?: { readonly keepLogs?: boolean }): Promise<void>;
}

export async function startStack(options: StackOptions = {}): Promise<Stack> {
  const { strategy = 'bestfit', webhook: withWebhook = true, controller: withController = false, ...rest } = options;
  const { log = () => {}, ...clusterOptions } = rest;
  const cluster = await startCluster({ ...clusterOptions, log });
  const closing: (() => Promise<void>)[] = [];
  const stop = async ({ keepLogs = false } = {}) => {
    for (const close of closing.toReversed()) await close();
    await cluster.stop({ keepLogs });
  };
  try {
    const extender = await startInProcessExtender(cluster, strategy);
    closing.push(() => extender.close());
    await extender.ready;
    log(`extender is ready at ${extender.url}, strategy ${strategy}`);
    await cluster.startScheduler({ extenderUrl: extender.url });
    if (withController) await installDefinitions(cluster.client);
    const webhook = withWebhook ? await startInProcessWebhook(cluster) : undefined;
    if (webhook) {
      closing.push(() => webhook.close());
      log(`webhook is ready at ${webhook.url}`);
    }
    const controller = withController ? await startInProcessController(cluster) : undefined;
    if (controller) {
      closing.push(() => controller.close());
      log(`controller is ready at ${controller.url}`);
    }
    return { cluster, extender, webhook, controller, stop };
  } catch (error) {
    await stop({ keepLogs: true });
    throw new Error(`${(error as Error).message}\nlogs: ${join(cluster.dir, 'logs')}`, { cause: error });
  }
}

export async function startInProcessExtender(
  cluster: Cluster,
  strategyName: string,
  port = 0,
): Promise<RunningExtender> {
  const strategy = strategyByName(strategyName);
  if (!strategy) throw new RangeError(`no strategy is called ${strategyName}`);
  const { kubeConfig, dir } = cluster;
  const log = createLogger('extender', 'debug', join(dir, 'logs', 'extender.log'));
  const identity = randomUUID();
  return startExtender({ kubeConfig, host: '127.0.0.1', port, strategy, identity, log, random: Math.random });
}

/** Starts the webhook, registers it, and waits until the API server asks it. */
export async function startInProcessWebhook(cluster: Cluster, configurationFile?: string): Promise<RunningWebhook> {
  const { kubeConfig, client, dir } = cluster;
  const tls = await createCertificate();
  const folder = mkdtempSync(join(dir, 'tls-'));
  const [certFile, keyFile] = [join(folder, 'tls.crt'), join(folder, 'tls.key')];
  writeFileSync(certFile, tls.cert);
  writeFileSync(keyFile, tls.key, { mode: 0o600 });
  const webhook = await startWebhook({
    kubeConfig,
    host: '127.0.0.1',
    port: 0,
    certificates: { from: 'files', certFile, keyFile },
    namespace: 'gpu-autoscaler-system',
    schedulerName: 'gpu-autoscaler-scheduler',
    ...(configurationFile !== undefined && { configurationFile }),
    log: createLogger('webhook', 'debug', join(dir, 'logs', 'webhook.log')),
    random: Math.random,
    now: () => new Date(),
  });
  await webhook.ready;
  const configuration = webhookConfiguration({
    clientConfig: { url: `${webhook.url}/mutate-v1-pod` },
    caBundle: tls.cert,
    exemptNamespaces: ['kube-system'],
  });
  await client.json('POST', '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations', {
    body: configuration,
  });
  // The API server takes up the configuration in its own time: ask until a pod comes back rewritten.
  const probe = gpuPod({ name: 'probe', gpus: 1, schedulerName: 'default-scheduler' });
  await waitFor('the API server asks the webhook', async () => {
    const reply = await client.json('POST', '/api/v1/namespaces/default/pods?dryRun=All', { body: probe });
    return JSON.stringify(reply).includes('gpu-autoscaler.io/optimized');
  });
  return webhook;
}

export async function startInProcessController({ kubeConfig, dir }: Cluster): Promise<RunningController> {
  const controller = await startController({
    kubeConfig,
    host: '127.0.0.1',
    port: 0,
    namespace: 'gpu-autoscaler-system',
    schedulerName: 'gpu-autoscaler-scheduler',
    settleMs: 100,
    log: createLogger('controller', 'debug', join(dir, 'logs', 'controller.log')),
    random: Math.random,
    now: () => new Date(),
  });
  await controller.ready;
  return controller;
}
