/** Slots that are all taken, or that an MPS daemon keeps for another user: what becomes of pods on the real control plane. */

import tap from 'tap';
import type { KubeClient } from '#src/kube/kube-client.ts';
import { stackFor } from '../cluster/for-test.ts';
import { createPod, deletePod, listPods, nodeOf, refusalOf } from '../cluster/pods.ts';
import { startInProcessWebhook, writeConfiguration } from '../cluster/stack.ts';
import { waitFor } from '../cluster/wait.ts';
import { exclusiveNode, mpsNode } from '../objects/nodes.ts';
import { gpuPod } from '../objects/pods.ts';

const SHARED = 'nvidia.com/gpu.shared';

/** A pod for inference as its author writes it, of a user where one is given. */
function inference(name: string, runAsUser?: number): object {
  const labels = { 'gpu-autoscaler.io/workload-type': 'inference' };
  const spec = runAsUser === undefined ? {} : { securityContext: { runAsUser } };
  return gpuPod({ name, gpus: 1, labels, spec, schedulerName: 'default-scheduler' });
}

/** The webhook hears by its own watch of pods that have gone. */
async function untilShared(client: KubeClient, body: object): Promise<void> {
  await waitFor('a pod shares again', async () => {
    const reply = await client.json('POST', '/api/v1/namespaces/default/pods?dryRun=All', { body });
    return JSON.stringify(reply).includes(SHARED);
  });
}

tap.test('an MPS daemon serves one user at a time', async (t) => {
  const stack = await stackFor(t, {
    nodes: [
      mpsNode({ name: 'mps-1', gpus: 1, replicas: 8 }),
      mpsNode({ name: 'mps-2', gpus: 1, replicas: 8 }),
      exclusiveNode({ name: 'whole', gpus: 1 }),
    ],
  });
  if (!stack?.webhook) return;
  const { client } = stack.cluster;
  const place = async (name: string, runAsUser?: number) => {
    await createPod(client, inference(name, runAsUser));
    return nodeOf(client, name);
  };
  await t.test('pods of three users at once: two daemons, and a whole GPU', async (t) => {
    const names = [1, 2, 3].map((user) => `user-${user}`);
    await Promise.all(names.map((name, i) => createPod(client, inference(name, i + 1))));
    const nodes = await Promise.all(names.map((name) => nodeOf(client, name)));
    t.same(nodes.toSorted(), ['mps-1', 'mps-2', 'whole']);
    for (const name of names) await deletePod(client, name);
    await untilShared(client, inference('probe'));
  });

  const first = await place('root');
  t.match(first, /^mps-/);
  const second = await place('user-1000', 1000);
  t.match(second, /^mps-/);
  t.not(second, first, 'another user goes to another node');
  t.equal(await place('root-2', 0), first, 'the same user goes where it is');
  t.equal(await place('user-1000-2', 1000), second);
  t.equal(await place('user-7', 7), 'whole', 'no daemon is left for a third: it keeps a whole GPU');

  await t.test('by name it waits for the last of the others to go', async (t) => {
    await createPod(
      client,
      gpuPod({ name: 'by-name', resources: { [SHARED]: 1 }, spec: { securityContext: { runAsUser: 7 } } }),
    );
    t.match(
      await refusalOf(client, 'by-name'),
      /2 WrongUser: the MPS daemon of the node serves another user than that of the pod/,
    );
    await deletePod(client, 'user-1000');
    await deletePod(client, 'user-1000-2');
    t.equal(await nodeOf(client, 'by-name'), second);
  });
});

tap.test('whenFull: wholeGpu, and as many pods at once as there are slots and a few more', async (t) => {
  const stack = await stackFor(t, {
    webhook: false,
    nodes: [mpsNode({ name: 'mps', gpus: 2, replicas: 8 }), exclusiveNode({ name: 'whole', gpus: 8 })],
  });
  if (!stack) return;
  const { cluster } = stack;
  const webhook = await startInProcessWebhook(
    cluster,
    writeConfiguration(cluster, { sharing: { whenFull: 'wholeGpu' } }),
  );
  t.teardown(() => webhook.close());
  const names = Array.from({ length: 20 }, (_, i) => `fill-${i}`);
  await Promise.all(names.map((name) => createPod(cluster.client, inference(name))));
  const nodes = await Promise.all(names.map((name) => nodeOf(cluster.client, name)));
  t.equal(nodes.filter((node) => node === 'mps').length, 16, 'every slot is used');
  t.equal(nodes.filter((node) => node === 'whole').length, 4, 'the others have whole GPUs, and none waits');
  await deletePod(cluster.client, names[nodes.indexOf('mps')] ?? '');
  await waitFor('it has gone', async () => (await listPods(cluster.client)).length === 19);
  await untilShared(cluster.client, inference('probe'));
  t.pass('what is free again is shared again');
});
