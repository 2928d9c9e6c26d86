/** Nodes whose GPUs DRA serves under the name of the device plugin's: kube-scheduler judges them, we do not stand in the way. */

import tap from 'tap';
import type { KubeClient } from '#src/kube/kube-client.ts';
import { stackFor } from '../cluster/for-test.ts';
import { createPod, findPod, nodeOf, refusalOf } from '../cluster/pods.ts';
import { waitFor } from '../cluster/wait.ts';
import { exclusiveNode, type NodeManifest } from '../objects/nodes.ts';
import { gpuPod } from '../objects/pods.ts';

const RESOURCE = '/apis/resource.k8s.io/v1';

/** As its DRA driver leaves it: nothing of a GPU in allocatable, GPU Feature Discovery or not. */
function draNode(name: string, labels: Readonly<Record<string, string>> = {}): NodeManifest {
  const amounts = { cpu: '96', memory: '768Gi', pods: '110' };
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { 'kubernetes.io/hostname': name, ...labels } },
    status: { allocatable: amounts, capacity: amounts },
  };
}

/** The class that NVIDIA's driver brings. */
const DEVICE_CLASS = {
  apiVersion: 'resource.k8s.io/v1',
  kind: 'DeviceClass',
  metadata: { name: 'gpu.nvidia.com' },
  spec: {
    extendedResourceName: 'nvidia.com/gpu',
    selectors: [{ cel: { expression: "device.driver == 'gpu.nvidia.com'" } }],
  },
};

async function publish(client: KubeClient, node: string, gpus: number): Promise<void> {
  const body = {
    apiVersion: 'resource.k8s.io/v1',
    kind: 'ResourceSlice',
    metadata: { name: `${node}-gpus` },
    spec: {
      driver: 'gpu.nvidia.com',
      nodeName: node,
      pool: { name: node, generation: 1, resourceSliceCount: 1 },
      devices: Array.from({ length: gpus }, (_, i) => ({ name: `gpu-${i}` })),
    },
  };
  await client.json('POST', `${RESOURCE}/resourceslices`, { body });
}

tap.test('a GPU by DRA under the name of a device plugin', async (t) => {
  const gfd = {
    'nvidia.com/gpu.product': 'NVIDIA-H100-80GB-HBM3',
    'nvidia.com/gpu.count': '1',
    'nvidia.com/gpu.memory': '81559',
  };
  const stack = await stackFor(t, {
    nodes: [draNode('dra-1'), draNode('dra-2', gfd), exclusiveNode({ name: 'plugin', gpus: 1 })],
  });
  if (!stack) return;
  const { client } = stack.cluster;
  const make = (name: string, options: object = {}) =>
    createPod(client, gpuPod({ name, gpus: 1, schedulerName: 'default-scheduler', ...options }));
  const recordOf = async (name: string) => {
    const { annotations } = (await findPod(client, name))?.metadata ?? {};
    return JSON.parse(annotations?.['gpu-autoscaler.io/allocation'] ?? '{}');
  };

  await t.test('without a DeviceClass, such a node has no GPU for kube-scheduler, nor for us', async (t) => {
    await make('early', { spec: { nodeSelector: { 'kubernetes.io/hostname': 'dra-1' } } });
    t.match(await refusalOf(client, 'early'), /Insufficient nvidia\.com\/gpu/);
  });

  await publish(client, 'dra-1', 2);
  await publish(client, 'dra-2', 1);
  await client.json('POST', `${RESOURCE}/deviceclasses`, { body: DEVICE_CLASS });

  await t.test('with one, the pod that waited runs', async (t) => {
    t.equal(await nodeOf(client, 'early'), 'dra-1');
  });

  await t.test('the record says that kube-scheduler chose the devices', async (t) => {
    t.same(await recordOf('early'), {
      v: 1,
      node: 'dra-1',
      strategy: 'bestfit',
      mode: 'dra',
      resource: 'nvidia.com/gpu',
      count: 1,
      milliGpu: 0,
    });
  });

  await t.test('nodes that we know come first', async (t) => {
    await make('first');
    t.equal(await nodeOf(client, 'first'), 'plugin');
    t.equal((await recordOf('first')).mode, 'exclusive');
  });

  await t.test('then all devices are given away, and no more than there are', async (t) => {
    await make('second', { annotations: { 'gpu-autoscaler.io/sharing-mode': 'exclusive' } });
    await make('third', { labels: { 'gpu-autoscaler.io/workload-type': 'training' } });
    t.same(new Set([await nodeOf(client, 'second'), await nodeOf(client, 'third')]), new Set(['dra-1', 'dra-2']));
    await make('fourth');
    t.match(await refusalOf(client, 'fourth'), /0\/3 nodes are available/);
    t.notMatch(await refusalOf(client, 'fourth'), /WrongMode|UnknownNode/);
  });

  await t.test('the author is told who judges', async (t) => {
    const { annotations } = (await findPod(client, 'second'))?.metadata ?? {};
    t.match(annotations?.['gpu-autoscaler.io/optimization-reason'], /DeviceClass gpu\.nvidia\.com/);
  });

  await t.test('the class goes: what runs is left alone, and the ledger agrees with the API server', async (t) => {
    await client.json('DELETE', `${RESOURCE}/deviceclasses/gpu.nvidia.com`);
    await waitFor('the extender has seen it', async () => !stack.extender.state.delegated.has('nvidia.com/gpu'));
    const reply = await fetch(`${stack.extender.url}/compare`, { method: 'POST' });
    t.same(await reply.json(), { total: 0, differences: [] });
    t.equal(await nodeOf(client, 'third'), (await recordOf('third')).node);
  });
});
