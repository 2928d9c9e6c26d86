/** The GPUs of an allocation record, against those that an emulated kubelet gives: the device plugin has the last word. */

import tap from 'tap';
import { NODE_CONFIGS } from '#src/api/custom-resources.ts';
import { createCustom } from '../../cluster/custom-resources.ts';
import { A100 } from '../../cluster/emulated.ts';
import { stackFor } from '../../cluster/for-test.ts';
import { comesTo } from '../../cluster/node-configs.ts';
import { createPod, deletePod, findPod, nodeOf } from '../../cluster/pods.ts';
import { waitFor } from '../../cluster/wait.ts';
import { devicePluginSet } from '../../objects/nvidia-components.ts';
import { gpuPod } from '../../objects/pods.ts';

tap.test('which GPU serves a slot is said where the device plugin is known to pack', async (t) => {
  const stack = await stackFor(t, {
    controller: true,
    webhook: false,
    fleet: { speed: 60, nodes: [{ name: 'n', ...A100 }] },
  });
  if (!stack?.fleet) return;
  const { cluster, fleet, extender } = stack;
  const { client } = cluster;
  await createCustom(client, NODE_CONFIGS, 'n', { nodeName: 'n', timeSlicingEnabled: true, timeSlicingReplicas: 4 });
  await comesTo(client, 'n', 'Ready');

  /** Makes the pod; the GPUs of its record, and the one that it was given. */
  const place = async (name: string) => {
    await createPod(client, gpuPod({ name, resources: { 'nvidia.com/gpu.shared': 1 } }));
    await nodeOf(client, name);
    const pod = await findPod(client, name);
    if (!pod) throw new Error(`${name} has gone`);
    const { metadata } = pod;
    const devices = await waitFor(`${name} is admitted`, () => {
      const given = fleet.node('n').devicesOf(metadata.uid);
      return given.length > 0 && given;
    });
    const record = JSON.parse(metadata.annotations['gpu-autoscaler.io/allocation'] ?? '{}');
    return { said: record.gpus, given: devices.map(({ gpu }) => gpu) };
  };

  t.equal((await place('early')).said, undefined, 'no device plugin is seen: the node alone');
  await client.json('POST', '/api/v1/namespaces', { body: { metadata: { name: 'gpu-operator' } } });
  const body = devicePluginSet();
  await client.json('POST', '/apis/apps/v1/namespaces/gpu-operator/daemonsets', { body });
  const node = () => extender.state.nodes.get('n');
  await waitFor('the extender has seen it', () => {
    const record = node();
    return record !== undefined && extender.state.devicePlugins.packsOn(record);
  });
  for (let i = 0; i < 5; i += 1) {
    const { said, given } = await place(`pod-${i}`);
    t.same(said, given, `pod-${i}`);
  }
  for (const name of ['pod-0', 'pod-4']) await deletePod(client, name);
  await waitFor('they have gone', () => extender.state.ledger.freeSlots('n', 'nvidia.com/gpu.shared') === 4);
  for (const name of ['late-1', 'late-2']) {
    const { said, given } = await place(name);
    t.same(said, given, name);
  }
});
