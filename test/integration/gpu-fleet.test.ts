/** Emulated GPU nodes at a real API server, with a stock kube-scheduler in front. */

import tap from 'tap';
import { z } from 'zod';
import type { KubeClient } from '#src/kube/kube-client.ts';
import { GpuFleet } from '#src/sandbox/gpu-node/fleet.ts';
import type { GpuNodeSpec } from '#src/sandbox/gpu-node/node.ts';
import { NVIDIA, scaledClock } from '#src/sandbox/gpu-node/timing.ts';
import { clusterFor } from '../cluster/for-test.ts';
import { createPod, deletePod, findPod, nodeOf } from '../cluster/pods.ts';
import { waitFor } from '../cluster/wait.ts';
import { gpuPod } from '../objects/pods.ts';

const MERGE = 'application/merge-patch+json';
const DEPLOYED = 'nvidia.com/gpu.deploy.device-plugin';
const text = z.record(z.string(), z.string());
const nodeSchema = z.object({
  metadata: z.object({ labels: text, annotations: text.optional() }),
  status: z.object({
    allocatable: text,
    conditions: z.array(z.object({ type: z.string(), status: z.string() })).optional(),
  }),
});

async function readNode(client: KubeClient, name: string) {
  return nodeSchema.parse(await client.json('GET', `/api/v1/nodes/${name}`));
}

async function setData(client: KubeClient, configMap: string, data: Record<string, string>): Promise<void> {
  const path = `/api/v1/namespaces/default/configmaps/${configMap}`;
  await client.json('PATCH', path, { body: { data }, contentType: MERGE });
}

async function label(client: KubeClient, name: string, labels: Record<string, string>): Promise<void> {
  await client.json('PATCH', `/api/v1/nodes/${name}`, { body: { metadata: { labels } }, contentType: MERGE });
}

const A100 = { gpus: 1, product: 'NVIDIA-A100-SXM4-40GB', memoryMiB: 40_960 };
const CONFIG_MAPS = { plugin: 'default/plugin', mig: 'default/mig' };

function fleetOf(client: KubeClient, nodes: readonly GpuNodeSpec[]): GpuFleet {
  return new GpuFleet({
    client,
    nodes,
    configMaps: CONFIG_MAPS,
    clock: scaledClock(100),
    timing: NVIDIA,
    seed: 1,
    log: () => {},
  });
}

tap.test('NVIDIA’s components, played: ConfigMaps and labels in, resources, labels and running pods out', async (t) => {
  const cluster = await clusterFor(t, { kubelets: false, scheduler: {} });
  if (!cluster) return;
  const { client } = cluster;
  for (const name of ['plugin', 'mig']) {
    await client.json('POST', '/api/v1/namespaces/default/configmaps', { body: { metadata: { name }, data: {} } });
  }
  const fleet = fleetOf(client, [
    { ...A100, name: 'a100', gpus: 2 },
    { name: 't4', gpus: 1, product: 'Tesla-T4', memoryMiB: 15_360 },
  ]);
  t.teardown(() => fleet.stop());
  await fleet.start();
  t.match((await readNode(client, 'a100')).status.allocatable, { 'nvidia.com/gpu': '2' });

  const slices = 'sharing: {timeSlicing: {renameByDefault: true, resources: [{name: nvidia.com/gpu, replicas: 4}]}}';
  await setData(client, 'plugin', {
    mixed: 'version: v1\nflags: {migStrategy: mixed}',
    four: `version: v1\n${slices}`,
  });
  const seven = 'seven: [{devices: all, mig-enabled: true, mig-devices: {1g.5gb: 7}}]';
  await setData(client, 'mig', { 'config.yaml': `version: v1\nmig-configs: {${seven}}` });
  await label(client, 't4', { 'nvidia.com/device-plugin.config': 'four' });
  await label(client, 'a100', { 'nvidia.com/device-plugin.config': 'mixed' });

  // The ConfigMap has to reach the volumes of the node before its label may be set: until then mig-manager fails.
  await waitFor('mig-manager has cut the GPUs', async () => {
    const { metadata } = await readNode(client, 'a100');
    if (metadata.labels['nvidia.com/mig.config.state'] === 'success') return true;
    const again = metadata.labels['nvidia.com/mig.config'] === 'seven' ? 'not-there' : 'seven';
    if (metadata.labels['nvidia.com/mig.config.state'] !== 'pending')
      await label(client, 'a100', { 'nvidia.com/mig.config': again });
    return false;
  });
  await waitFor('both nodes offer what they should', async () => {
    const [a100, t4] = [await readNode(client, 'a100'), await readNode(client, 't4')];
    return (
      a100.status.allocatable['nvidia.com/mig-1g.5gb'] === '14' &&
      t4.status.allocatable['nvidia.com/gpu.shared'] === '4'
    );
  });

  const pods = { instance: 'nvidia.com/mig-1g.5gb', slot: 'nvidia.com/gpu.shared' };
  for (const [name, resource] of Object.entries(pods)) {
    await createPod(client, gpuPod({ name, resources: { [resource]: 1 }, schedulerName: 'default-scheduler' }));
  }
  t.equal(await nodeOf(client, 'instance'), 'a100');
  t.equal(await nodeOf(client, 'slot'), 't4');
  for (const name of Object.keys(pods)) {
    const pod = await waitFor(`${name} runs`, async () => {
      const found = await findPod(client, name);
      return found?.status.phase === 'Running' && found;
    });
    t.equal(fleet.node(name === 'slot' ? 't4' : 'a100').devicesOf(pod.metadata.uid).length, 1);
  }
});

tap.test('pods that are bound to emulated nodes', async (t) => {
  const cluster = await clusterFor(t, { kubelets: false });
  if (!cluster) return;
  const { client } = cluster;
  const fleet = fleetOf(client, [{ ...A100, name: 'a' }]);
  t.teardown(() => fleet.stop());
  await fleet.start();
  const run = async (name: string) => {
    const manifest = gpuPod({ name, resources: { 'nvidia.com/gpu': 1 } });
    const { spec } = manifest as { spec: object };
    return createPod(client, { ...manifest, spec: { ...spec, nodeName: 'a' } });
  };
  const phase = (name: string, wanted: string) =>
    waitFor(`${name} is ${wanted}`, async () => (await findPod(client, name))?.status.phase === wanted);

  const first = await run('first');
  await phase('first', 'Running');
  const second = await run('second');
  await phase('second', 'Failed');
  t.strictSame(fleet.node('a').refused, [second.metadata.uid]);
  // As an eviction does: with the grace that the pod asks for.
  for (const name of ['first', 'second']) await client.json('DELETE', `/api/v1/namespaces/default/pods/${name}`);
  await waitFor('they have gone', async () => !(await findPod(client, 'first')) && !(await findPod(client, 'second')));
  t.strictSame(fleet.node('a').devicesOf(first.metadata.uid), []);

  await run('first');
  await phase('first', 'Running');
  t.strictSame(fleet.node('a').harmed, []);
  // The plugin follows its label, whoever sets it.
  const offered = async () => (await readNode(client, 'a')).status.allocatable['nvidia.com/gpu'];
  await label(client, 'a', { [DEPLOYED]: 'paused-for-mig-change' });
  await waitFor('the plugin has gone', async () => (await offered()) === '0');
  await label(client, 'a', { [DEPLOYED]: 'true' });
  await waitFor('the plugin is back', async () => (await offered()) === '1');
  await deletePod(client, 'first');
});

tap.test('a status is for one pod, not for the next of its name', async (t) => {
  const cluster = await clusterFor(t, { kubelets: false });
  if (!cluster) return;
  const { client } = cluster;
  const { metadata } = await createPod(client, gpuPod({ name: 'twin', resources: { 'nvidia.com/gpu': 1 } }));
  await deletePod(client, 'twin');
  await createPod(client, gpuPod({ name: 'twin', resources: { 'nvidia.com/gpu': 1 } }));
  const body = { metadata: { uid: metadata.uid }, status: { phase: 'Failed' } };
  const path = '/api/v1/namespaces/default/pods/twin/status';
  const refusal = await client.json('PATCH', path, { body, contentType: MERGE }).catch((error: unknown) => error);
  t.match(refusal, { status: 422, message: /metadata\.uid/ });
});

tap.test('a thousand nodes come up in little time, with the labels that are asked for', async (t) => {
  const cluster = await clusterFor(t, { kubelets: false });
  if (!cluster) return;
  const { client } = cluster;
  const labels = { 'topology.kubernetes.io/zone': 'north' };
  const annotations = { 'example.com/rack': '7' };
  const taken = { name: 'n0', labels: { pool: 'taken', 'topology.kubernetes.io/zone': 'south' } };
  await client.json('POST', '/api/v1/nodes', {
    body: { metadata: taken, status: { allocatable: { 'nvidia.com/gpu.shared': '8', 'example.com/nic': '1' } } },
  });
  const nodes = Array.from({ length: 1_000 }, (_, i) => ({ ...A100, name: `n${i}`, labels, annotations }));
  const fleet = fleetOf(client, nodes);
  t.teardown(() => fleet.stop());
  const from = performance.now();
  await fleet.start();
  const seconds = (performance.now() - from) / 1_000;
  t.comment(`${seconds.toFixed(1)} s`);
  t.ok(seconds < 60);

  const list = z.object({ items: z.array(nodeSchema) });
  const { items } = list.parse(await client.json('GET', '/api/v1/nodes'));
  t.equal(items.length, 1_000);
  const isUp = ({ metadata, status }: z.infer<typeof nodeSchema>) =>
    metadata.labels['topology.kubernetes.io/zone'] === 'north' &&
    metadata.labels['nvidia.com/gpu.count'] === '1' &&
    metadata.labels[DEPLOYED] === 'true' &&
    metadata.annotations?.['example.com/rack'] === '7' &&
    status.allocatable['nvidia.com/gpu'] === '1' &&
    status.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True');
  t.strictSame(
    items.filter((node) => !isUp(node)),
    [],
  );
  const { metadata, status } = await readNode(client, 'n0');
  t.equal(metadata.labels.pool, 'taken');
  t.equal(status.allocatable['nvidia.com/gpu.shared'], undefined, 'what it offered before is forgotten');
  t.equal(status.allocatable['example.com/nic'], '1', 'but not what is no GPU');
});
