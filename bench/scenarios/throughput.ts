import { text } from 'node:stream/consumers';
import { z } from 'zod';
import { SCHEDULER_NAME } from '#src/api/keys.ts';
import type { KubeClient } from '#src/kube/kube-client.ts';
import { Reflector } from '#src/kube/reflector.ts';
import type { ShippedConfig } from '../../test/cluster/scheduler-config.ts';
import { type Cluster, createAll, startCluster } from '../../test/cluster/start.ts';
import { waitFor } from '../../test/cluster/wait.ts';
import { gpuPod } from '../../test/objects/pods.ts';
import { nodeNames, sharedNodes } from '../fleet.ts';
import { median, type Scenario } from '../scenario.ts';
import { startRole } from '../servers/live-role.ts';
import { startServer } from '../servers/start.ts';

const SIZES = [500, 2_000];
const PODS = 2_000;
const ROUNDS = 3;
const PODS_PATH = '/api/v1/namespaces/default/pods';
const LIMIT_MS = 300_000;

interface Variant {
  readonly name: string;
  /** What is measured beside kube-scheduler; undefined for nothing. */
  start(cluster: Cluster): Promise<{ readonly url: string; stop(): unknown }>;
  edit(config: ShippedConfig): object;
  /** Name of the variant that it is compared with. */
  readonly against?: string;
}

/** Nobody waits for the client's own limit. */
const haste = (config: ShippedConfig) => ({
  ...config,
  clientConnection: { ...config.clientConnection, qps: 10_000, burst: 20_000 },
});
const ours = (narrowing: 'on' | 'off'): Variant => ({
  name: `ours, narrowing ${narrowing}`,
  start: ({ kubeconfigFile }) => startRole('extender', kubeconfigFile, ['--narrowing', narrowing]),
  edit: haste,
});
const none = async () => ({ url: '', stop: () => {} });
const VARIANTS: readonly Variant[] = [
  {
    name: 'kube-scheduler alone',
    start: none,
    edit: (config) => ({ ...haste(config), extenders: undefined, profiles: [{ schedulerName: SCHEDULER_NAME }] }),
  },
  {
    name: 'the same with our profile',
    start: none,
    edit: (config) => ({ ...haste(config), extenders: undefined }),
    against: 'kube-scheduler alone',
  },
  { ...ours('on'), against: 'kube-scheduler alone' },
  {
    name: 'echo extender',
    async start() {
      const { port, stop } = await startServer('echo.ts', []);
      return { url: `http://127.0.0.1:${port}`, stop };
    },
    edit: (config) => {
      const [extender] = config.extenders;
      return { ...haste(config), extenders: [{ ...extender, bindVerb: undefined, preemptVerb: undefined }] };
    },
    against: 'kube-scheduler alone',
  },
  { ...ours('off'), against: 'echo extender' },
];

export const throughput: Scenario = {
  name: 'throughput',
  question:
    'How many pods a second does kube-scheduler bind with us, without us, and with an extender that only echoes?',
  method:
    `a real control plane, N nodes of 8 GPUs shared 4 ways; ${PODS} pods of one slot each wait before kube-scheduler starts; ` +
    'kube-scheduler alone has its default plugins, all others the shipped profile; all score all nodes; the echo answers filter ' +
    'and prioritize, and kube-scheduler binds; all have a client ' +
    'limit of 10,000 calls a second; pods/s are of the middle 80% of Bindings, as a watch sees them; ' +
    `${ROUNDS} alternating rounds, medians. Kubelets are absent. Writes are all of POST, PUT, PATCH and DELETE to pods ` +
    'between the start and the last Binding, by the API server’s own count.',
  async run(log) {
    const rows: string[][] = [];
    for (const nodes of SIZES) {
      const cluster = await startCluster({
        kubelets: false,
        label: 'throughput',
        nodes: sharedNodes(nodeNames(nodes)),
      });
      try {
        const results = VARIANTS.map(() => [] as Result[]);
        for (let round = 1; round <= ROUNDS; round += 1) {
          for (const [i, variant] of VARIANTS.entries()) {
            const result = await measure(cluster, variant);
            results[i]?.push(result);
            log(`${nodes} nodes, round ${round}, ${variant.name}: ${result.podsPerSecond.toFixed(0)} pods/s`);
          }
        }
        const rates = new Map(
          VARIANTS.map(({ name }, i) => [name, median(results[i]?.map(({ podsPerSecond }) => podsPerSecond) ?? [])]),
        );
        for (const [i, { name, against }] of VARIANTS.entries()) {
          const all = results[i]?.map(({ podsPerSecond }) => podsPerSecond) ?? [];
          const rate = rates.get(name) ?? Number.NaN;
          const ratio = against && `${(rate / (rates.get(against) ?? Number.NaN)).toFixed(2)} × ${against}`;
          const writes = median(results[i]?.map(({ writesPerPod }) => writesPerPod) ?? []);
          const range = `${Math.min(...all).toFixed(0)}–${Math.max(...all).toFixed(0)}`;
          rows.push([String(nodes), name, rate.toFixed(0), range, ratio ?? '', writes.toFixed(3)]);
        }
      } finally {
        await cluster.stop();
      }
    }
    return { head: ['nodes', 'scheduler', 'pods/s', 'range', 'ratio', 'writes a pod'], rows };
  },
};

interface Result {
  readonly podsPerSecond: number;
  readonly writesPerPod: number;
}

async function measure(cluster: Cluster, variant: Variant): Promise<Result> {
  const { client } = cluster;
  const pods = Array.from({ length: PODS }, (_, i) =>
    gpuPod({ name: `pod-${i}`, resources: { 'nvidia.com/gpu.shared': 1 } }),
  );
  await createAll(client, PODS_PATH, pods);
  const extender = await variant.start(cluster);
  const bindings = await watchBindings(client);
  const before = await writes(client);
  const scheduler = await cluster.startScheduler({ extenderUrl: extender.url, edit: variant.edit });
  try {
    await waitFor(`all pods are bound (${variant.name})`, () => bindings.times.size === PODS, { timeoutMs: LIMIT_MS });
    const times = [...bindings.times.values()].sort((a, b) => a - b);
    const [from = 0, to = 0] = [times[PODS * 0.1], times[PODS * 0.9 - 1]];
    const written = (await writes(client)) - before;
    return { podsPerSecond: (PODS * 0.8 * 1000) / (to - from), writesPerPod: written / PODS };
  } finally {
    await bindings.stop();
    await scheduler.stop();
    await extender.stop();
    await client.json('DELETE', `${PODS_PATH}?gracePeriodSeconds=0`);
    await waitFor('all pods are gone', async () => {
      const list = await client.json('GET', `${PODS_PATH}?limit=1`);
      return z.object({ items: z.array(z.unknown()) }).parse(list).items.length === 0;
    });
  }
}

/** When each pod was first seen on a node, ms. */
async function watchBindings(client: KubeClient) {
  const times = new Map<string, number>();
  const reflector = new Reflector({
    client,
    path: PODS_PATH,
    store: {
      replace: () => ({ add: () => {}, finish: () => {} }),
      update: (object) => {
        const { metadata, spec } = seenSchema.parse(object);
        if (spec.nodeName && !times.has(metadata.name)) times.set(metadata.name, performance.now());
      },
      delete: () => {},
      forgetVersions: () => {},
    },
    log: () => {},
    random: () => 0.5,
  });
  reflector.start();
  await reflector.synced;
  return { times, stop: () => reflector.stop() };
}

const seenSchema = z.object({
  metadata: z.object({ name: z.string() }),
  spec: z.object({ nodeName: z.string().optional() }),
});

/** Writes to pods and what belongs to them that the API server has answered with success. */
async function writes(client: KubeClient): Promise<number> {
  const metrics = await text(await client.stream('GET', '/metrics'));
  let sum = 0;
  for (const [, labels = '', count] of metrics.matchAll(/^apiserver_request_total\{(.*)\} (\S+)$/gm)) {
    if (
      /resource="pods"/.test(labels) &&
      /verb="(POST|PUT|PATCH|APPLY|DELETE)"/.test(labels) &&
      /code="2/.test(labels)
    ) {
      sum += Number(count);
    }
  }
  return sum;
}
