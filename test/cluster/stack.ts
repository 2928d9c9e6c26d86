/** A control plane with our webhook and extender at work in this process. */

import { randomUUID } from 'node:crypto';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KubeConfig } from '@kubernetes/client-node';
import { stringify } from 'yaml';
import { type RunningController, startController } from '#src/app/controller.ts';
import { type RunningExtender, startExtender } from '#src/app/extender.ts';
import { type RunningWebhook, startWebhook } from '#src/app/webhook.ts';
import { strategyByName } from '#src/core/strategies/registry.ts';
import { systemClock } from '#src/kube/clock.ts';
import { GpuFleet } from '#src/sandbox/gpu-node/fleet.ts';
import type { GpuNodeSpec } from '#src/sandbox/gpu-node/node.ts';
import { NVIDIA, scaledClock, type Timing } from '#src/sandbox/gpu-node/timing.ts';
import { createLogger } from '#src/telemetry/logger.ts';
import { webhookConfiguration } from '#src/webhook/configuration.ts';
import { gpuPod } from '../objects/pods.ts';
import { createCertificate } from './certificates.ts';
import { installDefinitions } from './custom-resources.ts';
import { type Cluster, type ClusterOptions, type SchedulerOptions, startCluster } from './start.ts';
import { waitFor } from './wait.ts';

export interface StackOptions extends Omit<ClusterOptions, 'scheduler'> {
  /** Default bestfit. */
  readonly strategy?: string;
  /** Default true. */
  readonly webhook?: boolean;
  /** Custom resources, and the controller that keeps their status; default false. */
  readonly controller?: boolean;
  /** Has the last word on kube-scheduler's configuration. */
  readonly edit?: SchedulerOptions['edit'];
  /** GPU nodes that behave like real ones (kwok plays none then), and what the controller and the webhook are configured with. */
  readonly fleet?: FleetOptions;
}

export interface FleetOptions {
  readonly nodes: readonly GpuNodeSpec[];
  /** How much faster than the world's their clock runs. */
  readonly speed: number;
  readonly seed?: number;
  readonly timing?: Timing;
  /** Of the ConfigMaps that NVIDIA's components read; default `default`. */
  readonly namespace?: string;
  /** As the configuration file has it, beside where the ConfigMaps are. */
  readonly configuration?: object;
}

export interface Stack {
  readonly cluster: Cluster;
  readonly extender: RunningExtender;
  readonly webhook: RunningWebhook | undefined;
  readonly controller: RunningController | undefined;
  readonly fleet: GpuFleet | undefined;
  /** Of webhook and controller, where there is a fleet. */
  readonly configurationFile: string | undefined;
  stop(options?: { readonly keepLogs?: boolean }): Promise<void>;
}

export async function startStack(options: StackOptions = {}): Promise<Stack> {
  const { strategy = 'bestfit', webhook: withWebhook = true, controller: withController = false, ...rest } = options;
  const { log = () => {}, fleet: fleetOptions, edit, ...clusterOptions } = rest;
  const cluster = await startCluster({ ...(fleetOptions && { kubelets: false }), ...clusterOptions, log });
  const closing: (() => Promise<void>)[] = [];
  const stop = async ({ keepLogs = false } = {}) => {
    for (const close of closing.toReversed()) await close();
    await cluster.stop({ keepLogs });
  };
  try {
    const fleet = fleetOptions && (await startFleet(cluster, fleetOptions));
    if (fleet) {
      closing.push(() => fleet.stop());
      log(`${fleetOptions.nodes.length} GPU nodes are up`);
    }
    const configurationFile = fleetOptions && writeConfiguration(cluster, fleetOptions.configuration);
    const extender = await startInProcessExtender(cluster, strategy);
    closing.push(() => extender.close());
    await extender.ready;
    log(`extender is ready at ${extender.url}, strategy ${strategy}`);
    await cluster.startScheduler({ extenderUrl: extender.url, ...(edit && { edit }) });
    if (withController) await installDefinitions(cluster.client);
    const webhook = withWebhook ? await startInProcessWebhook(cluster, configurationFile) : undefined;
    if (webhook) {
      closing.push(() => webhook.close());
      log(`webhook is ready at ${webhook.url}`);
    }
    const controller = withController
      ? await startInProcessController(cluster, { configurationFile, speed: fleetOptions?.speed })
      : undefined;
    if (controller) {
      closing.push(() => controller.close());
      log(`controller is ready at ${controller.url}`);
    }
    return { cluster, extender, webhook, controller, fleet, configurationFile, stop };
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
  return startExtender({
    kubeConfig,
    host: '127.0.0.1',
    port,
    strategy,
    identity,
    log,
    random: Math.random,
    clock: systemClock,
  });
}

/** Starts the webhook, registers it, and waits until the API server asks it. */
export async function startInProcessWebhook(
  cluster: Cluster,
  configurationFile?: string | undefined,
): Promise<RunningWebhook> {
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
    clock: systemClock,
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

/** ConfigMaps of NVIDIA's components, in the fleet's cluster. */
const CONFIG_MAPS = { plugin: 'gpu-autoscaler-device-plugin', mig: 'gpu-autoscaler-mig-parted' };

export async function startFleet(cluster: Cluster, options: FleetOptions): Promise<GpuFleet> {
  const { nodes, speed, seed = 1, timing = NVIDIA, namespace = 'default' } = options;
  const log = createLogger('gpu-nodes', 'debug', join(cluster.dir, 'logs', 'gpu-nodes.log'));
  const fleet = new GpuFleet({
    client: cluster.client,
    nodes,
    configMaps: { plugin: `${namespace}/${CONFIG_MAPS.plugin}`, mig: `${namespace}/${CONFIG_MAPS.mig}` },
    clock: scaledClock(speed),
    timing,
    seed,
    log: (message, details) => log.info(details, message),
  });
  await fleet.start();
  return fleet;
}

/** Path of the file. */
export function writeConfiguration(cluster: Cluster, configuration: object = {}): string {
  const { reconciler = {}, ...rest } = configuration as { reconciler?: object };
  const file = join(cluster.dir, 'configuration.yaml');
  writeFileSync(file, stringify({ ...rest, reconciler: { namespace: 'default', ...reconciler } }));
  return file;
}

interface ControllerSetup {
  readonly configurationFile?: string | undefined;
  readonly speed?: number | undefined;
  readonly kubeConfig?: KubeConfig;
}

export async function startInProcessController(
  cluster: Cluster,
  setup: ControllerSetup = {},
): Promise<RunningController> {
  const { configurationFile, speed, kubeConfig = cluster.kubeConfig } = setup;
  const controller = await startController({
    kubeConfig,
    host: '127.0.0.1',
    port: 0,
    namespace: 'gpu-autoscaler-system',
    schedulerName: 'gpu-autoscaler-scheduler',
    leaseNamespace: 'kube-system',
    identity: randomUUID(),
    settleMs: 100,
    ...(configurationFile !== undefined && { configurationFile }),
    ...(speed !== undefined && { speed }),
    log: createLogger('controller', 'debug', join(cluster.dir, 'logs', 'controller.log')),
    random: Math.random,
    clock: systemClock,
  });
  await controller.ready;
  return controller;
}
