/**
 * A real control plane on loopback: etcd, kube-apiserver, kube-controller-manager, kube-scheduler
 * and kwok, for tests, the demo and benches. Many can run side by side.
 */

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { KubeConfig } from '@kubernetes/client-node';
import { KubeClient } from '#src/kube/kube-client.ts';
import { freePorts, Processes, type Running } from './processes.ts';
import { findPrograms, type Programs } from './programs.ts';
import { type ShippedConfig, schedulerConfig } from './scheduler-config.ts';
import { createServiceAccountKey } from './service-account-key.ts';

export interface SchedulerOptions {
  /** Where the extender listens, `http://127.0.0.1:8888`. Without it a scheduler of Kubernetes's own defaults is started. */
  readonly extenderUrl?: string;
  /** One of several that take turns by the shipped Lease; default false. */
  readonly leaderElection?: boolean;
  /** Has the last word on the shipped configuration; only with an extender. */
  readonly edit?: (config: ShippedConfig) => object;
}

export interface ClusterOptions {
  /** Node manifests, made before anything looks at them. */
  readonly nodes?: readonly object[];
  /** Started after the nodes are there; `startScheduler` starts others, or starts one later. */
  readonly scheduler?: SchedulerOptions;
  /** Deployments, Jobs, PodDisruptionBudgets, namespaces … work only with kube-controller-manager. Default false. */
  readonly controllers?: boolean;
  /** Whether kwok plays kubelets: nodes get Ready, pods run. Without them bound pods stay pending. Default true. */
  readonly kubelets?: boolean;
  /** Says what is going on, line by line; silent by default. */
  readonly log?: (line: string) => void;
  /** A word for the folder's name. */
  readonly label?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

export interface RunningScheduler extends Running {
  /** HTTP status of a path, as a kubelet's probe sees it. */
  readonly probe: (path: string) => Promise<number | undefined>;
}

export interface Cluster {
  readonly client: KubeClient;
  readonly kubeConfig: KubeConfig;
  readonly kubeconfigFile: string;
  /** Data and logs. */
  readonly dir: string;
  startScheduler(options: SchedulerOptions): Promise<RunningScheduler>;
  /** Ends all programs and removes the folder, or all of it but the logs. */
  stop(options?: { readonly keepLogs?: boolean }): Promise<void>;
}

const READY_MS = 60_000;
const CONTROLLERS = [
  'deployment-controller',
  'replicaset-controller',
  'statefulset-controller',
  'job-controller',
  'disruption-controller',
  'garbage-collector-controller',
  'serviceaccount-controller',
  'namespace-controller',
  'resourcequota-controller',
];

/**
 * @throws ProgramsMissingError if the programs cannot be had
 * @throws Error with the folder of the logs if the control plane does not come up
 */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const { nodes = [], scheduler, controllers = false, kubelets = true, label = 'cluster', env = process.env } = options;
  const log = options.log ?? (() => {});
  const programs = findPrograms({ env, log });
  const processes = new Processes(label);
  try {
    const api = await startApiServer(programs, processes, log);
    const stop = async ({ keepLogs = false } = {}) => {
      api.client.close();
      await processes.stop({ keepLogs });
    };
    if (controllers) startControllers(programs, processes, api);
    if (kubelets) startKwok(programs, processes, api, await freePorts(1));
    await createAll(api.client, '/api/v1/nodes', nodes);
    if (nodes.length > 0) log(`${nodes.length} nodes created`);
    const cluster: Cluster = {
      ...api,
      dir: processes.dir,
      startScheduler: (wanted) => startScheduler(programs, processes, api, wanted, log),
      stop,
    };
    if (scheduler) await cluster.startScheduler(scheduler);
    return cluster;
  } catch (error) {
    await processes.stop({ keepLogs: true });
    const why = `the control plane did not start: ${(error as Error).message}`;
    throw new Error(`${why}\nlogs: ${join(processes.dir, 'logs')}`, { cause: error });
  }
}

/** POSTs each object; a few at a time, in order. */
export async function createAll(client: KubeClient, path: string, objects: readonly object[]): Promise<void> {
  const queue = objects.values();
  const worker = async () => {
    for (const body of queue) await client.json('POST', path, { body });
  };
  await Promise.all(Array.from({ length: 16 }, worker));
}

interface Api {
  readonly client: KubeClient;
  readonly kubeConfig: KubeConfig;
  readonly kubeconfigFile: string;
}

async function startApiServer(programs: Programs, processes: Processes, log: (line: string) => void): Promise<Api> {
  const { dir } = processes;
  const [port = 0, etcdPort = 0, peerPort = 0] = await freePorts(3);
  const etcd = `http://127.0.0.1:${etcdPort}`;
  const peer = `http://127.0.0.1:${peerPort}`;
  processes.start(programs.etcd, [
    `--data-dir=${join(dir, 'etcd')}`,
    '--unsafe-no-fsync',
    '--log-level=warn',
    `--listen-client-urls=${etcd}`,
    `--advertise-client-urls=${etcd}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=default=${peer}`,
  ]);

  const token = randomBytes(16).toString('hex');
  const tokens = join(dir, 'tokens.csv');
  const key = join(dir, 'service-account.key');
  writeFileSync(tokens, `${token},admin,admin,system:masters\n`, { mode: 0o600 });
  writeFileSync(key, createServiceAccountKey(), { mode: 0o600 });
  const certs = join(dir, 'apiserver');
  processes.start(programs['kube-apiserver'], [
    `--etcd-servers=${etcd}`,
    '--bind-address=127.0.0.1',
    '--advertise-address=127.0.0.1',
    '--endpoint-reconciler-type=none',
    `--secure-port=${port}`,
    `--cert-dir=${certs}`,
    '--service-cluster-ip-range=10.0.0.0/24',
    '--authorization-mode=RBAC',
    '--allow-privileged',
    `--token-auth-file=${tokens}`,
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${key}`,
    `--service-account-signing-key-file=${key}`,
    '--disable-admission-plugins=ServiceAccount,TaintNodesByCondition',
    '--enable-priority-and-fairness=false',
    '--max-requests-inflight=0',
    '--max-mutating-requests-inflight=0',
  ]);

  const kubeconfigFile = join(dir, 'kubeconfig');
  const server = `https://127.0.0.1:${port}`;
  writeFileSync(kubeconfigFile, kubeconfig(server, join(certs, 'apiserver.crt'), token), { mode: 0o600 });
  const kubeConfig = new KubeConfig();
  kubeConfig.loadFromFile(kubeconfigFile);
  const client = new KubeClient(kubeConfig);
  await until('kube-apiserver is ready', processes, async () => {
    await client.stream('GET', '/readyz').then((reply) => reply.resume());
    await client.json('GET', '/api/v1/namespaces/default');
  });
  log(`kube-apiserver is ready at ${server}`);
  return { client, kubeConfig, kubeconfigFile };
}

function startControllers(programs: Programs, processes: Processes, { kubeconfigFile }: Api): void {
  processes.start(programs['kube-controller-manager'], [
    `--kubeconfig=${kubeconfigFile}`,
    '--leader-elect=false',
    '--bind-address=127.0.0.1',
    '--secure-port=0',
    '--use-service-account-credentials=false',
    `--service-account-private-key-file=${join(processes.dir, 'service-account.key')}`,
    `--controllers=${CONTROLLERS.join(',')}`,
  ]);
}

function startKwok(programs: Programs, processes: Processes, { kubeconfigFile }: Api, [port = 0]: number[]): void {
  processes.start(programs.kwok, [
    `--kubeconfig=${kubeconfigFile}`,
    `--config=${join(import.meta.dirname, 'kwok-stages.yaml')}`,
    '--manage-all-nodes',
    '--node-lease-duration-seconds=0',
    `--server-address=127.0.0.1:${port}`,
  ]);
}

async function startScheduler(
  programs: Programs,
  processes: Processes,
  { kubeconfigFile }: Api,
  { extenderUrl, leaderElection = false, edit }: SchedulerOptions,
  log: (line: string) => void,
): Promise<RunningScheduler> {
  const [port = 0] = await freePorts(1);
  const file = join(processes.dir, `scheduler-${port}.yaml`);
  writeFileSync(file, schedulerConfig({ kubeconfigFile, extenderUrl, leaderElection, edit }));
  const running = processes.start(programs['kube-scheduler'], [
    `--config=${file}`,
    '--bind-address=127.0.0.1',
    `--secure-port=${port}`,
    '--authorization-always-allow-paths=/healthz,/readyz,/livez,/metrics',
  ]);
  await until('kube-scheduler is ready', processes, () => ready(port));
  log(`kube-scheduler is ready${extenderUrl ? `, with the extender at ${extenderUrl}` : ''}`);
  return { ...running, probe: (path) => statusOf(port, path) };
}

/** kube-scheduler's own word, informers synced included; before 1.31 it has none but `/healthz`. */
async function ready(port: number): Promise<void> {
  const status = await statusOf(port, '/readyz');
  const last = status === 404 ? await statusOf(port, '/healthz') : status;
  if (last !== 200) throw new Error(`/readyz: HTTP ${last}`);
}

/** What a path of a program's HTTPS port answers. Its certificate is signed by nobody. */
async function statusOf(port: number, path: string): Promise<number | undefined> {
  const reply = request({ host: '127.0.0.1', port, path, rejectUnauthorized: false, agent: false });
  const [response] = (await once(reply.end(), 'response')) as [IncomingMessage];
  response.resume();
  return response.statusCode;
}

/** Tries until it works; gives up at once if a program has ended. */
async function until(what: string, processes: Processes, attempt: () => Promise<void>): Promise<void> {
  const deadline = performance.now() + READY_MS;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      const casualties = processes.casualties();
      if (casualties.length > 0) throw new Error(`waiting until ${what}, but ${casualties.join('\n')}`);
      if (performance.now() > deadline) throw new Error(`${what}: not within ${READY_MS / 1000} s`, { cause: error });
      await sleep(50);
    }
  }
}

function kubeconfig(server: string, caFile: string, token: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    clusters: [{ name: 'test', cluster: { server, 'certificate-authority': caFile } }],
    users: [{ name: 'admin', user: { token } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'admin' } }],
  });
}
