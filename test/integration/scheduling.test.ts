/** What kube-scheduler does with our configuration: who reaches us, and whose preferences count. */

import { setTimeout as sleep } from 'node:timers/promises';
import tap from 'tap';
import { allMigProfiles } from '#src/core/gpu-catalog.ts';
import { migResource, SHARED_GPU, sharedName, WHOLE_GPU } from '#src/core/resources.ts';
import { stackFor } from '../cluster/for-test.ts';
import { createPod, nodeOf, refusalOf } from '../cluster/pods.ts';
import { requests } from '../cluster/requests.ts';
import { shippedConfig } from '../cluster/scheduler-config.ts';
import { exclusiveNode } from '../objects/nodes.ts';
import { gpuPod } from '../objects/pods.ts';

tap.test('the configuration sends us pods of every resource that the device plugin may expose', async (t) => {
  const names = shippedConfig().extenders[0].managedResources.map(({ name }) => name);
  const instances = allMigProfiles().map(migResource);
  t.same(names, [WHOLE_GPU, SHARED_GPU, ...instances, ...instances.map(sharedName)]);
});

tap.test('on a real kube-scheduler', async (t) => {
  const stack = await stackFor(t, {
    webhook: false,
    nodes: ['node-1', 'node-2', 'node-3'].map((name) =>
      exclusiveNode({ name, gpus: 4, labels: { disk: name === 'node-3' ? 'fast' : 'slow' } }),
    ),
  });
  if (!stack) return;
  const { extender } = stack;
  const { client } = stack.cluster;
  await stack.cluster.startScheduler({});

  await t.test('pods that ask for no GPU never reach us, whoever schedules them', async (t) => {
    await createPod(client, gpuPod({ name: 'cpu-ours' }));
    await createPod(client, gpuPod({ name: 'cpu-default', schedulerName: 'default-scheduler' }));
    await nodeOf(client, 'cpu-ours');
    await nodeOf(client, 'cpu-default');
    t.equal(await requests(extender), 0);
    await createPod(client, gpuPod({ name: 'gpu', gpus: 1 }));
    t.equal(await nodeOf(client, 'gpu'), 'node-1');
    t.ok((await requests(extender)) >= 2, 'a GPU pod is filtered and bound by us');
  });

  await t.test('of equal nodes exactly one is best: the same every time', async (t) => {
    for (const name of ['even-1', 'even-2', 'even-3']) {
      await createPod(client, gpuPod({ name, gpus: 1 }));
      t.equal(await nodeOf(client, name), 'node-1');
    }
  });

  await t.test('a preference that the author of the pod wrote outweighs packing', async (t) => {
    const fast = { matchExpressions: [{ key: 'disk', operator: 'In', values: ['fast'] }] };
    const affinity = {
      nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, preference: fast }] },
    };
    await createPod(client, gpuPod({ name: 'packed', gpus: 1 }));
    t.equal(await nodeOf(client, 'packed'), 'node-2', 'node-1 is full');
    await createPod(client, gpuPod({ name: 'prefers-fast', gpus: 1, spec: { affinity } }));
    t.equal(await nodeOf(client, 'prefers-fast'), 'node-3');
  });

  await t.test('a pod that fits nowhere says why, and in the same words at each try', async (t) => {
    await createPod(
      client,
      gpuPod({ name: 'large', gpus: 1, annotations: { 'gpu-autoscaler.io/gpu-memory': '60Gi' } }),
    );
    const message = await refusalOf(client, 'large');
    t.match(message, /SlotTooSmall: a slot of nvidia\.com\/gpu has less GPU memory than the pod declares/);

    // Its own condition is an update of the pod: words that changed would have it tried for ever.
    await sleep(1_000);
    const before = await requests(extender);
    await sleep(4_000);
    t.equal(await requests(extender), before, 'on an idle cluster nobody asks us');
  });
});
