/** What kube-scheduler does with our configuration: who reaches us, and whose preferences count. */

import { setTimeout as sleep } from 'node:timers/promises';
import tap from 'tap';
import { z } from 'zod';
import { allMigProfiles } from '../../src/core/gpu-catalog.ts';
import { migResource } from '../../src/core/resources.ts';
import { stackFor } from '../cluster/for-test.ts';
import { exclusiveNode } from '../cluster/gpu-nodes.ts';
import { createPod, gpuPod, listPods } from '../cluster/pods.ts';
import { shippedConfig } from '../cluster/scheduler-config.ts';
import type { Stack } from '../cluster/stack.ts';
import { waitFor } from '../cluster/wait.ts';

tap.test('the configuration sends us pods of every resource that the device plugin may expose', async (t) => {
  const names = shippedConfig().extenders[0].managedResources.map(({ name }) => name);
  t.same(names, ['nvidia.com/gpu', 'nvidia.com/gpu.shared', ...allMigProfiles().map(migResource)]);
});

tap.test('on a real kube-scheduler', async (t) => {
  const stack = await stackFor(t, {
    webhook: false,
    nodes: ['node-1', 'node-2', 'node-3'].map((name) =>
      exclusiveNode({ name, gpus: 4, labels: { disk: name === 'node-3' ? 'fast' : 'slow' } }),
    ),
  });
  if (!stack) return;
  const { client } = stack.cluster;
  await stack.cluster.startScheduler({});

  await t.test('pods that ask for no GPU never reach us, whoever schedules them', async (t) => {
    await createPod(client, gpuPod({ name: 'cpu-ours' }));
    await createPod(client, gpuPod({ name: 'cpu-default', schedulerName: 'default-scheduler' }));
    await nodeOf(stack, 'cpu-ours');
    await nodeOf(stack, 'cpu-default');
    t.equal(await requests(stack), 0);
    await createPod(client, gpuPod({ name: 'gpu', gpus: 1 }));
    t.equal(await nodeOf(stack, 'gpu'), 'node-1');
    t.ok((await requests(stack)) >= 2, 'a GPU pod is filtered and bound by us');
  });

  await t.test('of equal nodes exactly one is best: the same every time', async (t) => {
    for (const name of ['even-1', 'even-2', 'even-3']) {
      await createPod(client, gpuPod({ name, gpus: 1 }));
      t.equal(await nodeOf(stack, name), 'node-1');
    }
  });

  await t.test('a preference that the author of the pod wrote outweighs packing', async (t) => {
    const fast = { matchExpressions: [{ key: 'disk', operator: 'In', values: ['fast'] }] };
    const affinity = {
      nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, preference: fast }] },
    };
    await createPod(client, gpuPod({ name: 'packed', gpus: 1 }));
    t.equal(await nodeOf(stack, 'packed'), 'node-2', 'node-1 is full');
    await createPod(client, gpuPod({ name: 'prefers-fast', gpus: 1, spec: { affinity } }));
    t.equal(await nodeOf(stack, 'prefers-fast'), 'node-3');
  });

  await t.test('a pod that fits nowhere says why, and in the same words at each try', async (t) => {
    await createPod(
      client,
      gpuPod({ name: 'large', gpus: 1, annotations: { 'gpu-autoscaler.io/gpu-memory': '60Gi' } }),
    );
    const message = await waitFor('the pod is refused', async () => {
      const pod = (await listPods(client)).find(({ metadata }) => metadata.name === 'large');
      return pod?.status.conditions.find(({ reason }) => reason === 'Unschedulable')?.message;
    });
    t.match(message, /SlotTooSmall: a slot of nvidia\.com\/gpu has less GPU memory than the pod declares/);

    // Its own condition is an update of the pod: words that changed would have it tried for ever.
    await sleep(1_000);
    const before = await requests(stack);
    await sleep(4_000);
    t.equal(await requests(stack), before, 'on an idle cluster nobody asks us');
  });
});

async function nodeOf({ cluster }: Stack, name: string): Promise<string> {
  return waitFor(`${name} is bound`, async () => {
    const pod = (await listPods(cluster.client)).find(({ metadata }) => metadata.name === name);
    return pod?.spec.nodeName;
  });
}

/** Requests of kube-scheduler that we have answered, as our own metrics count them. */
async function requests({ extender }: Stack): Promise<number> {
  const text = await (await fetch(`${extender.url}/metrics`)).text();
  const counts = text.matchAll(/^gpu_autoscaler_extender_request_duration_seconds_count\{.*\} (\d+)$/gm);
  return [...counts].reduce((sum, [, count]) => sum + z.coerce.number().parse(count), 0);
}
