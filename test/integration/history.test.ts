/** What workloads did before decides what they get: a real Prometheus, the real webhook, a real API server. */

import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import tap, { type Test } from 'tap';
import { z } from 'zod';
import type { KubeClient } from '#src/kube/kube-client.ts';
import { clusterFor } from '../cluster/for-test.ts';
import { isPrometheusInstalled, startPrometheus } from '../cluster/prometheus.ts';
import { startInProcessWebhook } from '../cluster/stack.ts';
import { waitFor } from '../cluster/wait.ts';
import { type MeasuredGpu, pastOf, startDcgmExporter } from '../fakes/dcgm-exporter.ts';
import { exclusiveNode, migNode, mpsNode } from '../objects/nodes.ts';
import { gpuPod } from '../objects/pods.ts';

const KEY = 'gpu-autoscaler.io/';
const DAY = 24 * 3_600;
const HASH = '66b6c48dd5';
const NODES = [
  exclusiveNode({ name: 'whole', gpus: 4 }),
  ...[2, 4, 8].map((replicas) => mpsNode({ name: `mps-${replicas}`, gpus: 1, replicas })),
  migNode({
    name: 'mig',
    gpus: 1,
    layout: { '1g.5gb': 2, '2g.10gb': 1 },
  }),
];

/** A pod of Deployment `name` that had a GPU for itself. */
function measured(name: string, metrics: MeasuredGpu['metrics'], more: Record<string, string> = {}): MeasuredGpu {
  const pod = `${name}-${HASH}-k7x2m`;
  const gpu = { gpu: '0', UUID: `GPU-${name}`, modelName: 'NVIDIA A100-SXM4-40GB', Hostname: 'node' };
  return { labels: { ...gpu, container: 'main', namespace: 'default', pod, ...more }, metrics };
}

const util = (value: MeasuredGpu['metrics'][string]) => ({ DCGM_FI_DEV_GPU_UTIL: value });
/** So many of 20 samples at 5 minutes; a 95th percentile sees two. */
const bursts = (of20: number, low: number, high: number) => (secondsAgo: number) =>
  (secondsAgo / 300) % 20 < of20 ? high : low;

const PAST: readonly MeasuredGpu[] = [
  measured('busy', util(90)),
  measured('bursty', { DCGM_FI_PROF_GR_ENGINE_ACTIVE: bursts(2, 0.02, 1), ...util(99) }),
  measured('lively', util(bursts(3, 20, 100))),
  measured('steady', util(45)),
  measured(
    'calmed',
    util((ago) => (ago > DAY ? bursts(2, 2, 100)(ago) : 10)),
  ),
  measured(
    'long-gone',
    util((ago) => (ago > 7 * DAY + 600 ? 90 : undefined)),
  ),
  measured('measured', { ...util(10), DCGM_FI_DEV_FB_USED: (ago) => (Math.abs(ago - 5 * DAY) < 300 ? 7_000 : 2_000) }),
  measured('filling', { ...util(10), DCGM_FI_DEV_FB_USED: 3_000 }),
  measured('instance', { DCGM_FI_PROF_GR_ENGINE_ACTIVE: 1, ...util(0) }, { GPU_I_PROFILE: '1g.5gb', GPU_I_ID: '7' }),
  measured('sharer', util(100), { vgpu: '3' }),
  { labels: { gpu: '1', UUID: 'GPU-idle', modelName: 'NVIDIA A100-SXM4-40GB' }, metrics: util(100) },
];

/** What an inference pod of each gets, and the words of its trail. */
const CASES: readonly [workload: string, resource: string, says: RegExp][] = [
  ['busy', 'nvidia.com/gpu', /history: 90% of a GPU on average, burstiness 0%: too much to share/],
  [
    'bursty',
    'nvidia.com/gpu.shared',
    /history: 12% .*burstiness 88%: up to 8 may share one.* takes a slot of 1\/8 GPU/,
  ],
  [
    'lively',
    'nvidia.com/gpu.shared',
    /history: 32% .*burstiness 68%: up to 4 may share one.* takes a slot of 1\/4 GPU/,
  ],
  ['steady', 'nvidia.com/gpu.shared', /history: 45% .*burstiness 0%: up to 2 may share one.* takes a slot of 1\/2 GPU/],
  ['calmed', 'nvidia.com/gpu.shared', /history: 1[12]% .*burstiness 0%: up to 2 may share one/],
  ['long-gone', 'nvidia.com/gpu.shared', /no history: nothing is known of Deployment long-gone/],
  ['measured', 'nvidia.com/mig-2g.10gb', /considered MIG: measured 7000Mi and a fifth more needs 2g\.10gb/],
  ['filling', 'nvidia.com/mig-1g.5gb', /considered MIG: measured 3000Mi and a fifth more needs 1g\.5gb/],
  ['instance', 'nvidia.com/gpu.shared', /history: 14% of a GPU on average/],
  ['sharer', 'nvidia.com/gpu.shared', /no history: nothing is known of Deployment sharer/],
  ['live', 'nvidia.com/gpu', /history: 95% .*too much to share/],
  ['live-exported', 'nvidia.com/gpu', /history: 95% .*too much to share/],
  ['newcomer', 'nvidia.com/gpu.shared', /no history: nothing is known of Deployment newcomer/],
];

const decidedSchema = z.object({
  metadata: z.object({ annotations: z.record(z.string(), z.string()).default({}) }),
  spec: z.object({
    containers: z.tuple([z.object({ resources: z.object({ limits: z.record(z.string(), z.string()) }) })]),
  }),
});

/** An inference pod of the Deployment, as its ReplicaSet makes it, in a dry run. */
async function decided(client: KubeClient, workload: string): Promise<{ resource: string; reason: string }> {
  const labels = { [`${KEY}workload-type`]: 'inference', 'pod-template-hash': HASH };
  const pod = gpuPod({ name: `${workload}-probe`, gpus: 1, labels, schedulerName: 'default-scheduler' });
  const owner = {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    name: `${workload}-${HASH}`,
    uid: 'uid',
    controller: true,
  };
  const body = { ...pod, metadata: { name: `${workload}-probe`, labels, ownerReferences: [owner] } };
  const reply = await client.json('POST', '/api/v1/namespaces/default/pods?dryRun=All', { body });
  const { metadata, spec } = decidedSchema.parse(reply);
  return {
    resource: Object.keys(spec.containers[0].resources.limits).join(),
    reason: metadata.annotations[`${KEY}optimization-reason`] ?? '',
  };
}

/** Stands before Prometheus, and holds requests back when told to. */
class Holder {
  holds = false;
  readonly held: [IncomingMessage, ServerResponse][] = [];
  readonly #upstream: string;

  constructor(upstream: string) {
    this.#upstream = upstream;
  }

  /** Its URL; ends with the test. */
  async start(t: Test): Promise<string> {
    const server = createServer((request, response) => {
      if (this.holds) this.held.push([request, response]);
      else pass(this.#upstream, request, response);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.teardown(() => {
      server.close();
      server.closeAllConnections();
    });
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  release(): void {
    this.holds = false;
    for (const [request, response] of this.held.splice(0)) pass(this.#upstream, request, response);
  }
}

function pass(upstream: string, request: IncomingMessage, response: ServerResponse): void {
  const { method = 'GET', url, headers } = request;
  const onward = httpRequest(new URL(url ?? '/', upstream), { method, headers }, (reply) => {
    response.writeHead(reply.statusCode ?? 502, reply.headers);
    reply.pipe(response);
  });
  onward.on('error', () => response.writeHead(502).end('<html>Bad Gateway</html>'));
  request.pipe(onward);
}

const PROBES = 40;

/** ms, of admissions one after the other. */
async function medianAdmission(client: KubeClient): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < PROBES; i += 1) {
    const started = performance.now();
    await decided(client, 'bursty');
    times.push(performance.now() - started);
  }
  return times.sort((a, b) => a - b)[PROBES / 2] ?? Number.NaN;
}

tap.test('history', async (t) => {
  if (!isPrometheusInstalled(t)) return;
  const cluster = await clusterFor(t, { nodes: NODES, kubelets: false });
  if (!cluster) return;
  const { client, dir } = cluster;
  const target = { namespace: 'gpu-operator', pod: 'nvidia-dcgm-exporter-b2c4d' };
  const exporters = await Promise.all(
    ['live', 'live-exported'].map((name) => startDcgmExporter(t, [measured(name, util(95))])),
  );
  const prometheus = await startPrometheus(t, {
    past: pastOf(PAST, { now: new Date(), seconds: 8 * DAY, stepSeconds: 300, target: { job: 'past', ...target } }),
    every: '200ms',
    scrape: exporters.map((host, i) => ({
      job_name: `dcgm-${i}`,
      honor_labels: i === 0,
      static_configs: [{ targets: [host], labels: target }],
    })),
  });
  const holder = new Holder(prometheus.url);
  holder.holds = true;
  const file = join(dir, 'config.yaml');
  const history = { prometheusUrl: `${await holder.start(t)}/`, refreshInterval: '1s' };
  writeFileSync(file, JSON.stringify({ admissionWebhook: { history } }));
  const webhook = await startInProcessWebhook(cluster, file);
  t.teardown(() => webhook.close());

  await t.test('before the first answer decisions do without, and say so', async (t) => {
    await waitFor('Prometheus is asked', () => holder.held.length > 0);
    const { resource, reason } = await decided(client, 'busy');
    t.equal(resource, 'nvidia.com/gpu.shared');
    t.match(reason, /no history: Prometheus has not answered yet/);
  });

  holder.release();
  await waitFor('20 live samples of each', async () => {
    const reasons = await Promise.all(['live', 'live-exported'].map((name) => decided(client, name)));
    return reasons.every(({ reason }) => reason.includes('history: 95%'));
  });
  for (const [workload, resource, says] of CASES) {
    await t.test(`${workload}: ${resource}`, async (t) => {
      const got = await decided(client, workload);
      t.equal(got.resource, resource);
      t.match(got.reason, says);
    });
  }

  await t.test('a Prometheus that holds its answers back: admission takes as long as before', async (t) => {
    const medians = { before: Number.POSITIVE_INFINITY, during: Number.POSITIVE_INFINITY };
    // In turns, and the best of each: others are at work on this machine.
    for (let round = 1; round <= 3; round += 1) {
      holder.release();
      medians.before = Math.min(medians.before, await medianAdmission(client));
      holder.holds = true;
      await waitFor('it is asked, in vain', () => holder.held.length > 0);
      medians.during = Math.min(medians.during, await medianAdmission(client));
    }
    t.comment(`medians: ${medians.before.toFixed(1)} ms before, ${medians.during.toFixed(1)} ms during`);
    t.ok(medians.during < 1.5 * medians.before + 1);
    t.match((await decided(client, 'busy')).reason, /history: 90%/, 'what was known holds');
  });

  await t.test('Prometheus killed: decisions go on, by what was known', async (t) => {
    await prometheus.stop();
    holder.release();
    t.match(await decided(client, 'busy'), { resource: 'nvidia.com/gpu', reason: /history: 90%/ });
    t.match(await decided(client, 'newcomer'), { resource: 'nvidia.com/gpu.shared', reason: /no history/ });
  });
});
