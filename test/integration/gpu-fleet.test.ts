/** Emulated GPU nodes at a real API server, with a stock kube-scheduler in front. */

import tap from 'tap';
import { z } from 'zod';
import type { KubeClient } from '../../src/cluster/kube-client.ts';
import { GpuFleet } from '../../src/sandbox/gpu-node/fleet.ts';
import { NVIDIA, scaledClock } from '../../src/sandbox/gpu-node/timing.ts';
import { clusterFor } from '../cluster/for-test.ts';
import { createPod, findPod, gpuPod, nodeOf } from '../cluster/pods.ts';
import { waitFor } from '../cluster/wait.ts';

const MERGE = 'application/merge-patch+json';
const nodeSchema = z.object({
  metadata: z.object({ labels: z.record(z.string(), z.string()) }),
  status: z.object({ allocatable: z.record(z.string(), z.string()) }),
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

tap.test('NVIDIA’s components, played: ConfigMaps and labels in, resources, labels and running pods out', async (t) => {
  const cluster = await clusterFor(t, { kubelets: false, scheduler: {} });
  if (!cluster) return;
  const { client } = cluster;
  for (const name of ['plugin', 'mig']) {
    await client.json('POST', '/api/v1/namespaces/default/configmaps', { body: { metadata: { name }, data: {} } });
  }
  const fleet = new GpuFleet({
    client,
    nodes: [
      { name: 'a100', gpus: 2, product: 'NVIDIA-A100-SXM4-40GB', memoryMiB: 40_960 },
      { name: 't4', gpus: 1, product: 'Tesla-T4', memoryMiB: 15_360 },
    ],
    configMaps: { plugin: 'default/plugin', mig: 'default/mig' },
    clock: scaledClock(100),
    timing: NVIDIA,
    seed: 1,
    log: () => {},
  });
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
