/** The webhook between a real API server and its users. */

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { get } from 'node:https';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import tap from 'tap';
import { parse } from 'yaml';
import { KubeError } from '#src/kube/kube-client.ts';
import { stackFor } from '../cluster/for-test.ts';
import { createPod, type Pod } from '../cluster/pods.ts';
import { exclusiveNode, migNode, mpsNode, timeSlicingNode } from '../objects/nodes.ts';
import { gpuPod } from '../objects/pods.ts';

const EXAMPLES = resolve(import.meta.dirname, '../../examples');
const KEY = 'gpu-autoscaler.io/';

interface Manifest {
  readonly metadata: { readonly name: string; readonly annotations?: object };
  readonly spec: { readonly containers: readonly object[] };
}

function example(file: string): Manifest {
  return parse(readFileSync(join(EXAMPLES, file), 'utf8')) as Manifest;
}

function resourcesOf({ spec }: Pod): unknown {
  return spec.containers.map(({ resources }) => ({ requests: resources.requests, limits: resources.limits }));
}

tap.test('pods of a real API server', async (t) => {
  const stack = await stackFor(t, {
    nodes: [
      exclusiveNode({ name: 'whole', gpus: 1 }),
      mpsNode({ name: 'mps', gpus: 1, replicas: 8 }),
      timeSlicingNode({ name: 'timeslicing', gpus: 1, replicas: 4 }),
      migNode({ name: 'mig', gpus: 1, layout: { '1g.5gb': 7 } }),
    ],
  });
  if (!stack) return;
  const { client } = stack.cluster;
  const create = (manifest: object, namespace?: string) => createPod(client, manifest, namespace);

  const examples: readonly [file: string, strategy: string, resource: string][] = [
    ['inference-mps.yaml', 'mps', 'nvidia.com/gpu.shared'],
    ['phase2/pod-mig.yaml', 'mig', 'nvidia.com/mig-1g.5gb'],
    ['notebook-timeslicing.yaml', 'timeslicing', 'nvidia.com/gpu.shared'],
  ];
  for (const [file, strategy, resource] of examples) {
    await t.test(`examples/${file}: requests alone become request = limit of ${resource}`, async (t) => {
      const pod = await create(example(file));
      t.same(resourcesOf(pod), [{ requests: { [resource]: '1' }, limits: { [resource]: '1' } }]);
      t.equal(pod.spec.schedulerName, 'gpu-autoscaler-scheduler');
      t.match(pod.metadata.annotations, {
        [`${KEY}original-gpu-request`]: '1',
        [`${KEY}optimized`]: 'true',
        [`${KEY}optimization-strategy`]: strategy,
        [`${KEY}optimization-timestamp`]: /^\d{4}-\d\d-\d\dT/,
        [`${KEY}optimization-reason`]: String,
      });
    });
  }

  await t.test('training keeps its whole GPU, and our scheduler places it', async (t) => {
    const manifest = example('notebook-timeslicing.yaml');
    const metadata = { name: 'training', labels: { [`${KEY}workload-type`]: 'training' } };
    const pod = await create({ ...manifest, metadata });
    t.same(resourcesOf(pod), [{ requests: { 'nvidia.com/gpu': '1' }, limits: { 'nvidia.com/gpu': '1' } }]);
    t.equal(pod.spec.schedulerName, 'gpu-autoscaler-scheduler');
    t.equal(pod.metadata.annotations[`${KEY}optimization-strategy`], 'exclusive');
  });

  await t.test('a limit without a request will do as well', async (t) => {
    const containers = [{ name: 'main', image: 'none', resources: { limits: { 'nvidia.com/gpu': 1 } } }];
    const labels = { [`${KEY}workload-type`]: 'inference' };
    const pod = await create({
      ...example('inference-mps.yaml'),
      metadata: { name: 'limits', labels },
      spec: { containers },
    });
    t.same(resourcesOf(pod), [
      { requests: { 'nvidia.com/gpu.shared': '1' }, limits: { 'nvidia.com/gpu.shared': '1' } },
    ]);
  });

  await t.test('optimize: "false" leaves a pod as it is', async (t) => {
    const labels = { [`${KEY}workload-type`]: 'inference' };
    const annotations = { [`${KEY}optimize`]: 'false' };
    const pod = await create(
      gpuPod({ name: 'opted-out', gpus: 1, labels, annotations, schedulerName: 'default-scheduler' }),
    );
    t.same(resourcesOf(pod), [{ requests: { 'nvidia.com/gpu': '1' }, limits: { 'nvidia.com/gpu': '1' } }]);
    t.equal(pod.spec.schedulerName, 'default-scheduler');
    t.same(pod.metadata.annotations, annotations);
  });

  await t.test('pods of an exempt namespace are left as they are', async (t) => {
    const labels = { [`${KEY}workload-type`]: 'inference' };
    const pod = await create(
      gpuPod({ name: 'exempt', gpus: 1, labels, schedulerName: 'default-scheduler' }),
      'kube-system',
    );
    t.equal(pod.spec.schedulerName, 'default-scheduler');
    t.same(pod.metadata.annotations, {});
  });

  await t.test('pods without a GPU do not even reach us', async (t) => {
    const before = await decisions();
    const pod = await create(gpuPod({ name: 'cpu', schedulerName: 'default-scheduler' }));
    t.equal(pod.spec.schedulerName, 'default-scheduler');
    t.equal(await decisions(), before);
    await create(gpuPod({ name: 'one-more', gpus: 1, schedulerName: 'default-scheduler' }));
    t.equal(await decisions(), before + 1);
  });

  await t.test('an unknown annotation value: admitted as it is, and the author is warned', async (t) => {
    const annotations = { [`${KEY}sharing-mode`]: 'turbo' };
    const body = gpuPod({ name: 'warned', gpus: 1, annotations, schedulerName: 'default-scheduler' });
    const reply = await client.stream('POST', '/api/v1/namespaces/default/pods', { body });
    t.match(reply.headers.warning, /gpu-autoscaler\.io\/sharing-mode: .*turbo.* is not one of mig, mps/);
    reply.resume();
  });

  await t.test('without the webhook pods are admitted as they are (it fails open)', async (t) => {
    await stack.webhook?.close();
    const labels = { [`${KEY}workload-type`]: 'inference' };
    const pod = await create(gpuPod({ name: 'alone', gpus: 1, labels, schedulerName: 'default-scheduler' }));
    t.equal(pod.spec.schedulerName, 'default-scheduler');
    // Which is why examples with requests alone need us: the API server itself takes no request without a limit.
    const { spec } = example('inference-mps.yaml');
    const refused = await create({ ...example('inference-mps.yaml'), metadata: { name: 'alone-2' }, spec }).catch(
      (error) => error,
    );
    t.ok(refused instanceof KubeError);
    t.match(refused, { status: 422, message: /Limit must be set for non overcommitable resources/ });
  });

  async function decisions(): Promise<number> {
    const reply = await fetchMetrics(stack?.webhook?.url ?? '');
    return [...reply.matchAll(/^gpu_autoscaler_webhook_decisions_total\{.*\} (\d+)$/gm)].reduce(
      (sum, [, count]) => sum + Number(count),
      0,
    );
  }
});

/** Its certificate is its own authority. */
async function fetchMetrics(url: string): Promise<string> {
  const asked = get(`${url}/metrics`, { rejectUnauthorized: false, agent: false });
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  return text(response);
}
