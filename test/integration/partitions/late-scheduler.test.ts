/**
 * A kube-scheduler whose watch is late goes on seeing slots that are gone. While partitions change, the extender alone
 * stands between it and a kubelet that would refuse its pods for good.
 */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import tap from 'tap';
import { NODE_CONFIGS } from '#src/api/custom-resources.ts';
import { NVIDIA } from '#src/sandbox/gpu-node/timing.ts';
import { createCustom, installDefinitions } from '../../cluster/custom-resources.ts';
import { A100 } from '../../cluster/emulated.ts';
import { clusterFor } from '../../cluster/for-test.ts';
import { startLaggingApi } from '../../cluster/lagging-api.ts';
import { comesTo, isMarked, patchConfig, readNode } from '../../cluster/node-configs.ts';
import { createPod, deletePod, listPods } from '../../cluster/pods.ts';
import {
  startFleet,
  startInProcessController,
  startInProcessExtender,
  writeConfiguration,
} from '../../cluster/stack.ts';
import { waitFor } from '../../cluster/wait.ts';
import { gpuPod } from '../../objects/pods.ts';

const LAG_MS = 400;
const ROUNDS = 4;
const SPEED = 20;
const TIMING = { ...NVIDIA, volumeSync: [1_000, 8_000], featureLag: [1_000, 5_000], reload: [4_000, 6_000] } as const;

tap.test('pods that a late scheduler wants to bind in the gap are held back, and come in after it', async (t) => {
  const cluster = await clusterFor(t, { kubelets: false });
  if (!cluster) return;
  const { client } = cluster;
  await installDefinitions(client);
  const node = { name: 'n', ...A100 };
  const fleet = await startFleet(cluster, { nodes: [node], speed: SPEED, timing: TIMING });
  t.teardown(() => fleet.stop());
  const configurationFile = writeConfiguration(cluster, { reconciler: { propagation: '9s' } });
  const extender = await startInProcessExtender(cluster, 'bestfit');
  t.teardown(() => extender.close());
  await extender.ready;
  const late = await startLaggingApi(cluster, LAG_MS);
  t.teardown(() => late.close());
  const kubeconfig = join(cluster.dir, 'late.kubeconfig');
  writeFileSync(kubeconfig, late.kubeConfig.exportConfig());
  await cluster.startScheduler({
    extenderUrl: extender.url,
    edit: (config) => ({
      ...config,
      clientConnection: { ...config.clientConnection, kubeconfig },
      podInitialBackoffSeconds: 1,
      podMaxBackoffSeconds: 1,
    }),
  });
  const controller = await startInProcessController(cluster, { configurationFile, speed: SPEED });
  t.teardown(() => controller.close());

  await createCustom(client, NODE_CONFIGS, 'n', { nodeName: 'n', timeSlicingEnabled: true, timeSlicingReplicas: 16 });
  await comesTo(client, 'n', 'Ready');
  let created = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    await patchConfig(client, 'n', { timeSlicingReplicas: round % 2 === 0 ? 20 : 16 });
    await waitFor('it is marked', async () => isMarked(await readNode(client, 'n')));
    const changing = comesTo(client, 'n', 'Ready').then(() => true);
    // Few enough to find room in the end.
    for (let i = 0; i < 30 && !(await Promise.race([changing, sleep(40, false)])); i += 1) {
      created += 1;
      await createPod(client, gpuPod({ name: `p${created}`, resources: { 'nvidia.com/gpu.shared': 1 } }));
    }
    await changing;
    await waitFor('all of them run', async () => {
      const pods = await listPods(client);
      return pods.every(({ status }) => status.phase === 'Running' || status.phase === 'Failed');
    });
    for (const { metadata } of await listPods(client)) await deletePod(client, metadata.name);
  }
  const { refused, harmed, overlapped } = fleet.node('n');
  t.strictSame({ refused, harmed, overlapped }, { refused: [], harmed: [], overlapped: [] });
  t.ok(created > 30, `${created} pods came while the node changed`);
});
